#include "sample.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arrow.h"
#include "filter.h"
#include "gap.h"
#include "lock.h"
#include "look.h"
#include "native.h"
#include "python.h"
#include "real.h"
#include "sample_private.h"
#include "session.h"
#include "thread.h"

#define LARGE (1u << 20)   /* bytes; requests of at least this are listed before they are made */
#define AHEAD (256u << 10) /* bytes; requests of at least this come to the slow path, so that none fails unseen */
#define MAX_THREADS 4096   /* told apart; the others share one */
#define PENDING 64
#define REFUSAL_PERIOD_NS 1000000 /* once there are many */

THREAD_LOCAL struct f4p_thread_state f4p_thread;

/*
 * Frees made by a signal handler that interrupted the lock's owner in the middle of a change: the owner makes up for
 * them before it lets go of the lock.
 */
static struct {
    volatile bool changing; /* the trace is between two consistent states */
    volatile uint32_t count;
    void *block[PENDING];
} pending;

/* ---- threads and gaps ---- */

static void set_gap(struct f4p_thread_state *t, uint64_t bytes)
{
    t->left = bytes < AHEAD ? bytes : AHEAD;
    t->beyond = bytes - t->left;
}

static void draw_gap(struct f4p_thread_state *t)
{
    const struct f4p_session *session = &f4p_session;
    t->shift = (uint8_t)__atomic_load_n(&session->writer.state.shift, __ATOMIC_RELAXED);
    set_gap(t, f4p_gap_next(&t->random, session->config.interval << t->shift));
}

static void thread_begin(struct f4p_thread_state *t)
{
    uint64_t seed[2];
    if (syscall(SYS_getrandom, seed, sizeof(seed), (long)GRND_NONBLOCK) != (long)sizeof(seed)) {
        seed[0] = f4p_session_now();
        seed[1] = (uintptr_t)t;
    }
    t->tid = (uint32_t)syscall(SYS_gettid);
    t->random = seed[0] ^ seed[1] * 3 ^ t->tid;
    t->generation = f4p_session.generation;
    t->thread = F4P_NONE;
    t->sites = 0;
    t->object_size = 0;
    draw_gap(t);
}

/*
 * A handler that left a slow path by siglongjmp has left `inside` set, and maybe the lock taken in the middle of a
 * change. Its hook's frame is gone when a hook is called from one that does not lie below it; on an alternative stack
 * that says nothing.
 */
static COLD bool abandoned(struct f4p_thread_state *t, uintptr_t frame)
{
    stack_t stack;
    if (frame < t->frame || syscall(SYS_sigaltstack, NULL, &stack) != 0 || stack.ss_flags & SS_ONSTACK)
        return false;
    bool mine = f4p_lock_is_mine(t->tid);
    if (mine) { /* at once: another jump may come while the words are written, and others wait */
        __atomic_store_n(&f4p_session.stopped, true, __ATOMIC_RELAXED);
        f4p_unlock();
    }
    if (f4p_look_is_mine(t->tid))
        f4p_look_abandon();
    t->inside = false;
    if (mine)
        f4p_session_say(F4P_PASSIVE_LOCK);
    return true;
}

bool f4p_sample_nested(struct f4p_thread_state *t, uintptr_t frame)
{
    return t->inside && !abandoned(t, frame);
}

/* false: this thread shall not record (any more, or yet: a handler has forked in the middle of an op, and the child
 * still comes back into it). Brings thread and process up to date after clone and fork. */
bool f4p_sample_ready(struct f4p_thread_state *t)
{
    if (f4p_session_forked()) {
        if (t->inside)
            return false;
        f4p_session_reset();
    }
    if (f4p_session.stopped || !f4p_session.generation) {
        if (f4p_session.stopped) {
            t->left = UINT64_MAX;
            t->beyond = 0;
        }
        return false;
    }
    if (t->generation != f4p_session.generation)
        thread_begin(t);
    return true;
}

bool f4p_sample_due(size_t size, uint8_t *shift, uintptr_t frame)
{
    struct f4p_thread_state *t = &f4p_thread;
    int saved = errno;
    if (f4p_sample_nested(t, frame))
        return false;
    bool due = f4p_sample_ready(t);
    errno = saved;
    if (!due)
        return false;
    uint64_t gap = t->left + t->beyond;
    if (size < gap) {
        set_gap(t, gap - size);
        return false;
    }
    *shift = t->shift;
    draw_gap(t);
    return true;
}

/* ---- entering and leaving ---- */

