#!/usr/bin/env python3
"""Holds the ledger of resident memory against /proc/PID/smaps_rollup and against what a program says of itself.

usage: rss_ledger.py NAME [--preload] [--old-kernel] [--skew TERM=FACTOR] -- COMMAND...

COMMAND prints "term bytes" lines, then "ready", then does nothing more. It runs under $RECORD (with --preload: with
$LIBRARY alone). When two looks have ended since it was ready, smaps_rollup is read, and the process killed. Exit
status 0: the ledger's terms add up to that RSS within 5 %, no more than 5 % of it is unexplained, and each term the
program spoke of is right: within 5 %, or 1 MiB, or the heap's error. --old-kernel: without PAGEMAP_SCAN. --skew multiplies what the truth says: a control.
"""

import json
import os
import signal
import subprocess
import sys
import time

SHARE = 0.05
TERMS = {"heap": 1, "untouched": -1, "swapped": -1, "slack": 1, "arenas": 1, "files": 1, "shared": 1, "stacks": 1,
         "recorder": 1}


def analyze(trace):
    done = subprocess.run([os.environ["ANALYZE"], "--json", "--symbols=none", "--top", "50", trace],
                          capture_output=True, check=False)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return None


def rollup(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss:"))


def look(trace):
    document = analyze(trace)
    return document and document["rss"]["last"]


def wait_for_looks(trace, job):
    """Two that ended later: the second began when all was in place."""
    seen = look(trace)
    for _ in range(2):
        while job.poll() is None:
            time.sleep(0.05)
            found = look(trace)
            if found and (not seen or found["t_ns"] > seen["t_ns"]):
                seen = found
                break


def run(command, trace, preload, under):
    # So fine that 5 % are many standard errors of the heap: its interval alone would fail one run in twenty. And looks
    # come behind samples of the block that keep-allocating holds just then: it must stand for itself alone.
    environment = dict(os.environ, FIL4PROD_QUIET="1", FIL4PROD_INTERVAL="16K")
    if preload:
        environment.update(FIL4PROD_OUTPUT=trace, FIL4PROD_MIN_HEAP="0", FIL4PROD_CHILDREN="0")
        whole = [*under, "env", "LD_PRELOAD=" + os.environ["LIBRARY"], *command]
    else:
        whole = [*under, os.environ["RECORD"], "-o", trace, *command]
    job = subprocess.Popen(whole, env=environment, stdout=subprocess.PIPE, text=True)
    truth = {}
    for line in job.stdout:
        words = line.split()
        if words == ["ready"]:
            break
        truth[words[0]] = int(words[1])
    else:
        sys.exit(f"the program ended early: {job.wait()}")
    document = analyze(trace)
    while not document or not document["target"]["pid"]:
        time.sleep(0.05)
        document = analyze(trace)
    pid = document["target"]["pid"]
    wait_for_looks(trace, job)
    rss = rollup(pid)
    os.kill(pid, signal.SIGKILL)
    job.wait()
    return truth, rss


def judge(truth, rss, document):
    """Lines of what is wrong."""
    ledger = document["rss"]["last"]
    terms = {name: ledger[name + "_bytes"] for name in TERMS}
    if None in terms.values():
        yield "classes are not known"
        return
    total = sum(TERMS[name] * terms[name] for name in TERMS)
    if total + ledger["unexplained_bytes"] != ledger["rss_bytes"]:
        yield f"{total} + {ledger['unexplained_bytes']} is not {ledger['rss_bytes']}"
    for what, bytes_ in (("the terms add up to", total), ("the ledger's RSS is", ledger["rss_bytes"])):
        if abs(bytes_ - rss) > SHARE * rss:
            yield f"{what} {bytes_}, smaps_rollup says {rss}"
    if abs(ledger["unexplained_bytes"]) > SHARE * rss:
        yield f"unexplained: {ledger['unexplained_bytes']} of {rss}"
    for name, bytes_ in truth.items():
        slack = max(SHARE * bytes_, 1 << 20)
        if name in ("heap", "slack", "arenas"):
            slack += ledger["heap_error_bytes"]
        if abs(terms[name] - bytes_) > slack:
            yield f"{name}: {terms[name]}, the program says {bytes_}"
    end = document["instants"]["end"]
    resident = terms["heap"] - terms["untouched"] - terms["swapped"]
    if abs(end["resident_bytes"] - resident) > SHARE * rss + 1024 * len(end["stacks"]):
        yield f"resident_bytes {end['resident_bytes']} at the end, {resident} in the ledger"
    if abs(sum(stack["resident_bytes"] for stack in end["stacks"]) - end["resident_bytes"]) > len(end["stacks"]):
        yield "the stacks' resident_bytes do not add up"
    if any(stack["resident_bytes"] > stack["bytes"] + 1 + stack.get("stacks", 0) for stack in end["stacks"]):
        yield "more of a stack is resident than it has"


def main():
    cut = sys.argv.index("--")
    name, options, command = sys.argv[1], sys.argv[2:cut], sys.argv[cut + 1:]
    preload = "--preload" in options
    trace = os.path.join(os.environ["TMP"], name + ".bin")
    under = [os.path.join(os.environ["BUILD"], "prog_old_kernel")] if "--old-kernel" in options else []
    truth, rss = run(command, trace, preload, under)
    if "--skew" in options:
        term, factor = options[options.index("--skew") + 1].split("=")
        if term == "rss":
            rss = int(rss * float(factor))
        else:
            truth[term] = int(truth[term] * float(factor)) + (4 << 20)
    document = analyze(trace)
    ledger = document["rss"]["last"]
    cells = " ".join(f"{name} {ledger[name + '_bytes'] / 2**20:.1f}" for name in TERMS if ledger[name + "_bytes"])
    print(f"smaps_rollup {rss / 2**20:.1f} ledger {ledger['rss_bytes'] / 2**20:.1f} = {cells} "
          f"unexplained {ledger['unexplained_bytes'] / 2**20:.2f} MiB")
    wrong = list(judge(truth, rss, document))
    for line in wrong:
        print("wrong:", line)
    sys.exit(1 if wrong else 0)


main()
