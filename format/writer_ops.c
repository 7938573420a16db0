/* Ops: each changes the live set, its sites, the totals and the history so that a kill at any instruction can be
 * undone. */
#include "writer.h"

#include <string.h>

#include "barrier.h"
#include "hash.h"
#include "random.h"
#include "weight.h"
#include "writer_private.h"

#define T_UNIT_SHIFT 20
#define THIN_STEPS 8    /* entries looked at per op */
#define THIN_PROBES 256 /* live entries looked at to choose the new interval */
#define THIN_START(cap) ((cap) / 4 * 3)
#define MAX_SHIFT 35u /* readers take no coarser one, and no interval of 2^63 bytes or more */

static uint64_t live_hash(const struct f4p_live *entry)
{
    return f4p_hash(entry, offsetof(struct f4p_live, check), 0);
}

static uint64_t sums_hash(const struct f4p_sums *sums, uint32_t site)
{
    return sums->samples ? f4p_hash(sums, sizeof(*sums), site) : 0;
}

static uint64_t interval(const struct f4p_writer *w, uint8_t shift)
{
    return w->base_interval << shift;
}

uint32_t f4p_writer_find(const struct f4p_writer *w, uint64_t address)
{
    for (uint32_t i = f4p_index_first(&w->live_index, f4p_mix(address)); i; i = w->live_index.next[i - 1])
        if (w->live[i - 1].address == address)
            return i - 1;
    return F4P_NONE;
}

/* ---- the frame of an op ---- */

static void op_begin(struct f4p_writer *w, enum f4p_op op, const struct f4p_block_facts *block, uint64_t t_ns)
{
    f4p_history_reserve(w);
    if (t_ns > w->state.t_ns)
        w->state.t_ns = t_ns;

    struct f4p_intent *intent = &w->control->intent;
    intent->check = ~intent->check;
    f4p_release();
    intent->seq = w->state.seq + 1;
    intent->t_ns = w->state.t_ns;
    intent->op = op;
    intent->live_count = 0;
    intent->site_count = 0;
    intent->thread = w->sites[block->site].thread;
    intent->address = block->address;
    intent->size = block->size;
}

static void intend_live(struct f4p_writer *w, uint32_t index)
{
    struct f4p_intent *intent = &w->control->intent;
    intent->live_index[intent->live_count] = index;
    intent->live[intent->live_count++] = w->live[index];
}

static void intend_site(struct f4p_writer *w, uint32_t id)
{
    struct f4p_intent *intent = &w->control->intent;
    if (intent->site_count && intent->site_index[0] == id)
        return;
    f4p_keyframe_before_change(w, id);
    intent->site_index[intent->site_count] = id;
    intent->site[intent->site_count++] = w->sites[id];
}

/* From here on the file may be changed. */
static void op_arm(struct f4p_writer *w)
{
    struct f4p_intent *intent = &w->control->intent;
    f4p_release();
    intent->check = f4p_hash(intent, offsetof(struct f4p_intent, check), 0);
    f4p_release();
}

static void op_end(struct f4p_writer *w)
{
    w->state.seq++;
    f4p_writer_commit(w, w->state.t_ns);
    f4p_writer_usage(w, w->state.t_ns, 0, 0);
    f4p_keyframe_step(w);
}

/* ---- parts of ops ---- */

/* The site's sums at the peak are about to be lost: save them, unless the op is going to make a new peak. */
static void save_peak(struct f4p_writer *w, struct f4p_site *site)
{
    if (site->epoch == w->state.peak_epoch)
        return;
    site->peak = site->now;
    site->epoch = w->state.peak_epoch;
    w->peak_shared = true;
}

/* state.live and state.site_hash follow the site. Subtract before add: a thinned sample does both. */
static void site_change(struct f4p_writer *w, uint32_t id, const struct f4p_sums *sub, const struct f4p_sums *add)
{
    struct f4p_site *site = &w->sites[id];
    w->state.site_hash -= sums_hash(&site->now, id);
    if (sub) {
        f4p_sums_sub(&site->now, sub);
        f4p_sums_sub(&w->state.live, sub);
    }
    if (add) {
        f4p_sums_add(&site->now, add);
        f4p_sums_add(&w->state.live, add);
    }
    w->state.site_hash += sums_hash(&site->now, id);
}

