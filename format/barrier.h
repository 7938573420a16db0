/* Ordering of stores into a mapping. A killed process needs program order only; a reader that follows a live trace, and
 * weakly ordered CPUs, need release order. */
#ifndef FIL4PROD_BARRIER_H
#define FIL4PROD_BARRIER_H

#define f4p_release() __atomic_thread_fence(__ATOMIC_RELEASE)

#endif
