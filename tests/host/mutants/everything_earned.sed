# session.c: every process that samples gets a file
s/^        if (session->writer.state.live.bytes \/ F4P_Q8 >= session->config.min_heap)$/        if (true)/
