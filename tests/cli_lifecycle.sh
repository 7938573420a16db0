#!/bin/sh
# Which processes leave a trace, how it is called, which traces stay, and what they tell of the command line.
# shellcheck disable=SC2016,SC2317 # quoted scripts are for other shells, functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

S=--size=1M
fresh() { rm -rf "$TMP/work" && mkdir "$TMP/work" && cd "$TMP/work" || exit 1; }
# record [OPTION...] -- COMMAND...: small processes leave traces, too
record() { "$RECORD" -q "$S" --min-heap=1M "$@"; }
# preloaded [VARIABLE=VALUE...] COMMAND...: without the launcher
preloaded() { env LD_PRELOAD="$LIBRARY" FIL4PROD_SIZE=1M FIL4PROD_MIN_HEAP=1M "$@"; }
# traces REGEX...: the directory has these files, in order, and no others
traces() {
    ls -A >"$TMP/ls"
    [ "$(wc -l <"$TMP/ls")" -eq $# ] || { cat "$TMP/ls" && return 1; }
    for regex in "$@"; do
        read -r name || return 1
        echo "$name" | grep -Exq -- "$regex" || { echo "$name is not $regex" && return 1; }
    done <"$TMP/ls"
}
job() { od -An -tx1 -j64 -N16 "$1" | tr -d ' \n'; }
same_job() { [ "$(job "$1")" = "$(job "$2")" ]; }
# state FILE: whether a process has written to it ("status N") and its interval at the end
state() {
    python3 - "$1" <<'PY'
import struct, sys
data = open(sys.argv[1], "rb").read()
base, = struct.unpack_from("<Q", data, 56)
count, = struct.unpack_from("<I", data, 100)
for i in range(count):
    kind, _, offset, size = struct.unpack_from("<IIQQ", data, 104 + 24 * i)
    if kind == 1:
        newest = max(struct.unpack_from("<QQQIIII", data, offset + 512 * s) for s in (0, 1))
        print("status", newest[3])
        print("interval", base << newest[6])
PY
}
recorded() { [ "$(state "$1" | sed -n 's/status //p')" -ne 0 ]; }
GROW='x = [bytes(1000) for i in range(5000)]
'
FORK='import os
'$GROW'
if os.fork() == 0:
    y = [bytes(1000) for i in range(5000)]
    os._exit(0)
os.wait()
'
printf '%s' "$GROW" >"$TMP/grow.py"

# ---- names ----
fresh
host=$(uname -n)
ok pattern record -o '%h.%c.%p.%%' sh -c 'echo $$ >"$0"' "$TMP/pid"
ok pattern_expanded traces "$host\\.sh\\.$(cat "$TMP/pid")\\.%"
fresh
ok pattern_time record -o '%t' true
ok pattern_time_expanded traces '20[0-9]{6}T[0-9]{6}'
fresh
expect_status 2 pattern_unknown record -o 'a%x' true
ok pattern_unknown_line has "$TMP/err" '^fil4prod-record: --output a%x: not a file name in which %'
expect_status 0 pattern_unknown_variable env FIL4PROD_OUTPUT=a%x "$RECORD" $S true
ok pattern_unknown_variable_line has "$TMP/err" '^fil4prod: FIL4PROD_OUTPUT=a%x is not a file name'
ok pattern_unknown_variable_default traces trace.bin
fresh
ok pattern_unknown_library preloaded FIL4PROD_OUTPUT=a%x python3 "$TMP/grow.py"
ok pattern_unknown_library_line has "$TMP/err" '^fil4prod: FIL4PROD_OUTPUT=a%x is not .*; this process is not recorded$'
ok pattern_unknown_unrecorded traces
ok pattern_library preloaded FIL4PROD_OUTPUT=%c.%p python3 "$TMP/grow.py"
ok pattern_library_expanded traces 'python3[.0-9]*\.[0-9]+'
fresh
ok pattern_script sh -c 'printf "#!/usr/bin/env python3\n%s" "$1" >"$2/job" && chmod +x "$2/job" && exec "$0" -q --size=1M -o "%c" -- "$2/job"' \
    "$RECORD" "$GROW" "$TMP"
ok pattern_script_name traces job
fresh
mkdir '100%p' && cd '100%p' || exit 1
ok pattern_directory record -o t python3 -c "$FORK"
ok pattern_directory_is_none traces t 't\.[0-9]+'
fresh
echo precious >taken
ok taken record -o taken true
ok taken_number traces taken 'taken\.1'
ok taken_untouched grep -qx precious taken
ok taken_library preloaded FIL4PROD_OUTPUT=taken python3 "$TMP/grow.py"
ok taken_library_pid traces taken 'taken\.1' 'taken\.[0-9]{2,}'
fresh
# the pid that is next here is used up: whoever has it finds its name taken
if unshare -pf --mount-proc true 2>/dev/null; then
    touch t.2
    ok taken_pid unshare -pf --mount-proc "$RECORD" -q $S -o t.%p true
    ok taken_pid_number traces 't\.2' 't\.2\.1'
    ok taken_pid_control unshare -pf --mount-proc "$RECORD" -q $S -o u.%p true
    ok taken_pid_is_that traces 't\.2' 't\.2\.1' 'u\.2'
else
    skip taken_pid "needs pid namespaces"
fi
fresh
expect_status 127 nothing_left_unrun record -o t.%p ./none
ok nothing_left_unrun_file traces

# ---- which processes ----
fresh
ok children record -o t python3 -c "$FORK"
ok children_beside traces t 't\.[0-9]+'
ok children_job same_job t t.*
fresh
ok children_exec record -o t sh -c 'python3 "$0"; true' "$TMP/grow.py"
ok children_exec_beside traces t 't\.[0-9]+'
fresh
ok children_pattern record -o t.%p python3 -c "$FORK"
ok children_pattern_own traces 't\.[0-9]+' 't\.[0-9]+'
fresh
ok childless record --children=no -o t python3 -c "$FORK"
ok childless_one traces t
ok childless_exec record --children=no -o u sh -c 'python3 "$0"; true' "$TMP/grow.py"
ok childless_exec_one traces t u
ok childless_same_process record --children=no -o v sh -c 'exec python3 "$0"' "$TMP/grow.py"
ok childless_same_process_recorded recorded v
fresh
ok childless_library preloaded FIL4PROD_CHILDREN=no FIL4PROD_OUTPUT=t python3 -c "$FORK"
ok childless_library_one traces t
ok childless_library_control preloaded FIL4PROD_OUTPUT=u python3 -c "$FORK"
ok childless_library_two traces t u 'u\.[0-9]+'
fresh
ok commands record --commands='foo,py*' -o t sh -c 'sh -c "exec sh -c true"; python3 "$0"' "$TMP/grow.py"
ok commands_listed traces t 't\.[0-9]+'
not_ok commands_others_not recorded t
ok commands_say_nothing "$RECORD" $S --commands='foo' -o v sh -c true
ok commands_said_nothing [ ! -s "$TMP/err" ]
ok commands_then record --commands='py*' -o u sh -c 'exec python3 "$0"' "$TMP/grow.py"
ok commands_then_recorded recorded u
ok commands_library preloaded FIL4PROD_COMMANDS=sh FIL4PROD_OUTPUT=w python3 "$TMP/grow.py"
ok commands_library_not [ ! -e w ]

# ---- jobs ----
fresh
ok job_group preloaded FIL4PROD_OUTPUT=t sh -c 'python3 "$0"; python3 "$0"' "$TMP/grow.py"
ok job_group_same same_job t t.*
ok job_other_group python3 -c 'import os, subprocess, sys
e = dict(os.environ, LD_PRELOAD=sys.argv[1], FIL4PROD_SIZE="1M", FIL4PROD_MIN_HEAP="1M", FIL4PROD_OUTPUT="u")
subprocess.run(["python3", sys.argv[2]], env=e, start_new_session=True, check=True)' "$LIBRARY" "$TMP/grow.py"
not_ok job_other_group_differs same_job t u
if [ -n "${SANITIZED:-}" ]; then # the outer launcher leaves a sanitized program alone
    skip job_outer "a sanitized launcher is not recorded"
else
    ok job_outer record -o v "$RECORD" -q $S -o w true
    ok job_outer_same same_job v w
fi
not_ok job_control same_job t v

# ---- retention ----
# old NAME...: traces, each older than the next
old() {
    minute=10
    for name in "$@"; do
        "$RECORD" -q "$S" -o "$name" true && touch -d "2020-01-01 00:$minute" "$name" || return 1
        minute=$((minute + 1))
    done
}
fresh
ok retain_setup old t.1 t.3 t.2 t other.bin
echo text >t.4
ln -s t.1 t.5
cp t.1 t.9.old && touch -d 2019-01-01 t.4 t.9.old
ok retain_count record --max-traces=3 -o t true
ok retain_count_oldest traces other.bin t 't\.1' 't\.2' 't\.4' 't\.5' 't\.9\.old'
ok retain_new_has_first_name sh -c '[ -n "$(find t.1 -newer t.2)" ]'
ok retain_bytes record --max-total=2M -o t true
ok retain_bytes_oldest sh -c '[ "$(ls t t.1 t.2 t.3 2>/dev/null | wc -l)" -eq 2 ]'
ok retain_others_stay sh -c '[ -f other.bin ] && [ -f t.9.old ] && [ -L t.5 ] && grep -q text t.4'
fresh
ok retain_pattern_setup old a-1 a-2 b-3
ok retain_pattern record --max-traces=2 -o a-%p true
ok retain_pattern_family sh -c '[ ! -e a-1 ] && [ -f a-2 ] && [ -f b-3 ] && [ "$(ls | wc -l)" -eq 3 ]'
fresh
ok retain_library_setup old t t.1 t.2
ok retain_library preloaded FIL4PROD_MAX_TRACES=2 FIL4PROD_OUTPUT=t python3 "$TMP/grow.py"
ok retain_library_oldest sh -c '[ "$(ls | wc -l)" -eq 2 ] && [ -f t.2 ] && [ -n "$(find . -newer t.2 -type f)" ]'
ok retain_library_names sh -c '[ ! -e t ] && [ ! -e t.1 ]'
fresh
mkfifo ready
"$RECORD" -q $S -o t -- sh -c 'echo $$ >ready; exec sleep 1000' >/dev/null 2>&1 &
launcher=$!
read -r sleeper <ready
touch -d 2020-01-01 t
ok retain_in_use record --max-traces=1 -o t true
ok retain_in_use_stays traces ready t 't\.1'
kill -KILL $launcher && wait $launcher 2>/dev/null # its command runs on: the mapping alone holds the trace
touch -d 2020-01-01 t
ok retain_mapped record --max-traces=1 -o t true
ok retain_mapped_stays traces ready t 't\.1'
kill "$sleeper"
gone() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        case $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) in '' | Z) return 0 ;; esac # nobody may wait for it
        sleep 0.2
    done
    return 1
}
ok retain_ended gone "$sleeper"
touch -d 2020-01-01 t
ok retain_ended_goes record --max-traces=1 -o t true
ok retain_ended_one traces ready t
fresh
if [ "$(id -u)" -eq 0 ] && chown 65534 . 2>/dev/null; then
    ok retain_owner_setup old t t.1
    chown 65534 t
    ok retain_owner record --max-traces=1 -o t true
    ok retain_owner_stays traces t 't\.1'
    ln t.1 twice
    ok retain_link record --max-traces=1 -o t true
    ok retain_link_stays traces t 't\.1' 't\.2' twice
    chown 0 .
