#!/bin/sh
# A trace recorded in one root, read in another that has none of its libraries: packed, not packed, and with a copy of
# them. LONG=1: once more with a root made by debootstrap (SUITE=bookworm), whose Python is recorded.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/roots.sh"
SOURCES=$ROOT/tests/native
CXX=$(if command -v "${CXX:-g++}" >/dev/null; then echo "${CXX:-g++}"; else echo c++; fi)
ALIEN=/opt/alien

"$ANALYZE" --version | grep -q 'symbols: libdw' || {
    skip roots "built without libdw: no lines"
    finish
}
if [ "$(id -u)" -ne 0 ] || ! unshare -m true 2>/dev/null; then
    skip roots "needs root and a mount namespace"
    finish
fi

# install_in DIR FILE...: programs with the libraries that they need, at the same places; the programs in /tool.
install_in() {
    install_root=$1
    shift
    mkdir -p "$install_root/tool" "$install_root/proc" "$install_root/tmp"
    for install_file in "$@"; do
        cp "$install_file" "$install_root/tool"
        ldd "$install_file" 2>/dev/null | grep -o '/[^ ]*' | while read -r install_needed; do
            mkdir -p "$install_root$(dirname "$install_needed")"
            cp -L "$install_needed" "$install_root$install_needed"
        done
    done
}

# named REPORT: of what stands in the alien directory, every address of the job has a name.
named() {
    python3 -B - "$@" <<'END'
import json, sys
report = json.load(open(sys.argv[1]))
# Of a stripped library no more is to be had than its exported names.
bad = [m for m in report["nameless"] if m["module"].endswith("/job") or "its file has no names" not in m["why"] and "when the trace was packed" not in m["why"]]
frames = [f for s in report["instants"]["end"]["stacks"] for f in s["frames"]]
assert not bad, bad
assert any("shop::shelf<long>::restock" in f["function"] for f in frames), [f["function"] for f in frames]
assert any("__libc_start" in f["function"] for f in frames), [f["function"] for f in frames]
END
}

# nameless REPORT MODULE: it, and nothing else of it, is named by its path and the build-id that readelf finds.
nameless() {
    python3 -B - "$@" <<'END'
import json, re, subprocess, sys
report, module, file = json.load(open(sys.argv[1])), sys.argv[2], sys.argv[3]
want = re.search("Build ID: ([0-9a-f]+)", subprocess.run(["readelf", "-n", file], capture_output=True, text=True).stdout)[1]
(found,) = [m for m in report["nameless"] if m["module"] == module]
assert found["build_id"] == want and found["nameless"] == found["addresses"] > 3, found
assert "not on this machine" in found["why"], found
frames = [f for s in report["instants"]["end"]["stacks"] for f in s["frames"] if f["file"] == module]
assert frames and all(f["function"] == "" and f["build_id"] == want and f["address"] for f in frames), frames
END
}

# ---- two roots of copied libraries

loader=$(basename "$(readlink -f /lib64/ld-linux-x86-64.so.2 2>/dev/null || echo ld.so)")
if ! "$CXX" -O2 -g "$SOURCES/sites.cpp" -o plain || ! "$CXX" -O2 -g "$SOURCES/sites.cpp" -o job \
    -Wl,--dynamic-linker="$ALIEN/$loader" -Wl,-rpath,"$ALIEN" -Wl,--enable-new-dtags; then
    skip roots "no C++ compiler that works"
    finish
fi
cxx_runtime=$(ldd plain | grep -o '/[^ ]*libstdc++[^ ]*')
install_in here "$RECORD" "$ANALYZE" "$LIBRARY" /usr/bin/env
install_in there "$ANALYZE"
for root in here there; do # C++ names are made readable by the runtime, wherever it is
    mkdir -p "$root$(dirname "$cxx_runtime")"
    ldd plain | grep -o '/[^ ]*' | while read -r file; do cp -L "$file" "$root$file"; done
done
mkdir -p "here$ALIEN"
for file in $(ldd plain | grep -o '/[^ ]*'); do cp -L "$file" "here$ALIEN"; done
cp -L "$(readlink -f /lib64/ld-linux-x86-64.so.2)" "here$ALIEN/$loader"
cp job "here$ALIEN/job"
rm plain job

# Stacks are there whole in either trace; names in one.
ok recorded in_root here /tool/fil4prod-record -q -i 1 -s 8M --native=full -o /tmp/packed.trace "$ALIEN/job"
ok recorded_bare in_root here /tool/env FIL4PROD_QUIET=1 FIL4PROD_OUTPUT=/tmp/bare.trace FIL4PROD_SIZE=8M \
    FIL4PROD_NATIVE=full FIL4PROD_INTERVAL=1 FIL4PROD_MIN_HEAP=0 LD_PRELOAD=/tool/libfil4prod.so "$ALIEN/job"
