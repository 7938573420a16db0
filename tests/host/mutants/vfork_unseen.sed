# session.c: a vforked child is taken for its parent
s/if ((uint32_t)syscall(SYS_getpid) != f4p_session.writer.state.pid)/if (0)/
