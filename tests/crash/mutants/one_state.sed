# writer.c: the newest state is overwritten by the next
s/state\[s->commit & 1\] = \*s/state[0] = *s/
