#!/usr/bin/env python3
"""Real recorded runs against the job's own count of its heap.

usage: accuracy.py LIBRARY ANALYZE PROGRAM RUNS [BIAS]

Runs PROGRAM with RUNS seeds under LIBRARY and compares instants.end of its trace with what it printed before it died.
Exit status 0 if the stated 95 % interval covered the truth as often as it should and the mean error is within bounds.
BIAS multiplies the estimates: the control. Bounds widen with the square root of the number of runs.
"""
import json
import math
import os
import subprocess
import sys
import tempfile


def run(library, analyze, program, seed, directory):
    trace = os.path.join(directory, "trace.bin")
    environment = dict(os.environ, LD_PRELOAD=library, FIL4PROD_OUTPUT=trace, FIL4PROD_MIN_HEAP="0",
                       FIL4PROD_INTERVAL="64K", FIL4PROD_SIZE="1M")
    job = subprocess.run([program, str(seed)], env=environment, stdout=subprocess.PIPE, check=False)
    if job.returncode != -9:
        sys.exit(f"seed {seed}: the job ended with {job.returncode}")
    truth = [int(word) for word in job.stdout.split()]
    document = json.loads(subprocess.run([analyze, "--json", trace], stdout=subprocess.PIPE, check=True).stdout)
    os.unlink(trace)
    end = document["instants"]["end"]
    if sum(stack["bytes"] for stack in end["stacks"]) != end["heap_bytes"]:
        sys.exit(f"seed {seed}: the stacks do not add up to the heap")
    return truth, end, sum(stack["blocks"] for stack in end["stacks"])


def main():
    library, analyze, program = sys.argv[1:4]
    runs, bias = int(sys.argv[4]), float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
    covered, error, block_error, spread = 0, 0.0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        for seed in range(1, runs + 1):
            (size, blocks), end, estimated_blocks = run(library, analyze, program, seed, directory)
            estimate = end["heap_bytes"] * bias
            covered += abs(estimate - size) <= end["heap_error_bytes"]
            error += (estimate - size) / size
            block_error += (estimated_blocks * bias - blocks) / blocks
            spread += (end["heap_error_bytes"] / 1.96 / size) ** 2
    coverage, mean, noise = covered / runs, error / runs, 3 * math.sqrt(spread) / runs
    slack = 3 * math.sqrt(0.95 * 0.05 / runs)
    print(f"{runs} runs: coverage {coverage:.3f}, mean error {mean:+.4f}, of blocks {block_error / runs:+.4f}; "
          f"allowed {0.95 - max(slack, 0.02):.3f}..{0.95 + max(slack, 0.02):.3f} and {max(noise, 0.005):.4f}")
    good = abs(coverage - 0.95) <= max(slack, 0.02) and abs(mean) <= max(noise, 0.005)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
