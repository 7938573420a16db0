# shellcheck shell=sh
# Sourced after lib.sh by tests that run in other roots.

# in_root DIR CMD...: with /proc, which goes with the namespace; nothing else is mounted.
in_root() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$@"
}

# distribution_root SUITE PACKAGE,...: makes $root, a root by debootstrap, which stays in build/ as it is slow to make
distribution_root() {
    # shellcheck disable=SC2153 # of lib.sh
    root=$ROOT/build/roots/$1
    [ ! -e "$root/made" ] || return 0
    mkdir -p "$ROOT/build/roots"
    debootstrap --variant=minbase --include="$2" "$1" "$root.part" >debootstrap.log 2>&1 &&
        mv "$root.part" "$root" && : >"$root/made"
}
