/* What the command is, before it runs: where its program stands, and whether a preloaded library can record it. */
#ifndef FIL4PROD_RECORD_PROGRAM_H
#define FIL4PROD_RECORD_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

struct f4p_launch_program {
    char path[PATH_MAX];   /* as execvp(3) will find it; "" if it will not */
    char loaded[PATH_MAX]; /* the program that is really loaded: of a script its interpreter */
    const char *obstacle;  /* why it cannot be recorded, static text after "it "; NULL: it can, as far as one sees */
};

/** Looks at `command`; nothing is executed. What cannot be read is taken to be recordable. */
void f4p_launch_program_inspect(struct f4p_launch_program *program, const char *command);

/**
 * Finds libfil4prod.so: `named` if not NULL, else beside the launcher, ../lib/fil4prod or ../lib. `path` gets its
 * absolute name. NULL, or a static text why there is none.
 */
const char *f4p_launch_library_find(const char *named, char path[PATH_MAX]);

#endif
