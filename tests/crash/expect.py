#!/usr/bin/env python3
"""usage: expect.py ANALYSIS.json INSTANT SOURCE.py MARK BYTES

Passes when at INSTANT (peak, end) most of the heap, and at least BYTES, was allocated at the lines of SOURCE.py that end
in the comment MARK, and the numbers are sound."""

import json
import sys


def main():
    report, instant, source, mark, least = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        lines = {n for n, text in enumerate(file, 1) if text.rstrip().endswith("# " + mark)}
    with open(report, encoding="utf-8") as file:
        heap = json.load(file)["instants"][instant]
    there = sum(
        stack["bytes"]
        for stack in heap["stacks"]
        if any(frame["file"].endswith(source) and frame["line"] in lines for frame in stack["frames"])
    )
    total = heap["heap_bytes"]
    if not heap["sound"] or there < int(least) or there < total / 2:
        sys.exit(f"{instant}: {there} of {total} bytes at {source} '{mark}' (lines {sorted(lines)}), sound: {heap['sound']}")


main()
