"""What conformance programs say about themselves: which block they hold, allocated by which thread, from which lines.

Only what every release since 3.9 has. A program marks what it holds and ends with finish(): its statement goes to the
file TRUTH.PID, and SIGKILL ends it, so that its heap is the one stated.
"""
import atexit
import json
import os
import signal
import sys
import threading

DEPTH = 128  # frames kept, the innermost ones

_marks = []
_held = []


def _chain(frame, line):
    frames = []
    while frame:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        frames.append([name, code.co_filename, line or frame.f_lineno])
        line, frame = None, frame.f_back
    return frames


def mark(value, line=0, size=None, name=None):
    """`value` was allocated in the caller's current line, or `line` lines further down. `size`: bytes, where
    sys.getsizeof does not know. `name`: the thread's, where it is known. An int is the address of a block."""
    frame = sys._getframe(1)
    frames = _chain(frame, frame.f_lineno + line)
    address = value if isinstance(value, int) else id(value)
    _marks.append([address, "block" if isinstance(value, int) else "object",
                   sys.getsizeof(value) if size is None else size, threading.get_native_id(), frames[:DEPTH],
                   len(frames) > DEPTH, name])
    _held.append(value)
    return value


def _debug():
    """Whether CPython's debugging allocator adds 24 bytes to each block, 16 of them before what it hands out."""
    wanted = "" if sys.flags.ignore_environment else os.environ.get("PYTHONMALLOC", "")
    return "debug" in wanted or (sys.flags.dev_mode and wanted in ("", "default"))


def state():
    path = "%s.%d" % (os.environ["TRUTH"], os.getpid())
    with open(path + ".new", "w") as file:
        json.dump({"pid": os.getpid(), "marks": _marks, "prefix": sys.base_prefix, "argv": sys.argv,
                   "debug": _debug(), "version": list(sys.version_info[:2])}, file)
    os.rename(path + ".new", path)


def finish():
    state()
    os.kill(os.getpid(), signal.SIGKILL)


def forget():
    """In a forked child: what was marked before is the parent's."""
    del _marks[:]


def finish_at_exit():
    """For processes that others end: states, and dies with what it holds, as the last thing."""
    atexit.register(finish)
