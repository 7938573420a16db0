#!/bin/sh
# fil4prod-analyze from outside: faces, instants, filters, gates, output files, exit statuses, hostile names.
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2016 # quoted for the inner shells
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3

# A job with known lines: line 4 keeps about 24 MB, line 6 frees 48 MB, then status $1 of the job.
cat >job.py <<'END'
import os, sys
keep, more = [], []
def load(n):
    keep.append(bytearray(n << 20))
def spike(n):
    more.append(bytearray(n << 20))
for i in range(24):
    load(1)
spike(48)
more.clear()
load(1)
code = sys.argv[1]
if code.isdigit():
    sys.exit(int(code))
os.kill(os.getpid(), getattr(__import__("signal"), code))
END

record() {
    "$RECORD" -q -o "$1" --interval 4096 -- "$PYTHON" job.py "$2" >record.out 2>&1
}

record killed.bin SIGKILL
record zero.bin 0
record three.bin 3
record segv.bin SIGSEGV
record term.bin SIGTERM

# fact FILE EXPRESSION: holds for the document `a`
fact() {
    "$PYTHON" - "$@" <<'END'
import json, sys
a = json.load(open(sys.argv[1]))
end, peak, verdict = a["instants"]["end"], a["instants"]["peak"], a["verdict"]
def total(instant):
    return sum(s["bytes"] for s in instant["stacks"])
def line(n, instant=end):
    return sum(s["bytes"] for s in instant["stacks"] if any(f["file"].endswith("job.py") and f["line"] == n for f in s["frames"]))
MB = 1 << 20
if not eval(sys.argv[2]):
    print("does not hold:", sys.argv[2], verdict)
    sys.exit(1)
END
}

# analysis NAME ARGUMENTS...: JSON to NAME.json
analysis() {
    name=$1
    shift
    "$ANALYZE" --json --force -o "$TMP/$name.json" "$@" 2>"$TMP/$name.err"
}

# ---- verdicts

for ending in killed:SIGKILL zero:0 three:3 segv:SIGSEGV term:SIGTERM; do
    analysis "${ending%%:*}" "${ending%%:*}.bin"
done
ok verdict_killed fact killed.json 'verdict["kind"] == "killed" and verdict["signal"] == 9 and verdict["exit_code"] is None'
ok verdict_term fact term.json 'verdict["kind"] == "killed" and verdict["signal"] == 15 and verdict["confidence"] == "certain"'
ok verdict_crashed fact segv.json 'verdict["kind"] == "crashed" and verdict["signal"] == 11'
ok verdict_exited fact zero.json 'verdict["kind"] == "exited" and verdict["exit_code"] == 0 and verdict["signal"] is None'
ok verdict_exit_3 fact three.json 'verdict["kind"] == "exited" and verdict["exit_code"] == 3'

"$RECORD" -q -o failed.bin -- "$PYTHON" -c 'import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 30, 1 << 30)); bytearray(4 << 30)' >record.out 2>&1
analysis failed failed.bin
ok verdict_allocation_failed fact failed.json 'verdict["kind"] == "allocation-failed" and verdict["exit_code"] == 1'

: >up
"$RECORD" -q -o running.bin -- "$PYTHON" -c 'keep = bytearray(20 << 20); print("up", flush=True); import time; time.sleep(60)' >up 2>/dev/null &
launcher=$!
for _ in $(seq 100); do
    grep -q up up && break
    sleep 0.1
done
analysis running running.bin
ok verdict_running fact running.json 'verdict["kind"] == "running" and verdict["confidence"] == "certain"'
ok running_heap fact running.json 'end["heap_bytes"] > 19 * MB'
cp running.bin copied.bin
kill "$launcher"
wait "$launcher" 2>/dev/null
analysis copied copied.bin
ok verdict_of_a_copy fact copied.json 'verdict["kind"] == "unknown"'

# ---- the heap

