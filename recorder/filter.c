#include "filter.h"

#include <string.h>
#include <sys/mman.h>

#include "format/format.h"
#include "session.h"

/* Whole pages, so that they can be given back. */
__attribute__((aligned(4096))) uint8_t f4p_filter[(1u << F4P_FILTER_SMALL_BITS) + (1u << F4P_FILTER_LARGE_BITS)];
__attribute__((aligned(4096))) static uint8_t second[1u << F4P_FILTER_SECOND_BITS];
uint64_t f4p_filter_shape = F4P_FILTER_SMALL;

static uint8_t *second_slot(const void *pointer)
{
    return &second[(uintptr_t)pointer * 0xc2b2ae3d27d4eb4fu >> (64 - F4P_FILTER_SECOND_BITS)];
}

/* A counter that reached its end stays there: "maybe" for ever. */
static void up(uint8_t *slot)
{
    if (*slot != UINT8_MAX)
        __atomic_store_n(slot, (uint8_t)(*slot + 1), __ATOMIC_RELAXED);
}

static void down(uint8_t *slot)
{
    if (*slot != UINT8_MAX && *slot != 0)
        __atomic_store_n(slot, (uint8_t)(*slot - 1), __ATOMIC_RELAXED);
}

bool f4p_filter_likely(const void *pointer)
{
    return f4p_filter_maybe(pointer) && __atomic_load_n(second_slot(pointer), __ATOMIC_RELAXED) != 0;
}

/* A thread that still reads the old word frees a block that was sampled before: both filters know it. */
static void grow(const struct f4p_writer *w)
{
    for (uint32_t i = 0; i < w->state.live_high; i++)
        if (w->live[i].kind && w->live[i].kind != F4P_KIND_MMAP && w->live_index.next[i] != F4P_NONE)
            up(f4p_filter_slot(F4P_FILTER_LARGE, (const void *)(uintptr_t)w->live[i].address));
    __atomic_store_n(&f4p_filter_shape, F4P_FILTER_LARGE, __ATOMIC_RELEASE);
}

void f4p_filter_add(const void *pointer)
{
    const struct f4p_writer *w = &f4p_session.writer;
    if (f4p_filter_shape == F4P_FILTER_SMALL && w->state.live.samples >= F4P_FILTER_SMALL_LIMIT)
        grow(w);
    up(f4p_filter_slot(f4p_filter_shape, pointer));
    up(second_slot(pointer));
}

void f4p_filter_remove(const void *pointer)
{
    down(f4p_filter_slot(f4p_filter_shape, pointer));
    down(second_slot(pointer));
}

static void clear(void *filter, size_t bytes)
{
    if (madvise(filter, bytes, MADV_DONTNEED) != 0)
        memset(filter, 0, bytes);
}

void f4p_filter_reset(void)
{
    clear(f4p_filter, sizeof(f4p_filter));
    clear(second, sizeof(second));
    f4p_filter_shape = F4P_FILTER_SMALL;
}
