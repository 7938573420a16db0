/* History: deltas, sealed blocks, key frames that are spread over many ops, and the timeline. */
#include <lz4.h>
#include <string.h>

#include "barrier.h"
#include "hash.h"
#include "writer.h"
#include "writer_private.h"

#define KEYFRAME_STEPS 16                /* sites looked at per op */
#define KEYFRAME_MIN_DELTAS (256u << 10) /* bytes of deltas between two key frames, at least */
#define KEYFRAME_SHARE 4                 /* and this many times the last key frame */
#define KEYFRAME_PERIOD_NS 1000000000u   /* or this long, growing with the run: 1/256 of it */
#define KEYFRAME_ENTRY_BYTES 48u         /* five varints, at most 5 + 4 x 10 */

static uint8_t *put_varint(uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

/* ---- blocks ---- */

/* Blocks that are about to be written over go first, the oldest first: memcpy stores in any order, and a killed writer
 * must not leave some in the midst of others that are whole. */
static void ring_forget(uint8_t *at, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += F4P_LINE) {
        struct f4p_block *block = (struct f4p_block *)(at + i);
        if (block->magic == F4P_BLOCK_MAGIC) {
            block->magic = 0;
            f4p_release();
        }
    }
}

/* Where `bytes` bytes go that must not wrap; the ring's position moves behind them. */
static uint8_t *ring_claim(struct f4p_ring *ring, uint64_t bytes)
{
    bytes = (bytes + F4P_LINE - 1) / F4P_LINE * F4P_LINE;
    uint64_t at = ring->pos % ring->bytes;
    if (at + bytes > ring->bytes) {
        /* what the lap before left there would stand behind newer blocks */
        ring_forget(ring->base + at, ring->bytes - at);
        ring->pos += ring->bytes - at;
        at = 0;
    }
    ring->pos += bytes;
    ring_forget(ring->base + at, bytes);
    return ring->base + at;
}

/* A killed writer must not leave a header that is valid over a payload that is not: the header goes last. */
static void ring_put(struct f4p_ring *ring, struct f4p_block *block, const void *payload)
{
    uint8_t *at = ring_claim(ring, sizeof(*block) + block->stored_bytes);
    block->check = f4p_hash(block, offsetof(struct f4p_block, check), 0);
    memset(at, 0, sizeof(*block));
    f4p_release();
    memcpy(at + sizeof(*block), payload, block->stored_bytes);
    f4p_release();
    memcpy(at, block, sizeof(*block));
    f4p_release();
}

/* Completes magic, number, sizes and payload check; returns what is to be stored. */
static const void *pack(struct f4p_writer *w, struct f4p_block *block, const void *raw, uint32_t raw_bytes)
{
    int packed = LZ4_compress_fast_extState(w->lz4_state, raw, (char *)w->lz4_out, (int)raw_bytes,
                                            LZ4_COMPRESSBOUND(F4P_OPEN_BYTES), 1);
    const void *stored = w->lz4_out;
    if (packed <= 0 || (uint32_t)packed >= raw_bytes) {
        stored = raw;
        packed = (int)raw_bytes;
        block->flags |= F4P_BLOCK_STORED;
    }
    block->magic = F4P_BLOCK_MAGIC;
    block->number = w->state.next_block++;
    block->raw_bytes = raw_bytes;
    block->stored_bytes = (uint32_t)packed;
    block->payload_check = f4p_hash(stored, (size_t)packed, 0);
    return stored;
}

/* ---- deltas ---- */

static void seal(struct f4p_writer *w)
{
    struct f4p_state *s = &w->state;
    struct f4p_block block = {
        .type = F4P_BLOCK_DELTAS,
        .seq = s->open_seq,
        .t_first = s->open_t_ns,
        .t_last = w->last_delta_t,
        .events = s->open_events,
    };
    const void *payload = pack(w, &block, w->open, s->open_bytes);
    ring_put(&w->history, &block, payload);
    w->keyframe.deltas += s->open_bytes;
    s->history_pos = w->history.pos;
    s->open_bytes = 0;
    s->open_events = 0;
    s->open_check = 0;
    f4p_writer_commit(w, s->t_ns);
}

