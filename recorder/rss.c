#include "rss.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include "allowance.h"
#include "attributes.h"
#include "clock.h"
#include "format/barrier.h"
#include "format/hash.h"
#include "format/layout.h"
#include "residency.h"

#define SLICE_NS 250000u /* what a slice shall take: beginning and ending one takes 40000 */
#define FIRST_UNITS 2048 /* and the units it gets for that: at first, */
#define MIN_UNITS 256    /* and as the last ones say */
#define MAX_UNITS 32768
#define SITES_AT_ONCE 1024u
#define FIRST_NS 500000u /* what the first look may take: so 0.4 s pass before it */
#define PERIOD 250000000u
#define CHANGE_SHARE 4u /* of the heap, one part in this makes a new look worth while before that, or one worthless */
#define MAX_REGIONS 4096u
#define PATIENCE_NS 600000u /* listing them is one slice */
#define IMPATIENCE 16       /* looks without trying again */

enum phase { IDLE, SCAN, BLOCKS, SITES };

static struct {
    struct f4p_residency look;
    struct f4p_region regions[MAX_REGIONS];
    struct f4p_resident *head; /* NULL: the trace has no such section */
    const struct f4p_live *live;
    uint64_t base_interval;
    struct f4p_mark *marks;
    struct f4p_site_mark *site_marks;
    uint32_t site_room;
    struct f4p_residency_site *sites;
    size_t sites_bytes;
    enum phase phase;
    uint32_t index;
    uint64_t next_ns, from_ns;
    uint64_t cost_ns;    /* of this look, without the present slice; when IDLE, of the last one, at first FIRST_NS */
    uint64_t seen_bytes; /* of the heap, Q8, when the last look began */
    uint64_t seq, peaks, peak_rss;
    int64_t units;      /* of a slice */
    unsigned impatient; /* looks left that do not list mappings */
    bool hopeless;      /* pagemap cannot be read here */
} rss;

static struct f4p_allowance allowance;

void f4p_rss_attach(struct f4p_writer *w, const void *base, const void *memory, uint64_t memory_bytes)
{
    const struct f4p_section *section = f4p_layout_find(&w->header, F4P_SECTION_RESIDENT);
    struct f4p_range *ranges;

    rss.head = NULL;
    rss.phase = IDLE;
    rss.units = FIRST_UNITS;
    rss.impatient = 0;
    rss.seq = rss.peaks = rss.peak_rss = rss.next_ns = rss.seen_bytes = 0;
    rss.cost_ns = FIRST_NS;
    if (!section)
        return;
    rss.live = w->live;
    rss.base_interval = w->base_interval;
    rss.head = (void *)((uint8_t *)base + section->offset);
    rss.marks = (void *)(rss.head + 1);
    rss.site_marks =
        (void *)(rss.marks + f4p_layout_find(&w->header, F4P_SECTION_LIVE)->bytes / sizeof(struct f4p_live));
    rss.site_room = (uint32_t)(f4p_layout_find(&w->header, F4P_SECTION_SITES)->bytes / sizeof(struct f4p_site));
    memset(rss.head, 0, sizeof(*rss.head)); /* of an image that exec replaced */
    ranges = rss.head->recorder;
    ranges[0] = (struct f4p_range){(uintptr_t)base, w->header.file_bytes};
    ranges[1] = (struct f4p_range){(uintptr_t)memory, memory_bytes};
    rss.head->ranges_check = f4p_hash(ranges, sizeof(rss.head->recorder), 0);
}

static void clear_sites(void)
{
    if (rss.sites) {
        madvise(rss.sites, rss.sites_bytes, MADV_DONTNEED);
        return;
    }
    rss.sites_bytes = rss.site_room * sizeof(*rss.sites);
    void *p = mmap(NULL, rss.sites_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED)
        rss.sites = p;
}

static void begin(const struct f4p_view *view, uint64_t now)
{
    clear_sites();
    rss.head->recorder[2] = (struct f4p_range){(uintptr_t)rss.sites, rss.sites ? rss.sites_bytes : 0};
    rss.head->ranges_check = f4p_hash(rss.head->recorder, sizeof(rss.head->recorder), 0);
    bool patient = !rss.impatient; /* with too many mappings, ever so often: some may have gone */
    rss.impatient = patient ? 0 : rss.impatient - 1;
    f4p_residency_begin(&rss.look, 0, rss.regions, patient ? MAX_REGIONS : 0, rss.head->recorder, PATIENCE_NS, now);
    if (patient && rss.look.coarse)
        rss.impatient = IMPATIENCE;
    rss.look.sites = rss.sites;
    rss.look.site_room = rss.sites ? rss.site_room : 0;
    rss.index = 0;
    rss.seen_bytes = view->live_bytes;
    rss.from_ns = now;
    rss.cost_ns = 0;
    rss.phase = SCAN;
}

