#!/bin/sh
# A gallery of deaths, each real: under the launcher (NAME.l) and with the library alone (NAME.a), what the verdict
# says, how sure it is, and on what grounds. Where a memory cgroup can be made, the kernel's OOM killer does its part.
# shellcheck disable=SC2016,SC2086,SC2317 # quoted scripts are for other shells; $before is words; ok calls functions
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3
JOB=$BUILD/prog_death
# shellcheck disable=SC3045 # every shell that is /bin/sh somewhere has it
ulimit -c 0

# ---- tools ----

# fact FILE EXPRESSION: holds for the analysis in FILE; kind, sure, signal, code, cause, end, evidence are its verdict's
fact() {
    python3 - "$1.json" "$2" <<'PY'
import json, sys
a = json.load(open(sys.argv[1]))
v = a["verdict"]
kind, sure, signal, code, cause, end = (v[k] for k in ("kind", "confidence", "signal", "exit_code", "cause", "end"))
evidence = "\n".join(v["evidence"])
if not eval(sys.argv[2]):
    sys.exit("does not hold: %s\n%s" % (sys.argv[2], json.dumps(v, indent=1)))
PY
}

# analysis NAME [FILE]: NAME.json and NAME.txt of NAME.bin or FILE
analysis() {
    "$ANALYZE" --force --json="$1.json" --text="$1.txt" "${2:-$1.bin}" >"$1.out" 2>&1
}

# Programs that go before a command: ./in GROUP, ./under KIB, ./first puts it before all others in the OOM killer's eyes,
# ./preload TRACE has it recorded by the library alone. None of them is recorded itself.
program() {
    printf '#!/bin/sh\n%s\n' "$2" >"$1"
    chmod +x "$1"
}
program in 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'
program under 'ulimit -v "$1" && shift && exec "$@"'
program first 'echo 1000 >/proc/self/oom_score_adj && exec "$@"'
program preload "name=\$1 && shift
exec env LD_PRELOAD=\"\${library:-$LIBRARY}\" FIL4PROD_OUTPUT=\"\$name\" FIL4PROD_MIN_HEAP=0 FIL4PROD_SIZE=4M FIL4PROD_QUIET=1 \"\$@\""

# launched NAME CMD..., alone NAME CMD..., both: runs it to its end and has a look at its trace; $before goes before it
before=''
launched() {
    launched_name=$1.l
    shift
    "$RECORD" -q --size 4M -o "$launched_name.bin" -- $before "$@" >"$launched_name.log" 2>&1
    analysis "$launched_name"
}
alone() {
    alone_name=$1.a
    shift
    $before ./preload "$alone_name.bin" "$@" >"$alone_name.log" 2>&1
    analysis "$alone_name"
}
both() {
    launched "$@"
    alone "$@"
}

# until_there FILE: somebody else makes it
until_there() {
    for _ in $(seq 300); do
        [ -e "$1" ] && return 0
        sleep 0.1
    done
    echo "no $1"
    return 1
}

# pid_of TRACE: the recorded process
pid_of() {
    "$ANALYZE" --json "$1" 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["target"]["pid"])'
}

