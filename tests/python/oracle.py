#!/usr/bin/env python3
"""Compares exact traces with what the recorded programs stated (truth.py).

usage: oracle.py ANALYZE TRUTH TRACE...
       oracle.py --edges WALKS SOURCE TRACE...
       oracle.py --fact NUMBER TRACE
       oracle.py --without BYTES COUNT TRACE

For every process that stated: each marked block is in its live table with its size, thread and stack, function, file
and line exactly. The lines are decoded here from the tables in the trace, and the analyzer must say the same: its sums by
stack of functions, files and lines equal those of the live table. Prints one line per process; exit status 1 if
anything differs, or if nothing was stated. --edges holds every stack that was ever recorded against what SOURCE (see
stress.py) says about its calls, and wants at least WALKS of them in all.
"""
import collections
import glob
import json
import mmap
import os
import struct
import subprocess
import sys

NONE = 0xFFFFFFFF
HEADERS = (0, 16, 32)  # bytes before an object: a GC head, pointers to managed dict and weak references
DEBUG_HEADERS, DEBUG_BYTES = (16, 32, 48, 64), (24, 48)  # with marks of one or two debugging allocators
SHOWN = 12
DEPTH, NATIVE = 5, 9  # losses that are no fault: of stacks too deep, of native ones that ended early


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


# ---- lines -----------------------------------------------------------------------------------------------------------


def lines_lnotab(table, first):
    offset, line, start = 0, first, 0
    for step, jump in zip(table[::2], table[1::2]):
        if step and offset + step > start:
            yield start, offset + step, line
            start = offset + step
        offset += step
        line += jump - 256 if jump > 127 else jump
    yield start, 1 << 32, line


def lines_310(table, first):
    offset, line = 0, first
    for step, jump in zip(table[::2], table[1::2]):
        if jump != 128:
            line += jump - 256 if jump > 127 else jump
        yield offset, offset + step, line if jump != 128 else None
        offset += step


def lines_311(table, first):
    at, offset, line = 0, 0, first

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = table[at]
            at += 1
            value |= (byte & 63) << shift
            shift += 6
            if not byte & 64:
                return value

    while at < len(table):
        head = table[at]
        at += 1
        code, length = head >> 3 & 15, 2 * ((head & 7) + 1)
        if code in (13, 14):
            step = varint()
            line += -(step >> 1) if step & 1 else step >> 1
            for _ in range(3 if code == 14 else 0):
                varint()
        elif code in (10, 11, 12):
            line += code - 10
            at += 2
        elif code < 10:
            at += 1
        yield offset, offset + length, None if code == 15 else line
        offset += length


DECODERS = {1: lines_lnotab, 2: lines_310, 3: lines_311}


class Code:
    def __init__(self, trace, payload):
        name, qualname, file, self.first, kind, size = struct.unpack_from("<6I", payload)
        self.name = trace.strings.get(qualname, trace.strings.get(name, ""))
        self.file = trace.strings.get(file, "")
        self.whole = bool(size)
        self.ranges = list(DECODERS[kind](payload[24 : 24 + size], self.first)) if size else []
        self.cache = {}

    def line(self, offset):
        """What the analyzer shows: for instructions without a line the line before."""
        if offset not in self.cache:
            found = self.first
            for start, end, line in self.ranges if offset != NONE else ():
                found = line or found
                if start <= offset < end:
                    break
            else:
                found = self.first
            self.cache[offset] = found
        return self.cache[offset]


# ---- the trace -------------------------------------------------------------------------------------------------------


class Trace:
    """Tables of a trace whose process is gone and was not killed inside an op."""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            data = self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if data[:8] != b"FIL4PROD":
            raise ValueError(path + ": not a trace")
        self.interval = u64(data, 56)
        self.section = {}
        for i in range(u32(data, 100)):
            kind, _, offset, size = struct.unpack_from("<IIQQ", data, 104 + 24 * i)
            self.section[kind] = offset
        at = max((self.section[1], self.section[1] + 512), key=lambda a: u64(data, a))
        self.pid = u32(data, at + 32)
        self.live_bytes = u64(data, at + 40)
        self.sampled = u64(data, at + 248)
        live_high, nodes, sites = struct.unpack_from("<3I", data, at + 156)
        self.lost = struct.unpack_from("<20Q", data, at + 288)
        self.records(u64(data, at + 168))
        self.nodes = list(struct.iter_unpack("<4I", data[self.section[5] : self.section[5] + 16 * nodes]))
        table = data[self.section[6] : self.section[6] + 128 * sites]
        self.sites = [struct.unpack_from("<II", table, 128 * i) for i in range(sites)]
        table = data[self.section[7] : self.section[7] + 32 * live_high]
        self.live = [(a, s, site) for a, s, site, _, _, kind, _, _ in struct.iter_unpack("<QQIIBBHI", table) if kind]
        self.stacks = {}

    def records(self, size):
        data, at = self.data, self.section[3]
        end, codes = at + size, []
        self.strings, self.codes, self.threads, self.facts = {}, {}, {}, {}
        while at + 16 <= end:
            kind, flags, size, ident = struct.unpack_from("<HHII", data, at)
            payload = data[at + 16 : at + 16 + size]
            if kind == 1:
                self.facts[ident] = payload
            elif kind == 2:
                coding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}.get(flags, "utf-8")
                self.strings[ident] = payload.decode(coding, "replace")
            elif kind == 3:
                codes.append((ident, payload))
            elif kind == 4:
                self.threads[ident] = (u32(payload, 0), payload[16:].decode("utf-8", "replace"))
            at += 16 + (size + 7) // 8 * 8
        for ident, payload in codes:
            self.codes[ident] = Code(self, payload)

    def frame(self, node):
        """(function, file, line) of a Python frame, a string for another"""
        _, obj, offset, _ = self.nodes[node]
        if obj >= 0xFFFF0000:
            return "special %d" % (obj - 0xFFFF0000)
        if obj >= 0x80000000:
            return "native"
        code = self.codes[obj]
        return code.name, code.file, code.line(offset)

    def stack(self, node):
        """Frames, innermost first, as a tuple."""
        path = []
        while node != NONE and node not in self.stacks:
            path.append(node)
            node = self.nodes[node][0]
        stack = self.stacks[node] if node != NONE else ()
        for node in reversed(path):
            stack = self.stacks[node] = (self.frame(node),) + stack
        return stack


