/* What the kernel's log says about OOM kills while the command ran, where it may be read. */
#ifndef FIL4PROD_RECORD_LOG_H
#define FIL4PROD_RECORD_LOG_H

#include <stdbool.h>
#include <sys/types.h>

#include "recorder/record_trace.h"

/** From now on. */
void f4p_launch_log_start(void);

/** Adds the lines about OOM kills to the trace, a few at most, never waits. Returns whether one says that `pid` was
 * killed. */
bool f4p_launch_log_end(struct f4p_launch_trace *trace, pid_t pid);

#endif
