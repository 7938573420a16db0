/* FIL4PROD_KEEP where there is no launcher to see to it: a process that exits with status 0 removes its own trace. One
 * that ends in any other way leaves it. */
#ifndef FIL4PROD_KEEP_H
#define FIL4PROD_KEEP_H

#include "config.h"

/** From the constructor. Does nothing where all traces stay, or where a launcher decides. */
void f4p_keep_start(const struct f4p_config *config);

/** The trace of this process has been made: its name and an open descriptor. */
void f4p_keep_made(const char *path, int fd);

/** The trace is complete; its peak, in bytes. */
void f4p_keep_ended(uint64_t peak);

/** The process ends without exit handlers; waits for nothing. Those that have handlers need not say so. */
void f4p_keep_exit(int status);

#endif
