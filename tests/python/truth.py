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
_lines = []
_held = []


def _chain(frame, line):
    frames = []
    while frame:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        frames.append([name, code.co_filename, line or frame.f_lineno])
        line, frame = None, frame.f_back
    return frames


def mark(value, line=0, size=None, name=None, below=False):
    """`value` was allocated in the caller's current line, or `line` lines further down. `size`: bytes, where
    sys.getsizeof does not know. `name`: the thread's, where it is known. An int is the address of a block. `below`: in
    functions of others that this line called, none of which stands in a file beside the caller's."""
    frame = sys._getframe(1)
    frames = _chain(frame, frame.f_lineno + line)
    address = value if isinstance(value, int) else id(value)
    _marks.append([address, "block" if isinstance(value, int) else "object",
                   sys.getsizeof(value) if size is None else size, threading.get_native_id(), frames[:DEPTH],
                   len(frames) > DEPTH, name, below])
    _held.append(value)
    return value


def mark_array(array, line=0):
    """The memory of a NumPy array, which the caller's line got from NumPy or from who builds on it."""
    frame, base = sys._getframe(1), array
    while isinstance(base.base, type(base)):
        base = base.base
    frames = _chain(frame, frame.f_lineno + line)
    _marks.append([base.__array_interface__["data"][0], "block", base.nbytes, threading.get_native_id(), frames[:DEPTH],
                   len(frames) > DEPTH, None, True])
    _held.append(array)
    return array


def mark_line(low, high, line=0):
    """The caller's line, and what it called, holds `low` to `high` bytes."""
    frame = sys._getframe(1)
    _lines.append([low, high, _chain(frame, frame.f_lineno + line)])


def allocated():
    """Bytes of the C library's blocks, with what it needs beside each; 0: it cannot say."""
    import ctypes

    class Information(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks mapped usmblks fsmblks used free keep".split()]

    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0
    ask.restype = Information
    information = ask()
    return information.used + information.mapped


def _debug():
    """Whether CPython's debugging allocator adds 24 bytes to each block, 16 of them before what it hands out."""
    wanted = "" if sys.flags.ignore_environment else os.environ.get("PYTHONMALLOC", "")
    return "debug" in wanted or (sys.flags.dev_mode and wanted in ("", "default"))


def state():
    path = "%s.%d" % (os.environ["TRUTH"], os.getpid())
    with open(path + ".new", "w") as file:
        json.dump({"pid": os.getpid(), "marks": _marks, "lines": _lines, "prefix": sys.base_prefix, "argv": sys.argv,
                   "debug": _debug(), "version": list(sys.version_info[:2])}, file)
    os.rename(path + ".new", path)


def finish():
    state()
    os.kill(os.getpid(), signal.SIGKILL)


def forget():
    """In a forked child: what was marked before is the parent's."""
    del _marks[:], _lines[:]


def finish_at_exit():
    """For processes that others end: states, and dies with what it holds, as the last thing."""
    atexit.register(finish)