static void site_seal(struct f4p_writer *w, uint32_t id)
{
    w->sites[id].check = f4p_hash(&w->sites[id], offsetof(struct f4p_site, check), id);
}

static uint32_t free_entry(const struct f4p_writer *w)
{
    if (w->live_free)
        return w->live_free - 1;
    return w->state.live_high < w->live_capacity ? w->state.live_high : F4P_NONE;
}

static void take_entry(struct f4p_writer *w, uint32_t index)
{
    if (w->live_free)
        w->live_free = w->live_index.next[index];
    else
        w->state.live_high++;
}

/* The recorder's filter must not go on saying "maybe". */
static void tell_gone(const struct f4p_writer *w, uint64_t address, uint8_t kind)
{
    if (w->gone)
        w->gone(address, kind);
}

static void give_entry(struct f4p_writer *w, uint32_t index)
{
    w->live_index.next[index] = w->live_free;
    w->live_free = index + 1;
}

static void put_entry(struct f4p_writer *w, uint32_t index, const struct f4p_live *entry)
{
    uint64_t hash = live_hash(entry);
    w->live[index] = *entry;
    w->live[index].check = (uint32_t)hash;
    w->state.live_hash += hash;
}

static void clear_entry(struct f4p_writer *w, uint32_t index)
{
    w->state.live_hash -= live_hash(&w->live[index]);
    w->live[index] = (struct f4p_live){0};
}

static struct f4p_live entry_of(const struct f4p_block_facts *block, uint64_t t_ns)
{
    uint64_t t = t_ns >> T_UNIT_SHIFT;
    return (struct f4p_live){
        .address = block->address,
        .size = block->size,
        .site = block->site,
        .t = t > UINT32_MAX ? UINT32_MAX : (uint32_t)t,
        .shift = block->shift,
        .kind = block->kind,
    };
}

static void begin_block(struct f4p_writer *w, uint32_t index, const struct f4p_block_facts *block, unsigned flags)
{
    struct f4p_site *site = &w->sites[block->site];
    struct f4p_sums sums = f4p_sample_weight(block->size, interval(w, block->shift));
    struct f4p_live entry = entry_of(block, w->state.t_ns);
    bool new_peak = w->state.live.bytes + sums.bytes > w->state.peak.bar;

    if (!new_peak)
        save_peak(w, site);
    put_entry(w, index, &entry);
    site_change(w, block->site, NULL, &sums);
    site->allocated_bytes += sums.bytes;
    site->allocated_blocks += sums.blocks;
    site->last_t_ns = w->state.t_ns;
    site_seal(w, block->site);
    w->state.allocated_bytes += sums.bytes;
    w->state.allocated_blocks += sums.blocks;
    w->state.sampled++;
    if (new_peak) {
        /* Sites without sums of their own under this epoch follow `now`; only if some have, a new epoch is needed. */
        w->state.peak_epoch += w->peak_shared;
        w->peak_shared = false;
        w->state.peak =
            (struct f4p_peak){w->state.live, w->state.t_ns, w->state.seq + 1, w->state.site_hash, w->state.live.bytes};
    }
    f4p_history_delta(w, &(struct f4p_delta_facts){.delta = F4P_DELTA_ALLOC | flags,
                                                   .kind = block->kind,
                                                   .shift = block->shift,
                                                   .site = block->site,
                                                   .size = block->size});
}

static void end_block(struct f4p_writer *w, uint32_t index, enum f4p_delta delta)
{
    struct f4p_live old = w->live[index];
    struct f4p_sums sums = f4p_sample_weight(old.size, interval(w, old.shift));

    save_peak(w, &w->sites[old.site]);
    clear_entry(w, index);
    site_change(w, old.site, &sums, NULL);
    site_seal(w, old.site);
    f4p_history_delta(w, &(struct f4p_delta_facts){
                             .delta = delta, .kind = old.kind, .shift = old.shift, .site = old.site, .size = old.size});
}

