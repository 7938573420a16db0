/* What the rules of the verdict look at: found in verdict_facts.c, judged and put into words in verdict.c. */
#ifndef FIL4PROD_VERDICT_PRIVATE_H
#define FIL4PROD_VERDICT_PRIVATE_H

#include "verdict.h"

/* A cgroup with a limit: the process's own, or the ancestor with the lowest. Bytes. */
struct f4p_level {
    bool limited, used, shared; /* limit, usage, anon are known */
    uint64_t limit, usage, anon;
    bool near; /* what is charged, grown since and asked for is at the limit */
    bool held; /* and is mostly memory that cannot be given back */
};

struct f4p_facts {
    const struct f4p_trace *trace;
    enum f4p_alive alive;
    enum f4p_units units;
    uint64_t end_ns;
    /* memory */
    struct f4p_level own, above;
    const struct f4p_level *level; /* the one of them that matters */
    uint64_t file;                 /* valid if has_file */
    uint64_t peak;                 /* the most that was ever charged to `own`; 0: not known */
    uint64_t wanted;               /* size of the largest request in flight */
    uint64_t grown;                /* by how much the heap grew after the cgroup was last looked at */
    uint64_t available, total;     /* of the machine */
    /* who held it */
    uint64_t mine;   /* the process; with a launcher, with its descendants */
    uint64_t others; /* charged to the level beyond that; 0: not known, or nothing */
    /* the OOM killer's counts */
    uint64_t kills, after; /* the cgroup's: its rise, and its last value */
    uint64_t fresh;        /* of the rise what the process cannot have outlived */
    uint64_t system_kills;
    struct f4p_failure failure; /* the last refused request; valid if failed_late */
    bool launcher;              /* a launcher watched */
    bool ended;                 /* `status` is known: the launcher saw the end, or the process said it */
    bool watched;               /* the launcher saw it */
    int status;                 /* as of waitpid(2) */
    bool recorder_ended;        /* exit handlers ran */
    bool by_ancestor;           /* `level` is `above` */
    bool hidden;                /* an ancestor that is not visible set own.limit */
    bool page_cache;            /* what is charged is mostly page cache */
    bool has_file;
    bool low_available;
    bool hog;                      /* others held more than the job */
    bool counted;                  /* the cgroup's count is known before and after */
    bool recent;                   /* it rose in the last seconds */
    bool log_group, log_system;    /* the kernel's log names the process, or one of the job */
    bool failed_late, failed_last; /* requests refused in the last seconds; in the very last second */
};

void f4p_facts_find(struct f4p_facts *facts, const struct f4p_trace *trace, enum f4p_alive alive, enum f4p_units units);

/** By how much a counter rose from the first to the last that is known; false: not known at both times. */
bool f4p_facts_increase(const struct f4p_trace *trace, enum f4p_vital which, uint64_t *by);

#endif
