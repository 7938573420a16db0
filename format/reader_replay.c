/* Replay: deltas and key frames decoded, the heap at any known moment. Decodes as asked; keeps nothing. */
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "reader.h"
#include "reader_private.h"
#include "weight.h"

/* Bounds for files that were made to be slow. */
#define BASE_TRIES 8  /* kept moments tried where the nearer ones turn out damaged */
#define NEAR_TRIES 64 /* the same where no delta leads to the time asked for */
#define RUN_TRIES 4   /* runs that cover the same time */

/* ---- bytes ---- */

struct bytes {
    const uint8_t *at, *end;
    bool bad;
};

static uint8_t get_byte(struct bytes *b)
{
    if (b->at >= b->end) {
        b->bad = true;
        return 0;
    }
    return *b->at++;
}

static uint64_t get_varint(struct bytes *b)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_byte(b);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    b->bad = true;
    return value;
}

/* The payload of a block, unpacked into `raw` unless it is stored as it is. */
static bool unpack(const struct f4p_block_ref *block, uint8_t raw[F4P_RAW_LIMIT], struct bytes *bytes)
{
    const uint8_t *data = block->payload;
    if (block->flags & F4P_BLOCK_STORED) {
        if (block->stored_bytes != block->raw_bytes)
            return false;
    } else {
        int got = LZ4_decompress_safe((const char *)data, (char *)raw, (int)block->stored_bytes, F4P_RAW_LIMIT);
        if (got < 0 || (uint32_t)got != block->raw_bytes)
            return false;
        data = raw;
    }
    *bytes = (struct bytes){data, data + block->raw_bytes, false};
    return true;
}

/* ---- deltas ---- */

static bool get_event(struct bytes *b, struct f4p_event *event, bool *same_op)
{
    uint8_t kind = get_byte(b);
    event->kind = kind >> 4;
    event->delta = (enum f4p_delta)(kind & 7);
    *same_op = kind & F4P_DELTA_SAME_OP;
    event->t_ns += get_varint(b);
    uint64_t site = get_varint(b);
    event->size = get_varint(b);
    event->shift = event->new_shift = get_byte(b);
    if (event->delta == F4P_DELTA_THIN_KEEP)
        event->new_shift = get_byte(b);
    event->site = (uint32_t)site;
    return !b->bad && site < F4P_NONE && event->delta >= F4P_DELTA_ALLOC && event->delta <= F4P_DELTA_THIN_DROP;
}

bool f4p_replay_block(const struct f4p_block_ref *block, bool (*visit)(void *context, const struct f4p_event *event),
                      void *context)
{
    uint8_t raw[F4P_RAW_LIMIT];
    struct bytes bytes;
    if (!unpack(block, raw, &bytes))
        return false;
    struct f4p_event event = {.seq = block->seq, .t_ns = block->t_first};
    for (uint32_t i = 0; i < block->events; i++) {
        bool same_op;
        if (!get_event(&bytes, &event, &same_op))
            return false;
        event.seq += i > 0 && !same_op;
        if (!visit(context, &event))
            return true;
    }
    return bytes.at == bytes.end;
}

bool f4p_replay_checked(const struct f4p_block_ref *block, uint64_t expected)
{
    struct bytes bytes = {block->payload, block->payload + block->raw_bytes, false};
    struct f4p_event event = {0};
    uint64_t check = 0;
    for (uint32_t i = 0; i < block->events; i++) {
        const uint8_t *start = bytes.at;
        bool same_op;
        if (!get_event(&bytes, &event, &same_op))
            return false;
        check = f4p_hash(start, (size_t)(bytes.at - start), check);
    }
    return check == expected;
}

/* ---- sums ---- */

/* Sizes repeat; weights are remembered. */
#define WEIGHTS 1024u
struct weights {
    struct {
        uint64_t size;
        uint64_t interval; /* 0: unused */
        struct f4p_sums sums;
    } slot[WEIGHTS];
};

static const struct f4p_sums *weigh(struct weights *weights, uint64_t size, uint64_t interval)
{
    size_t at = ((size ^ interval << 1) * 0x9e3779b97f4a7c15ull) >> 54;
    if (weights->slot[at].interval != interval || weights->slot[at].size != size) {
        weights->slot[at].size = size;
        weights->slot[at].interval = interval;
        weights->slot[at].sums = f4p_sample_weight(size, interval);
    }
    return &weights->slot[at].sums;
}

