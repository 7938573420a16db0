/* Finding what is left of the history: blocks, unbroken runs of deltas, kept moments. */
#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "reader.h"
#include "reader_private.h"

#define STORED_LIMIT LZ4_COMPRESSBOUND(F4P_RAW_LIMIT)

/* Bounds for files that were made to be slow. */
#define COUNT_TRIES 256u /* blocks whose deltas are counted because others are missing behind them */

/* ---- blocks ---- */

struct blocks {
    struct f4p_block_ref *at;
    size_t count, room;
};

static bool add(struct blocks *blocks, const struct f4p_block_ref *block)
{
    if (blocks->count == blocks->room) {
        size_t room = blocks->room ? blocks->room + blocks->room / 2 : 256;
        struct f4p_block_ref *more = realloc(blocks->at, room * sizeof *more);
        if (!more)
            return false;
        blocks->at = more;
        blocks->room = room;
    }
    blocks->at[blocks->count++] = *block;
    return true;
}

static bool header_valid(const struct f4p_block *block, uint64_t room, unsigned level)
{
    return block->check == f4p_hash(block, offsetof(struct f4p_block, check), 0) &&
           (block->type == F4P_BLOCK_DELTAS || block->type == F4P_BLOCK_KEYFRAME) && block->level == level &&
           block->raw_bytes <= F4P_RAW_LIMIT && block->stored_bytes <= STORED_LIMIT && block->stored_bytes <= room &&
           block->events <= block->raw_bytes;
}

/* All valid blocks of a ring. A block of the op in flight is left out: its contents still stand in OPEN. `budget` keeps
 * made-up headers from having everything hashed over and over. -1 no memory. */
static int scan(struct f4p_trace *trace, const uint8_t *data, uint64_t bytes, unsigned level, struct blocks *found)
{
    uint64_t budget = 4 * bytes;
    for (uint64_t at = 0; at + sizeof(struct f4p_block) <= bytes;) {
        struct f4p_block block;
        memcpy(&block, data + at, sizeof block);
        const uint8_t *payload = data + at + sizeof block;
        uint64_t room = bytes - at - sizeof block, offset = at;
        at += F4P_LINE;
        if (block.magic != F4P_BLOCK_MAGIC || !header_valid(&block, room, level) || budget < block.stored_bytes)
            continue;
        if (trace->private->have_state && block.number >= trace->state.next_block)
            continue;
        if (block.payload_check != f4p_hash(payload, block.stored_bytes, 0)) {
            budget -= block.stored_bytes;
            continue;
        }
        at = (offset + sizeof block + block.stored_bytes + F4P_LINE - 1) / F4P_LINE * F4P_LINE;
        struct f4p_block_ref ref = {
            .number = block.number,
            .seq = block.seq,
            .t_first = block.t_first,
            .t_last = block.t_last,
            .payload = payload,
            .offset = offset,
            .stored_bytes = block.stored_bytes,
            .raw_bytes = block.raw_bytes,
            .events = block.events,
            .keyframe = block.keyframe,
            .part = block.part,
            .type = block.type,
            .flags = block.flags,
            .level = (uint16_t)level,
        };
        if (!add(found, &ref))
            return -1;
    }
    return 0;
}

