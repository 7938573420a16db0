#!/bin/sh
# The main job, end to end: the demo's Python job is killed by the kernel in a memory cgroup, and its trace names the
# line that did it. Then the same with a plain SIGKILL.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

LINE=$(grep -n 'words = _known\[key\] =' "$ROOT/tests/demo/etl/readings.py")
GUILTY=${LINE%%:*}
export LINE="$GUILTY"

# fact FILE EXPRESSION: holds for the analysis `a` in FILE; helpers: user(stack), own(file), held(stacks), end, peak
fact() {
    /usr/bin/python3 - "$@" <<'END'
import json, os, sys

a = json.load(open(sys.argv[1]))
end, peak = a["instants"]["end"], a["instants"]["peak"]
verdict = a["verdict"]
line = int(os.environ["LINE"])

def user(stack):
    """The innermost Python frame outside the standard library, as (file name, line), or None."""
    for frame in reversed(stack["frames"]):
        file = frame["file"]
        if frame["language"] == "python" and "/lib/python3" not in file and not file.startswith("<"):
            return "/".join(file.split("/")[-2:]), frame["line"]
    return None

def held(stacks):
    lines = {}
    for stack in stacks:
        lines[user(stack)] = lines.get(user(stack), 0) + stack["bytes"]
    return lines

if not eval(sys.argv[2]):
    print("does not hold:", sys.argv[2])
    print("verdict:", verdict, "\ntarget:", a["target"], "\nheap at the end:", end["heap_bytes"])
    print("lines:", sorted(held(end["stacks"]).items(), key=lambda item: -item[1])[:5])
    sys.exit(1)
END
}

# report NAME ENVIRONMENT...: runs the demo and writes its analysis to NAME.json
report() {
    name=$1
    shift
    ok "${name}_runs" env DEMO_OUT="$TMP/$name" "$@" sh "$ROOT/tests/demo/run.sh"
    cp "$TMP/out" "$TMP/$name.txt"
    "$ANALYZE" --json --top 0 "$TMP/$name/etl.trace" >"$TMP/$name.json" 2>"$TMP/$name.err"
    ok "${name}_json" fact "$TMP/$name.json" 'a["schema"] == "fil4prod.analysis/1"'
}

# common NAME: what must hold however the job was killed
common() {
    json=$TMP/$1.json
    ok "$1_status_137" has "$TMP/$1.txt" 'exit status 137'
    ok "$1_signal" fact "$json" 'verdict["signal"] == 9 and verdict["exit_code"] is None'
    ok "$1_trace_whole" fact "$json" 'a["trace"]["complete"] and a["trace"]["lost_records"] == 0'
    ok "$1_sampled" fact "$json" 'a["trace"]["samples"] > 100 and not a["trace"]["exact"]'
    ok "$1_command" fact "$json" 'a["target"]["command"][1:3] == ["-m", "etl"]'
    ok "$1_python" fact "$json" 'a["target"]["python"].startswith("3.")'
    ok "$1_sum_of_stacks" fact "$json" 'sum(s["bytes"] for s in end["stacks"]) == end["heap_bytes"]'
    ok "$1_sum_at_peak" fact "$json" 'sum(s["bytes"] for s in peak["stacks"]) == peak["heap_bytes"]'
    ok "$1_first_is_cache_line" fact "$json" 'user(end["stacks"][0]) == ("etl/readings.py", line)'
    ok "$1_cache_line_holds_most" fact "$json" \
        'held(end["stacks"]).get(("etl/readings.py", line), 0) >= 0.5 * end["heap_bytes"]'
    ok "$1_80_percent_python" fact "$json" \
        'sum(b for where, b in held(end["stacks"]).items() if where) >= 0.8 * end["heap_bytes"]'
    ok "$1_caller_known" fact "$json" \
        'any(f["function"].endswith("run_day") and f["file"].endswith("etl/__main__.py") for f in end["stacks"][0]["frames"])'
    ok "$1_heap_within_rss" fact "$json" '0.5 * end["rss_bytes"] < end["heap_bytes"] < 1.2 * end["rss_bytes"]'
    ok "$1_timeline" fact "$json" 'len(a["timeline"]["t_ns"]) > 10 and max(a["timeline"]["heap_bytes"]) > 100 << 20'
    ok "$1_text_names_line" has "$TMP/$1.txt" "readings\.py:$LINE "
}

report killed DEMO_CGROUP=no DEMO_LIMIT_MIB=400
common killed
ok killed_verdict fact "$TMP/killed.json" 'verdict["kind"] == "killed" and verdict["evidence"]'
# control: another line of the same file is not what holds the memory
LINE=1
not_ok control_other_line fact "$TMP/killed.json" 'user(end["stacks"][0]) == ("etl/readings.py", line)'
LINE=$GUILTY

report oom DEMO_LIMIT_MIB=400
if grep -q 'No memory cgroup can be made' "$TMP/oom.txt"; then
    skip oom "no memory cgroup can be made here: the kernel's OOM kill was not tested"
else
    common oom
    ok oom_counted has "$TMP/oom.txt" 'oom_kill 0 -> 1'
    ok oom_verdict fact "$TMP/oom.json" 'verdict["kind"] == "oom-cgroup"'
    ok oom_certain fact "$TMP/oom.json" 'verdict["confidence"] == "certain" and verdict["evidence"]'
    ok oom_limit fact "$TMP/oom.json" 'a["target"]["cgroup_limit_bytes"] == 400 << 20'
    ok oom_usage_in_timeline fact "$TMP/oom.json" 'max(a["timeline"]["cgroup_bytes"]) > 360 << 20'
fi

finish
