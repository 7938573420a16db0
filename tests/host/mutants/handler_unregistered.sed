# session.c: no handler of exit
s/on_exit(exit_handler, NULL);/(void)exit_handler;/
