"""How long the analyzer takes to name 100,000 distinct frames of 200 modules, each with its own file and build-id."""
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import termios
import time

import measure

MODULES = 200
HERE = os.path.dirname(os.path.abspath(__file__))
COMPILER = os.environ.get("CC", "gcc")


def compile_program(source, to, *flags):
    try:
        run = subprocess.run([COMPILER, "-g", *flags, source, "-o", to, "-ldl"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise measure.Failed(f"{COMPILER}: {error.strerror}") from error
    if run.returncode:
        raise measure.Failed(f"{COMPILER} {source}: {run.stderr.strip()[:200]}")


def make_modules(directory):
    """Compiled once; each copy gets names and a build-id of its own."""
    one = os.path.join(directory, "one.so")
    marked = bytes(range(100, 120))
    compile_program(os.path.join(HERE, "frames.c"), one, "-O1", "-shared", "-fPIC", f"-Wl,--build-id=0x{marked.hex()}")
    with open(one, "rb") as file:
        data = file.read()
    os.unlink(one)
    for i in range(1, MODULES + 1):
        with open(os.path.join(directory, f"{i}.so"), "wb") as file:
            file.write(data.replace(marked, i.to_bytes(20, "big")).replace(b"m000_", b"m%03d_" % i))


def first_screen(argv):
    """Seconds until the terminal face has drawn; None where there is none."""
    start = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(argv[0], argv)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen, taken = b"", None
    while taken is None and time.perf_counter() - start < 60 and select.select([fd], [], [], 60)[0]:
        try:
            seen += os.read(fd, 65536)
        except OSError:
            break
        if b"SURE" in seen:
            taken = time.perf_counter() - start
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(fd)
    return taken


def symbols(bench):
    program = os.path.join(bench.build, "fil4prod-analyze")
    driver = os.path.join(bench.scratch, "many")
    trace = os.path.join(bench.scratch, "many.trace")
    compile_program(os.path.join(HERE, "..", "native", "many.c"), driver, "-O1")
    make_modules(bench.scratch)
    env = bench.recorded(INTERVAL="1", NATIVE="full", MIN_HEAP="0", SIZE="192M", OUTPUT=trace)
    measure.execute([driver, bench.scratch, str(MODULES), "run"], env)
    rows = []
    for face, *words in (["text, without names", "--text", "--symbols=none"], ["text", "--text"], ["JSON", "--json"],
                         ["names packed", "--pack=" + trace + ".packed", "--force"]):
        runs = [measure.execute([program, *words, trace]) for _ in range(3)]
        rows.append({"face": face, "wall_s": measure.interval([r.wall for r in runs]), "cpu_s": statistics.median(r.cpu for r in runs),
                     "max_rss": max(r.max_rss for r in runs)})
    screens = [first_screen([program, trace]) for _ in range(3)]
    if None not in screens:
        rows.insert(0, {"face": "first screen of the terminal face", "wall_s": measure.interval(screens)})
    for name in [trace, trace + ".packed", driver, *(os.path.join(bench.scratch, f"{i}.so") for i in range(1, MODULES + 1))]:
        os.unlink(name)
    return rows


def table_rows(rows):
    return [[r["face"], "{:.2f} ({:.2f} - {:.2f})".format(*r["wall_s"]), f"{r['cpu_s']:.2f}" if "cpu_s" in r else "",
             f"{r['max_rss'] / 2**20:.0f}" if "cpu_s" in r else ""] for r in rows]


SECTION = ("symbols", "Naming 100,000 distinct frames of 200 modules", "Symbol tables, DWARF lines and inlined functions. 3 runs.",
           ["face", "wall, s", "CPU, s", "most memory, MiB"], table_rows)
