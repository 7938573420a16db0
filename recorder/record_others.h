/* Who else is charged to the command's memory cgroup: the one that the OOM killer looks for need not be the command. */
#ifndef FIL4PROD_RECORD_OTHERS_H
#define FIL4PROD_RECORD_OTHERS_H

#include "recorder/record_trace.h"
#include "recorder/vitals.h"

/**
 * Sets other_rss and other_pid to the largest process of the cgroup, as found by `source`, that is neither of the
 * command's tree nor the launcher, and records its command line when it is another one than before and large. Processes
 * that this pid namespace does not show are left out. Reads two files for each process of the cgroup, up to a limit.
 */
void f4p_launch_others_look(struct f4p_launch_trace *trace, const struct f4p_vitals_source *source,
                            struct f4p_vitals *facts);

#endif
