# writer.c: the state moves to the file before what it speaks of
/^void f4p_writer_move/,/^}/{
/bind(w, base);/a\
    bring(&move, w->control, sizeof(*w->control));
}
