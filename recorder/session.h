/*
 * One recording: from the first sample of a process (or of a forked child) to its end. It starts in anonymous memory
 * and moves to a file when the process has earned one. All but f4p_session_start() and _stopped() under the lock.
 *
 * All handling of fork is in session.c.
 */
#ifndef FIL4PROD_SESSION_H
#define FIL4PROD_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "attributes.h"
#include "config.h"
#include "format/writer.h"

struct f4p_thread_state;
struct f4p_view; /* recorder/rss.h */

struct f4p_session {
    struct f4p_config config;
    struct f4p_writer writer;
    uint32_t generation; /* grows by one in every forked child; 0: not started */
    bool stopped;        /* passive for good */
    bool open;           /* the writer stands */
    bool has_file;
    uint64_t start_ns;    /* CLOCK_MONOTONIC at t = 0 */
    uint64_t arena_bytes; /* of Python's object allocator, mapped now; atomic */
    const uint8_t *alive; /* a page that reads 1, but not in a forked child that did not notice yet */
};

extern HIDDEN struct f4p_session f4p_session;

/** The library's constructor: reads the environment, attaches to the launcher's file if it is meant for us. */
void f4p_session_start(void);

/** The library's destructor: the end, where the C library tells no handler the exit status. */
void f4p_session_unload(void);

/** Before _exit(2) and its like: notes the status. Waits for nothing, may interrupt anything; a vforked child's is not
 * the parent's. */
void f4p_session_exit(int status);

/** true in a child that does not know yet that it is one. */
static inline bool f4p_session_forked(void)
{
    return f4p_session.alive && UNLIKELY(__atomic_load_n(f4p_session.alive, __ATOMIC_ACQUIRE) != 1);
}

/** Forgets what belongs to the parent. Called by the first slow path of a forked child; no lock is needed. */
void f4p_session_reset(void);

/** Makes sure that the writer stands; false: passive. */
bool f4p_session_open(void);

/** false: the trace file was truncated; nothing of it may be touched any more. Under the lock, before each use. */
bool f4p_session_file_whole(uint64_t now_ns);

/** Before the lock: the look that f4p_session_file_whole() then need not take. At the end of a system call the kernel
 * may give the CPU to another thread; of one that holds the lock all others wait for that. */
void f4p_session_look_at_file(uint64_t now_ns);

/** Charges the CPU budget with the wall time, ns, that a sample or its free took. Under the lock. */
void f4p_session_spent(uint64_t ns);

/** After each sample: adapts the interval. true: f4p_look() with `view` shall follow, after the lock. */
bool f4p_session_step(uint64_t now_ns, uint64_t slow_ns, uint64_t cpu_ns, struct f4p_view *view);

/** Makes the file that the process has earned, and moves the trace there. In a slow path, without the lock, by who
 * looks (recorder/look.h). */
void f4p_session_make_file(struct f4p_thread_state *t);

/** Its `cpu_ns`: CPU time of the process, ns, now and then, else 0. Before the lock, too. */
uint64_t f4p_session_cpu(void);

/** Goes passive and says why on stderr, once. For where the trace cannot be marked: the lock or the file is lost. */
void f4p_session_stop(enum f4p_passive_reason reason);

/** The same with the end marked in the trace. Not in a slow path. errno is kept. */
void f4p_session_end(enum f4p_passive_reason reason);

/** Says on stderr that the recording has ended, and why. */
void f4p_session_say(enum f4p_passive_reason reason);

/** Nanoseconds since t = 0. */
uint64_t f4p_session_now(void);

#endif
