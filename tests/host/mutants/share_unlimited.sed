# session.c: the trace is mapped however little memory the job may have
/^static bool affordable/,/^}/s/return getrlimit.*/return true;/
