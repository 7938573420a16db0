/*
 * A small trace and a program for it: random allocs, frees, reallocs (some of which fail), interning, requests and
 * commits by the real writer, with an oracle beside it that shares no code with writer or reader.
 *
 * The sections of a small trace have a few KiB, so that tables fill and rings wrap within thousands of ops.
 */
#ifndef FIL4PROD_CRASH_SMALL_H
#define FIL4PROD_CRASH_SMALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/writer.h"

struct small_sizes {
    uint32_t live, sites, nodes;      /* entries, rounded up to a page */
    uint32_t records, history, level; /* bytes, rounded up to a page */
};

/** A header for a trace with such sections. */
void small_header(struct f4p_header *header, const struct small_sizes *sizes, uint64_t interval);

struct small_block {
    uint64_t address, size;
    uint32_t site;
    uint32_t shift;
};

/* What was true after a call into the writer. */
struct small_moment {
    uint64_t t_ns, seq, heap; /* heap: weighted bytes, Q8 */
};

#define SMALL_BLOCKS 4096u
#define SMALL_MOMENTS 65536u

/* The oracle. Can stand in memory that another process reads; where `busy` is 0 it says what the trace must hold. */
struct small_oracle {
    volatile uint32_t busy;
    volatile uint32_t stepped;  /* for whoever watches: this call shall be single-stepped */
    volatile uint32_t arriving; /* the trace is on its way into the memory that is watched */
    uint32_t count;
    uint32_t moving; /* 1: `from` is under realloc, 2: and `to` may have taken its place */
    struct small_block from, to;
    uint64_t thinned_before; /* state.thinned when `moving` began */
    uint64_t thinned_freed;  /* blocks the writer had thinned out by the time the program freed them */
    uint64_t calls;
    uint64_t max_heap; /* highest of all moments */
    uint64_t moment_count;
    struct small_block blocks[SMALL_BLOCKS];
    struct small_moment moments[SMALL_MOMENTS]; /* a ring */
};

struct small {
    struct f4p_writer w;
    struct small_oracle *oracle;
    void *memory; /* of the writer; the caller's to free */
    uint64_t t_ns, random, next_address;
    uint64_t step_ns;                /* mean time between two calls */
    uint32_t target;                 /* blocks to keep live */
    uint32_t codes[4];               /* ids of functions + 1 */
    uint32_t request;                /* slot in use, or F4P_NONE */
    bool free_before_realloc;        /* the seeded bug: what a profiler does that hooks realloc as free and malloc */
    void (*before)(struct small *s); /* called around each call into the writer, not busy; may be NULL */
    void (*after)(struct small *s);
};

/** Begins a trace at `base` (header->file_bytes zeroed bytes; the header is stored there). */
void small_begin(struct small *s, void *base, const struct f4p_header *header, struct small_oracle *oracle,
                 uint64_t seed);

/** One random call. */
void small_step(struct small *s);

uint64_t small_random(struct small *s);

#endif
