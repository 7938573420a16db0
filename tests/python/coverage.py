#!/usr/bin/env python3
"""Sampled runs of sampled.py: how often the stated 95 % interval of a line holds what the line held.

usage: coverage.py LIBRARY ANALYZE PYTHON RUNS [BIAS]

Exit status 0 if that is as often as it should be and the mean error is within its own noise. BIAS multiplies the
estimates: the control. Bounds widen with the square root of the number of lines looked at.
"""
import json
import math
import os
import subprocess
import sys
import tempfile


def run(library, analyze, python, directory):
    """(truth, estimate, error) of each line"""
    trace = os.path.join(directory, "trace.bin")
    environment = dict(os.environ, LD_PRELOAD=library, FIL4PROD_OUTPUT=trace, FIL4PROD_MIN_HEAP="0",
                       FIL4PROD_INTERVAL="16K")
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sampled.py")
    job = subprocess.run([python, program], env=environment, stdout=subprocess.PIPE, check=False)
    if job.returncode != -9:
        sys.exit(f"the job ended with {job.returncode}")
    truth = json.loads(job.stdout)
    document = json.loads(subprocess.run([analyze, "--json", trace], stdout=subprocess.PIPE, check=True).stdout)
    os.unlink(trace)
    lines = [[held, 0, 0.0] for held in truth]
    for stack in document["instants"]["end"]["stacks"]:
        own = {f["line"] for f in stack["frames"] if f["file"] == "held.py" and f["function"] != "<module>"}
        for number in own:
            lines[number - 1][1] += stack["bytes"]
            lines[number - 1][2] += stack["error_bytes"] ** 2
    return [(held, estimate, math.sqrt(square)) for held, estimate, square in lines]


def main():
    library, analyze, python = sys.argv[1:4]
    runs, bias = int(sys.argv[4]), float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
    looked, covered, error, spread = 0, 0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(runs):
            for held, estimate, sure in run(library, analyze, python, directory):
                looked += 1
                covered += abs(estimate * bias - held) <= sure
                error += (estimate * bias - held) / held
                spread += (sure / 1.96 / held) ** 2
    coverage, mean, noise = covered / looked, error / looked, 4 * math.sqrt(spread) / looked
    slack = max(4 * math.sqrt(0.95 * 0.05 / looked), 0.03)
    print(f"{looked} lines in {runs} runs: coverage {coverage:.3f}, mean error {mean:+.4f}; "
          f"allowed {0.95 - slack:.3f} and more, {noise:.4f}")
    return 0 if coverage >= 0.95 - slack and abs(mean) <= noise else 1


if __name__ == "__main__":
    sys.exit(main())
