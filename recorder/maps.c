#include "maps.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "format/random.h"
#include "format/weight.h"
#include "lock.h"
#include "real.h"
#include "sample.h"
#include "sample_private.h"

#define MAX_TRACKED 4096
#define PAGE 4096u

/* Sampled mappings by address: munmap may take a part of one, or several. Changes under the recorder's lock. */
struct tracked {
    uintptr_t start, end;
    uint32_t live; /* entry in the live table; thinning may have emptied it */
};

static struct tracked tracked[MAX_TRACKED];
static uint32_t tracked_count;

static uint32_t first_ending_after(uintptr_t address)
{
    uint32_t low = 0, high = tracked_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tracked[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void tracked_remove(uint32_t at)
{
    memmove(&tracked[at], &tracked[at + 1], (tracked_count - at - 1) * sizeof(*tracked));
    __atomic_store_n(&tracked_count, tracked_count - 1, __ATOMIC_RELAXED);
}

static bool tracked_insert(uintptr_t start, uintptr_t end, uint32_t live)
{
    uint32_t at = first_ending_after(start);
    if (tracked_count == MAX_TRACKED)
        return false;
    memmove(&tracked[at + 1], &tracked[at], (tracked_count - at) * sizeof(*tracked));
    tracked[at] = (struct tracked){start, end, live};
    __atomic_store_n(&tracked_count, tracked_count + 1, __ATOMIC_RELAXED);
    return true;
}

static bool still_live(const struct f4p_writer *w, const struct tracked *t)
{
    const struct f4p_live *entry = &w->live[t->live];
    return entry->kind == F4P_KIND_MMAP && entry->address == t->start && entry->size == t->end - t->start;
}

static void add(struct f4p_writer *w, uintptr_t start, uint64_t size, uint32_t site, uint8_t shift, uint64_t now)
{
    if (tracked_count == MAX_TRACKED) {
        f4p_writer_lost(w, F4P_LOSS_live_full);
        return;
    }
    f4p_writer_alloc(w, &(struct f4p_block_facts){start, size, site, shift, F4P_KIND_MMAP}, now);
    uint32_t live = f4p_writer_find(w, start);
    if (live != F4P_NONE)
        tracked_insert(start, start + size, live);
}

/* What is left of a sample after a part was unmapped was sampled with p(whole), but stands for 1/p(rest). */
static void keep_rest(struct f4p_writer *w, const struct f4p_live *whole, uintptr_t start, uintptr_t end, uint64_t now)
{
    if (start >= end)
        return;
    uint64_t interval = w->base_interval << whole->shift;
    double keep = f4p_sample_probability(end - start, interval) / f4p_sample_probability(whole->size, interval);
    if (f4p_random_unit(&f4p_thread.random) < keep)
        add(w, start, end - start, whole->site, whole->shift, now);
}

/* Under the lock: the samples in [start, end) are unmapped, or about to be. */
static void forget(struct f4p_writer *w, uintptr_t start, uintptr_t end, uint64_t now)
{
    for (;;) {
        uint32_t at = first_ending_after(start);
        if (at == tracked_count || tracked[at].start >= end)
            return;
        struct tracked t = tracked[at];
        tracked_remove(at);
        if (!still_live(w, &t))
            continue;
        struct f4p_live whole = w->live[t.live];
        f4p_writer_free(w, t.live, now);
        keep_rest(w, &whole, t.start, start > t.start ? start : t.start, now);
        keep_rest(w, &whole, end < t.end ? end : t.end, t.end, now);
    }
}

static void forget_range(const void *at, size_t bytes, uintptr_t frame)
{
    struct f4p_thread_state *t = &f4p_thread;
    uintptr_t start = (uintptr_t)at, end = start + ((bytes + PAGE - 1) & ~(size_t)(PAGE - 1));
    int saved = errno;

    if (!__atomic_load_n(&tracked_count, __ATOMIC_RELAXED) || start % PAGE || end <= start)
        return;
    if (!f4p_sample_nested(t, frame) && f4p_sample_ready(t)) {
        f4p_thread_enter(t, frame);
        uint64_t now = f4p_session_now();
        if (f4p_sample_enter(t, now)) {
            forget(&f4p_session.writer, start, end, now);
            f4p_sample_leave();
        }
        t->inside = false;
    }
    errno = saved;
}

static bool counts(const struct f4p_maps_call *call, const void *caller)
{
    return call->flags & MAP_ANONYMOUS && call->protection & PROT_WRITE &&
           !(call->flags & (MAP_NORESERVE | MAP_GROWSDOWN)) && !f4p_real_allocator_has(caller);
}

static void record(const void *at, size_t bytes, uint8_t shift, uintptr_t frame)
{
    struct f4p_writer *w = &f4p_session.writer;
    struct f4p_sample s;
    int saved = errno;

    f4p_sample_begin(&s, shift, frame);
    if (f4p_sample_enter(s.thread, s.start_ns)) {
        forget(w, (uintptr_t)at, (uintptr_t)at + bytes, s.start_ns); /* a missed munmap */
        add(w, (uintptr_t)at, bytes, f4p_sample_site(w, &s), shift, s.start_ns);
        f4p_sample_end(&s);
    }
    s.thread->inside = false;
    errno = saved;
}

void *f4p_maps_map(const struct f4p_maps_call *c, const void *caller, uintptr_t frame)
{
    uint8_t shift;
    if (c->flags & MAP_FIXED)
        forget_range(c->at, c->bytes, frame);
    void *mapped = f4p_real.mmap(c->at, c->bytes, c->protection, c->flags, c->fd, c->offset);
    if (mapped == MAP_FAILED && errno == ENOMEM && counts(c, caller))
        f4p_sample_refused(c->bytes, frame);
    if (mapped != MAP_FAILED && counts(c, caller) && f4p_sample_due(c->bytes, &shift, frame))
        record(mapped, c->bytes, shift, frame);
    return mapped;
}

int f4p_maps_unmap(void *at, size_t bytes, uintptr_t frame)
{
    /* Before the real call: afterwards another thread may get the addresses. */
    forget_range(at, bytes, frame);
    return f4p_real.munmap(at, bytes);
}

/* Takes the sample that begins at `at` out of the list; it stays live. F4P_NONE: there is none. */
static uint32_t lift(const void *at, struct tracked *t, uintptr_t frame)
{
    uint32_t found = F4P_NONE;
    if (!__atomic_load_n(&tracked_count, __ATOMIC_RELAXED) || f4p_sample_nested(&f4p_thread, frame) ||
        !f4p_sample_ready(&f4p_thread))
        return F4P_NONE;
    f4p_thread_enter(&f4p_thread, frame);
    if (f4p_sample_enter(&f4p_thread, f4p_session_now())) {
        uint32_t i = first_ending_after((uintptr_t)at);
        if (i < tracked_count && tracked[i].start == (uintptr_t)at) {
            *t = tracked[i];
            tracked_remove(i);
            if (still_live(&f4p_session.writer, t)) {
                found = t->live;
                f4p_writer_unlink(&f4p_session.writer, found);
            }
        }
        f4p_sample_leave();
    }
    f4p_thread.inside = false;
    return found;
}

static void settle(uint32_t lifted, const struct tracked *t, void *moved, size_t new_bytes, uintptr_t frame)
{
    struct f4p_writer *w = &f4p_session.writer;
    struct f4p_sample s;
    uint8_t shift = 0;
    bool failed = moved == MAP_FAILED, sampled = !failed && f4p_sample_due(new_bytes, &shift, frame);

    f4p_sample_begin(&s, shift, frame);
    if (f4p_sample_enter(s.thread, s.start_ns)) {
        if (failed) {
            f4p_writer_relink(w, lifted);
            tracked_insert(t->start, t->end, lifted);
        } else if (sampled) {
            struct f4p_block_facts block = {(uintptr_t)moved, new_bytes, f4p_sample_site(w, &s), shift, F4P_KIND_MMAP};
            f4p_writer_replace(w, lifted, &block, s.start_ns);
            tracked_insert((uintptr_t)moved, (uintptr_t)moved + new_bytes, lifted);
        } else {
            f4p_writer_free(w, lifted, s.start_ns);
        }
        f4p_sample_end(&s);
    }
    s.thread->inside = false;
}

void *f4p_maps_remap(void *at, size_t bytes, size_t new_bytes, int flags, void *new_at, uintptr_t frame)
{
    struct tracked t;
    if (flags & MREMAP_FIXED)
        forget_range(new_at, new_bytes, frame);
    uint32_t lifted = lift(at, &t, frame);
    void *moved = f4p_real.mremap(at, bytes, new_bytes, flags, new_at);
    int saved = errno;
    /* A mapping that was no sample may be a file's, or an allocator's: it does not become one by moving. */
    if (lifted != F4P_NONE)
        settle(lifted, &t, moved, new_bytes, frame);
    errno = saved;
    return moved;
}

void f4p_maps_reset(void)
{
    tracked_count = 0;
}
