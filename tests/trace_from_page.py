#!/usr/bin/env python3
"""A reader of traces written from fil4prod-trace(5) alone, to prove that the page is enough. Slow and simple.

usage: tests/trace_from_page.py TRACE [T_NS...]

Prints one line of JSON: the state, the live set and the peak summed per site with their stacks, and for each T_NS the sums
at that time where every op up to it is known (else null).
"""

import json
import math
import struct
import sys

M64 = (1 << 64) - 1
NONE = 0xFFFFFFFF
P1, P2, P3, P4, P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)

# ---- CONVENTIONS -----------------------------------------------------------------------------------------------------


def rotl(x, n):
    return (x << n | x >> (64 - n)) & M64


def round_(a, w):
    return rotl((a + w * P2) & M64, 31) * P1 & M64


def xxh64(data, seed=0):
    at, n = 0, len(data)
    if n >= 32:
        lanes = [(seed + P1 + P2) & M64, (seed + P2) & M64, seed, (seed - P1) & M64]
        while n - at >= 32:
            lanes = [round_(a, w) for a, w in zip(lanes, struct.unpack_from("<4Q", data, at))]
            at += 32
        h = sum(rotl(a, r) for a, r in zip(lanes, (1, 7, 12, 18))) & M64
        for a in lanes:
            h = ((h ^ round_(0, a)) * P1 + P4) & M64
    else:
        h = (seed + P5) & M64
    h = (h + n) & M64
    while n - at >= 8:
        h = (rotl(h ^ round_(0, struct.unpack_from("<Q", data, at)[0]), 27) * P1 + P4) & M64
        at += 8
    if n - at >= 4:
        h = (rotl(h ^ (struct.unpack_from("<I", data, at)[0] * P1 & M64), 23) * P2 + P3) & M64
        at += 4
    for byte in data[at:]:
        h = rotl(h ^ (byte * P5 & M64), 11) * P1 & M64
    h = (h ^ h >> 33) * P2 & M64
    h = (h ^ h >> 29) * P3 & M64
    return h ^ h >> 32


def lz4_block(data, limit):
    out, at = bytearray(), 0

    def length(n):
        nonlocal at
        if n == 15:
            while True:
                n += data[at]
                at += 1
                if data[at - 1] != 255:
                    break
        return n

    while at < len(data):
        token = data[at]
        at += 1
        literals = length(token >> 4)
        out += data[at : at + literals]
        at += literals
        if at >= len(data):
            break
        offset = data[at] | data[at + 1] << 8
        at += 2
        for _ in range(length(token & 15) + 4):
            out.append(out[-offset])
        if len(out) > limit:
            raise ValueError("a block that unpacks to more than it may")
    return bytes(out)


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def u64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def checked(data, at, size):
    """A struct with an 8-byte check at its end."""
    return xxh64(data[at : at + size - 8]) == u64(data, at + size - 8)


# ---- WEIGHTS ---------------------------------------------------------------------------------------------------------


def f(x):
    total = 0.0
    for n in range(14, 0, -1):
        total = (1 - x * total) / n
    return total


def weight(size, interval):
    """(bytes, variance, blocks, samples)"""
    if interval == 1:
        return size * 256 & M64, 0, 256, 1
    if size == 0:
        return 0, 0, 0, 1
    x = size / interval
    if x > 60:
        return size * 256 & M64, 0, 256, 1
    if x <= 0.5:
        p = x * f(x)
        q = 1 - p
    else:
        k = math.floor(x * 1.44269504088896338700)
        r = x - k * 6.93147180369123816490e-01 - k * 1.90821492927058770002e-10
        half = 1 - r / 2 * f(r / 2)
        q = half * half * 2.0**-k
        p = 1 - q
    w = size / p
    whole = [min(math.floor(v + 0.5), M64) for v in (256 * w, w * w * q / 256, 256 / p)]
    return whole[0], whole[1], whole[2], 1


def add(sums, site, w, sign=1):
    old = sums.get(site, (0, 0, 0, 0))
    sums[site] = tuple((a + sign * b) & M64 for a, b in zip(old, w))


def total(sums):
    return [sum(s[i] for s in sums.values()) & M64 for i in range(4)]


def sums_hash(sums):
    return sum(xxh64(struct.pack("<4Q", *s), i) for i, s in sums.items() if s[3]) & M64


# ---- DELTAS ----------------------------------------------------------------------------------------------------------


