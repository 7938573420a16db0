# session.c: every process that samples gets a file
s/session->has_file || earns_file(&w->state.live);$/true;/
