/*
 * Was this pointer sampled? A counting filter says "no" or "maybe"; the live table knows. Slots change under the
 * recorder's lock, each by one store, and are read without it: a pointer is in its slot before its block is handed out.
 *
 * Of the filter so large a part serves as the samples need: few stay in the CPU's first cache, whose misses cost more
 * than a wrong "maybe". A slot follows from the address as it is: beside a job's own work each instruction here counts,
 * and neighbours share a cache line. It is a counter (4 bits) and the exclusive or of its pointers' marks (4 bits), by
 * which most others are told from a pointer that is alone there. A second filter, by a hash and at first of more
 * counters, spares the rest the lock, and jobs whose blocks lie at equal distances.
 */
#ifndef FIL4PROD_FILTER_H
#define FIL4PROD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"

#define F4P_FILTER_BITS 20       /* all of it */
#define F4P_FILTER_LEAST_BITS 12 /* a page */
#define F4P_FILTER_STEP_BITS 4
#define F4P_FILTER_MORE_BITS 4 /* of the second filter */
#define F4P_FILTER_SHARE 8     /* of its slots, one part in this is taken when it grows */

extern HIDDEN uint8_t f4p_filter_slots[1u << F4P_FILTER_BITS];
extern HIDDEN uint8_t f4p_filter_second[1u << F4P_FILTER_BITS >> 1];
extern HIDDEN uint32_t f4p_filter_mask; /* how much of both serves */

/* Blocks begin at multiples of 16. */
static inline uint32_t f4p_filter_place(const void *pointer)
{
    return (uint32_t)(uintptr_t)pointer >> 4;
}

static inline uint8_t *f4p_filter_slot(uint32_t mask, const void *pointer)
{
    return &f4p_filter_slots[f4p_filter_place(pointer) & mask];
}

/* In assembly because compilers make no operand of an atomic or volatile load. */
static inline bool f4p_filter_maybe(const void *pointer)
{
#ifdef __x86_64__
    uint64_t place = f4p_filter_place(pointer);
    bool maybe;
    __asm__ volatile("andl %3, %k1\n\tcmpb $0, (%2,%1)"
                     : "=@ccne"(maybe), "+r"(place)
                     : "r"(f4p_filter_slots), "m"(f4p_filter_mask));
    return maybe;
#else
    uint32_t mask = __atomic_load_n(&f4p_filter_mask, __ATOMIC_RELAXED);
    return __atomic_load_n(f4p_filter_slot(mask, pointer), __ATOMIC_RELAXED) != 0;
#endif
}

/** Bits of a pointer that do not follow from its slot: 20 for the second filter, 4 for the mark. */
static inline uint32_t f4p_filter_hash(const void *pointer)
{
    return (uint32_t)((uintptr_t)pointer * 0xc2b2ae3d27d4eb4fu >> 40);
}

/* Number of a counter of the second filter. */
static inline uint32_t f4p_filter_counter(uint32_t mask, uint32_t hash)
{
    return hash >> 4 & (mask << F4P_FILTER_MORE_BITS | mask);
}

static inline bool f4p_filter_likely_under(uint32_t mask, const void *pointer)
{
    uint8_t slot = __atomic_load_n(f4p_filter_slot(mask, pointer), __ATOMIC_RELAXED);
    uint32_t hash = f4p_filter_hash(pointer);
    if (!slot || ((slot & 15) == 1 && slot >> 4 != (hash & 15)))
        return false;
    uint32_t counter = f4p_filter_counter(mask, hash);
    return (__atomic_load_n(&f4p_filter_second[counter / 2], __ATOMIC_RELAXED) >> counter % 2 * 4 & 15) != 0;
}

/** The second opinion, for slow paths: still only "no" or "maybe". */
static inline bool f4p_filter_likely(const void *pointer)
{
    return f4p_filter_likely_under(__atomic_load_n(&f4p_filter_mask, __ATOMIC_RELAXED), pointer);
}

/** Under the lock. Adding looks how many samples are live, by which more of the filter begins to serve. */
void f4p_filter_add(const void *pointer);
void f4p_filter_remove(const void *pointer);

/** Empty, and small again: in a forked child. */
void f4p_filter_reset(void);

#endif
