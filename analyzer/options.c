#include "options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "when.h"

#ifndef F4P_VERSION
#define F4P_VERSION "unknown"
#endif

#define NO no_argument
#define HAS required_argument
#define MAY optional_argument

/* X(ID, name, short, has argument, argument, help); G(heading). The one list of options. */
#define OPTIONS(X, G)                                                                                                 \
    G("Faces")                                                                                                        \
    X(TEXT, "text", 0, MAY, "FILE", "the report as text; the default but on a terminal")                              \
    X(JSON, "json", 0, MAY, "FILE", "everything as JSON, schema fil4prod.analysis/1")                                 \
    G("When")                                                                                                         \
    X(AT, "at", 0, HAS, "WHEN", "the heap at: peak, end, 50%, 1h58m, end-30s, an RFC 3339 time")                      \
    X(DIFF, "diff", 0, HAS, "A..B", "what changed between two instants")                                              \
    X(BASE, "base", 0, HAS, "OLD.bin", "what changed since another run's trace")                                      \
    G("What")                                                                                                         \
    X(PID, "pid", 0, HAS, "PID", "only this process")                                                                 \
    X(THREAD, "thread", 0, HAS, "REGEX", "only threads whose name matches, or with this id")                          \
    X(FOCUS, "focus", 0, HAS, "REGEX", "only stacks with a frame that matches")                                       \
    X(IGNORE, "ignore", 0, HAS, "REGEX", "no stacks with a frame that matches")                                       \
    X(HIDE, "hide", 0, HAS, "REGEX", "stacks without the frames that match")                                          \
    X(SHOW_FROM, "show-from", 0, HAS, "REGEX", "stacks from the outermost frame that matches")                        \
    X(GROUP_BY, "group-by", 0, HAS, "WHAT", "function, line, file, library, thread, process or stack")                \
    X(METRIC, "metric", 0, HAS, "WHAT", "order by bytes (default) or blocks")                                         \
    X(TOP, "top", 0, HAS, "N", "the N largest, the others as one; 0: all")                                            \
    X(UNITS, "units", 0, HAS, "UNITS", "iec (K = 1024, default), si (K = 1000) or bytes")                             \
    X(SOURCE, "source", 0, HAS, "WHAT", "lines (default) or none: show source lines in the text")                     \
    G("Symbols of native frames")                                                                                     \
    X(SYMBOLS, "symbols", 0, HAS, "WHAT", "auto (default): look into the files of modules too; none: the trace only") \
    X(PATH_MAP, "path-map", 0, HAS, "A=B", "look for modules whose path begins with A under B; may be repeated")      \
    X(PACK, "pack", 0, HAS, "OUT", "write the trace to OUT with its symbols in it; its own name: in place")           \
    G("Gates: exit status 1 when the estimate less two standard errors is over the limit")                            \
    X(FAIL_PEAK, "fail-if-peak-over", 0, HAS, "SIZE", "heap at the peak; 90%: of the cgroup's limit")                 \
    X(FAIL_END, "fail-if-end-over", 0, HAS, "SIZE", "heap at the end; likewise")                                      \
    X(FAIL_GROWTH, "fail-if-growth-over", 0, HAS, "RATE", "growth over the second half of the run: 1G/h, 10M/min")    \
    X(FAIL_IF, "fail-if", 0, HAS, "focus:RE>SIZE", "bytes at the peak in stacks with a frame that matches")           \
    G("Other")                                                                                                        \
    X(OUTPUT, "output", 'o', HAS, "FILE", "write the report there instead of to standard output")                     \
    X(FORCE, "force", 0, NO, NULL, "overwrite existing files")                                                        \
    X(STRICT, "strict", 0, NO, NULL, "a torn tail or lost samples are damage too (exit status 4)")                    \
    X(QUIET, "quiet", 'q', NO, NULL, "no warnings")                                                                   \
    X(VERBOSE, "verbose", 'v', NO, NULL, "longer text: all facts of the trace")                                       \
    X(COLOR, "color", 0, HAS, "WHEN", "auto (default), always or never; NO_COLOR is respected")                       \
    X(CHARSET, "charset", 0, HAS, "SET", "auto (default), utf-8, ascii, or blocks (utf-8 without braille)")           \
    X(FOLLOW, "follow", 0, MAY, "SECONDS", "the job still runs: look again and again (2), until it is over")          \
    X(HELP, "help", 'h', NO, NULL, "this list")                                                                       \
    X(VERSION, "version", 'V', NO, NULL, "version, and what is built in")

enum id {
    ID_NONE = 255, /* beyond every short option */
#define X(id, name, letter, has, argument, help) ID_##id,
#define G(heading)
    OPTIONS(X, G)
#undef X
#undef G
        ID_END
};

