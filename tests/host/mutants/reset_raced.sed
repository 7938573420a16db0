# session.c: each thread of a forked child makes the recorder the child's
s/^    if (__atomic_compare_exchange_n(alive, &forked.*/    if (forked == ALIVE_FORKED) {/
s/^    while (__atomic_load_n(alive, __ATOMIC_ACQUIRE) != ALIVE)$/    while (false)/
