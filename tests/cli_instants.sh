#!/bin/sh
# The heap at random instants of a job that knows its own, and the change between two. RUNS=1000 for the campaign.
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

runs=${RUNS:-30}
instants() {
    python3 "$ROOT/tests/instants.py" "$LIBRARY" "$ANALYZE" "$BUILD/prog_instants" "$@"
}

ok intervals_cover_the_truth instants "$runs"
cat "$TMP/out"
expect_status 1 control_biased_estimate instants 8 1.15
finish
