"""Other memory profilers, as far as they can be had: what the same programs cost under them."""
import glob
import os
import resource
import shutil
import subprocess
import sys

import measure
import report
import workloads

# One workload of each kind.
KINDS = ("containers", "churn-2", "sqlite", "json", "objects")
NATIVE_SCALE = 0.3  # exact profilers take twenty times as long
PYTHON_SCALE = 3  # else memray's start, half a second of imports, is most of it


class Peer:
    """made: a glob of what it leaves of a run; an allocator by itself leaves nothing."""

    def __init__(self, name, env=None, wrapper=(), made=None, python=False):
        self.name = name
        self.env = env or {}
        self.wrapper = list(wrapper)
        self.made = made
        self.python = python  # for Python programs only

    def argv(self, bench, argv):
        return self.wrapper + (argv[1:] if self.python else argv)

    def left(self):
        """Bytes of what it left, which is removed; None if there is nothing or it is empty."""
        files = [(name, os.path.getsize(name)) for name in glob.glob(self.made or "")]
        for name, _ in files:
            os.unlink(name)
        return sum(size for _, size in files) or None


def library(name):
    found = sorted(glob.glob(f"/usr/lib/*-linux-gnu/{name}") + glob.glob(f"/usr/lib64/{name}"))
    return found[0] if found else None


def version(package):
    if not shutil.which("dpkg-query"):
        return ""
    run = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
    return " " + run.stdout.split("-")[0].split("+")[0] if run.returncode == 0 else ""


def memray_path(bench):
    """What PYTHONPATH is to be for memray: "" where Python has it; None where it cannot be had."""
    if subprocess.run([bench.python, "-c", "import memray"], capture_output=True, check=False).returncode == 0:
        return ""
    path = os.path.join(bench.programs, "memray")
    if not os.path.exists(path):
        shutil.rmtree(path + ".part", ignore_errors=True)
        got = subprocess.run([bench.python, "-m", "pip", "install", "--quiet", "--no-compile", "--target", path + ".part", "memray"],
                             capture_output=True, check=False)
        if got.returncode != 0:
            return None
        os.rename(path + ".part", path)
    return path


def find(bench):
    """([Peer], [versions], [what is not there and why])"""
    def scratch(name):
        return os.path.join(bench.scratch, name)

    peers = [Peer("fil4prod", bench.recorded(MIN_HEAP="0"), made=scratch("t.trace*"))]
    versions, absent = [], []
    if shutil.which("heaptrack"):
        peers.append(Peer("heaptrack", wrapper=["heaptrack", "--raw", "-o", scratch("heaptrack")], made=scratch("heaptrack*")))
        versions.append("heaptrack" + version("heaptrack"))
    else:
        absent.append("heaptrack: not installed")
    jemalloc = library("libjemalloc.so.2")
    if jemalloc:
        conf = f"prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:{scratch('jemalloc')}"
        peers.append(Peer("jemalloc", {"LD_PRELOAD": jemalloc}))
        peers.append(Peer("jemalloc profiling, 512 KiB", {"LD_PRELOAD": jemalloc, "MALLOC_CONF": conf}, made=scratch("jemalloc*")))
        versions.append("jemalloc" + version("libjemalloc2"))
    else:
        absent.append("jemalloc: no libjemalloc.so.2")
    tcmalloc = library("libtcmalloc.so.4")
    if tcmalloc:
        # Its sampling leaves nothing of itself, a program asks for it; its exact profiler does.
        peers.append(Peer("tcmalloc", {"LD_PRELOAD": tcmalloc, "TCMALLOC_SAMPLE_PARAMETER": "0"}))
        peers.append(Peer("tcmalloc sampling, 512 KiB", {"LD_PRELOAD": tcmalloc, "TCMALLOC_SAMPLE_PARAMETER": "524288"}))
        peers.append(Peer("tcmalloc HEAPPROFILE, exact", {"LD_PRELOAD": tcmalloc, "HEAPPROFILE": scratch("tcmalloc")}, made=scratch("tcmalloc*")))
        versions.append("gperftools" + version("libgoogle-perftools4"))
    else:
        absent.append("tcmalloc: no libtcmalloc.so.4, as in Debian's libgoogle-perftools4")
    path = memray_path(bench)
    if path is None:
        absent.append(f"memray: not there for {bench.python}, and pip cannot get it")
    else:
        env = {"PYTHONPATH": path} if path else {}
        run = [bench.python, "-m", "memray", "run", "-q", "-f", "-o", scratch("memray.bin")]
        peers.append(Peer("memray", env, run, scratch("memray.bin"), True))
        peers.append(Peer("memray, Python's objects too", env, run[:4] + ["--trace-python-allocators"] + run[4:], scratch("memray.bin"), True))
        said = subprocess.run(run[:3] + ["--version"], env={**os.environ, **env}, capture_output=True, text=True, check=False)
        versions.append("memray " + said.stdout.strip())
    return peers, versions, absent