static struct f4p_block_facts facts_of(const struct f4p_live *entry)
{
    return (struct f4p_block_facts){entry->address, entry->size, entry->site, entry->shift, entry->kind};
}

static void free_unindexed(struct f4p_writer *w, uint32_t index, uint64_t t_ns)
{
    struct f4p_block_facts old = facts_of(&w->live[index]);
    op_begin(w, F4P_OP_FREE, &old, t_ns);
    intend_live(w, index);
    intend_site(w, old.site);
    op_arm(w);
    end_block(w, index, F4P_DELTA_FREE);
    w->state.freed++;
    give_entry(w, index);
    op_end(w);
}

/* ---- ops ---- */

void f4p_writer_free(struct f4p_writer *w, uint32_t index, uint64_t t_ns)
{
    f4p_writer_unlink(w, index);
    free_unindexed(w, index, t_ns);
    f4p_thin_step(w, t_ns);
}

static void free_duplicate(struct f4p_writer *w, uint64_t address, uint64_t t_ns)
{
    uint32_t index = f4p_writer_find(w, address);
    if (index == F4P_NONE)
        return;
    f4p_writer_lost(w, F4P_LOSS_missed_free);
    tell_gone(w, address, w->live[index].kind);
    f4p_writer_unlink(w, index);
    free_unindexed(w, index, t_ns);
}

void f4p_writer_alloc(struct f4p_writer *w, const struct f4p_block_facts *block, uint64_t t_ns)
{
    free_duplicate(w, block->address, t_ns);
    uint32_t index = free_entry(w);
    if (index == F4P_NONE) {
        f4p_writer_lost(w, F4P_LOSS_live_full);
        tell_gone(w, block->address, block->kind);
        f4p_writer_commit(w, t_ns);
        return;
    }
    op_begin(w, F4P_OP_ALLOC, block, t_ns);
    intend_live(w, index);
    intend_site(w, block->site);
    op_arm(w);
    take_entry(w, index);
    begin_block(w, index, block, 0);
    f4p_index_insert(w, &w->live_index, index);
    op_end(w);
    f4p_thin_step(w, t_ns);
}

void f4p_writer_unlink(struct f4p_writer *w, uint32_t index)
{
    f4p_index_remove(w, &w->live_index, index);
    w->live_index.next[index] = F4P_NONE; /* not in the index: thinning keeps its hands off */
}

void f4p_writer_relink(struct f4p_writer *w, uint32_t index)
{
    f4p_index_insert(w, &w->live_index, index);
}

void f4p_writer_replace(struct f4p_writer *w, uint32_t index, const struct f4p_block_facts *block, uint64_t t_ns)
{
    uint32_t old_site = w->live[index].site;

    free_duplicate(w, block->address, t_ns);
    op_begin(w, F4P_OP_REALLOC, block, t_ns);
    intend_live(w, index);
    intend_site(w, old_site);
    intend_site(w, block->site);
    op_arm(w);
    end_block(w, index, F4P_DELTA_FREE);
    w->state.freed++;
    begin_block(w, index, block, F4P_DELTA_SAME_OP);
    f4p_index_insert(w, &w->live_index, index);
    op_end(w);
    f4p_thin_step(w, t_ns);
}

/* ---- thinning ---- */

