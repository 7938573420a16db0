# session.c: what a child inherits is not counted
s/^    state->inherited_bytes = here.inherited_bytes;$//
