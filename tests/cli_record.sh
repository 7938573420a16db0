#!/bin/sh
# fil4prod-record: the command runs as if it ran alone, whatever becomes of its trace.
# shellcheck disable=SC2016,SC2317 # quoted scripts are for other shells, functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

S=--size=1M

root() { [ "$(id -u)" -eq 0 ]; }
# stderr_has REGEX CMD...: CMD's stderr has such a line; its status does not matter
stderr_has() {
    pattern=$1
    shift
    "$@" 2>"$TMP/stderr" || :
    has "$TMP/stderr" "$pattern"
}
stderr_empty() {
    "$@" 2>"$TMP/stderr" || :
    cat "$TMP/stderr"
    [ ! -s "$TMP/stderr" ]
}
prints() {
    want=$1
    shift
    got=$("$@") || :
    [ "$got" = "$want" ] || { echo "expected: $want" && echo "got: $got" && return 1; }
}
count_traces() { find "$TMP" -name 'trace.bin*' | wc -l; }
fresh() { rm -rf "$TMP/work" && mkdir "$TMP/work" && cd "$TMP/work" || exit 1; }

# ---- exit statuses ----
fresh
expect_status 0 status_true "$RECORD" $S -- true
expect_status 1 status_false "$RECORD" $S -- false
expect_status 7 status_exit "$RECORD" $S sh -c 'exit 7'
expect_status 255 status_255 "$RECORD" $S sh -c 'exit 255'
for signal in 1 2 3 6 8 9 10 11 12 13 14 15; do
    expect_status $((128 + signal)) status_signal_$signal "$RECORD" -q $S sh -c "ulimit -c 0; kill -$signal \$\$"
done
printf 'text\n' >text
printf '#!/no/such/interpreter\n' >script && chmod +x script
printf 'exit 5\n' >plain && chmod +x plain
traces=$(count_traces)
expect_status 127 status_not_found "$RECORD" $S -- fil4prod-no-such-command
ok line_not_found has "$TMP/err" '^fil4prod-record: fil4prod-no-such-command: command not found$'
expect_status 127 status_no_file "$RECORD" $S -- ./none
ok line_no_file has "$TMP/err" '^fil4prod-record: ./none: No such file or directory$'
expect_status 126 status_not_executable "$RECORD" $S -- ./text
ok line_not_executable has "$TMP/err" '^fil4prod-record: ./text: Permission denied$'
expect_status 126 status_directory "$RECORD" $S -- /
expect_status 127 status_no_interpreter "$RECORD" $S -- ./script
ok line_no_interpreter has "$TMP/err" 'its interpreter is missing$'
ok no_trace_without_command [ "$(count_traces)" -eq "$traces" ]
expect_status 5 status_script_without_shebang "$RECORD" $S -- ./plain
expect_status 2 usage_no_command "$RECORD"
expect_status 2 usage_option "$RECORD" --no-such-option true
expect_status 2 usage_size "$RECORD" --size 12X true
expect_status 2 usage_size_small "$RECORD" --size 1K true
expect_status 2 usage_interval "$RECORD" --interval 0 true
expect_status 0 usage_help "$RECORD" --help
expect_status 0 usage_version "$RECORD" --version
expect_status 3 options_end_at_command "$RECORD" $S sh -c 'exit 3' --help

# ---- what it prints ----
fresh
ok quiet_success stderr_empty "$RECORD" $S -- true
ok quiet_failure stderr_empty "$RECORD" $S -- sh -c 'exit 3'
ok quiet_interrupt stderr_empty "$RECORD" $S -- sh -c 'kill -INT $$'
ok line_killed stderr_has \
    '^fil4prod: sh \(pid [0-9]+\) was killed by SIGKILL; what held the memory: fil4prod-analyze k\.bin$' \
    "$RECORD" $S -o k.bin -- sh -c 'kill -9 $$'
