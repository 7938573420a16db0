/* What ties the processes of a job together where no launcher says so: their process group, as shells and init systems
 * make one for each job. */
#ifndef FIL4PROD_JOB_H
#define FIL4PROD_JOB_H

#include <stdbool.h>
#include <stdint.h>

/** The same in all processes of a process group, and in no other: made of the boot, the pid namespace, the group and
 * its leader's start (0 once the leader is gone). false: /proc does not say. No stdio, no allocation; errno kept. */
bool f4p_job_derive(uint8_t id[16]);

#endif