struct replay {
    const struct f4p_trace *trace;
    struct f4p_sums *sums;
    uint64_t from, to, expected; /* expected: op of the next event, or the one before in a REALLOC */
    bool undo, bad;
    struct weights *weights;
};

static void apply(struct replay *r, const struct f4p_event *event, unsigned shift, bool add)
{
    uint64_t interval = f4p_trace_interval(r->trace, shift);
    if (event->site >= r->trace->site_count || interval >= F4P_INTERVAL_LIMIT) {
        r->bad = true;
        return;
    }
    const struct f4p_sums *w = weigh(r->weights, event->size, interval);
    if (add != r->undo)
        f4p_sums_add(&r->sums[event->site], w);
    else
        f4p_sums_sub(&r->sums[event->site], w);
}

static bool replay_event(void *context, const struct f4p_event *event)
{
    struct replay *r = context;
    if (event->seq > r->to)
        return false;
    if (event->seq <= r->from)
        return true;
    switch (event->delta) {
    case F4P_DELTA_ALLOC:
        apply(r, event, event->shift, true);
        break;
    case F4P_DELTA_THIN_KEEP:
        apply(r, event, event->new_shift, true);
        apply(r, event, event->shift, false);
        break;
    default:
        apply(r, event, event->shift, false);
        break;
    }
    r->expected = event->seq;
    return !r->bad;
}

int f4p_replay_ops(const struct f4p_trace *trace, const struct f4p_run *run, uint64_t from, uint64_t to, bool undo,
                   struct f4p_sums *sums)
{
    const struct f4p_history *h = &trace->private->history;
    if (from >= to)
        return 1;
    if (from + 1 < run->first_op || to > run->last_op)
        return 0;
    struct weights *weights = calloc(1, sizeof *weights);
    if (!weights)
        return -1;
    struct replay r = {
        .trace = trace, .sums = sums, .from = from, .to = to, .expected = from, .undo = undo, .weights = weights};
    for (size_t i = run->first; i < run->end && h->deltas[i].seq <= to && !r.bad; i++) {
        if (i + 1 < run->end && h->deltas[i + 1].seq <= from)
            continue;
        if (!f4p_replay_block(&h->deltas[i], replay_event, &r))
            r.bad = true;
        if (i + 1 < run->end && r.expected >= from && r.expected + 1 != h->deltas[i + 1].seq && r.expected < to)
            r.bad = true;
    }
    free(weights);
    return !r.bad && r.expected == to;
}

/* ---- kept moments ---- */

static bool keyframe_part(const struct f4p_trace *trace, const struct f4p_block_ref *block, struct f4p_sums *sums,
                          struct f4p_keyframe_end *end)
{
    uint8_t raw[F4P_RAW_LIMIT];
    struct bytes bytes;
    if (!unpack(block, raw, &bytes))
        return false;
    for (uint32_t i = 0; i < block->events; i++) {
        uint64_t site = get_varint(&bytes);
        struct f4p_sums s;
        s.samples = get_varint(&bytes);
        s.bytes = get_varint(&bytes);
        s.variance = get_varint(&bytes);
        s.blocks = get_varint(&bytes);
        if (bytes.bad || site >= trace->site_count || sums[site].samples)
            return false;
        sums[site] = s;
    }
    size_t left = (size_t)(bytes.end - bytes.at);
    if (!(block->flags & F4P_BLOCK_LAST))
        return left == 0;
    if (left < sizeof *end)
        return false;
    memcpy(end, bytes.at, sizeof *end);
    return true;
}

static bool sums_match(const struct f4p_trace *trace, const struct f4p_sums *sums, const struct f4p_keyframe_end *end)
{
    struct f4p_sums total = {0};
    uint64_t hash = 0;
    for (size_t i = 0; i < trace->site_count; i++) {
        if (sums[i].samples)
            hash += f4p_hash(&sums[i], sizeof sums[i], i);
        f4p_sums_add(&total, &sums[i]);
    }
    return hash == end->site_hash && memcmp(&total, &end->sums, sizeof total) == 0;
}

