#!/usr/bin/env python3
"""Types random keys into fil4prod-analyze on a pseudo-terminal and resizes it at random.

usage: monkey.py [--keys N] [--seed S] PROGRAM TRACE...

Fails when the program dies of a signal or with an unexpected status, prints a sanitizer's report, or does not answer: a
redraw (^L) must bring bytes within a minute (--patience) however busy the machine is. When it leaves because it was told to (q, F10),
it is started again. The seed is printed, so that a failure can be repeated.
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
import tempfile
import termios
import time

SPECIAL = [
    b"\x1b[A", b"\x1b[B", b"\x1b[C", b"\x1b[D", b"\x1bOA", b"\x1bOB", b"\x1bOC", b"\x1bOD", b"\x1b[5~", b"\x1b[6~",
    b"\x1b[H", b"\x1b[F", b"\x1b", b"\r", b"\t", b"\x1b[Z", b"\x7f", b"\x0c", b"\x15", b"\x04", b"\x1bOP", b"\x1bOR",
    b"\x1bOS", b"\x1b[21~",
]  # fmt: skip
TEXT = [
    b"/load\r", b"/\xc3\xa9\r", b"\\focus=load\r", b"\\ignore=[\r", b"\\hide=.\r", b"\\pid=1\r", b"\\thread=Main\r",
    b"\\lib=a\r", b"\\\x15\r", b"/x\x1b", b"\\foo\x1b", b"xout.csv\r", b"x\r", b"x\x15a.json\r",
]  # fmt: skip
LETTERS = b"jkhlgG123456dfczi?/nN\\:sItbw[]{}pm+-0xey q"
SIZES = [(24, 80), (10, 40), (100, 300), (9, 39), (1, 1), (2, 200), (24, 79), (50, 132), (18, 80), (200, 20)]


class Session:
    def __init__(self, command, cwd, patience):
        self.patience = patience
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.environ.update(TERM="xterm-256color", LC_ALL="C.UTF-8", EDITOR="true", VISUAL="")
            os.execv(command[0], command)
        self.tail = b""
        self.resize(24, 80)
        until = time.monotonic() + patience
        while b"\x1b[?1049h" not in self.tail:  # the first screen
            if self.drain(1) is None or time.monotonic() > until:
                break

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def drain(self, wait):
        """Reads what is there; how many bytes came, None at the end."""
        got = 0
        while select.select([self.fd], [], [], wait)[0]:
            try:
                data = os.read(self.fd, 1 << 16)
            except OSError:
                return None
            if not data:
                return None
            got += len(data)
            self.tail = (self.tail + data)[-20000:]
            wait = 0
        return got

    def send(self, data):
        """False when the program is gone."""
        while data:
            readable, writable, _ = select.select([self.fd], [self.fd], [], self.patience)
            if readable and self.drain(0) is None:
                return False
            if not readable and not writable:
                raise TimeoutError
            if writable:
                try:
                    data = data[os.write(self.fd, data):]
                except OSError:
                    return False
        return True

    def answers(self):
        self.drain(0.01)
        if not self.send(b"\x1b\x0c"):
            return False
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            got = self.drain(1)
            if got is None:
                return False
            if got:
                return True
        raise TimeoutError

    def end(self):
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return status


def click(rng):
    """A press of a button, or the wheel, in xterm's two encodings."""
    button, row, column = rng.choice([0, 0, 0, 64, 65]), rng.randrange(30), rng.randrange(90)
    if rng.random() < 0.5:
        return b"\x1b[M" + bytes([32 + button, 33 + column, 33 + row])
    return b"\x1b[<%d;%d;%dM" % (button, column + 1, row + 1)


def choose(rng):
    roll = rng.random()
    if roll < 0.70:
        return bytes([rng.choice(LETTERS[:-1] if rng.random() < 0.999 else LETTERS)])
    if roll < 0.88:
        return rng.choice(SPECIAL[:-1] if rng.random() < 0.99 else SPECIAL)
    if roll < 0.94:
        return rng.choice(TEXT)
    if roll < 0.98:
        return click(rng)
    return bytes(rng.randrange(1, 256) for _ in range(rng.randrange(1, 8))).translate(None, b"\x03\x11\x13\x1a\x1c")


def ok(status):
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, 4)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print(f"seed {options.seed}, {options.keys} keys", flush=True)
    command = [os.path.abspath(word) if os.path.exists(word) else word for word in options.command]
    with tempfile.TemporaryDirectory() as scratch:
        session, starts, recent = Session(command, scratch, options.patience), 1, []
        session.answers()
        for i in range(options.keys):
            data = choose(rng)
            recent = (recent + [data])[-40:]
            try:
                if rng.random() < 0.01:
                    session.resize(*rng.choice(SIZES))
                alive = session.send(data) and (i % 50 or session.answers())
                session.drain(0)
            except TimeoutError:
                os.kill(session.pid, signal.SIGKILL)
                print(f"FAILED: stuck after key {i}, the last ones: {recent}")
                return 1
            if not alive:
                status = session.end()
                if not ok(status) or b"Sanitizer" in session.tail:
                    print(f"FAILED: status {status:#x} after key {i}, the last ones: {recent}")
                    sys.stdout.flush()
                    sys.stdout.buffer.write(session.tail[-6000:])
                    return 1
                session, starts = Session(command, scratch, options.patience), starts + 1
                session.answers()
                for name in os.listdir(scratch):
                    os.unlink(os.path.join(scratch, name))
        os.kill(session.pid, signal.SIGTERM)
        while session.drain(1) is not None:
            pass
        status = session.end()
        if not os.WIFEXITED(status) or os.WEXITSTATUS(status) != 130 or b"Sanitizer" in session.tail:
            print(f"FAILED: status {status:#x} after SIGTERM")
            sys.stdout.flush()
            sys.stdout.buffer.write(session.tail[-6000:])
            return 1
    print(f"{options.keys} keys, {starts} starts: no crash, no stuck screen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
