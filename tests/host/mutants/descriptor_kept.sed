# session.c: the descriptor of the trace stays open
/^static void make_file/,/^}/s/^    syscall(SYS_close, fd);$//
