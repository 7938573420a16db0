#!/bin/sh
# The oldest C library that is promised, glibc 2.31, in a root of Debian 11 made by debootstrap: the library that was
# built here is loaded there, and all of it is built there. LONG=1.
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/roots.sh
. "$ROOT/tests/roots.sh"

if [ -z "${LONG:-}" ]; then
    skip oldest_libc "LONG=1 runs it"
    finish
elif [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
    skip oldest_libc "needs root and a mount namespace"
    finish
elif ! command -v debootstrap >/dev/null || ! distribution_root bullseye python3,gcc,libc6-dev,make,pkg-config,liblz4-dev; then
    skip oldest_libc "debootstrap does not make a root here"
    finish
fi
rm -rf "$root/tool" "$root/src"
mkdir -p "$root/tool" "$root/src"
cp "$LIBRARY" "$ROOT/tests/host/oldest.py" "$root/tool"

# job LIBRARY: records it by environment alone; no word of the loader's about anything that it could not load
job() {
    rm -f "$root/tmp/job.trace"
    in_root "$root" env LD_PRELOAD="$1" FIL4PROD_OUTPUT=/tmp/job.trace FIL4PROD_MIN_HEAP=0 FIL4PROD_INTERVAL=4K \
        FIL4PROD_SIZE=8M python3 /tool/oldest.py >said 2>said.err
    status=$?
    cat said said.err
    [ "$status" -eq 137 ] && [ "$(cat said)" = 'glibc 2.31' ] && lacks said.err 'ld\.so|GLIBC|fil4prod'
}

# held REPORT: 30 MB within the stated error and three objects per thousand, at the line that made them
held() {
    python3 -B - "$1" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
held = [(s["bytes"], s["error_bytes"]) for s in report["instants"]["end"]["stacks"] for f in s["frames"][-1:]
        if (f["file"], f["line"]) == ("/tool/oldest.py", 7)]
bytes_held, error = (sum(column) for column in zip(*held))
assert abs(bytes_held - 3000 * 10033) < 2 * error + 90_000, (bytes_held, error)
END
}

ok loads job /tool/libfil4prod.so
ok trace_read_here "$ANALYZE" --json="$TMP/job.json" "$root/tmp/job.trace"
ok trace_true held job.json
sed 's/"line":7/"line":8/g; s/"line": 7/"line": 8/g' job.json >other.json
not_ok control_trace_true held other.json

# What asks for more than there is cannot be loaded, and is seen not to be.
cat >newer.c <<'END'
#include <string.h>
const char *f4p_newer(int number);
const char *f4p_newer(int number)
{
    return strerrordesc_np(number);
}
END
if ${CC:-gcc} -D_GNU_SOURCE -shared -fPIC -o "$root/tool/newer.so" newer.c; then
    not_ok control_loads job /tool/newer.so
    ok control_loads_says has said.err 'GLIBC_2\.[0-9]+. not found'
else
    skip control_loads "this C library is itself no newer than 2.31"
fi

# ---- built there, with its compiler and its headers

(cd "$ROOT" && tar -cf - Makefile .ci format recorder analyzer tests man) | tar -xf - -C "$root/src"
ok builds in_root "$root" make -C /src WERROR=1 all
launched() {
    rm -f "$root/tmp/launched.trace" "$root/tmp/launched.json"
    in_root "$root" /src/build/release/fil4prod-record -q -i 4K -s 8M -o /tmp/launched.trace -- python3 /tool/oldest.py
}
expect_status 137 launches launched
ok reads in_root "$root" /src/build/release/fil4prod-analyze --json=/tmp/launched.json /tmp/launched.trace
cp "$root/tmp/launched.json" . 2>/dev/null
ok launched_true held launched.json
ok launched_says in_root "$root" /src/build/release/fil4prod-analyze --text /tmp/launched.trace
ok launched_says_signal has out '^ END +killed by SIGKILL'
finish
