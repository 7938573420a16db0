#!/bin/sh
# The reader and the analyzer on hostile traces: inputs that once found something, and a short run of the fuzzer.
# FUZZ_SECONDS=7200 for a long one.
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

CORPUS=$ROOT/tests/fuzz/corpus
inputs=$(find "$CORPUS" -type f | wc -l)
ok corpus "$BUILD/fuzz_corpus" "$CORPUS"/*
ok corpus_was_read has "$TMP/out" "^inputs $inputs\$"
if [ -n "${SANITIZED:-}" ]; then
    skip fuzz "make check runs it"
    finish
fi

# tree MAKE-ARGUMENT...: whatever make runs this, in the tree
tree() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make --no-print-directory -C "$ROOT" "$@"
}
variant=VARIANT=$(basename "$BUILD")
if [ "$(dirname "$BUILD")" != "$ROOT/build" ]; then
    skip corpus_control "the build is not in the tree"
    skip fuzz "the build is not in the tree"
    finish
fi
if echo 'int main(void) { return 0; }' >empty.c && ${CC:-cc} -fsanitize=address -o empty empty.c 2>/dev/null; then
    ok corpus_control_built tree "$variant" fuzz-corpus-control
    not_ok control_corpus "$BUILD/fuzz_corpus_control" "$CORPUS/undo_out_of_bounds"
    ok control_corpus_says has "$TMP/err" '^SUMMARY: AddressSanitizer: '
else
    skip corpus_control "no AddressSanitizer"
fi
if [ -f "$ROOT/build/fuzz/fuzz_trace" ]; then
    ok fuzz tree "$variant" fuzz "FUZZ_SECONDS=${FUZZ_SECONDS:-20}"
    ok fuzz_ran has "$TMP/out" '^stat::number_of_executed_units: +[0-9]{3,}$'
    ok control_fuzz_finds_a_bug tree "$variant" fuzz-control FUZZ_SECONDS=120
else
    skip fuzz "no libFuzzer: a clang with its runtime, as in Debian's libclang-rt-dev"
fi
finish