ok heap_of_line fact killed.json '24 * MB < line(4) < 26.5 * MB and line(6) < MB'
ok peak_of_line fact killed.json 'line(6, peak) >= 48 * MB and peak["heap_bytes"] > 70 * MB'
ok sums_hold fact killed.json 'total(end) == end["heap_bytes"] and total(peak) == peak["heap_bytes"]'
ok large_blocks_are_exact fact killed.json 'any(s["error_bytes"] < s["bytes"] / 100 for s in end["stacks"])'
ok thread_name fact killed.json 'end["stacks"][0]["thread"] == "MainThread"'
ok timeline_covers_peak fact killed.json 'max(a["timeline"]["heap_bytes"]) > 70 * MB and len(set(map(len, [a["timeline"][k] for k in ("t_ns", "heap_bytes", "rss_bytes", "cgroup_bytes")]))) == 1'
analysis top --top 1 killed.bin
ok top_keeps_sums fact top.json 'len(end["stacks"]) == 2 and total(end) == end["heap_bytes"] and end["stacks"][1]["frames"][0]["function"] == "[other]"'
analysis at --at 50% --at 0s --diff peak..end killed.bin
ok at_adds_instants fact at.json '"50%" in a["instants"] and total(a["instants"]["50%"]) == a["instants"]["50%"]["heap_bytes"]'
ok diff_names_what_went fact at.json 'a["diff"]["stacks"][0]["bytes"] <= -48 * MB and not a["diff"]["stacks"][0]["noise"]'
analysis base --base zero.bin killed.bin
ok base_compares_runs fact base.json 'abs(a["diff"]["to_heap_bytes"] - end["heap_bytes"]) <= 1 and a["diff"]["from"] == "zero.bin"'

# ---- filters

analysis focus --focus 'job.py:4$' killed.bin
ok focus fact focus.json '24 * MB < end["heap_bytes"] < end["unfiltered_bytes"] and total(end) == end["heap_bytes"]'
analysis ignore --ignore load killed.bin
ok ignore fact ignore.json 'line(4) == 0 and end["heap_bytes"] < 20 * MB'
analysis hide --hide load killed.bin
ok hide fact hide.json 'line(4) == 0 and end["heap_bytes"] > 24 * MB'
analysis pid --pid 1 killed.bin
ok other_pid fact pid.json 'end["heap_bytes"] == 0 and end["stacks"] == []'
expect_status 2 bad_regex "$ANALYZE" --focus '(' killed.bin
ok bad_regex_says_which has err -- '--focus'

# ---- schema

if "$PYTHON" -c 'import jsonschema' 2>/dev/null || { command -v python3 >/dev/null && python3 -c 'import jsonschema' 2>/dev/null && PYTHON=python3; }; then
    for name in killed zero running failed at base focus top pid; do
        ok "schema_$name" "$PYTHON" -c 'import json, jsonschema, sys
schema = json.load(open(sys.argv[1])); jsonschema.validate(json.load(open(sys.argv[2])), schema)' "$ROOT/tests/schema/fil4prod.analysis-1.json" "$name.json"
    done
    sed 's/"kind":"killed"/"kind":"murdered"/' killed.json >wrong.json
    not_ok control_schema "$PYTHON" -c 'import json, jsonschema, sys
schema = json.load(open(sys.argv[1])); jsonschema.validate(json.load(open(sys.argv[2])), schema)' "$ROOT/tests/schema/fil4prod.analysis-1.json" wrong.json
else
    skip schema "no Python module jsonschema"
fi

# ---- text

ok text_is_default "$ANALYZE" killed.bin
"$ANALYZE" killed.bin >text.txt
ok text_order sh -c 'sed -n "2s/^ END .*/x/p; 3s/^ CAUSE .*/x/p; 4s/^ HEAP .*/x/p; 5s/^ SHAPE .*/x/p" "$0" | grep -c x | grep -qx 4' text.txt
ok text_first_screen sh -c 'head -n 25 "$0" | grep -q "^ SURE" && head -n 25 "$0" | grep -Eq "^ +1 .*job\.py:4 load"' text.txt
ok text_source_line has text.txt 'keep\.append\(bytearray\(n << 20\)\)'
ok text_without_source "$ANALYZE" --source=none killed.bin
ok text_without_source_lacks lacks "$TMP/out" 'keep\.append'
ok text_no_escapes_in_pipes lacks text.txt "$(printf '\033')"
ok color_always "$ANALYZE" --color=always killed.bin
ok color_always_escapes has "$TMP/out" "$(printf '\033')"
ok ascii_only sh -c '"$0" --charset=ascii killed.bin | LC_ALL=C grep -q "[^ -~]" && exit 1; exit 0' "$ANALYZE"
ok narrow sh -c 'COLUMNS=60 "$0" --charset=ascii killed.bin | awk "/HELD/ { t = 1 } /^ WHO/ { t = 0 } t && length(\$0) > 60 { exit 1 }"' "$ANALYZE"
ok group_by_all sh -c 'for by in function line file library thread process stack; do "$0" --group-by $by killed.bin >/dev/null || exit 1; done' "$ANALYZE"
ok units_bytes sh -c '"$0" --units bytes killed.bin | grep -Eq "^ HEAP +[0-9]{8} "' "$ANALYZE"

