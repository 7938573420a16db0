#!/bin/sh
# tests/run itself: each way in which a suite can go wrong counts as a failure.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# suite NAME BODY: a suite that is a shell script; without .sh it stands for a Check binary
suite() {
    printf '#!/bin/sh\n%s\n' "$2" >"$TMP/$1"
    chmod +x "$TMP/$1"
}

# totals EXPECTED STATUS SUITE...: the last line and the exit status of a run
totals() {
    want=$1 want_status=$2
    shift 2
    "$ROOT/tests/run" --build "$TMP/build" --timeout 1 "$@" >"$TMP/run.out" 2>&1
    status=$?
    cat "$TMP/run.out"
    [ "$(tail -n 1 "$TMP/run.out")" = "$want" ] && [ $status -eq "$want_status" ]
}

# gone PID: it ends, at the latest within seconds (a zombie that nobody waits for has ended)
gone() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        case $(cut -d' ' -f3 "/proc/$1/stat" 2>/dev/null) in '' | Z) return 0 ;; esac
        sleep 0.5
    done
    return 1
}

suite check_good 'echo "100%: Checks: 7, Failures: 0, Errors: 0"'
suite check_twice 'echo "100%: Checks: 1, Failures: 0, Errors: 0"; echo "100%: Checks: 2, Failures: 0, Errors: 0"'
suite check_bad 'echo "50%: Checks: 4, Failures: 1, Errors: 1"; echo "a.c:1:F:core:case:0: no"; exit 1'
suite check_crash 'echo "100%: Checks: 3, Failures: 0, Errors: 0"; kill -SEGV $$'
suite check_silent 'exit 0'
suite check_empty 'echo "100%: Checks: 0, Failures: 0, Errors: 0"'
suite check_skip 'echo "SKIP test_x: no reason"; echo "100%: Checks: 3, Failures: 0, Errors: 0"'
suite check_leak 'echo "100%: Checks: 3, Failures: 0, Errors: 0"; exit 23'
suite cli_good.sh 'echo "2 passed, 0 failed, 0 skipped"'
suite cli_bad.sh 'echo "FAILED a: b"; echo "2 passed, 1 failed, 0 skipped"; exit 1'
suite cli_lie.sh 'echo "2 passed, 1 failed, 0 skipped"'
suite cli_skip.sh 'echo "SKIP a: why not"; echo "0 passed, 0 failed, 1 skipped"'
suite cli_cut.sh 'echo "2 passed, 0 failed, 0 skipped"; echo more'
suite cli_hang.sh 'sleep 1000 & echo $! >"$TMP/left"; sleep 1000'

ok good_sum totals "12 passed, 0 failed, 0 skipped" 0 ./check_good ./check_twice ./cli_good.sh
ok check_failures totals "2 passed, 2 failed, 0 skipped" 1 ./check_bad
ok check_crash totals "3 passed, 1 failed, 0 skipped" 1 ./check_crash
ok check_silent totals "0 passed, 1 failed, 0 skipped" 1 ./check_silent
ok check_empty totals "0 passed, 1 failed, 0 skipped" 1 ./check_empty
ok check_skip totals "2 passed, 0 failed, 1 skipped" 0 ./check_skip
ok check_skip_shown has "$TMP/run.out" "check_skip: test_x: no reason"
ok check_late_failure totals "3 passed, 1 failed, 0 skipped" 1 ./check_leak
ok shell_failure totals "2 passed, 1 failed, 0 skipped" 1 ./cli_bad.sh
ok shell_contradiction totals "2 passed, 2 failed, 0 skipped" 1 ./cli_lie.sh
ok shell_skip totals "0 passed, 0 failed, 1 skipped" 0 ./cli_skip.sh
ok shell_without_total totals "0 passed, 1 failed, 0 skipped" 1 ./cli_cut.sh
ok hang totals "0 passed, 1 failed, 0 skipped" 1 ./cli_hang.sh
ok hang_leaves_nothing gone "$(cat "$TMP/left")"
ok failure_among_good totals "9 passed, 1 failed, 0 skipped" 1 ./check_good ./check_silent ./cli_good.sh
ok no_suites totals "0 passed, 1 failed, 0 skipped" 1
finish
