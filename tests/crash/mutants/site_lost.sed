# writer_ops.c: a live entry names another site than its own
/^static struct f4p_live entry_of/,/^}/{
s/\.site = block->site,/.site = 0,/
}