/* As f4p_vitals_publish: a kill at any instruction leaves the slot valid or visibly not. */
static void publish(struct f4p_ledger *slot)
{
    const struct f4p_ledger *found = &rss.look.found;
    __atomic_store_n(&slot->check, ~found->check, __ATOMIC_RELAXED);
    f4p_release();
    memcpy(slot, found, offsetof(struct f4p_ledger, check));
    f4p_release();
    __atomic_store_n(&slot->check, found->check, __ATOMIC_RELAXED);
}

/* false: there is nothing to publish. */
static bool finish(const struct f4p_view *view, uint64_t now)
{
    struct f4p_ledger *found = &rss.look.found;

    f4p_residency_finish(&rss.look);
    f4p_residency_set(&rss.look, F4P_LEDGER_object_arenas, view->arena_bytes);
    f4p_residency_set(&rss.look, F4P_LEDGER_cost_ns, rss.cost_ns);
    found->seq = ++rss.seq;
    found->from_ns = rss.from_ns;
    found->t_ns = now;
    f4p_residency_seal(found);
    return found->valid >> F4P_LEDGER_rss & 1;
}

static bool put_site_marks(const struct f4p_view *view)
{
    struct f4p_site_mark *marks = rss.site_marks + ((rss.peaks + 1) & 1) * rss.site_room;
    uint32_t end = rss.index + SITES_AT_ONCE;

    for (; rss.index < view->sites && rss.index < rss.site_room && rss.sites; rss.index++) {
        if (rss.index == end)
            return false;
        marks[rss.index] = f4p_residency_site_mark(rss.index, rss.seq, &rss.sites[rss.index]);
    }
    return true;
}

/* What was looked at is gone: the terms would be of two times. */
static bool shrank(const struct f4p_view *view)
{
    return view->live_bytes < rss.seen_bytes - rss.seen_bytes / CHANGE_SHARE;
}

static void step_blocks(const struct f4p_view *view, uint64_t now, int64_t *budget)
{
    if (rss.index < view->live_high)
        rss.index += f4p_residency_blocks(&rss.look, rss.live + rss.index, rss.marks + rss.index, rss.index,
                                          view->live_high - rss.index, rss.base_interval, budget);
    if (rss.index < view->live_high)
        return;
    rss.phase = IDLE;
    if (rss.look.failed || shrank(view) || !finish(view, now))
        return;
    publish(&rss.head->last[rss.seq & 1]);
    if (rss.look.found.value[F4P_LEDGER_rss] >= rss.peak_rss) {
        rss.peak_rss = rss.look.found.value[F4P_LEDGER_rss];
        rss.phase = SITES;
        rss.index = 0;
    }
}

static void slice(const struct f4p_view *view, uint64_t now)
{
    int64_t budget = rss.units;

    if (rss.phase == SITES) {
        if (put_site_marks(view)) {
            publish(&rss.head->peak[++rss.peaks & 1]);
            rss.phase = IDLE;
        }
        return;
    }
    if (!f4p_residency_open(&rss.look)) {
        rss.hopeless = true;
        return;
    }
    if (rss.phase == SCAN && f4p_residency_scan(&rss.look, &budget))
        rss.phase = BLOCKS;
    if (rss.phase == BLOCKS)
        step_blocks(view, now, &budget);
    f4p_residency_close(&rss.look);
    rss.hopeless |= rss.look.failed;
}

static void adapt(uint64_t cost)
{
    if (cost > SLICE_NS)
        rss.units = rss.units / 2 > MIN_UNITS ? rss.units / 2 : MIN_UNITS;
    else if (cost < SLICE_NS / 2 && rss.units < MAX_UNITS)
        rss.units += rss.units / 2;
}

static bool is_due(const struct f4p_view *view, uint64_t now)
{
    uint64_t bytes = view->live_bytes, seen = rss.seen_bytes;
    uint64_t change = bytes > seen ? bytes - seen : seen - bytes;

    return now >= rss.next_ns || change > seen / CHANGE_SHARE;
}

/* What a look takes is saved up for before: begun, it goes on with each sample. Its terms are of one time then. */
COLD uint64_t f4p_rss_step(const struct f4p_view *view, uint64_t now_ns)
{
    if (!rss.head || rss.hopeless ||
        (rss.phase == IDLE && (!is_due(view, now_ns) || !f4p_allowance_left(&allowance, rss.cost_ns, now_ns))))
        return 0;
    uint64_t before = f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    bool first = rss.phase == IDLE;
    if (first)
        begin(view, now_ns);
    else
        slice(view, now_ns);
    uint64_t cost = f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID) - before;
    if (!first)
        adapt(cost);
    rss.cost_ns += cost;
    rss.next_ns = now_ns + PERIOD;
    return f4p_allowance_spend(&allowance, cost);
}

void f4p_rss_drop(void)
{
    rss.phase = IDLE;
}