# Names that would move the cursor or turn the writing round are shown, not obeyed.
printf 'def f():\n    global k\n    k = bytearray(9 << 20)\n' >evil
"$RECORD" -q -o evil.bin --interval 4096 -- "$PYTHON" -c 'src = open("evil").read()
exec(compile(src, "\x1b[2J\u202egnp\x07.py", "exec")); f()' >record.out 2>&1
"$ANALYZE" --charset=utf-8 evil.bin >evil.txt
ok hostile_shown has evil.txt '\\x1b\[2J\\u202egnp\\x07\.py:3'
ok hostile_harmless sh -c 'LC_ALL=C grep -q "$(printf "[\033\007]")" evil.txt && exit 1; exit 0'
analysis evil evil.bin
ok hostile_in_json fact evil.json 'any(f["file"] == "\x1b[2J\u202egnp\x07.py" for s in peak["stacks"] for f in s["frames"])'

# ---- gates

expect_status 0 gate_ok "$ANALYZE" --fail-if-peak-over 1G killed.bin
expect_status 1 gate_peak "$ANALYZE" --fail-if-peak-over 60M killed.bin
ok gate_prints_both has err 'peak over 60M: [0-9.]+M, less two standard errors of [0-9.]+[MK]?, is over 60.0M'
expect_status 0 gate_end_ok "$ANALYZE" --fail-if-end-over 60M killed.bin
expect_status 1 gate_end "$ANALYZE" --fail-if-end-over 20M killed.bin
expect_status 1 gate_growth "$ANALYZE" --fail-if-growth-over 1K/d running.bin copied.bin --fail-if-end-over 1
expect_status 1 gate_focus "$ANALYZE" --fail-if 'focus:spike>40M' killed.bin
expect_status 0 gate_focus_ok "$ANALYZE" --fail-if 'focus:spike>60M' killed.bin
expect_status 2 gate_nonsense "$ANALYZE" --fail-if 'spike>60M' killed.bin

# ---- several traces

mkdir job
cp killed.bin job/a.trace
cp three.bin job/b.trace
echo text >job/notes
analysis several job
ok directory fact several.json 'len(a["processes"]) == 2 and len(a["trace"]["files"]) == 2 and total(end) == end["heap_bytes"] and end["heap_bytes"] > 24 * MB'
cp killed.bin job/a.trace.1
analysis siblings job/a.trace
ok siblings fact siblings.json 'len(a["processes"]) == 2 and verdict["kind"] == "killed"'
cp three.bin job/a.trace.2
analysis strangers job/a.trace
ok strangers_are_left fact strangers.json 'len(a["processes"]) == 2'

# ---- files and statuses

expect_status 3 no_file "$ANALYZE" nothing.bin
ok no_file_says has err 'nothing\.bin'
expect_status 3 not_a_trace "$ANALYZE" job.py
: >empty
expect_status 3 empty_file "$ANALYZE" empty
mkfifo fifo
expect_status 3 fifo "$ANALYZE" fifo
expect_status 3 directory_without "$ANALYZE" "$ROOT/man"
expect_status 2 no_arguments "$ANALYZE"
expect_status 2 unknown_option "$ANALYZE" --nonsense killed.bin
expect_status 2 bad_at "$ANALYZE" --at noon killed.bin
expect_status 2 both_to_stdout "$ANALYZE" --text --json killed.bin
ok both_faces "$ANALYZE" --text=both.txt --json=both.json killed.bin
ok both_written fact both.json 'a["schema"] == "fil4prod.analysis/1"'
expect_status 5 no_overwriting "$ANALYZE" --text=both.txt killed.bin
ok force_overwrites "$ANALYZE" --force --text=both.txt killed.bin
expect_status 5 unwritable "$ANALYZE" -o /nonexistent/report killed.bin
ok no_leftovers sh -c 'test "$(ls both.txt.* both.json.* 2>/dev/null | wc -l)" -eq 0'
if [ -w /dev/full ]; then
    expect_status 5 device_full "$ANALYZE" -o /dev/full killed.bin
