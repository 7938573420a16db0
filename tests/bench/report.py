"""The results as one Markdown text that README can quote."""


def span(triple, digits=2, plus=False):
    """1.04 [1.03, 1.06]"""
    sign = "+" if plus else ""
    return "{:{s}.{d}f} [{:{s}.{d}f}, {:{s}.{d}f}]".format(*triple, s=sign, d=digits)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---" if i == 0 else "---:" for i in range(len(head))) + "|"]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows] + [""]


def machine(m):
    counts = "hardware counters exist" if m["hardware_counters"] else "no hardware counters here"
    return [
        f"fil4prod {m['commit']}; {m['cpu']}; Linux {m['kernel']}; {m['libc']}; {m['compiler']}; {m['python']}; SQLite {m['sqlite']}.",
        "",
        "Figures are medians over rounds; each round runs every variant once, every other round backwards, and ratios and",
        "differences are taken within a round. In brackets: 95 % interval of the median (order statistics; all of the range",
        f"where there are fewer than 6 rounds). CPU is user + system. Instructions are callgrind's ({m['valgrind']}; {counts}).",
        "`empty` is an interposer that only forwards, counts and looks freed pointers up: the floor.",
        "",
    ]


def instruction_ratio(row):
    counts = row.get("instructions")
    if not counts:
        return "-"
    return f"{counts['empty'] / counts['bare']:.3f}, {counts['fil4prod'] / counts['bare']:.3f}"


def workload_rows(rows):
    out = []
    for r in rows:
        if "absent" in r:
            out.append([r["name"], r["what"], r["absent"]] + [""] * 7)
            continue
        out.append([r["name"], r["what"], f"{r['bare_cpu_s']:.2f}", span(r["empty_cpu"], 3), span(r["cpu"], 3),
                    span(r["cpu_over_empty"], 3), span(r["turns_cpu"], 3), span(r["turns_wall"], 3), instruction_ratio(r), span(r["exact_cpu"], 1)])
    return out


def pair_rows(rows):
    out = []
    for r in rows:
        counts = r.get("instructions")
        added = f"{counts['empty'] - counts['bare']:+.1f}, {counts['fil4prod'] - counts['bare']:+.1f}" if counts else "-"
        out.append([r["threads"], f"{r['live']:,}", *(f"{r['ns'][v]:.1f}" for v in ("bare", "empty", "fil4prod")),
                    span(r["over_bare_ns"], 1, True), span(r["over_empty_ns"], 1, True), added, f"{r['memory_kib']:.0f}"])
    return out


def stall_rows(part):
    return [[v, span(s["worst"], 0), span(s["worst_cpu"], 0), span(s["p9999"], 1), span(s["over1ms"], 0), span(s["over10ms"], 0), f"{s['calls'][0]:.2g}"] for v, s in part.items()]


STALL_HEAD = ["variant", "worst, us", "worst, CPU us", "99.99 %, us", "calls > 1 ms", "calls > 10 ms", "calls"]

# name, title, note, head, rows of the part
SECTIONS = [
    ("workloads", "Workloads", "Ratios to bare unless said. CPU: all variants at the same time on one CPU, where the machine's moods come to all of them. In turns: one after the other. Instructions: at the mean interval that a timed run had. `exact` is FIL4PROD_INTERVAL=1 at a tenth of the size, 3 rounds.",
     ["workload", "what", "bare CPU, s", "empty CPU", "fil4prod CPU", "fil4prod / empty", "fil4prod CPU, in turns", "wall, in turns", "instructions: empty, fil4prod", "exact CPU"],
     workload_rows),
    ("pairs", "One malloc(64) + free",
     "CPU ns per pair. With live samples the interval is fixed at 256 KiB (a pair is a sample once in 4,096 times), else it is the default. "
     "Memory: anonymous KiB more than bare at the end, the file not counted.",
     ["threads", "live samples", "bare", "empty", "fil4prod", "fil4prod - bare", "fil4prod - empty", "instructions: empty, fil4prod", "memory, KiB"], pair_rows),
    ("startup", "Start-up under LD_PRELOAD alone", "Milliseconds per process.",
     ["command", "bare", "added by empty", "added by fil4prod", "of it CPU"],
     lambda rows: [[r["name"], f"{r['bare_ms']:.2f}", span(r["empty_added_ms"], 2, True), span(r["added_ms"], 2, True), span(r["added_cpu_ms"], 2, True)] for r in rows]),
    ("writer", "The writer's ops", "ns, medians of 5 runs of 300,000 ops in a file on disk, without stacks; worst single op in us, but for ops during which the process was preempted.",
     ["sites", "live", "alloc", "free", "realloc", "a seal adds", "a key frame adds, us", "worst, us"],
     lambda rows: [[f"{r['sites']:,}", f"{r['live']:,}", *(span(r[k], 0) for k in ("alloc", "free", "move", "seal")),
                    span([x / 1e3 for x in r["keyframe"]], 0), span(r["worst"], 0)] for r in rows]),
    ("sample", "A sampled buffer of a Python program", "ns beyond bare for a sample and its free, exact mode, stacks of some depth.",
     ["frames", "ns"], lambda rows: [[r["depth"], span(r["ns"], 0)] for r in rows]),
    ("stall_quiet", "Longest single malloc or free", "2 s per run, 5 runs. Calls during which the process was preempted are left out.", STALL_HEAD, stall_rows),
    ("stall_pressure", "The same under page-cache pressure", "Memory cgroup of 200 MB, 96 MB live, another process writes and reads a 400 MB file in it. 4 s per run, 5 runs.",
     STALL_HEAD, stall_rows),
    ("killed", "How far a job gets before it is killed", "Memory cgroup of that size, Python, 7 runs. What the recorder takes is what the job lacks.",
     ["limit, MiB", "what it takes", "fil4prod / bare"],
     lambda rows: [[r["limit"] >> 20, r["what"], span(r["ratio"], 3)] for r in rows]),
    ("analyzer", "fil4prod-analyze on a full 64 MiB trace", "", ["face", "wall, s", "CPU, s", "most memory, MiB"],
     lambda rows: [[r["face"], span(r["wall_s"]), f"{r['cpu_s']:.2f}", f"{r['max_rss'] / 2**20:.0f}"] for r in rows[1:]]),
]


def note_of(name, part):
    if name != "analyzer":
        return None
    return "The trace: {live:,.0f} live samples, {sites:,.0f} sites, {nodes:,.0f} stack nodes, {ops:,.0f} ops.".format(**part[0])


def markdown(results):
    lines = machine(results["machine"])
    for name, title, note, head, rows in SECTIONS:
        part = results.get(name)
        if not part:
            continue
        lines += [f"### {title}", ""]
        if "absent" in part:
            lines += [f"Not measured: {part['absent']}", ""]
            continue
        note = note(part) if callable(note) else note_of(name, part) or note
        lines += [note, ""] if note else []
        lines += table(head, rows(part))
    return "\n".join(lines)