void f4p_writer_thin(struct f4p_writer *w, uint32_t index, uint8_t new_shift, bool drop, uint64_t t_ns)
{
    struct f4p_live old = w->live[index];
    struct f4p_block_facts block = facts_of(&old);
    uint64_t before = w->state.live.bytes;

    op_begin(w, F4P_OP_THIN, &block, t_ns);
    intend_live(w, index);
    intend_site(w, old.site);
    op_arm(w);
    if (drop) {
        f4p_writer_unlink(w, index);
        end_block(w, index, F4P_DELTA_THIN_DROP);
        give_entry(w, index);
        tell_gone(w, old.address, old.kind);
        w->state.thinned++;
    } else {
        struct f4p_sums sub = f4p_sample_weight(old.size, interval(w, old.shift));
        struct f4p_sums add = f4p_sample_weight(old.size, interval(w, new_shift));
        struct f4p_live kept = old;
        kept.shift = new_shift;
        save_peak(w, &w->sites[old.site]);
        w->state.live_hash -= live_hash(&old);
        put_entry(w, index, &kept);
        site_change(w, old.site, &sub, &add);
        site_seal(w, old.site);
        f4p_history_delta(w, &(struct f4p_delta_facts){.delta = F4P_DELTA_THIN_KEEP,
                                                       .kind = old.kind,
                                                       .shift = old.shift,
                                                       .new_shift = new_shift,
                                                       .site = old.site,
                                                       .size = old.size});
    }
    /* What thinning does to the estimate is noise, not a change of the heap: the bar of the peak moves along. */
    uint64_t change = w->state.live.bytes - before;
    bool fell = w->state.live.bytes < before;
    w->state.peak.bar = fell && -change > w->state.peak.bar ? 0 : w->state.peak.bar + change;
    op_end(w);
}

/* Expected share of the probed samples that survive going to `floor`, in percent. */
static unsigned survivors(const struct f4p_writer *w, const uint32_t *probes, unsigned count, uint8_t floor)
{
    double kept = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct f4p_live *entry = &w->live[probes[i]];
        kept += entry->shift >= floor ? 1
                                      : f4p_sample_probability(entry->size, interval(w, floor)) /
                                            f4p_sample_probability(entry->size, interval(w, entry->shift));
    }
    return count ? (unsigned)(100 * kept / count) : 0;
}

static uint32_t coarsest(const struct f4p_writer *w)
{
    uint32_t room = (uint32_t)__builtin_clzll(w->base_interval) - 1;
    return room < MAX_SHIFT ? room : MAX_SHIFT;
}

static void thin_start(struct f4p_writer *w)
{
    uint32_t probes[THIN_PROBES];
    unsigned count = 0;
    for (unsigned tries = 0; count < THIN_PROBES && tries < 4 * THIN_PROBES; tries++) {
        uint32_t index = (uint32_t)(f4p_random_next(&w->random) % w->state.live_high);
        if (w->live[index].kind && w->live[index].size)
            probes[count++] = index;
    }
    uint32_t floor = (w->state.shift > w->state.thin_floor ? w->state.shift : w->state.thin_floor) + 1;
    while (floor < coarsest(w) && survivors(w, probes, count, (uint8_t)floor) > 60)
        floor++;
    w->state.thin_floor = floor > coarsest(w) ? coarsest(w) : floor;
    f4p_writer_set_shift(w, w->state.shift);
    w->thinning = true;
    w->thin_cursor = 0;
}

static void thin_entry(struct f4p_writer *w, uint32_t index, uint8_t floor, uint64_t t_ns)
{
    const struct f4p_live *entry = &w->live[index];
    if (!entry->kind || entry->shift >= floor || w->live_index.next[index] == F4P_NONE)
        return;
    double p_old = f4p_sample_probability(entry->size, interval(w, entry->shift));
    double p_new = f4p_sample_probability(entry->size, interval(w, floor));
    double u = f4p_random_unit(&w->random);
    f4p_writer_thin(w, index, floor, !(u * p_old < p_new), t_ns);
}

void f4p_thin_step(struct f4p_writer *w, uint64_t t_ns)
{
    if (!w->thinning) {
        if (w->state.live.samples < THIN_START(w->live_capacity) || w->state.thin_floor >= coarsest(w))
            return;
        thin_start(w);
    }
    for (unsigned i = 0; i < THIN_STEPS && w->thin_cursor < w->state.live_high; i++)
        thin_entry(w, w->thin_cursor++, (uint8_t)w->state.thin_floor, t_ns);
    if (w->thin_cursor >= w->state.live_high)
        w->thinning = false;
}