ok line_quoted stderr_has "fil4prod-analyze 'it'\\\\''s here'\$" "$RECORD" $S -o "it's here" -- sh -c 'kill -9 $$'
ok line_137 stderr_has 'exited with status 137 \(128 \+ SIGKILL\); ' "$RECORD" $S -- sh -c 'exit 137'
ok line_is_one [ "$(wc -l <"$TMP/stderr")" -eq 1 ]
ok line_verbose stderr_has 'exited with status 3; ' "$RECORD" -v $S -- sh -c 'exit 3'
ok quiet_option stderr_empty "$RECORD" -q $S -- sh -c 'kill -9 $$'
ok quiet_variable stderr_empty env FIL4PROD_QUIET=1 "$RECORD" $S -- sh -c 'kill -9 $$'
ok bad_variable_runs prints hi env FIL4PROD_QUIET=1 FIL4PROD_SIZE=x FIL4PROD_INTERVAL=y "$RECORD" echo hi

# ---- where the trace cannot be made, the command runs ----
# unrecorded NAME REGEX DIR-OR-FILE [WRAPPER...]: status and output of the command are its own, one line says why
unrecorded() {
    name=$1 pattern=$2 output=$3
    shift 3
    expect_status 9 "$name" "$@" "$RECORD" $S -o "$output" -- sh -c 'echo ran; exit 9'
    cp "$TMP/out" "$TMP/run.out" && cp "$TMP/err" "$TMP/run.err"
    ok "${name}_ran" prints ran cat "$TMP/run.out"
    ok "${name}_line" has "$TMP/run.err" "^fil4prod: not recorded: .*$pattern"
    ok "${name}_one_line" [ "$(wc -l <"$TMP/run.err")" -eq 1 ]
}
fresh
unrecorded no_directory 'no such directory' none/trace.bin
unrecorded a_directory 'names a directory' "$TMP/work/"
unrecorded refused_file_system 'file system cannot promise' /proc/trace.bin
unrecorded file_size_limit 'limit on file sizes' trace.bin sh -c 'ulimit -f 100; exec "$@"' sh
unrecorded no_library 'libfil4prod.so|FIL4PROD_LIBRARY' trace.bin env FIL4PROD_LIBRARY="$TMP/none"
ok nothing_left [ "$(count_traces)" -eq 0 ]
if root && command -v setpriv >/dev/null && setpriv --reuid 65534 "$RECORD" --version >"$TMP/out" 2>&1; then
    mkdir ro && chmod 555 ro
    unrecorded read_only_directory 'permission denied' "$PWD/ro/t" setpriv --reuid 65534
else
    skip read_only_directory "needs root, setpriv and a tree that others may read"
fi
if root && unshare -m true 2>/dev/null; then
    mkdir small
    full='mount -t tmpfs -o size=512k none small && "$@"; status=$?; ls -A small >left; exit $status'
    unrecorded full_disk 'no space left' small/t unshare -m sh -c "$full" sh
    ok full_disk_nothing_left [ ! -s left ]
    full='mount -t tmpfs -o size=4m none small && "$@"'
    ok tmpfs_warns stderr_has 'fil4prod: small/t: .*tmpfs' unshare -m sh -c "$full" sh "$RECORD" $S -o small/t true
else
    skip full_disk "needs root and mount namespaces"
fi

# ---- names ----
fresh
echo precious >trace.bin
ln -s elsewhere trace.bin.1
ok name_taken "$RECORD" $S -- true
ok name_suffix [ -f trace.bin.2 ]
ok name_taken_untouched prints precious cat trace.bin
not_ok name_link_not_followed [ -e elsewhere ]
ok name_mode prints 600 stat -c %a trace.bin.2
ok name_size prints 1048576 stat -c %s trace.bin.2
ok name_from_variable env FIL4PROD_OUTPUT=v.bin FIL4PROD_SIZE=2M "$RECORD" true
ok name_from_variable_size prints 2097152 stat -c %s v.bin
ok name_option_wins env FIL4PROD_OUTPUT=w.bin "$RECORD" $S -o x.bin true
ok name_option_won [ -f x.bin ]

# ---- what the command sees ----
fresh
state='grep -E "^(SigBlk|SigIgn|SigCgt)" /proc/self/status; ls /proc/self/fd; cut -d" " -f5-8 /proc/self/stat; pwd; umask
ulimit -a; echo "$#:$*"'
same() {
    "$@" >"$TMP/bare" 2>&1
    for option in -q -v; do
        "$RECORD" "$option" "$S" -- "$@" >"$TMP/recorded" 2>/dev/null
        diff "$TMP/bare" "$TMP/recorded" || return 1
    done
}
ok same_state same sh -c "$state" sh a 'b c' ''
ok same_state_ignored_signals sh -c 'trap "" HUP TERM; "$0" "$@"' "$RECORD" -q $S -- grep -q 'SigIgn:.*4001$' /proc/self/status
ok same_child_signal python3 - "$RECORD" <<'PY'
import signal, subprocess, sys
# SIGCHLD ignored and SIGUSR1 blocked: the command inherits both, and its status is still known
def prepare():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
p = subprocess.run([sys.argv[1], "-q", "--size=1M", "sh", "-c", "cat /proc/self/status; exit 6"],
                   preexec_fn=prepare, stdout=subprocess.PIPE, text=True)
