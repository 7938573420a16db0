# session.c: every process that samples gets a file
s|^    } else if (earns_file(&w->state.live)) {$|    } else {|