else
    skip retain_owner "needs root"
fi
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    fresh
    mkdir l u w m
    printf '%s\n' 'mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m && cd m || exit 1
LD_PRELOAD=$2 FIL4PROD_SIZE=1M FIL4PROD_MIN_HEAP=0 FIL4PROD_OUTPUT=t sleep 1000 >../said 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s ../said ] && break || sleep 0.2; done
touch -d 2020-01-01 t
"$1" -q --size=1M --max-traces=1 -o t true
ls >../used
kill $! && wait
"$1" -q --size=1M --max-traces=1 -o t true
ls >../unused' >overlay
    ok retain_overlay unshare -m sh overlay "$RECORD" "$LIBRARY"
    ok retain_overlay_in_use [ "$(xargs <used)" = "t t.1" ]
    ok retain_overlay_ended [ "$(xargs <unused)" = t ]
else
    skip retain_overlay "needs root and mount namespaces"
fi

# ---- what stays of a job ----
fresh
ok keep_success record --keep=on-failure -o t python3 -c "$FORK"
ok keep_success_nothing traces
expect_status 3 keep_failure record --keep=on-failure -o t sh -c 'python3 "$0"; exit 3' "$TMP/grow.py"
ok keep_failure_all traces t 't\.[0-9]+'
expect_status 137 keep_killed record --keep=on-failure -o u sh -c 'kill -9 $$'
ok keep_killed_stays [ -f u ]
fresh
ok keep_others old t
ok keep_only_own_job record --keep=on-failure -o t python3 -c "$FORK"
ok keep_only_own_job_left traces t
ok keep_pattern record --keep=on-failure -o '%c.%p' python3 -c "$FORK"
ok keep_pattern_nothing traces t
fresh
BIG='x = [bytes(1000) for i in range(60000)]'
ok keep_over record --keep=over=40M -o t sh -c 'python3 "$0"; python3 -c "$1"' "$TMP/grow.py" "$BIG"
ok keep_over_large traces t 't\.[0-9]+' # the command's own counts what it waited for
fresh
ok keep_over_own record --keep=over=40M -o t python3 -c "$BIG"
ok keep_over_own_stays traces t
ok keep_over_small record --keep=over=500M -o u python3 -c "$BIG"
ok keep_over_small_gone traces t
fresh
if [ -n "${SANITIZED:-}" ]; then
    skip keep_nested "a sanitized launcher is not recorded"
