#!/bin/sh
# What a process's resident memory consists of, by the ledger and by /proc/PID/smaps_rollup, of programs that know.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

PYTHON=$(command -v /usr/bin/python3 || command -v python3) || PYTHON=
if [ -z "$PYTHON" ]; then
    skip rss_ledger "python3 is not there"
    finish
fi
if ! head -c 8 /proc/self/pagemap >/dev/null 2>&1; then
    skip rss_ledger "this kernel has no /proc/self/pagemap"
    finish
fi

ledger() {
    "$PYTHON" -B "$ROOT/tests/rss_ledger.py" "$@"
}

# explained NAME [OPTION...] -- COMMAND...
explained() {
    ok "$@"
    sed 's/^/    /' "$TMP/out"
}

# ---- programs in C, and in C++

for kind in untouched fragments threads multiples file shared reserved recursion growth retained forked; do
    explained "$kind" ledger "$kind" -- "$BUILD/prog_rss" "$kind"
done

cat >boxes.cpp <<'END'
#include <cstdio>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>
int main()
{
    static std::vector<std::string> rows(300000, std::string(100, 'x'));
    static std::map<int, std::vector<int>> tree;
    for (int i = 0; i < 100000; i++)
        tree[i].assign(20, i);
    static std::vector<char> large(64 << 20, 1);
    std::printf("untouched %d\nready\n", large.back() + tree[7][7] - 8);
    std::fflush(stdout);
    pause();
}
END
if "${CXX:-g++}" -O1 -o boxes boxes.cpp 2>/dev/null; then
    explained containers ledger containers -- ./boxes
else
    skip containers "no C++ compiler"
fi

# ---- Python

cat >objects.py <<'END'
import os, sys, time
rows = [{"number": i, "name": str(i) * 4, "pair": (i, i + 1)} for i in range(200000)]
gone = [bytes(100) for i in range(400000)]
del gone[::2]
print("untouched 0\nready", flush=True)
time.sleep(3600)
END
cat >buffers.py <<'END'
import ctypes, mmap, time
calloc = ctypes.CDLL(None).calloc
calloc.restype = ctypes.c_void_p
calloc(1, 128 << 20)
ctypes.memset(calloc(1, 128 << 20), 1, 64 << 20)
mapped = mmap.mmap(-1, 50 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
mapped[: 20 << 20] = bytes(20 << 20)
print("untouched", (128 + 64 + 30) << 20)
print("ready", flush=True)
time.sleep(3600)
END
cat >zeros.py <<'END'
import os, time
# OpenBLAS maps 128 MiB for each thread that it starts and touches none of them.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import numpy
empty = numpy.zeros(20_000_000)
half = numpy.zeros(20_000_000)
half[:10_000_000] = 1
full = numpy.ones(25_000_000)
print("untouched", 240_000_000)
print("ready", flush=True)
time.sleep(3600)
END
explained python_objects ledger python_objects -- "$PYTHON" objects.py
explained python_buffers ledger python_buffers -- "$PYTHON" buffers.py
if "$PYTHON" -c 'import numpy' 2>/dev/null; then
    explained numpy_zeros ledger numpy_zeros -- "$PYTHON" zeros.py
else
    skip numpy_zeros "numpy is not installed"
fi

# ---- the report

ok report "$ANALYZE" --text --symbols=none untouched.bin
ok report_heap has "$TMP/out" '^ HEAP .*untouched 320M'
ok report_ledger has "$TMP/out" '^   -  *320M  asked for, never touched$'
ok report_sum has "$TMP/out" '^   =  *3[0-9]\.[0-9]M  RSS$'
ok report_age has "$TMP/out" '^ RSS EXPLAINED as of .* before the end$'
ok report_column has "$TMP/out" 'bytes      %  \+/-%  resident  your code'
ok report_never has "$TMP/out" '^ +1 +256M +72\.7 +0\.0 +4\.0K  prog_rss.c:'
ok report_half has "$TMP/out" '^ +2 +64\.0M +18\.2 +0\.0 +32\.0M  prog_rss.c:'
ok report_plain "$ANALYZE" --text --symbols=none growth.bin
ok report_plain_no_column lacks "$TMP/out" 'resident  your code'
ok control_one_process lacks "$TMP/out" 'RSS OF EACH PROCESS'

# Each process of several; one that has ended is not in the sum.
cat >workers.py <<'END'
import multiprocessing, os, time
def work(mebibytes, left):
    keep = b"x" * (mebibytes << 20)
    left.wait()
    os._exit(0)
fork = multiprocessing.get_context("fork")
events = [fork.Event(), fork.Event()]
workers = [fork.Process(target=work, args=(20 * (i + 2), event)) for i, event in enumerate(events)]
for worker in workers:
    worker.start()
keep = [bytes(1000) for i in range(30000)]
time.sleep(1)
events[0].set()
workers[0].join()
time.sleep(2)
events[1].set()
workers[1].join()
END
ok workers_recorded "$RECORD" -q --size 4M -o workers.bin -- "$PYTHON" workers.py
ok report_processes "$ANALYZE" --text --symbols=none workers.bin
ok report_processes_title has "$TMP/out" '^ RSS OF EACH PROCESS at its last look$'
ok report_process has "$TMP/out" '^ +[0-9]+ +[6-9][0-9]\.[0-9]M +60\.0M( +-){5}$|^ +[0-9]+ +[6-9][0-9]\.[0-9]M +60\.0M '
ok report_process_ended has "$TMP/out" '^ +[0-9]+ +[4-6][0-9]\.[0-9]M +40\.0M .*  ended$'
"$ANALYZE" --json --symbols=none workers.bin >workers.json
ok processes_json "$PYTHON" -c 'import json
a = json.load(open("workers.json"))
assert len(a["processes"]) == 3 and all(p["exit_code"] == 0 for p in a["processes"]), a["processes"]
assert a["processes"][0]["rss"] == a["rss"] and a["rss"]["last"]["rss_bytes"] > 10 << 20, a["rss"]
assert a["instants"]["end"]["heap_bytes"] < 100 << 20, "the worker that has left still counts"'

if "$PYTHON" -c 'import jsonschema' 2>/dev/null; then
    "$ANALYZE" --json --symbols=none untouched.bin >untouched.json
    valid() {
        "$PYTHON" -c 'import json, jsonschema, sys
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))' \
            "$1" "$ROOT/tests/schema/fil4prod.analysis-1.json"
    }
    ok schema valid untouched.json
    ok schema_processes valid workers.json
    sed 's/"age_ns"/"old_ns"/' untouched.json >wrong.json
    not_ok "control: schema" valid wrong.json