static void drain(void)
{
    struct f4p_writer *w = &f4p_session.writer;
    uint32_t done = 0;
    do {
        for (uint32_t count = pending.count; done < count; done++) {
            void *block = pending.block[done];
            uint32_t index = f4p_writer_find(w, (uintptr_t)block);
            if (index != F4P_NONE) {
                f4p_filter_remove(block);
                f4p_writer_free(w, index, f4p_session_now());
            }
        }
        /* A handler may have added one meanwhile. */
    } while (
        !__atomic_compare_exchange_n(&pending.count, &(uint32_t){done}, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void f4p_sample_gone(uint64_t address, uint8_t kind)
{
    if (kind != F4P_KIND_MMAP)
        f4p_filter_remove((const void *)(uintptr_t)address);
}

static bool lock(struct f4p_thread_state *t)
{
    if (f4p_lock_try(t->tid))
        return true;
    uint64_t before = f4p_session_now();
    bool locked = f4p_lock(t->tid);
    t->waited_ns += f4p_session_now() - before;
    return locked;
}

/* A fork in a signal handler that interrupted a slow path lets the child go on with it: the trace is the parent's. */
bool f4p_sample_enter(struct f4p_thread_state *t, uint64_t now_ns)
{
    if (f4p_session_forked())
        return false;
    f4p_session_look_at_file(now_ns);
    if (!lock(t)) {
        f4p_session_stop(F4P_PASSIVE_LOCK);
        return false;
    }
    if (f4p_session_forked()) {
        f4p_unlock();
        return false;
    }
    pending.changing = true;
    if (!f4p_session.stopped && !f4p_session_file_whole(now_ns + t->waited_ns))
        f4p_session_stop(F4P_PASSIVE_TRUNCATED);
    if (!f4p_session.stopped && f4p_session_open())
        return true;
    pending.changing = false;
    f4p_unlock();
    return false;
}

/* A handler that comes after `changing` is cleared finds a consistent trace and does its free by itself. */
void f4p_sample_leave(void)
{
    do {
        pending.changing = true;
        drain();
        pending.changing = false;
    } while (pending.count);
    f4p_unlock();
}

/* ---- what a sample is made of ---- */

/* Threads get their names when they run already: looked at again at every sample whose number is a power of two. The
 * first thread's name is the program's. */
static void look_at_name(struct f4p_sample *s)
{
    const struct f4p_thread_state *t = s->thread;
    bool again = !((t->sites + 1) & t->sites) && t->tid != f4p_session.writer.state.pid;
    s->name[0] = 0;
    if (t->thread == F4P_NONE || again)
        prctl(PR_GET_NAME, s->name, 0, 0, 0);
}

void f4p_sample_begin(struct f4p_sample *s, uint8_t shift, uintptr_t frame)
{
    s->thread = &f4p_thread;
    f4p_thread_enter(s->thread, frame);
    s->shift = shift;
    s->cpu_ns = f4p_session_cpu();
    s->start_ns = f4p_session_now();
    look_at_name(s);
    s->python = f4p_python_thread_state();
    f4p_native_capture(s->python != NULL);
}

static uint32_t thread_id(struct f4p_writer *w, const struct f4p_sample *s)
{
    struct f4p_thread_state *t = s->thread;
    if (t->thread != F4P_NONE) {
        t->sites++;
        if (LIKELY(!s->name[0] || strncmp(s->name, t->name, sizeof(t->name)) == 0))
            return t->thread;
    }
    struct f4p_thread record = {.tid = t->tid, .t_ns = w->state.t_ns};
    memcpy(t->name, s->name, sizeof(t->name));
    if (w->next_id[F4P_RECORD_THREAD] >= MAX_THREADS) {
        record.flags = F4P_THREAD_OVERFLOW;
        record.tid = 0;
        t->thread = f4p_writer_intern(w, F4P_RECORD_THREAD, F4P_RECORD_THREAD, 0, &record, sizeof(record), NULL, 0);
        return t->thread;
    }
    if (t->tid == w->state.pid)
        record.flags = F4P_THREAD_MAIN;
    t->thread =
        f4p_writer_record(w, F4P_RECORD_THREAD, 0, &record, sizeof(record), t->name, strnlen(t->name, sizeof(t->name)));
    return t->thread;
}

uint32_t f4p_sample_site(struct f4p_writer *w, const struct f4p_sample *s)
{
    return f4p_writer_site(w, f4p_native_stack(w, s->python), thread_id(w, s));
}

void f4p_sample_failed(struct f4p_writer *w, uint32_t site, size_t size, int error)
{
    if (error == ENOMEM)
        f4p_writer_failure(w, &(struct f4p_failure){size, f4p_session_now(), site, (uint32_t)error});
}

void f4p_sample_end(const struct f4p_sample *s)
{
    uint64_t now = f4p_session_now();
    struct f4p_view view;
    bool looks = f4p_session_step(now, now - s->start_ns - s->thread->waited_ns, s->cpu_ns, &view);
    f4p_sample_leave();
    if (looks)
        f4p_look(s->thread, &view, now);
}

static uint32_t request_begin(struct f4p_writer *w, const struct f4p_sample *s, uint32_t kind, uint64_t size,
                              uint32_t site, uint32_t live)
{
    struct f4p_request request = {.tid = s->thread->tid, .kind = kind, .size = size, .t_ns = s->start_ns, .site = site};
    request.live = live;
    if (live != F4P_NONE) {
        request.old_size = w->live[live].size;
        request.address = w->live[live].address;
    }
    f4p_writer_commit(w, s->start_ns);
    return f4p_writer_request_begin(w, &request);
}

/* ---- malloc and its kin ---- */

static void *call_real(struct f4p_call *call)
{
    switch (call->function) {
    case F4P_CALL_MALLOC:
        return f4p_real.malloc(call->size);
    case F4P_CALL_CALLOC:
        return f4p_real.calloc(call->first, call->size);
    case F4P_CALL_MEMALIGN:
        return f4p_real.memalign(call->first, call->size);
    case F4P_CALL_ALIGNED_ALLOC:
        return f4p_real.aligned_alloc(call->first, call->size);
    case F4P_CALL_VALLOC:
        return f4p_real.valloc(call->size);
    case F4P_CALL_PVALLOC:
        return f4p_real.pvalloc(call->size);
    case F4P_CALL_ARROW:
        return f4p_arrow.malloc_aligned(call->size, call->first);
    case F4P_CALL_POSIX_MEMALIGN:
        break;
    }
    void *block = NULL;
    call->error = f4p_real.posix_memalign(&block, call->first, call->size);
    return call->error ? NULL : block;
}

struct pick {
    uint64_t size;
    uint8_t shift, kind;
};

static COLD void *sampled_call(struct f4p_call *call, const struct pick *pick)
{
    struct f4p_writer *w = &f4p_session.writer;
    struct f4p_sample s;
    uint32_t site = F4P_NONE, slot = F4P_NONE;
    bool large = pick->size >= LARGE;
    int error = errno;

    f4p_sample_begin(&s, pick->shift, call->frame);
    if (large && f4p_sample_enter(s.thread, s.start_ns)) {
        site = f4p_sample_site(w, &s);
        slot = request_begin(w, &s, F4P_REQUEST_ALLOC, pick->size, site, F4P_NONE);
        f4p_sample_leave();
    }
    errno = error;
    void *block = call_real(call);
    error = errno;
    if (f4p_sample_enter(s.thread, s.start_ns)) {
        f4p_writer_request_end(w, slot);
        if (site == F4P_NONE)
            site = f4p_sample_site(w, &s);
        if (block) {
            f4p_filter_add(block);
            f4p_writer_alloc(w, &(struct f4p_block_facts){(uintptr_t)block, pick->size, site, pick->shift, pick->kind},
                             s.start_ns);
        } else {
            f4p_sample_failed(w, site, pick->size, call->error ? call->error : error);
        }
        f4p_sample_end(&s);
    }
    s.thread->inside = false;
    errno = error;
    return block;
}

static struct {
    uint32_t count, unseen; /* refusals; those of them that were left out since the last one that was not */
    uint64_t next_ns;
} refusals;

/* A job may live on at its limit, refused again and again. */
static bool crowded(void)
{
    if (__atomic_fetch_add(&refusals.count, 1, __ATOMIC_RELAXED) < F4P_MAX_FAILURES)
        return false;
    uint64_t now = f4p_session_now(), due = __atomic_load_n(&refusals.next_ns, __ATOMIC_RELAXED);
    if (now >= due && __atomic_compare_exchange_n(&refusals.next_ns, &due, now + REFUSAL_PERIOD_NS, false,
                                                  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return false;
    __atomic_fetch_add(&refusals.unseen, 1, __ATOMIC_RELAXED);
    return true;
}

COLD void f4p_sample_refused(size_t size, uintptr_t frame)
{
    struct f4p_thread_state *t = &f4p_thread;
    struct f4p_writer *w = &f4p_session.writer;
    struct f4p_sample s;
    int error = errno;

    /* No trace is begun for it: memory is what there is none of. */
    if (!f4p_sample_nested(t, frame) && f4p_sample_ready(t) && f4p_session.open && !crowded()) {
        f4p_sample_begin(&s, t->shift, frame);
        if (f4p_sample_enter(t, s.start_ns)) {
            w->state.lost[F4P_LOSS_failed] += __atomic_exchange_n(&refusals.unseen, 0, __ATOMIC_RELAXED);
            f4p_sample_failed(w, f4p_sample_site(w, &s), size, ENOMEM);
            f4p_sample_end(&s);
        }
        t->inside = false;
    }
    errno = error;
}

/* The inner call of a Python object that grows out of pymalloc: see python_objects.c. */
static bool take_object(struct f4p_thread_state *t, struct pick *pick)
{
    if (!t->object_size || t->inside)
        return false;
    *pick = (struct pick){t->object_size, t->object_shift, F4P_KIND_PYTHON};
    t->object_size = 0;
    return true;
}

static void *any_call(struct f4p_call *call)
{
    struct pick pick = {call->size, 0, F4P_KIND_MALLOC};
    bool fits = call->function != F4P_CALL_CALLOC || !__builtin_mul_overflow(call->first, call->size, &pick.size);
    if (fits && (take_object(&f4p_thread, &pick) || f4p_sample_due(pick.size, &pick.shift, call->frame)))
        return sampled_call(call, &pick);
    void *block = call_real(call);
    int error = call->error ? call->error : errno;
    if (!block && fits && error == ENOMEM)
        f4p_sample_refused(pick.size, call->frame);
    return block;
}

void *f4p_sample_call(enum f4p_call_function function, size_t first, size_t size, uintptr_t frame)
{
    return any_call(&(struct f4p_call){function, first, size, frame, 0});
}

int f4p_sample_posix_memalign(void **block, size_t alignment, size_t size, uintptr_t frame)
{
    struct f4p_call call = {F4P_CALL_POSIX_MEMALIGN, alignment, size, frame, 0};
    void *found = any_call(&call);
    if (!call.error)
        *block = found;
    return call.error;
}

/* ---- free ---- */

static void forget(struct f4p_writer *w, void *block, uint64_t now)
{
    uint32_t index = f4p_writer_find(w, (uintptr_t)block);
    if (index == F4P_NONE)
        return;
    f4p_filter_remove(block);
    f4p_writer_free(w, index, now);
}

/* In a signal handler that interrupted this thread while it holds the lock. */
static void forget_nested(void *block)
{
    if (pending.changing) {
        if (pending.count < PENDING)
            pending.block[pending.count++] = block;
        else
            f4p_session.writer.state.lost[F4P_LOSS_missed_free]++;
        return;
    }
    pending.changing = true;
    forget(&f4p_session.writer, block, f4p_session_now());
    drain();
    pending.changing = false;
}

/* Before the real free: afterwards another thread may get the address and record it. */
static COLD void forget_before(struct f4p_thread_state *t, void *block, uintptr_t frame)
{
    int saved = errno;
    if (f4p_sample_ready(t)) {
        bool nested = f4p_sample_nested(t, frame);
        if (nested && f4p_lock_is_mine(t->tid)) {
            forget_nested(block);
        } else if (!f4p_session.stopped) {
            if (!nested)
                f4p_thread_enter(t, frame);
            uint64_t now = f4p_session_now(), before = t->waited_ns; /* of the slow path that a handler interrupted */
            if (f4p_sample_enter(t, now)) {
                forget(&f4p_session.writer, block, now);
                f4p_session_spent(f4p_session_now() - now - (t->waited_ns - before));
                f4p_sample_leave();
            }
            t->inside = nested;
        }
    }
    errno = saved;
}

void f4p_sample_free(void *block, uintptr_t frame)
{
    if (UNLIKELY(f4p_filter_likely(block)))
        forget_before(&f4p_thread, block, frame);
    f4p_real.free(block);
}

void f4p_sample_forget(void *block, uintptr_t frame)
{
    if (f4p_filter_likely(block))
        forget_before(&f4p_thread, block, frame);
}

/* ---- realloc ---- */

struct move {
    uint32_t old;  /* live entry of the old block, F4P_NONE: it was no sample */
    uint32_t site; /* of the new block, F4P_NONE: it is no sample */
    uint32_t slot;
};

/* The old block stays live while the real call runs: a kill inside it must not lose the block. */
static void move_begin(struct f4p_writer *w, const struct f4p_sample *s, struct move *m, void *block, size_t size,
                       bool sampled)
{
    m->old = f4p_writer_find(w, (uintptr_t)block);
    if (m->old != F4P_NONE) {
        f4p_filter_remove(block);
        f4p_writer_unlink(w, m->old);
    }
    if (sampled)
        m->site = f4p_sample_site(w, s);
    if (m->old != F4P_NONE || size >= LARGE)
        m->slot = request_begin(w, s, F4P_REQUEST_REALLOC, size, m->site != F4P_NONE ? m->site : 0, m->old);
}

static void move_end(struct f4p_writer *w, const struct f4p_sample *s, const struct move *m, void *block, size_t size)
{
    uint64_t now = f4p_session_now();
    f4p_writer_request_end(w, m->slot);
    if (m->site == F4P_NONE) {
        if (m->old != F4P_NONE)
            f4p_writer_free(w, m->old, now);
        return;
    }
    struct f4p_block_facts facts = {(uintptr_t)block, size, m->site, s->shift, F4P_KIND_MALLOC};
    f4p_filter_add(block);
    if (m->old != F4P_NONE)
        f4p_writer_replace(w, m->old, &facts, now);
    else
        f4p_writer_alloc(w, &facts, now);
}

static void move_failed(struct f4p_writer *w, const struct f4p_sample *s, const struct move *m, void *block,
                        size_t size, int error)
{
    f4p_writer_request_end(w, m->slot);
    if (m->old != F4P_NONE) {
        f4p_filter_add(block);
        f4p_writer_relink(w, m->old);
    }
    f4p_sample_failed(w, m->site != F4P_NONE ? m->site : f4p_sample_site(w, s), size, error);
}

struct resize {
    void *block;
    size_t size;
    size_t alignment; /* of Arrow's allocator; 0: it is the C library's */
    uintptr_t frame;
};

static void *real_realloc(const struct resize *r)
{
    return r->alignment ? f4p_arrow.realloc_aligned(r->block, r->size, r->alignment)
                        : f4p_real.realloc(r->block, r->size);
}

static COLD void *tracked_realloc(const struct resize *r, bool sampled, uint8_t shift)
{
    struct f4p_writer *w = &f4p_session.writer;
    struct move m = {F4P_NONE, F4P_NONE, F4P_NONE};
    struct f4p_sample s;
    int error = errno;

    f4p_sample_begin(&s, shift, r->frame);
    bool begun = f4p_sample_enter(s.thread, s.start_ns);
    if (begun) {
        move_begin(w, &s, &m, r->block, r->size, sampled);
        f4p_sample_leave();
    }
    errno = error;
    void *moved = real_realloc(r);
    error = errno;
    if (begun && f4p_sample_enter(s.thread, s.start_ns)) {
        if (moved)
            move_end(w, &s, &m, moved, r->size);
        else
            move_failed(w, &s, &m, r->block, r->size, error);
        f4p_sample_end(&s);
    }
    s.thread->inside = false;
    errno = error;
    return moved;
}

static void *any_realloc(const struct resize *r)
{
    struct f4p_thread_state *t = &f4p_thread;
    uint8_t shift = 0;
    bool sampled = f4p_thread_take(r->size) && f4p_sample_due(r->size, &shift, r->frame);

    if (!sampled && !f4p_filter_likely(r->block)) {
        void *moved = real_realloc(r);
        if (!moved && errno == ENOMEM)
            f4p_sample_refused(r->size, r->frame);
        return moved;
    }
    int saved = errno;
    bool nested = f4p_sample_nested(t, r->frame);
    bool usable = !nested && f4p_sample_ready(t);
    if (nested) /* in a handler: the new block is no sample */
        forget_before(t, r->block, r->frame);
    errno = saved;
    return usable ? tracked_realloc(r, sampled, shift) : real_realloc(r);
}

void *f4p_sample_realloc(void *block, size_t size, uintptr_t frame)
{
    if (!block)
        return f4p_sample_call(F4P_CALL_MALLOC, 1, size, frame);
    if (size == 0) { /* the C library frees */
        f4p_sample_forget(block, frame);
        return f4p_real.realloc(block, size);
    }
    return any_realloc(&(struct resize){block, size, 0, frame});
}

void *f4p_sample_realloc_arrow(void *block, size_t size, size_t alignment, uintptr_t frame)
{
    return any_realloc(&(struct resize){block, size, alignment ? alignment : 1, frame});
}
