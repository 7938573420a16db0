# sample.c: a slow path is entered again from a slow path
/^bool f4p_sample_nested/,/^}/s/return t->inside.*/return false;/
