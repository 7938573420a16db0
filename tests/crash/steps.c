/*
 * Every instruction: a child runs the real writer on a shared mapping; its parent single-steps it and, whenever an
 * instruction has changed the mapping, asks the real reader what a kill there would have left.
 *
 * usage: crash_steps [--states N] [--seed N] [--free-first] [--everything]
 *   --free-first   seeded bug: realloc is recorded as free and malloc
 *   --everything   also step through hashing, weighing and LZ4, which write to private memory only
 * Exit status 0: no state was wrong; 1: one was, and is described; 77: ptrace is not to be had.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/hash.h"
#include "format/reader.h"
#include "small.h"

#define LIVE_ROOM 1024
#define HISTORY_EVERY 64 /* states between two looks at the history */

/* ---- the child ---- */

static struct small child;
static struct small_oracle *oracle;
static bool everything;
static uint32_t quota; /* instructions that may still be stepped in this session; the parent counts it down */

static void trap(void)
{
    __asm__ volatile("int3" ::: "memory");
}

/* What writes nothing but private memory runs at full speed: the parent sees that the mapping is the same after it. */
uint64_t __real_f4p_hash(const void *data, size_t bytes, uint64_t seed);
uint64_t __wrap_f4p_hash(const void *data, size_t bytes, uint64_t seed);
uint64_t __wrap_f4p_hash(const void *data, size_t bytes, uint64_t seed)
{
    if (everything || !oracle || child.oracle != oracle || !oracle->stepped)
        return __real_f4p_hash(data, bytes, seed);
    oracle->stepped = 0;
    uint64_t hash = __real_f4p_hash(data, bytes, seed);
    oracle->stepped = 1;
    trap();
    return hash;
}

struct f4p_sums __real_f4p_sample_weight(uint64_t size, uint64_t interval);
struct f4p_sums __wrap_f4p_sample_weight(uint64_t size, uint64_t interval);
struct f4p_sums __wrap_f4p_sample_weight(uint64_t size, uint64_t interval)
{
    if (everything || !oracle || child.oracle != oracle || !oracle->stepped)
        return __real_f4p_sample_weight(size, interval);
    oracle->stepped = 0;
    struct f4p_sums sums = __real_f4p_sample_weight(size, interval);
    oracle->stepped = 1;
    trap();
    return sums;
}

int __real_LZ4_compress_fast_extState(void *state, const char *from, char *to, int bytes, int room, int speed);
int __wrap_LZ4_compress_fast_extState(void *state, const char *from, char *to, int bytes, int room, int speed);
int __wrap_LZ4_compress_fast_extState(void *state, const char *from, char *to, int bytes, int room, int speed)
{
    if (everything || !oracle->stepped)
        return __real_LZ4_compress_fast_extState(state, from, to, bytes, room, speed);
    oracle->stepped = 0;
    int result = __real_LZ4_compress_fast_extState(state, from, to, bytes, room, speed);
    oracle->stepped = 1;
    trap();
    return result;
}

/* The C library may copy in any order: here from the end. */
void *__real_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes)
{
    const size_t piece = 2048;
    if (!oracle || !oracle->stepped || bytes < 2 * piece)
        return __real_memcpy(to, from, bytes);
    for (size_t left = bytes; left;) {
        size_t n = left % piece ? left % piece : piece;
        left -= n;
        __real_memcpy((uint8_t *)to + left, (const uint8_t *)from + left, n);
    }
    return to;
}

/* Each session looks for one kind of call to step through. */
enum focus { FOCUS_ANY, FOCUS_SEAL, FOCUS_KEYFRAME, FOCUS_THIN, FOCUS_FOLD, FOCUS_TABLES, FOCUS_MOVE, FOCUS_COUNT };
static enum focus focus;
static uint64_t first_call; /* to be stepped */

