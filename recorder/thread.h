/* The recorder's state of a thread: plain zero-initialised data, no destructor. */
#ifndef FIL4PROD_THREAD_H
#define FIL4PROD_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"

struct f4p_thread_state {
    uint64_t left;       /* bytes to the slow path; 0 at first, so that the first allocation comes to it */
    uint64_t beyond;     /* bytes from there to the next sample */
    uint64_t random;     /* generator of the gaps */
    uint32_t tid;        /* 0: not asked for yet */
    uint32_t generation; /* of the recorder (fork makes a new one) that `tid` and `thread` belong to; 0: none yet */
    uint32_t thread;     /* id of its THREAD record */
    uint32_t sites;      /* samples since that record was looked for */
    char name[16];       /* in that record */
    uint8_t shift;       /* interval the current gap was drawn under */
    bool seeded;
    bool inside;          /* in a slow path: what it allocates is not sampled */
    uintptr_t frame;      /* CALLERS_FRAME() in the hook whose slow path that is */
    uint64_t waited_ns;   /* for the lock, in this slow path: others' time, not what recording costs */
    uint64_t object_size; /* not 0: the next malloc serves a sampled Python object of this size */
    uint8_t object_shift;
};

extern HIDDEN THREAD_LOCAL struct f4p_thread_state f4p_thread;

/**
 * Takes `size` bytes from the gap. true: to the slow path, and nothing was taken. On x86-64 one instruction does
 * it, so that a signal handler sees the gap before or after.
 */
static inline bool f4p_thread_take(uint64_t size)
{
#ifdef __x86_64__
    bool due;
    __asm__("subq %2, %1" : "=@ccbe"(due), "+m"(f4p_thread.left) : "r"(size));
    if (UNLIKELY(due))
        f4p_thread.left += size;
    return due;
#else
    if (UNLIKELY(size >= f4p_thread.left))
        return true;
    f4p_thread.left -= size;
    return false;
#endif
}

/** Begins a slow path; `frame` is CALLERS_FRAME() in its hook. */
static inline void f4p_thread_enter(struct f4p_thread_state *t, uintptr_t frame)
{
    t->frame = frame;
    t->waited_ns = 0;
    t->inside = true;
}

#endif
