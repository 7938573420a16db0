# session.c: the last word is said under the lock only
s/if (!recording() || !say_last(F4P_ENDING_AT_ONCE, status))/if (!recording() || !f4p_lock_try((uint32_t)syscall(SYS_gettid)) || !say_last(F4P_ENDING_AT_ONCE, status))/
