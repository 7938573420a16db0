/* After the command: fil4prod-analyze, if it stands beside the launcher, puts the symbols of native frames into the
 * trace, which can then be read where the command's libraries are not. */
#ifndef FIL4PROD_RECORD_PACK_H
#define FIL4PROD_RECORD_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/record_trace.h"

/* Who told the command to end waits for the launcher's exit status, and kills it when its patience ends: docker's after
 * ten seconds. */
#define F4P_PACK_SECONDS 10         /* what takes longer is ended */
#define F4P_PACK_ASKED_SECONDS 2    /* if the command was told to end */
#define F4P_PACK_PATIENCE_SECONDS 5 /* longer ago than this: not begun */

/** Does nothing for traces without stacks and without an analyzer. `asked_ns` as of struct f4p_launch_run. SIGTERM,
 * SIGINT, SIGHUP and SIGQUIT, which must be blocked, end it early. What fails leaves the trace as it is; one line on
 * stderr, unless `quiet`, says when time was up. */
void f4p_launch_pack(const struct f4p_launch_trace *trace, uint64_t asked_ns, bool quiet);

#endif
