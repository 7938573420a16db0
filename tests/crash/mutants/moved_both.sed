# writer.c: both states move to the file, one behind the other
/^void f4p_writer_move/,/^}/{
s/bring(w, old, &w->control->state\[.*/bring(w, old, w->control->state, sizeof(w->control->state));/
}
