#!/bin/sh
# Native stacks and their symbols: known sites in C, C++ and Rust however they are built, mixed stacks, exceptions, fibers,
# replaced modules, packed traces.
# shellcheck disable=SC2086 # SITE_FLAGS are several words
. "$(dirname "$0")/lib.sh"
SOURCES=$ROOT/tests/native
CC=${CC:-gcc}
CXX=$(if command -v "${CXX:-g++}" >/dev/null; then echo "${CXX:-g++}"; else echo c++; fi)

size=8M
mode=leaf
interval=1

# Every allocation, without the launcher, which would pack the symbols.
bare() {
    rm -f "$TMP"/bare.trace*
    env FIL4PROD_QUIET=1 FIL4PROD_OUTPUT="$TMP/bare.trace" FIL4PROD_SIZE=$size FIL4PROD_NATIVE=$mode \
        FIL4PROD_INTERVAL=$interval FIL4PROD_MIN_HEAP=0 LD_PRELOAD="$LIBRARY" "$@"
}

# known NAME PROGRAM SOURCE: the sites of SOURCE, and the stacks that llvm-symbolizer makes of the addresses.
known() {
    bare "$2" >"$1.plain" 2>&1
    "$ANALYZE" --json="$1.raw.json" --symbols=none --force bare.trace
    "$ANALYZE" --json="$1.json" --force bare.trace
    ok "$1_sites" python3 -B "$SOURCES/truth.py" sites "$1.json" "$SOURCES/$3"
    if [ -z "$libdw" ]; then
        skip "$1_symbolizer" "built without libdw"
    elif command -v llvm-symbolizer >/dev/null; then
        ok "$1_symbolizer" python3 -B "$SOURCES/truth.py" symbolizer "$1.raw.json" "$1.json"
    else
        skip "$1_symbolizer" "no llvm-symbolizer"
    fi
}

libdw=$("$ANALYZE" --version | grep -o 'symbols: libdw')
[ -n "$libdw" ] || skip native "built without libdw: no lines, no inlined functions"
if [ -z "$libdw" ]; then finish; fi

# ---- known sites

build=0
for flags in -O0 -O1 -O2 -O3 "-O2 -flto" "-O2 -no-pie" "-O2 -fomit-frame-pointer -gz" "-O2 -gdwarf-4"; do
    build=$((build + 1))
    $CC $flags -g "$SOURCES/sites.c" -o "sites$build" 2>"cc.log" || {
        skip "c_$build" "$CC does not build with $flags"
        continue
    }
    known "c_$build" "./sites$build" sites.c
done
if command -v "$CXX" >/dev/null; then
    for flags in -O0 -O2; do
        "$CXX" $flags -g "$SOURCES/sites.cpp" -o "sitescpp$flags" && known "cpp$flags" "./sitescpp$flags" sites.cpp
    done
    "$CXX" -O1 -g "$SOURCES/exceptions.cpp" -o exceptions -pthread
    ./exceptions >bare.out
    for mode in full off leaf; do
        bare ./exceptions >"recorded.out"
        ok "exceptions_$mode" cmp bare.out recorded.out
    done
else
    skip cpp "no C++ compiler"
fi
if command -v rustc >/dev/null && rustc -O -g "$SOURCES/sites.rs" -o sitesrs 2>rust.log; then
    known rust ./sitesrs sites.rs
else
    skip rust "no rustc that works"
fi

# ---- stripped, with separate debug information

cp sites3 split
objcopy --only-keep-debug split split.debug
objcopy --strip-all --add-gnu-debuglink=split.debug split
bare ./split
"$ANALYZE" --json=split.json bare.trace
ok debuglink python3 -B "$SOURCES/truth.py" sites split.json "$SOURCES/sites.c"
mv split.debug elsewhere.debug
"$ANALYZE" --json=split.json --force bare.trace
not_ok debuglink_control python3 -B "$SOURCES/truth.py" sites split.json "$SOURCES/sites.c"
ok stripped_is_module_and_offset sh -c '"$0" --text bare.trace | grep -q "split+0x"' "$ANALYZE"

# ---- another root, another build, a packed trace

