/*
 * Reads a trace and trusts nothing in it. The whole file is taken into private memory at open, checked, and put into
 * the state after its last complete op; from then on nothing here can fail but memory. A trace that is being written
 * is taken as a snapshot: retried until it is consistent, else `moving` says by how many ops it may be off.
 *
 * All pointers stay valid until f4p_trace_close(). Strings are UTF-8, NUL-terminated, never NULL ("" if unknown), with
 * invalid input replaced by U+FFFD; they may still contain control characters: whoever prints makes them harmless.
 */
#ifndef FIL4PROD_READER_H
#define FIL4PROD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

enum f4p_read_error {
    F4P_READ_OK = 0,
    F4P_READ_IO,          /* cannot be opened or read; errno in the text */
    F4P_READ_NOT_REGULAR, /* FIFO, device, directory */
    F4P_READ_EMPTY,       /* 0 bytes */
    F4P_READ_NOT_TRACE,   /* no fil4prod trace */
    F4P_READ_VERSION,     /* another major version or an unknown incompatible feature */
    F4P_READ_HEADER,      /* a trace whose header is damaged beyond use */
    F4P_READ_MEMORY
};

struct f4p_error {
    enum f4p_read_error code;
    char text[512]; /* one line: what, where, what to do */
};

struct f4p_code_view {
    const char *name, *qualname, *file;
    uint32_t first_line;
    uint32_t lines; /* enum f4p_lines */
    const uint8_t *table;
    uint32_t table_bytes;
};

struct f4p_thread_view {
    uint32_t tid;
    uint32_t flags; /* enum f4p_thread_flags */
    uint64_t t_ns;
    const char *name;
};

struct f4p_module_view {
    uint64_t start, end, bias, t_ns;
    const uint8_t *build_id;
    uint32_t build_id_bytes;
    const char *path;
};

struct f4p_symbol_view {
    uint32_t module, depth, line;
    uint64_t offset;
    const char *function, *file;
};

struct f4p_process_view {
    uint32_t pid, ppid;
    uint64_t t_ns, max_rss;
    int32_t wait_status;
    const char *command;
};

struct f4p_source_view {
    const char *file, *text;
    uint32_t first_line;
};

/* Counts of what was found damaged. Damage in a part makes numbers that rest on it unsound; `sound` says so. */
struct f4p_damage {
    uint64_t torn_bytes; /* bytes of sections that failed their check */
    uint64_t bad_states; /* state copies invalid beyond the one being written */
    uint64_t bad_live;   /* live entries */
    uint64_t bad_sites;
    uint64_t bad_nodes;
    uint64_t bad_records;
    uint64_t bad_blocks;    /* history blocks that failed their payload check and were not being overwritten */
    uint64_t missing_bytes; /* the file is shorter than its header says */
    bool live_sound;        /* the live set's hash equals the state's: the heap at the end is exact */
    bool peak_sound;        /* the same for the sums at the peak */
};

struct f4p_point { /* of the timeline; 0 = unknown for rss and cgroup */
    uint64_t t_ns;
    uint64_t heap; /* bytes, highest of the bucket; carried over buckets without ops */
    uint64_t rss;
    uint64_t cgroup;
};

/* One trace, checked and resolved. Read only. */
struct f4p_trace {
    const char *path;
    const struct f4p_header *header;
    struct f4p_state state; /* after the last complete op */
    struct f4p_damage damage;
    uint64_t moving; /* ops the snapshot may be off by; 0: exact */

    bool has_launch; /* LAUNCH section present and valid */
    struct f4p_launch_state launch;
    const struct f4p_vitals *first, *last;                            /* recorder's; NULL: none */
    const struct f4p_vitals *launch_first, *launch_last, *launch_end; /* launcher's; NULL: none */
    const struct f4p_ending *ending;                                  /* the process's last word; NULL: none */

    bool op_in_flight;
    struct f4p_intent intent;           /* valid if op_in_flight */
    const struct f4p_request *requests; /* calls that had not returned, valid ones only; `live` is an index of `live`
                                           below, or F4P_NONE */
    size_t request_count;
    size_t requests_torn; /* slots that were being filled */

    const struct f4p_live *live;
    size_t live_count;
    const struct f4p_site *sites; /* by site id; a damaged one has stack = thread = F4P_NONE; `now` as computed from
                                     `live`; `peak` resolved: always the sums at the peak */
    size_t site_count;
    const struct f4p_node *nodes; /* by node id; a damaged one is special UNKNOWN_CODE with parent F4P_NONE; codes and
                                     modules referred to exist, else it is special UNKNOWN_CODE or UNKNOWN_NATIVE */
    size_t node_count;