static bool wanted(struct small *s)
{
    const struct f4p_writer *w = &s->w;
    switch (focus) {
    case FOCUS_SEAL:
        return w->state.open_bytes + 2 * F4P_DELTA_MAX_BYTES > F4P_OPEN_BYTES;
    case FOCUS_KEYFRAME:
        return w->keyframe.active ||
               (w->state.keyframe % 4 == 3 && s->t_ns + 2 * s->step_ns - w->keyframe.last_t_ns >= 1000000000);
    case FOCUS_THIN:
        return w->thinning;
    case FOCUS_FOLD:
        return (s->t_ns + 2 * s->step_ns) >> w->state.timeline_shift >= F4P_BUCKETS;
    case FOCUS_TABLES:
        return s->oracle->calls < 40;
    case FOCUS_MOVE:
        return false;
    default:
        return small_random(s) % 50 == 0;
    }
}

static void before(struct small *s)
{
    if (oracle->calls >= first_call && wanted(s)) {
        oracle->stepped = 1;
        trap();
    }
}

static void after(struct small *s)
{
    (void)s;
    oracle->stepped = 0;
}

/* A process that has earned its file: what it wrote to memory of its own goes there. */
static void arrive(void *base)
{
    oracle->arriving = oracle->stepped = 1;
    trap();
    f4p_writer_move(&child.w, base, -1);
    oracle->arriving = oracle->stepped = 0;
    focus = FOCUS_ANY;
}

static void run_child(void *base, const struct f4p_header *header, uint64_t seed, bool free_first)
{
    void *own = NULL;
    if (seed % FOCUS_COUNT == FOCUS_MOVE) {
        own = calloc(1, header->file_bytes);
        memcpy(base, header, sizeof *header);
    }
    small_begin(&child, own ? own : base, header, oracle, seed);
    child.before = before;
    child.after = after;
    child.free_before_realloc = free_first;
    focus = (enum focus)(seed % FOCUS_COUNT);
    /* In fast sessions key frames come by volume, in slow ones by time; the timeline folds only in these. */
    child.step_ns = focus == FOCUS_FOLD || focus == FOCUS_KEYFRAME ? 10000000
                    : focus == FOCUS_SEAL                          ? (uint64_t[]){5000000, 200000}[seed / 7 % 2]
                                                                   : (uint64_t[]){2000, 200000, 5000000}[seed / 7 % 3];
    first_call = focus == FOCUS_TABLES ? 0 : small_random(&child) % 24000;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
        _exit(1);
    for (uint64_t i = 0; i < 30000; i++) {
        if (i % 256 == 0)
            child.target =
                (uint32_t[]){40, 90, 120, 200}[small_random(&child) % (focus == FOCUS_THIN ? 4 : 1 + seed / 11 % 4)];
        if (own && i == first_call)
            arrive(base);
        small_step(&child);
    }
    _exit(0);
}

/* ---- the verdict ---- */

static struct {
    const uint8_t *base;
    uint8_t *copy; /* the mapping when the reader last saw it */
    size_t bytes;
    uint32_t busy, moving; /* as of then */
    bool looked, known;
    uint64_t seq;
    struct f4p_live live[LIVE_ROOM], before[LIVE_ROOM]; /* ascending address */
    size_t live_count, before_count;
    struct f4p_state state;
    uint64_t seed, random;
} seen;

/* What the campaign has covered. X(name) */
#define COVERED(X)  \
    X(states)       \
    X(changed)      \
    X(undone)       \
    X(ops)          \
    X(allocs)       \
    X(frees)        \
    X(reallocs)     \
    X(thins)        \
    X(seals)        \
    X(keyframes)    \
    X(wraps)        \
    X(level_blocks) \
    X(peaks)        \
    X(epochs)       \
    X(folds)        \
    X(interned)     \
    X(failures)     \
    X(requests)     \
    X(boundaries)   \
    X(moving)       \
    X(absent)       \
    X(arrived)      \
    X(instants)     \
    X(doubtful)
static struct {
#define X(name) uint64_t name;
    COVERED(X)
#undef X
} covered;

