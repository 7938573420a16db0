/*
 * Has the launcher find out, from outside, what the command's resident memory consists of (recorder/residency.h), and
 * writes it into section RESIDENT of the trace. It looks again when RSS has changed by a few percent, at the latest
 * after two seconds, and takes no more than one percent of a CPU for it.
 */
#ifndef FIL4PROD_RECORD_RSS_H
#define FIL4PROD_RECORD_RSS_H

#include <stdint.h>
#include <sys/types.h>

#include "recorder/record_trace.h"

/** The command runs as `pid`. */
void f4p_launch_rss_start(pid_t pid);

/** A slice of a look, if one is due; `rss` (bytes, 0: unknown) is the command's now. */
void f4p_launch_rss_look(struct f4p_launch_trace *trace, uint64_t now_ns, uint64_t rss);

#endif
