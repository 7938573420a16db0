# sample.c: only a sample is seen to fail
/^static void set_gap/,/^}/s/bytes < AHEAD ? bytes : AHEAD/bytes/
