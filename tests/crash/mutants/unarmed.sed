# writer_ops.c: ops change the file without a valid intent
/^static void op_arm/,/^}/{
/intent->check = f4p_hash/d
}
