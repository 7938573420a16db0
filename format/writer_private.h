/* Shared by writer*.c only. */
#ifndef FIL4PROD_WRITER_PRIVATE_H
#define FIL4PROD_WRITER_PRIVATE_H

#include "writer.h"

/* ---- index ---- */

static inline uint32_t *f4p_index_bucket(const struct f4p_index *index, uint64_t hash)
{
    uint32_t at = hash & index->mask;
    return &index->bucket[at < index->split ? hash & (index->mask << 1 | 1) : at];
}

static inline uint32_t f4p_index_first(const struct f4p_index *index, uint64_t hash)
{
    return *f4p_index_bucket(index, hash);
}

/** Adds `id`, whose contents already stand, so that its hash can be had. */
void f4p_index_insert(struct f4p_writer *w, struct f4p_index *index, uint32_t id);
void f4p_index_remove(struct f4p_writer *w, struct f4p_index *index, uint32_t id);

static inline uint64_t f4p_mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

/* ---- history ---- */

/** Makes room in OPEN for the deltas of one op, sealing it if need be. */
void f4p_history_reserve(struct f4p_writer *w);

struct f4p_delta_facts {
    unsigned delta; /* enum f4p_delta, perhaps F4P_DELTA_SAME_OP */
    uint8_t kind, shift, new_shift;
    uint32_t site;
    uint64_t size;
};

/** Appends a delta to OPEN at time w->state.t_ns; room was reserved. */
void f4p_history_delta(struct f4p_writer *w, const struct f4p_delta_facts *delta);

/** Before site `id` changes: the key frame being written takes its sums if it has not yet. */
void f4p_keyframe_before_change(struct f4p_writer *w, uint32_t id);

/** After each op: starts, continues or ends a key frame. */
void f4p_keyframe_step(struct f4p_writer *w);

/** After each op: a few steps of thinning if the live table is getting full. */
void f4p_thin_step(struct f4p_writer *w, uint64_t t_ns);

/** Takes entry `index` to a coarser shift, or out if `drop`; one op. */
void f4p_writer_thin(struct f4p_writer *w, uint32_t index, uint8_t new_shift, bool drop, uint64_t t_ns);

#endif
