#include "recorder/record_rss.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/hash.h"
#include "format/layout.h"
#include "recorder/clock.h"
#include "recorder/residency.h"

#define SECOND 1000000000ull
#define SLICE 8000000   /* units, about 50 ms: signals for the command wait that long */
#define COST_SHARE 100u /* a pause is at least this many times the cost of the slice before it */
#define PERIOD (SECOND / 10)
#define LATEST SECOND
#define CHANGE_SHARE 32u /* of the RSS, one part in this makes a new look worth while */
#define MAX_REGIONS 65536u
#define PIECE 512u /* entries read at once */

enum phase { IDLE, SCAN, BLOCKS };

static struct {
    struct f4p_residency look;
    struct f4p_region regions[MAX_REGIONS];
    pid_t pid;
    enum phase phase;
    uint64_t next_ns, seen_rss, last_ns; /* when and at what RSS the last look began */
    uint64_t from_ns, cost_ns;           /* of this look; cost_ns without the present slice, */
    uint64_t slice_ns;                   /* which began at this CPU time */
    uint64_t seq, peak_seq, peak_rss;
    uint32_t index;                   /* next entry of LIVE */
    struct f4p_state state;           /* of the recorder, at the look's begin */
    struct f4p_residency_site *sites; /* as many as SITES has places */
    size_t site_room;
} rss;

/* Whole or not at all. */
static bool get(const struct f4p_launch_trace *trace, uint64_t offset, void *to, size_t bytes)
{
    ssize_t got;
    do
        got = pread(trace->fd, to, bytes, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)bytes;
}

static void put(const struct f4p_launch_trace *trace, uint64_t offset, const void *from, size_t bytes)
{
    while (pwrite(trace->fd, from, bytes, (off_t)offset) < 0 && errno == EINTR)
        ;
}

static const struct f4p_section *section(const struct f4p_launch_trace *trace, enum f4p_section_kind kind)
{
    return f4p_layout_find(&trace->header, kind);
}

static bool read_state(const struct f4p_launch_trace *trace)
{
    struct f4p_state states[2];

    memset(&rss.state, 0, sizeof(rss.state));
    if (!get(trace, section(trace, F4P_SECTION_CONTROL)->offset + offsetof(struct f4p_control, state), states,
             sizeof(states)))
        return false;
    for (int i = 0; i < 2; i++)
        if (states[i].commit > rss.state.commit &&
            states[i].check == f4p_hash(&states[i], offsetof(struct f4p_state, check), 0))
            rss.state = states[i];
    return rss.state.commit && rss.state.status == F4P_STATUS_RECORDING && (pid_t)rss.state.pid == rss.pid;
}

static void read_ranges(const struct f4p_launch_trace *trace, struct f4p_range ranges[F4P_RESIDENCY_RANGES])
{
    struct f4p_resident head;

    memset(ranges, 0, F4P_RESIDENCY_RANGES * sizeof(*ranges));
    if (get(trace, section(trace, F4P_SECTION_RESIDENT)->offset, &head, sizeof(head)) &&
        head.ranges_check == f4p_hash(head.recorder, sizeof(head.recorder), 0))
        memcpy(ranges, head.recorder, sizeof(head.recorder));
}

