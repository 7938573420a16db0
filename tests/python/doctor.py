#!/usr/bin/env python3
"""Makes a CPython from 3.13 on say something else about itself: an executable with other words in its _Py_DebugOffsets.

usage: doctor.py EXECUTABLE COPY AT VALUE       AT, bytes from the cookie; VALUE, a number, or +N: N more than there is

The interpreter itself reads none of these words: it runs as before.
"""
import os
import shutil
import struct
import sys

COOKIE = b"xdebugpy"


def main():
    path, copy, at, value = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with open(path, "rb") as file:
        data = bytearray(file.read())
    words = [i for i in range(0, len(data) - 24, 8) if data[i : i + 8] == COOKIE and data[i + 11] == 3]
    if len(words) != 1:
        sys.exit(f"{path}: {len(words)} descriptions")
    old = struct.unpack_from("<Q", data, words[0] + at)[0]
    struct.pack_into("<Q", data, words[0] + at, old + int(value) if value[0] == "+" else int(value, 0))
    with open(copy, "wb") as file:
        file.write(data)
    shutil.copymode(path, copy)
    os.chmod(copy, 0o755)


if __name__ == "__main__":
    main()