static int order(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_offset(const void *a, const void *b)
{
    const struct f4p_block_ref *x = a, *y = b;
    return order(x->offset, y->offset);
}

static int by_number(const void *a, const void *b)
{
    const struct f4p_block_ref *x = a, *y = b;
    int c = order(x->number, y->number);
    return c ? c : order(x->offset, y->offset);
}

static int by_keyframe(const void *a, const void *b)
{
    const struct f4p_block_ref *x = a, *y = b;
    int c = order(x->keyframe, y->keyframe);
    c = c ? c : order(x->level, y->level);
    c = c ? c : order(x->part, y->part);
    return c ? c : order(x->number, y->number);
}

/* Blocks that should stand between two neighbours of HISTORY, the oldest first, and do not. A block that is older than
 * one before it is a leftover of the lap before, in the padding at the ring's end. */
static void count_missing(struct f4p_trace *trace, struct blocks *all, uint64_t ring_bytes)
{
    if (!trace->private->have_state || ring_bytes == 0 || all->count == 0)
        return;
    uint64_t cut = trace->state.history_pos % ring_bytes;
    qsort(all->at, all->count, sizeof *all->at, by_offset);
    size_t first = 0;
    while (first < all->count && all->at[first].offset < cut)
        first++;
    const struct f4p_block_ref *before = NULL;
    for (size_t i = 0; i < all->count; i++) {
        const struct f4p_block_ref *block = &all->at[(first + i) % all->count];
        if (before && block->number <= before->number)
            continue;
        if (before && block->number > before->number + 1) {
            uint64_t end = before->offset + sizeof(struct f4p_block) + before->stored_bytes;
            trace->damage.bad_blocks += block->number - before->number - 1;
            if (block->offset > end)
                trace->damage.torn_bytes += block->offset - end;
        }
        before = block;
    }
    if (before && before->number + 1 < trace->state.next_block)
        trace->damage.bad_blocks += trace->state.next_block - before->number - 1;
}

static void drop_doubles(struct blocks *blocks)
{
    size_t kept = 0;
    for (size_t i = 0; i < blocks->count; i++)
        if (kept == 0 || blocks->at[i].number != blocks->at[kept - 1].number)
            blocks->at[kept++] = blocks->at[i];
    blocks->count = kept;
}

static int scan_level(struct f4p_trace *trace, unsigned level, uint64_t bytes, struct blocks *found)
{
    const struct f4p_area *levels = &trace->private->area[F4P_SECTION_KEYFRAMES];
    uint64_t at = level * bytes;
    if (at >= levels->bytes)
        return 0;
    uint64_t there = levels->bytes - at, used = f4p_reader_level_bytes(trace, level);
    return scan(trace, levels->data + at, used < there ? used : there, 1 + level, found);
}

/* Parts the blocks of HISTORY by type, and adds the key frames of the levels. */
static int index_blocks(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    struct f4p_history *h = &p->history;
    const struct f4p_area *ring = &p->area[F4P_SECTION_HISTORY], *levels = &p->area[F4P_SECTION_KEYFRAMES];
    struct blocks all = {0}, deltas = {0}, keyframes = {0};
    uint64_t level_bytes = levels->declared / F4P_LEVELS / F4P_LINE * F4P_LINE;
    uint64_t used = p->have_state && trace->state.history_pos < ring->bytes ? trace->state.history_pos : ring->bytes;
    int result = scan(trace, ring->data, used, 0, &all);

    count_missing(trace, &all, ring->declared);
    if (all.count)
        qsort(all.at, all.count, sizeof *all.at, by_number);
    drop_doubles(&all);
    for (size_t i = 0; i < all.count && result == 0; i++) {
        all.at[i].rank = i;
        if (!add(all.at[i].type == F4P_BLOCK_DELTAS ? &deltas : &keyframes, &all.at[i]))
            result = -1;
    }
    h->next_rank = all.count;
    free(all.at);
    for (unsigned i = 0; i < F4P_LEVELS && result == 0; i++)
        result = scan_level(trace, i, level_bytes, &keyframes);
    if (keyframes.count)
        qsort(keyframes.at, keyframes.count, sizeof *keyframes.at, by_keyframe);
    h->deltas = deltas.at;
    h->delta_count = deltas.count;
    h->keyframes = keyframes.at;
    h->keyframe_count = keyframes.count;
    return result;
}

/* ---- runs ---- */

static bool count_op(void *context, const struct f4p_event *event)
{
    *(uint64_t *)context = event->seq;
    return true;
}

static bool last_op(const struct f4p_block_ref *block, uint64_t *op)
{
    *op = block->seq - 1;
    return f4p_replay_block(block, count_op, op);
}

/* No delta is missing between `a` and what begins with `seq`, has `number` and `rank`. Where all blocks between are
 * there, they are key frames; else the deltas are counted. */
static bool joins(const struct f4p_block_ref *a, uint64_t seq, uint64_t number, size_t rank, unsigned *tries)
{
    uint64_t op;
    if (seq <= a->seq || seq - a->seq > a->events || number <= a->number)
        return false;
    if (rank - a->rank == number - a->number)
        return true;
    return *tries > 0 && (*tries)-- && last_op(a, &op) && op + 1 == seq;
}

/* The deltas in OPEN as a block behind all others; false if they contradict the state. */
static bool open_block(const struct f4p_trace *trace, struct f4p_block_ref *block)
{
    const struct f4p_area *open = &trace->private->area[F4P_SECTION_OPEN];
    const struct f4p_state *s = &trace->state;
    uint64_t op;
    *block = (struct f4p_block_ref){
        .number = s->next_block,
        .rank = trace->private->history.next_rank,
        .seq = s->open_seq,
        .t_first = s->open_t_ns,
        .t_last = s->t_ns,
        .payload = open->data,
        .stored_bytes = s->open_bytes,
        .raw_bytes = s->open_bytes,
        .events = s->open_events,
        .type = F4P_BLOCK_DELTAS,
        .flags = F4P_BLOCK_STORED,
    };
    return s->open_bytes && s->open_bytes <= open->bytes && s->open_bytes <= F4P_RAW_LIMIT && last_op(block, &op) &&
           op == s->seq && f4p_replay_checked(block, s->open_check);
}

bool f4p_reader_open_sound(const struct f4p_trace *trace)
{
    struct f4p_block_ref open;
    return !trace->private->have_state || !trace->state.open_bytes || open_block(trace, &open);
}

/* Appends OPEN to the deltas. -1 no memory. */
static int add_open(struct f4p_trace *trace, bool *there)
{
    struct f4p_history *h = &trace->private->history;
    struct f4p_block_ref open;
    *there = trace->private->have_state && open_block(trace, &open);
    if (!*there) {
        if (trace->private->have_state)
            trace->damage.torn_bytes += trace->state.open_bytes;
        return 0;
    }
    struct f4p_block_ref *more = realloc(h->deltas, (h->delta_count + 1) * sizeof *more);
    if (!more)
        return -1;
    h->deltas = more;
    h->deltas[h->delta_count++] = open;
    return 0;
}

/* Whether the run that ends with block `last` reaches the state. */
static bool reaches_end(const struct f4p_trace *trace, size_t last, bool open)
{
    const struct f4p_history *h = &trace->private->history;
    unsigned tries = 1;
    if (last + 1 != h->delta_count || !trace->private->have_state)
        return false;
    return open || (trace->state.open_bytes == 0 &&
                    joins(&h->deltas[last], trace->state.seq + 1, trace->state.next_block, h->next_rank, &tries));
}

/* Fills in what a run's blocks [first, end) say; false if its last block is damaged. */
static bool measure_run(const struct f4p_trace *trace, struct f4p_run *run, bool open)
{
    const struct f4p_history *h = &trace->private->history;
    const struct f4p_block_ref *a = &h->deltas[run->first], *b = &h->deltas[run->end - 1];
    run->first_op = a->seq;
    run->from_ns = a->seq == 1 ? 0 : a->t_first;
    run->to_end = reaches_end(trace, run->end - 1, open);
    run->to_ns = run->to_end ? trace->state.t_ns : b->t_last;
    run->last_op = trace->state.seq;
    return run->to_end || last_op(b, &run->last_op);
}

static int make_runs(struct f4p_trace *trace)
{
    struct f4p_history *h = &trace->private->history;
    bool open;
    unsigned tries = COUNT_TRIES;
    if (add_open(trace, &open))
        return -1;
    h->runs = calloc(F4P_RUN_LIMIT + 1, sizeof *h->runs); /* one more for add_end_run() */
    if (!h->runs)
        return -1;
    size_t end = h->delta_count;
    for (size_t i = h->delta_count; i-- > 0 && h->run_count < F4P_RUN_LIMIT;) {
        const struct f4p_block_ref *b = &h->deltas[i];
        if (i > 0 && joins(&h->deltas[i - 1], b->seq, b->number, b->rank, &tries))
            continue;
        struct f4p_run *run = &h->runs[F4P_RUN_LIMIT - 1 - h->run_count];
        *run = (struct f4p_run){.first = i, .end = end};
        h->run_count += measure_run(trace, run, open);
        end = i;
    }
    memmove(h->runs, h->runs + F4P_RUN_LIMIT - h->run_count, h->run_count * sizeof *h->runs);
    return 0;
}

/* The end alone, where no delta leads to it. */
static void add_end_run(struct f4p_trace *trace)
{
    struct f4p_history *h = &trace->private->history;
    const struct f4p_state *s = &trace->state;
    if (!trace->private->have_state || (h->run_count && h->runs[h->run_count - 1].to_end))
        return;
    uint64_t from = s->seq == 0 ? 0 : s->t_ns;
    h->runs[h->run_count++] = (struct f4p_run){h->delta_count, h->delta_count, s->seq + 1, s->seq, from, s->t_ns, true};
}

/* ---- kept moments ---- */

static void add_base(struct f4p_history *h, enum f4p_base_kind kind, uint64_t op, uint64_t t_ns, size_t first,
                     size_t parts)
{
    h->bases[h->base_count++] = (struct f4p_base){kind, op, t_ns, first, parts};
}

/* Parts 0 .. last of one key frame in one ring, of the same moment; returns how many, 0 if any is missing. */
static size_t complete(const struct f4p_block_ref *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (blocks[i].part != i || blocks[i].seq != blocks[0].seq || blocks[i].t_first != blocks[0].t_first)
            return 0;
        if (blocks[i].flags & F4P_BLOCK_LAST)
            return i + 1;
    }
    return 0;
}

