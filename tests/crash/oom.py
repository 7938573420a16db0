#!/usr/bin/env python3
"""Lets the OOM killer of a memory cgroup kill recorded programs and asks whether their traces name the culprit.

usage: oom.py BUILD [--kills N] [--library LIB]

Prints a line per kind; exit status 1 if a trace could not be read, was not sound or named another line; 77 without a
cgroup to do it in (root, and cgroup v1 memory or v2 with the memory controller)."""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LIMIT = 96 << 20
KINDS = ("grow", "hoard", "C grow", "crumbs", "C leak")
# What of the limit the culprit must hold: a buffer that doubles is killed at any size from a quarter on.
LEAST = {"grow": LIMIT // 8, "hoard": LIMIT // 2, "crumbs": LIMIT // 3}


class Group:
    """A memory cgroup with a limit, v1 or v2."""

    def __init__(self):
        name = f"fil4prod-test-{os.getpid()}"
        v1, v2 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
        self.old = os.path.exists(v1 + "/memory.limit_in_bytes")
        if not self.old and "memory" not in read(v2 + "/cgroup.subtree_control").split():
            raise OSError("no memory controller")
        self.path = os.path.join(v1 if self.old else v2, name)
        os.mkdir(self.path)
        self.write("memory.limit_in_bytes" if self.old else "memory.max", LIMIT)
        try:  # without swap the limit counts at once
            self.write("memory.memsw.limit_in_bytes" if self.old else "memory.swap.max", LIMIT if self.old else 0)
        except OSError:
            pass

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as file:
            file.write(str(value))

    def enter(self):
        self.write("cgroup.procs", os.getpid())

    def oom_kills(self):
        text = read(os.path.join(self.path, "memory.oom_control" if self.old else "memory.events"))
        found = re.search(r"^oom_kill (\d+)", text, re.M)
        return int(found.group(1)) if found else 0

    def remove(self):
        os.rmdir(self.path)


def read(path):
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def run(command, group, trace, library):
    """Runs `command` into the limit; what is wrong with its end, or ""."""
    environment = dict(os.environ, LD_PRELOAD=library, FIL4PROD_SIZE="8M", FIL4PROD_MIN_HEAP="0")
    environment["FIL4PROD_OUTPUT"] = trace
    before = group.oom_kills()
    process = subprocess.Popen(command, env=environment, preexec_fn=group.enter, stderr=subprocess.PIPE)
    said = process.communicate()[1].decode(errors="replace")
    if process.returncode != -signal.SIGKILL or group.oom_kills() == before:
        return f"not killed for memory: {process.returncode}: {said}"
    return ""


def judge_python(build, trace, kind):
    report = trace + ".json"
    with open(report, "w", encoding="ascii") as out:
        analyzed = subprocess.run([build + "/fil4prod-analyze", "--json", trace], stdout=out, stderr=subprocess.PIPE)
    if analyzed.returncode:
        return analyzed.stderr.decode(errors="replace")
    expect = [sys.executable, HERE + "/expect.py", report, "end", HERE + "/oom_job.py", kind, str(LEAST[kind])]
    return subprocess.run(expect, stderr=subprocess.PIPE).stderr.decode()


def judge_c(build, trace, kind, book):
    probe = subprocess.run([build + "/crash/probe", trace], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if probe.returncode:
        return probe.stderr.decode(errors="replace")
    facts = [line.split() for line in probe.stdout.decode().splitlines()]
    values = {}
    for key, value in facts:
        values.setdefault(key, []).append(int(value))
    if values["live_sound"] != [1] or values["peak_sound"] != [1]:
        return "not sound"
    with open(book, "rb") as file:
        now, wanted = (int.from_bytes(file.read(8), sys.byteorder) for _ in range(2))
    large = values.get("large", [])
    if kind == "C leak":
        count = sum(size == now for size in large)
        return "" if count * now > LIMIT // 2 else f"{count} blocks of {now} bytes in the trace"
    if now not in large and wanted not in large:
        return f"neither the block of {now} bytes nor that of {wanted} is in the trace: {large}"
    return ""


def one(build, library, group, directory, kind):
    trace, book = directory + "/oom.trace", directory + "/book"
    for name in os.listdir(directory):
        os.unlink(os.path.join(directory, name))
    if kind.startswith("C "):
        command = [build + "/crash/hog", kind[2:], book]
    else:
        command = [sys.executable, HERE + "/oom_job.py", kind]
    wrong = run(command, group, trace, library)
    if wrong:
        return wrong
    return judge_c(build, trace, kind, book) if kind.startswith("C ") else judge_python(build, trace, kind)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--library")
    options = parser.parse_args()
    library = os.path.abspath(options.library or options.build + "/libfil4prod.so")
    try:
        group = Group()
    except OSError as error:
        print(f"SKIP OOM kills: {error}")
        return 77
    right = dict.fromkeys(KINDS, 0)
    wrong = 0
    print(f"limit {LIMIT >> 20} MiB, cgroup {'v1' if group.old else 'v2'}")
    try:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMP")) as directory:
            for i in range(options.kills):
                kind = KINDS[i % len(KINDS)]
                problem = one(os.path.abspath(options.build), library, group, directory, kind)
                if problem:
                    wrong += 1
                    print(f"WRONG at kill {i + 1} ({kind}): {problem}")
                else:
                    right[kind] += 1
    finally:
        group.remove()
    print(", ".join(f"{kind}: {count}" for kind, count in right.items()) + f"; wrong: {wrong}")
    return 1 if wrong else 0


sys.exit(main())
