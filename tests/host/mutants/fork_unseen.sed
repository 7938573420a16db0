# session.c: what a handler forks has nothing of the op that it interrupted
/^    here.forked_inside =$/,/;$/c\
    here.forked_inside = false;
