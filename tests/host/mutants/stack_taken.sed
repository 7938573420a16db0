# sample.c: the slow path takes 16 KiB of the job's stack
/^static COLD void \*sampled_call/,/^}/s/^    struct f4p_sample s;$/    struct f4p_sample s; volatile char hog[16384]; for (int i = 0; i < 16384; i += 64) hog[i] = 1;/
