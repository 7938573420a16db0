#!/usr/bin/env python3
"""Takes the terminal away from fil4prod-analyze in each view, overlay and prompt: it must go at once.

usage: hangup.py [--follow] [--rounds N] PROGRAM TRACE

Each is tried as session leader (the kernel sends SIGHUP), below a shell that ignores it (nothing but the end of the
terminal says so), and while it starts. Fails for one that is still there after two seconds and has used a second of
CPU time, or does nothing for a minute: how busy the machine is does not count.
"""

import argparse
import fcntl
import os
import pty
import random
import select
import signal
import struct
import sys
import termios
import time

WHERE = {
    "verdict": b"1", "time": b"2", "tree": b"3", "bottom-up": b"3b", "top": b"4", "source": b"5", "diff": b"6",
    "flame": b"f", "callers": b"jc", "sizes": b"z", "facts": b"i", "help": b"?", "search": b"4/ab", "filter": b"\\fo",
    "export": b"4x", "busy": b"f3b4lb" * 200,
}  # fmt: skip
LIMIT_S, LIMIT_CPU_S, PATIENCE_S = 2, 1, 60


def start(command, ignoring):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        if ignoring:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                os._exit(0)
        os.execv(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    return pid, fd


def drain(fd, seconds):
    got, until = b"", time.monotonic() + seconds
    while time.monotonic() < until and select.select([fd], [], [], 0.05)[0]:
        try:
            got += os.read(fd, 1 << 16)
        except OSError:
            break
    return got


def first_screen(fd):
    got, until = b"", time.monotonic() + 60
    while b"quit" not in got:
        if time.monotonic() > until:
            raise TimeoutError(got)
        got += drain(fd, 0.2)


def members(pid):
    """The processes of a session."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == pid and fields[0] != "Z":
                found.append(int(name))
    return found


def cpu_s(pids):
    spent = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
                spent += int(file.read().split()[0]) / 1e9
        except OSError:
            pass
    return spent


def time_to_go(pid):
    """Seconds until the session is empty; None: it stays."""
    begin, before = time.monotonic(), cpu_s(members(pid))
    while True:
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        left, took = members(pid), time.monotonic() - begin
        if not left:
            return took
        if took > LIMIT_S and (took > PATIENCE_S or cpu_s(left) - before > LIMIT_CPU_S):
            return None
        time.sleep(0.01)


def hang_up(command, keys, ignoring, delay):
    """Seconds until it was gone, or None."""
    pid, fd = start(command, ignoring)
    if keys is None:
        time.sleep(delay)
    else:
        first_screen(fd)
        os.write(fd, keys)
        if len(keys) < 10:
            drain(fd, 0.15)
    os.close(fd)
    took = time_to_go(pid)
    if took is None:
        for member in members(pid):
            os.kill(member, signal.SIGKILL)
    return took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--follow", action="store_true")
    parser.add_argument("program")
    parser.add_argument("trace")
    options = parser.parse_args()
    command = [options.program] + (["--follow"] if options.follow else []) + [options.trace]
    rng, failed, times = random.Random(1), 0, []
    for name, keys in [*WHERE.items(), *[("starting", None)] * 5]:
        for ignoring in (False, True):
            took = hang_up(command, keys, ignoring, rng.random() * 0.05)
            times.append(took or 0)
            if took is None:
                failed += 1
                print(f"FAILED: {name}, SIGHUP {'ignored' if ignoring else 'sent'}: still there", flush=True)
    print(f"{len(times)} hangups, the slowest took {max(times):.2f} s, {failed} left over")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
