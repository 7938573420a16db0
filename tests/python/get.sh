#!/bin/sh
# Unpacks CPythons side by side: Debian's, each with the libraries it was built for, from the mirror that this machine's
# apt uses, nothing of the system's apt being touched; and those of the JavaCPP presets, by mvn, for the releases that no
# suite of Debian has. The latter are builds with a libpython.so.
#
# usage: tests/python/get.sh DIRECTORY VERSION...      VERSION: 3.9 3.10 3.11 3.12 3.13 3.14 3.15
#
# Makes DIRECTORY/VERSION/bin/python3, a real executable, for each VERSION that is not there yet. It finds its own loader
# and libraries, so that it, what it starts and what it preloads need nothing of the system's. Exit status 1, and one
# line on stderr for each, if some could not be had.
set -u

suite_of() {
    case $1 in
    3.9) echo bullseye ;;
    3.11) echo bookworm ;;
    3.13) echo trixie ;;
    3.14 | 3.15) echo sid ;;
    esac
}

preset_of() {
    case $1 in
    3.10) echo 3.10.8-1.5.8 ;;
    3.12) echo 3.12.1-1.5.10 ;;
    esac
}

# fetch SUITE ROOT PACKAGE: PACKAGE and all it needs, as .debs in ROOT/cache/archives
fetch() {
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/ Debian$//p' | head -n 1)
    mirror=${mirror:-$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        grep -o 'https\{0,1\}://[^ ]*/debian/\{0,1\}$' | head -n 1)}
    [ -n "$mirror" ] || return 1
    mkdir -p "$2/lists/partial" "$2/cache/archives/partial" && : >"$2/status" &&
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" >"$2/sources.list" &&
        printf 'Dir::%s;\n' "State \"$2\"" "State::status \"$2/status\"" "State::lists \"$2/lists\"" \
            "Cache \"$2/cache\"" 'Cache::pkgcache ""' 'Cache::srcpkgcache ""' "Etc::sourcelist \"$2/sources.list\"" \
            'Etc::sourceparts "/dev/null"' 'Etc::preferencesparts "/dev/null"' 'Etc::preferences "/dev/null"' >"$2/apt.conf" &&
        printf '%s;\n' 'APT::Sandbox::User "root"' 'Acquire::Retries "2"' 'Acquire::Languages "none"' \
            'Acquire::http::Timeout "30"' 'Debug::NoLocking "true"' >>"$2/apt.conf" &&
        apt-get -c "$2/apt.conf" -qq update &&
        apt-get -c "$2/apt.conf" -qq -y --no-install-recommends --download-only install "$3"
}

# unpack ROOT: the libraries and interpreters among the .debs
unpack() {
    mkdir -p "$1/root"
    for deb in "$1"/cache/archives/*.deb; do
        case ${deb##*/} in
        dpkg_* | perl-base_* | debconf_* | tar_* | tzdata_* | *-base_* | readline-common_* | *-gconv-*) continue ;;
        esac
        dpkg-deb -x "$deb" "$1/root" || return 1
    done
}

# settle ROOT VERSION: the interpreter loads what stands beside it, and nothing else
settle() {
    for library in "$1"/lib/*-linux-gnu/*.so* "$1"/usr/lib/*-linux-gnu/*.so*; do
        [ ! -f "$library" ] || ln -sf "$library" "$1/usr/lib/" || return 1
    done
    "$(dirname "$0")/settle.py" "$1/usr/bin/python$2" "$1/usr/lib/ld-linux-x86-64.so.2" && mkdir -p "$1/../bin" &&
        ln -sf "../root/usr/bin/python$2" "$1/../bin/python$2" &&
        "$1/../bin/python$2" -c 'import ctypes, hashlib, sqlite3, zlib, multiprocessing' &&
        ln -sf "python$2" "$1/../bin/python3"
}

# preset ROOT VERSION PRESET
preset() {
    command -v mvn >/dev/null || { echo "there is no mvn to get it with" && return 1; }
    mvn -q -B dependency:copy "-Dartifact=org.bytedeco:cpython:$3:jar:linux-x86_64" "-DoutputDirectory=$1" || {
        echo "mvn could not copy org.bytedeco:cpython:$3" && return 1
    }
    from=root/org/bytedeco/cpython/linux-x86_64
    python3 -m zipfile -e "$1/cpython-$3-linux-x86_64.jar" "$1/root" && rm "$1/cpython-$3-linux-x86_64.jar" &&
        ln -sf "$1/$from"/libffi.so.? "$1/$from/lib/python$2/lib-dynload/" && chmod +x "$1/$from/bin/python$2" &&
        mkdir -p "$1/bin" && ln -sf "$1/$from/bin/python$2" "$1/bin/python$2" &&
        "$1/bin/python$2" -c 'import ctypes, hashlib, zlib, multiprocessing' && ln -sf "python$2" "$1/bin/python3"
}

get() {
    root=$directory/$1
    [ ! -x "$root/bin/python3" ] || return 0
    preset=$(preset_of "$1")
    if [ -n "$preset" ]; then
        mkdir -p "$root" && preset "$root" "$1" "$preset"
        return
    fi
    suite=$(suite_of "$1")
    [ -n "$suite" ] || return 1
    mkdir -p "$root"
    fetch "$suite" "$root" "python$1" && unpack "$root" && settle "$root/root" "$1" &&
        rm -rf "$root/cache" "$root/lists"
}

[ $# -ge 2 ] || {
    sed -n '/^# usage/s/^# //p' "$0" >&2
    exit 2
}
mkdir -p "$1" && directory=$(cd "$1" && pwd) || exit 1
shift
status=0
for version; do
    get "$version" >"$directory/$version.log" 2>&1 || {
        echo "$0: Python $version could not be had: $(tail -n 1 "$directory/$version.log")" >&2
        status=1
    }
done
exit $status