def deltas(raw, events):
    """(event, dt, site, size, shift, new shift, its bytes) for each."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    for _ in range(events):
        start, event = at, raw[at] & 15
        at += 1
        dt, site, size, shift = varint(), varint(), varint(), raw[at]
        at += 1
        new_shift = shift
        if event == 3:
            new_shift = raw[at]
            at += 1
        yield event, dt, site, size, shift, new_shift, raw[start:at]


# ---- the trace -------------------------------------------------------------------------------------------------------


class Trace:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = bytearray(file.read())
        data = self.data
        if data[:8] != b"FIL4PROD" or struct.unpack_from("<H", data, 8)[0] != 1 or u64(data, 16):
            raise ValueError("not a trace of version 1")
        if not checked(data, 0, 1024):
            raise ValueError("header damaged")
        self.base_interval = u64(data, 56)
        self.section = {}
        for i in range(u32(data, 100)):
            kind, _, offset, size = struct.unpack_from("<IIQQ", data, 104 + 24 * i)
            self.section[kind] = (offset, size)
        self.recover()
        self.read_live()
        self.read_peak()
        self.read_records()
        self.read_end()

    def recover(self):
        data, control = self.data, self.section[1][0]
        states = [control + 512 * i for i in (0, 1) if checked(data, control + 512 * i, 512)]
        at = max(states, key=lambda a: u64(data, a))
        state = self.state = {"commit": u64(data, at), "seq": u64(data, at + 8), "t_ns": u64(data, at + 16)}
        state["status"] = u32(data, at + 24)
        state["live"] = struct.unpack_from("<4Q", data, at + 40)
        state["live_hash"] = u64(data, at + 72)
        state["peak"] = struct.unpack_from("<4Q", data, at + 88)
        state["peak_site_hash"] = u64(data, at + 136)
        state["peak_epoch"], state["live_high"], state["nodes"], state["sites"] = struct.unpack_from("<4I", data, at + 152)
        state["records"] = u64(data, at + 168)
        state["next_block"] = u64(data, at + 184)
        state["open_bytes"], state["open_events"] = struct.unpack_from("<II", data, at + 192)
        state["open_seq"], state["open_t_ns"] = struct.unpack_from("<QQ", data, at + 200)
        state["open_check"] = u64(data, at + 456)
        intent = control + 1024
        self.in_flight = checked(data, intent, 512) and u64(data, intent) == state["seq"] + 1
        if not self.in_flight:
            return
        live_count, site_count = struct.unpack_from("<II", data, intent + 20)
        for i in range(live_count):
            to = self.section[7][0] + 32 * u32(data, intent + 48 + 4 * i)
            data[to : to + 32] = data[intent + 64 + 32 * i : intent + 96 + 32 * i]
        for i in range(site_count):
            to = self.section[6][0] + 128 * u32(data, intent + 56 + 4 * i)
            data[to : to + 128] = data[intent + 128 + 128 * i : intent + 256 + 128 * i]

    def read_live(self):
        self.now, hashes = {}, 0
        for i in range(self.state["live_high"]):
            at = self.section[7][0] + 32 * i
            _, size, site, _, shift, kind, _, check = struct.unpack_from("<QQIIBBHI", self.data, at)
            h = xxh64(self.data[at : at + 28])
            if kind and check == h & NONE and site < self.state["sites"]:
                add(self.now, site, weight(size, self.base_interval << shift))
                hashes = (hashes + h) & M64
        self.live_sound = hashes == self.state["live_hash"] and total(self.now) == list(self.state["live"])

    def read_peak(self):
        self.site, self.peak = [], {}
        for i in range(self.state["sites"]):
            at = self.section[6][0] + 128 * i
            if xxh64(self.data[at : at + 120], i) != u64(self.data, at + 120):
                self.site.append((NONE, NONE))
                continue
            stack, thread, epoch = struct.unpack_from("<III", self.data, at)
            self.site.append((stack, thread))
            sums = struct.unpack_from("<4Q", self.data, at + (48 if epoch == self.state["peak_epoch"] else 16))
            if sums[3]:
                self.peak[i] = sums
        right = sums_hash(self.peak) == self.state["peak_site_hash"]
        self.peak_sound = right and total(self.peak) == list(self.state["peak"])

    def read_end(self):
        """The process's own word, and the command's wait status, where the launcher saw it end."""
        self.ending, self.wait_status = None, None
        word = self.section[1][0] + 7168
        if checked(self.data, word, 64):
            self.ending = list(struct.unpack_from("<II", self.data, word + 8))
        if 2 not in self.section:
            return
        start = self.section[2][0]
        states = [start + 256 * i for i in (0, 1) if checked(self.data, start + 256 * i, 256)]
        if states:
            newest = max(states, key=lambda a: u64(self.data, a))
            if u32(self.data, newest + 16) == 2 and not u32(self.data, newest + 28):
                self.wait_status = struct.unpack_from("<i", self.data, newest + 24)[0]

    # ---- records, stacks

    def read_records(self):
        data, (at, _) = self.data, self.section[3]
        end = at + self.state["records"]
        self.strings, self.codes, self.threads, self.modules = {}, {}, {}, {}
        while at + 16 <= end:
            kind, flags, size, ident, check = struct.unpack_from("<HHIII", data, at)
            payload = bytes(data[at + 16 : at + 16 + size])
            if check != xxh64(payload, xxh64(data[at : at + 12])) & NONE:
                at += 8
                continue
            if kind == 2:
                coding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}.get(flags, "utf-8")
                self.strings[ident] = payload.decode(coding, "replace")
            elif kind == 3:
                self.codes[ident] = struct.unpack_from("<4I", payload)
            elif kind == 4:
                self.threads[ident] = payload[16:].decode("utf-8", "replace")
            elif kind == 5:
                start = 40 + u32(payload, 32)
                self.modules[ident] = payload[start : start + u32(payload, 36)].decode("utf-8", "replace")
            at += 16 + (size + 7) // 8 * 8

    def frame(self, obj, offset):
        if obj >= 0xFFFF0000:
            return "special %d" % (obj - 0xFFFF0000)
        if obj >= 0x80000000:
            return "%s+%d" % (self.modules.get(obj - 0x80000000, ""), offset)
        name, _, file, line = self.codes.get(obj, (NONE, NONE, NONE, 0))
        return "%s %s:%d+%d" % (self.strings.get(name, ""), self.strings.get(file, ""), line, offset)

    def stack(self, site):
        node, frames = self.site[site][0], []
        while node < self.state["nodes"]:
            at = self.section[5][0] + 16 * node
            parent, obj, offset, check = struct.unpack_from("<4I", self.data, at)
            if check != xxh64(self.data[at : at + 12], node) & NONE:
                break
            frames.insert(0, self.frame(obj, offset))
            node = parent
        return frames

    # ---- history

    def blocks(self):
        """Delta blocks as (number, op, t, events, raw bytes), ascending; the deltas in OPEN last."""
        found, (start, size) = {}, self.section[11]
        for at in range(start, start + size - 127, 128):
            if u32(self.data, at) != 0x4B4C4246 or not checked(self.data, at, 128):
                continue
            kind, flags = struct.unpack_from("<HH", self.data, at + 4)
            number, seq, t_first = struct.unpack_from("<QQQ", self.data, at + 8)
            events, _, _, level, raw, stored = struct.unpack_from("<6I", self.data, at + 40)
            payload = bytes(self.data[at + 128 : at + 128 + stored])
            if kind != 1 or level or number >= self.state["next_block"] or xxh64(payload) != u64(self.data, at + 64):
                continue
            found[number] = (number, seq, t_first, events, payload if flags & 2 else lz4_block(payload, raw))
        state, at = self.state, self.section[10][0]
        rest = bytes(self.data[at : at + state["open_bytes"]])
        return [found[n] for n in sorted(found)] + [
            (state["next_block"], state["open_seq"], state["open_t_ns"], state["open_events"], rest)
        ]

    def open_sound(self, raw):
        check = 0
        try:
            for delta in deltas(raw, self.state["open_events"]):
                check = xxh64(delta[-1], check)
        except IndexError:
            return False
        return check == self.state["open_check"]

    def heap_at(self, t_ns):
        """Forward from the empty heap, if no delta since then is lost."""
        sums, last = {}, 0
        blocks = self.blocks()
        if not self.open_sound(blocks[-1][-1]):
            return None
        for _, op, t, events, raw in blocks:
            if events and op != last + 1:
                return None
            for event, dt, site, size, shift, new_shift, _ in deltas(raw, events):
                t += dt
                last += not event & 8
                if t > t_ns:
                    continue
                if event & 7 != 1:
                    add(sums, site, weight(size, self.base_interval << shift), -1)
                if event & 7 in (1, 3):
                    add(sums, site, weight(size, self.base_interval << new_shift))
        return sums


def listed(sums):
    return [[site, *sums[site]] for site in sorted(sums) if sums[site][3]]


def main():
    trace = Trace(sys.argv[1])
    answer = {
        "seq": trace.state["seq"],
        "status": trace.state["status"],
        "wait_status": trace.wait_status,
        **({"ending": trace.ending} if trace.ending else {}),
        "in_flight": trace.in_flight,
        "live_sound": trace.live_sound,
        "peak_sound": trace.peak_sound,
        "live": listed(trace.now),
        "peak": listed(trace.peak),
        "stacks": [[trace.threads.get(thread, "")] + trace.stack(i) for i, (_, thread) in enumerate(trace.site)],
        "at": [],
    }
    for t in sys.argv[2:]:
        sums = trace.heap_at(int(t))
        answer["at"].append(None if sums is None else listed(sums))
    print(json.dumps(answer, separators=(",", ":")))


main()
