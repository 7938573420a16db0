/*
 * Looks at the command from outside: memory facts, the RSS of its process tree, and the timeline of both. Its own cost
 * is bounded: after the first second the pause to the next look is at least 300 times what the last one took.
 */
#ifndef FIL4PROD_RECORD_WATCH_H
#define FIL4PROD_RECORD_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/record_trace.h"

/** Before the command starts: what there is to say about the host, and the facts of cgroup and machine (`first`). */
void f4p_launch_watch_prepare(struct f4p_launch_trace *trace);

/** The command runs as `pid`. */
void f4p_launch_watch_start(struct f4p_launch_trace *trace, pid_t pid);

/** One look. Returns how many nanoseconds to wait until the next one. */
uint64_t f4p_launch_watch_look(struct f4p_launch_trace *trace);

/** What the closing line needs. */
struct f4p_launch_findings {
    bool log_says_oom;              /* the kernel's log names the command as killed for lack of memory */
    const struct f4p_vitals *first; /* before it started, in the cgroup in which it ended */
    const struct f4p_vitals *last;  /* after its end; where that is not valid any more, while it ran */
};

/** After the command's end, with trace->state.wait_status set: the facts once more (`end`), processes, kernel log. */
void f4p_launch_watch_end(struct f4p_launch_trace *trace, struct f4p_launch_findings *findings);

#endif
