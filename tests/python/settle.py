#!/usr/bin/env python3
"""Makes an x86-64 executable load what stands beside it.

usage: settle.py EXECUTABLE LOADER

LOADER becomes its program interpreter and "$ORIGIN/../lib" its DT_RPATH, which counts for all that it loads, too. The
loader's path goes behind the end of the file, where the kernel reads it; the search path to where the old loader's
stood, which is mapped; its entry takes the place of DT_DEBUG.
"""
import struct
import sys

RPATH = b"$ORIGIN/../lib\0"
PT_DYNAMIC, PT_INTERP, DT_NULL, DT_STRTAB, DT_RPATH, DT_DEBUG = 2, 3, 0, 5, 15, 21


def main():
    path, loader = sys.argv[1], sys.argv[2].encode() + b"\0"
    with open(path, "rb") as file:
        data = bytearray(file.read())
    headers, size, count = struct.unpack_from("<Q", data, 32)[0], *struct.unpack_from("<HH", data, 54)
    entries = {}
    for at in range(headers, headers + size * count, size):
        entries[struct.unpack_from("<I", data, at)[0]] = at
    offset, address, _, old_bytes = struct.unpack_from("<4Q", data, entries[PT_INTERP] + 8)
    if old_bytes < len(RPATH):
        sys.exit(f"{path}: no room for the search path")
    data[offset : offset + len(RPATH)] = RPATH
    struct.pack_into("<Q", data, entries[PT_INTERP] + 8, len(data))
    struct.pack_into("<Q", data, entries[PT_INTERP] + 32, len(loader))
    at, strings, debug = struct.unpack_from("<Q", data, entries[PT_DYNAMIC] + 8)[0], None, None
    while (tag := struct.unpack_from("<Q", data, at)[0]) != DT_NULL:
        if tag == DT_STRTAB:
            strings = struct.unpack_from("<Q", data, at + 8)[0]
        elif tag == DT_DEBUG:
            debug = at
        at += 16
    if strings is None or debug is None:
        sys.exit(f"{path}: not a dynamic executable")
    struct.pack_into("<QQ", data, debug, DT_RPATH, (address - strings) % 2**64)
    with open(path, "wb") as file:
        file.write(data + loader)


if __name__ == "__main__":
    main()
