/* After the command: fil4prod-analyze, if it stands beside the launcher, puts the symbols of native frames into the
 * trace, which can then be read where the command's libraries are not. */
#ifndef FIL4PROD_RECORD_PACK_H
#define FIL4PROD_RECORD_PACK_H

#include "recorder/record_trace.h"

#define F4P_PACK_SECONDS 20 /* what takes longer is ended */

/** Does nothing for traces without stacks and without an analyzer. Prints nothing; what fails leaves the trace as it
 * is. */
void f4p_launch_pack(const struct f4p_launch_trace *trace);

#endif
