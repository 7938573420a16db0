/*
 * The model: one or more traces as one queryable whole. It prints nothing; text, JSON and the TUI are faces on it.
 *
 * Vocabulary
 *   process  one trace; several are the processes of a job, shown side by side. Times are ns of the job: since the
 * start of its first process. frame    function, file and line, distinct by these: instructions of one line are one
 * frame. stack    a path of frames, root first: a node of a tree, known by its innermost frame. entry    a stack in a
 * thread of a process: what bytes are booked to. heap     the sums of every entry at one instant. your line  the frame
 * of a stack that the user wrote (see origin.h): the innermost Python frame outside standard library and packages;
 * else, in Python code without one, the innermost frame of a package, else of Python; in programs without Python the
 * innermost frame in the executable, else the innermost frame. via      the first library below your line on the way to
 * the allocation; "" if your line allocates itself.
 */
#ifndef FIL4PROD_MODEL_H
#define FIL4PROD_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/reader.h"
#include "intern.h"
#include "origin.h"

enum f4p_language { F4P_LANGUAGE_PYTHON = 1, F4P_LANGUAGE_NATIVE = 2, F4P_LANGUAGE_NONE = 3 /* a placeholder */ };

struct f4p_frame {
    uint32_t function, file, library; /* ids of model->strings */
    uint32_t line;                    /* 0: unknown */
    uint64_t offset;                  /* native without a symbol: address in the ELF file `file`, + 1; else 0 */
    uint32_t scope;    /* string id: `function`, for a comprehension or generator expression the function around it */
    uint16_t language; /* enum f4p_language */
    uint16_t origin;   /* enum f4p_origin */
    uint32_t build_id; /* string id: where `offset` is not 0, of the file, in hexadecimal */
    uint32_t zero;     /* frames are compared byte by byte */
};

struct f4p_stack {
    uint32_t parent; /* a lower id; F4P_NONE: outermost */
    uint32_t frame;
    uint32_t user; /* frame id of your line; F4P_NONE: a stack without Python frame in a Python program */
    uint32_t via;  /* string id */
};

struct f4p_entry {
    uint32_t stack;
    uint32_t process;
    uint32_t thread; /* of trace->threads; F4P_NONE: not told apart */
};

struct f4p_model_process {
    const struct f4p_trace *trace;
    uint32_t pid;
    bool base;          /* of the run compared with, not of the job */
    bool python;        /* a Python interpreter */
    uint64_t start_ns;  /* of the job, when it began */
    uint64_t end_ns;    /* of the job, when last heard of */
    bool gone;          /* had exited before the job's end: its heap at the end is 0 */
    uint32_t *entry_of; /* by site id; F4P_NONE: outside the view */
};

/* Which stacks are shown; NULL and 0 match everything. Names are pprof's; all are POSIX extended regular expressions
 * matched against a frame's function, file and library. */
struct f4p_filter {
    const char *focus;     /* keep stacks with a matching frame */
    const char *ignore;    /* drop stacks with a matching frame */
    const char *hide;      /* take matching frames out of stacks */
    const char *show_from; /* take the frames outside the outermost match out; drop stacks without one */
    bool internals;        /* show the interpreter's own frames, and the C library's, between Python's */
    const char *thread;    /* keep threads whose name matches, or whose id it is */
    uint32_t pid;
};

struct f4p_model {
    struct f4p_model_process *processes;
    size_t process_count;
    struct f4p_strings strings; /* id 0 is "" */
    struct f4p_keys frames;     /* struct f4p_frame */
    struct f4p_keys stacks;     /* struct f4p_stack */
    struct f4p_keys entries;    /* struct f4p_entry */
    bool python;                /* some process runs Python */
    bool filtered;
    uint64_t end_ns; /* of the job */
    uint64_t start_realtime_ns;
};

/* The heap at an instant. Zero-initialised is empty. */
struct f4p_heap {
    uint64_t t_ns;         /* of the job */
    bool exact;            /* of this very moment; else the nearest that was kept */
    bool sound;            /* no damage touches it */
    struct f4p_sums total; /* of the entries in view */
    struct f4p_sums whole; /* of all */
    struct f4p_sums *sums; /* by entry id */
    uint64_t rss;          /* bytes; 0: not known */
    uint64_t *resident;    /* by entry id: Q8 of its bytes, resident when last looked at; NULL: not known */
    uint64_t resident_total, resident_whole; /* of `total`, of `whole` */
};

/**
 * Builds the model of `traces`, which must outlive it; those from index `base_from` on belong to the run compared
 * with. `filter` may be NULL. 0, or -1 with `error` saying what is wrong with a filter or that memory ran out.
 */
int f4p_model_build(struct f4p_trace *const *traces, size_t count, size_t base_from, const struct f4p_filter *filter,
                    struct f4p_model **out, char *error, size_t error_bytes);
void f4p_model_free(struct f4p_model *model);

