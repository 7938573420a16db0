"""Takes memory until it is killed, and says how far it came. usage: grow.py objects|buffers FILE"""
import mmap
import sys

with open(sys.argv[2], "r+b") as file:
    said = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")
kept = []
if sys.argv[1] == "objects":
    while True:
        kept.append([(len(kept), str(len(kept))) for _ in range(100)])
        said[0] = len(kept)
while True:
    kept.append(b"x" * 20000)
    said[0] = len(kept)
