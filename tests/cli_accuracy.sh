#!/bin/sh
# The estimate and its error against real jobs' own counts. RUNS=1000 for the campaign.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

runs=${RUNS:-150}
accuracy() {
    python3 "$ROOT/tests/accuracy.py" "$LIBRARY" "$ANALYZE" "$BUILD/prog_heap_truth" "$@"
    status=$?
    return $status
}

ok estimate_covers_the_truth accuracy "$runs"
cat "$TMP/out"
expect_status 1 control_biased_estimate accuracy "$runs" 1.08
finish
