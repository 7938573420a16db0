#!/bin/sh
# `make demo`: a nightly Python job over the Unicode character database runs in a container-like memory cgroup until the
# kernel kills it; then its trace is read. The job is in etl/, and has a bug.
#
# Environment: BUILD (built programs), DEMO_OUT (where the trace goes; build/demo), DEMO_LIMIT_MIB (512),
# DEMO_CGROUP=no (as where no cgroup can be made: a plain SIGKILL), PYTHON (/usr/bin/python3).
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${BUILD:-build/release}
case $build in /*) ;; *) build=$root/$build ;; esac
out=${DEMO_OUT:-$root/build/demo}
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
limit=$((${DEMO_LIMIT_MIB:-512} << 20))
python=${PYTHON:-/usr/bin/python3}
trace=$out/etl.trace
shown=$out
[ "$out" != "$root/build/demo" ] || shown=../../build/demo
command="(tests/demo) fil4prod-record -o $shown/etl.trace -- $python -m etl --out $shown/report.jsonl"
cgroup=

# The nearest place at or above our own cgroup where one with a memory controller can be made, v1 or v2.
make_cgroup() {
    name=fil4prod-demo.$$
    mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
    if [ -n "$mount" ]; then
        own=$(sed -n 's/^[0-9]*:[a-z,]*\<memory\>[a-z,]*://p' /proc/self/cgroup | head -n 1)
        [ -d "$mount$own" ] || own=
        cgroup=${mount}${own%/}/$name
        mkdir "$cgroup" 2>/dev/null && echo "$limit" >"$cgroup/memory.limit_in_bytes" || return 1
        # With swap the job would not die but crawl.
        [ ! -e "$cgroup/memory.memsw.limit_in_bytes" ] || echo "$limit" >"$cgroup/memory.memsw.limit_in_bytes"
        return 0
    fi
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [ -n "$mount" ] || return 1
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    [ -d "$mount$own" ] || own=
    base=${mount}${own%/}
    while :; do
        if grep -qw memory "$base/cgroup.subtree_control" 2>/dev/null && mkdir "$base/$name" 2>/dev/null; then
            cgroup=$base/$name
            echo "$limit" >"$cgroup/memory.max" || return 1
            [ ! -e "$cgroup/memory.swap.max" ] || echo 0 >"$cgroup/memory.swap.max"
            return 0
        fi
        [ "$base" != "$mount" ] || return 1
        base=${base%/*}
    done
}

remove_cgroup() {
    [ -n "$cgroup" ] && [ -d "$cgroup" ] || return 0
    # A killed process leaves its cgroup a moment after it was waited for.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rmdir "$cgroup" 2>/dev/null && return 0
        sleep 0.2
    done
}

oom_kills() {
    cat "$cgroup/memory.oom_control" "$cgroup/memory.events" 2>/dev/null | awk '$1 == "oom_kill" { print $2; exit }'
}

# job COMMAND...: what a crontab line or a container's entry point would run
job() {
    cd "$here" || exit 1
    export PYTHONDONTWRITEBYTECODE=1
    exec "$@" "$build/fil4prod-record" -o "$shown/etl.trace" -- "$python" -m etl --out "$shown/report.jsonl"
}

# Kills the child of process $1 as soon as it holds as much as the limit.
kill_at_limit() {
    while kill -0 "$1" 2>/dev/null; do
        child=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
        child=${child%% *}
        rss=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/${child:-none}/status" 2>/dev/null)
        if [ "${rss:-0}" -ge $((limit >> 10)) ]; then
            kill -KILL "$child"
            return
        fi
        sleep 0.05
    done
}

for program in "$build/fil4prod-record" "$build/fil4prod-analyze" "$python"; do
    [ -x "$program" ] || { echo "demo: no $program: run 'make demo'" >&2 && exit 1; }
done
trap remove_cgroup EXIT
trap 'exit 130' INT TERM HUP
rm -f "$trace" "$trace".* "$out/report.jsonl"

if [ "${DEMO_CGROUP:-yes}" != no ] && make_cgroup; then
    echo "== A nightly Python job starts in a memory cgroup with a limit of $((limit >> 20)) MiB"
    echo "   $command"
    before=$(oom_kills)
    # As in a container, the launcher is inside the cgroup, too.
    # shellcheck disable=SC2016 # for the inner shell
    (job sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup")
    status=$?
    after=$(oom_kills)
    kills=", oom_kill ${before:-?} -> ${after:-?}"
else
    cgroup=
    echo "== No memory cgroup can be made here (that takes root, and cgroups that are writable)."
    echo "   Instead the job gets a plain SIGKILL when it holds $((limit >> 20)) MiB."
    echo "   $command"
    (job env) &
    launcher=$!
    kill_at_limit $launcher
    wait $launcher
    status=$?
    kills=
fi

echo
echo "== The job is gone: exit status $status$kills. What is left is one file: ${trace#"$root"/}"
echo "   fil4prod-analyze --text ${trace#"$root"/}"
echo
"$build/fil4prod-analyze" --text "$trace" || exit 1
[ $status -eq 137 ] || { echo "demo: the job was to be killed (status 137), but ended with $status" >&2 && exit 1; }
line=$(grep -n 'words = _known\[key\] =' "$here/etl/readings.py")
cat <<END

== What to look at
   CAUSE           what killed the job, and how sure that is.
   HELD AT DEATH   the first line is the bug, tests/demo/etl/readings.py:${line%%:*}
                   ${line#*:        }
                   a cache whose key holds the day, so that every day is kept.
   The same for programs: fil4prod-analyze --json ${trace#"$root"/}
END
