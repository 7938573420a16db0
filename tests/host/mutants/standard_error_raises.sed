# say.c: a message may raise a signal
/^void f4p_say_write/,/^}/s/!can_be_written() || //
s/quiet = RAISED | BIT(SIGTTOU)/quiet = 0/
s/raised = RAISED & ~pending/raised = 0/
