/* The launcher's command line and environment: what is in settings.h, and the options that only a launcher has. --help
 * and the lists of fil4prod-record(1) come from the same tables. */
#ifndef FIL4PROD_RECORD_OPTIONS_H
#define FIL4PROD_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/config.h"

/* Exit statuses of the launcher itself; all others are the command's. */
enum f4p_launch_exit {
    F4P_LAUNCH_EXIT_USAGE = 2,
    F4P_LAUNCH_EXIT_INTERNAL = 125, /* nothing could be run */
    F4P_LAUNCH_EXIT_CANNOT = 126,   /* the command was found but could not be run */
    F4P_LAUNCH_EXIT_NOT_FOUND = 127
};

struct f4p_launch_options {
    struct f4p_config config; /* output: as named, may be relative */
    bool verbose;             /* a line also when the command ended well */
    const char *library;      /* from FIL4PROD_LIBRARY; NULL: look for it */
    char **command;           /* NULL-terminated, at least one word */
};

/** Fills `options` from `argv` and the environment. Returns -1 to go on, else the status to exit with: what had to be
 * printed (help, version, a usage error) has been. Strings point into argv and the environment. */
int f4p_launch_options_parse(struct f4p_launch_options *options, int argc, char **argv);

/** Sets in the environment what the command's processes need to know of `config`, but for FIL4PROD_OUTPUT. */
void f4p_launch_options_export(const struct f4p_config *config);

#endif
