# sample.c: who left a slow path by siglongjmp is not found out
/^bool f4p_sample_nested/,/^}/s/ && !abandoned(t, frame)//