else
    skip device_full "no /dev/full"
fi
ok closed_pipe_is_quiet sh -c '{ "$0" --json killed.bin 2>pipe.err; echo $? >pipe.status; } | head -c 10 >/dev/null; test "$(cat pipe.status)" = 0 && test ! -s pipe.err' "$ANALYZE"

# Damage in the middle of the live table, not at a tail.
head -c 40000000 killed.bin >short.bin
expect_status 4 cut_file "$ANALYZE" short.bin
ok cut_file_reported has "$TMP/out" 'DAMAGED'
ok cut_file_json sh -c '"$0" --json short.bin >short.json 2>/dev/null; test $? -eq 4' "$ANALYZE"
ok cut_file_incomplete fact short.json 'not a["trace"]["complete"] and a["damage"]["missing_bytes"] > 0'

# ---- what cannot be told apart ----

cat >twins.py <<'END'
keep = []
def left():
    keep.append(bytes(3000))
def right():
    keep.append(bytes(3000))
def much():
    keep.append(bytes(30000))
for i in range(3000):
    left()
    right()
    much()
END
# tied_as FILE LIST: of the three lines, largest first
tied_as() {
    "$ANALYZE" --json --group-by line "$1" >twins.json && python3 -c 'import json, sys
groups = json.load(open("twins.json"))["instants"]["peak"]["groups"][:3]
print(groups)
assert [g["tied"] for g in groups] == json.loads(sys.argv[1])' "$2"
}
"$RECORD" -q -o twins.bin --interval 65536 -- "$PYTHON" twins.py
"$RECORD" -q -o twins_exact.bin --interval 1 -- "$PYTHON" twins.py
ok tied_json tied_as twins.bin '[false, false, true]'
ok tied_text "$ANALYZE" --text twins.bin
ok tied_mark has "$TMP/out" '^ ~ 3 .*twins\.py:[35]'
ok tied_legend has "$TMP/out" '^   ~ not distinguishable from the line above$'
ok control_tied_exact tied_as twins_exact.bin '[false, false, false]'
ok control_tied_exact_text "$ANALYZE" --text twins_exact.bin
ok control_tied_no_mark lacks "$TMP/out" '~'

# Where stacks had no room, the first screen says so.
"$RECORD" -q -o small.bin --interval 1 --size 8M -- "$PYTHON" -c 'keep = [bytes(2000) for i in range(1000)]'
ok stackless "$ANALYZE" --text small.bin
ok stackless_said has "$TMP/out" '^ SURE .*; [0-9,]+ have no stack: --size was too small'
ok control_stackless "$ANALYZE" --text twins_exact.bin
ok control_stackless_unsaid has "$TMP/out" '^ SURE .*; nothing lost'

# ---- following a job that runs ----

# reports FILE: how many
reports() {
    grep -c '^ END ' "$1"
}

until_reports() {
    for _ in $(seq 300); do
        [ "$(reports "$2" 2>/dev/null || echo 0)" -ge "$1" ] && return 0
        sleep 0.1
    done
    echo "no $1 reports in $2"
    return 1
}

