#!/bin/sh
# Every released version's traces say what they said then, to the analyzer and to the reader that was written from the page.
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
GOLDEN=$ROOT/tests/golden

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then
    skip golden "no python3"
    finish
fi

figures() {
    python3 "$GOLDEN/figures.py" "$ANALYZE" "$@"
}
for trace in "$GOLDEN"/*/*.trace.gz; do
    set=$(basename "$(dirname "$trace")")
    ok "golden_${set}_$(basename "$trace" .trace.gz)" figures "$trace" "${trace%.trace.gz}.json"
done

# ---- controls: a changed bit, a changed figure ----
SET=$GOLDEN/0.1.0
# flipped TRACE SECTION: by its number
flipped() {
    expect_status 1 "control_$1_bit_of_section_$2" figures "$SET/$1.trace.gz" "$SET/$1.json" --flip "$2"
    ok "control_$1_bit_of_section_$2_line" has "$TMP/out" '^(analyzer|page)[^ ]*: expected '
}
for section in 1 3 5 6 7 10 13; do # state, records, nodes, sites, live set, open deltas, symbols
    flipped native $section
done
ok damaged_symbol_is_damage has "$TMP/out" '^analyzer.damage.bad_records: expected 0, is 1$'
ok damaged_symbol_keeps_the_others lacks "$TMP/out" "expected '_start"
flipped wrapped 11 # history
flipped wrapped 12 # key frames
for figure in '"seq": 6' '"heap_bytes": 7' '"signal": 6' '"wait_status": 6'; do
    sed "s/$figure/${figure%?}8/" "$SET/native.json" >changed.json
    expect_status 1 "control_figure_${figure%:*}" figures "$SET/native.trace.gz" changed.json
done
finish