static void die(const char *what)
{
    printf("WRONG after %llu states (seed %llu, op %llu): %s\n", (unsigned long long)covered.states,
           (unsigned long long)seen.seed, (unsigned long long)seen.seq, what);
    exit(1);
}

static int by_address(const void *a, const void *b)
{
    const struct f4p_live *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static const struct f4p_live *present(const struct small_block *block)
{
    struct f4p_live key = {.address = block->address};
    const struct f4p_live *at = bsearch(&key, seen.live, seen.live_count, sizeof key, by_address);
    return at && at->size == block->size && at->site == block->site ? at : NULL;
}

/* On its way the trace is not there, and says so, or it is there. */
static bool absent(const struct f4p_trace *trace)
{
    if (!oracle->arriving || trace->state.commit)
        return false;
    const struct f4p_damage *d = &trace->damage;
    if (d->bad_states ? d->live_sound || d->peak_sound : trace->live_count != 0)
        die("a trace that has not arrived is called sound");
    covered.absent++;
    return true;
}

static void check_soundness(const struct f4p_trace *trace)
{
    const struct f4p_damage *d = &trace->damage;
    if (!d->live_sound)
        die("the live set is not sound");
    if (!d->peak_sound)
        die("the peak is not sound");
#define NONE_OF(kind) \
    if (d->kind)      \
    die("damage is reported: " #kind)
    NONE_OF(bad_states);
    NONE_OF(bad_live);
    NONE_OF(bad_sites);
    NONE_OF(bad_nodes);
    NONE_OF(bad_records);
    NONE_OF(bad_blocks);
    NONE_OF(missing_bytes);
    NONE_OF(torn_bytes);
#undef NONE_OF
    for (size_t i = 0; i < trace->live_count; i++)
        if (trace->sites[trace->live[i].site].stack >= trace->node_count)
            die("a live block has no stack");
}

/* The same op has always the same live set; the next one differs by what one op may do. */
static void check_order(void)
{
    if (seen.before_count == seen.live_count &&
        memcmp(seen.before, seen.live, seen.live_count * sizeof *seen.live) == 0) {
        if (seen.seq != seen.state.seq)
            die("an op changed nothing");
        return;
    }
    if (seen.seq == seen.state.seq)
        die("the live set changed without an op");
    if (seen.seq != seen.state.seq + 1)
        die("ops were skipped, or came back");
    size_t i = 0, j = 0, gone = 0, come = 0;
    while (i < seen.before_count || j < seen.live_count) {
        if (j == seen.live_count || (i < seen.before_count && seen.before[i].address < seen.live[j].address)) {
            gone++, i++;
        } else if (i == seen.before_count || seen.before[i].address > seen.live[j].address) {
            come++, j++;
        } else {
            if (memcmp(&seen.before[i], &seen.live[j], sizeof *seen.live) != 0)
                gone++, come++;
            i++, j++;
        }
    }
    if (gone > 1 || come > 1)
        die("one op changed more than one block");
}

/* Between two calls the oracle knows everything, but for which blocks were thinned out. */
static void check_boundary(const struct f4p_trace *trace)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; i < oracle->count; i++)
        missing += !present(&oracle->blocks[i]);
    if (missing != trace->state.thinned - oracle->thinned_freed)
        die("blocks of the oracle are missing in the trace");
    if (oracle->count - missing != trace->live_count)
        die("the trace has blocks that the oracle does not know");
    if (trace->state.thinned == 0 && trace->state.thin_floor == 0 && trace->state.peak.sums.bytes != oracle->max_heap)
        die("the peak is not the highest heap there was");
    covered.boundaries++;
}

static void check_moving(const struct f4p_trace *trace)
{
    if (!oracle->moving)
        return;
    covered.moving++;
    if (present(&oracle->from) ||
        (oracle->moving == 2 && (present(&oracle->to) || trace->state.thinned > oracle->thinned_before)))
        return;
    die("a block under realloc is lost");
}

