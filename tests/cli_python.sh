#!/bin/sh
# Python, every object and line against what programs state about themselves, on several releases.
#
# PYTHONS: names of releases (3.9 to 3.15, unpacked under build/pythons by tests/python/get.sh) or interpreters' paths.
# WALKS: how many stacks the stress walks at least, per release. RUNS: sampled ones, 24 lines each.
# Without PYTHONS there are two, and what has nothing to do with the release is tested on the first alone.
# shellcheck source=tests/lib.sh
# shellcheck disable=SC2317
. "$(dirname "$0")/lib.sh"

programs=$ROOT/tests/python
pythons=$ROOT/build/pythons
walks=${WALKS:-100000}
brief='' # not empty: another release has shown the rest

# recorded PYTHON ARGUMENT...: runs it, every allocation recorded; it ends by SIGKILL
recorded() {
    rm -rf "$TMP/run" && mkdir "$TMP/run" || return 1
    TRUTH=$TMP/run/truth LD_PRELOAD=$LIBRARY FIL4PROD_OUTPUT=$TMP/run/trace FIL4PROD_MIN_HEAP=0 FIL4PROD_INTERVAL=${interval:-1} \
        FIL4PROD_SIZE=${size:-128M} FIL4PROD_NATIVE=${native:-off} PYTHONDONTWRITEBYTECODE=1 "$@"
    status=$?
    [ "$status" -eq "${ends:-137}" ] || { echo "exit status $status of: $*" && return 1; }
}

# true_of PYTHON ARGUMENT...: the trace says what the program stated
true_of() {
    recorded "$@" && "$programs/oracle.py" "$ANALYZE" "$TMP/run/truth" "$TMP"/run/trace*
}


# fact_is NUMBER TEXT: what the last trace says
fact_is() {
    for last in "$TMP"/run/trace*; do :; done # before it, maybe, that of env, which became what it started
    got=$("$programs/oracle.py" --fact "$1" "$last") || return 1
    [ "$got" = "$2" ] || { echo "$got instead of $2" && return 1; }
}

features() {
    for program in functions generators callbacks executed imports threads processes interpreters; do
        ok "$1_$program" true_of "$2" "$programs/$program.py"
    done
    for method in ${brief:-fork spawn} forkserver; do
        ok "$1_pools_$method" true_of "$2" "$programs/pools.py" "$method"
    done
    native=leaf size=512M
    ok "$1_with_native_stacks" true_of "$2" "$programs/callbacks.py"
    native=off size=
    ends=0
    for seconds in ${brief:-0.1 0.3} 0.2; do
        ok "$1_daemons_$seconds" recorded "$2" "$programs/daemons.py" $seconds
    done
    ends=137
}

# No way to choose Python's allocator takes objects out of sight.
allocators() {
    for allocator in ${brief:-pymalloc pymalloc_debug malloc malloc_debug} debug; do
        ok "$1_malloc_$allocator" true_of env PYTHONMALLOC=$allocator "$2" "$programs/functions.py"
    done
    ok "$1_development_mode" true_of "$2" -X dev "$programs/functions.py"
    ok "$1_tracemalloc" true_of "$2" -X tracemalloc=1 "$programs/callbacks.py"
    not_ok "$1_control_without_objects" true_of env FIL4PROD_PYTHON_OBJECTS=no "$2" "$programs/functions.py"
    ok "$1_control_complains" grep -q "not recorded: 333 bytes" "$TMP/out"
}

# edges_of PROGRAM PYTHON WALKS OBJECTS: every stack that it ever had is one that it can have
edges_of() {
    recorded "$2" "$programs/$1" "$4" && "$programs/oracle.py" --edges "$3" "$programs/$1" "$TMP"/run/trace*
}

stress() {
    size=512M
    ok "$1_stress" edges_of stress.py "$2" "$walks" $((walks / 2))
    cat "$TMP/out"
    interval=200 # objects from pymalloc and from malloc side by side
    ok "$1_stress_sampled" edges_of stress.py "$2" $((walks / 40)) $((walks / 16))
    interval=1 size=
}

