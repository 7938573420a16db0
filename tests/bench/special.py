"""The measurements that are not a workload: one pair, start-up, the writer's ops, stack walks, stalls, the analyzer."""
import os
import shutil
import statistics
import subprocess
import sys
import time

import measure

HERE = os.path.dirname(os.path.abspath(__file__))

# Blocks of this size are nearly always samples at PAIR_INTERVAL (p = 0.98), and pairs of 64 bytes nearly never.
LIVE_SIZE = 1 << 20
PAIR_INTERVAL = "256K"


def pair_environment(bench, variant, live):
    if variant != "fil4prod":
        return bench.environment(variant)
    # 200,000 live samples need more than the default 64 MiB; a fixed interval, so that only `live` differs
    return bench.recorded(INTERVAL=PAIR_INTERVAL, SIZE="160M") if live else bench.recorded()


def pairs(bench):
    """ns per malloc(64) + free, by live samples and by threads."""
    rows = []
    variants = ["bare", "empty", "fil4prod"]
    for threads, live in [(1, 0), (1, 10_000), (1, 200_000), (2, 0), (16, 0), (16, 200_000)]:
        comparison = measure.Comparison()
        anonymous = {}
        count = 20_000_000 if not live else 8_000_000

        def run(variant, argv=bench.program("pairs", threads, live, count, 64, LIVE_SIZE)):
            result = measure.execute(argv, pair_environment(bench, variant, live))
            bench.drop_traces()
            anonymous[variant] = result.value("anon")
            return result.value("ns")

        for values in measure.rounds_of(variants, max(bench.options.rounds // (2 if live else 1), 3), run):
            comparison.add(values)
        row = {"threads": threads, "live": live, "ns": {v: comparison.median(v) for v in variants},
               "over_bare_ns": comparison.difference("fil4prod", "bare"),
               "over_empty_ns": comparison.difference("fil4prod", "empty"),
               "memory_kib": anonymous["fil4prod"] - anonymous["bare"]}
        if threads == 1 and shutil.which("valgrind"):
            row["instructions"] = pair_instructions(bench, live)
        rows.append(row)
    return rows


def pair_instructions(bench, live):
    """Per pair, the difference of two counts of pairs; unsampled: with an interval at which none is taken."""
    few, many = 1000, 201_000
    result = {}
    for variant in ("bare", "empty", "fil4prod"):
        counts = []
        for count in (few, many):
            env = pair_environment(bench, variant, live)
            if variant == "fil4prod" and not live:
                env = bench.recorded(INTERVAL="1T")
            counts.append(measure.instructions(["--instr-atstart=no", *bench.program("pairs", 1, live, count, 64, LIVE_SIZE)], env, bench.scratch))
            bench.drop_traces()
        if None in counts:
            return None
        result[variant] = (counts[1] - counts[0]) / (many - few)
    return result


def startup(bench):
    """What LD_PRELOAD alone adds to a process."""
    rows = []
    for name, count, argv in [("true", 60, ["/bin/true"]), ("python -c pass", 8, [bench.python, "-c", "pass"])]:
        wall, cpu = measure.Comparison(), measure.Comparison()

        def run(variant, words=bench.program("spawn", count, *argv)):
            env = dict(bench.environment(variant))
            preload = env.pop("LD_PRELOAD", None)
            if preload:
                env["BENCH_PRELOAD"] = preload
            return measure.execute(words, env)

        for results in measure.rounds_of(["bare", "empty", "fil4prod"], bench.options.rounds, run):
            wall.add({v: r.value("us") / 1e3 for v, r in results.items()})
            cpu.add({v: r.value("cpu") / 1e3 for v, r in results.items()})
        rows.append({"name": name, "bare_ms": wall.median("bare"), "empty_added_ms": wall.difference("empty", "bare"),
                     "added_ms": wall.difference("fil4prod", "bare"), "added_cpu_ms": cpu.difference("fil4prod", "bare")})
    return rows


def writer(bench):
    """What the writer's ops cost in a file, without the recorder around them."""
    rows = []
    trace = os.path.join(bench.scratch, "micro.trace")
    for sites, live in [(1000, 10_000), (50_000, 10_000), (50_000, 150_000)]:
        runs = [measure.execute(bench.program("micro", trace, sites, live, 300_000)) for _ in range(5)]
        row = {"sites": sites, "live": live}
        for key in ("alloc", "free", "move", "seal", "keyframe", "worst"):
            row[key] = measure.interval([run.value(key) for run in runs])
        row["preempted"] = max(run.value("preempted") for run in runs)
        row["worst_what"] = [line.split(" ", 1)[1] for run in runs for line in run.out.splitlines() if line.startswith("worst_what")]
        rows.append(row)
    os.unlink(trace)
    return rows


def sample(bench):
    """ns per sampled buffer of a Python program (made and dropped: two ops) beyond bare, by depth of the stack."""
    rows = []
    for depth in (2, 10, 50, 200):
        comparison = measure.Comparison()

        def run(variant, argv=[bench.python, os.path.join(os.path.dirname(__file__), "depth.py"), str(depth), "20000"]):
            result = measure.execute(argv, bench.environment(variant))
            bench.drop_traces()
            return result.value("ns")

        for values in measure.rounds_of(["bare", "exact"], 7, run):
            comparison.add(values)
        rows.append({"depth": depth, "ns": comparison.difference("exact", "bare")})
    return rows


# ---- stalls ----


def summarize(runs):
    return {key: measure.interval([run.value(key) for run in runs]) for key in ("worst", "worst_cpu", "p9999", "over1ms", "over10ms", "calls", "preempted")}


def stall_quiet(bench):
    runs = {v: [] for v in ("bare", "fil4prod", "exact")}
    for results in measure.rounds_of(list(runs), 5, lambda v: bench.execute(bench.program("stall", 2), v)):
        for variant, run in results.items():
            runs[variant].append(run)
    return {v: summarize(r) for v, r in runs.items()}


class Cgroup:
    """A memory cgroup, v1 or v2, with a limit; None where none can be made."""

    def __init__(self, path, limit_file, limit):
        self.path = path
        os.mkdir(path)
        with open(os.path.join(path, limit_file), "w", encoding="ascii") as file:
            file.write(str(limit))

    @staticmethod
    def make(limit):
        name = f"fil4prod-bench-{os.getpid()}"
        for parent, limit_file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            try:
                return Cgroup(os.path.join(parent, name), limit_file, limit)
            except OSError:
                try:
                    os.rmdir(os.path.join(parent, name))
                except OSError:
                    pass
        return None

    def command(self, argv):
        return ["/bin/sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path, *argv]

    def remove(self):
        """Those who were killed leave it a little later."""
        for _ in range(100):
            try:
                return os.rmdir(self.path)
            except OSError:
                time.sleep(0.1)
        raise measure.Failed(f"{self.path}: still in use")


def stall_pressure(bench):
    """A small cgroup in which another process keeps filling the page cache."""
    group = Cgroup.make(200 << 20)
    if not group:
        raise measure.Failed("no memory cgroup can be made here (needs root and a memory controller)")
    noise = os.path.join(bench.scratch, "noise")
    runs = {v: [] for v in ("bare", "fil4prod")}
    fill = f'while :; do dd if=/dev/zero of="{noise}" bs=1M count=400 conv=notrunc 2>/dev/null; cat "{noise}" >/dev/null; done'
    try:
        reader = subprocess.Popen(group.command(["/bin/sh", "-c", fill]), start_new_session=True)
        try:
            for results in measure.rounds_of(list(runs), 5, lambda v: pressed(bench, group, v)):
                for variant, run in results.items():
                    runs[variant].append(run)
        finally:
            os.killpg(reader.pid, 9)
            reader.wait()
    finally:
        group.remove()
    return {v: summarize(r) for v, r in runs.items()}


def pressed(bench, group, variant):
    # the shell that enters the group is not recorded
    inner = ["/usr/bin/env", *(f"{k}={v}" for k, v in bench.environment(variant).items()), *bench.program("stall", 4, 96 << 20)]
    run = measure.execute(group.command(inner))
    bench.drop_traces()
    return run


# ---- killed ----


def how_far(bench, group, variant, what):
    """Rounds that a program came until the kernel killed it."""
    said = os.path.join(bench.scratch, "said")
    with open(said, "wb") as file:
        file.write(bytes(8))
    env = {k: v for k, v in os.environ.items() if not k.startswith("FIL4PROD_")}
    inner = ["/usr/bin/env", *(f"{k}={v}" for k, v in bench.environment(variant).items()), bench.python, os.path.join(HERE, "grow.py"), what, said]
    status = subprocess.run(group.command(inner), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode
    if status != -9:
        raise measure.Failed(f"grow.py {what}: status {status}, not killed")
    if bench.drop_traces() != (variant == "fil4prod"):
        raise measure.Failed("not one trace")
    with open(said, "rb") as file:
        return int.from_bytes(file.read(), sys.byteorder)


def killed(bench):
    """How far a job gets in a cgroup whose limit it reaches: what the recorder takes is what the job lacks."""
    rows = []
    for limit in (128 << 20, 512 << 20):
        for what in ("objects", "buffers"):
            group = Cgroup.make(limit)
            if not group:
                raise measure.Failed("no memory cgroup can be made here (needs root and a memory controller)")
            far = measure.Comparison()
            try:
                for results in measure.rounds_of(["bare", "fil4prod"], 7, lambda v: how_far(bench, group, v, what)):
                    far.add(results)
            finally:
                group.remove()
            rows.append({"limit": limit, "what": what, "ratio": far.ratio("fil4prod", "bare")})
    return rows


# ---- analyzer ----


def analyzer(bench):
    program = os.path.join(bench.build, "fil4prod-analyze")
    if not os.path.exists(program):
        raise measure.Failed("fil4prod-analyze is not built")
    trace = os.path.join(bench.scratch, "full.trace")
    made = measure.execute(bench.program("generate", trace))
    rows = [{"face": "trace", **{key: made.value(key) for key in ("live", "sites", "nodes", "ops")}}]
    for face in ("--text", "--json"):
        runs = [measure.execute([program, face, trace]) for _ in range(5)]
        rows.append({"face": face, "wall_s": measure.interval([r.wall for r in runs]), "cpu_s": statistics.median(r.cpu for r in runs),
                     "max_rss": max(r.max_rss for r in runs)})
    os.unlink(trace)
    return rows


PARTS = [
    ("pairs", pairs),
    ("startup", startup),
    ("writer", writer),
    ("sample", sample),
    ("stall_quiet", stall_quiet),
    ("stall_pressure", stall_pressure),
    ("killed", killed),
    ("analyzer", analyzer),
]
