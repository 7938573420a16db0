# shellcheck shell=sh
# Sourced by tests/cli_*.sh, sh or bash, as `. "$(dirname "$0")/lib.sh"`.
#
#   ok NAME CMD...               passes when CMD exits 0; its output is shown only when it does not
#   not_ok NAME CMD...           passes when CMD exits with anything but 0 (controls)
#   expect_status N NAME CMD...  passes when CMD exits with exactly N (128+signal for a killed one)
#   has FILE REGEX               for use as CMD: the file has a line that matches the extended REGEX
#   lacks FILE REGEX             the opposite; an unreadable file does not pass
#   skip NAME REASON             counts a skip and says why
#   finish                       prints "N passed, N failed, N skipped"; exit status 1 when something failed
#
# CMD may be a shell function; it runs in this shell, with its standard input empty. What it printed stays in $TMP/out
# and $TMP/err until the next CMD that is not has, lacks, test or grep: those look at it. Set before the first line of a test: ROOT (the tree), BUILD (the built programs, absolute),
# RECORD, ANALYZE, LIBRARY (the three of them), TMP (a scratch directory of this test, removed at its end).
# The working directory is TMP. A test that ends without `finish` has failed.
set -u

ROOT=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$ROOT/build/release}
case $BUILD in /*) ;; *) BUILD=$ROOT/$BUILD ;; esac
RECORD=$BUILD/fil4prod-record
ANALYZE=$BUILD/fil4prod-analyze
LIBRARY=$BUILD/libfil4prod.so
TMP=$(mktemp -d "${TMPDIR:-/tmp}/fil4prod-test.XXXXXX") || exit 1
export ROOT BUILD RECORD ANALYZE LIBRARY TMP
trap 'cd / && rm -rf "$TMP"' EXIT
trap 'exit 1' INT TERM HUP
cd "$TMP" || exit 1
unset LD_PRELOAD
for variable in $(env | sed -n 's/^\(FIL4PROD_[A-Z_]*\)=.*/\1/p'); do
    unset "$variable"
done

passed=0
failed=0
skipped=0

test_run() {
    case $1 in
    has | lacks | test | grep) shown=$TMP/look. ;;
    *) shown=$TMP/ ;;
    esac
    "$@" >"${shown}out" 2>"${shown}err" </dev/null
}

test_pass() {
    passed=$((passed + 1))
    echo "ok $1"
}

test_fail() {
    failed=$((failed + 1))
    echo "FAILED $1: $2"
    for stream in out err; do
        [ ! -s "$shown$stream" ] || tail -n 40 "$shown$stream" | sed "s/^/    $stream: /"
    done
}

ok() {
    ok_name=$1
    shift
    test_run "$@"
    ok_status=$?
    if [ $ok_status -eq 0 ]; then test_pass "$ok_name"; else test_fail "$ok_name" "exit status $ok_status of: $*"; fi
}

not_ok() {
    ok_name=$1
    shift
    if test_run "$@"; then test_fail "$ok_name" "exit status 0 of: $*"; else test_pass "$ok_name"; fi
}

expect_status() {
    expected=$1
    ok_name=$2
    shift 2
    test_run "$@"
    ok_status=$?
    if [ $ok_status -eq "$expected" ]; then
        test_pass "$ok_name"
    else
        test_fail "$ok_name" "exit status $ok_status, expected $expected, of: $*"
    fi
}

has() {
    [ -f "$1" ] || { echo "no file $1" && return 1; }
    grep -Eq -- "$2" "$1" || { echo "no line of $1 matches: $2" && head -n 40 "$1" && return 1; }
}

lacks() {
    [ -r "$1" ] || { echo "cannot read $1" && return 1; }
    ! grep -En -- "$2" "$1"
}

skip() {
    skipped=$((skipped + 1))
    echo "SKIP $1: $2"
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
    exit
}
