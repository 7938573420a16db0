/*
 * The command's process tree, as /proc shows it from outside. One tree per launcher; all memory is static. A process
 * belongs to it when its parent does, and from then on until it ends, whoever its parent becomes.
 */
#ifndef FIL4PROD_RECORD_TREE_H
#define FIL4PROD_RECORD_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/record_trace.h"

/** The tree begins with `pid`. */
void f4p_launch_tree_start(pid_t pid, uint64_t t_ns);

/** Looks for new members: reads one file for each process of the machine (of the container). */
void f4p_launch_tree_scan(uint64_t t_ns);

/** Bytes resident, summed over the members (pages that they share count for each); 0: not known. Members that are gone
 * leave, and those that were large are recorded. */
uint64_t f4p_launch_tree_rss(struct f4p_launch_trace *trace);

/** Whether `pid` is one of them, or the launcher. */
bool f4p_launch_tree_has(pid_t pid);

/** Command line of any process, redacted, as one line. */
void f4p_launch_tree_command(pid_t pid, const char *redact, char *to, size_t room);

/** Bytes resident of any process; 0: gone, or none. */
uint64_t f4p_launch_tree_rss_of(pid_t pid);

/** Records the large ones of those that are left. `wait_status`: of the first member. */
void f4p_launch_tree_end(struct f4p_launch_trace *trace, int wait_status);

#endif
