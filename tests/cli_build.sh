#!/bin/sh
# What was built: exports and needs of the library, boundaries between the parts, headers, manual pages, installing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$ROOT" || exit 1

eval "set -- $(cat "$BUILD/flags")"
CC=$1
# Compiler and language flags without libraries, as the tree was built
FLAGS=$(sed 's/ -l.*//' "$BUILD/flags")

compiler() {
    eval "$FLAGS"' "$@"'
}

# ---- the library: a preloaded one that cannot be loaded stops every program --------------------------------------------

exports_wanted() {
    sed -n '/global:/,/local:/p' recorder/exports.map | grep -Eo '\b[a-z_A-Z0-9]+;' | tr -d ';' | sort
}

exports_equal() {
    exports_wanted >"$TMP/wanted"
    nm -D --defined-only "$1" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort >"$TMP/exported"
    [ -s "$TMP/wanted" ] && diff "$TMP/wanted" "$TMP/exported"
}

needs_only_libc() {
    readelf -d "$1" | grep NEEDED
    [ "$(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')" = libc.so.6 ]
}

# glibc_at_most MINOR FILE: no symbol of a later version than GLIBC_2.MINOR is asked for
glibc_at_most() {
    readelf -W --version-info "$2" | grep -Eo 'Name: GLIBC_[0-9.]+' | sed 's/.*GLIBC_//' | sort -u >"$TMP/versions"
    [ -s "$TMP/versions" ] &&
        ! awk -F. -v most="$1" '$1 != 2 || $2 > most' "$TMP/versions" | sed 's/^/needs GLIBC_/' | grep .
}

lacks_dynamic_tag() {
    readelf -d "$2" >"$TMP/dynamic" && lacks "$TMP/dynamic" "$1"
}

ok library_exports exports_equal "$LIBRARY"
not_ok control_exports exports_equal /lib/x86_64-linux-gnu/libc.so.6
ok library_exports_malloc has "$TMP/wanted" '^malloc$'
ok library_needs_only_libc needs_only_libc "$LIBRARY"
not_ok control_needs_only_libc needs_only_libc "$ANALYZE"
ok library_glibc_floor glibc_at_most 31 "$LIBRARY"
not_ok control_glibc_floor glibc_at_most 1 "$LIBRARY"
ok library_no_text_relocations lacks_dynamic_tag TEXTREL "$LIBRARY"
ok library_no_run_path lacks_dynamic_tag 'R(UN)?PATH' "$LIBRARY"
not_ok control_dynamic_tag lacks_dynamic_tag SONAME "$LIBRARY"
readelf -lW "$LIBRARY" >"$TMP/segments"
ok library_has_stack_segment has "$TMP/segments" GNU_STACK
ok library_stack_not_executable lacks "$TMP/segments" 'GNU_STACK.*E'
ok library_preloads env LD_PRELOAD="$LIBRARY" FIL4PROD_QUIET=1 sh -c 'echo fine'
ok library_preload_output has "$TMP/out" '^fine$'
ok library_preload_silent test ! -s "$TMP/err"

# ---- boundaries --------------------------------------------------------------------------------------------------------

# stays_off REGEX FILE...: none of the files includes, even indirectly, a header of ours that matches
stays_off() {
    regex=$1
    shift
    compiler -MM "$@" | tr ' ' '\n' | grep '\.h$' | sort -u >"$TMP/headers" && lacks "$TMP/headers" "$regex"
}

defines_allocator() {
    for object in "$BUILD"/obj/recorder/*.o "$BUILD"/obj/format/*.o "$BUILD"/obj/analyzer/*.o "$BUILD"/plain/*/*.o; do
        [ ! -f "$object" ] || nm -A --defined-only "$object"
    done | grep -E ' T (malloc|calloc|realloc|free|mmap)$' | sed 's/:.*//' | xargs -n 1 basename | sort -u
}

only_hooks_define_allocator() {
    defines_allocator
    [ "$(defines_allocator)" = hooks.o ]
}

format_header_has_no_code() {
    cp format/format.h "$TMP/format.c" && compiler -c -o "$TMP/format.o" "$TMP/format.c" && ! nm "$TMP/format.o" | grep .
}

ok recorder_off_analyzer stays_off '^analyzer/|^format/reader' recorder/*.c format/writer*.c
ok analyzer_off_recorder stays_off '^recorder/|^format/writer' analyzer/*.c format/reader*.c
not_ok control_boundary stays_off '^format/format\.h' format/reader*.c
ok only_hooks_define_allocator only_hooks_define_allocator
ok format_header_has_no_code format_header_has_no_code

# ---- headers and pages -------------------------------------------------------------------------------------------------

header_alone() {
    echo "#include \"$1\"" >"$TMP/alone.c" && compiler -Werror -fsyntax-only "$TMP/alone.c"
}

for header in format/*.h recorder/*.h analyzer/*.h; do
    ok "header_alone_$header" header_alone "$header"
done
echo 'uint32_t f4p_lonely(void);' >"$TMP/lonely.h"
not_ok control_header_alone header_alone "$TMP/lonely.h"

for page in fil4prod-record.1 fil4prod-analyze.1 fil4prod-trace.5; do
    ok "page_$page" test -f "man/$page"
    if command -v mandoc >/dev/null; then
        ok "page_lint_$page" mandoc -T lint -W warning "man/$page"
    else
        skip "page_lint_$page" "no mandoc"
    fi
done

# ---- building and installing -------------------------------------------------------------------------------------------

make_here() {
    make --no-print-directory VARIANT="${BUILD##*/}" CC="$CC" "$@"
}

