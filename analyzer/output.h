/* Where a report goes: standard output, or a file that appears under its name only when it is complete. */
#ifndef FIL4PROD_OUTPUT_H
#define FIL4PROD_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct f4p_output {
    FILE *stream;
    const char *path;
    char *temporary; /* NULL: standard output */
    bool force;
};

/** Opens `path` ("-": standard output). An existing file needs `force`. 0, or -1 with one line in `error`. */
int f4p_output_open(struct f4p_output *output, const char *path, bool force, char *error, size_t error_bytes);

/** Flushes and gives the file its name. 0, or -1 with one line in `error`, the temporary file removed. A reader that
 * went away (EPIPE) is no error. */
int f4p_output_close(struct f4p_output *output, char *error, size_t error_bytes);

/** To be called on SIGPIPE: the reader of standard output went away. Async-signal-safe. */
void f4p_output_broken(void);

/** Whether it did. */
bool f4p_output_is_broken(void);

/** Removes an unfinished file; async-signal-safe. */
void f4p_output_abandon(void);

#endif
