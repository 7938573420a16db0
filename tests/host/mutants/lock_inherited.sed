# session.c: a forked child keeps the lock as it was
s/^    f4p_lock_reset();$//