installed() {
    (cd "$TMP/root/opt" && find . -type f | sort) >"$TMP/installed"
    printf '%s\n' ./bin/fil4prod-analyze ./bin/fil4prod-record ./lib/fil4prod/libfil4prod.so \
        ./share/man/man1/fil4prod-analyze.1 ./share/man/man1/fil4prod-record.1 ./share/man/man5/fil4prod-trace.5 |
        diff - "$TMP/installed"
}

ok build_again make_here all
ok nothing_was_rebuilt lacks "$TMP/out" '  (CC|LD) '
ok install make_here install DESTDIR="$TMP/root" PREFIX=/opt
ok install_files installed
ok install_finds_library sh -c 'cd "$TMP" && root/opt/bin/fil4prod-record -o "$TMP/installed.trace" -- "$0" -c "print(1)"' \
    /usr/bin/python3
ok install_output has "$TMP/out" '^1$'
ok install_trace_readable "$TMP/root/opt/bin/fil4prod-analyze" --json "$TMP/installed.trace"
ok uninstall make_here uninstall DESTDIR="$TMP/root" PREFIX=/opt
ok uninstall_leaves_nothing sh -c '! find "$TMP/root" -type f | grep .'

version=$(sed -n 's/^VERSION := //p' Makefile)
ok version_analyze "$ANALYZE" --version
ok version_analyze_text has "$TMP/out" "\b$version\b"
ok version_record "$RECORD" --version
ok version_record_text has "$TMP/out" "\b$version\b"

# ---- what is missing is said -------------------------------------------------------------------------------------------

expect_status 1 probe_without_compiler env CC=/nonexistent/cc .ci/deps --probe build
ok probe_names_packages has "$TMP/err" 'apt-get install.* liblz4-dev'
ok probe_complete .ci/deps --probe build

deps_as_nobody() {
    CC=/nonexistent/cc setpriv --reuid=65534 --clear-groups sh -s check <.ci/deps
}

if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups true 2>/dev/null; then
    expect_status 1 deps_not_root deps_as_nobody
    ok deps_not_root_prints_command has "$TMP/err" 'sudo apt-get install .*liblz4-dev'
else
    skip deps_not_root "takes root, to stop being root"
fi

# deps_of GROUP: .ci/deps, with the packages that $TMP/packages lists, and an apt-get that knows no name with "lost" in it
mkdir "$TMP/fake" "$TMP/there"
cat >"$TMP/fake/apt-get" <<'END'
#!/bin/sh
echo "$*" >>"$TMP/apt.log"
case $* in update*) exit 0 ;; *lost*) exit 100 ;; esac
for word; do
    case $word in install | -*) ;; *) : >"$TMP/there/$word" ;; esac
done
END
printf '#!/bin/sh\necho 0\n' >"$TMP/fake/id"
chmod +x "$TMP/fake/apt-get" "$TMP/fake/id"
deps_of() {
    : >"$TMP/apt.log"
    # shellcheck disable=SC2016 # for sed
    sed -e '/^packages="$/,/^"$/d' -e "/^# group, package/r $TMP/packages" .ci/deps >"$TMP/deps" &&
        PATH="$TMP/fake:$PATH" sh "$TMP/deps" "$1"
}
# deps_are "GROUP PACKAGE"...: what is to be installed; each is there as the file of its name
deps_are() {
    echo 'packages="'
    for line; do echo "$line file:$TMP/there/${line#* }"; done
    echo '"'
}

deps_are 'build one' 'check two' 'wanted-by-check lost' 'wanted-by-check three' >"$TMP/packages"
ok deps_wanted_is_no_need deps_of check
ok deps_says_what_will_skip has "$TMP/err" 'tests will be skipped for want of: lost$'
ok deps_installs_the_others test -e "$TMP/there/one" -a -e "$TMP/there/two" -a -e "$TMP/there/three"
deps_are 'build one' 'check two' 'wanted-by-check three' >"$TMP/packages"
ok deps_again deps_of check
ok deps_again_installs_nothing test ! -s "$TMP/apt.log"
rm "$TMP/there/three"
ok deps_of_build deps_of build
ok deps_of_build_wants_nothing test ! -s "$TMP/apt.log"
deps_are 'check lost' >"$TMP/packages"
expect_status 1 deps_needed_is_a_need deps_of check
ok deps_says_what_is_needed has "$TMP/err" 'could not install: lost$'
deps_are 'check two' >"$TMP/packages"
sed -i 's,/there/two,/elsewhere,' "$TMP/packages"
expect_status 1 deps_unseen deps_of check
ok deps_says_what_is_unseen has "$TMP/err" 'installed, but not found .*: two$'

finish