    const struct f4p_code_view *codes;
    size_t code_count;
    const struct f4p_thread_view *threads;
    size_t thread_count;
    const struct f4p_module_view *modules;
    size_t module_count;
    const struct f4p_symbol_view *symbols;
    size_t symbol_count;
    const struct f4p_failure *failures;
    size_t failure_count;
    const struct f4p_process_view *processes;
    size_t process_count;
    const struct f4p_source_view *sources;
    size_t source_count;
    const char *const *logs; /* LOG records */
    size_t log_count;
    const char *const *notes;
    size_t note_count;

    const struct f4p_ledger *ledger, *ledger_peak; /* of the last look, of the one with the largest RSS; NULL: none */
    const float *resident;         /* by live index: share that was resident when last looked at; -1: not known */
    const float *swapped;          /* the same, swapped out; 0 where not known */
    const float *resident_at_peak; /* by site id: share of its live bytes at ledger_peak; -1: not known; NULL: none */

    const struct f4p_point *timeline; /* recorder's and launcher's merged, ascending */
    size_t timeline_count;
    uint64_t timeline_step_ns;

    struct f4p_trace_private *private;
};

/** Opens and checks the regular file `path`. 0 and *out, or -1 and *error. Memory is bounded by 4 x file + 16 MiB. */
int f4p_trace_open(const char *path, struct f4p_trace **out, struct f4p_error *error);

/** The same on a buffer that is copied; for tests and fuzzing. */
int f4p_trace_open_memory(const void *data, size_t bytes, struct f4p_trace **out, struct f4p_error *error);

void f4p_trace_close(struct f4p_trace *trace);

/** Facts; the launcher's where the recorder has none. false: not in the trace. */
bool f4p_trace_fact_u64(const struct f4p_trace *trace, enum f4p_fact fact, uint64_t *value);
const char *f4p_trace_fact_text(const struct f4p_trace *trace, enum f4p_fact fact); /* "" if absent */
/** NULL-terminated list; an empty list if absent. */
const char *const *f4p_trace_fact_list(const struct f4p_trace *trace, enum f4p_fact fact);

/** Interval in bytes of a shift. */
uint64_t f4p_trace_interval(const struct f4p_trace *trace, unsigned shift);

/** true and the value where a vital is known. vitals may be NULL. */
bool f4p_vitals_get(const struct f4p_vitals *vitals, enum f4p_vital which, uint64_t *value);

/* ---- history ---- */

/* A stretch of time in which every op is known, or (from == to) a single kept moment. */
struct f4p_stretch {
    uint64_t from_ns, to_ns;
};

/** Stretches in ascending order; the last one reaches the end if the live set is sound. */
const struct f4p_stretch *f4p_trace_history(const struct f4p_trace *trace, size_t *count);

enum f4p_instant_kind {
    F4P_INSTANT_EXACT = 1 /* every op up to t */,
    F4P_INSTANT_NEAREST = 2 /* a kept moment near t */
};

struct f4p_instant {
    enum f4p_instant_kind kind;
    uint64_t t_ns; /* the moment the sums are of */
    struct f4p_sums total;
    bool sound;
};

/**
 * Sums per site at time t: `sums` has site_count elements, overwritten. From the last op on, the end. Where t is not
 * covered, the nearest kept moment at or before it, else after it. 0, or -1 if nothing at all is known (sums are
 * zeroed).
 */
int f4p_trace_heap_at(const struct f4p_trace *trace, uint64_t t_ns, struct f4p_sums *sums, struct f4p_instant *got);

/** The sums at the peak and at the end. */
void f4p_trace_heap_peak(const struct f4p_trace *trace, struct f4p_sums *sums, struct f4p_instant *got);
void f4p_trace_heap_end(const struct f4p_trace *trace, struct f4p_sums *sums, struct f4p_instant *got);

struct f4p_event {
    uint64_t t_ns;
    uint64_t seq;
    uint64_t size;
    uint32_t site;
    enum f4p_delta delta;
    uint8_t kind, shift, new_shift;
};

/** Calls `visit` for every known event in [from, to], ascending, until it returns false; site < site_count. */
void f4p_trace_events(const struct f4p_trace *trace, uint64_t from_ns, uint64_t to_ns,
                      bool (*visit)(void *context, const struct f4p_event *event), void *context);

#endif
