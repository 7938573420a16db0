/*
 * What a process without a launcher finds out about itself, behind its samples: vitals and what is resident. Not under
 * the recorder's lock: the kernel's files are read slowly, and wait for other threads' mmap, while those would wait for
 * the lock. One thread at a time looks, no other waits for that.
 */
#ifndef FIL4PROD_LOOK_H
#define FIL4PROD_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "rss.h"
#include "thread.h"

/** Looks if something is due, unless another thread does. In a slow path that has left the lock; `view` is from there,
 * `now_ns` of the session. */
void f4p_look(struct f4p_thread_state *t, const struct f4p_view *view, uint64_t now_ns);

/** Becomes the thread that looks; false: another one is. `tid`: the caller's, as gettid(2) gives it. */
bool f4p_look_begin(uint32_t tid);
void f4p_look_end(void);

/** true if this thread is the one: we are in a signal handler that interrupted it. */
bool f4p_look_is_mine(uint32_t tid);

/** This thread has left its look by siglongjmp. */
void f4p_look_abandon(void);

/** Between _begin and _end: all vitals, into memory; and, under the lock, from there into the trace. */
void f4p_look_last(void);
void f4p_look_publish(uint64_t now_ns);

/** What looks cost and nobody paid for yet, at most `most_ns` of it, is paid for now. Returns how much. */
uint64_t f4p_look_pay(uint64_t most_ns);

/** In the child of a fork: whoever looked is not here. */
void f4p_look_reset(void);

#endif