else
    ok keep_nested record -o t "$RECORD" -q $S --keep=on-failure -o t true
    ok keep_nested_outer_stays traces t
fi
fresh
ok keep_library preloaded FIL4PROD_KEEP=on-failure FIL4PROD_OUTPUT=t python3 "$TMP/grow.py"
ok keep_library_nothing traces
expect_status 4 keep_library_failure preloaded FIL4PROD_KEEP=on-failure FIL4PROD_OUTPUT=t python3 -c "$GROW
raise SystemExit(4)"
ok keep_library_failure_stays traces t
expect_status 0 keep_library_exit preloaded FIL4PROD_KEEP=on-failure FIL4PROD_OUTPUT=u python3 -c "$GROW
import os
os._exit(0)"
ok keep_library_exit_gone traces t
expect_status 5 keep_library_exit_failure preloaded FIL4PROD_KEEP=on-failure FIL4PROD_OUTPUT=u python3 -c "$GROW
import os
os._exit(5)"
ok keep_library_exit_failure_stays traces t u
ok keep_library_over preloaded FIL4PROD_KEEP=over=40M FIL4PROD_OUTPUT=v python3 -c "$BIG"
ok keep_library_over_stays traces t u v
ok keep_library_small preloaded FIL4PROD_KEEP=over=500M FIL4PROD_OUTPUT=w python3 -c "$BIG"
ok keep_library_small_gone traces t u v
ok keep_library_moved preloaded FIL4PROD_KEEP=on-failure FIL4PROD_OUTPUT=w python3 -c "$GROW
import os
os.rename('w', 'x')
open('w', 'w').write('mine')"
ok keep_library_moved_stays traces t u v w x