# ---- comparing -------------------------------------------------------------------------------------------------------


def foreign(frames, own):
    """Whether none of `frames` stands in a file beside `own`."""
    return all(isinstance(f, str) or os.path.dirname(f[1]) != os.path.dirname(own[1]) for f in frames)


def strip(trace, stack, named):
    return [f if isinstance(f, str) else [f[0] if named else f[0].split(".")[-1], f[1], f[2]]
            for f in trace.stack(stack) if f != "native"]


def compare_marks(trace, truth, complain):
    live = {address: (size, site) for address, size, site in trace.live}
    named = tuple(truth["version"]) >= (3, 11)
    for address, kind, size, tid, frames, cut, name, below in truth["marks"]:
        where = "%s:%d %s" % (os.path.basename(frames[0][1]), frames[0][2], frames[0][0])
        debug = truth["debug"] and kind == "object"
        found = next((live[address - h] for h in (DEBUG_HEADERS if debug else HEADERS) if address - h in live), None)
        if found is None:
            complain("not recorded: %d bytes of %s" % (size, where))
            continue
        stack, thread = trace.sites[found[1]]
        got = strip(trace, stack, named)
        want = [list(f) for f in frames] + (["special 1"] if cut else [])
        if found[0] - size not in (DEBUG_BYTES if debug else (0,)):
            complain("%d bytes instead of %d: %s" % (found[0], size, where))
        if below and foreign(got[: -len(want)], frames[0]):
            got = got[-len(want) :]
        if got != want:
            at = next((i for i, pair in enumerate(zip(got, want)) if pair[0] != pair[1]), min(len(got), len(want)))
            complain("frame %d of %s is %s instead of %s" % (at, where, got[at : at + 1], want[at : at + 1]))
        got = trace.threads.get(thread, (0, ""))
        if got[0] != tid or (name and got[1] != name):
            complain("thread %s instead of %d %s: %s" % (got, tid, name or "", where))


def compare_lines(trace, truth, complain):
    """What lines hold in all, with what they called."""
    named = tuple(truth["version"]) >= (3, 11)
    for low, high, frames in truth["lines"]:
        total = 0
        for _, size, site in trace.live:
            got = strip(trace, trace.sites[site][0], named)
            if got[-len(frames) :] == frames and foreign(got[: -len(frames)], frames[0]):
                total += size
        if not low <= total <= high:
            complain("%d bytes instead of %d to %d: %s" % (total, low, high, frames[0]))


def compare_analyzer(trace, analyze, complain):
    """The analyzer's stacks of the end against ours: bytes by (function, file, line)."""
    command = [analyze, "--json", "--pid=%d" % trace.pid, "--symbols=none", "--source=none", trace.path]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    theirs, ours = collections.Counter(), collections.Counter()
    for stack in json.loads(output)["instants"]["end"]["stacks"]:
        if stack["pid"] != trace.pid:  # children's traces stand beside it
            continue
        frames = [f for f in stack["frames"] if f["language"] == "python" and f["file"]]
        theirs[tuple((f["function"], f["file"], f["line"]) for f in reversed(frames))] += stack["bytes"]
    for _, size, site in trace.live:
        ours[tuple(f for f in trace.stack(trace.sites[site][0]) if not isinstance(f, str))] += size
    for stack in list(ours) + list(theirs):
        if ours[stack] != theirs[stack]:
            complain("%d bytes in the analyzer, %d in the trace: %s" % (theirs[stack], ours[stack], stack[:2]))
            theirs[stack] = ours[stack]


