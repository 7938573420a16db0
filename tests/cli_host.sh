#!/bin/sh
# The recorder in any process: programs of tests/host, one per hazard, bare and recorded, give the same output, the same
# errors and the same status. Each test is seen to fail with its guard taken out (tests/host/mutants).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

PROGRAMS=$BUILD/host
library=$LIBRARY
output=$TMP/traces/t
beside=             # preloaded behind the recorder, and in the bare program
order=behind        # or: before
interval=1
min_heap=0
size=4M
limit=120           # seconds; one that hangs fails
mkdir traces
trap 'cd / && chmod -R u+rwx "$TMP" && rm -rf "$TMP"' EXIT

fresh() {
    rm -rf "$TMP/traces" data
    mkdir traces
}

bare() {
    timeout "$limit" env LD_PRELOAD="$beside" "$@"
}

recorded() {
    case $order in behind) preload=$library${beside:+:$beside} ;; *) preload=${beside:+$beside:}$library ;; esac
    timeout "$limit" env FIL4PROD_OUTPUT="$output" FIL4PROD_INTERVAL="$interval" FIL4PROD_MIN_HEAP="$min_heap" \
        FIL4PROD_SIZE="$size" LD_PRELOAD="$preload" "$@"
}

# same COMMAND...: standard output, standard error and status as without the recorder
same() {
    fresh
    bare "$@" >bare.out 2>bare.err
    bare_status=$?
    fresh
    recorded "$@" >recorded.out 2>recorded.err
    recorded_status=$?
    head -n 5 recorded.err
    diff bare.out recorded.out && diff bare.err recorded.err && [ $bare_status -eq $recorded_status ] &&
        [ $bare_status -eq 0 ]
}

# said LINES COMMAND...: the same, but for LINES (a regular expression) lines of the recorder on standard error
said() {
    lines=$1
    shift
    fresh
    bare "$@" >bare.out 2>bare.err
    bare_status=$?
    fresh
    recorded "$@" >recorded.out 2>recorded.err
    recorded_status=$?
    cat recorded.err
    grep -v '^fil4prod: ' recorded.err | diff bare.err - && diff bare.out recorded.out &&
        [ $bare_status -eq $recorded_status ] && grep -c '^fil4prod: ' recorded.err | grep -qx "$lines"
}

# without GUARD COMMAND...: COMMAND with the library that lacks a guard
without() {
    guard=$1
    shift
    library=$PROGRAMS/mutant/$guard/libfil4prod.so
    [ ! -f "$library" ] || "$@" # a missing one passes, which its test does not expect
    without_status=$?
    library=$LIBRARY
    return $without_status
}

# query TRACE EXPRESSION: of the analysis `a`
query() {
    "$ANALYZE" --json "$1" >analysis.json || true
    python3 -c 'import json, sys; a = json.load(open("analysis.json")); print(eval(sys.argv[1]))' "$2"
}

traces() {
    find "$TMP/traces" -type f | wc -l
}

