/* The terminal face: explores the heap of a job, dead or running. */
#ifndef FIL4PROD_TUI_H
#define FIL4PROD_TUI_H

#include "report.h"

/**
 * Runs until the user leaves. With --follow `job` and `report` are replaced as the trace grows; they stay the caller's.
 * 0; F4P_EXIT_INTERRUPTED after a signal; -1: this terminal cannot, nothing was shown.
 */
int f4p_tui_run(const struct f4p_options *options, struct f4p_job *job, struct f4p_report *report);

#endif
