/*
 * Which traces stay: limits on how many there are of a family (names.h), and what becomes of a job's traces when it
 * ended well. Shared by launcher and library: no stdio, no allocation, bounded work; not for two threads at once.
 *
 * Nothing is removed but a regular file of the caller's own user with one name, with the valid header of a trace, in
 * the trace's own directory, that no process uses. A trace is in use while somebody holds the lock that
 * f4p_retain_hold() takes, or while the process it is of still runs.
 */
#ifndef FIL4PROD_RETAIN_H
#define FIL4PROD_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

#define F4P_RETAIN_NAMES 16384u /* entries of a directory that are looked at */
#define F4P_RETAIN_OLDEST 64u   /* traces that are removed at once */

/** Marks the trace open at `fd` as in use: until the last descriptor and the last mapping made from it are gone, even
 * if `fd` is closed before (not on overlayfs: there only until it is closed). */
void f4p_retain_hold(int fd);

/**
 * Removes the oldest traces (by time of modification) of the family of `pattern` in the directory of `path`, until one
 * of `bytes` bytes more is within `max_traces` traces and `max_total` bytes (0: no limit). Those in use count, but
 * stay: then the limits are exceeded. Returns how many were removed.
 */
unsigned f4p_retain_make_room(const char *path, const char *pattern, uint64_t bytes, uint64_t max_traces,
                              uint64_t max_total);

/** Removes the traces of job `job_id` in that family and directory whose peak is at most `over` bytes, but for
 * those in use. */
unsigned f4p_retain_end_job(const char *path, const char *pattern, const uint8_t job_id[16], uint64_t over);

/** Peak in bytes that the trace open at `fd` shows: of the heap or of the RSS, the higher one; 0: not a trace, or not
 * known. */
uint64_t f4p_retain_peak(int fd);

/** Unlinks `path` if that is the file (device and inode) that is meant. */
bool f4p_retain_unlink(const char *path, uint64_t device, uint64_t inode);

#endif
