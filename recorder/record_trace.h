/*
 * The launcher's half of a trace: facts and log lines, its own state, memory facts and timeline. Written with pwrite,
 * not through a mapping: should somebody truncate the file, the launcher must live on, for a container ends with it.
 * Failed writes are ignored: the job matters, and a reader checks everything.
 */
#ifndef FIL4PROD_RECORD_TRACE_H
#define FIL4PROD_RECORD_TRACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "format/format.h"
#include "recorder/record_options.h"

#define F4P_LAUNCH_PAYLOAD 16384u /* longest payload of a record; what is longer is cut */

/* Private to record_trace.c but for the marked members; large: the caller keeps it in static memory. */
struct f4p_launch_trace {
    int fd;               /* public: -1: nothing is recorded, and all functions do nothing */
    char used[PATH_MAX];  /* public: name of the file as made, as the user would type it */
    char file[PATH_MAX];  /* public: the same, absolute */
    char named[PATH_MAX]; /* public: the pattern that was asked for, absolute */
    const char *redact;   /* public: as in struct f4p_config */
    bool outer_job;       /* public: the job is that of another launcher or of who called this one */
    const char *pattern, *command;
    struct f4p_header header;
    struct f4p_launch_state state; /* public but for seq, t_ns, records, timeline_*: committed by _commit */
    uint64_t vitals_seq;
    uint32_t next_id[16]; /* by record type */
    uint8_t record[sizeof(struct f4p_record) + F4P_LAUNCH_PAYLOAD + 8];
    struct f4p_bucket timeline[2][F4P_BUCKETS];
};

/** Makes the file. *warning as f4p_layout_create. 0, or -errno (f4p_layout_error has the text): then fd is -1. */
int f4p_launch_trace_create(struct f4p_launch_trace *trace, const struct f4p_launch_options *options,
                            const char **warning);

/**
 * Gives the file the name that its pattern makes of the command's process id, if that is in the pattern. `rename`: in
 * the command's process, before it is the command; without it, in the launcher, notes what happened there.
 */
void f4p_launch_trace_settle(struct f4p_launch_trace *trace, pid_t pid, bool rename);

/** Removes the file again. */
void f4p_launch_trace_remove(struct f4p_launch_trace *trace);

/** Nanoseconds since the trace's start. */
uint64_t f4p_launch_trace_now(const struct f4p_launch_trace *trace);

/** Facts; `list` is NULL-terminated. They count from the next _commit on. */
void f4p_launch_trace_fact_u64(struct f4p_launch_trace *trace, enum f4p_fact fact, uint64_t value);
void f4p_launch_trace_fact_text(struct f4p_launch_trace *trace, enum f4p_fact fact, const char *text);
void f4p_launch_trace_fact_list(struct f4p_launch_trace *trace, enum f4p_fact fact, char *const *list);

/** The command line, without secrets. */
void f4p_launch_trace_fact_command(struct f4p_launch_trace *trace, char *const *command);

/** A record that gets the next id of its type; `head` (may be NULL) is followed by `text`. */
void f4p_launch_trace_add(struct f4p_launch_trace *trace, enum f4p_record_type type, const void *head,
                          size_t head_bytes, const char *text);

/** Publishes trace->state and the records so far. */
void f4p_launch_trace_commit(struct f4p_launch_trace *trace);

enum f4p_launch_moment { F4P_LAUNCH_FIRST, F4P_LAUNCH_LAST, F4P_LAUNCH_END };

/** Publishes memory facts; seq, t_ns and check of `facts` are set here. */
void f4p_launch_trace_vitals(struct f4p_launch_trace *trace, enum f4p_launch_moment moment, struct f4p_vitals *facts);

/** Raises the timeline's bucket of time t_ns to `rss` and `cgroup` (bytes, 0: unknown). May commit. */
void f4p_launch_trace_bucket(struct f4p_launch_trace *trace, uint64_t t_ns, uint64_t rss, uint64_t cgroup);

/** Whether a process has attached to the trace. */
bool f4p_launch_trace_attached(const struct f4p_launch_trace *trace);

/** A text fact that the recorder stated when it started, cut to `room`. false: it did not. */
bool f4p_launch_trace_stated(const struct f4p_launch_trace *trace, enum f4p_fact fact, char *text, size_t room);

#endif
