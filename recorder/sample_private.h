/* What sample.c and maps.c share: how a slow path enters the trace and what a sample is made of. */
#ifndef FIL4PROD_SAMPLE_PRIVATE_H
#define FIL4PROD_SAMPLE_PRIVATE_H

#include "session.h"
#include "thread.h"

struct f4p_sample {
    struct f4p_thread_state *thread;
    void *python; /* thread state */
    uint64_t start_ns, cpu_ns;
    uint8_t shift;
    char name[16]; /* of the thread, where it was looked for; else empty */
};

/** Brings thread and process up to date after clone and fork. false: this thread shall not record (any more). */
bool f4p_sample_ready(struct f4p_thread_state *t);

/** Takes the lock and opens the trace. false: nothing is held and there is nothing to record to. */
bool f4p_sample_enter(struct f4p_thread_state *t, uint64_t now_ns);
void f4p_sample_leave(void);

/** The writer's `gone`: the filter need not say "maybe" for that address any more. */
void f4p_sample_gone(uint64_t address, uint8_t kind);

/** Sets thread->inside, which the caller clears, and takes what system calls tell: before the lock. `frame`:
 * CALLERS_FRAME() in the hook. */
void f4p_sample_begin(struct f4p_sample *s, uint8_t shift, uintptr_t frame);

/** Called within a slow path of this thread, as by a signal handler; `frame` as above. */
bool f4p_sample_nested(struct f4p_thread_state *t, uintptr_t frame);

/** Under the lock: site of the calling stack and thread; a request that failed; the end, which leaves. */
uint32_t f4p_sample_site(struct f4p_writer *w, const struct f4p_sample *s);
void f4p_sample_failed(struct f4p_writer *w, uint32_t site, size_t size, int error);
void f4p_sample_end(const struct f4p_sample *s);

#endif
