# say.c: descriptor 2 is taken for standard error whatever it is
/^void f4p_say_write/,/^}/s/!can_be_written() || //