ways_to_start() {
    mkdir -p "$TMP/app" && cp "$programs/truth.py" "$TMP/app" && cp "$programs/main.py" "$TMP/app/__main__.py"
    ok "$1_main" true_of "$2" "$programs/main.py"
    ok "$1_status" fact_is 9 on
    ok "$1_prefix" fact_is 22 "$(readlink -f "$("$2" -c 'import os; print(os.path.dirname(os.__file__))')")"
    [ -z "$brief" ] || return
    ok "$1_directory" true_of "$2" "$TMP/app"
    (cd "$TMP/app" && "$2" -m zipfile -c "$TMP/app.pyz" __main__.py truth.py)
    ok "$1_zipapp" true_of "$2" "$TMP/app.pyz"
    ok "$1_module" true_of env PYTHONPATH="$programs" "$2" -m main
    { echo "#!$2" && cat "$programs/main.py"; } >"$TMP/app/script" && chmod +x "$TMP/app/script"
    ok "$1_shebang" true_of "$TMP/app/script"
    "$(readlink -f "$2")" -m venv --without-pip "$TMP/venv" >/dev/null 2>&1
    if [ -x "$TMP/venv/bin/python" ]; then
        ok "$1_venv" true_of "$TMP/venv/bin/python" "$programs/main.py"
        rm -rf "$TMP/venv"
    else
        skip "$1_venv" "$2 has no venv module"
    fi
}

# refuses WORDS PYTHON: what is wrong is said in the trace and by the launcher, and what is not Python's is recorded
refuses() {
    rm -rf "$TMP/run" && mkdir "$TMP/run" || return 1
    "$RECORD" -o "$TMP/run/trace" --interval 1 "$2" -c 'import ctypes
m = ctypes.CDLL(None).malloc
m.restype = ctypes.c_void_p
kept = [m(ctypes.c_size_t(77777)) for _ in range(10)]
print(sum([len(str(n)) for n in range(1000)]))' >"$TMP/run/said" 2>"$TMP/run/complained"
    [ "$(cat "$TMP/run/said")" = 2890 ] && grep -q "fil4prod: no Python lines were recorded: $1" "$TMP/run/complained" &&
        fact_is 9 "off: $1" && "$programs/oracle.py" --without 77777 10 "$TMP/run/trace"
}

# doctored AT VALUE: the same interpreter as $fake, but for a word of what it says about itself
doctored() {
    "$programs/doctor.py" "$exe" "$fake" "$1" "$2"
}

refusals() {
    exe=$(readlink -f "$2")
    fake=$(dirname "$exe")/fil4prod-test-$$
    case $1 in # where _Py_DebugOffsets has the offset of a frame's code object
    python3.13) code=240 ;;
    python3.14) code=264 ;;
    *) code=328 ;;
    esac
    ok "$1_doctored" doctored $code +0
    ok "$1_doctored_control" true_of "$fake" "$programs/main.py"
    doctored 16 1
    ok "$1_refuses_free_threaded" refuses 'free-threaded builds are not supported yet' "$fake"
    doctored 8 0x03100000
    ok "$1_refuses_another_release" refuses 'the interpreter does not describe itself as its release does' "$fake"
    doctored $code 4096
    ok "$1_refuses_what_cannot_be" refuses 'the interpreter describes itself in a way that cannot be' "$fake"
    doctored $code +8
    recorded "$fake" "$programs/functions.py" >"$TMP/out" 2>&1
    ok "$1_stops_after_faults" fact_is 9 'off: too many stacks failed a check'
    rm -f "$fake"
}

