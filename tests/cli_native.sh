#!/bin/sh
# Native stacks and their symbols: known sites in C, C++ and Rust however they are built, mixed stacks, exceptions, fibers,
# replaced modules, packed traces.
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

# split NAME PROGRAM SOURCE: the same without names in the program, whose debug information stands beside it.
split() {
    cp "$2" split
    objcopy --only-keep-debug split split.debug
    objcopy --strip-all --add-gnu-debuglink=split.debug split
    bare ./split >split.out 2>&1
    "$ANALYZE" --json=split.json --force bare.trace
    ok "$1_split" python3 -B "$SOURCES/truth.py" sites split.json "$SOURCES/$3"
    mv split.debug elsewhere.debug
    "$ANALYZE" --json=split.json --force bare.trace
    not_ok "$1_split_control" python3 -B "$SOURCES/truth.py" sites split.json "$SOURCES/$3"
}

# ---- known sites

# matrix LANGUAGE SOURCE COMPILER...: stdin has a line of flags for each build; a line that begins with "split" is stripped,
# too.
matrix() {
    matrix_language=$1
    matrix_source=$2
    shift 2
    while read -r matrix_flags; do
        matrix_name=$(echo "${matrix_language} ${matrix_flags#split }" | tr -cs 'a-z0-9A-Z\n' _)
        # shellcheck disable=SC2086 # several words
        if "$@" ${matrix_flags#split } "$SOURCES/$matrix_source" -o "$matrix_name" 2>cc.log </dev/null; then
            known "$matrix_name" "./$matrix_name" "$matrix_source"
            case $matrix_flags in split*) split "$matrix_name" "./$matrix_name" "$matrix_source" ;; esac
        else
            skip "$matrix_name" "$* does not build with these flags: $(head -n 1 cc.log)"
        fi
    done
}

matrix c sites.c $CC -g <<END
-O0
-O1
split -O2
-O3
-O2 -flto
split -O3 -flto -no-pie
-O2 -no-pie
-O2 -fomit-frame-pointer -gz
-O2 -gdwarf-4
END
cp c_O0 sites1
cp c_O2 sites3
cp c_O3 sites4
if command -v clang >/dev/null && [ "$CC" != clang ]; then
    matrix c_clang sites.c clang -g -fno-builtin <<END
-O0
split -O2
-O3 -gdwarf-4
END
else
    skip c_clang "no clang beside $CC"
fi
if command -v "$CXX" >/dev/null; then
    matrix cpp sites.cpp "$CXX" -g <<END
-O0
split -O2
-O3
-O2 -flto
-O3 -no-pie
END
    "$CXX" -O1 -g "$SOURCES/exceptions.cpp" -o exceptions -pthread
    ./exceptions >bare.out
    for mode in full off leaf; do
        bare ./exceptions >"recorded.out"
        ok "exceptions_$mode" cmp bare.out recorded.out
    done
    mode=leaf
else
    skip cpp "no C++ compiler"
fi
if command -v rustc >/dev/null && rustc --version >rust.log 2>&1; then
    matrix rust sites.rs rustc -g <<END
-C opt-level=0
split -C opt-level=2
-C opt-level=3
-C opt-level=3 -C lto
-C opt-level=2 -C relocation-model=static
-C opt-level=2 -C symbol-mangling-version=v0
END
else
    skip rust "no rustc that works"
fi

# ---- signal handlers, missing tables, a program's own functions

matrix handler handler.c $CC -g <<END
-O0
-O2
END

$CC -O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables -fomit-frame-pointer "$SOURCES/sites.c" -o untold
mode=full
bare ./untold
"$ANALYZE" --json=untold.json bare.trace
ok missing_tables_are_flagged python3 -B -c '
import json
report = json.load(open("untold.json"))
(stack,) = [s for s in report["instants"]["end"]["stacks"] if s["bytes"] == 1000001]
names = [f["function"] for f in stack["frames"]]
assert names[0] == "[truncated]" and names[-1] == "plain", names
assert report["losses"]["native"] > 0, report["losses"]'
bare ./c_O2
"$ANALYZE" --json=told.json --force bare.trace
ok missing_tables_control python3 -B -c '
import json
report = json.load(open("told.json"))
assert report["losses"]["native"] == 0, report["losses"]
assert not any(f["function"] == "[truncated]" for s in report["instants"]["end"]["stacks"] for f in s["frames"])'

if $CC -O1 -g -rdynamic "$SOURCES/own.c" -o own 2>cc.log; then
    ok own_functions_bare ./own
    for mode in full leaf; do
        ok "own_functions_$mode" bare ./own
        ok "own_functions_${mode}_history" sh -c '"$0" --text bare.trace | grep -q "60,0[0-9]* allocations recorded"' "$ANALYZE"
    done
else
    skip own_functions "$CC: $(head -n 1 cc.log)"
fi
if $CC -O1 -g "$SOURCES/fibers.c" -o linked -Wl,--no-as-needed -lunwind -llz4 2>cc.log; then
    for mode in full leaf; do
        bare ./linked >linked.out
        ok "linked_libunwind_and_lz4_$mode" has linked.out '^1$'
    done