static int by_time(const void *a, const void *b)
{
    const struct f4p_base *x = a, *y = b;
    int c = order(x->t_ns, y->t_ns);
    c = c ? c : order(x->op, y->op);
    return c ? c : order(x->kind, y->kind);
}

static int make_bases(struct f4p_trace *trace)
{
    struct f4p_history *h = &trace->private->history;
    const struct f4p_state *s = &trace->state;
    h->bases = calloc(h->keyframe_count + 3, sizeof *h->bases);
    if (!h->bases)
        return -1;
    for (size_t i = 0, n; i < h->keyframe_count; i += n) {
        const struct f4p_block_ref *blocks = &h->keyframes[i];
        for (n = 1; i + n < h->keyframe_count && blocks[n].keyframe == blocks[0].keyframe &&
                    blocks[n].level == blocks[0].level;)
            n++;
        size_t parts = complete(blocks, n);
        if (parts && (!trace->private->have_state || blocks[0].seq <= s->seq))
            add_base(h, F4P_BASE_KEYFRAME, blocks[0].seq, blocks[0].t_first, i, parts);
    }
    add_base(h, F4P_BASE_START, 0, 0, 0, 0);
    if (trace->private->have_state && s->peak.seq && s->peak.seq <= s->seq)
        add_base(h, F4P_BASE_PEAK, s->peak.seq, s->peak.t_ns, 0, 0);
    if (trace->private->have_state && s->seq)
        add_base(h, F4P_BASE_END, s->seq, s->t_ns, 0, 0);
    qsort(h->bases, h->base_count, sizeof *h->bases, by_time);
    return 0;
}

