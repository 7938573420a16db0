/*
 * The bytes of a fil4prod trace: structs, enums and flags, no functions. fil4prod-trace(5) is this file in prose; the
 * two change together.
 *
 * Vocabulary
 *   sample    an allocation that the Poisson sampler picked; it stands for `weight` bytes of the heap.
 *   interval  R, the mean number of bytes between two samples: base_interval << shift. Every sample keeps its own.
 *   node      one frame of a call stack with its caller (parent): stacks are paths in this tree.
 *   site      a stack together with the thread that ran it, and the sums over its samples.
 *   live      a sample whose block has not been freed.
 *   op        one change of the live set, numbered by state.seq. Ops are totally ordered: there is one writer at a
 * time. epoch     number of the current peak; see struct f4p_site. key frame the sums of every site with live samples
 * at one op.
 *
 * Conventions: little-endian, fixed width, natural alignment, reserved fields zero. Times are nanoseconds since
 * header.start_monotonic_ns (CLOCK_MONOTONIC). Weighted bytes and blocks are unsigned fixed point with 8 fractional
 * bits ("Q8"), variances are in units of 256 bytes². Sums wrap modulo 2^64. `check` is XXH64 with seed 0 over the
 * bytes of the struct before it (the low half where it has 32 bits), unless the struct says otherwise.
 */
#ifndef FIL4PROD_FORMAT_H
#define FIL4PROD_FORMAT_H

#include <stdint.h>

#define F4P_MAGIC "FIL4PROD"
#define F4P_VERSION_MAJOR 1 /* another major: refused */
#define F4P_VERSION_MINOR 0 /* a higher minor: readable, unknown parts are skipped */

#define F4P_PAGE 4096u
#define F4P_LINE 128u /* alignment of history blocks */
#define F4P_NONE 0xffffffffu
#define F4P_Q8 256u

/* Feature flags. A reader refuses unknown incompatible flags and ignores unknown compatible ones. */
enum f4p_compatible { F4P_COMPAT_PACKED = 1 << 0 /* symbols are embedded */ };

/* ---- sections ---------------------------------------------------------------------------------------------- */

/* X(NAME, number, what): who writes it stands in brackets. */
#define F4P_SECTIONS(X)                                                                                     \
    X(CONTROL, 1, "recorder state, intent, requests in flight [recorder]")                                  \
    X(LAUNCH, 2, "launcher state [launcher]")                                                               \
    X(RECORDS, 3, "append-only records [recorder]")                                                         \
    X(LAUNCH_RECORDS, 4, "append-only records [launcher]")                                                  \
    X(NODES, 5, "array of struct f4p_node [recorder]")                                                      \
    X(SITES, 6, "array of struct f4p_site [recorder]")                                                      \
    X(LIVE, 7, "array of struct f4p_live [recorder]")                                                       \
    X(TIMELINE, 8, "two arrays of struct f4p_bucket [recorder]")                                            \
    X(LAUNCH_TIMELINE, 9, "two arrays of struct f4p_bucket [launcher]")                                     \
    X(OPEN, 10, "deltas not yet sealed [recorder]")                                                         \
    X(HISTORY, 11, "ring of blocks [recorder]")                                                             \
    X(KEYFRAMES, 12, "F4P_LEVELS equal rings of key-frame blocks [recorder]")                               \
    X(SYMBOLS, 13, "append-only records: symbols of native frames, added after the end [launcher, --pack]") \
    X(RESIDENT, 14, "what of the memory is resident [launcher; without one, recorder]")

enum f4p_section_kind {
#define X(name, number, what) F4P_SECTION_##name = number,
    F4P_SECTIONS(X)
#undef X
        F4P_SECTION_MAX = 14
};

struct f4p_section {
    uint32_t kind; /* enum f4p_section_kind; unknown kinds are skipped */
    uint32_t reserved;
    uint64_t offset; /* bytes from the start of the file, a multiple of F4P_PAGE */
    uint64_t bytes;
};

#define F4P_MAX_SECTIONS 24u

/* At offset 0. Written once when the file is made, rewritten only after the job's end (SYMBOLS, trimming). */
struct f4p_header {
    char magic[8];
    uint16_t version_major;
    uint16_t version_minor;
    uint32_t header_bytes; /* sizeof(struct f4p_header) of the writer */
    uint64_t incompatible;
    uint64_t compatible;
    uint64_t file_bytes;
    uint64_t start_realtime_ns;  /* Unix time at t = 0 */
    uint64_t start_monotonic_ns; /* CLOCK_MONOTONIC at t = 0 */
    uint64_t base_interval;      /* bytes, >= 1; 1 is the exact mode: every allocation is a sample, weight = size */
    uint8_t job_id[16];          /* the same in all traces of one job */
    uint8_t trace_id[16];
    uint32_t flags; /* enum f4p_header_flags */
    uint32_t section_count;
    struct f4p_section sections[F4P_MAX_SECTIONS];
    uint64_t reserved[42];
    uint64_t check;
};

