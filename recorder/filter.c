#include "filter.h"

#include <string.h>
#include <sys/mman.h>

#include "format/format.h"
#include "session.h"

/* Whole pages, so that they can be given back. */
__attribute__((aligned(4096))) static uint8_t small[1u << F4P_FILTER_SMALL_BITS];
__attribute__((aligned(4096))) static uint8_t large[1u << F4P_FILTER_LARGE_BITS];
__attribute__((aligned(4096))) static uint8_t second[1u << F4P_FILTER_SECOND_BITS >> 1];

#define SHAPE(filter, bits) ((uint64_t)(filter) + 64 - (bits))
#define SMALL SHAPE(small, F4P_FILTER_SMALL_BITS)
#define LARGE SHAPE(large, F4P_FILTER_LARGE_BITS)
uint64_t f4p_filter_shape = SMALL;

/* A counter of 8 or 4 bits at `shift` of a byte. One that reached its end stays there: "maybe" for ever. */
struct counter {
    volatile uint8_t *byte;
    uint8_t shift, end;
};

static inline struct counter first(uint64_t shape, const void *pointer)
{
    return (struct counter){f4p_filter_slot(shape, pointer), 0, 255};
}

static inline struct counter other(const void *pointer)
{
    uint64_t at = (uintptr_t)pointer * 0xc2b2ae3d27d4eb4fu >> (64 - F4P_FILTER_SECOND_BITS);
    return (struct counter){&second[at / 2], at % 2 * 4, 15};
}

static inline uint8_t value(struct counter c)
{
    return *c.byte >> c.shift & c.end;
}

static void up(struct counter c)
{
    if (value(c) != c.end)
        *c.byte = (uint8_t)(*c.byte + (1u << c.shift));
}

static void down(struct counter c)
{
    if (value(c) != c.end && value(c) != 0)
        *c.byte = (uint8_t)(*c.byte - (1u << c.shift));
}

bool f4p_filter_likely(const void *pointer)
{
    return value(other(pointer)) != 0 && f4p_filter_maybe(pointer);
}

/* A thread that still reads the old word frees a block that was sampled before: both filters know it. */
static void grow(const struct f4p_writer *w)
{
    for (uint32_t i = 0; i < w->state.live_high; i++)
        if (w->live[i].kind && w->live[i].kind != F4P_KIND_MMAP && w->live_index.next[i] != F4P_NONE)
            up(first(LARGE, (const void *)(uintptr_t)w->live[i].address));
    __atomic_store_n(&f4p_filter_shape, LARGE, __ATOMIC_RELEASE);
}

void f4p_filter_add(const void *pointer)
{
    const struct f4p_writer *w = &f4p_session.writer;
    if (f4p_filter_shape == SMALL && w->state.live.samples >= F4P_FILTER_SMALL_LIMIT)
        grow(w);
    up(first(f4p_filter_shape, pointer));
    up(other(pointer));
}

void f4p_filter_remove(const void *pointer)
{
    down(first(f4p_filter_shape, pointer));
    down(other(pointer));
}

static void clear(void *filter, size_t bytes)
{
    if (madvise(filter, bytes, MADV_DONTNEED) != 0)
        memset(filter, 0, bytes);
}

void f4p_filter_reset(void)
{
    clear(small, sizeof(small));
    clear(large, sizeof(large));
    clear(second, sizeof(second));
    f4p_filter_shape = SMALL;
}