else
    skip linked_libunwind_and_lz4 "no libunwind or liblz4 to link with"
fi
mode=leaf

# ---- stripped, and nothing else to be had

cp sites3 split
strip split
bare ./split
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

# ---- a packer that does not end

mkdir slow
cp "$RECORD" "$LIBRARY" slow
printf '#!/bin/sh\necho $$ >%s/packer\nexec sleep 300\n' "$TMP" >slow/fil4prod-analyze
chmod +x slow/fil4prod-analyze
cp sites3 job

# slowly FILE SCRIPT: runs it below the launcher, which gets SIGTERM when FILE is there.
slowly() {
    rm -f packer now
    slow/fil4prod-record -i 1 -o slow.trace sh -c "$2" 2>slow.err &
    launcher=$!
    for _ in $(seq 300); do
        [ ! -s "$1" ] || break
        sleep 0.1
    done
    kill -TERM $launcher
    wait $launcher
}
# While it packs: that ends, and the status is the command's.
end_packing() {
    slowly packer './job; exit 7'
}
# Who asks a command to end waits for the launcher: two seconds are left for packing.
end_command() {
    slowly now './job; trap "exit 5" TERM; echo >now; while :; do sleep 0.1; done'
}
# Asked six seconds ago: nobody waits for long now.
end_command_late() {
    slowly now './job; trap "" TERM; echo >now; sleep 6; exit 4'
}
gone() {
    [ -s packer ] && ! kill -0 "$(cat packer)" 2>/dev/null
}
expect_status 7 packing_ends_when_asked end_packing
ok packing_is_ended gone
ok packing_not_done_is_said has slow.err 'slow.trace.*: no time to put names of native frames into it'
expect_status 5 packing_after_sigterm_is_short end_command
ok packing_after_sigterm_is_ended gone
expect_status 4 packing_long_after_sigterm end_command_late
ok packing_long_after_sigterm_is_not_begun test ! -e packer
ok packing_not_begun_is_said has slow.err 'no time to put names'
rm job

# ---- hostile files where a module's file should be

cp sites3 job
bare ./job
ok hostile_elf python3 -B "$SOURCES/hostile.py" "$ANALYZE" bare.trace job
rm -f job && mkfifo job
ok fifo_is_no_file "$ANALYZE" --json=hostile.json --force bare.trace
rm -f job

# ---- an analyzer built without libdw: symbol tables alone, read by its own reader, here under sanitizers

sanitize=-fsanitize=address,undefined
echo 'int main(void) { return 0; }' >empty.c
$CC $sanitize empty.c -o empty 2>cc.log && ./empty || sanitize=
[ -n "$sanitize" ] || skip without_libdw_sanitized "$(head -n 1 cc.log)"
set --
for source in "$ROOT"/analyzer/*.c "$ROOT"/format/*.c; do
    case $source in */analyzer/tui* | */format/writer*) ;; *) set -- "$@" "$source" ;; esac
done
# shellcheck disable=SC2086 # none, or one
ok without_libdw_builds "$CC" -std=c11 -D_GNU_SOURCE -DF4P_VERSION='"0"' -O1 -g $sanitize -I"$ROOT" "$@" -o elf_only -llz4 -ldl -lm
# tables NAME...: all of them are in the report's stacks, in no file
tables() {
    ./elf_only --json=elf.json --force bare.trace 2>elf.err && lacks elf.err 'Sanitizer|runtime error' && python3 -B -c '
import json, sys
frames = [f for s in json.load(open("elf.json"))["instants"]["end"]["stacks"] for f in s["frames"]]
missing = set(sys.argv[1:]) - {f["function"] for f in frames}
assert not missing and not any(f["line"] for f in frames), missing' "$@"
}
ok without_libdw_is_said sh -c './elf_only --version | grep -q "^native symbols: ELF symbol tables only"'
cp sites1 job
bare ./job
ok without_libdw_names tables main plain by_calloc by_realloc
ok without_libdw_hostile_elf python3 -B "$SOURCES/hostile.py" ./elf_only bare.trace job 50
cp sites3 job
not_ok without_libdw_other_build_is_refused tables main
ok without_libdw_other_build_is_said has elf.json 'another build'
rm -f job

# ---- a debug file that does not answer

# A FIFO: whoever opens it waits for a writer.
cp sites3 split
objcopy --only-keep-debug split split.debug
objcopy --strip-debug --add-gnu-debuglink=split.debug split
rm split.debug && mkfifo split.debug
bare ./split
if "$ANALYZE" --version | grep -q tui; then
    ok terminal_shows_names_as_they_come python3 -B "$ROOT/tests/tui/names.py" "$ANALYZE" bare.trace split.debug
else
    skip terminal_shows_names_as_they_come "built without ncursesw"
fi
# It is given up after a minute: names are those of the symbol table of the others.
if [ -n "${LONG:-}" ]; then
    ok silent_debug_file "$ANALYZE" --text=silent.txt bare.trace
    ok silent_debug_file_is_said has silent.txt 'split: .* without name: its file is damaged or too much to read'
    ok silent_debug_file_costs_its_own_names has silent.txt '__libc_start'