# Every trace can be read and is whole.
sound() {
    [ "$(traces)" -gt 0 ] || return 1
    for trace in "$TMP"/traces/*; do
        query "$trace" 'all(v in (0, True) for v in a["damage"].values()) and a["trace"]["complete"]' >look
        grep -Fxq True look || { echo "$trace" && cat look && return 1; }
    done
}

# ---- the whole surface ---------------------------------------------------------------------------------------------------

for interval in 1 auto 4096; do
    ok "family_interval_$interval" same "$PROGRAMS/family"
done
interval=1
ok family_trace_sound sound
not_ok control_family_errno without errno_lost same "$PROGRAMS/family"
ok maps same "$PROGRAMS/maps"
# None of them is a sample.
interval=1T
refusals() {
    same "$PROGRAMS/refused" || return 1
    query "$TMP"/traces/* '[r["size_bytes"] >> 20 for r in a["failed_requests"]] == list(range(41, 50))' >look
    grep -Fxq True look
}
ok refusals refusals
not_ok control_refusals without refusals_unseen refusals
interval=1
ok exceptions same "$PROGRAMS/exceptions"

# What is live when the program waits, to the byte, in mappings and in blocks of at least a mebibyte.
mappings_held() {
    fresh
    FIL4PROD_OUTPUT=$TMP/traces/t FIL4PROD_INTERVAL=1 FIL4PROD_MIN_HEAP=0 FIL4PROD_SIZE=4M LD_PRELOAD=$library \
        "$PROGRAMS/maps" live >held &
    pid=$!
    tries=0
    until grep -q '^held' held || [ $tries -ge 100 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    kill -KILL $pid
    wait $pid
    held=$(sed -n 's/^held //p' held)
    # the buffer of standard output is the only other block
    found=$(query "$TMP/traces/t" 'a["instants"]["end"]["heap_bytes"]')
    echo "held $held found $found"
    [ "$((found - held))" -ge 0 ] && [ "$((found - held))" -lt 100000 ]
}
ok maps_held mappings_held
not_ok control_maps_reservations without reservations_counted mappings_held
not_ok control_maps_unmapped without unmapped_unseen mappings_held

# ---- other allocators ----------------------------------------------------------------------------------------------------

# Blocks alone count, not what the allocator maps for them.
blocks_held() {
    fresh
    recorded "${grower:-$PROGRAMS/grow}" 32 >held || return 1
    held=$(($(sed -n 's/^done //p' held) * 50000))
    found=$(query "$TMP/traces/t" 'a["instants"]["end"]["heap_bytes"]')
    echo "held $held found $found"
    sound && [ "$((found * 4))" -gt "$((held * 3))" ] && [ "$((found * 4))" -lt "$((held * 5))" ]
}

for allocator in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
    beside=$(find /usr/lib/*-linux-gnu /usr/lib64 -name "$allocator" 2>/dev/null | head -n 1)
    if [ -z "$beside" ]; then
        skip "beside_$allocator" "not installed"
        continue
    fi
    for order in behind before; do
        ok "family_${order}_$allocator" same "$PROGRAMS/family" common
        ok "threads_${order}_$allocator" same "$PROGRAMS/threads" 200
        ok "children_${order}_$allocator" same "$PROGRAMS/children" 1
        ok "stacks_${order}_$allocator" same "$PROGRAMS/stacks"
    done
    order=behind
    interval=262144 # else all of the allocator's work is done inside a slow path, which is a guard of its own
    ok "blocks_held_$allocator" blocks_held
    interval=1

    # Among the program's own libraries: found behind the recorder as well.
    library_of=$beside
    beside=
    linked() {
        ${CC:-gcc} -w -D_GNU_SOURCE -I"$ROOT" -o "$1-$allocator" "$ROOT/tests/host/$1.c" -pthread -ldl -Wl,--no-as-needed "$library_of"
    }
    if linked family 2>cc.log && linked grow 2>cc.log; then
        ok "family_linked_$allocator" same "./family-$allocator" common
        interval=262144 grower=./grow-$allocator
        ok "blocks_held_linked_$allocator" blocks_held
        interval=1 grower=
    else
        skip "family_linked_$allocator" "$(head -n 1 cc.log)"
    fi
done
beside=

# A program that brings its own malloc asks nobody else for blocks; then what its allocator maps is what there is to see.
ok own_malloc same "$PROGRAMS/own_malloc"
ok own_malloc_used_it grep -q 'many 1, strange 0' recorded.out
own_malloc_held() {
    fresh
    recorded "$PROGRAMS/own_malloc" >/dev/null || return 1
    found=$(query "$TMP/traces/t" 'a["instants"]["end"]["heap_bytes"]')
    echo "found $found"
    sound && [ "$found" -ge 20000000 ] && [ "$found" -lt 28000000 ]
}
ok own_malloc_mappings_held own_malloc_held
not_ok control_own_malloc_mappings without own_malloc_trusted own_malloc_held

# ---- threads, children, handlers, stacks ---------------------------------------------------------------------------------

ok threads same "$PROGRAMS/threads" 6000
ok threads_trace_sound sound

ok children same "$PROGRAMS/children" 5
ok children_traces_sound sound
ok storm same "$PROGRAMS/storm" 1000
not_ok control_storm_lock without lock_inherited same "$PROGRAMS/storm" 400

beside=$PROGRAMS/reentrant.so
interval=262144
ok blocks_held_reentrant blocks_held
not_ok control_blocks_held without arenas_counted blocks_held
interval=1
ok handlers_allocate same "$PROGRAMS/handlers" allocate 5000
ok handlers_allocate_sound sound
limit=20
not_ok control_handlers_allocate without inside_unguarded same "$PROGRAMS/handlers" allocate 5000
limit=120
ok handlers_fork same "$PROGRAMS/handlers" fork 200
not_ok control_handlers_fork without fork_unseen same "$PROGRAMS/handlers" fork 100
not_ok control_handlers_look_fork without look_fork_unseen same "$PROGRAMS/handlers" fork 200
not_ok control_handlers_fork_frees without op_forgotten same "$PROGRAMS/handlers" fork 200
# Either the recording goes on and holds the last block, or it has said that it ended.
jumps() {
    said '[01]' "$PROGRAMS/handlers" jump 1000 || return 1
    grep -q '^fil4prod: ' recorded.err ||
        [ "$(query "$TMP/traces/t" 'a["instants"]["end"]["heap_bytes"] > 5 << 20')" = True ]
}
ok handlers_jump jumps
not_ok control_handlers_jump without jump_unseen jumps
beside=

ok stacks same "$PROGRAMS/stacks"
# What the bare program takes is libc's; the rest, ours: 2 KiB. Bound at the start, for the linker's own stack is larger.
depth() {
    export LD_BIND_NOW=1
    used=$(bare "$PROGRAMS/stacks" depth 1000000 | sed 's/ .*//')
    fresh
    min_heap=$1
    interval=$2 recorded "$PROGRAMS/stacks" depth $((used + 2048))
    depth_status=$?
    unset LD_BIND_NOW
    min_heap=0
    interval=1
    return $depth_status
}
ok stack_taken depth 0 1
ok stack_taken_at_the_start depth 10000 1
not_ok control_stack_taken without stack_taken depth 0 1

