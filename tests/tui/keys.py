#!/usr/bin/env python3
"""How long fil4prod-analyze takes to its first screen and to answer each key, on a pseudo-terminal of 132x50.

usage: keys.py PROGRAM TRACE [KEY...]

Prints a table: CPU time, and the time until the first and the last byte of the answer, in ms: what takes long (sizes far
back, the interpreter's frames) is done after the first. Keys are Python escapes.
"""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

KEYS = (
    r"2 h h p 3 j l b l w w w / f \r n N f j \r b / f \r n \x7f \x1b 4 l l l s I G d \r \t k c \r \x1b z z { z z "
    r"i \x1b 1 / q z \r \\ f 1 \r"
).split(" ")
QUIET_S = 0.2  # longer than the filter waits for the next key


def cpu_ms(pid):
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e6


def settle(pid, fd, begin):
    """ms until the first and the last byte of the answer: quiet is when nothing came and nothing was done, however busy the machine"""
    first, last, spent = None, begin, -1
    while True:
        if select.select([fd], [], [], QUIET_S)[0]:
            os.read(fd, 1 << 16)
            last = time.monotonic()
            first = first or last
            continue
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state = file.read().rpartition(")")[2].split()[0]
        if state == "S" and cpu_ms(pid) == spent:
            return ((first or begin) - begin) * 1000, (last - begin) * 1000
        spent = cpu_ms(pid)


def main():
    command, keys = sys.argv[1:3], sys.argv[3:] or KEYS
    begin = time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8")
        os.execv(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 0, 0))
    print(f"{'key':12} {'cpu ms':>7} {'first ms':>9} {'last ms':>9}")
    first, elapsed = settle(pid, fd, begin)
    print(f"{'first screen':12} {cpu_ms(pid):7.0f} {first:9.0f} {elapsed:9.0f}")
    worst = 0
    for key in keys:
        before, begin = cpu_ms(pid), time.monotonic()
        os.write(fd, key.encode().decode("unicode_escape").encode("latin-1"))
        first, elapsed = settle(pid, fd, begin)
        spent = cpu_ms(pid) - before
        worst = max(worst, spent)
        print(f"{key:12} {spent:7.0f} {first:9.0f} {elapsed:9.0f}")
    print(f"{'worst':12} {worst:7.0f}")
    os.write(fd, b"\x1b\x1b\x1bq")
    os.close(fd)


if __name__ == "__main__":
    main()