struct line {
    const char *name, *argument, *help;
    int letter, has, id;
};

static const struct line lines[] = {
#define X(id, name, letter, has, argument, help) {name, argument, help, letter, has, ID_##id},
#define G(heading) {NULL, NULL, heading, 0, 0, 0},
    OPTIONS(X, G)
#undef X
#undef G
};

enum { LINES = sizeof lines / sizeof lines[0] };

void f4p_options_help(FILE *out)
{
    fprintf(out, "usage: fil4prod-analyze [options] TRACE... | DIRECTORY\n"
                 "What ended a job, and what held its memory: from the trace that fil4prod left.\n");
    for (size_t i = 0; i < LINES; i++) {
        const struct line *line = &lines[i];
        char left[64];
        if (!line->name) {
            fprintf(out, "\n%s\n", line->help);
            continue;
        }
        snprintf(left, sizeof left, "%s--%s%s%s%s", line->letter ? (char[]){'-', (char)line->letter, ' ', 0} : "",
                 line->name,
                 line->has == MAY   ? "[="
                 : line->has == HAS ? "="
                                    : "",
                 line->argument ? line->argument : "", line->has == MAY ? "]" : "");
        fprintf(out, "  %-30s%s\n", left, line->help);
    }
    fprintf(out,
            "\nExit status: 0 ok, 1 a gate failed, 2 usage, 3 not a trace, 4 damaged trace (the report is written),\n"
            "5 output error, 130 interrupted. Manual: fil4prod-analyze(1).\n");
}

void f4p_options_version(FILE *out)
{
    fprintf(out, "fil4prod-analyze %s\ntrace format %d.%d, JSON schema fil4prod.analysis/1\n", F4P_VERSION,
            F4P_VERSION_MAJOR, F4P_VERSION_MINOR);
#ifdef HAVE_NCURSESW
    fprintf(out, "faces: text json tui\nlibraries: lz4 ncursesw regex(POSIX)\n");
#else
    fprintf(out, "faces: text json\nlibraries: lz4 regex(POSIX)\n");
#endif
#ifdef HAVE_LIBDW
    fprintf(out, "native symbols: libdw (ELF symbol tables, DWARF lines and inlined functions)\n");
#else
    fprintf(out, "native symbols: ELF symbol tables only, built without libdw\n");
#endif
    bool readable;
    fprintf(out, "C++ names: %s\n", f4p_symbols_cxx(&readable));
}

__attribute__((format(printf, 1, 2))) static int usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fil4prod-analyze: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("; --help lists the options\n", stderr);
    va_end(arguments);
    return F4P_EXIT_USAGE;
}

/* Index of `value` in a list of words ending with NULL; -1: not in it. */
static int choose(const char *value, const char *const *words)
{
    for (int i = 0; words[i]; i++)
        if (!strcmp(value, words[i]))
            return i;
    return -1;
}

static int parse_number(const char *text, long low, long *value)
{
    char *end;
    *value = strtol(text, &end, 10);
    return *text && !*end && *value >= low && *value <= INT32_MAX ? 0 : -1;
}

/* SIZE or N% */
static int parse_limit(struct f4p_gate_option *gate, const char *text)
{
    size_t length = strlen(text);
    char *end;
    if (length > 1 && text[length - 1] == '%') {
        gate->percent = true;
        gate->limit = strtod(text, &end);
        return end == text + length - 1 && gate->limit >= 0 ? 0 : -1;
    }
    return f4p_parse_bytes(text, length, &gate->limit);
}

/* SIZE/TIME -> bytes per hour */
static int parse_rate(struct f4p_gate_option *gate, const char *text)
{
    static const char *const names[] = {"s", "min", "m", "h", "d", NULL};
    static const double per_hour[] = {3600, 60, 60, 1, 1 / 24.0};
    const char *slash = strchr(text, '/');
    int unit = slash ? choose(slash + 1, names) : -1;
    if (unit < 0 || f4p_parse_bytes(text, (size_t)(slash - text), &gate->limit))
        return -1;
    gate->limit *= per_hour[unit];
    return 0;
}

/* focus:RE>SIZE; the pattern may hold '>' itself */
static int parse_focus(struct f4p_gate_option *gate, const char *text)
{
    const char *over = strrchr(text, '>');
    if (strncmp(text, "focus:", 6) || !over || over - text - 6 <= 0 || over - text - 6 >= (long)sizeof gate->focus)
        return -1;
    memcpy(gate->focus, text + 6, (size_t)(over - text - 6));
    return f4p_parse_bytes(over + 1, strlen(over + 1), &gate->limit);
}