void f4p_history_reserve(struct f4p_writer *w)
{
    if (w->state.open_bytes + 2 * F4P_DELTA_MAX_BYTES > F4P_OPEN_BYTES)
        seal(w);
}

void f4p_history_delta(struct f4p_writer *w, const struct f4p_delta_facts *delta)
{
    struct f4p_state *s = &w->state;
    if (!s->open_bytes) {
        s->open_seq = s->seq + 1;
        s->open_t_ns = w->last_delta_t = s->t_ns;
    }
    uint8_t *start = w->open + s->open_bytes, *p = start;
    *p++ = (uint8_t)(delta->delta | delta->kind << 4);
    p = put_varint(p, s->t_ns - w->last_delta_t);
    p = put_varint(p, delta->site);
    p = put_varint(p, delta->size);
    *p++ = delta->shift;
    if (delta->delta == F4P_DELTA_THIN_KEEP)
        *p++ = delta->new_shift;
    w->last_delta_t = s->t_ns;
    s->open_bytes += (uint32_t)(p - start);
    s->open_check = f4p_hash(start, (size_t)(p - start), s->open_check);
    s->open_events++;
}

/* ---- key frames ---- */

static unsigned level_of(uint32_t number)
{
    unsigned level = (unsigned)__builtin_ctz(number) / 2;
    return level < F4P_LEVELS ? level : F4P_LEVELS - 1;
}

static void keyframe_flush(struct f4p_writer *w, bool last)
{
    struct f4p_keyframe_writer *k = &w->keyframe;
    struct f4p_ring *ring = &w->levels[level_of(w->state.keyframe)];
    struct f4p_block block = {
        .type = F4P_BLOCK_KEYFRAME,
        .flags = last ? F4P_BLOCK_LAST : 0,
        .seq = k->seq,
        .t_first = k->t_ns,
        .t_last = k->t_ns,
        .events = k->entries,
        .keyframe = w->state.keyframe,
        .part = k->part++,
    };
    if (last) {
        memcpy(k->buffer + k->bytes, &k->end, sizeof(k->end));
        k->bytes += sizeof(k->end);
    }
    const void *payload = pack(w, &block, k->buffer, k->bytes);
    ring_put(&w->history, &block, payload);
    k->raw_bytes += k->bytes;
    k->stored_bytes += sizeof(block) + block.stored_bytes;
    /* A frame of more than half a ring would push its own beginning out: then the ring goes without. */
    if (k->stored_bytes > ring->bytes / 2)
        k->failed = true;
    if (!k->failed) {
        block.level = 1 + level_of(w->state.keyframe);
        ring_put(ring, &block, payload);
    }
    w->state.history_pos = w->history.pos;
    k->bytes = 0;
    k->entries = 0;
}

static void keyframe_entry(struct f4p_writer *w, uint32_t id)
{
    struct f4p_keyframe_writer *k = &w->keyframe;
    const struct f4p_sums *sums = &w->sites[id].now;
    if (!sums->samples)
        return;
    if (k->bytes + KEYFRAME_ENTRY_BYTES + sizeof(k->end) > F4P_OPEN_BYTES)
        keyframe_flush(w, false);
    uint8_t *start = k->buffer + k->bytes, *p = put_varint(start, id);
    p = put_varint(p, sums->samples);
    p = put_varint(p, sums->bytes);
    p = put_varint(p, sums->variance);
    p = put_varint(p, sums->blocks);
    k->bytes += (uint32_t)(p - start);
    k->entries++;
}

void f4p_keyframe_before_change(struct f4p_writer *w, uint32_t id)
{
    struct f4p_keyframe_writer *k = &w->keyframe;
    if (!k->active || id < k->cursor || id >= k->limit)
        return;
    uint64_t bit = 1ull << (id % 64);
    if (k->early[id / 64] & bit)
        return;
    k->early[id / 64] |= bit;
    keyframe_entry(w, id);
}