enum f4p_header_flags {
    F4P_HEADER_AUTO_INTERVAL = 1 << 0, /* the interval adapts */
    F4P_HEADER_LAUNCHER = 1 << 1,      /* made by fil4prod-record, which also writes the LAUNCH sections */
};

/* ---- sums --------------------------------------------------------------------------------------------------- */

/* What a set of samples stands for. With S a sample's size, R its interval, p = 1 - exp(-S/R) (p = 1 in exact mode)
 * and w = S/p: bytes = sum of w, blocks = sum of 1/p, variance = sum of w^2 (1 - p). format/weight.h has the rounding.
 */
struct f4p_sums {
    uint64_t bytes;    /* Q8 */
    uint64_t variance; /* 256 bytes^2 */
    uint64_t blocks;   /* Q8 */
    uint64_t samples;
};

/* ---- recorder state ------------------------------------------------------------------------------------------ */

enum f4p_status {
    F4P_STATUS_EMPTY = 0,     /* no process has attached */
    F4P_STATUS_RECORDING = 1, /* also what a killed process leaves */
    F4P_STATUS_PASSIVE = 2,   /* recording stopped by itself; passive_reason says why */
    F4P_STATUS_EXITED = 3,    /* the process ran its exit handlers */
    F4P_STATUS_EXECED = 4     /* the image was replaced by exec and another one took the file over */
};

/* X(NAME, number, text) */
#define F4P_PASSIVE_REASONS(X)                               \
    X(NONE, 0, "recording")                                  \
    X(LOCK, 1, "a thread kept the recorder's lock too long") \
    X(FAULT, 2, "an inner check failed")                     \
    X(FILE, 3, "the trace file could not be made")           \
    X(TRUNCATED, 4, "somebody truncated the trace file")     \
    X(SANDBOX, 5, "the job restricts its own system calls (seccomp)")

enum f4p_passive_reason {
#define X(name, number, text) F4P_PASSIVE_##name = number,
    F4P_PASSIVE_REASONS(X)
#undef X
};

/* Everything that did not fit or was not seen. X(name, text) */
#define F4P_LOSSES(X)                                               \
    X(busy, "samples dropped: recorder busy or interrupted")        \
    X(live_full, "samples dropped: live table full")                \
    X(sites_full, "samples without a stack: site table full")       \
    X(nodes_full, "stacks cut short: node table full")              \
    X(records_full, "records dropped: record area full")            \
    X(depth, "stacks deeper than the limit")                        \
    X(missed_free, "frees missed: an address was handed out twice") \
    X(keyframe, "key frames too large to keep")                     \
    X(python, "Python stacks that failed a check")                  \
    X(native, "native stacks that ended early")                     \
    X(failed, "failed allocations beyond those listed")

enum f4p_loss {
#define X(name, text) F4P_LOSS_##name,
    F4P_LOSSES(X)
#undef X
        F4P_LOSS_COUNT
};
#define F4P_LOSS_SLOTS 20u

/* Peak: the highest estimate of the live bytes, taken after each op that adds a sample. Thinning moves the bar by as
 * much as it moves the estimate, so that it cannot fake a peak. */
struct f4p_peak {
    struct f4p_sums sums;
    uint64_t t_ns;
    uint64_t seq;
    uint64_t site_hash; /* state.site_hash at that op */
    uint64_t bar;       /* Q8: live bytes above this make a new peak */
};

/* The committed state after op `seq`. Two copies alternate, state[commit & 1]; a reader takes the valid one with the
 * higher commit. Sealing and the like commit without being an op. One copy fills one disk sector. */