def check(truth, traces, analyze):
    trace = traces.get(truth["pid"])
    wrong = []
    if trace is None:
        wrong.append("no trace")
    else:
        compare_marks(trace, truth, wrong.append)
        compare_lines(trace, truth, wrong.append)
        compare_analyzer(trace, analyze, wrong.append)
        for loss, count in enumerate(trace.lost):
            if count and loss not in (5, 9):  # depth is compared by frames; native stacks are another test's
                wrong.append("lost[%d] = %d" % (loss, count))
    print("%s pid %d: %d marks, %d lines, %d blocks, %d wrong" % (" ".join(map(os.path.basename, truth["argv"])), truth["pid"],
                                                       len(truth["marks"]), len(truth["lines"]), len(trace.live) if trace else 0, len(wrong)))
    for line in wrong[:SHOWN]:
        print("   ", line)
    return len(wrong) + (not truth["marks"])


# ---- every stack -----------------------------------------------------------------------------------------------------


def wrong_frame(frame, offset):
    """What no source has; a generated function's place follows from its name. `offset`: of its instruction, bytes."""
    name, file, line = frame
    if name == file:  # the interpreter's own
        return True
    number = name.split(".")[0][4:]
    if not file.startswith("made") and not (name.startswith("made") and number.isdigit()):
        return False
    if not file[4:-3].isdigit():
        return True
    owner = int(file[4:-3])
    first = owner % 89 + 1
    if name == "<module>":  # from 3.12 on the collector may run at its very first instruction, which has no line
        return line != first and (line, offset) != (1, 0)
    return file != "made%d.py" % owner or name not in ("made%d" % owner, "made%d.<locals>.<listcomp>" % owner,
                                                       "<listcomp>") or line != first + 1


def wrong_edge(source, caller, callee):
    """Both in SOURCE, or the callee is generated."""
    name, line = callee[0].split(".")[-1], source[caller[2] - 1] if 0 < caller[2] <= len(source) else ""
    if name in ("__del__", "on_gc"):
        return False
    if name in ("<listcomp>", "<genexpr>"):
        return not (" for " in line and callee[0].rsplit(".<locals>", 1)[0] in (name, caller[0]) and
                    callee[2] == caller[2])
    if callee[1].startswith("made"):
        return "made(" not in line if name != "<module>" else "exec(" not in line
    return ("Cycle(" if name == "__init__" else name) not in line


def edges_of(trace, program, source):
    """(how many calls are known, what is wrong) of all stacks of a trace."""
    ours = [os.path.basename(code.file) == os.path.basename(program) for _, code in sorted(trace.codes.items())]
    wrong, edges = [], 0
    for index, (parent, obj, offset, _) in enumerate(trace.nodes):
        if obj >= 0x80000000:
            continue
        callee = trace.frame(index)
        if wrong_frame(callee, offset):
            wrong.append("a frame of %s" % (callee,))
        if parent == NONE or trace.nodes[parent][1] >= 0x80000000 or not ours[trace.nodes[parent][1]]:
            continue
        if ours[obj] or callee[1].startswith("made"):
            edges += 1
            caller = trace.frame(parent)
            if wrong_edge(source, caller, callee):
                wrong.append("%s calls %s" % (caller, callee))
    return edges, wrong


def check_edges(walks, program, paths):
    with open(program) as file:
        source = file.read().split("\n")
    walked = frames = edges = cut = 0
    wrong, losses = [], set()
    for path in paths:
        trace = Trace(path)
        known, bad = edges_of(trace, program, source)
        walked, frames, edges = walked + trace.sampled, frames + len(trace.nodes), edges + known
        wrong += bad
        losses |= {i for i, count in enumerate(trace.lost) if count and i not in (DEPTH, NATIVE)}
        cut += trace.lost[NATIVE]
    print("%d walks in %d processes, %d frames, %d edges, %d wrong, %d native stacks that ended early, losses %s" %
          (walked, len(paths), frames, edges, len(wrong), cut, sorted(losses)))
    for line in wrong[:SHOWN]:
        print("   ", line)
    return 1 if wrong or losses or not edges or walked < walks or cut > walks / 100 else 0


def main():
    if sys.argv[1] == "--edges":
        return check_edges(int(sys.argv[2]), sys.argv[3], sys.argv[4:])
    if sys.argv[1] == "--fact":
        print(Trace(sys.argv[3]).facts.get(int(sys.argv[2]), b"").decode().replace("\0", "\n"))
        return 0
    if sys.argv[1] == "--without":
        trace = Trace(sys.argv[4])
        found = [site for _, size, site in trace.live if size == int(sys.argv[2])]
        frames = [f for site in trace.sites for f in trace.stack(site[0]) if not isinstance(f, str)]
        print("%d blocks, Python frames %s" % (len(found), frames[:SHOWN]))
        return 0 if len(found) == int(sys.argv[3]) and not frames else 1
    analyze, prefix = sys.argv[1:3]
    traces = {}
    for path in sys.argv[3:]:
        trace = Trace(path)
        traces[trace.pid] = trace
    stated = sorted(glob.glob(glob.escape(prefix) + ".*"))
    wrong = 0 if stated else 1
    for path in stated:
        with open(path) as file:
            wrong += check(json.load(file), traces, analyze)
    if not stated:
        print("nothing was stated")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
