# real.c: a function that is missing ends the program
s/^        complete = false;$/        __builtin_trap();/