/* Address space for a sum per site; what earlier looks made of it goes. */
static void clear_sites(const struct f4p_launch_trace *trace)
{
    size_t room = section(trace, F4P_SECTION_SITES)->bytes / sizeof(struct f4p_site);

    if (!rss.sites) {
        void *p = mmap(NULL, room * sizeof(*rss.sites), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return;
        rss.sites = p;
        rss.site_room = room;
    } else {
        madvise(rss.sites, rss.site_room * sizeof(*rss.sites), MADV_DONTNEED);
    }
}

static bool begin(const struct f4p_launch_trace *trace, uint64_t now, uint64_t current)
{
    struct f4p_range ranges[F4P_RESIDENCY_RANGES];

    if (!section(trace, F4P_SECTION_RESIDENT) || !read_state(trace))
        return false;
    read_ranges(trace, ranges);
    f4p_residency_begin(&rss.look, (uint32_t)rss.pid, rss.regions, MAX_REGIONS, ranges, SECOND, now);
    clear_sites(trace);
    rss.look.sites = rss.sites;
    rss.look.site_room = (uint32_t)rss.site_room;
    rss.index = 0;
    rss.cost_ns = 0;
    rss.from_ns = rss.last_ns = now;
    rss.seen_rss = current;
    return true;
}

/* true: all done. */
static bool look_at_blocks(const struct f4p_launch_trace *trace, int64_t *budget)
{
    uint64_t live_at = section(trace, F4P_SECTION_LIVE)->offset,
             marks_at = section(trace, F4P_SECTION_RESIDENT)->offset + sizeof(struct f4p_resident);
    struct f4p_live live[PIECE];
    struct f4p_mark marks[PIECE];

    while (rss.index < rss.state.live_high) {
        uint32_t left = rss.state.live_high - rss.index, count = left < PIECE ? left : PIECE;
        if (!get(trace, live_at + rss.index * sizeof(*live), live, count * sizeof(*live)))
            return true;
        uint32_t done =
            f4p_residency_blocks(&rss.look, live, marks, rss.index, count, trace->header.base_interval, budget);
        put(trace, marks_at + rss.index * sizeof(*marks), marks, done * sizeof(*marks));
        rss.index += done;
        if (done < count)
            return false;
    }
    return true;
}

static void put_site_marks(const struct f4p_launch_trace *trace, unsigned half)
{
    uint64_t live_room = section(trace, F4P_SECTION_LIVE)->bytes / sizeof(struct f4p_live),
             room = section(trace, F4P_SECTION_SITES)->bytes / sizeof(struct f4p_site);
    uint64_t at = section(trace, F4P_SECTION_RESIDENT)->offset + sizeof(struct f4p_resident) +
                  live_room * sizeof(struct f4p_mark) + half * room * sizeof(struct f4p_site_mark);
    struct f4p_site_mark marks[PIECE];

    for (uint32_t i = 0; i < rss.state.sites && i < rss.site_room; i += PIECE) {
        uint32_t count = 0;
        for (; count < PIECE && i + count < rss.state.sites && i + count < rss.site_room; count++)
            marks[count] = f4p_residency_site_mark(i + count, rss.seq, &rss.sites[i + count]);
        put(trace, at + i * sizeof(*marks), marks, count * sizeof(*marks));
    }
}

static void put_ledger(const struct f4p_launch_trace *trace, size_t member)
{
    put(trace, section(trace, F4P_SECTION_RESIDENT)->offset + member, &rss.look.found, sizeof(rss.look.found));
}

static void finish(const struct f4p_launch_trace *trace)
{
    struct f4p_ledger *found = &rss.look.found;

    f4p_residency_finish(&rss.look);
    if (rss.look.failed || !(found->valid >> F4P_LEDGER_rss & 1))
        return; /* it has ended meanwhile, or nobody may look */
    f4p_residency_set(&rss.look, F4P_LEDGER_object_arenas, rss.state.arena_bytes);
    f4p_residency_set(&rss.look, F4P_LEDGER_cost_ns,
                      rss.cost_ns + f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - rss.slice_ns);
    found->seq = ++rss.seq;
    found->from_ns = rss.from_ns;
    found->t_ns = f4p_launch_trace_now(trace);
    f4p_residency_seal(found);
    if (found->value[F4P_LEDGER_rss] >= rss.peak_rss) {
        unsigned half = ++rss.peak_seq & 1;
        rss.peak_rss = found->value[F4P_LEDGER_rss];
        put_site_marks(trace, half);
        put_ledger(trace, offsetof(struct f4p_resident, peak) + half * sizeof(*found));
    }
    put_ledger(trace, offsetof(struct f4p_resident, last) + (rss.seq & 1) * sizeof(*found));
}

static void slice(const struct f4p_launch_trace *trace)
{
    int64_t budget = SLICE;
    bool done = false;

    if (!f4p_residency_open(&rss.look)) {
        rss.phase = IDLE;
        return;
    }
    if (rss.phase == SCAN && f4p_residency_scan(&rss.look, &budget))
        rss.phase = BLOCKS;
    if (rss.phase == BLOCKS)
        done = look_at_blocks(trace, &budget);
    f4p_residency_close(&rss.look);
    if (done || rss.look.failed)
        rss.phase = IDLE;
    if (done)
        finish(trace);
}

static bool is_due(uint64_t now, uint64_t current)
{
    uint64_t change = current > rss.seen_rss ? current - rss.seen_rss : rss.seen_rss - current;
    return !rss.last_ns || change > rss.seen_rss / CHANGE_SHARE || now >= rss.last_ns + LATEST;
}

void f4p_launch_rss_start(pid_t pid)
{
    rss.pid = pid;
}

void f4p_launch_rss_look(struct f4p_launch_trace *trace, uint64_t now_ns, uint64_t current)
{
    if (trace->fd < 0 || !current || now_ns < rss.next_ns || (rss.phase == IDLE && !is_due(now_ns, current)))
        return;
    rss.slice_ns = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    if (rss.phase == IDLE && begin(trace, now_ns, current))
        rss.phase = SCAN;
    if (rss.phase != IDLE)
        slice(trace);
    uint64_t cost = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - rss.slice_ns, pause = cost * COST_SHARE;
    rss.cost_ns += cost;
    rss.next_ns = now_ns + (pause > PERIOD ? pause : PERIOD);
}
