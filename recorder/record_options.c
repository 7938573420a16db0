#include "recorder/record_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/layout.h"

/* Q(letter, name, argument, help): "" as argument: none */
#define OPTIONS(Q)                                                                                                    \
    Q('o', "output", "FILE", "the trace to make (default trace.bin; .1, .2, ... is appended when the name is taken)") \
    Q('s', "size", "BYTES", "size of the trace, allocated at once; K, M, G may follow (default 64M)")                 \
    Q('i', "interval", "auto|BYTES", "mean bytes between two samples (default auto); 1 records every allocation")     \
    Q('q', "quiet", "", "print nothing but what keeps the command from running")                                      \
    Q('v', "verbose", "", "print a line also when the command ended well or failed by itself")                        \
    Q('h', "help", "", "print this help")                                                                             \
    Q('V', "version", "", "print the version")

/* Q(name, value, help) */
#define VARIABLES(Q)                                                                                              \
    Q("OUTPUT", "FILE", "the trace to make, like --output")                                                       \
    Q("SIZE", "BYTES", "size of each trace, like --size")                                                         \
    Q("INTERVAL", "auto|BYTES", "sampling interval, like --interval")                                             \
    Q("EXACT", "1", "record every allocation, like --interval 1")                                                 \
    Q("QUIET", "1", "print nothing, like --quiet")                                                                \
    Q("MIN_HEAP", "BYTES",                                                                                        \
      "a process other than the launcher's command gets a trace once its heap is this large (default 16M; 0: at " \
      "once)")                                                                                                    \
    Q("LIBRARY", "FILE", "the recorder's library, if it does not stand beside the launcher")                      \
    Q("JOB", "ID", "32 hexadecimal digits that tie the traces of one job together; set for the command")          \
    Q("ATTACH", "PID:FILE", "set for the command: the process that continues the launcher's trace")

struct option_text {
    char letter;
    const char *name, *argument, *help;
};

struct variable_text {
    const char *name, *value, *help;
};

static const struct option_text option_texts[] = {
#define Q(letter, name, argument, help) {letter, name, argument, help},
    OPTIONS(Q)
#undef Q
};
enum { OPTION_COUNT = sizeof(option_texts) / sizeof(option_texts[0]) };

static const struct variable_text variable_texts[] = {
#define Q(name, value, help) {name, value, help},
    VARIABLES(Q)
#undef Q
};
enum { VARIABLE_COUNT = sizeof(variable_texts) / sizeof(variable_texts[0]) };

static const char usage[] = "usage: fil4prod-record [options] [--] command [argument ...]\n";

static void print_help(void)
{
    char left[64];

    printf("%sRuns a command and records what holds its memory.\n\nOptions:\n", usage);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_text *o = &option_texts[i];
        snprintf(left, sizeof(left), "-%c, --%s%s%s", o->letter, o->name, *o->argument ? " " : "", o->argument);
        printf("  %-28s %s\n", left, o->help);
    }
    printf("\nEnvironment:\n");
    for (int i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable_text *v = &variable_texts[i];
        snprintf(left, sizeof(left), "FIL4PROD_%s=%s", v->name, v->value);
        printf("  %-28s %s\n", left, v->help);
    }
    printf("\nExit status: the command's, 128 + signal if a signal killed it, 2 wrong usage, 125 internal error,\n"
           "126 command cannot be run, 127 command not found.\n");
}

/* A sentence in lines of at most 80 bytes, as mdoc likes them. */
static void print_wrapped(const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t bytes = strcspn(text, " ");
        bool breaks = column && column + 1 + bytes + (text[bytes] ? 0 : 1) > 80;
        printf("%s%.*s", !column ? "" : breaks ? "\n" : " ", (int)bytes, text);
        column = !column || breaks ? bytes : column + 1 + bytes;
        text += bytes;
        text += *text == ' ';
    }
    printf(".\n");
}

/* The two lists of the man page; a test compares them with what stands there. */
static void print_mdoc(void)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const struct option_text *o = &option_texts[i];
        const char *mark = *o->argument ? " Ar " : "";
        printf(".It Fl %c%s%s , Fl -%s%s%s\n", o->letter, mark, o->argument, o->name, mark, o->argument);
        print_wrapped(o->help);
    }
    for (int i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable_text *v = &variable_texts[i];
        printf(".It Ev FIL4PROD_%s Ns = Ns Ar %s\n", v->name, v->value);
        print_wrapped(v->help);
    }
}

bool f4p_launch_options_size(const char *text, uint64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;

    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno)
        return false;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    if (unit)
        end += unit && (end[1] == 'i' && end[2] == 'B') ? 3 : 1;
    if (*end == 'B' && end[-1] != 'B')
        end++;
    if (*end || n > UINT64_MAX >> shift)
        return false;
    *bytes = (uint64_t)n << shift;
    return true;
}