# A job that grows until it is killed, once both have seen it grow.
follow_job() {
    rm -f up followed.bin
    "$RECORD" -q --size 4M -o followed.bin -- "$BUILD/prog_death" grow:2 up:up eat >/dev/null 2>&1 &
    recorder=$!
    for _ in $(seq 300); do
        [ -e up ] && break
        sleep 0.1
    done
    "$ANALYZE" --follow=1 --text followed.bin >followed.txt 2>followed.err &
    texts=$!
    "$ANALYZE" --follow=1 -q --json --fail-if-peak-over 1M followed.bin >followed.json 2>followed.json.err &
    objects=$!
    "$ANALYZE" --follow=1 --text=kept.txt followed.bin 2>kept.err &
    files=$!
    until_reports 3 followed.txt
    kill -KILL "$(python3 -c 'import json; print(json.loads(open("followed.json").readline())["target"]["pid"])')"
    wait "$recorder"
    recorder=$?
    wait "$texts"
    texts=$?
    wait "$objects"
    objects=$?
    wait "$files"
    files=$?
    [ $recorder -eq 137 ]
}
ok follow follow_job
ok follow_status [ $texts -eq 0 ]
ok follow_gate_status [ $objects -eq 1 ]
ok follow_gate_said has followed.json.err '^fil4prod-analyze: gate failed: peak over 1M'
ok follow_quiet [ ! -s followed.err ]
# Each begins with the time; all but the last say that it runs, and the heap grows.
ok follow_text python3 -c '
import re
reports = open("followed.txt").read().split("==== ")[1:]
ends = [re.search("^ END     (.*)", r, re.M)[1] for r in reports]
assert len(reports) > 2 and all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", r) for r in reports), reports
assert all(e.startswith("still running") for e in ends[:-1]) and ends[-1].startswith("killed by SIGKILL"), ends'
ok follow_json python3 -c '
import json
looks = [json.loads(line) for line in open("followed.json")]
kinds = [a["verdict"]["kind"] for a in looks]
heaps = [a["instants"]["end"]["heap_bytes"] for a in looks]
assert len(looks) > 1 and kinds == ["running"] * (len(looks) - 1) + ["killed"], kinds
assert heaps == sorted(heaps) and heaps[-1] > heaps[0] and looks[-1]["trace"]["complete"], heaps
assert all(a["trace"]["complete"] or a["trace"]["moving_ops"] for a in looks), [a["trace"] for a in looks]'
ok follow_file [ $files -eq 0 -a "$(reports kept.txt)" -eq 1 ]
ok follow_file_last has kept.txt '^ END     killed by SIGKILL'
ok control_follow_over "$ANALYZE" --follow --text followed.bin # nobody is waited for
ok control_follow_once [ "$(reports "$TMP/out")" -eq 1 ]
not_ok control_json_lines sh -c '"$ANALYZE" --json followed.bin | head -n 1 | python3 -m json.tool'
expect_status 2 follow_pack "$ANALYZE" --follow --pack x.bin followed.bin
expect_status 2 follow_seconds "$ANALYZE" --follow=now followed.bin

# Its reader goes, its trace goes: it does not stay.
follow_reader() {
    rm -f up gone.bin
    "$RECORD" -q --size 4M --keep on-failure -o gone.bin -- "$BUILD/prog_death" grow:2 up:up on:0 wait &
    recorder=$!
    for _ in $(seq 300); do
        [ -e up ] && break
        sleep 0.1
    done
    timeout 60 "$ANALYZE" --follow=1 --text gone.bin | head -n 1 | grep -q '^====' || return 1
    timeout 60 "$ANALYZE" --follow=1 --text gone.bin >gone.txt 2>gone.err &
    texts=$!
    until_reports 1 gone.txt
    kill "$recorder"
    wait "$recorder"
    wait "$texts"
}
ok follow_leaves follow_reader
ok follow_leaves_quietly [ ! -s gone.err -a ! -e gone.bin ]

# ---- one list of options

"$ANALYZE" --help | sed -n 's/^  .*--\([a-z-]*\).*/\1/p' | sort >help.list
sed -n 's/^\.It .*Fl -\([a-z-]*\).*/\1/p' "$ROOT/man/fil4prod-analyze.1" | sort >man.list
ok man_lists_the_options cmp help.list man.list
ok help_has_options sh -c 'test "$(wc -l <help.list)" -gt 25'
"$PYTHON" - killed.json "$ROOT/man/fil4prod-analyze.1" >undocumented <<'END'
import json, re, sys
page = open(sys.argv[2]).read()
known = set(re.findall(r"[a-z_]{2,}", " ".join(re.findall(r"^\.(?:It )?Li (.*)$", page, re.M))))
facts = {"exe", "cwd", "host", "python_status", "kernel", "libc", "allocator", "cgroup", "recorder", "file_system", "native"}
def keys(value, path=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            if path not in (".losses", ".damage", ".instants"):
                yield key
            yield from keys(inner, path + "." + key)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner, path)
for key in sorted(set(keys(json.load(open(sys.argv[1])))) - known - facts):
    print(key)
END
ok man_lists_the_keys test ! -s undocumented
ok version "$ANALYZE" --version

finish
