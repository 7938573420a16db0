/*
 * The one lock around commits to the trace. Its word is its owner's tid, so that a signal handler that interrupted the
 * owner can tell, and waiting ends rather than hang the job.
 */
#ifndef FIL4PROD_LOCK_H
#define FIL4PROD_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#define F4P_LOCK_PATIENCE_NS 5000000000ll

/** false after F4P_LOCK_PATIENCE_NS: the owner is stuck (it left by siglongjmp, say). Not recursive. `tid` is the
 * caller's, as gettid(2) gives it. */
bool f4p_lock(uint32_t tid);
/** The same without waiting. */
bool f4p_lock_try(uint32_t tid);
void f4p_unlock(void);

/** true if this thread holds the lock: we are in a signal handler that interrupted it. */
bool f4p_lock_is_mine(uint32_t tid);

/** In the child of a fork: whoever held the lock is not here. */
void f4p_lock_reset(void);

#endif