f = dict(l.split(":\t") for l in p.stdout.splitlines() if l.startswith("Sig"))
assert p.returncode == 6, p.returncode
assert int(f["SigIgn"], 16) >> (signal.SIGCHLD - 1) & 1, f
assert int(f["SigBlk"], 16) == 1 << (signal.SIGUSR1 - 1), f
PY
ok stdin_passes sh -c 'printf "one\ntwo\n" | "$0" -q --size=1M cat | grep -q two' "$RECORD"
ok stderr_passes stderr_has '^to stderr$' "$RECORD" -q $S sh -c 'echo to stderr >&2'
listing='import os
os.write(5, b"open: %s\n" % ",".join(f for f in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + f)).encode())'
ok closed_streams sh -c '"$@" 5>seen <&- >&- 2>&-' sh "$RECORD" $S python3 -c "$listing"
ok closed_streams_bare sh -c '"$@" 5>seen_bare <&- >&- 2>&-' sh python3 -c "$listing"
ok closed_streams_stay_closed cmp seen seen_bare
if [ -n "${SANITIZED:-}" ]; then # AddressSanitizer wants to come first
    skip environment "a sanitized launcher takes no other preload"
else
    ok environment sh -c 'LD_PRELOAD=libm.so.6 "$0" -q --size=1M -o e.bin --interval 4K sh -c "echo \$\$; env" >env.out' "$RECORD"
    ok environment_preload has env.out "^LD_PRELOAD=.*/libfil4prod.so:libm.so.6$"
    ok environment_output has env.out "^FIL4PROD_OUTPUT=$PWD/e.bin$"
    ok environment_attach has env.out "^FIL4PROD_ATTACH=$(head -n 1 env.out):$PWD/e.bin$"
    ok environment_job has env.out '^FIL4PROD_JOB=[0-9a-f]{32}$'
    ok environment_interval has env.out '^FIL4PROD_INTERVAL=4096$'
fi

# ---- programs that cannot be recorded ----
fresh
# untouched NAME REGEX PROGRAM: it runs, one line says why it is not recorded, no trace is left
untouched() {
    expect_status 4 "$1" "$RECORD" $S -- "$3"
    ok "$1_line" has "$TMP/err" "^fil4prod: not recorded: .*$2"
    ok "$1_no_trace" [ "$(count_traces)" -eq 0 ]
}
cc=${CC:-cc}
printf 'int main(void) { return 4; }\n' >four.c
if $cc -static -o static four.c 2>/dev/null; then
    untouched static 'is statically linked' ./static
    printf '#! %s -x\n' "$PWD/static" >by_static && chmod +x by_static
    untouched static_interpreter 'is statically linked' ./by_static
else
    skip static "no static libc"
fi
if $cc -fsanitize=address -o asan four.c 2>/dev/null; then
    untouched asan 'sanitizer' ./asan
else
    skip asan "no AddressSanitizer"
fi
if $cc -m32 -o bits32 four.c 2>/dev/null; then untouched bits32 '32-bit' ./bits32; else skip bits32 "no 32-bit libc"; fi
$cc -o dynamic four.c
sed 's,/lib64/ld-linux-x86-64.so.2,/lib/ld-musl-x86_64.so.1\x00\x00,' dynamic >musl && chmod +x musl
if grep -q ld-musl musl; then
    ./musl >/dev/null 2>&1
    expect_status $? musl "$RECORD" $S -- ./musl # 127 without that loader
    ok musl_line has "$TMP/err" 'is linked with musl'
    ok musl_no_trace [ "$(count_traces)" -eq 0 ]
else
    skip musl "another loader's name"