static const struct small_moment *moment_at(uint64_t t_ns)
{
    uint64_t high = oracle->moment_count, low = high > SMALL_MOMENTS ? high - SMALL_MOMENTS : 0, first = low;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (oracle->moments[middle % SMALL_MOMENTS].t_ns <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > first ? &oracle->moments[(low - 1) % SMALL_MOMENTS] : NULL;
}

/* The heap at a random moment of the past, where the trace says that it knows it. */
static void check_history(const struct f4p_trace *trace)
{
    static struct f4p_sums sums[4096];
    struct f4p_instant got;
    uint64_t count = oracle->moment_count;
    if (!count || trace->site_count > sizeof sums / sizeof *sums)
        return;
    uint64_t end = oracle->moments[(count - 1) % SMALL_MOMENTS].t_ns;
    seen.random = seen.random * 6364136223846793005u + 1442695040888963407u;
    uint64_t t = end - (seen.random >> 40) * (end >> 24);
    if (f4p_trace_heap_at(trace, t, sums, &got))
        die("the heap at a past moment cannot be had");
    const struct small_moment *truth = moment_at(t);
    if (got.sound && got.kind == F4P_INSTANT_EXACT && truth && got.total.bytes != truth->heap)
        die("the heap at a past moment is wrong");
    for (size_t i = 0; i < trace->timeline_count; i++)
        if (trace->timeline[i].heap > trace->state.peak.sums.bytes / F4P_Q8 && trace->state.thin_floor == 0)
            die("the timeline is higher than the peak");
    covered.instants += got.kind == F4P_INSTANT_EXACT && got.sound;
    covered.doubtful += !got.sound; /* no key frame has survived in so small a ring */
}

static void count_coverage(const struct f4p_trace *trace)
{
    const struct f4p_state *new = &trace->state, *old = &seen.state;
    covered.undone += trace->op_in_flight;
    covered.requests += trace->request_count || trace->requests_torn;
    if (new->seq != old->seq) {
        covered.ops++;
        covered.allocs += new->sampled > old->sampled &&new->freed == old->freed;
        covered.frees += new->sampled == old->sampled &&new->freed > old->freed;
        covered.reallocs += new->sampled > old->sampled &&new->freed > old->freed;
        covered.thins += new->sampled == old->sampled &&new->freed == old->freed;
    }
    covered.seals += new->open_bytes < old->open_bytes;
    covered.keyframes += new->keyframe != old->keyframe;
    covered.level_blocks += new->keyframe != old->keyframe &&new->keyframe % 4 == 0;
    for (uint32_t i = 0; i < trace->header->section_count; i++)
        if (trace->header->sections[i].kind == F4P_SECTION_HISTORY)
            covered.wraps += new->history_pos > old->history_pos &&new->history_pos > trace->header->sections[i].bytes;
    covered.peaks += new->peak.seq != old->peak.seq;
    covered.epochs += new->peak_epoch != old->peak_epoch;
    covered.folds += new->timeline_half != old->timeline_half;
    covered.interned += new->sites != old->sites;
    covered.failures += new->records != old->records;
}

/* One state: what a kill right now leaves. */
static void check_state(void)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    uint32_t busy = oracle->busy, moving = oracle->moving;

    covered.states++;
    bool same = seen.looked && memcmp(seen.base, seen.copy, seen.bytes) == 0;
    if (same && busy == seen.busy && moving == seen.moving)
        return;
    memcpy(seen.copy, seen.base, seen.bytes);
    seen.looked = true;
    seen.busy = busy;
    seen.moving = moving;
    covered.changed++;
    if (f4p_trace_open_memory(seen.copy, seen.bytes, &trace, &error))
        die(error.text);
    if (absent(trace)) {
        f4p_trace_close(trace);
        return;
    }
    covered.arrived += oracle->arriving != 0;
    check_soundness(trace);
    if (trace->live_count > LIVE_ROOM)
        die("more blocks than there can be");
    seen.seq = trace->state.seq;
    memcpy(seen.live, trace->live, trace->live_count * sizeof *trace->live);
    seen.live_count = trace->live_count;
    qsort(seen.live, seen.live_count, sizeof *seen.live, by_address);
    if (seen.known) {
        check_order();
        count_coverage(trace);
    }
    if (!busy)
        check_boundary(trace);
    check_moving(trace);
    if (covered.changed % HISTORY_EVERY == 0)
        check_history(trace);
    memcpy(seen.before, seen.live, seen.live_count * sizeof *seen.live);
    seen.before_count = seen.live_count;
    seen.state = trace->state;
    seen.known = true;
    f4p_trace_close(trace);
}

