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


class Terminal:
    """The terminal face on a pseudo-terminal of 110x30."""

    QUIET_S = 0.3

    def __init__(self, argv):
        self.start = self.last = time.perf_counter()
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
            os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
            os.execv(argv[0], argv)

    def read(self, seconds):
        """False: nothing came."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            self.seen += os.read(self.fd, 1 << 16)
        except OSError as error:
            raise measure.Failed(f"the terminal face ended: {self.seen[-200:]!r}") from error
        self.last = time.perf_counter()
        return True

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]

    def cpu(self):
        """Seconds, of the child processes too."""
        ticks = 0
        for pid in [self.pid, *self.children()]:
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                    ticks += sum(int(word) for word in file.read().rpartition(")")[2].split()[11:15])
            except OSError:
                pass  # gone: its time is its parent's
        return ticks / os.sysconf("SC_CLK_TCK")

    def until(self, *texts):
        """(wall, CPU) when it has drawn them all, each of them in one piece."""
        while not all(text in self.seen for text in texts):
            if not self.read(60):
                raise measure.Failed(f"the terminal face never shows {texts}")
        return self.last - self.start, self.cpu()

    def until_quiet(self):
        """(wall, CPU) when it drew for the last time: no child process is left, and nothing comes."""
        while self.read(self.QUIET_S) or self.children():
            pass
        return self.last - self.start, self.cpu()

    def close(self):
        """The most memory that it and its children had, in bytes."""
        os.kill(self.pid, signal.SIGTERM)
        while True:
            try:
                if not os.read(self.fd, 1 << 16):
                    break
            except OSError:
                break
        usage = os.wait4(self.pid, 0)[2]
        os.close(self.fd)
        return usage.ru_maxrss * 1024


def look(argv):
    """(wall, CPU) of the first screen, with the right line on it, and of the last change of it, when every row of 100,000 has its name;
    the most memory."""
    terminal = Terminal(argv)
    first = terminal.until(b"many.c:19 main", b"SURE", b"q:quit")
    if b"many+0x" in terminal.seen:
        raise measure.Failed("the first screen has addresses for names")
    last = terminal.until_quiet()
    terminal.seen = b""
    os.write(terminal.fd, b"4hG")  # by stack, the last ones
    terminal.until(b"frames.c:10 inner")
    terminal.until_quiet()
    if b".so+0x" in terminal.seen:
        raise measure.Failed("names are missing in the end")
    return first, last, terminal.close()


def symbols(bench):
    program = os.path.join(bench.build, "fil4prod-analyze")
    driver = os.path.join(bench.scratch, "many")
    trace = os.path.join(bench.scratch, "many.trace")
    packed = os.path.join(bench.scratch, "packed")  # not many.trace.*: that would be another process of the job
    compile_program(os.path.join(HERE, "..", "native", "many.c"), driver, "-O1")
    make_modules(bench.scratch)
    env = bench.recorded(INTERVAL="1", NATIVE="full", MIN_HEAP="0", SIZE="192M", OUTPUT=trace)
    measure.execute([driver, bench.scratch, str(MODULES), "run"], env)
    rows = []
    for face, *words in (["text, without names", "--text", "--symbols=none"], ["text", "--text"], ["JSON", "--json"],
                         ["names packed", "--pack=" + packed, "--force"]):
        runs = [measure.execute([program, *words, trace]) for _ in range(3)]
        rows.append({"face": face, "wall_s": measure.interval([r.wall for r in runs]), "cpu_s": statistics.median(r.cpu for r in runs),
                     "max_rss": max(r.max_rss for r in runs)})
    if "faces: text json tui" in measure.execute([program, "--version"]).out:
        looks = [look([program, trace]) for _ in range(3)]
        for i, face in enumerate(["first screen of the terminal face", "terminal face, all names"]):
            rows.insert(i, {"face": face, "wall_s": measure.interval([r[i][0] for r in looks]),
                            "cpu_s": statistics.median(r[i][1] for r in looks), "max_rss": max(r[2] for r in looks) if i else 0})
    for name in [trace, packed, driver, *(os.path.join(bench.scratch, f"{i}.so") for i in range(1, MODULES + 1))]:
        os.unlink(name)
    return rows


def table_rows(rows):
    return [[r["face"], "{:.2f} ({:.2f} - {:.2f})".format(*r["wall_s"]), f"{r['cpu_s']:.2f}",
             f"{r['max_rss'] / 2**20:.0f}" if r["max_rss"] else ""] for r in rows]


SECTION = ("symbols", "Naming 100,000 distinct frames of 200 modules", "Symbol tables, DWARF lines and inlined functions. 3 runs.",
           ["face", "wall, s", "CPU, s", "most memory, MiB"], table_rows)
