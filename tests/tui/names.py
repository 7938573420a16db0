#!/usr/bin/env python3
"""The terminal face while names of native frames are still being looked up.

usage: names.py PROGRAM TRACE FIFO

FIFO stands where the debug file of TRACE's program "split" is looked for: nothing is found until somebody opens it. Until then rows are
addresses and keys are answered; after that rows have names, and the selected row is the same.
"""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import symbols


def let_go(terminal, fifo):
    """Opens it as often as somebody waits for that, until no child process is left."""
    while terminal.children():
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            pass  # nobody waits
        terminal.read(0.05)


def check(what, said):
    if not what:
        sys.exit(said)


def main():
    program, trace, fifo = sys.argv[1:]
    terminal = symbols.Terminal([program, trace])
    terminal.until(b" names ", b"SURE", b"q:quit")
    check(b"split+0x" in terminal.seen, "no addresses on the first screen")
    terminal.seen = b""
    os.write(terminal.fd, b"4j")
    terminal.until(b"samples", b">")
    check(terminal.children(), "nothing is being looked up")
    let_go(terminal, fifo)
    terminal.until_quiet()
    terminal.seen = b""
    os.write(terminal.fd, b"\x0c")  # draws anew
    terminal.until(b"samples", b"q:quit")
    terminal.until_quiet()
    check(b" names " not in terminal.seen, "still looking")
    check(b"split+0x" not in terminal.seen, "addresses in the end")
    check(b"split plain" in terminal.seen, f"no names in the end: {terminal.seen!r}")
    terminal.close()

    terminal = symbols.Terminal([program, trace])
    terminal.until(b" names ", b"q:quit")
    (child,) = terminal.children()
    terminal.close()
    for _ in range(100):
        if not os.path.exists(f"/proc/{child}"):
            return
        time.sleep(0.1)
    sys.exit("its child process outlives it")


main()
