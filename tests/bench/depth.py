"""Buffers from malloc, made and dropped at a given depth of the stack. usage: depth.py DEPTH COUNT; prints "ns" per buffer."""
import sys
import time


def make(count):
    start = time.process_time_ns()
    for _ in range(count):
        bytearray(4000)
    return (time.process_time_ns() - start) / count


def down(depth, count):
    return down(depth - 1, count) if depth > 2 else make(count)


sys.setrecursionlimit(10000)
make(100)
print("ns", down(int(sys.argv[1]), int(sys.argv[2])))
