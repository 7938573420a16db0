"""Python called from C, and from odd places."""
import ctypes
import functools
import gc
import json
import re
import signal
import sys
import weakref
import zlib

from truth import finish, mark

SIZE = 5000
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
holding = ctypes.PyDLL(None)
holding.malloc.restype = ctypes.c_void_p
holding.malloc.argtypes = [ctypes.c_size_t]


def key(value):
    mark(bytes(SIZE))
    return -value


def compare(a, b):
    mark(bytes(SIZE))
    return 0


class Dies:
    def __del__(self):
        mark(bytes(SIZE))


class Cycle(Dies):
    def __init__(self):
        self.me = self


class Thing:
    pass


def on_signal(number, frame):
    mark(bytes(SIZE))


def on_gc(phase, info):
    mark(bytes(SIZE))


def native():
    mark(libc.malloc(70001), size=70001)  # with the GIL released
    mark(holding.malloc(70002), size=70002)
    array = ctypes.create_string_buffer(SIZE)
    mark(zlib.compress(b"x" * 3000000))
    return array


def main():
    sorted([3, 1, 2], key=key)
    sorted([3, 1, 2], key=functools.cmp_to_key(compare))
    list(map(lambda n: mark(bytes(n)), [SIZE, SIZE]))
    list(filter(lambda n: mark(bytes(n)), [SIZE, SIZE]))
    functools.reduce(lambda a, b: mark(bytes(SIZE)), [1, 2, 3])
    max([1, 2], key=key)
    re.sub("a", lambda match: str(len(mark(bytes(SIZE)))), "banana")
    json.loads('{"a": {"b": 1}}', object_hook=lambda pairs: mark(bytes(SIZE)))
    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 4)(4, 3, 2, 1)
    libc.qsort(numbers, ctypes.c_size_t(4), ctypes.c_size_t(4), prototype(compare))
    Dies()
    Cycle()
    gc.collect()
    thing = Thing()
    reference = weakref.ref(thing, lambda gone: mark(bytes(SIZE)))
    del thing
    gc.callbacks.append(on_gc)
    gc.collect()
    gc.callbacks.pop()
    signal.signal(signal.SIGUSR1, on_signal)
    signal.raise_signal(signal.SIGUSR1)
    sys.setprofile(lambda frame, event, argument: event == "call" and mark(bytes(SIZE)))
    key(1)
    sys.setprofile(None)
    native()
    return reference


main()
finish()