# ---- secrets ----
fresh
ok secret record -o t python3 -c "$FORK" --password hunter2 --token=hunter2 https://u:hunter2@h/ --day 7
ok secret_gone sh -c '! cat t t.* | grep -aq hunter2'
ok secret_rest sh -c 'command_of() { "$0" --json "$1" | grep -q -- "--day"; }; command_of t && command_of t.*' "$ANALYZE"
ok secret_child record -o s sh -c 'python3 -c "$0" --password hunter2; true' \
    "x = bytearray(b'1') * (64 << 20); import time; time.sleep(1.5)"
ok secret_child_gone sh -c '! cat s s.* | grep -aq hunter2'
ok secret_all record --redact=no -o u python3 -c "$FORK" --password hunter2
ok secret_control sh -c 'grep -aq hunter2 u && cat u.* | grep -aq hunter2'
ok secret_named record --redact=pin -o v true --pin hunter2
ok secret_named_gone sh -c '! grep -aq hunter2 v'
ok secret_unnamed record -o w true --pin hunter2
ok secret_unnamed_control grep -aq hunter2 w

# ---- directories ----
fresh
ok directory_open chmod 777 .
ok directory_open_runs "$RECORD" $S -o t true
ok directory_open_warns has "$TMP/err" '^fil4prod: t: the directory of the trace is writable by everybody'
ok directory_sticky chmod 1777 .
ok directory_sticky_runs "$RECORD" $S -o u true
ok directory_sticky_silent [ ! -s "$TMP/err" ]
ok directory_mode sh -c '[ "$(stat -c %a t)" = 600 ]'
chmod 755 .