else
    skip silent_debug_file "takes a minute: LONG=1"
fi
rm split.debug

# Names that are no text.
$CC -O2 -c "$SOURCES/sites.c" -o sites.o
name=$(printf 'evil\377\033[31m"\n\302')
objcopy --redefine-sym plain="$name" sites.o evil.o
$CC evil.o -o evil
bare ./evil
"$ANALYZE" --json=evil.json bare.trace
ok names_become_utf8 python3 -B -c '
import json
end = json.load(open("evil.json", encoding="utf-8"))["instants"]["end"]["stacks"]
names = {f["function"] for s in end for f in s["frames"]}
assert "evil\ufffd\x1b[31m\"\n\ufffd" in names, names'
"$ANALYZE" --pack=evil.trace bare.trace
"$ANALYZE" --json=again.json --symbols=none evil.trace
ok names_become_utf8_packed python3 -B -c '
import json
end = json.load(open("again.json", encoding="utf-8"))["instants"]["end"]["stacks"]
names = {f["function"] for s in end for f in s["frames"]}
assert "evil\ufffd\x1b[31m\"\n\ufffd" in names, names'
"$ANALYZE" --text=evil.txt bare.trace
ok names_are_harmless lacks evil.txt "$(printf '\033')"

# ---- C++ names where there is no C++ runtime

# An analyzer with GCC's demangler in it needs none; one without says that names stay as they are.
mkdir nothing
for runtime in libstdc++.so.6 libc++abi.so.1; do echo >nothing/$runtime; done
names() {
    LD_LIBRARY_PATH=$TMP/nothing "$@" _ZN4shop5shelfIlE7restockEm >names.out
}
set -- -D_GNU_SOURCE -I"$ROOT" "$SOURCES/names.c" "$ROOT/analyzer/symbols_names.c" "$ROOT/analyzer/symbols_rust.c" -ldl
demangler=$($CC -print-file-name=libsupc++.a)
$CC -DHAVE_LIBSUPCXX "$@" "$demangler" -o names_in 2>cc.log
$CC "$@" -o names_out
if [ -x names_in ]; then
    ok cxx_names_need_no_runtime names ./names_in
    ok cxx_names_are_readable has names.out '^shop::shelf<long>::restock\(unsigned long\)$'
    ok cxx_names_demangler_is_said sh -c '"$0" --version | grep -q "C++ names: made readable by GCC"' "$ANALYZE"
else
    skip cxx_names_need_no_runtime "no libsupc++.a: $(head -n 1 cc.log)"
fi
expect_status 1 cxx_names_control names ./names_out
ok cxx_names_control_is_mangled has names.out '^\(as it is\)$'
ok cxx_names_control_is_said has names.out 'left mangled: built without libsupc'

# ---- fibers, depth, replaced modules

$CC -O1 -g "$SOURCES/fibers.c" -o fibers
for mode in full leaf; do
    bare ./fibers >fibers.out
    ok "fibers_$mode" has fibers.out '^1$'
    ok "fibers_${mode}_are_read" "$ANALYZE" --json=fibers.json --force bare.trace
    ok "depth_${mode}_is_flagged" has fibers.json '^ +"depth":[1-9]'
done
echo '#include <stdlib.h>
#include <string.h>
void *alfa(void) { void *p = malloc(500001); memset(p, 1, 10); return p; }' >alfa.c
sed 's/alfa/beta/' alfa.c >beta.c
for name in alfa beta; do $CC -O1 -g -shared -fPIC $name.c -o lib$name.so; done
$CC -O2 -g "$SOURCES/replace.c" -o replace -ldl
# With an interval, too: then no sample of the loader's comes between those of the libraries.
for interval in 1 16384; do
    bare ./replace ./libalfa.so ./libbeta.so >same.out
    if has same.out '^[1-9]'; then
        "$ANALYZE" --force --json=replace.json bare.trace
        ok "replaced_modules_stay_apart_$interval" python3 -B -c '
import json
end = json.load(open("replace.json"))["instants"]["end"]["stacks"]
got = {s["frames"][-1]["function"]: s["bytes"] for s in end if s["bytes"] > 500000}
assert got == {"alfa": 1500003, "beta": 1500003}, got'
    else
        skip "replaced_modules_stay_apart_$interval" "the loader put them at different addresses"
    fi
done
interval=1

# More of them than the recorder would look for one by one, and each used at once.
$CC -O2 -g "$SOURCES/many.c" -o many -ldl
mkdir several
for module in $(seq 60); do cp libalfa.so "several/$module.so"; done
mode=full
ok many_modules bare ./many several 60 alfa
mode=leaf
"$ANALYZE" --json=many.json bare.trace
ok many_modules_are_seen python3 -B -c '
import json
report = json.load(open("many.json"))
assert report["losses"]["native"] == 0, report["losses"]
stacks = [s["frames"][-1]["function"] for s in report["instants"]["end"]["stacks"] if s["bytes"] >= 500001]
assert stacks == 60 * ["alfa"], stacks'

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