fi
if root && command -v setpriv >/dev/null && setpriv --reuid 65534 "$RECORD" --version >"$TMP/out" 2>&1; then
    cp dynamic setuid && chmod 4755 setuid && chmod 777 . && chmod 755 "$TMP"
    expect_status 4 setuid setpriv --reuid 65534 "$RECORD" $S -- ./setuid
    ok setuid_line has "$TMP/err" 'is set-user-ID'
    ok setuid_no_trace [ "$(count_traces)" -eq 0 ]
else
    skip setuid "needs root and setpriv"
fi
expect_status 4 dynamic_is_recorded "$RECORD" $S -- ./dynamic
ok dynamic_has_trace [ "$(count_traces)" -eq 1 ]

# ---- signals, terminal, process 1 ----
fresh
ok signals python3 "$ROOT/tests/record_signals.py" "$RECORD" "$TMP/work"
if root && unshare -pf --mount-proc true 2>/dev/null; then
    # orphans of the command come to process 1 and must not stay as zombies
    expect_status 0 init_reaps unshare -pf --mount-proc "$RECORD" $S -- \
        sh -c '(sh -c "true & true" &) ; sleep 0.5; ! grep -l "^State:.Z" /proc/[0-9]*/status'
    expect_status 137 init_status unshare -pf --mount-proc "$RECORD" -q $S -- sh -c 'kill -9 $$'
    expect_status 5 init_forwards unshare -pf --mount-proc "$RECORD" -q $S -- \
        sh -c 'trap "exit 5" TERM; kill -TERM 1; (sleep 0.2; kill -TERM 1) & while :; do sleep 0.1; done'
else
    skip init "needs root and process namespaces"
fi

# ---- a real OOM kill in a memory cgroup ----
fresh
group=
own=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
if [ -n "$own" ] && mkdir "/sys/fs/cgroup/memory$own/f4p-$$" 2>/dev/null; then
    group=/sys/fs/cgroup/memory$own/f4p-$$ limit=memory.limit_in_bytes
elif [ -f /sys/fs/cgroup/cgroup.controllers ] && mkdir "/sys/fs/cgroup/f4p-$$" 2>/dev/null; then
    group=/sys/fs/cgroup/f4p-$$ limit=memory.max
fi
if [ -n "$group" ] && echo 67108864 >"$group/$limit"; then
    eat='b = []
while True: b.append(bytearray(1 << 20))'
    inside='echo $$ >"$0/cgroup.procs" && sleep 0.5 && exec "$@"'
    expect_status 137 oom_command_in_cgroup "$RECORD" $S -o a.bin sh -c "$inside" "$group" python3 -c "$eat"
    ok oom_line has "$TMP/err" \
        "^fil4prod: sh \\(pid [0-9]+\\) was killed by the kernel's OOM killer \\(cgroup limit 64.0 MiB, oom_kill 0 -> 1\\); .*a.bin\$"
    expect_status 137 oom_both_in_cgroup sh -c "$inside" "$group" "$RECORD" $S -o b.bin python3 -c "$eat"
    ok oom_both_line has "$TMP/err" "^fil4prod: python3 .*OOM killer \\(cgroup limit 64.0 MiB, oom_kill 1 -> 2\\)"
    expect_status 1 oom_of_a_child sh -c "$inside" "$group" "$RECORD" $S -o c.bin \
        sh -c 'python3 -c "$0"; exit 1' "$eat"
    ok oom_of_a_child_line has "$TMP/err" "exited with status 1 after the kernel's OOM killer killed a process of its cgroup"
    expect_status 137 oom_not_claimed sh -c "$inside" "$group" "$RECORD" $S sh -c 'kill -9 $$'
    ok oom_not_claimed_line has "$TMP/err" 'was killed by SIGKILL;'
    rmdir "$group"
else
    skip oom "cannot make a memory cgroup here"
fi

# ---- the manual ----
"$RECORD" --mdoc >"$TMP/mdoc"
in_manual() {
    while IFS= read -r line; do
        grep -Fxq -- "$line" "$ROOT/man/fil4prod-record.1" || { echo "not in the manual: $line" && return 1; }
    done <"$TMP/mdoc"
}
ok manual_lists_everything in_manual
ok manual_control sh -c 'grep -q FIL4PROD_QUIET "$0" && grep -q -- "-interval" "$0"' "$TMP/mdoc"
cd "$TMP" || exit 1
finish