min_heap=1M
ok cancellation same "$PROGRAMS/cancel"
not_ok control_cancellation without cancellable same "$PROGRAMS/cancel"
min_heap=0

# ---- descriptors, messages -----------------------------------------------------------------------------------------------

min_heap=1M
ok descriptors same "$PROGRAMS/descriptors" "$TMP/data"
not_ok control_descriptors without descriptor_kept same "$PROGRAMS/descriptors" "$TMP/data"
output=/nonexistent/trace # which is noticed when the program has made other use of its descriptors
min_heap=1M
ok message_not_into_data same "$PROGRAMS/descriptors" "$TMP/data"
not_ok control_message_not_into_data without standard_error_assumed same "$PROGRAMS/descriptors" "$TMP/data"
limit=20
for reader in full gone; do
    ok "message_into_pipe_$reader" same "$PROGRAMS/descriptors" "$TMP/data" $reader
    not_ok "control_message_into_pipe_$reader" without standard_error_raises same "$PROGRAMS/descriptors" "$TMP/data" $reader
done
limit=120
ok output_unwritable said 1 "$PROGRAMS/grow" 4
output=$TMP/traces/t
min_heap=0

# ---- rights that shrink --------------------------------------------------------------------------------------------------

for mode in none nofile memlock fsize lockall 'seccomp errno' 'seccomp kill' 'seccomp direct' probe "chroot $TMP"; do
    name=$(printf %s "${mode%"$TMP"}" | tr -cs 'a-z\n' _)
    for min_heap in 0 10M; do
        # shellcheck disable=SC2086
        ok "rights_${name}_$min_heap" said '[01]' "$PROGRAMS/limits" $mode
    done
done
min_heap=0
ends_at_sandbox() {
    fresh
    recorded "$PROGRAMS/limits" "$@" >/dev/null 2>ended.err
    "$ANALYZE" --json traces/t >ended.json && has ended.json '"passive":"the job restricts its own system calls' &&
        has ended.err 'recording ends: the job restricts its own system calls'
}
ok rights_seccomp_said ends_at_sandbox seccomp kill
ok rights_seccomp_direct_said ends_at_sandbox seccomp direct
not_ok rights_probe_unsaid ends_at_sandbox probe
not_ok control_seccomp_kill without sandbox_unseen said '[01]' "$PROGRAMS/limits" seccomp kill
not_ok control_seccomp_direct without sandbox_unseen said '[01]' "$PROGRAMS/limits" seccomp direct
size=64M
address_limited() {
    said '[01]' sh -c "ulimit -v 90000; exec '$PROGRAMS/limits' none"
}
ok rights_address address_limited
not_ok control_rights_address without share_unlimited address_limited
size=4M

if [ "$(id -u)" -eq 0 ]; then
    cp "$PROGRAMS/limits" setuid && chmod 4755 setuid && chmod 755 "$TMP"
    ok rights_setuid same setpriv --reuid=65534 --clear-groups "$TMP/setuid" setuid
    ok rights_setuid_ran has bare.out 'users differ: 1'
else
    skip rights_setuid "not root"
fi

# ---- libraries -----------------------------------------------------------------------------------------------------------

ok loading same "$PROGRAMS/loading" "$PROGRAMS/plugin.so" 200
beside=$PROGRAMS/early.so
ok early_and_late same "$PROGRAMS/threads" 100
ok early_and_late_sound sound
beside=

# ---- what cannot be recorded runs untouched ------------------------------------------------------------------------------

cat >other.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
    void *block = malloc(100000);
    printf("runs %d\n", block != 0);
    free(block);
    return 0;
}
END
cc=${CC:-gcc}
if $cc -static -o other-static other.c 2>/dev/null; then
    ok other_static same ./other-static
    else
    skip other_static "no static libc"
fi
if command -v musl-gcc >/dev/null; then
    musl-gcc -o other-musl other.c
    ok other_musl same ./other-musl
    not_ok control_other_musl without libc_assumed same ./other-musl
