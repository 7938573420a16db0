#!/bin/sh
# Real programs, their own test suites where they have one, bare and recorded: the same outcome, case by case. Prints a
# table, to be found in $TABLE, too. LONG=1 (make programs): all of CPython's test modules, NumPy's own, more of everything.
# ONLY: parts (cpython numpy sqlite3 git node gcc processes make). CPYTHON: test modules. PATIENCE: seconds for one run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

LONG=${LONG:-}
patience=${PATIENCE:-1800}
table=${TABLE:-$TMP/table}
python=/usr/bin/python3
unset PYTHONPATH PYTHONHOME
mkdir traces work
trap 'cd / && chmod -R u+rwx "$TMP" && rm -rf "$TMP"' EXIT
: >"$table"

wanted() {
    case " ${ONLY:-$1} " in *" $1 "*) ;; *) return 1 ;; esac
}

preload() {
    env FIL4PROD_OUTPUT="$TMP/traces/t" FIL4PROD_MIN_HEAP=1M FIL4PROD_SIZE=4M FIL4PROD_QUIET=1 LD_PRELOAD="$LIBRARY" "$@"
}

# outcome DIRECTORY FUNCTION ARGUMENT...: what it printed and its status, of a fresh directory
outcome() {
    rm -rf work
    mkdir work
    (cd work && "$@" 2>&1)
    echo "status $?"
}

# shown FILE: how many cases, the status, and a sum of everything
shown() {
    printf '%s%s %s' "$(sed -n 's/^\([0-9]* cases, .* failed\)$/\1, /p' "$1")" "$(tail -n 1 "$1")" "$(cksum <"$1" | cut -d ' ' -f 1)"
}

compared() {
    outcome "$@" >bare.txt </dev/null
    rm -rf traces
    mkdir traces
    outcome preload "$@" >recorded.txt </dev/null
    made=$(find traces -type f | wc -l)
    diff bare.txt recorded.txt
}

# both NAME COMMAND...: bare and recorded give the same output and status; with tries=2 the second time at the latest
both() {
    name=$1
    shift
    try=1
    until compared "$@" >difference || [ $try -ge "${tries:-1}" ]; do
        echo "    $name differed in try $try:"
        head -n 20 difference
        try=$((try + 1))
    done
    printf '%-34s %-42s %-42s %-6s %s\n' "$name" "$(shown bare.txt)" "$(shown recorded.txt)" "$made" "$try" >>"$table"
    ok "$name" diff bare.txt recorded.txt
}

# works NAME COMMAND...: both, and bare it does what it is there for
works() {
    both "$@"
    ok "$1_works" has bare.txt '^status 0$'
}

# ---- CPython's own tests -------------------------------------------------------------------------------------------------

# Python knows its allocators by their functions, and the recorder stands before them: known, fil4prod-record(1). In a
# virtual machine a VSOCK may have nobody at its other end: those cases wait for ever, bare as well.
cat >cpython <<END
"$python" -m test -q -i test_debugmallocstats -i test_pythonmalloc -i test_xdev -i '*ThreadedVSOCK*' --junit-xml cases.xml "\$1" >/dev/null 2>&1
status=\$?
[ ! -f cases.xml ] || env -u LD_PRELOAD "$python" -B "$ROOT/tests/host/outcomes.py" cases.xml
exit \$status
END
# The quick ones of those that come near what a recorder touches.
short='test_json test_dict test_list test_os test_gc test_mmap test_ctypes test_fork1 test_threading'
if ! wanted cpython; then
    :
elif "$python" -c 'import test.test_json' 2>/dev/null; then
    tests=${CPYTHON:-$short}
    # What needs a display, the network or hours is left out by the suite itself.
    [ -z "$LONG" ] || tests=${CPYTHON:-$("$python" -m test --list-tests | sort)}
    tries=2 # some are upset by a busy machine, bare as well
    for test in $tests; do
        both "cpython_$test" timeout "$patience" sh "$TMP/cpython" "$test"
    done
    tries=1
else
    skip cpython "libpython3.x-testsuite is not installed"
fi

if [ -n "$LONG" ] && wanted numpy; then
    if "$python" -c 'import numpy, pytest, hypothesis' 2>/dev/null; then
        cat >numpy_tests <<END
"$python" -m pytest -q -p no:cacheprovider --junit-xml cases.xml --pyargs ${NUMPY:-numpy} >/dev/null 2>&1
status=\$?
env -u LD_PRELOAD "$python" -B "$ROOT/tests/host/outcomes.py" cases.xml
exit \$status
END
        both numpy sh "$TMP/numpy_tests"
    else
        skip numpy "python3-numpy, python3-pytest or python3-hypothesis is not installed"
    fi
fi

# ---- programs ------------------------------------------------------------------------------------------------------------

