/*
 * Was this pointer sampled? A counting filter says "no" or "maybe"; the live table knows. Counters change under the
 * recorder's lock and are read without it: a pointer's counter is up before its block is handed out.
 */
#ifndef FIL4PROD_FILTER_H
#define FIL4PROD_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#define F4P_FILTER_BITS 20

extern uint8_t f4p_filter[1u << F4P_FILTER_BITS];

static inline uint8_t *f4p_filter_slot(const void *pointer)
{
    return &f4p_filter[(uintptr_t)pointer * 0x9e3779b97f4a7c15u >> (64 - F4P_FILTER_BITS)];
}

static inline bool f4p_filter_maybe(const void *pointer)
{
    return __atomic_load_n(f4p_filter_slot(pointer), __ATOMIC_RELAXED) != 0;
}

/* A counter that reached its end stays there: "maybe" for ever. */
static inline void f4p_filter_add(const void *pointer)
{
    uint8_t *slot = f4p_filter_slot(pointer);
    if (*slot != UINT8_MAX)
        __atomic_store_n(slot, (uint8_t)(*slot + 1), __ATOMIC_RELAXED);
}

static inline void f4p_filter_remove(const void *pointer)
{
    uint8_t *slot = f4p_filter_slot(pointer);
    if (*slot != UINT8_MAX && *slot != 0)
        __atomic_store_n(slot, (uint8_t)(*slot - 1), __ATOMIC_RELAXED);
}

#endif
