#!/usr/bin/env python3
"""What two readers say of a golden trace: fil4prod-analyze, and tests/trace_from_page.py, which was written from the page.

usage: tests/golden/figures.py ANALYZE TRACE.gz [EXPECTED.json [--flip SECTION]]

Prints the figures as JSON; with EXPECTED, the paths of those that differ, and exits 1 if any does. --flip: with a bit changed
in the first byte of that section, by its number, which is in use 200 bytes or more behind its start.
"""

import argparse
import gzip
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

TOP = 5
TRACE = ["complete", "torn_bytes", "lost_records", "interval_bytes", "base_interval_bytes", "samples", "live_samples"]
TRACE += ["thinned_samples", "exact"]
TARGET = ["command", "pid", "started", "duration_ns", "python", "exe", "host", "recorder", "native", "cgroup_limit_bytes"]
VERDICT = ["kind", "confidence", "signal", "exit_code"]
INSTANT = ["t_ns", "heap_bytes", "heap_error_bytes", "blocks", "samples", "exact_moment", "sound"]
TIMELINE = ["t_ns", "heap_bytes", "rss_bytes", "cgroup_bytes"]
WHOLE = ["losses", "damage", "requests_in_flight", "op_in_flight", "failed_requests"]


def pick(table, keys):
    return {key: table[key] for key in keys}


def top_of(stacks):
    return [
        [s["bytes"], s["thread"]] + ["%(function)s %(file)s:%(line)d" % frame for frame in s["frames"]]
        for s in stacks[:TOP]
    ]


def by_analyzer(analyze, path):
    command = [analyze, "--json", "--symbols=none", "--source=none", "--at=50%", path]
    a = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)
    return {
        "trace": pick(a["trace"], TRACE),
        "target": pick(a["target"], TARGET),
        "verdict": pick(a["verdict"], VERDICT),
        "instants": {name: {**pick(i, INSTANT), "top": top_of(i["stacks"])} for name, i in a["instants"].items()},
        "timeline": {key: [len(v), max(filter(None, v), default=0)] for key, v in pick(a["timeline"], TIMELINE).items()},
        **pick(a, WHOLE),
    }


def total(entries):
    return entries and [sum(e[i] for e in entries) % 2**64 for i in range(1, 5)]


def by_page(path, t_ns):
    reader = os.path.join(os.path.dirname(__file__), "..", "trace_from_page.py")
    line = subprocess.run([sys.executable, reader, path, str(t_ns)], stdout=subprocess.PIPE, check=True).stdout
    a = json.loads(line)
    top = sorted(a["live"], key=lambda e: -e[1])[:TOP]
    return {
        **pick(a, ["seq", "status", "wait_status", "in_flight", "live_sound", "peak_sound"]),
        "live": total(a["live"]),
        "peak": total(a["peak"]),
        "half": total(a["at"][0]),
        "live_top": [e[1:] + a["stacks"][e[0]] for e in top],
        "sha256": hashlib.sha256(line).hexdigest(),
    }


def figures(analyze, data):
    with tempfile.NamedTemporaryFile(suffix=".trace") as file:
        file.write(data)
        file.flush()
        ours = by_analyzer(analyze, file.name)
        return {"analyzer": ours, "page": by_page(file.name, ours["instants"]["50%"]["t_ns"])}


def differences(want, got, path=""):
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(want.keys() | got.keys()):
            yield from differences(want.get(key), got.get(key), f"{path}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, pair in enumerate(zip(want, got)):
            yield from differences(*pair, f"{path}[{i}]")
    elif want != got:
        yield f"{path[1:]}: expected {want!r}, is {got!r}"


def flip(data, kind):
    for i in range(struct.unpack_from("<I", data, 100)[0]):
        found, _, offset, _ = struct.unpack_from("<IIQQ", data, 104 + 24 * i)
        if found == kind:
            at = offset + 200
            while not data[at]:
                at += 1
            data[at] ^= 1
            return
    sys.exit(f"no section {kind}")


def disagreements(got):
    """The two readers share no code, so they agree by being right."""
    for instant, part in (("end", "live"), ("peak", "peak"), ("50%", "half")):
        ours, theirs = got["analyzer"]["instants"][instant], got["page"][part]
        exact = instant != "50%" or ours["exact_moment"]
        if theirs is None and not exact:
            continue
        if theirs is None or abs(ours["heap_bytes"] - theirs[0] / 256) > 1 or ours["samples"] != theirs[3]:
            yield f"the readers disagree at {instant}: {ours['heap_bytes']} bytes, {theirs}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("analyze")
    parser.add_argument("trace")
    parser.add_argument("expected", nargs="?")
    parser.add_argument("--flip", type=int)
    options = parser.parse_args()
    with gzip.open(options.trace) as file:
        data = bytearray(file.read())
    if options.flip is not None:
        flip(data, options.flip)
    got = figures(options.analyze, data)
    if not options.expected:
        print(json.dumps(got, indent=1, ensure_ascii=True))
        return 0
    with open(options.expected, encoding="utf-8") as file:
        found = list(differences(json.load(file), got)) + list(disagreements(got))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