/* ---- stretches ---- */

static int by_from(const void *a, const void *b)
{
    const struct f4p_stretch *x = a, *y = b;
    int c = order(x->from_ns, y->from_ns);
    return c ? c : order(x->to_ns, y->to_ns);
}

/* A run counts from the last moment before its first op, if that is kept. Without any kept moment it says nothing. */
static bool anchored(struct f4p_history *h, struct f4p_run *run)
{
    bool found = false;
    for (size_t i = 0; i < h->base_count; i++) {
        const struct f4p_base *base = &h->bases[i];
        if (base->op + 1 < run->first_op || base->op > run->last_op)
            continue;
        found = true;
        if (base->op + 1 == run->first_op && base->t_ns < run->from_ns)
            run->from_ns = base->t_ns;
    }
    return found;
}

static int make_stretches(struct f4p_trace *trace)
{
    struct f4p_history *h = &trace->private->history;
    h->stretches = calloc(h->run_count + h->base_count, sizeof *h->stretches);
    if (!h->stretches)
        return -1;
    for (size_t i = 0; i < h->run_count; i++)
        if (anchored(h, &h->runs[i]) &&
            h->runs[i].from_ns <= h->runs[i].to_ns) /* else its times contradict each other */
            h->stretches[h->stretch_count++] = (struct f4p_stretch){h->runs[i].from_ns, h->runs[i].to_ns};
    size_t runs = h->stretch_count;
    for (size_t i = 0; i < h->base_count; i++) {
        uint64_t t = h->bases[i].t_ns;
        bool inside = i > 0 && h->bases[i - 1].t_ns == t;
        for (size_t j = 0; j < runs && !inside; j++)
            inside = t >= h->stretches[j].from_ns && t <= h->stretches[j].to_ns;
        if (!inside)
            h->stretches[h->stretch_count++] = (struct f4p_stretch){t, t};
    }
    qsort(h->stretches, h->stretch_count, sizeof *h->stretches, by_from);
    return 0;
}

int f4p_reader_history(struct f4p_trace *trace)
{
    if (index_blocks(trace) || make_bases(trace) || make_runs(trace))
        return -1;
    add_end_run(trace);
    return make_stretches(trace);
}

const struct f4p_stretch *f4p_trace_history(const struct f4p_trace *trace, size_t *count)
{
    *count = trace->private->history.stretch_count;
    return trace->private->history.stretches;
}
