/* The command line: one table of options yields the parser, --help and the list in fil4prod-analyze(1). */
#ifndef FIL4PROD_OPTIONS_H
#define FIL4PROD_OPTIONS_H

#include <stdio.h>

#include "format_text.h"
#include "job.h"
#include "model.h"
#include "symbols.h"

enum f4p_exit {
    F4P_EXIT_OK = 0,
    F4P_EXIT_GATE = 1,        /* a gate failed */
    F4P_EXIT_USAGE = 2,       /* the command line is wrong */
    F4P_EXIT_NOT_A_TRACE = 3, /* not a trace, or unreadable */
    F4P_EXIT_DAMAGED = 4,     /* damaged beyond a torn tail; the report is written all the same */
    F4P_EXIT_OUTPUT = 5,      /* the report could not be written */
    F4P_EXIT_INTERRUPTED = 130
};

enum f4p_charset { F4P_CHARSET_AUTO, F4P_CHARSET_UTF8, F4P_CHARSET_ASCII, F4P_CHARSET_BLOCKS };
enum f4p_color { F4P_COLOR_AUTO, F4P_COLOR_ALWAYS, F4P_COLOR_NEVER };

enum f4p_gate_kind { F4P_GATE_PEAK, F4P_GATE_END, F4P_GATE_GROWTH, F4P_GATE_FOCUS };

#define F4P_MAX_GATES 32u
#define F4P_MAX_INSTANTS 16u

struct f4p_gate_option {
    enum f4p_gate_kind kind;
    const char *text; /* as given */
    char focus[256];  /* the pattern of a focus gate */
    double limit;     /* bytes, bytes per hour, or percent of the cgroup's limit */
    bool percent;
};

struct f4p_options {
    const char *text, *json; /* NULL: not asked for; "-": standard output; else a file */
    const char *at[F4P_MAX_INSTANTS];
    size_t at_count;
    const char *diff; /* A..B */
    const char *base;
    struct f4p_filter filter;
    struct f4p_symbol_options symbols;
    const char *pack; /* write the trace there, symbols embedded; NULL: do not */
    enum f4p_grouping group_by;
    bool grouped; /* --group-by was given */
    bool by_blocks;
    long top; /* -1: not given; 0: all */
    enum f4p_units units;
    struct f4p_gate_option gates[F4P_MAX_GATES];
    size_t gate_count;
    bool no_source, strict, force, quiet;
    bool tui;      /* no face was asked for, and the terminal can have it */
    bool follow;   /* the job runs: look again and again */
    long follow_s; /* seconds from look to look, but on a terminal */
    int verbose;
    enum f4p_color color;
    enum f4p_charset charset;
    char *const *paths;
    size_t path_count;
    bool done; /* --help or --version was answered */
};

/** Parses the command line into `options`, whose strings point into argv. 0 or an exit status; a message is printed. */
int f4p_options_parse(struct f4p_options *options, int argc, char **argv);

void f4p_options_help(FILE *out);
void f4p_options_version(FILE *out);

#endif