else
    skip other_musl "no musl-gcc"
fi
if $cc -m32 -o other-32 other.c 2>/dev/null; then
    launched() { "$RECORD" -o "$TMP/launched" -- "$@"; }
    ok other_32 launched ./other-32
    ok other_32_output has out '^runs 1$'
    ok other_32_said has err '^fil4prod'
else
    skip other_32 "no 32-bit libc"
fi
if $cc -fsanitize=address -o other-asan other.c 2>/dev/null; then
    ok other_asan "$RECORD" -o "$TMP/launched-asan" -- ./other-asan
    ok other_asan_said has err '^fil4prod'
else
    skip other_asan "no AddressSanitizer"
fi

# ---- the trace's own file ------------------------------------------------------------------------------------------------

# stepping DO: a program that grows, with DO done to its trace after the first step
stepping() {
    fresh
    rm -f steps stepped # what the last one said is not to be taken for this one's
    mkfifo steps
    recorded "$PROGRAMS/grow" 4 4 <steps >stepped 2>stepped.err &
    pid=$!
    exec 3>steps
    tries=0
    until grep -q '^step 0' stepped || [ $tries -ge 100 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    "$@"
    sleep 0.2 # the recorder looks now and then
    printf '\n\n\n\n' >&3
    exec 3>&-
    wait $pid
    stepping_status=$?
    rm -f steps
    cat stepped.err
    [ $stepping_status -eq 0 ] && grep -q '^done' stepped
}
ok trace_removed stepping rm -f traces/t
ok trace_truncated stepping truncate -c -s 8192 traces/t
ok trace_truncated_said has stepped.err '^fil4prod: .*truncated'
not_ok control_trace_truncated without truncation_unseen stepping truncate -c -s 8192 traces/t
if [ "$(id -u)" -eq 0 ] && mkdir small && mount -t tmpfs -o size=2M none small 2>/dev/null; then
    output=$TMP/small/t
    min_heap=1M
    ok trace_on_full_disk said 1 "$PROGRAMS/grow" 4
    ok trace_on_full_disk_left_nothing test ! -e small/t
    output=$TMP/traces/t
    min_heap=0
    umount small
else
    skip trace_on_full_disk "no small file system can be mounted"
fi

# ---- a process earns its trace -------------------------------------------------------------------------------------------

cat >thousand.sh <<'END'
i=0
while [ $i -lt 250 ]; do
    expr $i \* 3
    echo "line $i" | sed "s/i/o/g"
    ls / | wc -l
    i=$((i + 1))
done
END
min_heap=16M
interval=auto
ok thousand_commands same sh thousand.sh
ok thousand_commands_no_trace test "$(traces)" = 0
earned_none() {
    same sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do sort /etc/services /etc/services | wc -l; done' && [ "$(traces)" -eq 0 ]
}
ok below_threshold earned_none
min_heap=16K
not_ok control_below_threshold without everything_earned earned_none
# So coarse an interval that one sample of the 6 MiB stands for more than 16.
interval=64M
min_heap=16M
estimate_earns_none() {
    same "$PROGRAMS/turnover" 6 2 && [ "$(traces)" -eq 0 ]
}
ok coarse_below_threshold estimate_earns_none
not_ok control_coarse_below_threshold without doubt_ignored estimate_earns_none
interval=auto
ok above_threshold same "$PROGRAMS/grow" 20
ok above_threshold_trace test "$(traces)" = 1
# The process ends while a thread makes its file, in a directory that takes a while to look through. So fine an interval
# that 20 MiB are beyond doubt more than 16.
interval=64K
ends_while_making() {
    fresh
    (cd traces && seq -f 't.%g' 100001 104000 | xargs touch)
    FIL4PROD_MAX_TRACES=1000000 recorded "$PROGRAMS/exit_making" &&
        [ "$(query "$TMP/traces/t" 'a["verdict"]["exit_code"] == 0 and a["trace"]["complete"]')" = True ]
}
ok ends_while_making ends_while_making
not_ok control_ends_while_making without making_unseen ends_while_making
fresh
min_heap=0
interval=1

# The parent holds 4 MiB and grows by 4; the child releases 2 of those it inherited and adds 8.
ok inherited same "$PROGRAMS/grow" 4 1 child
ok inherited_sound sound
inherited() {
    query "$TMP/traces/t" '[[p["heap_bytes"] // 1000000, p["inherited_bytes"] // 1000000] for p in a["processes"]]' | tee look
    grep -Fxq '[[8, 0], [8, 4]]' look
}
ok inherited_apart inherited
inherited_without() {
    same "$PROGRAMS/grow" 4 1 child && inherited
}
not_ok control_inherited without inherited_forgotten inherited_without

finish
