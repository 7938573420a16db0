/*
 * Was this pointer sampled? A counting filter says "no" or "maybe"; the live table knows. Slots change under the
 * recorder's lock, each by one store, and are read without it: a pointer is in its slot before its block is handed out.
 *
 * What hooks read is a bit per slot: of so large a part as the samples need, few words stay in the CPU's first cache,
 * and the blocks of a page share one. A bit that is set sends a free to the slow path, which costs a branch predicted
 * wrong, and what the CPU was about to load: so few are set. Behind a bit is its slot: a counter (4 bits) and the
 * exclusive or of its pointers' marks (4 bits), by which most others are told from a pointer that is alone there. A
 * second filter, by another hash, spares the rest the lock.
 */
#ifndef FIL4PROD_FILTER_H
#define FIL4PROD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"

#define F4P_FILTER_BITS 20       /* all of it */
#define F4P_FILTER_LEAST_BITS 14 /* 2 KiB of bits */
#define F4P_FILTER_STEP_BITS 2
#define F4P_FILTER_HASH_BITS 20 /* counters of the second filter, at most */
#define F4P_FILTER_SHARE 64     /* of its slots, one part in this is taken when it grows */

extern HIDDEN uint64_t f4p_filter_words[1u << F4P_FILTER_BITS >> 6];
extern HIDDEN uint8_t f4p_filter_slots[1u << F4P_FILTER_BITS];
extern HIDDEN uint8_t f4p_filter_second[1u << F4P_FILTER_HASH_BITS >> 1];
extern HIDDEN uint32_t f4p_filter_mask; /* of offsets into the words, in bytes: how much of all three serves */

/* Of the page's number Fibonacci hashing takes the upper bits of 32: of them, a word's offset in bytes. */
static inline uint32_t f4p_filter_page(const void *pointer)
{
    return (uint32_t)((uintptr_t)pointer >> 12) * 0x9e3779b1u >> (32 + 3 - F4P_FILTER_BITS);
}

/* Its last 6 bits are a bit's number: the block's place in its page, turned so that blocks which begin pages do not
 * all have the same. */
static inline uint64_t f4p_filter_bit(const void *pointer, uint32_t page)
{
    return (uintptr_t)pointer >> 6 ^ page;
}

static inline uint32_t f4p_filter_slot(uint32_t mask, const void *pointer)
{
    uint32_t page = f4p_filter_page(pointer);
    return (page & mask) << 3 | (f4p_filter_bit(pointer, page) & 63);
}

/* In assembly because compilers make no operand of an atomic or volatile load. */
static inline bool f4p_filter_maybe(const void *pointer)
{
    uint64_t page = f4p_filter_page(pointer), bit = f4p_filter_bit(pointer, (uint32_t)page);
#ifdef __x86_64__
    bool maybe;
    __asm__ volatile("andl %3, %k1\n\tmovq (%2,%1), %1\n\tbtq %4, %1"
                     : "=@ccc"(maybe), "+r"(page)
                     : "r"(f4p_filter_words), "m"(f4p_filter_mask), "r"(bit));
    return maybe;
#else
    uint32_t mask = __atomic_load_n(&f4p_filter_mask, __ATOMIC_RELAXED);
    return __atomic_load_n(&f4p_filter_words[(page & mask) >> 3], __ATOMIC_RELAXED) >> (bit & 63) & 1;
#endif
}

/** Bits of a pointer that are independent of its slot: 20 for the second filter, 4 for the mark. */
static inline uint32_t f4p_filter_hash(const void *pointer)
{
    return (uint32_t)((uintptr_t)pointer * 0xc2b2ae3d27d4eb4fu >> (60 - F4P_FILTER_HASH_BITS));
}

/* Number of a counter of the second filter: at first it has as many as there are slots. */
static inline uint32_t f4p_filter_counter(uint32_t mask, uint32_t hash)
{
    return hash >> 4 & (mask << 3 | 63);
}

static inline bool f4p_filter_likely_under(uint32_t mask, const void *pointer)
{
    uint8_t slot = __atomic_load_n(&f4p_filter_slots[f4p_filter_slot(mask, pointer)], __ATOMIC_RELAXED);
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
