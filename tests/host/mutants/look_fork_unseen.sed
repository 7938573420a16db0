# session.c: what a handler forks has nothing of the look that it interrupted
s/ || f4p_look_is_mine(f4p_thread.tid)//
