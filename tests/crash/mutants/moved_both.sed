# writer.c: both states move to the file, one behind the other
/^void f4p_writer_move/,/^}/{
s/bring(&move, &w->control->state\[.*/bring(\&move, w->control->state, sizeof(w->control->state));/
}