/* ---- the parent ---- */

static void *shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        abort();
    return p;
}

/* Resumes the child until its next stop; false: it has ended. */
static bool resume(pid_t pid, enum __ptrace_request how)
{
    int status;
    if (ptrace(how, pid, NULL, NULL) && errno != ESRCH)
        die(strerror(errno));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            die(strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return false;
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
        die("the writer crashed");
    return true;
}

static void drive(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) {
        printf("SKIP crash_steps: no ptrace here\n");
        exit(77);
    }
    for (;;) {
        seen.looked = seen.known = false; /* much has happened since the last stop */
        check_state();
        while (oracle->stepped) {
            if (!resume(pid, PTRACE_SINGLESTEP))
                return;
            check_state();
            if (quota-- == 0) {
                kill(pid, SIGKILL);
                waitpid(pid, &status, 0);
                return;
            }
            if (!oracle->stepped && oracle->busy && !resume(pid, PTRACE_CONT))
                return;
        }
        if (!resume(pid, PTRACE_CONT))
            return;
    }
}

static void session(uint64_t seed, uint32_t steps, bool free_first)
{
    struct small_sizes sizes = {128, 96, 512, 12288, 49152, 4096};
    struct f4p_header header;
    if (seed % 3 == 0)
        sizes.sites = 24, sizes.nodes = 200; /* tables that fill: pages still, so 32 and 256 */
    small_header(&header, &sizes, seed % 5 == 0 ? 1 : 512);
    uint8_t *base = shared(header.file_bytes);
    oracle = shared(sizeof *oracle);
    seen.base = base;
    seen.bytes = header.file_bytes;
    seen.copy = malloc(seen.bytes);
    seen.seed = seen.random = seed;
    quota = steps;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0 || !seen.copy)
        abort();
    if (pid == 0)
        run_child(base, &header, seed, free_first);
    drive(pid);
    munmap(base, header.file_bytes);
    munmap(oracle, sizeof *oracle);
    oracle = NULL;
    free(seen.copy);
}

/* Where memcpy is one repeated instruction, each of its bytes is a state; a vector at a time is as real and tells more.
 */
static void one_store_per_step(char **argv)
{
    if (everything || getenv("GLIBC_TUNABLES"))
        return;
    setenv("GLIBC_TUNABLES", "glibc.cpu.x86_rep_movsb_threshold=1000000:glibc.cpu.x86_rep_stosb_threshold=1000000", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    uint64_t states = 30000, seed = 1;
    bool free_first = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--states") == 0 && i + 1 < argc)
            states = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--free-first") == 0)
            free_first = true;
        else if (strcmp(argv[i], "--everything") == 0)
            everything = true;
        else
            return fprintf(stderr, "crash_steps: unknown argument %s\n", argv[i]), 2;
    }
    one_store_per_step(argv);
    uint32_t part = states < 400000 ? 16000 : 40000;
    while (covered.states < states)
        session(seed++, part, free_first);
#define X(name) printf("%s %llu\n", #name, (unsigned long long)covered.name);
    COVERED(X)
#undef X
    /* A campaign that never came to something has not shown it. */
    if (states >= 100000 && covered.instants < covered.doubtful)
        die("most of the history is in doubt");
#define X(name)                                                                              \
    if (states >= (strcmp(#name, "level_blocks") == 0 ? 500000 : 100000) && !covered.name && \
        strcmp(#name, "doubtful") != 0)                                                      \
        return printf("NOT COVERED: %s\n", #name), 1;
    COVERED(X)
#undef X
    return 0;
}
