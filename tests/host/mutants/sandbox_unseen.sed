# sandbox.c: what the job forbids itself is not looked at
s/f4p_session_end(F4P_PASSIVE_SANDBOX)/(void)0/