static int add_gate(struct f4p_options *o, enum f4p_gate_kind kind, const char *name, const char *text)
{
    if (o->gate_count == F4P_MAX_GATES)
        return usage("more than %u gates", F4P_MAX_GATES);
    struct f4p_gate_option *gate = &o->gates[o->gate_count++];
    *gate = (struct f4p_gate_option){.kind = kind, .text = text};
    int bad = kind == F4P_GATE_GROWTH  ? parse_rate(gate, text)
              : kind == F4P_GATE_FOCUS ? parse_focus(gate, text)
                                       : parse_limit(gate, text);
    if (!bad)
        return 0;
    return usage("--%s '%s': expected %s", name, text,
                 kind == F4P_GATE_GROWTH  ? "a rate such as 1G/h"
                 : kind == F4P_GATE_FOCUS ? "focus:REGEX>SIZE"
                                          : "a size such as 16G, or 90%");
}

static int set_word(int *target, const char *name, const char *value, const char *const *words)
{
    *target = choose(value, words);
    if (*target >= 0)
        return 0;
    fprintf(stderr, "fil4prod-analyze: --%s '%s': expected", name, value);
    for (int i = 0; words[i]; i++)
        fprintf(stderr, "%s %s", i ? "," : "", words[i]);
    fputs("\n", stderr);
    return F4P_EXIT_USAGE;
}

static int set_choice(struct f4p_options *o, int id, const char *value)
{
    static const char *const groupings[] = {
#define X(name, text) text,
        F4P_GROUPINGS(X)
#undef X
            NULL};
    static const char *const metrics[] = {"bytes", "blocks", NULL}, *const units[] = {"iec", "si", "bytes", NULL},
                             *const sources[] = {"lines", "none", NULL}, *const symbols[] = {"auto", "none", NULL},
                             *const colors[] = {"auto", "always", "never", NULL},
                             *const charsets[] = {"auto", "utf-8", "ascii", "blocks", NULL};
    int choice = 0, status = 0;
    if (id == ID_GROUP_BY) {
        status = set_word(&choice, "group-by", value, groupings);
        o->group_by = (enum f4p_grouping)choice;
        o->grouped = true;
    } else if (id == ID_METRIC) {
        status = set_word(&choice, "metric", value, metrics);
        o->by_blocks = choice == 1;
    } else if (id == ID_UNITS) {
        status = set_word(&choice, "units", value, units);
        o->units = (enum f4p_units)choice;
    } else if (id == ID_SOURCE) {
        status = set_word(&choice, "source", value, sources);
        o->no_source = choice == 1;
    } else if (id == ID_SYMBOLS) {
        status = set_word(&choice, "symbols", value, symbols);
        o->symbols.none = choice == 1;
    } else if (id == ID_COLOR) {
        status = set_word(&choice, "color", value, colors);
        o->color = (enum f4p_color)choice;
    } else {
        status = set_word(&choice, "charset", value, charsets);
        o->charset = (enum f4p_charset)choice;
    }
    return status;
}

static int set_filter(struct f4p_options *o, int id, const char *value)
{
    long pid;
    switch (id) {
    case ID_PID:
        if (parse_number(value, 1, &pid))
            return usage("--pid '%s': expected a process id", value);
        o->filter.pid = (uint32_t)pid;
        return 0;
    case ID_THREAD:
        o->filter.thread = value;
        return 0;
    case ID_FOCUS:
        o->filter.focus = value;
        return 0;
    case ID_IGNORE:
        o->filter.ignore = value;
        return 0;
    case ID_HIDE:
        o->filter.hide = value;
        return 0;
    default:
        o->filter.show_from = value;
        return 0;
    }
}

static int set_instant(struct f4p_options *o, int id, const char *value)
{
    if (id == ID_BASE) {
        o->base = value;
        return 0;
    }
    if (id == ID_DIFF) {
        const char *dots = strstr(value, "..");
        if (!dots || !f4p_when_valid(value, (size_t)(dots - value)) || !f4p_when_valid(dots + 2, strlen(dots + 2)))
            return usage("--diff '%s': expected A..B, each peak, end, 50%%, 1h58m, end-30s or an RFC 3339 time", value);
        o->diff = value;
        return 0;
    }
    if (!f4p_when_valid(value, strlen(value)))
        return usage("--at '%s': expected peak, end, 50%%, 1h58m, end-30s or an RFC 3339 time", value);
    if (o->at_count == F4P_MAX_INSTANTS)
        return usage("more than %u instants", F4P_MAX_INSTANTS);
    o->at[o->at_count++] = value;
    return 0;
}

