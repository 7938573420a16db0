# sample.c: what a handler's child frees makes the recorder the child's, though an op goes on
/^bool f4p_sample_ready/,/^}/s/^        if (t->inside)$/        if (false)/