def one_row(bench, work, peer):
    row = {"workload": work.name, "peer": peer.name}
    plain = work.argv(NATIVE_SCALE if work.native else PYTHON_SCALE)
    variants = {"bare": ({}, plain), "peer": (peer.env, peer.argv(bench, plain))}
    cpu, memory = measure.Comparison(), measure.Comparison()
    left = []

    def run(variant):
        env, argv = variants[variant]
        result = measure.execute(argv, env, work.stdin)
        if variant == "peer" and peer.made:
            left.append(peer.left())
        return result

    try:
        for results in measure.rounds_of(list(variants), max(min(bench.options.rounds, 5), 3), run):
            cpu.add({v: r.cpu for v, r in results.items()})
            memory.add({v: r.max_rss for v, r in results.items()})
    except measure.Failed as error:
        return {**row, "absent": f"failed: {error}".splitlines()[0]}
    if None in left:
        return {**row, "absent": "left no profile"}
    # A child's highest RSS is never below that of the process that made it: us.
    small = memory.median("bare") < 1.2 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {**row, "cpu": cpu.ratio("peer", "bare"), "memory": None if small else memory.ratio("peer", "bare"), "left": left[-1] if left else None}


def peers(bench):
    """CPU, memory and what is left, of peers over bare; [] where no workload of theirs was asked for."""
    only = bench.options.only
    rows = []
    chosen = [work for work in workloads.all_workloads(os.path.dirname(os.path.abspath(__file__)), bench.programs, bench.scratch, bench.python)
              if work.name in KINDS and not work.absent and (not only or "peers" in only or work.name in only)]
    if not chosen:
        return rows
    found, versions, absent = find(bench)
    for work in chosen:
        for peer in found:
            if work.native and peer.python:
                continue
            print(f"bench: {work.name} under {peer.name}", file=sys.stderr, flush=True)
            rows.append(one_row(bench, work, peer))
    rows.append({"versions": versions, "absent": absent, "rounds": max(min(bench.options.rounds, 5), 3)})
    return rows


def note(rows):
    end = rows[-1]
    lines = [f"{end['rounds']} rounds, native workloads {NATIVE_SCALE:g} and Python's {PYTHON_SCALE:g} times as long as above;",
             f"{', '.join(end['versions'])}. An allocator of its own stands beside its profiling form: compare the two.",
             "heaptrack records only. It, jemalloc and tcmalloc see no objects of Python's own allocator."]
    if end["absent"]:
        lines.append(f"Not measured: {'; '.join(end['absent'])}.")
    return "\n".join(lines)


def cells(row):
    if "absent" in row:
        return [row["workload"], row["peer"], row["absent"], "", ""]
    left = f"{row['left'] / 2**10:,.1f}" if row["left"] else "-"
    return [row["workload"], row["peer"], report.span(row["cpu"], 3), report.span(row["memory"], 2) if row["memory"] else "-", left]


SECTION = ("peers", "Others, CPU and memory over bare", note, ["workload", "peer", "CPU", "most RSS", "left, KiB"],
           lambda rows: [cells(row) for row in rows[:-1]])