# ---- a job that changes where it is and what it may ----
# The library's trace is made after the change: it takes a heap of 12 MiB.
LARGE='large = [bytes(1000) for i in range(20000)]
'
LARGE_FORK=$LARGE'if os.fork() == 0:
    more = [bytes(1000) for i in range(20000)]
    os._exit(0)
os.wait()
'
# changed NAME PYTHON [TRACES...]: a job that grows after PYTHON, by library and launcher; traces beside where it began
changed() {
    changed=$1 code=$2
    shift 2
    fresh
    mkdir in
    ok "${changed}_library" preloaded FIL4PROD_MIN_HEAP=12M FIL4PROD_OUTPUT=t python3 -c "$code
$LARGE_FORK"
    ok "${changed}_library_silent" [ ! -s "$TMP/err" ]
    ok "${changed}_library_traces" traces in "$@"
    fresh
    mkdir in
    ok "${changed}_launcher" record --min-heap=12M -o t python3 -c "$code
$LARGE_FORK"
    ok "${changed}_launcher_traces" traces in "$@"
}
changed chdir 'import os; os.chdir("in")' t 't\.[0-9]+'
changed closefrom 'import os; os.closerange(3, 4096)' t 't\.[0-9]+'
ok closefrom_sound sh -c '"$0" --json t | grep -q "\"live_sound\": *true"' "$ANALYZE"
ok closefrom_child_sound sh -c '"$0" --json t.* | grep -q "\"live_sound\": *true"' "$ANALYZE"

# unrecorded NAME REGEX PYTHON: where the library cannot make the file, one line says why, and the job does not notice
unrecorded() {
    fresh
    mkdir in
    cat >job.py <<END
import os, resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
$3
$LARGE
print("ran", flush=True)
os._exit(6)
END
    expect_status 6 "$1" preloaded FIL4PROD_MIN_HEAP=12M FIL4PROD_OUTPUT=in/t python3 job.py
    cp "$TMP/out" job.out && cp "$TMP/err" job.err
    ok "$1_ran" grep -qx ran job.out
    ok "$1_line" has job.err "^fil4prod: .*in/t: $2.*; this process is not recorded\$"
    ok "$1_one_line" [ "$(wc -l <job.err)" -eq 1 ]
    ok "$1_nothing_left" [ -z "$(find . -name 't*')" ]
}
unrecorded file_size '.*limit on file sizes' 'resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))'
unrecorded directory_gone '.*no such directory' 'os.rename("in", "out")'
if [ "$(id -u)" -eq 0 ]; then
    unrecorded directory_read_only '.*permission denied' 'os.chmod("in", 0o555); os.setgid(65534); os.setuid(65534)'
else
    unrecorded directory_read_only '.*permission denied' 'os.chmod("in", 0o555)'
fi

# ---- the CPU budget ----
CHURN='import sys
for i in range(300):
    x = [bytes(3000) for i in range(2000)]
'
interval() { state "$1" | sed -n 's/interval //p'; }
fresh
ok budget_small record --cpu-budget=0.1 -o small python3 -c "$CHURN"
ok budget_large record --cpu-budget=100 -o large python3 -c "$CHURN"
ok budget_counts sh -c '[ "$1" -gt "$2" ]' sh "$(interval small)" "$(interval large)"
expect_status 2 budget_zero record --cpu-budget=0 true

# ---- process 1 ----
fresh
if unshare -pf --mount-proc true 2>/dev/null; then
    ok init_children unshare -pf --mount-proc "$RECORD" -q $S --min-heap=1M -o t -- sh -c 'python3 "$0" & wait; true' "$TMP/grow.py"
    ok init_traces traces t 't\.[0-9]+'
    ok init_job same_job t t.*
    expect_status 9 init_status unshare -pf --mount-proc "$RECORD" -q $S -o u -- sh -c '(sleep 0.2; exit 3) & exit 9'
    ok init_keep unshare -pf --mount-proc "$RECORD" -q $S --min-heap=1M --keep=on-failure -o v -- python3 -c "$FORK"
    ok init_keep_nothing sh -c '! ls v*'
else
    skip init "needs pid namespaces"
fi
finish