struct f4p_state {
    uint64_t commit;
    uint64_t seq;
    uint64_t t_ns; /* of the last op: the heartbeat */
    uint32_t status;
    uint32_t passive_reason;
    uint32_t pid;
    uint32_t shift; /* current interval = base_interval << shift */
    struct f4p_sums live;
    uint64_t live_hash; /* sum over live entries of XXH64(entry's first 28 bytes, seed = 0), modulo 2^64 */
    uint64_t site_hash; /* sum over sites of XXH64(site.now, seed = site index), over sites with now.samples > 0 */
    struct f4p_peak peak;
    uint32_t peak_epoch;
    uint32_t live_high; /* LIVE entries at or above this index were never used */
    uint32_t nodes;     /* valid nodes: index 0 .. nodes-1 */
    uint32_t sites;     /* valid sites */
    uint64_t records;   /* bytes of RECORDS in use */
    /* history */
    uint64_t history_pos; /* bytes ever appended to HISTORY, padding included */
    uint64_t next_block;  /* number of the next block of any ring */
    uint32_t open_bytes;  /* deltas in OPEN */
    uint32_t open_events;
    uint64_t open_seq;       /* op of the first delta in OPEN */
    uint64_t open_t_ns;      /* time the first delta's dt counts from */
    uint32_t keyframe;       /* number of the key frame being written or written last; 0: none yet */
    uint32_t thin_floor;     /* samples with a lower shift are being thinned to this one */
    uint32_t timeline_half;  /* which of the two arrays is valid */
    uint32_t timeline_shift; /* a bucket spans 1 << timeline_shift ns */
    /* totals since the start */
    uint64_t allocated_bytes;      /* Q8, estimated */
    uint64_t allocated_blocks;     /* Q8, estimated */
    uint64_t sampled;              /* samples taken */
    uint64_t freed;                /* sampled blocks freed */
    uint64_t thinned;              /* samples removed by thinning */
    uint64_t inherited_bytes;      /* Q8: estimated live heap of the parent at the fork that made this process */
    uint64_t slow_ns;              /* time spent taking samples */
    uint64_t lost[F4P_LOSS_SLOTS]; /* by enum f4p_loss */
    uint64_t arena_bytes;          /* bytes of pymalloc arenas mapped now, as far as seen */
    uint64_t open_check; /* 0 for an empty OPEN; each delta makes it XXH64(the delta's bytes, seed = itself) */
    uint64_t reserved[5];
    uint64_t check;
};

/* What op seq+1 is about to change, and what stood there before. If its seq is one above the state's and its check is
 * right, that op was in flight: put the old contents back and the file is exactly the state after op seq. */
enum f4p_op { F4P_OP_ALLOC = 1, F4P_OP_FREE = 2, F4P_OP_REALLOC = 3, F4P_OP_THIN = 4 };

struct f4p_live {
    uint64_t address;
    uint64_t size; /* bytes asked for */
    uint32_t site;
    uint32_t t;    /* time of allocation in units of 2^20 ns, saturating */
    uint8_t shift; /* its interval = base_interval << shift */
    uint8_t kind;  /* enum f4p_block_kind; 0: entry unused, all bytes zero */
    uint16_t reserved;
    uint32_t check;
};

enum f4p_block_kind {
    F4P_KIND_MALLOC = 1,
    F4P_KIND_PYTHON = 2, /* object of CPython's own allocator */
    F4P_KIND_MMAP = 3,
    F4P_KIND_MAX = 15
};

/* `now` sums its live samples. `peak` are the sums at the peak if `epoch` equals state.peak_epoch; otherwise the site
 * has not changed since the peak and `now` are. */
struct f4p_site {
    uint32_t stack;  /* node of the innermost frame; F4P_NONE: no stack */
    uint32_t thread; /* id of an F4P_RECORD_THREAD; F4P_NONE: not told apart */
    uint32_t epoch;
    uint32_t reserved0;
    struct f4p_sums now;
    struct f4p_sums peak;
    uint64_t allocated_bytes;  /* Q8, since the start */
    uint64_t allocated_blocks; /* Q8 */
    uint64_t last_t_ns;        /* of its last sampled allocation */
    uint64_t reserved;
    uint64_t reserved2;
    uint64_t check; /* over the 120 bytes before it, seed = site index */
};

struct f4p_intent {
    uint64_t seq;
    uint64_t t_ns;
    uint32_t op; /* enum f4p_op */
    uint32_t live_count;
    uint32_t site_count;
    uint32_t thread;
    uint64_t address; /* the block concerned */
    uint64_t size;
    uint32_t live_index[2];
    uint32_t site_index[2];
    struct f4p_live live[2]; /* old contents */
    struct f4p_site site[2];
    uint64_t reserved[15];
    uint64_t check;
};

/* A request that a thread has made and that has not returned yet. Claimed by storing tid, then filled, then check. A
 * slot whose tid is 0 is free; one whose check is wrong was being filled. */
enum f4p_request_kind {
    F4P_REQUEST_ALLOC = 1,  /* a large allocation */
    F4P_REQUEST_REALLOC = 2 /* live entry `live` stays listed until the call succeeds */
};