const struct f4p_frame *f4p_model_frame(const struct f4p_model *model, uint32_t id);
const struct f4p_stack *f4p_model_stack(const struct f4p_model *model, uint32_t id);
const struct f4p_entry *f4p_model_entry(const struct f4p_model *model, uint32_t id);
const char *f4p_model_string(const struct f4p_model *model, uint32_t id);
/** Name of an entry's thread: MainThread for the first of a Python process; "" if threads are not told apart. */
const char *f4p_model_thread(const struct f4p_model *model, const struct f4p_entry *entry);

/** The heap of the job (base: of the run compared with) at its end, at its peak, and at any time; 0, or -1: no memory
 * or nothing known. f4p_heap_free() what you got. */
int f4p_heap_end(const struct f4p_model *model, bool base, struct f4p_heap *heap);
int f4p_heap_peak(const struct f4p_model *model, bool base, struct f4p_heap *heap);
int f4p_heap_at(const struct f4p_model *model, bool base, uint64_t t_ns, struct f4p_heap *heap);
void f4p_heap_free(struct f4p_heap *heap);

/** The job's timeline: sums over its processes, ascending; free() it. NULL with *count = 0 where nothing is known. */
struct f4p_point *f4p_model_timeline(const struct f4p_model *model, bool base, size_t *count);

/* ---- how sure ---- */

/* 95 % limits of an estimate, bytes. */
struct f4p_error_bars {
    double low, high;
    double half; /* half the width of the interval: 1.96 sigma, or the longer arm where there are few samples */
};

/**
 * 95 % limits of `sums`. Exact sums (variance 0) have none. From 30 samples on, the normal 1.96 sigma. Below, with
 * n = variance / interval^2 as the effective number of samples that luck had a part in, and m = n * interval the bytes
 * they stand for: the Poisson limits of n, scaled: bytes + (limit(n) - n) * interval. `interval` in bytes.
 */
struct f4p_error_bars f4p_sums_error(const struct f4p_sums *sums, uint64_t interval);

/** Entry of a site of the process's trace; F4P_NONE: outside the view, or there is no such site. */
uint32_t f4p_process_entry(const struct f4p_model_process *process, uint32_t site);

/** Whether the process ended by itself, as it said. */
bool f4p_process_left(const struct f4p_model_process *process);

/** Whether the smaller of two estimates may be the larger one for all that is known: their intervals overlap. */
bool f4p_sums_tied(const struct f4p_sums *smaller, const struct f4p_sums *larger, uint64_t interval);

/** Variance of a sum in bytes^2. */
double f4p_sums_variance(const struct f4p_sums *sums);

/** The interval that samples of the model's first process stand for now, bytes; 1: exact. */
uint64_t f4p_model_interval(const struct f4p_model *model);
bool f4p_model_exact(const struct f4p_model *model);

/**
 * Whole bytes for fixed-point values so that they add up: each gets its floor, and those with the largest fractions
 * one byte more until the sum is the rounded sum. Returns that sum.
 */
uint64_t f4p_round_bytes(const uint64_t *q8, size_t count, uint64_t *bytes);

/* ---- groups ---- */

/* X(NAME, text). Each byte counts once: function, line and file are those of your line, library is the innermost. */
#define F4P_GROUPINGS(X)    \
    X(LINE, "line")         \
    X(FUNCTION, "function") \
    X(FILE, "file") X(LIBRARY, "library") X(THREAD, "thread") X(PROCESS, "process") X(STACK, "stack")

enum f4p_grouping {
#define X(name, text) F4P_BY_##name,
    F4P_GROUPINGS(X)
#undef X
        F4P_BY_COUNT
};

struct f4p_group {
    uint64_t key;
    uint32_t entry;       /* one of its entries: that with most bytes in `sums`, else the first met */
    uint32_t via;         /* string id of the library that most of its bytes come through */
    uint64_t via_bytes;   /* Q8 */
    uint64_t entry_bytes; /* Q8, of `entry` */
    struct f4p_sums sums;
    uint64_t resident;      /* Q8, if the heap's is known */
    struct f4p_sums before; /* in the other heap of a comparison */
    double change_variance; /* of the change from `before` to `sums`, bytes^2 (see diff.h) */
};

/** 95 % half-width of the change of a group, bytes. */
double f4p_group_change_error(const struct f4p_group *group);

/**
 * Groups the entries of `heap` that have samples; `before` (may be NULL) is a second heap of the same model. Ordered by
 * bytes (or blocks), largest first; with `before` by the size of the change. free() it. NULL: none, or no memory.
 */
struct f4p_group *f4p_model_group(const struct f4p_model *model, enum f4p_grouping by, const struct f4p_heap *heap,
                                  const struct f4p_heap *before, bool by_blocks, size_t *count);

/** The frame that stands for a group by line, function or file; NULL: none (no Python frame). */
const struct f4p_frame *f4p_group_frame(const struct f4p_model *model, const struct f4p_group *group);

#endif
