/*
 * What ended the process: a kind, how sure, and the evidence. "certain" only where an exit status, a count of the
 * kernel's or its log proves it; "likely" where the facts fit; else "unknown". The rules stand in one list in
 * verdict.c.
 */
#ifndef FIL4PROD_VERDICT_H
#define FIL4PROD_VERDICT_H

#include <stdbool.h>

#include "format/reader.h"
#include "format_text.h"

/* X(NAME, name in JSON, words) */
#define F4P_DEATHS(X)                                                 \
    X(OOM_CGROUP, "oom-cgroup", "cgroup out of memory")               \
    X(OOM_SYSTEM, "oom-system", "system out of memory")               \
    X(ALLOCATION_FAILED, "allocation-failed", "an allocation failed") \
    X(KILLED, "killed", "killed by a signal")                         \
    X(CRASHED, "crashed", "crashed")                                  \
    X(EXITED, "exited", "exited")                                     \
    X(RUNNING, "running", "still running")                            \
    X(UNKNOWN, "unknown", "unknown")

enum f4p_death {
#define X(name, key, words) F4P_DEATH_##name,
    F4P_DEATHS(X)
#undef X
        F4P_DEATH_COUNT
};

enum f4p_confidence { F4P_CERTAIN, F4P_LIKELY, F4P_UNSURE };

enum f4p_alive { F4P_ALIVE_UNKNOWN, F4P_ALIVE_NO, F4P_ALIVE_YES };

#define F4P_MAX_EVIDENCE 16u
#define F4P_EVIDENCE_BYTES 320u

struct f4p_verdict {
    enum f4p_death kind;
    enum f4p_confidence confidence;
    int signal;      /* 0: none known */
    int exit_code;   /* -1: none known */
    bool core;       /* a core dump was written */
    char end[160];   /* one phrase: how it ended */
    char cause[320]; /* one phrase: why */
    char evidence[F4P_MAX_EVIDENCE][F4P_EVIDENCE_BYTES];
    unsigned evidence_count;
};

/** Judges `trace`; `alive`: whether its process exists now, as found by f4p_probe_alive(). */
void f4p_verdict_find(const struct f4p_trace *trace, enum f4p_alive alive, enum f4p_units units,
                      struct f4p_verdict *verdict);

const char *f4p_death_key(enum f4p_death kind);
const char *f4p_confidence_name(enum f4p_confidence confidence);

/** SIGKILL for 9; "signal 99" where it has no name. Static or in `buffer`. */
const char *f4p_signal_name(int signal, char buffer[F4P_NUMBER_BYTES]);

/** The latest value of a vital, launcher's or recorder's. */
bool f4p_verdict_vital(const struct f4p_trace *trace, enum f4p_vital which, uint64_t *value);

/** The cgroup's limit at the end, bytes; false: none known. */
bool f4p_verdict_limit(const struct f4p_trace *trace, uint64_t *bytes);

/** Whether the traced process runs on this machine now: same host name, pid and start time. */
enum f4p_alive f4p_probe_alive(const struct f4p_trace *trace);

#endif