struct f4p_request {
    uint32_t tid;
    uint32_t kind;
    uint64_t size;     /* asked for */
    uint64_t old_size; /* realloc only */
    uint64_t t_ns;
    uint32_t site;
    uint32_t live; /* realloc: index of the old block's entry; else F4P_NONE */
    uint64_t address;
    uint64_t reserved;
    uint64_t check; /* over the 56 bytes before it */
};
#define F4P_REQUESTS 64u

/* Memory facts of one moment. `valid` has bit i set where field i (in the list's order) is known. X(name, what) */
#define F4P_VITALS(X)                                                                       \
    X(rss, "bytes resident")                                                                \
    X(rss_anon, "bytes resident, anonymous")                                                \
    X(rss_file, "bytes resident, file mappings")                                            \
    X(rss_shmem, "bytes resident, shared memory")                                           \
    X(swap, "bytes swapped out")                                                            \
    X(rss_peak, "high-water mark of rss")                                                   \
    X(vm_size, "bytes of address space")                                                    \
    X(cgroup_usage, "bytes charged to the cgroup")                                          \
    X(cgroup_limit, "limit of the cgroup or of its tightest ancestor, bytes")               \
    X(cgroup_peak, "high-water mark of the cgroup's usage, bytes")                          \
    X(cgroup_anon, "anonymous bytes charged to the cgroup")                                 \
    X(cgroup_file, "page cache charged to the cgroup, bytes")                               \
    X(cgroup_failcnt, "times the limit was hit (v1 failcnt, v2 memory.events max)")         \
    X(cgroup_oom, "v2 memory.events oom; v1: under_oom")                                    \
    X(cgroup_oom_kill, "processes of the cgroup killed by the OOM killer")                  \
    X(psi_some_us, "memory pressure, some, total microseconds")                             \
    X(psi_full_us, "memory pressure, full, total microseconds")                             \
    X(mem_total, "bytes of memory of the machine")                                          \
    X(mem_available, "bytes available on the machine")                                      \
    X(oom_score, "the kernel's oom_score")                                                  \
    X(oom_score_adj, "oom_score_adj, two's complement")                                     \
    X(tree_rss, "bytes resident, the process and its descendants")                          \
    X(threads, "threads of the process")                                                    \
    X(system_oom_kill, "oom_kill of /proc/vmstat")                                          \
    X(ancestor_oom_kill, "oom_kill of the ancestor cgroup whose limit is the tightest")     \
    X(cgroup_own_limit, "limit of the cgroup itself, bytes")                                \
    X(ancestor_limit, "limit of that ancestor, bytes")                                      \
    X(ancestor_usage, "bytes charged to that ancestor")                                     \
    X(ancestor_anon, "anonymous bytes charged to that ancestor")                            \
    X(ancestor_oom, "v2 memory.events oom of that ancestor")                                \
    X(cgroup_high, "memory.high of the cgroup (v2), bytes")                                 \
    X(cgroup_high_events, "times memory.high was exceeded (v2)")                            \
    X(oom_group, "1: memory.oom.group of the cgroup or that ancestor is set (v2)")          \
    X(survived_oom_kill, "cgroup_oom_kill at a time after which the process lived on")      \
    X(oom_kill_ns, "when cgroup_oom_kill was last seen to have risen")                      \
    X(other_rss, "bytes resident, the largest process of the cgroup that is no descendant") \
    X(other_pid, "its process id")

enum f4p_vital {
#define X(name, what) F4P_VITAL_##name,
    F4P_VITALS(X)
#undef X
        F4P_VITAL_COUNT
};
#define F4P_VITAL_SLOTS 44u

struct f4p_vitals {
    uint64_t seq; /* two copies alternate: the valid one with the higher seq counts; 0: never written */
    uint64_t t_ns;
    uint64_t valid;
    uint64_t value[F4P_VITAL_SLOTS];
    uint64_t reserved[16];
    uint64_t check;
};

/* The process's own last word: with which status it ends. All zero, or with a wrong check: none was said. */
enum f4p_ending_how {
    F4P_ENDING_HANDLERS = 1, /* exit(3), or a return from main: its handlers have run */
    F4P_ENDING_AT_ONCE = 2   /* _exit(2), _Exit(3), quick_exit(3) */
};

struct f4p_ending {
    uint64_t t_ns;
    uint32_t how;    /* enum f4p_ending_how */
    uint32_t status; /* as its parent will see it: 0 to 255 */
    uint64_t reserved[5];
    uint64_t check;
};