# child NAME EXPRESSION: fact() of the one trace beside NAME.bin that a forked child of it left
child() {
    set -- "$1" "$2" "$1.bin".[0-9]*
    [ -f "$3" ] || set -- "$1" "$2" "$1".[0-9]*.bin
    [ $# -eq 3 ] && analysis "child.$1" "$3" && fact "child.$1" "$2"
}

# killed_by SIGNAL NAME CMD...: both ways, with a signal to the process when its last word, up:FILE, is done
killed_by() {
    killed_signal=$1 killed_name=$2
    shift 2
    rm -f up
    "$RECORD" -q --size 4M -o "$killed_name.l.bin" -- $before "$@" >"$killed_name.l.log" 2>&1 &
    killed_job=$!
    until_there up && kill "-$killed_signal" "$(pid_of "$killed_name.l.bin")"
    wait "$killed_job"
    analysis "$killed_name.l"
    rm -f up
    $before ./preload "$killed_name.a.bin" "$@" >"$killed_name.a.log" 2>&1 &
    killed_job=$!
    until_there up && kill "-$killed_signal" "$(pid_of "$killed_name.a.bin")"
    wait "$killed_job"
    analysis "$killed_name.a"
}

# ---- without a cgroup ----

both zero "$JOB" grow:2 exit:0
ok zero fact zero.l 'kind == "exited" and sure == "certain" and code == 0 and signal is None and "status 0" in end'
ok zero_alone fact zero.a 'kind == "exited" and sure == "certain" and code == 0 and "exit handlers" in evidence'
ok zero_alone_text has zero.a.txt '^ END     exited with status 0 after '
ok zero_text has zero.l.txt '^ END     exited with status 0 after '
both three "$JOB" grow:2 exit:3
ok three fact three.l 'kind == "exited" and sure == "certain" and code == 3 and "exit 3" in evidence'
ok three_alone fact three.a 'kind == "exited" and sure == "certain" and code == 3 and "last word: exit 3" in evidence'
both leave "$JOB" grow:2 leave:4
ok leave fact leave.l 'kind == "exited" and sure == "certain" and code == 4'
ok leave_alone fact leave.a 'kind == "exited" and sure == "certain" and code == 4 and "by _exit" in evidence'
both quick "$JOB" grow:2 quick:262
ok quick fact quick.l 'kind == "exited" and sure == "certain" and code == 6'
ok quick_alone fact quick.a 'kind == "exited" and sure == "certain" and code == 6'
# The last word is the last one's: of handlers of exit, and of destructors after them.
alone handler "$JOB" grow:2 handler:7 exit:3
ok handler_alone fact handler.a 'kind == "exited" and code == 7 and "exit handlers" in evidence'
alone last "$JOB" grow:2 last:5 exit:3
ok last_alone fact last.a 'kind == "exited" and code == 5 and "by _exit" in evidence'
alone last_segv "$JOB" grow:2 last:segv exit:3
ok last_segv_alone fact last_segv.a 'kind == "unknown" and code is None and "no exit handlers" in evidence'
alone threads "$JOB" threads:3 grow:2 leave:4
ok threads_alone fact threads.a 'kind == "exited" and code == 4 and a["trace"]["complete"]'
both segv "$JOB" grow:2 segv
ok segv fact segv.l 'kind == "crashed" and sure == "certain" and signal == 11 and "SIGSEGV" in end'
ok segv_alone fact segv.a 'kind == "unknown" and sure == "unknown" and "no exit handlers" in evidence'
ok segv_text has segv.l.txt '^ END     crashed by SIGSEGV after '
ok segv_alone_text has segv.a.txt '^ END     end not seen; last heard of after '
both abort "$JOB" grow:2 abort
ok abort fact abort.l 'kind == "crashed" and sure == "certain" and signal == 6'
ok abort_alone fact abort.a 'kind == "unknown" and sure == "unknown"'

killed_by KILL kill "$JOB" grow:2 up:up wait
ok kill fact kill.l 'kind == "killed" and signal == 9 and "SIGKILL" in evidence'
ok kill_alone fact kill.a 'kind == "unknown" and signal is None and "no launcher" in evidence'
ok kill_text has kill.l.txt '^ END     killed by SIGKILL after '
killed_by TERM term "$JOB" grow:2 up:up wait
ok term fact term.l 'kind == "killed" and sure == "certain" and signal == 15'
ok term_alone fact term.a 'kind == "unknown"'
killed_by TERM handled "$JOB" grow:2 on:5 up:up wait
ok handled fact handled.l 'kind == "exited" and sure == "certain" and code == 5 and signal is None'
ok handled_alone fact handled.a 'kind == "exited" and sure == "certain" and code == 5'

# Workers of multiprocessing end by os._exit.
alone worker "$PYTHON" -c 'import multiprocessing, os
def work():
    keep = bytearray(8 << 20)
    os._exit(7)
worker = multiprocessing.get_context("fork").Process(target=work)
worker.start()
worker.join()
raise SystemExit(worker.exitcode)'
ok worker_parent fact worker.a 'kind == "exited" and code == 7 and "exit handlers" in evidence'
ok worker_alone child worker.a 'kind == "exited" and sure == "certain" and code == 7 and "by _exit" in evidence'

# Vforked children run in their parent's memory: their ends are not its own.
killed_by KILL vfork "$JOB" grow:2 vfork:1000 up:up wait
ok vfork fact vfork.l 'kind == "killed" and signal == 9'
ok vfork_alone fact vfork.a 'kind == "unknown" and code is None and a["trace"]["complete"]'
killed_by KILL commands "$PYTHON" -c 'import os, signal, subprocess
for i in range(1000):
    try:
        subprocess.run(["/nowhere/to/be/found"])
    except FileNotFoundError:
        pass
open("up", "w").close()
signal.pause()'
ok commands_alone fact commands.a 'kind == "unknown" and code is None and a["trace"]["complete"]'

# From a handler that interrupts the recorder, at whatever place: every time a status, a whole trace, an end at once.
storms() {
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        rm -f "storm$i.a.bin"
        before='timeout -s KILL 60 env FIL4PROD_INTERVAL=1'
        alone "storm$i" "$JOB" threads:1 storm:9
        before=''
        fact "storm$i.a" 'kind == "exited" and code == 9 and a["trace"]["complete"]' || return 1
    done
}
ok storm storms

# Where the job has forbidden itself the system calls that this takes, nothing is asked.
forbidden() {
    ./preload forbid.a.bin "$JOB" grow:2 forbid leave:8
}
expect_status 8 forbid forbidden
analysis forbid.a
ok forbid_alone fact forbid.a 'code is None and "restricts" in a["trace"]["passive"]'

# Each with its guard taken out.
# without GUARD CMD...: with the library that lacks it
without() {
    library=$BUILD/host/mutant/$1/libfil4prod.so
    export library
    shift
    [ ! -f "$library" ] || "$@" # a missing one passes, which its test does not expect
    without_status=$?
    unset library
    return $without_status
}
unvforked() {
    rm -f up
    killed_by KILL control_vfork "$JOB" grow:2 vfork:1 up:up wait
    fact control_vfork.a 'code is None'
}
not_ok control_vfork without vfork_unseen unvforked
not_ok control_storm without word_waits storms
not_ok control_forbid without sandbox_unseen forbidden
coded() {
    rm -f control_word.a.bin
    alone control_word "$JOB" grow:2 "$1"
    fact control_word.a "code == 3"
}
ok control_coded coded exit:3
not_ok control_exit without handler_unregistered coded exit:3
not_ok control_leave without leaving_unseen coded leave:3

# refused by RLIMIT_AS: the job sees NULL, Python's sees MemoryError
before='./under 400000'
both null "$JOB" grow:2 ask:4000
ok null fact null.l 'kind == "allocation-failed" and sure == "likely" and code == 2 and "3.9G failed" in evidence'
ok null_alone fact null.a 'kind == "allocation-failed" and sure == "likely" and code == 2 and "3.9G failed" in evidence'
ok null_text has null.l.txt '^ CAUSE   a request for 3.9G failed just before \(likely\)'
ok null_asker has null.l.txt '^         asked for by prog_death\.c:[0-9]+ ask$'
both cope "$JOB" grow:2 cope:4000 rest:1200 grow:1 exit:0
ok control_coped fact cope.l 'kind == "exited" and code == 0 and "3.9G failed" in evidence'
ok control_coped_alone fact cope.a 'kind == "exited" and code == 0 and "3.9G failed" in evidence'
both unchecked "$JOB" grow:2 use:4000
ok unchecked fact unchecked.l 'kind == "allocation-failed" and sure == "likely" and signal == 11'
ok unchecked_alone fact unchecked.a 'kind == "unknown" and "had just failed" in cause'
before='./under 600000'
both memory_error "$PYTHON" -c 'keep = [bytearray(1 << 20) for i in range(1000)]'
ok memory_error has memory_error.l.log '^MemoryError'
ok memory_error_verdict fact memory_error.l 'kind == "allocation-failed" and sure == "likely" and code == 1'
ok memory_error_alone fact memory_error.a 'kind == "allocation-failed" and sure == "likely" and code == 1'
ok memory_error_alone_text has memory_error.a.txt '^ END     exited with status 1 after '
FIL4PROD_INTERVAL=1G
export FIL4PROD_INTERVAL
alone unsampled "$PYTHON" -c 'keep = [bytearray(1 << 20) for i in range(1000)]'
unset FIL4PROD_INTERVAL
ok unsampled fact unsampled.a 'kind == "allocation-failed" and sure == "likely" and code == 1'
# Small objects: pymalloc's arenas are refused, again and again.
cat >small.py <<'EOF'
def load(rows):
    for i in range(1 << 30):
        rows.append((i, str(i)))
load([])
EOF
alone small "$PYTHON" small.py
ok small fact small.a 'kind == "allocation-failed" and sure == "likely" and code == 1'
ok small_asker has small.a.txt '^         asked for by small\.py:[23] load$'
before=''

# still running, and a file that was taken away before the end
rm -f up
"$RECORD" -q --size 4M -o running.l.bin -- "$JOB" grow:2 up:up on:0 wait &
running=$!
until_there up
./preload running.a.bin "$JOB" grow:2 up:up2 on:0 wait &
running_alone=$!
until_there up2
for way in l a; do
    analysis "running.$way"
    cp "running.$way.bin" "gone.$way.bin"
done
kill "$running" "$running_alone"
wait "$running" "$running_alone"
for way in l a; do
    analysis "gone.$way"
    analysis "ended.$way" "running.$way.bin"
    ok "running_$way" fact "running.$way" 'kind == "running" and sure == "certain" and "still running" in end'
    ok "gone_$way" fact "gone.$way" 'kind == "unknown" and sure == "unknown" and "ran no" not in evidence'
    ok "control_ended_$way" fact "ended.$way" 'kind == "exited"'
done
ok gone_says_why fact gone.l '"the file was copied before" in evidence'
ok running_text has running.l.txt '^ END     still running, .* so far'

# launcher and job killed at once
rm -f up
"$RECORD" -q --size 4M -o together.l.bin -- "$JOB" grow:2 up:up wait &
launcher=$!
until_there up
kill -KILL "$launcher" "$(pid_of together.l.bin)"
wait "$launcher"
analysis together.l
ok together fact together.l 'kind == "unknown" and sure == "unknown" and "ended together with the job" in evidence'
ok together_text has together.l.txt '^ END     end not seen'

# ---- in a memory cgroup ----

base='' limit=memory.limit_in_bytes
own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
if [ -n "$own" ] && mkdir "/sys/fs/cgroup/memory$own/f4p-deaths-$$" 2>/dev/null; then
    base=/sys/fs/cgroup/memory$own/f4p-deaths-$$
elif [ -f /sys/fs/cgroup/cgroup.controllers ] && mkdir "/sys/fs/cgroup/f4p-deaths-$$" 2>/dev/null; then
    base=/sys/fs/cgroup/f4p-deaths-$$ limit=memory.max
    echo +memory >"$base/cgroup.subtree_control" 2>/dev/null
fi
if [ -z "$base" ] || ! mkdir "$base/probe" 2>/dev/null || ! echo 67108864 >"$base/probe/$limit" 2>/dev/null; then
    [ -z "$base" ] || rmdir "$base/probe" "$base" 2>/dev/null
    skip oom "cannot make a memory cgroup here: no death by the OOM killer was looked at"
    finish
fi
rmdir "$base/probe"

# group NAME MIB: makes it; MIB 0: without a limit
group() {
    mkdir "$base/$1" || return 1
    [ "$2" -eq 0 ] || echo $(($2 << 20)) >"$base/$1/$limit"
    [ ! -f "$base/$1/memory.swap.max" ] || echo 0 >"$base/$1/memory.swap.max"
}
kmsg=no
[ "$(id -u)" -eq 0 ] && [ -r /dev/kmsg ] && kmsg=yes

# by the job itself
group own 64
before="./in $base/own"
both oom "$JOB" eat
ok oom fact oom.l 'kind == "oom-cgroup" and sure == "certain" and signal == 9 and "oom_kill 0 -> 1" in cause'
ok oom_limit fact oom.l 'a["target"]["cgroup_limit_bytes"] == 64 << 20 and "of 64.0M charged" in cause'
ok oom_not_others fact oom.l '"others" not in cause and "ancestor" not in cause'
ok oom_alone fact oom.a 'kind == "oom-cgroup" and sure == "likely" and "of 64.0M charged" in cause and signal is None'
ok oom_alone_not_others fact oom.a '"others" not in cause'
ok oom_text has oom.l.txt '^ CAUSE   cgroup OOM kill: .* of 64\.0M charged( at its highest)?, oom_kill 0 -> 1 \(certain\)'
ok oom_alone_text has oom.a.txt '^ CAUSE   cgroup OOM kill: .* of 64\.0M charged( at its highest)? \(likely\)'
# the launcher inside the same small group, and Python
$before "$RECORD" -q --size 4M -o inside.l.bin -- "$PYTHON" -c 'keep = []
while True: keep.append(bytearray(1 << 20))' >inside.log 2>&1
analysis inside.l
ok inside fact inside.l 'kind == "oom-cgroup" and sure == "certain" and "others" not in cause'
# control: the same program where there is room
group roomy 640
before="./in $base/roomy"
both roomy "$JOB" grow:80
ok control_room fact roomy.l 'kind == "exited" and code == 0'
ok control_room_alone fact roomy.a 'kind == "exited"'

# by hand, while the limit is full of page cache
before="./in $base/own"
$before dd if=/dev/zero of=cached bs=1M count=150 2>/dev/null
# The kernel takes back cache in portions of megabytes: not each time is the limit near at the end.
full_of_cache() {
    for _ in 1 2 3 4 5 6; do
        rm -f up cache.l.* cache.a.*
        killed_by KILL cache "$JOB" grow:2 read:cached rest:300 grow:2 rest:300 read:cached up:up wait
        fact cache.l 'any(int(float(e.split()[1][:-1])) > 60 for e in v["evidence"] if e.startswith("cgroup: "))' && return
    done
    return 1
}
ok cache_is_at_the_limit full_of_cache
ok cache fact cache.l 'kind == "killed" and sure == "certain" and "page cache, which is no OOM" in cause'
ok cache_alone fact cache.a 'kind == "unknown" and "page cache" in evidence'
# by hand, after an OOM kill in the group that was another's
rm -f up
"$RECORD" -q --size 4M -o earlier.l.bin -- $before "$JOB" grow:2 up:up wait &
earlier=$!
until_there up
$before "$JOB" eat
sleep 0.5
kill -KILL "$(pid_of earlier.l.bin)"
wait "$earlier"
analysis earlier.l
ok earlier fact earlier.l 'kind == "killed" and sure == "certain" and "rose by 1 while the process lived on" in evidence'
ok earlier_cause fact earlier.l '"took another process of the cgroup before" in cause'
rm -f up
$before ./preload earlier.a.bin "$JOB" grow:2 up:up rest:1500 grow:1 rest:300 grow:1 up:up2 wait &
earlier=$!
until_there up
$before "$JOB" eat
rm -f up2
until_there up2
kill -KILL "$(pid_of earlier.a.bin)"
wait "$earlier"
analysis earlier.a
ok earlier_alone fact earlier.a 'kind == "unknown" and "rose by 1 while the process lived on" in evidence'

# others hold nearly all of it, and the kernel has reasons to prefer the job
group shared 96
rm -f hog_up
"./in" "$base/shared" "$JOB" grow:70 up:hog_up wait &
hog=$!
until_there hog_up
before="./in $base/shared ./first"
both sibling "$JOB" eat
ok sibling fact sibling.l 'kind == "oom-cgroup" and "others held most of it" in cause and signal == 9'
ok sibling_names_it fact sibling.l '"process of the cgroup held most of it: pid" in evidence and "grow:70" in evidence'
if [ $kmsg = yes ]; then
    ok sibling_by_log fact sibling.l 'sure == "certain" and "kernel'\''s log" in evidence'
else
    skip sibling_by_log "the kernel's log cannot be read"
fi
ok sibling_alone fact sibling.a 'kind == "oom-cgroup" and sure == "likely" and "others held most of it" in cause'
ok sibling_text has sibling.l.txt 'others held most of it, this job'
if unshare -pf --mount-proc true 2>/dev/null; then
    # in a pid namespace the log's process ids say nothing: the count may be of any process of the group
    unshare -pf --mount-proc "$RECORD" -q --size 4M -o namespace.l.bin -- $before "$JOB" eat
    analysis namespace.l
    ok sibling_without_log fact namespace.l 'kind == "oom-cgroup" and sure == "likely" and "others" in cause'
else
    skip sibling_without_log "cannot make a pid namespace"
fi
kill "$hog"
wait "$hog"
# control: the same group without the other
launched no_sibling "$JOB" eat
ok control_no_sibling fact no_sibling.l 'kind == "oom-cgroup" and sure == "certain" and "others" not in cause'

# a container's end: the kernel takes its first process, and with it launcher and job at once
if unshare -pf --mount-proc true 2>/dev/null; then
    group container 64
    program second 'echo 0 >/proc/self/oom_score_adj && exec "$@"'
    program container './second "$JOB" grow:24 wait & ./second "$@"; exit $?'
    export JOB
    "./in" "$base/container" unshare -pf --mount-proc ./first ./container "$RECORD" -q --size 4M -o container.l.bin -- \
        "$JOB" eat >container.log 2>&1
    analysis container.l
    ok container fact container.l 'kind == "oom-cgroup" and sure == "likely" and "together with the job" in evidence'
    ok container_text has container.l.txt '^ CAUSE   cgroup OOM kill: .* of 64\.0M charged'
    rmdir "$base/container"
else
    skip container "cannot make a pid namespace"
fi

# by the limit of an ancestor
group parent 64
mkdir "$base/parent/child"
before="./in $base/parent/child"
both ancestor "$JOB" eat
ok ancestor fact ancestor.l 'kind == "oom-cgroup" and sure == "certain" and "by an ancestor'\''s limit" in cause'
ok ancestor_limit fact ancestor.l '"of 64.0M charged" in cause and a["target"]["cgroup_limit_bytes"] == 64 << 20'
ok ancestor_alone fact ancestor.a 'kind == "oom-cgroup" and sure == "likely" and "by an ancestor'\''s limit" in cause'
ok ancestor_text has ancestor.l.txt "^ CAUSE   cgroup OOM kill by an ancestor's limit: "
# control: a limit of its own below the parent's
echo $((48 << 20)) >"$base/parent/child/$limit"
both child "$JOB" eat
ok control_own_limit fact child.l '"ancestor" not in cause and "of 48.0M charged" in cause and sure == "certain"'
ok control_own_limit_alone fact child.a '"ancestor" not in cause and "of 48.0M charged" in cause and sure == "likely"'

rmdir "$base/parent/child" "$base/parent" "$base/shared" "$base/roomy" "$base/own" "$base"
finish