static bool keyframe_due(const struct f4p_writer *w)
{
    const struct f4p_keyframe_writer *k = &w->keyframe;
    uint64_t deltas = k->deltas + w->state.open_bytes, t = w->state.t_ns;
    uint64_t least = KEYFRAME_SHARE * k->last_raw_bytes;
    if (deltas >= (least > KEYFRAME_MIN_DELTAS ? least : KEYFRAME_MIN_DELTAS))
        return true;
    uint64_t period = t / 256 > KEYFRAME_PERIOD_NS ? t / 256 : KEYFRAME_PERIOD_NS;
    return t - k->last_t_ns >= period && w->state.seq > k->last_seq;
}

static void keyframe_start(struct f4p_writer *w)
{
    struct f4p_keyframe_writer *k = &w->keyframe;
    k->active = true;
    k->failed = false;
    k->cursor = 0;
    k->limit = w->state.sites;
    k->part = 0;
    k->entries = 0;
    k->bytes = 0;
    k->raw_bytes = 0;
    k->stored_bytes = 0;
    k->seq = k->last_seq = w->state.seq;
    k->t_ns = k->last_t_ns = w->state.t_ns;
    k->deltas = 0;
    k->end = (struct f4p_keyframe_end){w->state.live, w->state.site_hash};
    w->state.keyframe++;
}

static void keyframe_end(struct f4p_writer *w)
{
    struct f4p_keyframe_writer *k = &w->keyframe;
    keyframe_flush(w, true);
    k->active = false;
    k->last_raw_bytes = k->raw_bytes;
    if (k->failed)
        f4p_writer_lost(w, F4P_LOSS_keyframe);
    f4p_writer_commit(w, w->state.t_ns);
}

void f4p_keyframe_step(struct f4p_writer *w)
{
    struct f4p_keyframe_writer *k = &w->keyframe;
    if (!k->active) {
        if (!keyframe_due(w))
            return;
        keyframe_start(w);
    }
    for (unsigned i = 0; i < KEYFRAME_STEPS && k->cursor < k->limit; i++, k->cursor++) {
        uint64_t bit = 1ull << (k->cursor % 64);
        if (k->early[k->cursor / 64] & bit)
            k->early[k->cursor / 64] &= ~bit;
        else
            keyframe_entry(w, k->cursor);
    }
    if (k->cursor == k->limit)
        keyframe_end(w);
}

/* ---- timeline ---- */

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Two buckets into one, into the other half, which then counts; the old half stays whole until the next commit. */
static void timeline_fold(struct f4p_writer *w)
{
    const struct f4p_bucket *from = w->timeline + w->state.timeline_half * F4P_BUCKETS;
    struct f4p_bucket *to = w->timeline + (w->state.timeline_half ^ 1) * F4P_BUCKETS;
    for (unsigned i = 0; i < F4P_BUCKETS / 2; i++) {
        const struct f4p_bucket *a = &from[2 * i], *b = &from[2 * i + 1];
        to[i] = (struct f4p_bucket){
            .heap_max = max(a->heap_max, b->heap_max),
            .heap_last = b->heap_last ? b->heap_last : a->heap_last,
            .rss_max = max(a->rss_max, b->rss_max),
            .cgroup_max = max(a->cgroup_max, b->cgroup_max),
        };
    }
    memset(to + F4P_BUCKETS / 2, 0, F4P_BUCKETS / 2 * sizeof(*to));
    w->state.timeline_half ^= 1;
    w->state.timeline_shift++;
    f4p_writer_commit(w, w->state.t_ns);
}

void f4p_writer_usage(struct f4p_writer *w, uint64_t t_ns, uint64_t rss, uint64_t cgroup)
{
    while (t_ns >> w->state.timeline_shift >= F4P_BUCKETS)
        timeline_fold(w);
    struct f4p_bucket *bucket = w->timeline + w->state.timeline_half * F4P_BUCKETS + (t_ns >> w->state.timeline_shift);
    uint64_t heap = w->state.live.bytes / F4P_Q8 + 1;
    bucket->heap_max = max(bucket->heap_max, heap);
    bucket->heap_last = heap;
    bucket->rss_max = max(bucket->rss_max, rss);
    bucket->cgroup_max = max(bucket->cgroup_max, cgroup);
}