mkdir root
cp sites3 job
bare ./job
mv job root/job
"$ANALYZE" --json=gone.json bare.trace
not_ok gone_control python3 -B "$SOURCES/truth.py" sites gone.json "$SOURCES/sites.c"
"$ANALYZE" --json=mapped.json --path-map="$TMP/job=$TMP/root/job" bare.trace
ok path_map python3 -B "$SOURCES/truth.py" sites mapped.json "$SOURCES/sites.c"
ok packs "$ANALYZE" --pack=packed.trace --path-map="$TMP/job=$TMP/root/job" bare.trace
"$ANALYZE" --json=packed.json --symbols=none packed.trace
ok packed_needs_no_files python3 -B "$SOURCES/truth.py" sites packed.json "$SOURCES/sites.c"
ok packed_is_whole sh -c '"$0" --json "$1" | grep -q "\"complete\": *true"' "$ANALYZE" packed.trace
ok packs_in_place "$ANALYZE" --pack=bare.trace --path-map="$TMP/job=$TMP/root/job" bare.trace
ok packs_twice "$ANALYZE" --pack=bare.trace bare.trace
"$ANALYZE" --json=packed.json --force --symbols=none bare.trace
ok packed_in_place python3 -B "$SOURCES/truth.py" sites packed.json "$SOURCES/sites.c"
not_ok pack_keeps_other_files "$ANALYZE" --pack=cc.log bare.trace
cp sites4 job
bare ./job
cp sites1 job
"$ANALYZE" --json=other.json bare.trace
not_ok other_build_is_refused python3 -B "$SOURCES/truth.py" sites other.json "$SOURCES/sites.c"
cp sites3 job
ok launcher_records "$RECORD" -q -i 1 -o launched.trace ./job
rm job
"$ANALYZE" --json=launched.json --symbols=none launched.trace
ok launcher_packs python3 -B "$SOURCES/truth.py" sites launched.json "$SOURCES/sites.c"
expect_status 2 path_map_is_checked "$ANALYZE" --path-map=nonsense launched.trace

# ---- hostile files where a module's file should be

cp sites3 job
bare ./job
survives() {
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
        cp sites3 job
        python3 -B - "$i" <<'END'
import random, sys
random.seed(int(sys.argv[1]))
data = bytearray(open("job", "rb").read())
if int(sys.argv[1]) % 4 == 0:
    del data[random.randrange(len(data)):]
for _ in range(200):
    at = random.randrange(0x400, max(len(data), 0x401)) if len(data) > 0x400 else 0
    if at < len(data):
        data[at] = random.randrange(256)
open("job", "wb").write(data)
END
        "$ANALYZE" --json=hostile.json --force bare.trace || return
        grep -q '"schema"' hostile.json || return
    done
}
ok hostile_elf survives
rm -f job && mkfifo job
ok fifo_is_no_file "$ANALYZE" --json=hostile.json --force bare.trace
rm -f job

# ---- fibers, depth, replaced modules

$CC -O1 -g "$SOURCES/fibers.c" -o fibers
for mode in full leaf; do
    bare ./fibers >fibers.out
    ok "fibers_$mode" has fibers.out '^1$'
    ok "fibers_${mode}_are_read" "$ANALYZE" --json=fibers.json --force bare.trace
done
echo '#include <stdlib.h>
#include <string.h>
void *alfa(void) { void *p = malloc(500001); memset(p, 1, 10); return p; }' >alfa.c
sed 's/alfa/beta/' alfa.c >beta.c
for name in alfa beta; do $CC -O1 -g -shared -fPIC $name.c -o lib$name.so; done
$CC -O2 -g "$SOURCES/replace.c" -o replace -ldl
bare ./replace ./libalfa.so ./libbeta.so >same.out
if has same.out '^[1-9]'; then
    "$ANALYZE" --json=replace.json bare.trace
    ok replaced_modules_stay_apart python3 -B -c '
import json
end = json.load(open("replace.json"))["instants"]["end"]["stacks"]
got = {s["frames"][-1]["function"]: s["bytes"] for s in end if s["bytes"] > 500000}
assert got == {"alfa": 1500003, "beta": 1500003}, got'
else
    skip replaced_modules_stay_apart "the loader put them at different addresses"
fi

$CC -O2 -g "$SOURCES/churn.c" -o churn -pthread -ldl
ok churn_runs_bare ./churn ./libalfa.so ./libbeta.so
for run in 1 2 3; do
    ok "loading_while_others_allocate_$run" bare ./churn ./libalfa.so ./libbeta.so
done

# ---- Python

size=64M
interval=4096

tried=
for python in ${NATIVE_PYTHONS:-"$(command -v python3)" /usr/bin/python3}; do
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    case " $tried " in *" $version "*) continue ;; esac
    tried="$tried $version"
    for mode in full leaf off; do
        bare "$python" "$SOURCES/mixed.py"
        "$ANALYZE" --json=mixed.json --force bare.trace
        case $mode in
        full) ok "python_${version}_mixed" python3 -B "$SOURCES/truth.py" mixed mixed.json ;;
        *) not_ok "python_${version}_${mode}_control" python3 -B "$SOURCES/truth.py" mixed mixed.json ;;
        esac
    done
done
finish