cat >sqlite.sql <<'END'
CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO t SELECT i, printf('%08x', i * 2654435761 % 4294967296), i / 7.0 FROM n;
CREATE INDEX tb ON t (b);
SELECT count(*), sum(c), max(b) FROM t;
SELECT substr(b, 1, 2) AS p, count(*), group_concat(a) FROM t GROUP BY p ORDER BY p LIMIT 5;
DELETE FROM t WHERE a % 3 = 0;
VACUUM;
PRAGMA integrity_check;
END
if ! wanted sqlite3; then
    :
elif command -v sqlite3 >/dev/null; then
    works sqlite3 sh -c "sqlite3 test.db <'$TMP/sqlite.sql'"
else
    skip sqlite3 "not installed"
fi

cat >git.sh <<'END'
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' HOME=$PWD
git init -q -b main tree && cd tree
i=0
while [ $i -lt 40 ]; do
    seq $i $((i * 50)) >"file$((i % 7))"
    git add . && git commit -q -m "commit $i"
    i=$((i + 1))
done
git checkout -q -b side HEAD~20 && echo side >side && git add side && git commit -q -m side
git rebase -q main && git log --format=%H | head -n 3
git gc -q --aggressive && git fsck && git log --stat | cksum
git clone -q . ../copy && git -C ../copy rev-parse HEAD
END
if ! wanted git; then
    :
elif command -v git >/dev/null; then
    works git sh "$TMP/git.sh"
else
    skip git "not installed"
fi

cat >node.js <<'END'
const zlib = require('zlib'), crypto = require('crypto'), { Worker, isMainThread, parentPort } = require('worker_threads');
if (isMainThread) {
    const rows = Array.from({ length: 50000 }, (_, i) => ({ i, s: 'row ' + i, n: [i, i * 2] }));
    const packed = zlib.gzipSync(JSON.stringify(rows));
    console.log(JSON.parse(zlib.gunzipSync(packed)).length, crypto.createHash('sha256').update(packed).digest('hex'));
    const worker = new Worker(__filename);
    worker.on('message', (m) => console.log('worker', m));
    console.log(require('child_process').execSync('echo child').toString().trim());
} else {
    let buffers = [];
    for (let i = 0; i < 500; i++) buffers.push(Buffer.alloc(100000, i));
    parentPort.postMessage(buffers.reduce((a, b) => a + b[5], 0));
}
END
if ! wanted node; then
    :
elif command -v node >/dev/null; then
    works node node "$TMP/node.js"
else
    skip node "not installed"
fi

! wanted gcc || works gcc sh -c "${CC:-gcc} -std=c11 -D_GNU_SOURCE -I'$ROOT' -O2 -S -o all.s '$ROOT/format/writer_ops.c' && cksum all.s"

cat >processes.py <<'END'
import concurrent.futures, hashlib, multiprocessing, sys

def work(n):
    rows = [{"n": i, "text": str(i) * 20} for i in range(n * 2000)]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16], len(rows)

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(3) as pool:
            print(method, pool.map(work, range(1, 7)))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print("threads", list(pool.map(work, range(1, 5))))
END
! wanted processes || works python_processes "$python" "$TMP/processes.py"

# ---- a real project, built under LD_PRELOAD alone ------------------------------------------------------------------------

cat >project.sh <<'END'
cp -r "$1" tree && cd tree && ${MAKE:-make} -j2 lib CC="$2" >/dev/null 2>&1
echo "make: $?"
[ -n "$(find . -name '*.so*')" ] || exit 1
find . -name '*.o' -o -name '*.so*' -o -name '*.a' | sort | xargs cksum
END
project=$ROOT/build/lz4
if [ -n "$LONG" ] && wanted make && [ ! -d "$project" ]; then
    (mkdir -p "$ROOT/build" && cd "$TMP" && apt-get source -qq --download-only lz4 >/dev/null 2>&1 &&
        mkdir -p "$project" && tar -C "$project" --strip-components 1 -xf lz4_*.orig.tar.*) || rm -rf "$project"
fi
if ! wanted make; then
    :
elif [ -d "$project" ]; then
    works make_lz4 sh "$TMP/project.sh" "$project" "${CC:-gcc}"
else
    # Without the archive's sources, our own tree.
    cat >own.sh <<'END'
mkdir tree && cd "$1" && cp -r Makefile .ci format recorder analyzer tests "$OLDPWD/tree" && cd "$OLDPWD/tree" &&
    ${MAKE:-make} -j2 VARIANT=own CC="$2" build/own/libfil4prod.so >/dev/null 2>&1
echo "make: $?"
[ -f build/own/libfil4prod.so ] || exit 1
find build -name '*.o' | sort | xargs cksum
END
    works make_own_library sh "$TMP/own.sh" "$ROOT" "${CC:-gcc}"
fi

printf '%-34s %-42s %-42s %-6s %s\n' 'what was run' bare recorded traces tries
cat "$table"
finish