else
    skip schema "no Python module jsonschema"
fi

# ---- without a launcher: the process itself looks, behind its samples

for kind in untouched fragments threads shared growth; do
    explained "alone_$kind" ledger "alone_$kind" --preload -- "$BUILD/prog_rss" "$kind" keep-allocating
done

# A job of half a second is looked at while it grows. Control: one that never allocates again after it earned its trace.
grows_alone() {
    rm -f grows.bin*
    LD_PRELOAD=$LIBRARY FIL4PROD_OUTPUT=$TMP/grows.bin FIL4PROD_QUIET=1 "$PYTHON" -c '
import sys, time
keep = []
for i in range(int(sys.argv[1])):
    keep.append(bytearray(b"x") * (int(sys.argv[2]) << 20))
    time.sleep(0.002)' "$@" && "$ANALYZE" --json --symbols=none grows.bin | "$PYTHON" -c '
import json, sys
last = json.load(sys.stdin)["rss"]["last"]
assert last and last["rss_bytes"] > 20 << 20, last'
}
ok grows_alone grows_alone 250 2
not_ok control_grows_alone grows_alone 1 500

# What is freed while it is looked at is in no ledger, however far the look had come. It sleeps until it can pay for one.
shrinks_alone() {
    for step in 1 2 3 4 5 6; do
        for more in 1 2 3 4; do
            rm -f shrinks.bin*
            LD_PRELOAD=${1-$LIBRARY} FIL4PROD_OUTPUT=$TMP/shrinks.bin FIL4PROD_QUIET=1 FIL4PROD_MIN_HEAP=100M "$PYTHON" -c '
import os, sys, time
time.sleep(0.5)
keep = [bytearray(b"x") * (4 << 20) for i in range(26 + int(sys.argv[1]))]
keep.clear()
for i in range(int(sys.argv[2])):
    bytearray(4 << 20)
os._exit(0)' "$step" "$more" && "$ANALYZE" --json --symbols=none shrinks.bin >shrinks.json && "$PYTHON" -c '
import json
last = json.load(open("shrinks.json"))["rss"]["last"]
assert not last or abs(last["unexplained_bytes"]) < 8 << 20, last' || return 1
        done
    done
}
ok shrinks_alone shrinks_alone
mutant=$BUILD/host/mutant/shrinking_unseen/libfil4prod.so
ok shrinking_unseen_is_there test -f "$mutant"
not_ok control_shrinks_alone shrinks_alone "$mutant"

# ---- a kernel that does not know PAGEMAP_SCAN (before Linux 6.7): page by page

OLD=$BUILD/prog_old_kernel
if "$OLD" true; then
    for kind in untouched fragments file shared reserved growth; do
        explained "old_$kind" ledger "old_$kind" --old-kernel -- "$BUILD/prog_rss" "$kind"
    done
    for kind in untouched shared; do
        explained "old_alone_$kind" ledger "old_alone_$kind" --old-kernel --preload -- "$BUILD/prog_rss" "$kind" keep-allocating
    done
    ok old_report "$ANALYZE" --text --symbols=none old_untouched.bin
    ok old_report_half has "$TMP/out" '^ +2 +64\.0M +18\.2 +0\.0 +32\.0M  prog_rss.c:'
    not_ok "control: a wrong term is seen there too" ledger control_old --old-kernel --skew untouched=0.8 -- \
        "$BUILD/prog_rss" untouched
    # Nothing else would have been asked: who asks is killed.
    expect_status 159 control_scan_is_asked_for "$OLD" kill "$RECORD" -q -o asked.bin -- "$BUILD/prog_death" grow:20 rest:2000
else
    skip old_kernel "cannot filter system calls (seccomp)"
fi

# ---- controls: what is wrong is seen

for skew in rss=1.1 rss=0.9 heap=1.2 untouched=0.8 untouched=1.2; do
    not_ok "control: $skew is seen" ledger "control" --skew "$skew" -- "$BUILD/prog_rss" untouched
    ok "control: $skew is why" has "$TMP/out" '^wrong: '
    rm -f control.bin
done
finish
