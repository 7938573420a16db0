#!/bin/sh
# cgroup v2 for real, in a QEMU guest (software emulation) with Debian's kernel: OOM kills by the own limit, by an
# ancestor's, of a whole group, beside a hog; memory.high; and a pulled plug, after which the trace is read from the
# disk's image. Not part of `make check`: `make check-qemu` (QEMU_KERNEL and QEMU_MODULES: another kernel).
# Needs qemu-system-x86_64, cpio, e2fsprogs, busybox (static) and a kernel: .ci/deps does not list them; this says how.
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

missing=''
for program in qemu-system-x86_64 cpio mkfs.ext4 debugfs e2fsck; do
    PATH=$PATH:/usr/sbin:/sbin command -v $program >/dev/null || missing="$missing $program"
done
PATH=$PATH:/usr/sbin:/sbin
BUSYBOX=${QEMU_BUSYBOX:-/bin/busybox}
[ -x "$BUSYBOX" ] && ! ldd "$BUSYBOX" >/dev/null 2>&1 || missing="$missing busybox-static"

# The kernel: given, installed, or fetched by apt into the build directory.
KERNEL=${QEMU_KERNEL:-$(find /boot -name 'vmlinuz-*-cloud-amd64' 2>/dev/null | sort -V | tail -n 1)}
MODULES=${QEMU_MODULES:-/lib/modules/${KERNEL##*/vmlinuz-}}
if [ ! -r "$KERNEL" ]; then
    mkdir -p "$BUILD/qemu"
    package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/.*Depends: //p' | head -n 1)
    [ -z "$package" ] || (cd "$BUILD/qemu" && apt-get download "$package" && dpkg-deb -x "$package"_*.deb .) \
        >"$TMP/apt" 2>&1
    KERNEL=$(find "$BUILD/qemu/boot" -name 'vmlinuz-*' 2>/dev/null | head -n 1)
    MODULES=$(find "$BUILD/qemu/lib/modules" -mindepth 1 -maxdepth 1 2>/dev/null | head -n 1)
fi
[ -r "$KERNEL" ] || missing="$missing linux-image-cloud-amd64"
if [ -n "$missing" ]; then
    skip qemu "not there:$missing; apt install qemu-system-x86 cpio e2fsprogs busybox-static linux-image-cloud-amd64"
    finish
fi

# ---- the guest's first file system ----

tree=$TMP/tree
mkdir -p "$tree/bin" "$tree/lib" "$tree/lib64" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/disk" "$tree/modules" "$tree/tmp"
cp "$BUSYBOX" "$tree/bin/busybox"
for applet in sh mount insmod mkdir cat echo sleep sync kill head tr env; do
    ln -s busybox "$tree/bin/$applet"
done
cp "$RECORD" "$BUILD/prog_death" "$tree/bin/"
cp "$LIBRARY" "$tree/lib/"
cp /lib/x86_64-linux-gnu/libc.so.6 "$tree/lib/"
cp /lib64/ld-linux-x86-64.so.2 "$tree/lib64/"
find "$MODULES" -name 'virtio*.ko' -exec cp {} "$tree/modules/" \;
cp "$ROOT/tests/qemu/init" "$tree/init"
chmod +x "$tree/init"
(cd "$tree" && find . | cpio -o -H newc 2>/dev/null | gzip -1 >"$TMP/initrd")
truncate -s 160M disk
mkfs.ext4 -q -F disk

# ---- its life ----

qemu-system-x86_64 -accel tcg -m 512 -smp 1 -nographic -no-reboot -kernel "$KERNEL" -initrd "$TMP/initrd" \
    -append "console=ttyS0 quiet panic=-1" -drive file=disk,if=virtio,format=raw >console 2>&1 </dev/null &
qemu=$!
plug_pulled() {
    for _ in $(seq 900); do
        if grep -q '^GUEST plug' console; then
            kill -KILL "$qemu"
            return 0
        fi
        kill -0 "$qemu" 2>/dev/null || break
        sleep 1
    done
    kill -KILL "$qemu" 2>/dev/null
    tail -n 40 console
    return 1
}
ok guest_ran plug_pulled
wait "$qemu" 2>/dev/null
grep '^GUEST' console

# ---- what is on its disk ----

e2fsck -fy disk >fsck.out 2>&1 # replays the journal, as the next boot would
ok disk_is_usable test $? -le 1
fact() {
    [ -f "$1.json" ] || { debugfs -R "dump /$1.bin $1.bin" disk && "$ANALYZE" --json="$1.json" --text="$1.txt" "$1.bin"; }
    python3 - "$1.json" "$2" <<'PY'
import json, sys
a = json.load(open(sys.argv[1]))
v = a["verdict"]
kind, sure, cause, evidence = v["kind"], v["confidence"], v["cause"], "\n".join(v["evidence"])
heap = a["instants"]["end"]["heap_bytes"]
if not eval(sys.argv[2]):
    sys.exit("does not hold: %s\nheap %d, %s\n%s" % (sys.argv[2], heap, a["trace"], json.dumps(v, indent=1)))
PY
}
ok own fact own 'kind == "oom-cgroup" and sure == "certain" and "oom_kill 0 -> 1" in cause and "ancestor" not in cause'
ok own_heap fact own '50 << 20 < heap < 64 << 20'
ok alone fact alone 'kind == "oom-cgroup" and sure == "likely" and "of 64.0M charged" in cause'
ok whole fact whole 'kind == "oom-cgroup" and sure == "likely" and "together with the job" in evidence'
ok whole_says_why fact whole '"memory.oom.group is set" in evidence'
ok ancestor fact ancestor 'kind == "oom-cgroup" and sure == "certain" and "by an ancestor" in cause'
ok sibling fact sibling 'kind == "oom-cgroup" and "others held most of it" in cause and "grow:70" in evidence'
ok slow fact slow 'kind == "killed" and sure == "certain" and "memory.high of 32.0M was exceeded" in evidence'
ok plug fact plug 'kind == "unknown" and sure == "unknown"'
ok plug_heap fact plug '39 << 20 < heap < 42 << 20 and a["trace"]["torn_bytes"] == 0'
for name in own alone whole ancestor sibling slow plug; do
    sed -n '2,3p' "$name.txt"
done
finish
