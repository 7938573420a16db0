"""`make bench`: what the recorder costs, beside bare runs and beside an interposer that does nothing.

usage: run.py --build DIR --programs DIR [--rounds N] [--only NAME,...] [--peers] [--long]
Prints Markdown; the same and all figures as JSON in PROGRAMS/bench.md and PROGRAMS/bench.json.
"""
import argparse
import json
import os
import platform
import shutil
import subprocess
import sys

import measure
import peers
import report
import special
import symbols
import workloads

HERE = os.path.dirname(os.path.abspath(__file__))


def first_line(*argv):
    try:
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
    except OSError:
        return None
    lines = (run.stdout or run.stderr).strip().splitlines()
    return lines[0] if run.returncode == 0 and lines else None


def machine(python):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    commit = first_line("git", "-C", HERE, "rev-parse", "--short", "HEAD")
    changed = first_line("git", "-C", HERE, "status", "--porcelain", "-uno", "--", ":/recorder", ":/format")
    return {
        "cpu": f"{len(models)} x {models[0]}" if models else platform.machine(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "compiler": first_line("gcc", "--version"),
        "python": first_line(python, "--version"),
        "sqlite": (first_line("sqlite3", "--version") or "-").split()[0],
        "valgrind": first_line("valgrind", "--version"),
        "commit": (commit or "unknown") + (" + changes" if changed else ""),
        "hardware_counters": counters_work(),
    }


def counters_work():
    try:
        run = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", "true"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return run.stderr.split(",")[0].isdigit()


class Bench:
    """Where things are, and the environment of each variant."""

    def __init__(self, options):
        self.options = options
        self.programs = os.path.abspath(options.programs)
        self.build = os.path.abspath(options.build)
        self.scratch = os.path.join(self.programs, "scratch")
        self.python = os.path.realpath(sys.executable)
        self.library = os.path.join(self.build, "libfil4prod.so")
        self.empty = os.path.join(self.programs, "libempty.so")
        shutil.rmtree(self.scratch, ignore_errors=True)
        os.makedirs(self.scratch)

    def program(self, name, *words):
        return [os.path.join(self.programs, name), *map(str, words)]

    def recorded(self, **settings):
        """The environment of a recorded run. Its traces are made in the scratch directory."""
        env = {"LD_PRELOAD": self.library, "FIL4PROD_QUIET": "1", "FIL4PROD_OUTPUT": os.path.join(self.scratch, "t.trace")}
        env.update({f"FIL4PROD_{key}": value for key, value in settings.items()})
        return env

    def environment(self, variant):
        if variant == "bare":
            return {}
        if variant == "empty":
            return {"LD_PRELOAD": self.empty}
        return self.recorded(INTERVAL="1") if variant == "exact" else self.recorded()

    def samples(self, argv, stdin, **settings):
        """How many samples a run has."""
        measure.execute(argv, self.recorded(MIN_HEAP="0", CHILDREN="no", **settings), stdin)
        analyze = [os.path.join(self.build, "fil4prod-analyze"), "--json", os.path.join(self.scratch, "t.trace")]
        report = subprocess.run(analyze, capture_output=True, check=True).stdout
        self.drop_traces()
        return json.loads(report)["trace"]["samples"]

    def mean_interval(self, argv, stdin):
        """Bytes per sample over the whole of a run as users have it. Under callgrind the same CPU budget would allow
        other intervals: time and instructions go apart there."""
        fixed = 65536
        return max(fixed * self.samples(argv, stdin, INTERVAL=str(fixed)) // max(self.samples(argv, stdin), 1), 1)

    def drop_traces(self):
        """Removes traces; returns how many there were."""
        traces = [name for name in os.listdir(self.scratch) if name.startswith("t.trace")]
        for name in traces:
            os.unlink(os.path.join(self.scratch, name))
        return len(traces)

    def execute(self, argv, variant, stdin=None):
        run = measure.execute(argv, self.environment(variant), stdin)
        run.traces = self.drop_traces()
        return run

    def side_by_side(self, variants, argv, stdin, cpus):
        try:
            return measure.side_by_side({v: (argv(v), self.environment(v), stdin) for v in variants}, cpus)
        finally:
            self.drop_traces()

    def say(self, text):
        print(text, file=sys.stderr, flush=True)


VARIANTS = ["bare", "empty", "fil4prod"]


def compare_cpu(bench, work):
    """All variants at once, on one CPU. Who starts first changes."""
    cpus = {max(os.sched_getaffinity(0))}
    cpu = measure.Comparison()
    for number in range(bench.options.rounds):
        first = number % len(VARIANTS)
        cpu.add(bench.side_by_side(VARIANTS[first:] + VARIANTS[:first], lambda v: work.argv(1, v), work.stdin, cpus))
    return cpu


def bench_workload(bench, work):
    cpu, wall = measure.Comparison(), measure.Comparison()
    traces = 0
    argv = work.argv(1)
    for results in measure.rounds_of(VARIANTS, bench.options.rounds, lambda v: bench.execute(argv, v, work.stdin)):
        cpu.add({v: r.cpu for v, r in results.items()})
        wall.add({v: r.wall for v, r in results.items()})
        traces = max(traces, results["fil4prod"].traces)
    together = compare_cpu(bench, work)
    row = {
        "name": work.name,
        "what": work.what,
        "native": work.native,
        "rounds": bench.options.rounds,
        "traces": traces,
        "bare_cpu_s": cpu.median("bare"),
        "bare_wall_s": wall.median("bare"),
        "empty_cpu": together.ratio("empty", "bare"),
        "cpu": together.ratio("fil4prod", "bare"),
        "cpu_over_empty": together.ratio("fil4prod", "empty"),
        "turns_cpu": cpu.ratio("fil4prod", "bare"),
        "turns_cpu_over_empty": cpu.ratio("fil4prod", "empty"),
        "turns_wall": wall.ratio("fil4prod", "bare"),
    }
    exact = measure.Comparison()
    small = work.argv(0.1)
    for results in measure.rounds_of(["bare", "exact"], 3, lambda v: bench.execute(small, v, work.stdin)):
        exact.add({v: r.cpu for v, r in results.items()})
    row["exact_cpu"] = exact.ratio("exact", "bare")
    if work.callgrind and shutil.which("valgrind"):
        mean = str(bench.mean_interval(argv, work.stdin))
        environments = {"bare": {}, "empty": bench.environment("empty"), "fil4prod": bench.recorded(INTERVAL=mean)}
        counts = {v: measure.instructions(argv, env, bench.scratch, work.stdin) for v, env in environments.items()}
        bench.drop_traces()
        if all(counts.values()):
            row["instructions"] = counts
    return row


def bench_workloads(bench):
    rows = []
    for work in workloads.all_workloads(HERE, bench.programs, bench.scratch, bench.python):
        if bench.options.only and work.name not in bench.options.only:
            continue
        if work.absent:
            rows.append({"name": work.name, "what": work.what, "absent": work.absent})
            continue
        bench.say(f"bench: {work.name}")
        try:
            rows.append(bench_workload(bench, work))
        except measure.Failed as error:
            rows.append({"name": work.name, "what": work.what, "absent": f"failed: {error}"})
    return rows


special.PARTS.extend([("symbols", symbols.symbols), ("peers", peers.peers)])
report.SECTIONS.extend([symbols.SECTION, peers.SECTION])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, help="directory of libfil4prod.so and fil4prod-analyze")
    parser.add_argument("--programs", required=True, help="directory of the bench programs; results go there too")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", type=lambda text: text.replace(",", " ").split(), default=[])
    parser.add_argument("--peers", action="store_true", help="also heaptrack, jemalloc, tcmalloc, memray, as far as they can be had")
    bench = Bench(parser.parse_args())

    results = {"machine": machine(bench.python), "workloads": bench_workloads(bench)}
    for name, part in special.PARTS:
        if name == "peers":
            if not bench.options.peers:
                continue
        elif bench.options.only and name not in bench.options.only:
            continue
        bench.say(f"bench: {name}")
        try:
            results[name] = part(bench)
        except (measure.Failed, OSError) as error:
            results[name] = {"absent": str(error)}
    shutil.rmtree(bench.scratch, ignore_errors=True)
    text = report.markdown(results)
    with open(os.path.join(bench.programs, "bench.json"), "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    with open(os.path.join(bench.programs, "bench.md"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")


main()