/* A request that failed. */
struct f4p_failure {
    uint64_t size;
    uint64_t t_ns;
    uint32_t site;
    uint32_t error; /* errno */
};

struct f4p_last_failure {
    struct f4p_failure failure;
    uint64_t reserved[4];
    uint64_t check;
};

/* Section CONTROL. */
struct f4p_control {
    struct f4p_state state[2];
    struct f4p_intent intent;
    struct f4p_vitals first;   /* when recording began */
    struct f4p_vitals last[2]; /* most recent */
    struct f4p_request requests[F4P_REQUESTS];
    struct f4p_ending ending;
    struct f4p_last_failure failed[2]; /* the later valid one counts; see F4P_MAX_FAILURES */
};

/* ---- residency ------------------------------------------------------------------------------------------------- */

/* What the process's resident memory consists of, as found by one look. heap - untouched = heap_resident, where
 * untouched is what is neither resident nor swapped out. Classes of mappings: those of allocators (the program break,
 * the C library's arenas, any mapping a live sample lies in), other anonymous ones, stacks, files, shared memory, the
 * recorder's own. X(name, what) */
#define F4P_LEDGER(X)                                                                             \
    X(rss, "bytes resident as the kernel counts them, at the look's end")                         \
    X(heap, "bytes of live blocks, estimated")                                                    \
    X(heap_variance, "of heap, in units of 256 bytes squared")                                    \
    X(heap_resident, "of heap, resident, estimated")                                              \
    X(heap_swapped, "of heap, swapped out, estimated")                                            \
    X(allocators, "bytes resident in mappings of allocators; heap_resident is in them")           \
    X(anonymous, "bytes resident in other anonymous mappings")                                    \
    X(stacks, "bytes resident in stacks")                                                         \
    X(files, "bytes resident in mappings of files, and their private copies")                     \
    X(shared, "bytes resident in shared anonymous memory, memfd and tmpfs")                       \
    X(recorder, "bytes resident of the recorder: the trace, its index, its library")              \
    X(object_arenas, "bytes of pymalloc's arenas, mapped; as far as resident, in anonymous")      \
    X(probed, "bytes of mappings too large to look at each page, of which a part stands for all") \
    X(skipped, "bytes of mappings not looked at: reserved without access, or of a device")        \
    X(mappings, "how many there were")                                                            \
    X(cost_ns, "time the look took")

enum f4p_ledger_term {
#define X(name, what) F4P_LEDGER_##name,
    F4P_LEDGER(X)
#undef X
        F4P_LEDGER_COUNT
};
#define F4P_LEDGER_SLOTS 24u

struct f4p_ledger {
    uint64_t seq;     /* number of the look; two copies alternate: the valid one with the higher seq counts; 0: never */
    uint64_t t_ns;    /* when the look ended */
    uint64_t from_ns; /* when it began: a look may be spread over some time */
    uint64_t valid;   /* bit i: value i (in the list's order) is known */
    uint64_t value[F4P_LEDGER_SLOTS];
    uint64_t reserved[3];
    uint64_t check;
};

/* What is resident of a LIVE entry's block, and what is swapped out, in 1/65535. The mark of LIVE entry i is mark i. A
 * mark whose check is wrong is of another block, or none was made yet. */
struct f4p_mark {
    uint16_t resident;
    uint16_t swapped;
    uint32_t check; /* low half of XXH64(resident, swapped, the entry's check; 8 bytes; seed = index) */
};

/* What was resident of the live samples of a site at the look `peak`, in 1/65535 of their bytes. */
struct f4p_site_mark {
    uint16_t resident;
    uint16_t look;  /* low half of that ledger's seq */
    uint32_t check; /* low half of XXH64(the 4 bytes before it, seed = site index) */
};

struct f4p_range {
    uint64_t address;
    uint64_t bytes;
};

/* Section RESIDENT begins with this. A mark for each place of LIVE follows, then twice a site mark for each place of
 * SITES: those of the ledger in peak[i] are the i-th. */
struct f4p_resident {
    struct f4p_ledger last[2];    /* of the most recent look */
    struct f4p_ledger peak[2];    /* of the look that found the largest rss */
    struct f4p_range recorder[4]; /* where the recorder's own memory stands in the process; address 0: unused */
    uint64_t ranges_check;        /* over `recorder` */
    uint64_t reserved[375];
};

/* ---- launcher ------------------------------------------------------------------------------------------------- */

enum f4p_launch_status { F4P_LAUNCH_RUNNING = 1, F4P_LAUNCH_ENDED = 2 };

