# writer_ops.c: the intent of a free lacks the site
/^static void free_unindexed/,/^}/{
/intend_site/d
}
