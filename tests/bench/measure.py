"""Runs commands and compares them: CPU and wall time of the child, ratios within one round, medians, intervals."""
import math
import os
import statistics
import subprocess
import tempfile
import time


class Run:
    """What one run of a command cost: seconds of CPU (children included) and wall, and what it printed."""

    def __init__(self, cpu, wall, max_rss, out):
        self.cpu = cpu
        self.wall = wall
        self.max_rss = max_rss
        self.out = out

    def value(self, name):
        """The number after `name` on a line of its output."""
        for line in self.out.splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == name:
                return float(words[1])
        raise KeyError(f"{name} not in: {self.out!r}")


class Failed(Exception):
    pass


class Started:
    """A command that runs. Its CPUs: all, or those of the set given."""

    def __init__(self, argv, env=None, stdin=None, cpus=None):
        everything = {k: v for k, v in os.environ.items() if not k.startswith("FIL4PROD_") and k != "LD_PRELOAD"}
        everything.update(LC_ALL="C", PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1")
        everything.update(env or {})
        self.argv = argv
        self.out = tempfile.TemporaryFile()
        pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        self.start = time.perf_counter()
        try:
            with open(stdin or os.devnull, "rb") as source:
                self.child = subprocess.Popen(argv, env=everything, stdin=source, stdout=self.out, stderr=subprocess.STDOUT, preexec_fn=pin)
        except OSError as error:
            self.out.close()
            raise Failed(f"{argv[0]}: {error.strerror}") from error

    def end(self):
        """Waits for it. Raises Failed if it does not exit with 0."""
        _, status, usage = os.wait4(self.child.pid, 0)
        wall = time.perf_counter() - self.start
        self.child.returncode = os.waitstatus_to_exitcode(status)
        with self.out:
            self.out.seek(0)
            text = self.out.read(100_000).decode("utf-8", "replace")
        if self.child.returncode != 0:
            raise Failed(f"{' '.join(self.argv[:3])}: status {self.child.returncode}: {text.strip()[-300:]}")
        return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss * 1024, text)


def execute(argv, env=None, stdin=None):
    """Runs argv to its end. Raises Failed if it cannot be run or does not exit with 0."""
    return Started(argv, env, stdin).end()


def side_by_side(commands, cpus):
    """Runs commands, {variant: (argv, env, stdin)}, at the same time on the same CPUs and gives {variant: CPU seconds}. The
    scheduler gives each its turn every few milliseconds, so what makes the machine slow or fast comes to all of them."""
    started = {variant: Started(*command, cpus) for variant, command in commands.items()}
    cpu, failed = {}, None
    for variant, run in started.items():
        try:
            cpu[variant] = run.end().cpu
        except Failed as error:
            failed = error
    if failed:
        raise failed
    return cpu


def interval(values):
    """(median, low, high): low and high are order statistics that hold the median with 95 % or more, the smallest and
    the largest value where there are too few for that."""
    ordered = sorted(values)
    n = len(ordered)
    rank, below = 0, 0.0  # how many values to leave out on each side
    for k in range(n // 2):
        below += math.comb(n, k) / 2**n
        if 2 * below > 0.05:
            break
        rank = k + 1
    cut = max(rank - 1, 0)
    return statistics.median(ordered), ordered[cut], ordered[n - 1 - cut]


class Comparison:
    """Values of some variants, one of each per round; ratios and differences are taken within a round."""

    def __init__(self):
        self.rounds = []

    def add(self, values):
        self.rounds.append(values)

    def median(self, variant):
        return statistics.median(r[variant] for r in self.rounds if variant in r)

    def ratio(self, variant, base):
        return interval([r[variant] / r[base] for r in self.rounds if variant in r and base in r])

    def difference(self, variant, base):
        return interval([r[variant] - r[base] for r in self.rounds if variant in r and base in r])


def rounds_of(variants, count, run):
    """Calls run(variant) for every variant in `count` rounds, every other round backwards: drift of the machine's speed
    cancels out. One round before them is thrown away: it warms caches. Yields {variant: result}."""
    for variant in variants:
        run(variant)
    for number in range(count):
        order = variants if number % 2 == 0 else variants[::-1]
        yield {variant: run(variant) for variant in order}


def instructions(argv, env, scratch, stdin=None):
    """Instructions of all processes of argv, by callgrind; None if it is not installed."""
    for name in os.listdir(scratch):
        if name.startswith("callgrind."):
            os.unlink(os.path.join(scratch, name))
    try:
        execute(
            ["valgrind", "--tool=callgrind", "--trace-children=no", f"--callgrind-out-file={scratch}/callgrind.%p", *argv],
            env,
            stdin,
        )
    except Failed:
        return None
    total = 0
    for name in os.listdir(scratch):
        if name.startswith("callgrind."):
            with open(os.path.join(scratch, name), encoding="utf-8", errors="replace") as file:
                for line in file:
                    if line.startswith("totals:"):
                        total += int(line.split()[1])
    return total or None