struct f4p_launch_state {
    uint64_t seq; /* two copies alternate */
    uint64_t t_ns;
    uint32_t status;
    uint32_t pid;        /* of the command */
    int32_t wait_status; /* as waitpid(2) gave it; valid when ended */
    uint32_t exec_errno; /* not 0: the command could not be run */
    uint64_t end_t_ns;   /* valid when ended */
    uint64_t user_us;    /* rusage of the command and its waited-for children */
    uint64_t system_us;
    uint64_t max_rss; /* bytes */
    uint64_t records; /* bytes of LAUNCH_RECORDS in use */
    uint32_t timeline_half;
    uint32_t timeline_shift;
    uint64_t period_ns; /* of its own sampling */
    uint64_t samples;
    uint64_t reserved[19];
    uint64_t check;
};

/* Section LAUNCH. */
struct f4p_launch {
    struct f4p_launch_state state[2];
    struct f4p_vitals first;   /* before the command started */
    struct f4p_vitals last[2]; /* while it ran */
    struct f4p_vitals end;     /* after it ended */
};

/* ---- timeline ---------------------------------------------------------------------------------------------------- */

/* Bucket i covers [i << shift, (i + 1) << shift). A bucket in which nothing was recorded is zero. Full arrays are
 * folded two buckets into one, into the other array, shift + 1, which then becomes the valid one. */
struct f4p_bucket {
    uint64_t heap_max;   /* bytes + 1, estimated; 0: nothing recorded */
    uint64_t heap_last;  /* bytes + 1, after the bucket's last op */
    uint64_t rss_max;    /* bytes, 0: unknown; the launcher's: of the tree */
    uint64_t cgroup_max; /* bytes charged, 0: unknown */
};
#define F4P_BUCKETS 1024u
#define F4P_TIMELINE_SHIFT 20u /* first resolution: 1.05 ms */

/* ---- records ------------------------------------------------------------------------------------------------- */

/* Append-only, 8-byte aligned, ids dense from 0 per type. `bytes` counts the payload without padding. */
struct f4p_record {
    uint16_t type;
    uint16_t flags; /* per type */
    uint32_t bytes;
    uint32_t id;
    uint32_t check; /* low 32 bits of XXH64 over this header with check = 0, then the payload: XXH64(payload, seed =
                       XXH64(first 12 bytes of the header, seed 0)) */
};

/* X(NAME, number, what) */
#define F4P_RECORDS(X)                                                                               \
    X(FACT, 1, "a fact about the process; id = enum f4p_fact; flags = enum f4p_fact_kind")           \
    X(STRING, 2, "text; flags = bytes per unit: 1 Latin-1, 2 UCS-2, 4 UCS-4, 8 UTF-8")               \
    X(CODE, 3, "a Python code object: struct f4p_code, then its line table")                         \
    X(THREAD, 4, "a thread: struct f4p_thread, then its name")                                       \
    X(MODULE, 5, "a native module: struct f4p_module, then build-id, then path")                     \
    X(FAILURE, 6, "a request that failed: struct f4p_failure")                                       \
    X(SOURCE, 7, "lines of source text: struct f4p_source, then text")                               \
    X(SYMBOL, 8, "what a native address stands for: struct f4p_symbol, then names")                  \
    X(PROCESS, 9, "a process of the job seen by the launcher: struct f4p_process, then its command") \
    X(LOG, 10, "a line of the kernel log or of the recorder; text, UTF-8")                           \
    X(NOTE, 11, "a warning for the report; text, UTF-8")

enum f4p_record_type {
#define X(name, number, what) F4P_RECORD_##name = number,
    F4P_RECORDS(X)
#undef X
};

enum f4p_fact_kind { F4P_FACT_U64 = 1, F4P_FACT_TEXT = 2, F4P_FACT_LIST = 3 /* NUL-terminated strings */ };

