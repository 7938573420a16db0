# reader_state.c: a live entry is believed about its site
/^static bool live_valid/,/^}/{
s/F4P_INTERVAL_LIMIT &&$/F4P_INTERVAL_LIMIT;/
/site_limit/d
}
