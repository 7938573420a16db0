/* The launcher's command line and environment. One table of options and one of variables yield the parser, --help and
 * the lists of fil4prod-record(1). */
#ifndef FIL4PROD_RECORD_OPTIONS_H
#define FIL4PROD_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Exit statuses of the launcher itself; all others are the command's. */
enum f4p_launch_exit {
    F4P_LAUNCH_EXIT_USAGE = 2,
    F4P_LAUNCH_EXIT_INTERNAL = 125, /* nothing could be run */
    F4P_LAUNCH_EXIT_CANNOT = 126,   /* the command was found but could not be run */
    F4P_LAUNCH_EXIT_NOT_FOUND = 127
};

struct f4p_launch_options {
    const char *output;  /* as named; "trace.bin" by default */
    uint64_t size;       /* bytes of the trace */
    uint64_t interval;   /* bytes, 1: exact; 0: automatic */
    bool quiet;          /* no line of ours on stderr but for what stops the command from running */
    bool verbose;        /* a line also when the command ended well */
    const char *library; /* from FIL4PROD_LIBRARY; NULL: look for it */
    char **command;      /* NULL-terminated, at least one word */
};

/** Fills `options` from `argv` and the environment. Returns -1 to go on, else the status to exit with: what had to be
 * printed (help, version, a usage error) has been. Strings point into argv and the environment. */
int f4p_launch_options_parse(struct f4p_launch_options *options, int argc, char **argv);

/** Bytes with an optional K, M, G or T (powers of 1024, an "iB" or "B" may follow). false: not a size. */
bool f4p_launch_options_size(const char *text, uint64_t *bytes);

#endif
