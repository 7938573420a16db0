/*
 * Near a cgroup's limit the kernel takes back file pages, the trace's first; each op would fault them in again, and the
 * job would crawl at its limit instead of getting on. So what ops touch is locked, as far as it is in use. Under the
 * recorder's lock.
 */
#ifndef FIL4PROD_HOT_H
#define FIL4PROD_HOT_H

/** The trace, a file now, is mapped at `base`. Of what the process may lock half at most: it may want to lock memory of
 * its own. */
void f4p_hot_start(void *base);

/** After each sample: what has come into use since. */
void f4p_hot_next(void);

#endif