static bool parse_file_size(const char *text, uint64_t *size)
{
    return f4p_launch_options_size(text, size) && *size >= F4P_MIN_FILE_BYTES && *size <= F4P_MAX_FILE_BYTES;
}

static bool parse_interval(const char *text, uint64_t *interval)
{
    if (strcmp(text, "auto") == 0) {
        *interval = 0;
        return true;
    }
    return f4p_launch_options_size(text, interval) && *interval >= 1 && *interval <= 1ull << 40;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value && strcmp(value, "0") != 0;
}

/* A wrong variable must not keep the job from running. */
static void from_environment(struct f4p_launch_options *options)
{
    const char *output = getenv("FIL4PROD_OUTPUT"), *size = getenv("FIL4PROD_SIZE");
    const char *interval = getenv("FIL4PROD_INTERVAL"), *library = getenv("FIL4PROD_LIBRARY");

    *options = (struct f4p_launch_options){.output = "trace.bin", .size = F4P_DEFAULT_FILE_BYTES};
    options->quiet = is_set("FIL4PROD_QUIET");
    if (output && *output)
        options->output = output;
    if (library && *library)
        options->library = library;
    if (size && *size && !parse_file_size(size, &options->size)) {
        options->size = F4P_DEFAULT_FILE_BYTES;
        if (!options->quiet)
            fprintf(stderr, "fil4prod: FIL4PROD_SIZE=%s is not a size from 1M to 1T; 64M it is\n", size);
    }
    if (interval && *interval && !parse_interval(interval, &options->interval)) {
        options->interval = 0;
        if (!options->quiet)
            fprintf(stderr, "fil4prod: FIL4PROD_INTERVAL=%s is neither auto nor bytes; auto it is\n", interval);
    }
    if (is_set("FIL4PROD_EXACT"))
        options->interval = 1;
}

static int usage_error(void)
{
    fprintf(stderr, "%sfil4prod-record --help says more\n", usage);
    return F4P_LAUNCH_EXIT_USAGE;
}

static int output_status(void)
{
    return fflush(stdout) == 0 ? 0 : F4P_LAUNCH_EXIT_INTERNAL;
}

/* One option; -1 to go on. */
static int take(struct f4p_launch_options *options, int letter, const char *argument)
{
    switch (letter) {
    case 'o':
        options->output = argument;
        if (*argument)
            return -1;
        fprintf(stderr, "fil4prod-record: --output needs a file name\n");
        return F4P_LAUNCH_EXIT_USAGE;
    case 's':
        if (parse_file_size(argument, &options->size))
            return -1;
        fprintf(stderr, "fil4prod-record: --size %s: not a size from 1M to 1T\n", argument);
        return F4P_LAUNCH_EXIT_USAGE;
    case 'i':
        if (parse_interval(argument, &options->interval))
            return -1;
        fprintf(stderr, "fil4prod-record: --interval %s: neither auto nor bytes from 1 to 1T\n", argument);
        return F4P_LAUNCH_EXIT_USAGE;
    case 'q':
        options->quiet = true;
        return -1;
    case 'v':
        options->verbose = true;
        return -1;
    case 'h':
        print_help();
        return output_status();
    case 'V':
        printf("fil4prod-record " F4P_VERSION "\n");
        return output_status();
    case 'M':
        print_mdoc();
        return output_status();
    default:
        return usage_error();
    }
}

int f4p_launch_options_parse(struct f4p_launch_options *options, int argc, char **argv)
{
    struct option options_long[OPTION_COUNT + 2];
    char letters[2 * OPTION_COUNT + 2] = "+"; /* options end where the command begins */
    size_t used = 1;
    int letter, status;

    memset(options_long, 0, sizeof(options_long));
    for (int i = 0; i < OPTION_COUNT; i++) {
        bool argument = *option_texts[i].argument;
        options_long[i] = (struct option){option_texts[i].name, argument, NULL, option_texts[i].letter};
        letters[used++] = option_texts[i].letter;
        if (argument)
            letters[used++] = ':';
    }
    options_long[OPTION_COUNT] = (struct option){"mdoc", 0, NULL, 'M'};
    letters[used] = 0;

    from_environment(options);
    while ((letter = getopt_long(argc, argv, letters, options_long, NULL)) != -1)
        if ((status = take(options, letter, optarg)) != -1)
            return status;
    if (optind >= argc) {
        fprintf(stderr, "fil4prod-record: no command given\n");
        return usage_error();
    }
    options->command = argv + optind;
    return -1;
}