# Real libraries, those that this interpreter has: memory that they ask for stands at the line that called them.
# LIBRARIES: a directory with more of them for it, as tests/python/libraries.sh makes it.
libraries() {
    more=${LIBRARIES:+$LIBRARIES/${1#python}}
    export PYTHONPATH="${more:-}" OPENBLAS_NUM_THREADS=1
    size=1G
    for library in numpy pandas pyarrow:arrow scikit-learn:sklearn lxml torch greenlet gevent; do
        module=${library%:*}
        [ "$module" != scikit-learn ] || module=sklearn
        if "$2" -c "import $module" 2>"$TMP/why"; then
            ok "$1_$module" true_of "$2" "$programs/lib_${library#*:}.py"
        else
            skip "$1_$module" "$(tail -n 1 "$TMP/why")"
        fi
    done
    if "$2" -c "import joblib" 2>"$TMP/why"; then
        ok "$1_joblib" true_of "$2" "$programs/pools.py" joblib
    else
        skip "$1_joblib" "$(tail -n 1 "$TMP/why")"
    fi
    if "$2" -c "import greenlet" 2>/dev/null; then
        ok "$1_greenlet_switches" edges_of lib_greenlet.py "$2" $((walks / 8)) $((walks / 6))
        cat "$TMP/out"
        native=leaf
        ok "$1_greenlet_with_native_stacks" true_of "$2" "$programs/lib_greenlet.py"
        native=off
    fi
    size=
    unset PYTHONPATH OPENBLAS_NUM_THREADS
}

# Sampled, each line's bytes are within the stated error as often as it says.
sampled() {
    ok "$1_sampled_lines" "$programs/coverage.py" "$LIBRARY" "$ANALYZE" "$2" "${RUNS:-10}"
    cat "$TMP/out"
    not_ok "$1_sampled_lines_control" "$programs/coverage.py" "$LIBRARY" "$ANALYZE" "$2" 6 1.2
}

# lives MODE VARIABLE=VALUE...: a C program that starts and ends its Python three times; "local" and "global" load it
# anew for each
lives() {
    mode=$1
    shift
    true_of env PYTHONHOME="$home" PYTHONPATH="$programs" PYTHONHASHSEED=0 "$@" "$BUILD/prog_embed" "$libpython" \
        "$programs/functions.py" 3 $mode
}

# From 3.12 on each start puts Python's own allocators back.
embedded() {
    exe=$(readlink -f "$2")
    home=$("$2" -c 'import sys; print(sys.base_prefix)')
    libpython=$(find "${exe%/*}/.." "${exe%/*}/../lib" /usr/lib/*-linux-gnu -maxdepth 1 -name "lib$1.so.1.0" 2>/dev/null | head -n 1)
    case $exe in /usr/bin/*) ;; *) case $libpython in /usr/lib/*) libpython='' ;; esac ;; esac
    if [ -z "$libpython" ]; then
        skip "$1_embedded" "there is no lib$1.so.1.0 for it"
        return
    fi
    size=512M
    ok "$1_dlopen_local" lives local
    ok "$1_dlopen_unloads" grep -q '^unloaded' "$TMP/err"
    ok "$1_dlopen_status" fact_is 9 'on: from when it was loaded, after the start'
    native=leaf
    ok "$1_dlopen_global" lives global
    native=off
    if [ -z "$brief" ]; then
        ok "$1_dlopen_malloc_debug" lives global PYTHONMALLOC=debug
        not_ok "$1_dlopen_control_without_objects" lives global FIL4PROD_PYTHON_OBJECTS=no
    fi
    own=$LIBRARY
    LIBRARY="$libpython $own"
    ok "$1_embedded" lives ''
    LIBRARY=$own size=
}

# interpreter NAME: its path in $python
interpreter() {
    case $1 in
    /*) python=$1 ;;
    *)
        python=$pythons/$1/bin/python3
        [ -x "$python" ] || "$programs/get.sh" "$pythons" "$1" 2>"$TMP/get" || return 1
        ;;
    esac
}

for name in ${PYTHONS:-/usr/bin/python3 3.14}; do
    [ -n "${PYTHONS:-}" ] || case $name in /*) ;; *) brief=' ' ;; esac
    if ! interpreter "$name"; then
        skip "python_$name" "$(cat "$TMP/get")"
        continue
    fi
    label=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    features "$label" "$python"
    allocators "$label" "$python"
    stress "$label" "$python"
    ways_to_start "$label" "$python"
    [ -n "$brief" ] || sampled "$label" "$python"
    libraries "$label" "$python"
    embedded "$label" "$python"
    case $label in python3.1[3-5]) refusals "$label" "$python" ;; esac
done
case ${PYTHONS:-} in
'') # what CI has besides: a libpython.so
    brief=' '
    if interpreter 3.12; then
        ok python3.12_main true_of "$python" "$programs/main.py"
        embedded python3.12 "$python"
    else
        skip python3.12 "$(cat "$TMP/get")"
    fi
    ;;
esac
finish
