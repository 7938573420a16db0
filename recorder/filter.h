/*
 * Was this pointer sampled? A counting filter says "no" or "maybe"; the live table knows. Counters change under the
 * recorder's lock and are read without it: a pointer's counter is up before its block is handed out.
 *
 * Few samples: a small filter that stays in the cache. Many: a large one, in which the blocks of a page share a cache
 * line. A second one, by another hash, spares most of the others the lock.
 */
#ifndef FIL4PROD_FILTER_H
#define FIL4PROD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"

#define F4P_FILTER_SMALL_BITS 16
#define F4P_FILTER_LARGE_BITS 20
#define F4P_FILTER_SECOND_BITS 20
#define F4P_FILTER_SMALL_LIMIT 2048 /* live samples; beyond them the large filter serves */

/* Which one serves: its address, a multiple of 64, + 64 - bits. One word, so that readers need no lock. */
extern HIDDEN uint64_t f4p_filter_shape;

static inline volatile uint8_t *f4p_filter_slot(uint64_t shape, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    uint64_t page = (address >> 12) * 0x9e3779b97f4a7c15u >> (shape & 63);
    return (volatile uint8_t *)(shape & ~(uint64_t)63) + (page ^ (address >> 4 & 63));
}

static inline bool f4p_filter_maybe(const void *pointer)
{
    uint64_t shape = __atomic_load_n(&f4p_filter_shape, __ATOMIC_RELAXED);
    return *f4p_filter_slot(shape, pointer) != 0; /* volatile: as good as atomic, and one instruction */
}

/** The second opinion, for slow paths: still only "no" or "maybe". */
bool f4p_filter_likely(const void *pointer);

/** Under the lock. Adding tells how many samples are live, by which the large filter takes over. */
void f4p_filter_add(const void *pointer);
void f4p_filter_remove(const void *pointer);

/** Empty, and small again: in a forked child. */
void f4p_filter_reset(void);

#endif
