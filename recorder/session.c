#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "budget.h"
#include "clock.h"
#include "filter.h"
#include "format/hash.h"
#include "format/layout.h"
#include "hot.h"
#include "job.h"
#include "keep.h"
#include "lock.h"
#include "look.h"
#include "maps.h"
#include "native.h"
#include "python.h"
#include "redact.h"
#include "retain.h"
#include "rss.h"
#include "sample_private.h"
#include "say.h"
#include "slurp.h"
#include "thread.h"

#define MAX_AUTO_SHIFT 16   /* 16 KiB << 16 = 1 GiB */
#define STANDARD_ERRORS 2.0 /* that the heap's estimate must be beyond what earns a file */
#define COMMAND_BYTES 8192
#define LOOK_PERIOD_NS 20000
#define SMALL_SHARE 8               /* of a limit on the job's memory, one part in this */
#define EXIT_PATIENCE_NS 200000000u /* of a process that ends while its file is being made */
#define EXIT_STEP_NS 1000000u

#pragma weak on_exit /* musl has none: with a symbol missing its programs would not start */

struct f4p_session f4p_session;

static struct {
    void *base; /* of the trace: anonymous, then the file */
    void *memory;
    size_t memory_bytes;
    uint64_t inherited_bytes; /* of the parent, Q8 */
    uint32_t forked_from;     /* pid of the parent; 0: not a forked child */
    bool forked_inside;       /* by a handler that interrupted the lock's owner, or who looks */
    bool launched;            /* the file is the launcher's: it looks after the vitals */
    uint64_t looked_ns;       /* when the file was last seen whole */
    struct f4p_budget budget;
    bool making; /* a file, outside the lock; atomic */
} here;

uint64_t f4p_session_now(void)
{
    return f4p_clock_ns(CLOCK_MONOTONIC) - f4p_session.start_ns;
}

/* open, read and close are cancellation points, malloc is none: all file access is by plain system calls. */
static long open_file(const char *path, int flags)
{
    return syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC);
}

/* ---- facts ---- */

static void fact_text(enum f4p_fact fact, const char *text)
{
    f4p_writer_fact(&f4p_session.writer, fact, F4P_FACT_TEXT, text, strlen(text));
}

static void fact_u64(enum f4p_fact fact, uint64_t value)
{
    f4p_writer_fact(&f4p_session.writer, fact, F4P_FACT_U64, &value, sizeof(value));
}

static void fact_command(char *buffer)
{
    static char shown[COMMAND_BYTES];
    size_t bytes = f4p_slurp("/proc/self/cmdline", buffer, COMMAND_BYTES);
    if (!bytes)
        return;
    size_t used = f4p_redact(shown, sizeof(shown), buffer, bytes, f4p_session.config.redact);
    f4p_writer_fact(&f4p_session.writer, F4P_FACT_ID_COMMAND, F4P_FACT_LIST, shown, used);
}

static void record_facts(void)
{
    static char buffer[COMMAND_BYTES];
    struct utsname names;

    fact_command(buffer);
    ssize_t bytes = readlink("/proc/self/exe", buffer, COMMAND_BYTES);
    if (bytes > 0)
        f4p_writer_fact(&f4p_session.writer, F4P_FACT_ID_EXE, F4P_FACT_TEXT, buffer, (size_t)bytes);
    if (getcwd(buffer, COMMAND_BYTES))
        fact_text(F4P_FACT_ID_CWD, buffer);
    if (uname(&names) == 0) {
        fact_text(F4P_FACT_ID_HOST, names.nodename);
        fact_text(F4P_FACT_ID_KERNEL, names.release);
    }
    fact_u64(F4P_FACT_ID_PID, (uint64_t)getpid());
    fact_u64(F4P_FACT_ID_PPID, (uint64_t)getppid());
    fact_u64(F4P_FACT_ID_UID, (uint64_t)getuid());
    fact_u64(F4P_FACT_ID_PROCESS_START, f4p_session_now());
    fact_text(F4P_FACT_ID_RECORDER, F4P_VERSION);
    if (here.forked_from)
        fact_u64(F4P_FACT_ID_FORKED_FROM, here.forked_from);
    f4p_python_facts(&f4p_session.writer);
    f4p_native_facts(&f4p_session.writer);
}

