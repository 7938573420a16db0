"""Compares the native frames of fil4prod-analyze --json with what is known of them.

truth.py sites REPORT SOURCE            every "site BYTES: f < g < ..." of SOURCE is a stack of that size (or a multiple)
truth.py symbolizer RAW REPORT          RAW (--symbols=none), put through llvm-symbolizer, gives the stacks of REPORT
truth.py mixed REPORT                   Python and native frames of a Python job stand in their order
"""
import json
import os
import re
import subprocess
import sys


def stacks(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)["instants"]["end"]["stacks"]


def fail(text):
    print(text)
    sys.exit(1)


def of_source(stack, source):
    frames = [f for f in stack["frames"] if os.path.basename(f["file"]) == source]
    return [(f["function"], f["line"]) for f in reversed(frames)]


def sites(report, source):
    name, found = os.path.basename(source), 0
    with open(source, encoding="utf-8") as file:
        lines = file.read().split("\n")
    calls = {}
    for number, line in enumerate(lines, 1):
        match = re.search(r"call (\d+)", line)
        if match:
            calls.setdefault(int(match[1]), set()).add(number)
    for number, line in enumerate(lines, 1):
        match = re.search(r"site (\d+): ([^,*/]+)(, freed)?", line)
        if not match or match[3]:
            continue
        size, chain = int(match[1]), [f.strip() for f in match[2].split("<")]
        seen = [of_source(s, name) for s in stacks(report) if s["bytes"] == size]
        exact = name.endswith(".c")
        good = [
            s
            for s in seen
            if s
            and any(l == number for _, l in s[:1])
            and (not exact or [f for f, _ in s] == chain)
            and (exact or chain[0] in s[0][0] or chain[0] in ("lambda", "closure", "vector"))
            and calls.get(size, set()) <= {l for _, l in s}
        ]
        if not good:
            fail(f"{name}:{number}: {size} bytes in {' < '.join(chain)}; stacks of that size: {seen}")
        found += 1
    if not found:
        fail(f"{source}: no site")


def symbolize(places):
    """(file, address) -> [(function, file, line)], outermost first"""
    text = "".join(f'"{file}" {address}\n' for file, address in places)
    out = subprocess.run(
        ["llvm-symbolizer", "--output-style=LLVM", "--inlines", "--demangle"],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    result = {}
    for place, block in zip(places, out.split("\n\n")):
        lines = block.strip("\n").split("\n")
        frames = []
        for function, where in zip(lines[::2], lines[1::2]):
            file, line, _ = where.rsplit(":", 2)
            frames.append((function, os.path.basename(file), int(line)))
        result[place] = frames[::-1]
    return result


def plain(function):
    # Of a function's aliases (__libc_start_main and its _impl) either name is right.
    # llvm-symbolizer names optimized copies and lambdas in its own way.
    # At main in a program optimized as a whole it finds a label that is named after the unit.
    function = re.sub(r"^sites\.\w+\.[0-9a-f]{8}$", "main", function)
    function = function.replace("_$u7b$$u7b$closure$u7d$$u7d$", "{{closure}}")
    return re.sub(r"\s|\(.*|\[clone.*|[.](constprop|isra|part)[.]\d+|['{]lambda.*|::h[0-9a-f]{16}$", "", function)


def symbolizer(raw, report):
    places = {(f["file"], f["address"]) for s in stacks(raw) for f in s["frames"] if "address" in f}
    if len(places) < 5:
        fail(f"only {len(places)} addresses")
    names = symbolize(sorted(places))
    wanted, got, compared = [], [], 0
    for stack in stacks(raw):
        frames = []
        for f in stack["frames"]:
            frames += names.get((f["file"], f.get("address")), [(f["function"], "", 0)])
        wanted.append((stack["bytes"], frames))
    for stack in stacks(report):
        got.append((stack["bytes"], [(f["function"], os.path.basename(f["file"]), f["line"]) for f in stack["frames"]]))
    # Stacks may merge when they get names: the report's must be among those wanted.
    def look(frames):
        # A library's function has several names, and either is right: names of the program's own code count.
        return [(plain(f) if file.startswith("sites") else file, l) for f, file, l in frames if l]

    known = [look(frames) for _, frames in wanted]
    for size, frames in got:
        mine = look(frames)
        if mine not in known:
            near = min(known, key=lambda k: len(set(k) ^ set(mine)))
            fail(f"{size} bytes: {mine}\nllvm-symbolizer: {near}")
        compared += len(mine)
    if compared < 10:
        fail(f"only {compared} frames with lines")


def mixed(report):
    """list.sort -> key function -> json's C scanner -> object hook, each seen from the other side"""
    def order(frames):
        return [f["function"] if f["language"] == "python" else f["library"] for f in frames]

    want = ["<module>", "work", "loads", "_json", "hook"]
    for stack in stacks(report):
        names = [n.split(".")[-1] for n in order(stack["frames"])]
        at = -1
        try:
            for name in want:
                at = names.index(name, at + 1)
        except ValueError:
            continue
        return
    fail("no stack goes " + " > ".join(want) + ": " + str([order(s["frames"]) for s in stacks(report)][:5]))


if __name__ == "__main__":
    {"sites": sites, "symbolizer": symbolizer, "mixed": mixed}[sys.argv[1]](*sys.argv[2:])
