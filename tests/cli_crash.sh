#!/bin/sh
# What survives: the short forms of the campaigns in tests/crash, each with the seeded bugs that make it fail. The full
# forms are `make crash-steps crash-kill crash-splice crash-oom crash-wrap crash-long fuzz`.
. "$(dirname "$0")/lib.sh"
CRASH=$BUILD/crash
if [ -n "${SANITIZED:-}" ]; then
    skip "what survives" "its programs are never sanitized: make check runs them"
    finish
fi
# The interpreter itself: a version manager's shim would be recorded in its place.
PYTHON=$(${PYTHON:-python3} -c 'import sys; print(sys.executable)' 2>"$TMP/err")

# ---- every instruction ----
if [ "$(uname -m)" = x86_64 ] && "$CRASH/steps" --states 1 >"$TMP/out"; then
    ok "every instruction" "$CRASH/steps" --states 120000
    not_ok "control: realloc recorded as free and malloc" "$CRASH/steps" --states 120000 --free-first
    # Every seventh seed moves the trace into its file.
    for bug in 'unarmed 1' 'one_state 1' 'peak_lost 1' 'site_unintended 1' 'moved_early 6' 'moved_both 62' 'blocks_kept 29'; do
        seed=${bug#* }
        bug=${bug% *}
        expect_status 1 "control: steps_$bug" "$CRASH/steps_$bug" --states 120000 --seed "$seed"
        ok "control: steps_$bug says what is wrong" has "$TMP/out" '^WRONG after'
    done
else
    skip "every instruction" "no single-stepping here"
fi

# ---- random SIGKILL ----
mkdir kills
ok "random SIGKILL" "$CRASH/kill" "$LIBRARY" "$CRASH/victim" "$TMP/kills" --kills 120
expect_status 1 "control: killed with the intent unarmed" \
    "$CRASH/kill" "$CRASH/libunarmed.so" "$CRASH/victim" "$TMP/kills" --kills 400
ok "control: a trace was wrong" has "$TMP/out" '^WRONG after'

# ---- power loss, cuts, flips ----
ok "power loss" "$CRASH/splice" --files 500
expect_status 1 "control: live set trusted" "$CRASH/splice_live_trusted" --files 500
expect_status 1 "control: peak trusted" "$CRASH/splice_peak_trusted" --files 500

# ---- a ring that wraps ----
# usage: wrap LIBRARY CHURN
wrap() {
    rm -f wrap.trace* wrap.json
    LD_PRELOAD=$1 FIL4PROD_SIZE=4M FIL4PROD_INTERVAL=2K FIL4PROD_MIN_HEAP=0 FIL4PROD_OUTPUT=$TMP/wrap.trace \
        "$PYTHON" "$ROOT/tests/crash/wrap_job.py" "$2"
    [ $? -eq 137 ] && "$ANALYZE" --json wrap.trace >wrap.json
}
wrapped() {
    "$CRASH/probe" wrap.trace >probe && [ "$(sed -n 's/^laps //p' probe)" -ge "$1" ]
}
if [ -x "$PYTHON" ]; then
    ok "a ring that wraps: recorded" wrap "$LIBRARY" "${CHURN:-2000000}"
    ok "a ring that wraps: it did" wrapped 3
    ok "a ring that wraps: the peak" "$ROOT/tests/crash/expect.py" wrap.json peak "$ROOT/tests/crash/wrap_job.py" A 190000000
    ok "a ring that wraps: the end" "$ROOT/tests/crash/expect.py" wrap.json end "$ROOT/tests/crash/wrap_job.py" B 19000000
    not_ok "control: the end is not the peak" \
        "$ROOT/tests/crash/expect.py" wrap.json end "$ROOT/tests/crash/wrap_job.py" A 1000000
    ok "control: recorded with the peak lost" wrap "$CRASH/libpeak_lost.so" 1000
    not_ok "control: the peak is lost" \
        "$ROOT/tests/crash/expect.py" wrap.json peak "$ROOT/tests/crash/wrap_job.py" A 190000000
else
    skip "a ring that wraps" "no python3"
fi

# ---- a long run ----
ok "a thousand laps" "$CRASH/long" 26000000 1048576
ok "a thousand laps: they were" has "$TMP/out" 'laps of the history ring [0-9]{4,}'
expect_status 1 "control: a long run with the peak lost" "$CRASH/long_peak_lost" 1000000 1048576

# ---- more threads than are told apart ----
many() {
    rm -f many.trace*
    LD_PRELOAD=$LIBRARY FIL4PROD_SIZE=4M FIL4PROD_EXACT=1 FIL4PROD_MIN_HEAP=0 FIL4PROD_OUTPUT=$TMP/many.trace \
        "$CRASH/hog" threads "$TMP/book"
    [ $? -eq 137 ] && "$CRASH/probe" many.trace >probe && cat probe
}
ok "5000 threads: recorded" many
ok "5000 threads: no block is lost" has probe '^marked 5000$'
ok "5000 threads: the last ones share a record" has probe '^overflow_threads 1$'
ok "5000 threads: sound" has probe '^live_sound 1$'

# ---- the OOM killer ----
oom() {
    "$ROOT/tests/crash/oom.py" "$BUILD" --kills "$@"
}
oom 5 >"$TMP/oom" 2>&1
case $? in
77) skip "OOM kills" "$(sed -n 's/^SKIP OOM kills: //p' "$TMP/oom")" ;;
0) ok "OOM kills: $(tail -n 1 "$TMP/oom")" true ;;
*) ok "OOM kills" sh -c "cat '$TMP/oom' && false" ;;
esac
if grep -q 'wrong: 0' "$TMP/oom"; then
    not_ok "control: OOM kills with sites mixed up" \
        "$ROOT/tests/crash/oom.py" "$BUILD" --kills 2 --library "$CRASH/libsite_lost.so"
fi

finish
