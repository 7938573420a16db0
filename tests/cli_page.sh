#!/bin/sh
# fil4prod-trace(5) and format/format.h say the same numbers.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit 1

CC=$(cut -d' ' -f1 "$BUILD/flags" 2>/dev/null || echo cc)
page=man/fil4prod-trace.5

agrees() {
    python3 tests/page_asserts.py "$1" "$2" >"$TMP/asserts.c" && "$CC" -std=c11 -fsyntax-only -I. "$TMP/asserts.c"
}

if python3 -c '' 2>/dev/null; then
    ok "the page's tables are the header's" agrees $page format/format.h
    sed 's/^\.It 24 Ta 8 Ta compatible/.It 32 Ta 8 Ta compatible/' $page >"$TMP/moved.5"
    not_ok "control: a moved field is seen" agrees "$TMP/moved.5" format/format.h
    sed '/^\.It 5 Ta depth/d' $page >"$TMP/short.5"
    not_ok "control: a missing name is seen" agrees "$TMP/short.5" format/format.h
    sed 's/^struct f4p_peak {/struct f4p_new {\n};\n&/' format/format.h >"$TMP/more.h"
    not_ok "control: a struct without a table is seen" agrees $page "$TMP/more.h"
else
    skip "the page's tables are the header's" "no python3"
fi
finish
