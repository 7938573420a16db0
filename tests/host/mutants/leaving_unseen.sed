# session.c: _exit is not looked at
s/if (!recording() || !say_last(F4P_ENDING_AT_ONCE, status))/if (1)/
