#!/usr/bin/env python3
"""The heap at random instants, and the change between two, against the job's own notes.

usage: instants.py LIBRARY ANALYZE PROGRAM RUNS [BIAS]

Exit status 0 if the stated 95 % intervals covered the truth of each line in 91 to 98 % of the cases, instants and
changes alike, and the mean error is small; the bounds are wider for fewer than 100 runs, whose instants are not
independent. BIAS multiplies the estimates: the control. So is what the last line of
output says: had the two heaps of a change been taken for independent, far too many would have been covered.
"""
import datetime
import json
import math
import os
import random
import subprocess
import sys
import tempfile

INSTANTS, CHANGES = 20, 6


def rfc3339(ns):
    seconds = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return f"{seconds:%Y-%m-%dT%H:%M:%S}.{ns % 10**9:09d}Z"


def run(library, program, seed, trace):
    environment = dict(os.environ, LD_PRELOAD=library, FIL4PROD_OUTPUT=trace, FIL4PROD_MIN_HEAP="0",
                       FIL4PROD_INTERVAL="32K", FIL4PROD_SIZE="4M", FIL4PROD_QUIET="1")
    job = subprocess.run([program, str(seed)], env=environment, stdout=subprocess.PIPE, check=False)
    if job.returncode != -9:
        sys.exit(f"seed {seed}: the job ended with {job.returncode}")
    return [[int(word) for word in line.split()] for line in job.stdout.splitlines()]


def analysis(analyze, trace, *options):
    command = [analyze, "--json", "--top", "0", *options, trace]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def by_line(stacks, key="bytes"):
    """(value, 95 % half-width) of each of the five lines."""
    values = [[0, 0.0] for _ in range(5)]
    for stack in stacks:
        for frame in stack["frames"]:
            if frame["function"].startswith("hold_"):
                line = values[int(frame["function"][5:])]
                line[0] += stack[key]
                line[1] = math.hypot(line[1], stack["error_bytes"])
    return values


class Score:
    def __init__(self):
        self.covered = self.count = 0
        self.error = self.spread = 0.0

    def add(self, estimate, half, truth, scale):
        self.count += 1
        self.covered += abs(estimate - truth) <= half
        self.error += (estimate - truth) / scale
        self.spread += half / scale

    def coverage(self):
        return self.covered / self.count

    def good(self, runs):
        slack = 0.01 if runs < 100 else 0
        noise = 3.5 * self.spread / self.count / 1.96 / math.sqrt(5 * runs)
        return (0.91 - slack <= self.coverage() <= 0.98 + slack / 2
                and abs(self.error / self.count) <= max(noise, 0.01))

    def __str__(self):
        return (f"coverage {self.coverage():.3f} of {self.count}, mean error {self.error / self.count:+.4f}, "
                f"mean half-width {self.spread / self.count:.4f}")


def main():
    library, analyze, program = sys.argv[1:4]
    runs, bias = int(sys.argv[4]), float(sys.argv[5]) if len(sys.argv) > 5 else 1.0
    instants, changes, independent = Score(), Score(), Score()
    with tempfile.TemporaryDirectory() as directory:
        trace = os.path.join(directory, "trace.bin")
        for seed in range(1, runs + 1):
            notes = run(library, program, seed, trace)
            chosen = random.Random(seed).sample(range(len(notes)), INSTANTS)
            seen = {}
            for part in (chosen[:10], chosen[10:]):
                names = [rfc3339(notes[i][0]) for i in part]
                found = analysis(analyze, trace, *[word for name in names for word in ("--at", name)])["instants"]
                for i, name in zip(part, names):
                    if not found[name]["exact_moment"]:
                        sys.exit(f"seed {seed}: {name} is not in the history")
                    seen[i] = by_line(found[name]["stacks"])
                    for (estimate, half), truth in zip(seen[i], notes[i][1:]):
                        instants.add(estimate * bias, half, truth, truth)
            for a, b in zip(sorted(chosen)[:2 * CHANGES:2], sorted(chosen)[1:2 * CHANGES:2]):
                pair = rfc3339(notes[a][0]) + ".." + rfc3339(notes[b][0])
                found = by_line(analysis(analyze, trace, "--diff", pair)["diff"]["stacks"])
                for line in range(5):
                    truth = notes[b][line + 1] - notes[a][line + 1]
                    estimate, half = found[line]
                    changes.add(estimate * bias, half, truth, notes[a][line + 1])
                    independent.add(estimate, math.hypot(seen[a][line][1], seen[b][line][1]), truth,
                                    notes[a][line + 1])
            os.unlink(trace)
    print(f"instants: {instants}\nchanges: {changes}\nchanges, heaps taken for independent: {independent}")
    return 0 if instants.good(runs) and changes.good(runs) and independent.coverage() > 0.98 else 1


if __name__ == "__main__":
    sys.exit(main())
