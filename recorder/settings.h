/*
 * The one list of what can be set. The library reads the variables, the launcher both; parser, ranges, --help and the
 * lists of fil4prod-record(1) come from here.
 *
 * Q(ID, letter, option, KIND, member, least, most, argument, want, help): FIL4PROD_ID and --option set `member` of
 * struct f4p_config. `letter` 0: no short option. `want` completes "VALUE is ...".
 */
#ifndef FIL4PROD_SETTINGS_H
#define FIL4PROD_SETTINGS_H

#include "format/layout.h"

#define F4P_MAX_INTERVAL (1ull << 40)

/* clang-format off */
#define F4P_SETTINGS(Q)                                                                                               \
    Q(QUIET, 'q', "quiet", FLAG, quiet, 0, 1, "", "",                                                                 \
      "print nothing but what keeps the command from running")                                                        \
    Q(OUTPUT, 'o', "output", PATTERN, output, 1, 0, "FILE",                                                           \
      "not a file name in which % is followed by p, h, t, c or %",                                                    \
      "the trace to make (default trace.bin), see NAMES; .1, .2, ... is appended when the name is taken")             \
    Q(SIZE, 's', "size", BYTES, size, F4P_MIN_FILE_BYTES, F4P_MAX_FILE_BYTES, "BYTES", "not a size from 1M to 1T",    \
      "size of each trace, allocated at once; K, M, G may follow (default 64M)")                                      \
    Q(INTERVAL, 'i', "interval", INTERVAL, interval, 1, F4P_MAX_INTERVAL, "auto|BYTES",                               \
      "neither auto nor bytes from 1 to 1T",                                                                          \
      "mean bytes between two samples (default auto); 1 records every allocation")                                    \
    Q(CPU_BUDGET, 0, "cpu-budget", PERCENT, cpu_budget, 1, 1000, "PERCENT", "not a percentage from 0.1 to 100",       \
      "share of the CPU time that recording may take before the automatic interval grows (default 1)")                      \
    Q(NATIVE, 0, "native", NATIVE, native, 0, 0, "leaf|full|off", "not leaf, full or off",                            \
      "native frames of Python threads: those below the innermost Python frame, all, or none (default leaf)")         \
    Q(PYTHON_OBJECTS, 0, "python-objects", YESNO, python_objects, 0, 1, "yes|no", "neither yes nor no",               \
      "whether Python's small objects are recorded one by one (default yes), or the arenas that hold them")           \
    Q(MIN_HEAP, 0, "min-heap", BYTES, min_heap, 0, UINT64_MAX, "BYTES", "not a number of bytes",                      \
      "a process other than the launcher's command gets a trace once its heap is this large (default 16M; 0: at "     \
      "once)")                                                                                                        \
    Q(CHILDREN, 0, "children", YESNO, children, 0, 1, "yes|no", "neither yes nor no",                                 \
      "whether child processes are recorded, too (default yes)")                                                      \
    Q(COMMANDS, 0, "commands", LIST, commands, 0, 0, "LIST", "longer than 511 bytes",                                 \
      "record only programs of these names, separated by commas; * and ? stand for other characters (default all)")   \
    Q(MAX_TRACES, 0, "max-traces", COUNT, max_traces, 1, 1000000, "N", "not a number from 1 to 1000000",              \
      "before a trace is made, remove the oldest of the same family, so that there are no more than this many")       \
    Q(MAX_TOTAL, 0, "max-total", BYTES, max_total, F4P_MIN_FILE_BYTES, UINT64_MAX, "BYTES",                           \
      "not a number of bytes from 1M on", "the same, so that together they are no larger than this")                  \
    Q(KEEP, 0, "keep", KEEP, keep_over, 0, 0, "always|on-failure|over=BYTES", "not always, on-failure or over=BYTES", \
      "which traces stay when the command has ended well: all (default), none, or those with a peak over BYTES")      \
    Q(REDACT, 0, "redact", LIST, redact, 0, 0, "LIST", "longer than 511 bytes",                                       \
      "further names of arguments whose values are secret, with * and ?; no: record all arguments as they are")

/* Variables that are not settings. Q(NAME, value, help) */
#define F4P_VARIABLES(Q)                                                                                              \
    Q("EXACT", "1", "record every allocation, like --interval 1")                                                     \
    Q("LIBRARY", "FILE", "the recorder's library, if it does not stand beside the launcher")                          \
    Q("JOB", "ID", "32 hexadecimal digits that tie the traces of one job together; set for the command")              \
    Q("ATTACH", "PID:FILE", "set for the command: the process that continues the launcher's trace")
/* clang-format on */

enum f4p_setting {
#define Q(id, letter, option, kind, member, least, most, argument, want, help) F4P_SETTING_##id,
    F4P_SETTINGS(Q)
#undef Q
        F4P_SETTING_COUNT
};

struct f4p_setting_text {
    const char *variable; /* with FIL4PROD_ */
    const char *option, *argument, *want, *help;
    char letter;
};

/** By enum f4p_setting. */
extern const struct f4p_setting_text f4p_setting_texts[F4P_SETTING_COUNT];

#endif
