#include "filter.h"

#include <string.h>
#include <sys/mman.h>

#include "format/format.h"
#include "session.h"

#define LEAST ((1u << F4P_FILTER_LEAST_BITS) - 1)
#define ALL ((1u << F4P_FILTER_BITS) - 1)
#define END 15 /* a counter that reached it stays there: "maybe" for ever */

/* Whole pages, so that they can be given back. */
__attribute__((aligned(4096))) uint8_t f4p_filter_slots[1u << F4P_FILTER_BITS];
__attribute__((aligned(4096))) uint8_t f4p_filter_second[1u << F4P_FILTER_BITS >> 1];
uint32_t f4p_filter_mask = LEAST;

/* Marks of a slot whose counter has reached its end are not looked at. */
static void first_add(uint32_t mask, const void *pointer, int step)
{
    uint8_t *slot = f4p_filter_slot(mask, pointer);
    uint8_t old = *slot, count = old & END;
    if (count != END && (step > 0 || count != 0))
        __atomic_store_n(slot, (uint8_t)((old ^ (f4p_filter_hash(pointer) & 15) << 4) + (unsigned)step),
                         __ATOMIC_RELAXED);
}

static void second_add(uint32_t mask, const void *pointer, int step)
{
    uint32_t counter = f4p_filter_counter(mask, f4p_filter_hash(pointer));
    uint8_t *pair = &f4p_filter_second[counter / 2];
    unsigned shift = counter % 2 * 4, count = *pair >> shift & END;
    if (count != END && (step > 0 || count != 0))
        __atomic_store_n(pair, (uint8_t)(*pair + ((unsigned)step << shift)), __ATOMIC_RELAXED);
}

/*
 * A thread that still reads an older mask frees a block that was sampled before the newer one: it is in the slots of
 * both. Those of the older one are not emptied: they say "maybe" once too often, in one of F4P_FILTER_SHARE at first.
 */
static void grow(const struct f4p_writer *w)
{
    uint32_t old = f4p_filter_mask, new = (old << F4P_FILTER_STEP_BITS | old) & ALL;

    for (uint32_t i = 0; i < w->state.live_high; i++) {
        const void *block = (const void *)(uintptr_t)w->live[i].address;
        uint32_t hash = f4p_filter_hash(block);
        if (!w->live[i].kind || w->live[i].kind == F4P_KIND_MMAP || w->live_index.next[i] == F4P_NONE)
            continue;
        if (f4p_filter_slot(new, block) != f4p_filter_slot(old, block))
            first_add(new, block, 1);
        if (f4p_filter_counter(new, hash) != f4p_filter_counter(old, hash))
            second_add(new, block, 1);
    }
    __atomic_store_n(&f4p_filter_mask, new, __ATOMIC_RELEASE);
}

void f4p_filter_add(const void *pointer)
{
    const struct f4p_writer *w = &f4p_session.writer;
    if (w->state.live.samples > f4p_filter_mask / F4P_FILTER_SHARE && f4p_filter_mask != ALL)
        grow(w);
    first_add(f4p_filter_mask, pointer, 1);
    second_add(f4p_filter_mask, pointer, 1);
}

void f4p_filter_remove(const void *pointer)
{
    first_add(f4p_filter_mask, pointer, -1);
    second_add(f4p_filter_mask, pointer, -1);
}

static void clear(void *filter, size_t bytes)
{
    if (madvise(filter, bytes, MADV_DONTNEED) != 0)
        memset(filter, 0, bytes);
}

void f4p_filter_reset(void)
{
    clear(f4p_filter_slots, sizeof(f4p_filter_slots));
    clear(f4p_filter_second, sizeof(f4p_filter_second));
    f4p_filter_mask = LEAST;
}