cp here/tmp/packed.trace here/tmp/bare.trace there/tmp || finish

ok reads_packed in_root there /tool/fil4prod-analyze --json=/tmp/packed.json /tmp/packed.trace
ok packed_sites python3 -B "$SOURCES/truth.py" sites there/tmp/packed.json "$SOURCES/sites.cpp"
ok packed_has_all_names named there/tmp/packed.json

ok reads_bare in_root there /tool/fil4prod-analyze --json=/tmp/bare.json /tmp/bare.trace
not_ok bare_control named there/tmp/bare.json
ok bare_says_module_and_build_id nameless there/tmp/bare.json "$ALIEN/job" "here$ALIEN/job"
for library in libc.so.6 "$(basename "$cxx_runtime")"; do
    ok "bare_says_$library" nameless there/tmp/bare.json "$ALIEN/$library" "here$ALIEN/$library"
done
id=$(readelf -n "here$ALIEN/job" | sed -n 's/.*Build ID: //p')
ok text_of_bare in_root there /tool/fil4prod-analyze --text=/tmp/bare.txt /tmp/bare.trace
ok text_says_build_id has there/tmp/bare.txt "$ALIEN/job: ([0-9]+) of \1 addresses without name: .*; build-id $id\$"
ok text_says_what_to_do has there/tmp/bare.txt '[-]-path-map=DIR=COPY'
ok text_frames_have_build_ids has there/tmp/bare.txt "job[+]0x[0-9a-f]+ .no symbol, build-id $(echo "$id" | cut -c1-16)"

cp -r "here$ALIEN" there/copy
ok reads_mapped in_root there /tool/fil4prod-analyze --json=/tmp/mapped.json --path-map="$ALIEN=/copy" /tmp/bare.trace
ok mapped_sites python3 -B "$SOURCES/truth.py" sites there/tmp/mapped.json "$SOURCES/sites.cpp"
ok mapped_has_all_names named there/tmp/mapped.json

# ---- separate debug files in the copy of a root

mkdir -p "image$ALIEN" "image/usr/lib/debug/.build-id/$(echo "$id" | cut -c1-2)"
objcopy --only-keep-debug "here$ALIEN/job" "image/usr/lib/debug/.build-id/$(echo "$id" | cut -c1-2)/$(echo "$id" | cut -c3-).debug"
objcopy --strip-all "here$ALIEN/job" "image$ALIEN/job"
"$ANALYZE" --json=image.json --path-map="$ALIEN=$TMP/image$ALIEN" here/tmp/bare.trace
not_ok debug_file_control python3 -B "$SOURCES/truth.py" sites image.json "$SOURCES/sites.cpp"
"$ANALYZE" --json=image.json --force --path-map="/=$TMP/image/" here/tmp/bare.trace
ok debug_file_by_path_map python3 -B "$SOURCES/truth.py" sites image.json "$SOURCES/sites.cpp"
rm "image$ALIEN/job"
"$ANALYZE" --json=image.json --force --path-map="/=$TMP/image/" here/tmp/bare.trace
ok debug_file_alone python3 -B "$SOURCES/truth.py" sites image.json "$SOURCES/sites.cpp"

# ---- a distribution's own root

if [ -z "${LONG:-}" ]; then
    skip debootstrap "LONG=1 runs it"
elif ! command -v debootstrap >/dev/null || ! distribution_root "${SUITE:-bookworm}" python3; then
    skip debootstrap "debootstrap does not make a root here"
else
    mkdir -p "$root/tool"
    rm -f "$root"/tmp/job.trace*
    cp "$RECORD" "$LIBRARY" "$root/tool"
    ok distribution_records in_root "$root" /tool/fil4prod-record -q -i 4K --native=full -o /tmp/job.trace /usr/bin/python3 -c '
import json
kept = [json.loads("[%s]" % ",".join(map(str, range(20000)))) for _ in range(20)]'
    cp "$root/tmp/job.trace" there/tmp
    in_root there /tool/fil4prod-analyze --json=/tmp/job.json --show-from=. /tmp/job.trace
    ok distribution_lines grep -q '"function":"loads"' there/tmp/job.json
    not_ok distribution_control grep -Eq '"function":"_?Py[A-Z]' there/tmp/job.json
    in_root there /tool/fil4prod-analyze --text=/tmp/job.txt /tmp/job.trace
    ok distribution_says_build_id has there/tmp/job.txt 'python3[^ ]*: ([0-9]+) of \1 addresses without name: .*; build-id [0-9a-f]{40}'
    ok distribution_packs "$ANALYZE" --pack=there/tmp/full.trace --path-map="/=$root/" there/tmp/job.trace
    in_root there /tool/fil4prod-analyze --json=/tmp/full.json --show-from=. /tmp/full.trace
    ok distribution_names grep -Eq '"function":"_?Py[A-Z]' there/tmp/full.json
fi
finish
