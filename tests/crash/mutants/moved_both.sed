# writer.c: both states move to the file, one behind the other
/^void f4p_writer_move/,/^}/{
s/w->control->state\[.*/memcpy(w->control->state, old.control->state, sizeof(old.control->state));/
}
