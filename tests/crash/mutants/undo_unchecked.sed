# reader_state.c: an intent is believed about where it puts things back
s/if (intent->live_index\[i\] < live_room)/if (live_room)/