int f4p_replay_base(const struct f4p_trace *trace, const struct f4p_base *base, struct f4p_sums *sums)
{
    struct f4p_keyframe_end end = {0};
    memset(sums, 0, trace->site_count * sizeof *sums);
    switch (base->kind) {
    case F4P_BASE_START:
        return 1;
    case F4P_BASE_PEAK:
        for (size_t i = 0; i < trace->site_count; i++)
            sums[i] = trace->sites[i].peak;
        return trace->damage.peak_sound;
    case F4P_BASE_END:
        for (size_t i = 0; i < trace->site_count; i++)
            sums[i] = trace->sites[i].now;
        return trace->damage.live_sound;
    case F4P_BASE_KEYFRAME:
        break;
    }
    for (size_t i = 0; i < base->parts; i++)
        if (!keyframe_part(trace, &trace->private->history.keyframes[base->first + i], sums, &end))
            return 0;
    return sums_match(trace, sums, &end);
}

/* ---- the heap at a time ---- */

static void finish(const struct f4p_trace *trace, const struct f4p_sums *sums, struct f4p_instant *got,
                   enum f4p_instant_kind kind, uint64_t t_ns, bool sound)
{
    *got = (struct f4p_instant){.kind = kind, .t_ns = t_ns, .sound = sound};
    for (size_t i = 0; i < trace->site_count; i++)
        f4p_sums_add(&got->total, &sums[i]);
}

void f4p_trace_heap_peak(const struct f4p_trace *trace, struct f4p_sums *sums, struct f4p_instant *got)
{
    for (size_t i = 0; i < trace->site_count; i++)
        sums[i] = trace->sites[i].peak;
    finish(trace, sums, got, F4P_INSTANT_EXACT, trace->state.peak.t_ns, trace->damage.peak_sound);
}

void f4p_trace_heap_end(const struct f4p_trace *trace, struct f4p_sums *sums, struct f4p_instant *got)
{
    for (size_t i = 0; i < trace->site_count; i++)
        sums[i] = trace->sites[i].now;
    finish(trace, sums, got, F4P_INSTANT_EXACT, trace->state.t_ns, trace->damage.live_sound);
}

struct last_op {
    uint64_t t_ns, op;
};

static bool note_op(void *context, const struct f4p_event *event)
{
    struct last_op *last = context;
    if (event->t_ns > last->t_ns)
        return false;
    last->op = event->seq;
    return true;
}

/* The last op of `run` at or before t. */
static bool op_at(const struct f4p_trace *trace, const struct f4p_run *run, uint64_t t_ns, uint64_t *op)
{
    const struct f4p_block_ref *deltas = trace->private->history.deltas;
    if (run->first == run->end || deltas[run->first].t_first > t_ns) {
        *op = run->first_op - 1;
        return true;
    }
    size_t low = run->first, high = run->end; /* the last block with t_first <= t */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (deltas[middle].t_first <= t_ns)
            low = middle;
        else
            high = middle;
    }
    struct last_op last = {.t_ns = t_ns, .op = deltas[low].seq - 1};
    if (!f4p_replay_block(&deltas[low], note_op, &last))
        return false;
    *op = last.op;
    return true;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static bool in_run(const struct f4p_run *run, const struct f4p_base *base)
{
    return base->op + 1 >= run->first_op && base->op <= run->last_op;
}

/* The kept moment of `run` nearest to `op`, farther away than the one before it in that order. */
static const struct f4p_base *next_base(const struct f4p_history *h, const struct f4p_run *run, uint64_t op,
                                        const struct f4p_base *before)
{
    const struct f4p_base *best = NULL;
    for (size_t i = 0; i < h->base_count; i++) {
        const struct f4p_base *base = &h->bases[i];
        uint64_t d = distance(base->op, op);
        if (before && (d < distance(before->op, op) || (d == distance(before->op, op) && base <= before)))
            continue;
        if (in_run(run, base) && (!best || d < distance(best->op, op)))
            best = base;
    }
    return best;
}

/* From the nearest sound moment over the run's deltas to `op`; if none is, from the end as it is. 1: sound, 2: not to
 * be relied on, 0: not possible, -1: no memory. */
