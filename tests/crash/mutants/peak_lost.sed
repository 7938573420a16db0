# writer_ops.c: a site's sums at the peak are not saved before a free
/^static void end_block/,/^}/{
/save_peak/d
}