static int set_option(struct f4p_options *o, int id, const char *value)
{
    switch (id) {
    case ID_TEXT:
        o->text = value ? value : "-";
        return 0;
    case ID_JSON:
        o->json = value ? value : "-";
        return 0;
    case ID_AT:
    case ID_DIFF:
    case ID_BASE:
        return set_instant(o, id, value);
    case ID_PID:
    case ID_THREAD:
    case ID_FOCUS:
    case ID_IGNORE:
    case ID_HIDE:
    case ID_SHOW_FROM:
        return set_filter(o, id, value);
    case ID_PATH_MAP:
        if (!strchr(value, '=') || *value == '=')
            return usage("--path-map '%s': expected A=B", value);
        if (o->symbols.path_map_count == F4P_MAX_PATH_MAPS)
            return usage("more than %u path maps", F4P_MAX_PATH_MAPS);
        o->symbols.path_maps[o->symbols.path_map_count++] = value;
        return 0;
    case ID_PACK:
        o->pack = value;
        return 0;
    case ID_TOP:
        return parse_number(value, 0, &o->top) ? usage("--top '%s': expected a number, 0 for all", value) : 0;
    case ID_FAIL_PEAK:
        return add_gate(o, F4P_GATE_PEAK, "fail-if-peak-over", value);
    case ID_FAIL_END:
        return add_gate(o, F4P_GATE_END, "fail-if-end-over", value);
    case ID_FAIL_GROWTH:
        return add_gate(o, F4P_GATE_GROWTH, "fail-if-growth-over", value);
    case ID_FAIL_IF:
        return add_gate(o, F4P_GATE_FOCUS, "fail-if", value);
    case ID_FORCE:
        o->force = true;
        return 0;
    case ID_STRICT:
        o->strict = true;
        return 0;
    case ID_QUIET:
        o->quiet = true;
        return 0;
    case ID_VERBOSE:
        o->verbose++;
        return 0;
    case ID_FOLLOW:
        o->follow = true;
        o->follow_s = 2;
        return value && parse_number(value, 1, &o->follow_s) ? usage("--follow '%s': expected seconds", value) : 0;
    default:
        return set_choice(o, id, value);
    }
}

/* -o names the file of the one face that would go to standard output. */
static int place_output(struct f4p_options *o, const char *output)
{
    const char **face = o->json && !strcmp(o->json, "-") ? &o->json : &o->text;
#ifdef HAVE_NCURSESW
    const char *term = getenv("TERM");
    o->tui = !o->text && !o->json && !o->pack && !output && !o->gate_count && isatty(STDIN_FILENO) &&
             isatty(STDOUT_FILENO) && term && *term && strcmp(term, "dumb");
#endif
    if (!o->text && !o->json && !o->tui && !o->pack)
        o->text = "-";
    if (o->follow && o->pack)
        return usage("--pack is for a job that is over, --follow for one that runs");
    if (o->tui)
        return 0;
    if (o->text && o->json && !strcmp(o->text, o->json))
        return usage("--text and --json both go to %s: give one of them a file",
                     strcmp(o->text, "-") ? o->text : "standard output");
    if (!output)
        return 0;
    if (!*face || strcmp(*face, "-"))
        return usage("-o %s: no face is left for it", output);
    *face = output;
    return 0;
}

static size_t fill_getopt(struct option *options, char *letters)
{
    size_t count = 0;
    for (size_t i = 0; i < LINES; i++) {
        if (!lines[i].name)
            continue;
        options[count++] = (struct option){lines[i].name, lines[i].has, NULL, lines[i].id};
        if (!lines[i].letter)
            continue;
        *letters++ = (char)lines[i].letter;
        if (lines[i].has == HAS)
            *letters++ = ':';
    }
    *letters = '\0';
    options[count] = (struct option){0};
    return count;
}

static int id_of(int found)
{
    for (size_t i = 0; i < LINES; i++)
        if (lines[i].name && lines[i].letter == found && found < ID_NONE)
            return lines[i].id;
    return found;
}

int f4p_options_parse(struct f4p_options *options, int argc, char **argv)
{
    struct option table[LINES + 1];
    char letters[2 * LINES + 1];
    const char *output = NULL;
    int found, status;
    *options = (struct f4p_options){.top = -1};
    fill_getopt(table, letters);
    optind = 0;
    while ((found = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        int id = id_of(found);
        if (found == '?') {
            fputs("fil4prod-analyze: --help lists the options\n", stderr);
            return F4P_EXIT_USAGE;
        }
        if (id == ID_HELP || id == ID_VERSION) {
            (id == ID_HELP ? f4p_options_help : f4p_options_version)(stdout);
            options->done = true;
            return 0;
        }
        if (id == ID_OUTPUT)
            output = optarg;
        else if ((status = set_option(options, id, optarg)))
            return status;
    }
    options->paths = argv + optind;
    options->path_count = (size_t)(argc - optind);
    if (!options->path_count)
        return usage("no trace given");
    return place_output(options, output);
}