/* X(NAME, number, key, kind). The last record of an id counts. */
#define F4P_FACTS(X)                              \
    X(COMMAND, 1, "command", LIST)                \
    X(EXE, 2, "exe", TEXT)                        \
    X(CWD, 3, "cwd", TEXT)                        \
    X(PID, 4, "pid", U64)                         \
    X(PPID, 5, "ppid", U64)                       \
    X(HOST, 6, "host", TEXT)                      \
    X(UID, 7, "uid", U64)                         \
    X(PYTHON, 8, "python", TEXT)                  \
    X(PYTHON_STATUS, 9, "python_status", TEXT)    \
    X(KERNEL, 10, "kernel", TEXT)                 \
    X(LIBC, 11, "libc", TEXT)                     \
    X(ALLOCATOR, 12, "allocator", TEXT)           \
    X(CGROUP, 13, "cgroup", TEXT)                 \
    X(CGROUP_VERSION, 14, "cgroup_version", U64)  \
    X(RECORDER, 15, "recorder", TEXT)             \
    X(CPUS, 16, "cpus", U64)                      \
    X(PAGE, 17, "page_bytes", U64)                \
    X(FILE_SYSTEM, 18, "file_system", TEXT)       \
    X(FORKED_FROM, 19, "forked_from", U64)        \
    X(PROCESS_START, 20, "process_start_ns", U64) \
    X(NATIVE_MODE, 21, "native", TEXT)            \
    X(PYTHON_PREFIX, 22, "python_prefix", LIST)   \
    X(OTHER, 23, "other_process", TEXT)

enum f4p_fact {
#define X(name, number, key, kind) F4P_FACT_ID_##name = number,
    F4P_FACTS(X)
#undef X
};

/* Line table encodings by CPython release. */
enum f4p_lines { F4P_LINES_NONE = 0, F4P_LINES_LNOTAB = 1 /* 3.8, 3.9 */, F4P_LINES_310 = 2, F4P_LINES_311 = 3 };

struct f4p_code {
    uint32_t name; /* ids of STRING records; F4P_NONE: unknown */
    uint32_t qualname;
    uint32_t file;
    uint32_t first_line;
    uint32_t lines;       /* enum f4p_lines */
    uint32_t table_bytes; /* the line table follows; 0 with lines != NONE: it was too large or unreadable */
};

struct f4p_thread {
    uint32_t tid;
    uint32_t flags; /* 1: the process's first thread; 2: stands for all threads beyond the limit */
    uint64_t t_ns;  /* first seen */
};
enum f4p_thread_flags { F4P_THREAD_MAIN = 1, F4P_THREAD_OVERFLOW = 2 };

struct f4p_module {
    uint64_t start; /* mapped addresses [start, end) */
    uint64_t end;
    uint64_t bias; /* address in memory - address in the ELF file */
    uint64_t t_ns;
    uint32_t build_id_bytes;
    uint32_t path_bytes;
};

#define F4P_MAX_FAILURES 64u /* records; of later ones the last stands in CONTROL, the others are counted as lost */

struct f4p_source {
    uint32_t file; /* STRING id */
    uint32_t first_line;
};

struct f4p_symbol {
    uint32_t module;
    uint32_t depth;  /* 0: the function itself, 1: the function it is inlined into, ... */
    uint64_t offset; /* as in struct f4p_node */
    uint32_t line;
    uint32_t function_bytes; /* name, then file, follow */
    uint32_t file_bytes;
    uint32_t reserved;
};

struct f4p_process {
    uint32_t pid;
    uint32_t ppid;
    uint64_t t_ns;
    uint64_t max_rss;
    int32_t wait_status; /* -1: not known */
    uint32_t flags;
};

/* ---- stacks -------------------------------------------------------------------------------------------------- */

/* `object` says what the frame is in. */
#define F4P_NODE_NATIVE                                                                                               \
    0x80000000u                      /* + id of a MODULE record; offset = address - module.bias, where address is the \
                                        last byte of the call instruction (return address - 1), or, in code that a    \
                                        signal interrupted, the instruction that was next */
#define F4P_NODE_SPECIAL 0xffff0000u /* + enum f4p_special; offset free */
/* below F4P_NODE_NATIVE: id of a CODE record; offset = byte offset of the current instruction, F4P_NONE: not known */

/* X(NAME, number, text) */
#define F4P_SPECIALS(X)                             \
    X(TRUNCATED, 1, "[truncated]")                  \
    X(OVERFLOW, 2, "[no room for this stack]")      \
    X(UNKNOWN_CODE, 3, "[unknown Python function]") \
    X(UNKNOWN_NATIVE, 4, "[unknown code]")          \
    X(RUNTIME, 5, "[Python runtime]")               \
    X(ARENA, 6, "[Python object arena]")

enum f4p_special {
#define X(name, number, text) F4P_SPECIAL_##name = number,
    F4P_SPECIALS(X)
#undef X
};

struct f4p_node {
    uint32_t parent; /* the caller's node, always a lower index; F4P_NONE: outermost */
    uint32_t object;
    uint32_t offset;
    uint32_t check; /* low 32 bits of XXH64 over the 12 bytes before it, seed = node index */
};

/* ---- history ------------------------------------------------------------------------------------------------- */

