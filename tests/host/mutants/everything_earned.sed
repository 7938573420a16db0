# session.c: every process that samples gets a file
s/^        if (earns_file(&session->writer.state.live))$/        if (true)/
