/* The one line that the launcher prints when the command died. */
#ifndef FIL4PROD_RECORD_REPORT_H
#define FIL4PROD_RECORD_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "recorder/record_trace.h"
#include "recorder/record_watch.h"

/** "SIGKILL", or "signal 40" in `text`. */
const char *f4p_launch_signal_name(int signal, char text[24]);

/** Whether the OOM killer has been at work in the command's cgroup. */
bool f4p_launch_report_oom(const struct f4p_launch_findings *findings);

/**
 * Writes into `line` what happened to the command `name`, without newline: that it was killed, by what, and how to go
 * on. false: nothing worth a line (it ended, failed by itself, was interrupted by its user, or lost its reader; and the
 * recorder was in it), unless `always`.
 */
bool f4p_launch_report(char *line, size_t room, const char *name, const struct f4p_launch_trace *trace,
                       const struct f4p_launch_findings *findings, bool always);

#endif