/* ---- memory and files ---- */

/* Where the job's memory is limited, what we map is not there for it any more. */
static bool affordable(int resource, size_t bytes)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur / SMALL_SHARE;
}

static void *map(size_t bytes, int flags, int fd)
{
    if (!affordable(RLIMIT_AS, bytes) || (flags & MAP_ANONYMOUS && !affordable(RLIMIT_DATA, bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    /* mlockall(MCL_FUTURE) would bring all of it into memory and keep it there, but for what cannot be accessed. */
    void *p = mmap(NULL, bytes, PROT_NONE, flags, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, bytes, MADV_DONTFORK); /* a child must not write into its parent's trace */
    madvise(p, bytes, MADV_DONTDUMP);
    if (fd >= 0) /* else each first store reads megabytes ahead: 10 ms of zeros, and 48 MB of page cache for 17 pages */
        madvise(p, bytes, MADV_RANDOM);
    munlock(p, bytes);
    if (mprotect(p, bytes, PROT_READ | PROT_WRITE) != 0) {
        int error = errno;
        munmap(p, bytes);
        errno = error;
        return NULL;
    }
    return p;
}

/*
 * Somebody who truncates the file takes its pages out of the mapping: the next store would kill the job by SIGBUS. The
 * last page, which nothing else uses, goes with any truncation, and a system call that writes to it fails without a
 * signal. What is left is the time between this look and the op's end; ops that follow each other fast share a look.
 */
static bool looks_due(uint64_t now_ns)
{
    return now_ns >= __atomic_load_n(&here.looked_ns, __ATOMIC_RELAXED) + LOOK_PERIOD_NS;
}

/* 0, or what the kernel says: EFAULT for a file that is whole no more, EPERM or the like for a seccomp filter. */
static int look_at_file(uint64_t now_ns)
{
    uint8_t *last = (uint8_t *)here.base + f4p_session.writer.header.file_bytes - F4P_PAGE;
    if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, last) != 0)
        return errno;
    __atomic_store_n(&here.looked_ns, now_ns, __ATOMIC_RELAXED);
    return 0;
}

void f4p_session_look_at_file(uint64_t now_ns)
{
    if (__atomic_load_n(&f4p_session.has_file, __ATOMIC_ACQUIRE) && looks_due(now_ns))
        look_at_file(now_ns);
}

bool f4p_session_file_whole(uint64_t now_ns)
{
    static bool unsupported;
    if (unsupported || !f4p_session.has_file || !looks_due(now_ns))
        return true;
    int error = look_at_file(now_ns);
    unsupported = error && error != EFAULT;
    return !error || unsupported;
}

static void *map_anonymous(size_t bytes)
{
    return map(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

/* The file if it can be had, else the process runs on unrecorded. */
static void fail(const char *what, const char *path, const char *why)
{
    f4p_session.stopped = true;
    f4p_config_say(&f4p_session.config, what, path ? path : "", path ? ": " : "", why, "; this process is not recorded",
                   NULL);
}

static bool begin_trace(void *base, const struct f4p_header *header)
{
    here.memory_bytes = f4p_writer_memory(header);
    here.memory = map_anonymous(here.memory_bytes);
    if (!here.memory) {
        fail("memory for its index: ", NULL, f4p_layout_error(errno));
        return false;
    }
    here.base = base;
    f4p_writer_init(&f4p_session.writer, base, header, here.memory, f4p_clock_ns(CLOCK_MONOTONIC));
    f4p_session.writer.gone = f4p_sample_gone;
    f4p_rss_attach(&f4p_session.writer, base, here.memory, here.memory_bytes);
    struct f4p_state *state = &f4p_session.writer.state;
    state->pid = (uint32_t)getpid();
    state->inherited_bytes = here.inherited_bytes;
    record_facts();
    f4p_budget_start(&here.budget, f4p_session_now(), f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    f4p_session.open = true;
    f4p_writer_commit(&f4p_session.writer, f4p_session_now());
    return true;
}

bool f4p_session_open(void)
{
    struct f4p_session *session = &f4p_session;
    struct f4p_header header;

    if (session->open)
        return true;
    if (!session->config.has_job)
        session->config.has_job = f4p_job_derive(session->config.job);
    struct f4p_layout layout = {session->config.size, session->config.interval,
                                session->config.automatic ? F4P_HEADER_AUTO_INTERVAL : 0,
                                session->config.has_job ? session->config.job : NULL};
    if (f4p_layout_header(&header, &layout) != 0) {
        fail("FIL4PROD_SIZE", NULL, ": out of range");
        return false;
    }
    header.start_realtime_ns -= header.start_monotonic_ns - session->start_ns;
    header.start_monotonic_ns = session->start_ns;
    f4p_layout_seal(&header);
    void *base = map_anonymous(header.file_bytes);
    if (!base) {
        fail("memory for the trace: ", NULL, f4p_layout_error(errno));
        return false;
    }
    if (begin_trace(base, &header))
        return true;
    munmap(base, header.file_bytes);
    return false;
}

/* A file that is not the trace's yet. */
struct made {
    void *base;
    int fd;
    struct stat st;
    const char *warning;
};

static char made_path[PATH_MAX]; /* by one thread at a time, who looks */

/* Directories and disks may be slow: not under the lock, for which all others would wait. */
static bool create(struct made *made)
{
    const struct f4p_session *session = &f4p_session;
    const struct f4p_header *header = &session->writer.header;
    static char path[PATH_MAX];

    *made = (struct made){.fd = -1};
    int named = f4p_config_name(&session->config, session->writer.state.pid, here.forked_from, path);
    if (named < 0) {
        fail("", session->config.output, f4p_layout_error(named));
        return false;
    }
    f4p_retain_make_room(path, session->config.output, header->file_bytes, session->config.max_traces,
                         session->config.max_total);
    made->fd = f4p_layout_create(path, header, made_path, sizeof(made_path), &made->warning);
    if (made->fd < 0) {
        fail("", path, f4p_layout_error(-made->fd));
        return false;
    }
    f4p_retain_hold(made->fd);
    f4p_keep_made(made_path, made->fd);
    made->base = map(header->file_bytes, MAP_SHARED, made->fd);
    if (made->base && syscall(SYS_fstat, made->fd, &made->st) == 0)
        return true;
    fail("", path, f4p_layout_error(errno));
    unlink(made_path);
    syscall(SYS_close, made->fd);
    return false;
}

/* The job may close what it does not know, and open a file of its own under that number. */
static bool still_ours(const struct made *made)
{
    struct stat now;
    return syscall(SYS_fstat, made->fd, &now) == 0 && now.st_dev == made->st.st_dev && now.st_ino == made->st.st_ino;
}

static void let_go(const struct made *made)
{
    if (still_ours(made))
        syscall(SYS_close, made->fd);
    if (made->warning)
        f4p_config_say(&f4p_session.config, made_path, ": ", made->warning, NULL);
}

/* Under the lock, and while nobody else looks. Returns where the trace was. */
static void *adopt(const struct made *made)
{
    struct f4p_session *session = &f4p_session;
    void *before = here.base;

    f4p_writer_move(&session->writer, made->base, still_ours(made) ? made->fd : -1);
    here.base = made->base;
    f4p_rss_attach(&session->writer, here.base, here.memory, here.memory_bytes);
    __atomic_store_n(&session->has_file, true, __ATOMIC_RELEASE);
    f4p_hot_start(here.base);
    f4p_writer_commit(&session->writer, f4p_session_now());
    return before;
}

static void make_at_once(void)
{
    struct made made;
    if (!create(&made))
        return;
    munmap(adopt(&made), f4p_session.writer.header.file_bytes);
    let_go(&made);
}

/* A handler may have forked: the child gets a file of its own, this one is its parent's. */
COLD void f4p_session_make_file(struct f4p_thread_state *t)
{
    size_t bytes = f4p_session.writer.header.file_bytes;
    struct made made;

    __atomic_store_n(&here.making, true, __ATOMIC_RELAXED);
    if (create(&made)) {
        if (f4p_sample_enter(t, f4p_session_now())) {
            void *before = adopt(&made);
            f4p_sample_leave();
            munmap(before, bytes);
        } else if (!f4p_session_forked()) {
            munmap(made.base, bytes);
            unlink(made_path);
        }
        let_go(&made);
    }
    __atomic_store_n(&here.making, false, __ATOMIC_RELEASE);
}

/* ---- the launcher's file ---- */

static const struct f4p_state *newest_state(const struct f4p_control *control)
{
    const struct f4p_state *newest = NULL;
    for (int i = 0; i < 2; i++) {
        const struct f4p_state *state = &control->state[i];
        if (state->commit && state->check == f4p_hash(state, offsetof(struct f4p_state, check), 0) &&
            (!newest || state->commit > newest->commit))
            newest = state;
    }
    return newest;
}

static void wipe(void *base, const struct f4p_header *header, enum f4p_section_kind kind, uint64_t bytes)
{
    const struct f4p_section *section = f4p_layout_find(header, kind);
    memset((uint8_t *)base + section->offset, 0, bytes < section->bytes ? bytes : section->bytes);
}

/* Beyond doubt: with a coarse interval a few samples of a small heap stand for as much as is needed. */
static bool earns_file(const struct f4p_sums *heap)
{
    uint64_t bytes = heap->bytes / F4P_Q8, min_heap = f4p_session.config.min_heap;
    if (bytes < min_heap)
        return false;
    double beyond = (double)(bytes - min_heap), variance = 256.0 * (double)heap->variance;
    return !min_heap || beyond * beyond >= STANDARD_ERRORS * STANDARD_ERRORS * variance;
}

/*
 * exec replaced the image that wrote here (a shell, env, a version manager's shim). If it had not earned a file of its
 * own, the new image takes its place; else what it left is evidence, and the new image gets another file.
 */
static bool take_over(void *base, const struct f4p_header *header)
{
    struct f4p_control *control = (void *)((uint8_t *)base + f4p_layout_find(header, F4P_SECTION_CONTROL)->offset);
    const struct f4p_state *state = newest_state(control);
    if (!state)
        return true;
    if (state->peak.sums.bytes && earns_file(&state->peak.sums))
        return false;
    wipe(base, header, F4P_SECTION_TIMELINE, UINT64_MAX);
    wipe(base, header, F4P_SECTION_OPEN, UINT64_MAX);
    wipe(base, header, F4P_SECTION_LIVE, state->live_high * sizeof(struct f4p_live) + F4P_PAGE);
    wipe(base, header, F4P_SECTION_SITES, state->sites * sizeof(struct f4p_site) + F4P_PAGE);
    wipe(base, header, F4P_SECTION_NODES, state->nodes * sizeof(struct f4p_node) + F4P_PAGE);
    wipe(base, header, F4P_SECTION_RECORDS, state->records + F4P_PAGE);
    wipe(base, header, F4P_SECTION_HISTORY, state->history_pos + F4P_PAGE);
    if (state->keyframe)
        wipe(base, header, F4P_SECTION_KEYFRAMES, UINT64_MAX);
    wipe(base, header, F4P_SECTION_CONTROL, UINT64_MAX); /* last: until here the old state counts */
    return true;
}

static bool usable_header(int fd, struct f4p_header *header)
{
    return syscall(SYS_pread64, fd, header, sizeof(*header), 0L) == (long)sizeof(*header) &&
           memcmp(header->magic, F4P_MAGIC, sizeof(header->magic)) == 0 && header->version_major == F4P_VERSION_MAJOR &&
           header->check == f4p_hash(header, offsetof(struct f4p_header, check), 0) &&
           lseek(fd, 0, SEEK_END) == (off_t)header->file_bytes;
}

static void attach(const char *path)
{
    struct f4p_session *session = &f4p_session;
    struct f4p_header header;
    int fd = (int)open_file(path, O_RDWR | O_NOFOLLOW);

    if (fd < 0)
        return; /* removed, or an exec later into another root: then like any other process */
    f4p_retain_hold(fd);
    void *base = usable_header(fd, &header) ? map(header.file_bytes, MAP_SHARED, fd) : NULL;
    syscall(SYS_close, fd);
    if (!base)
        return;
    if (!take_over(base, &header)) {
        munmap(base, header.file_bytes);
        return;
    }
    session->config.interval = header.base_interval;
    session->config.automatic = header.flags & F4P_HEADER_AUTO_INTERVAL;
    session->start_ns = header.start_monotonic_ns;
    here.launched = header.flags & F4P_HEADER_LAUNCHER;
    session->has_file = begin_trace(base, &header);
    if (session->has_file)
        f4p_hot_start(here.base);
}

/* ---- start, fork, end ---- */

/* What pthread_atfork calls; weak, because with a C library that lacks it no program would start. */
extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
    __attribute__((weak));

/* What the page says; in a forked child one thread makes the recorder the child's, the others wait for it. */
enum { ALIVE_FORKED, ALIVE, ALIVE_RESETTING };

/*
 * A fork in a signal handler that interrupted the lock's owner, or who looks: the child comes back into the middle of
 * an op. For that one op it gets what was mapped: the index by copy on write, of the shared trace a copy that nobody
 * reads.
 */
static void fork_prepare(void)
{
    const struct f4p_writer *w = &f4p_session.writer;
    here.forked_inside =
        f4p_session.open && f4p_thread.tid && (f4p_lock_is_mine(f4p_thread.tid) || f4p_look_is_mine(f4p_thread.tid));
    if (here.forked_inside) {
        madvise(here.base, w->header.file_bytes, MADV_DOFORK);
        madvise(here.memory, here.memory_bytes, MADV_DOFORK);
    }
}

static void fork_parent(void)
{
    if (here.forked_inside) {
        madvise(here.base, f4p_session.writer.header.file_bytes, MADV_DONTFORK);
        madvise(here.memory, here.memory_bytes, MADV_DONTFORK);
    }
    here.forked_inside = false;
}

static void fork_child(void)
{
    static const uint8_t empty[F4P_PAGE];
    size_t bytes = f4p_session.writer.header.file_bytes;
    if (!here.forked_inside || !f4p_session.has_file)
        return;
    uint8_t *copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (copy == MAP_FAILED)
        return;
    for (size_t at = 0; at < bytes; at += F4P_PAGE)
        if (memcmp((uint8_t *)here.base + at, empty, F4P_PAGE) != 0)
            memcpy(copy + at, (uint8_t *)here.base + at, F4P_PAGE);
    mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, here.base);
}

static void make_alive_page(void)
{
    void *page = mmap(NULL, F4P_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || madvise(page, F4P_PAGE, MADV_WIPEONFORK) != 0) {
        fail("fork detection: ", NULL, f4p_layout_error(errno));
        return;
    }
    *(uint8_t *)page = ALIVE;
    f4p_session.alive = page;
}

static void exit_handler(int status, void *context);

static void look_at_start(void)
{
    static const struct f4p_view nothing;
    if (f4p_session.has_file && f4p_sample_ready(&f4p_thread))
        f4p_look(&f4p_thread, &nothing, f4p_session_now());
}

void f4p_session_start(void)
{
    struct f4p_session *session = &f4p_session;
    int saved = errno;

    f4p_thread_enter(&f4p_thread, CALLERS_FRAME());
    session->start_ns = f4p_clock_ns(CLOCK_MONOTONIC);
    f4p_say_start();
    f4p_config_read(&session->config);
    session->stopped = !session->config.record;
    if (!session->stopped)
        make_alive_page();
    if (!session->stopped) {
        if (__register_atfork)
            __register_atfork(fork_prepare, fork_parent, fork_child, NULL);
        f4p_python_find();
        f4p_native_start(session->config.native);
        f4p_keep_start(&session->config);
        if (on_exit)
            on_exit(exit_handler, NULL);
        session->generation = 1;
        f4p_python_objects_hook();
        if (session->config.attach_pid == (uint32_t)getpid())
            attach(session->config.attach_path);
        if (!session->open && session->config.min_heap == 0 && f4p_session_open()) {
            make_at_once();
            look_at_start();
        }
    }
    f4p_thread.inside = false;
    errno = saved;
}

static void reset(void)
{
    struct f4p_session *session = &f4p_session;

    if (here.forked_inside) {
        munmap(here.base, session->writer.header.file_bytes);
        munmap(here.memory, here.memory_bytes);
        here.forked_inside = false;
    }
    session->start_ns = f4p_clock_ns(CLOCK_MONOTONIC);
    f4p_lock_reset();
    f4p_look_reset();
    here.making = false;
    f4p_filter_reset();
    f4p_python_forget();
    f4p_maps_reset();
    f4p_native_reset();
    here.inherited_bytes = session->open ? session->writer.state.live.bytes : here.inherited_bytes;
    here.forked_from = session->open ? session->writer.state.pid : (uint32_t)getppid();
    here.launched = false;
    here.looked_ns = 0;
    session->writer.state.shift = 0;
    session->open = false;
    session->has_file = false;
    session->generation++;
    session->stopped |= !session->config.children;
}

void f4p_session_reset(void)
{
    uint8_t *alive = (uint8_t *)(uintptr_t)f4p_session.alive, forked = ALIVE_FORKED;
    uint64_t all = UINT64_MAX, before = 0;

    /* A signal handler of this thread would wait for ever. */
    bool blocked = syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof(all)) == 0;
    if (__atomic_compare_exchange_n(alive, &forked, ALIVE_RESETTING, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        reset();
        __atomic_store_n(alive, ALIVE, __ATOMIC_RELEASE);
    }
    if (blocked)
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
    while (__atomic_load_n(alive, __ATOMIC_ACQUIRE) != ALIVE)
        syscall(SYS_sched_yield);
}

void f4p_session_say(enum f4p_passive_reason reason)
{
    static const char *const texts[] = {
#define X(name, number, text) text,
        F4P_PASSIVE_REASONS(X)
#undef X
    };
    f4p_config_say(&f4p_session.config, "recording ends: ", texts[reason], "; the job goes on", NULL);
}

void f4p_session_stop(enum f4p_passive_reason reason)
{
    if (!__atomic_exchange_n(&f4p_session.stopped, true, __ATOMIC_RELAXED))
        f4p_session_say(reason);
}

/* Of the heap or of the RSS, in bytes. */
static uint64_t peak(void)
{
    const struct f4p_control *control = f4p_session.writer.control;
    uint64_t heap = f4p_session.writer.state.peak.sums.bytes / F4P_Q8, rss = 0;
    for (int i = 0; i < 2; i++)
        if (control->last[i].valid >> F4P_VITAL_rss_peak & 1 && control->last[i].value[F4P_VITAL_rss_peak] > rss)
            rss = control->last[i].value[F4P_VITAL_rss_peak];
    return heap > rss ? heap : rss;
}

/* The last state of the trace; the caller holds the lock. `looks`: as last_look() says. */
static void finish_locked(bool looks, enum f4p_status status, enum f4p_passive_reason reason)
{
    __atomic_store_n(&here.looked_ns, 0, __ATOMIC_RELAXED);
    if (!f4p_session_file_whole(f4p_session_now() + LOOK_PERIOD_NS))
        return;
    if (looks)
        f4p_look_publish(f4p_session_now());
    f4p_writer_finish(&f4p_session.writer, status, reason, f4p_session_now());
}

/* The last vitals, if nobody else looks: those are of this moment, too. */
static bool last_look(uint32_t tid)
{
    bool looks = !here.launched && f4p_look_begin(tid);
    if (looks)
        f4p_look_last();
    return looks;
}

/* The thread that makes the file is about to have it, or goes down with the process. */
static void wait_for_file(void)
{
    const struct timespec step = {0, EXIT_STEP_NS};
    for (unsigned ns = 0; ns < EXIT_PATIENCE_NS && __atomic_load_n(&here.making, __ATOMIC_ACQUIRE) &&
                          !f4p_look_is_mine(f4p_thread.tid) && !f4p_session_forked();
         ns += EXIT_STEP_NS)
        syscall(SYS_nanosleep, &step, NULL);
}

static bool recording(void)
{
    const struct f4p_session *session = &f4p_session;
    return session->open && __atomic_load_n(&session->has_file, __ATOMIC_ACQUIRE) && !session->stopped &&
           !f4p_session_forked();
}

static void finish(enum f4p_status status, enum f4p_passive_reason reason)
{
    struct f4p_thread_state *t = &f4p_thread;

    if (!recording() || t->inside)
        return;
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    f4p_thread_enter(t, CALLERS_FRAME());
    bool looks = last_look(tid);
    if (f4p_lock(tid)) {
        finish_locked(looks, status, reason);
        f4p_keep_ended(peak());
        f4p_unlock();
    }
    if (looks)
        f4p_look_end();
    t->inside = false;
}

/*
 * A vforked child runs in its parent's memory: only the kernel tells them apart. The word itself needs no lock, so a
 * signal handler may end the process in the middle of an op; of two threads that end it at once, one speaks.
 */
static bool say_last(enum f4p_ending_how how, int status)
{
    static uint32_t speaks;
    uint32_t tid = (uint32_t)syscall(SYS_gettid), nobody = 0;

    if ((uint32_t)syscall(SYS_getpid) != f4p_session.writer.state.pid)
        return false;
    if (!__atomic_compare_exchange_n(&speaks, &nobody, tid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED) && nobody != tid)
        return false;
    if (f4p_session_file_whole(f4p_session_now() + LOOK_PERIOD_NS))
        f4p_writer_end(&f4p_session.writer, how, (uint32_t)status & 0377, f4p_session_now());
    __atomic_store_n(&speaks, 0, __ATOMIC_RELEASE);
    return true;
}

/* Registered before the C library registers the destructors, so that it runs after them. */
static void exit_handler(int status, void *context)
{
    int saved = errno;

    (void)context;
    wait_for_file();
    if (recording() && say_last(F4P_ENDING_HANDLERS, status))
        finish(F4P_STATUS_EXITED, F4P_PASSIVE_NONE);
    errno = saved;
}

void f4p_session_unload(void)
{
    int saved = errno;
    if (!on_exit)
        finish(F4P_STATUS_EXITED, F4P_PASSIVE_NONE);
    errno = saved;
}

void f4p_session_exit(int status)
{
    uint32_t tid;

    if (!recording() || !say_last(F4P_ENDING_AT_ONCE, status))
        return;
    tid = (uint32_t)syscall(SYS_gettid);
    bool looks = last_look(tid);
    if (f4p_lock_try(tid)) {
        f4p_thread_enter(&f4p_thread, CALLERS_FRAME());
        finish_locked(looks, F4P_STATUS_RECORDING, F4P_PASSIVE_NONE);
        f4p_keep_ended(peak());
        f4p_unlock();
    }
    if (looks)
        f4p_look_end();
    f4p_keep_exit(status);
}

void f4p_session_end(enum f4p_passive_reason reason)
{
    int saved = errno;
    finish(F4P_STATUS_PASSIVE, reason);
    if (f4p_session.open && f4p_session.has_file)
        f4p_session_stop(reason);
    f4p_session.stopped = true;
    errno = saved;
}

/* ---- after each sample ---- */

void f4p_session_spent(uint64_t ns)
{
    f4p_budget_spend(&here.budget, ns);
}

static void adapt(uint64_t now, uint64_t slow_ns, uint64_t cpu)
{
    struct f4p_writer *w = &f4p_session.writer;
    int shift = (int)w->state.shift;
    int steps = f4p_budget_sample(&here.budget, slow_ns, now, cpu, f4p_session.config.cpu_budget);

    if (steps > 0 && shift + steps > MAX_AUTO_SHIFT)
        steps = shift < MAX_AUTO_SHIFT ? MAX_AUTO_SHIFT - shift : 0;
    if (steps > 0 || (steps < 0 && shift > 0 && w->state.live.samples < w->live_capacity / 4))
        f4p_writer_set_shift(w, (uint32_t)(shift + steps));
}

uint64_t f4p_session_cpu(void)
{
    return f4p_session.config.automatic && f4p_budget_due(&here.budget) ? f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID) : 0;
}

bool f4p_session_step(uint64_t now, uint64_t slow_ns, uint64_t cpu_ns, struct f4p_view *view)
{
    struct f4p_session *session = &f4p_session;
    struct f4p_writer *w = &session->writer;

    if (f4p_session_forked())
        return false;
    w->state.slow_ns += slow_ns;
    w->state.arena_bytes = __atomic_load_n(&session->arena_bytes, __ATOMIC_RELAXED);
    if (session->config.automatic)
        adapt(now, slow_ns, cpu_ns);
    if (session->has_file)
        f4p_hot_next();
    bool looks = session->has_file || earns_file(&w->state.live);
    *view = (struct f4p_view){w->state.live.bytes, w->state.arena_bytes, w->state.live_high, w->state.sites};
    return looks && !here.launched;
}