static int exact(const struct f4p_trace *trace, const struct f4p_run *run, uint64_t op, struct f4p_sums *sums)
{
    const struct f4p_history *h = &trace->private->history;
    const struct f4p_base *base = NULL, *unsound_end = NULL;
    for (int tries = 0; tries < BASE_TRIES && (base = next_base(h, run, op, base)); tries++) {
        int right = f4p_replay_base(trace, base, sums);
        if (right == 0 && base->kind == F4P_BASE_END)
            unsound_end = base;
        uint64_t low = op < base->op ? op : base->op, high = op < base->op ? base->op : op;
        if (right > 0)
            right = f4p_replay_ops(trace, run, low, high, op < base->op, sums);
        if (right < 0)
            return -1;
        if (right > 0)
            return 1;
    }
    if (!unsound_end)
        return 0;
    f4p_replay_base(trace, unsound_end, sums);
    int right = f4p_replay_ops(trace, run, op, unsound_end->op, true, sums);
    return right > 0 ? 2 : right;
}

/* The kept moment nearest to t: at or before it, else after. */
static int nearest(const struct f4p_trace *trace, uint64_t t_ns, struct f4p_sums *sums, struct f4p_instant *got)
{
    const struct f4p_history *h = &trace->private->history;
    size_t after = 0;
    while (after < h->base_count && h->bases[after].t_ns <= t_ns)
        after++;
    for (size_t i = 0; i < h->base_count && i < NEAR_TRIES; i++) {
        const struct f4p_base *base = &h->bases[i < after ? after - 1 - i : i];
        int right = f4p_replay_base(trace, base, sums);
        if (right < 0)
            return -1;
        if (!right && base->kind == F4P_BASE_KEYFRAME)
            continue;
        finish(trace, sums, got, F4P_INSTANT_NEAREST, base->t_ns, right);
        return 0;
    }
    return -1;
}

int f4p_trace_heap_at(const struct f4p_trace *trace, uint64_t t_ns, struct f4p_sums *sums, struct f4p_instant *got)
{
    const struct f4p_history *h = &trace->private->history;
    *got = (struct f4p_instant){0};
    memset(sums, 0, trace->site_count * sizeof *sums);
    if (t_ns >= trace->state.t_ns && trace->private->have_state) {
        f4p_trace_heap_end(trace, sums, got);
        return 0;
    }
    for (size_t i = 0, tries = 0; i < h->run_count && tries < RUN_TRIES; i++) {
        const struct f4p_run *run = &h->runs[i];
        uint64_t op;
        if (t_ns < run->from_ns || t_ns > run->to_ns)
            continue;
        tries++;
        if (!op_at(trace, run, t_ns, &op))
            continue;
        int result = exact(trace, run, op, sums);
        if (result > 0)
            finish(trace, sums, got, F4P_INSTANT_EXACT, t_ns, result == 1);
        if (result > 0)
            return 0;
    }
    if (nearest(trace, t_ns, sums, got) == 0)
        return 0;
    memset(sums, 0, trace->site_count * sizeof *sums);
    return -1;
}

/* ---- events ---- */

struct listing {
    const struct f4p_trace *trace;
    uint64_t from, to;
    bool (*visit)(void *context, const struct f4p_event *event);
    void *context;
    bool stopped;
};

static bool list_event(void *context, const struct f4p_event *event)
{
    struct listing *l = context;
    if (event->t_ns < l->from || event->site >= l->trace->site_count)
        return true;
    if (event->t_ns > l->to || !l->visit(l->context, event))
        l->stopped = true;
    return !l->stopped;
}

void f4p_trace_events(const struct f4p_trace *trace, uint64_t from_ns, uint64_t to_ns,
                      bool (*visit)(void *context, const struct f4p_event *event), void *context)
{
    const struct f4p_history *h = &trace->private->history;
    struct listing l = {trace, from_ns, to_ns, visit, context, false};
    for (size_t i = 0; i < h->delta_count && !l.stopped; i++)
        if (h->deltas[i].t_last >= from_ns && h->deltas[i].t_first <= to_ns)
            f4p_replay_block(&h->deltas[i], list_event, &l);
}
