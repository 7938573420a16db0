#!/bin/sh
# Walks many stacks under threads, asyncio, collections, short-lived code and forks, and under switches of greenlets where
# there are any; holds every edge of every stack against the source (oracle.py --edges).
#
# usage: tests/python/walks.sh BUILD WALKS FILE PYTHONS VERSION...      BUILD: with the library; PYTHONS: see get.sh
#
# Adds to FILE a line per VERSION: walks, processes, different frames and edges, what was wrong or lost, seconds of
# processor time. JOBS versions at a time (2). LIBRARIES: see libraries.sh, for greenlets. Exit status 1 if one failed.
set -u

[ $# -ge 5 ] || {
    sed -n '/^# usage/s/^# //p' "$0" >&2
    exit 2
}
here=$(cd "$(dirname "$0")" && pwd)
[ "$1" = --one ] || build=$(cd "$1" && pwd)

# storm PROGRAM WALKS OBJECTS NATIVE PYTHON: prints its findings. For an object it is asked for stress.py makes two walks
# at least, the greenlets make nearly one.
storm() {
    rm -rf "$scratch/run" && mkdir "$scratch/run" || return 1
    TRUTH=$scratch/run/truth LD_PRELOAD=$build/libfil4prod.so FIL4PROD_OUTPUT=$scratch/run/trace FIL4PROD_MIN_HEAP=0 \
        FIL4PROD_INTERVAL=1 FIL4PROD_SIZE=$([ "$4" = off ] && echo 64M || echo 1G) FIL4PROD_NATIVE=$4 PYTHONDONTWRITEBYTECODE=1 \
        "$5" "$here/$1" "$3" >"$scratch/said" 2>&1
    ended=$?
    printf '%s, native %s: ' "${1%.py}" "$4"
    [ $ended -eq 137 ] || { echo "exit status $ended: $(tail -n 1 "$scratch/said")" && return 1; }
    "$here/oracle.py" --edges "$2" "$here/$1" "$scratch"/run/trace* 2>&1
}

# one WALKS FILE PYTHON VERSION: its line
one() {
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/fil4prod-walks.XXXXXX") || return 1
    trap 'rm -rf "$scratch"' EXIT
    failed=
    export PYTHONPATH="${LIBRARIES:+$LIBRARIES/$4}"
    {
        storm stress.py $(($1 * 8 / 10)) $(($1 * 4 / 10)) off "$3" || failed=y
        storm stress.py $(($1 / 10)) $(($1 / 20)) leaf "$3" || failed=y
        if "$3" -c 'import greenlet' 2>/dev/null; then
            storm lib_greenlet.py $(($1 / 10)) $(($1 / 5)) off "$3" || failed=y
        else
            storm stress.py $(($1 / 10)) $(($1 / 20)) off "$3" || failed=y
        fi
    } >"$scratch/found"
    seconds=$(awk '{ print int(($14 + $15 + $16 + $17) / 100) }' /proc/$$/stat)
    echo "$4: ${failed:+FAILED, }$seconds s; $(tr '\n' ';' <"$scratch/found")" >>"$2"
    [ -z "$failed" ]
}

if [ "$1" = --one ]; then
    shift
    build=$WALKS_BUILD
    one "$@"
    exit
fi
walks=$2 file=$3 pythons=$(cd "$4" && pwd)
shift 4
export WALKS_BUILD="$build"
for version; do
    echo "$walks $file $pythons/$version/bin/python3 $version"
done | xargs -L 1 -P "${JOBS:-2}" "$0" --one
