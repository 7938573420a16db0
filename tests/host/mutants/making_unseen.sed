# session.c: a process that ends does not wait for its file
/^static void exit_handler/,/^}/s/^    wait_for_file();$//