/*
 * A delta is: one byte, kind of event in the low and enum f4p_block_kind in the high four bits; then LEB128 varints:
 * dt (ns since the previous delta, the block's first: since block.t_first), site, size; then one byte, shift; THIN_KEEP
 * has a second byte, the new shift. Every delta is one op, except that a REALLOC op is a FREE followed by an ALLOC with
 * F4P_DELTA_SAME_OP set in its kind of event.
 */
enum f4p_delta {
    F4P_DELTA_ALLOC = 1,
    F4P_DELTA_FREE = 2,
    F4P_DELTA_THIN_KEEP = 3,
    F4P_DELTA_THIN_DROP = 4,
    F4P_DELTA_SAME_OP = 8 /* flag */
};
#define F4P_DELTA_MAX_BYTES 40u

#define F4P_BLOCK_MAGIC 0x4b4c4246u /* "FBLK" */
enum f4p_block_type { F4P_BLOCK_DELTAS = 1, F4P_BLOCK_KEYFRAME = 2 };
enum f4p_block_flags { F4P_BLOCK_LAST = 1 /* last part of a key frame */, F4P_BLOCK_STORED = 2 /* not compressed */ };

/* Header of a block; the payload follows, an LZ4 block. Blocks start at multiples of F4P_LINE and never wrap; find them
 * by looking at every such place. One that was partly overwritten fails a check. */
struct f4p_block {
    uint32_t magic;
    uint16_t type;
    uint16_t flags;
    uint64_t number;   /* state.next_block when it was written; order of writing */
    uint64_t seq;      /* DELTAS: op of the first delta (after it); KEYFRAME: op whose result it holds */
    uint64_t t_first;  /* see the delta's dt; KEYFRAME: its time */
    uint64_t t_last;   /* time of the last delta */
    uint32_t events;   /* DELTAS: how many; KEYFRAME: entries in this part */
    uint32_t keyframe; /* KEYFRAME: its number */
    uint32_t part;     /* KEYFRAME: 0, 1, ... */
    uint32_t level;    /* ring it stands in: 0 HISTORY, 1 + i: ring i of KEYFRAMES */
    uint32_t raw_bytes;
    uint32_t stored_bytes;
    uint64_t payload_check; /* over the stored payload */
    uint64_t reserved[6];
    uint64_t check;
};

/*
 * Key-frame payload: entries of five varints: site, samples, bytes (Q8), variance, blocks (Q8). Entries come in any
 * order; all parts together hold each site with live samples once. The last part ends with struct f4p_keyframe_end
 * (not counted in `events`).
 */
struct f4p_keyframe_end {
    struct f4p_sums sums;
    uint64_t site_hash; /* as in struct f4p_state, at that op */
};

#define F4P_LEVELS 8u /* a key frame whose number is divisible by 4^i, not by 4^(i+1), stands in ring min(i, 7) too */
#define F4P_OPEN_BYTES 32768u /* raw size of a block of deltas, or of a part of a key frame */

#define F4P_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
F4P_ASSERT_SIZE(struct f4p_section, 24);
F4P_ASSERT_SIZE(struct f4p_header, 1024);
F4P_ASSERT_SIZE(struct f4p_sums, 32);
F4P_ASSERT_SIZE(struct f4p_state, 512);
F4P_ASSERT_SIZE(struct f4p_live, 32);
F4P_ASSERT_SIZE(struct f4p_site, 128);
F4P_ASSERT_SIZE(struct f4p_intent, 512);
F4P_ASSERT_SIZE(struct f4p_request, 64);
F4P_ASSERT_SIZE(struct f4p_ending, 64);
F4P_ASSERT_SIZE(struct f4p_last_failure, 64);
F4P_ASSERT_SIZE(struct f4p_control, 7360);
F4P_ASSERT_SIZE(struct f4p_vitals, 512);
F4P_ASSERT_SIZE(struct f4p_launch_state, 256);
F4P_ASSERT_SIZE(struct f4p_ledger, 256);
F4P_ASSERT_SIZE(struct f4p_mark, 8);
F4P_ASSERT_SIZE(struct f4p_site_mark, 8);
F4P_ASSERT_SIZE(struct f4p_range, 16);
F4P_ASSERT_SIZE(struct f4p_resident, 4096);
F4P_ASSERT_SIZE(struct f4p_bucket, 32);
F4P_ASSERT_SIZE(struct f4p_record, 16);
F4P_ASSERT_SIZE(struct f4p_node, 16);
F4P_ASSERT_SIZE(struct f4p_block, 128);

#endif
