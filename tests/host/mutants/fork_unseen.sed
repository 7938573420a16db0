# session.c: what a handler forks has nothing of the op that it interrupted
s/^    here.forked_inside = f4p_session.open.*/    here.forked_inside = false;/
