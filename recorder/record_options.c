#include "recorder/record_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Besides the settings. Q(letter, name, help) */
#define OPTIONS(Q)                                                                         \
    Q('v', "verbose", "print a line also when the command ended well or failed by itself") \
    Q('h', "help", "print this help")                                                      \
    Q('V', "version", "print the version")

static const struct option_text {
    char letter;
    const char *name, *help;
} option_texts[] = {
#define Q(letter, name, help) {letter, name, help},
    OPTIONS(Q)
#undef Q
};
enum { OPTION_COUNT = sizeof(option_texts) / sizeof(option_texts[0]) };

static const struct variable_text {
    const char *name, *value, *help;
} variable_texts[] = {
#define Q(name, value, help) {name, value, help},
    F4P_VARIABLES(Q)
#undef Q
};
enum { VARIABLE_COUNT = sizeof(variable_texts) / sizeof(variable_texts[0]) };

enum { FIRST_LONG = 256 }; /* + enum f4p_setting: settings without a letter */

static const char usage[] = "usage: fil4prod-record [options] [--] command [argument ...]\n";

static void print_item(const char *left, const char *help)
{
    if (strlen(left) > 28)
        printf("  %s\n  %-28s %s\n", left, "", help);
    else
        printf("  %-28s %s\n", left, help);
}

static void print_help(void)
{
    char left[80];

    printf("%sRuns a command and records what holds its memory.\n\nOptions:\n", usage);
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const struct f4p_setting_text *s = &f4p_setting_texts[i];
        char letter[] = {'-', s->letter, ',', ' ', 0};
        snprintf(left, sizeof(left), "%s--%s%s%s", s->letter ? letter : "", s->option, *s->argument ? " " : "",
                 s->argument);
        print_item(left, s->help);
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        snprintf(left, sizeof(left), "-%c, --%s", option_texts[i].letter, option_texts[i].name);
        print_item(left, option_texts[i].help);
    }
    printf("\nEnvironment:\n");
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const struct f4p_setting_text *s = &f4p_setting_texts[i];
        printf("  %-28s like --%s\n", s->variable, s->option);
    }
    for (int i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable_text *v = &variable_texts[i];
        snprintf(left, sizeof(left), "FIL4PROD_%s=%s", v->name, v->value);
        print_item(left, v->help);
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
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const struct f4p_setting_text *s = &f4p_setting_texts[i];
        const char *mark = *s->argument ? " Ar " : "";
        if (s->letter)
            printf(".It Fl %c%s%s , Fl -%s%s%s\n", s->letter, mark, s->argument, s->option, mark, s->argument);
        else
            printf(".It Fl -%s%s%s\n", s->option, mark, s->argument);
        print_wrapped(s->help);
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        printf(".It Fl %c , Fl -%s\n", option_texts[i].letter, option_texts[i].name);
        print_wrapped(option_texts[i].help);
    }
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const struct f4p_setting_text *s = &f4p_setting_texts[i];
        printf(".It Ev %s Ns = Ns Ar %s\nlike\n.Fl -%s .\n", s->variable, *s->argument ? s->argument : "1", s->option);
    }
    for (int i = 0; i < VARIABLE_COUNT; i++) {
        const struct variable_text *v = &variable_texts[i];
        printf(".It Ev FIL4PROD_%s Ns = Ns Ar %s\n", v->name, v->value);
        print_wrapped(v->help);
    }
}

void f4p_launch_options_export(const struct f4p_config *config)
{
    static struct f4p_config standard;
    char text[F4P_LIST_BYTES], usual[F4P_LIST_BYTES];

    f4p_config_defaults(&standard);
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const char *variable = f4p_setting_texts[i].variable;
        if (i == F4P_SETTING_OUTPUT)
            continue;
        f4p_config_text(config, (enum f4p_setting)i, text, sizeof(text));
        f4p_config_text(&standard, (enum f4p_setting)i, usual, sizeof(usual));
        if (strcmp(text, usual) != 0 || getenv(variable))
            setenv(variable, text, 1);
    }
    unsetenv("FIL4PROD_EXACT"); /* FIL4PROD_INTERVAL says it */
}

/* A wrong variable must not keep the job from running. */
static void from_environment(struct f4p_launch_options *options)
{
    const char *library = getenv("FIL4PROD_LIBRARY");

    f4p_config_defaults(&options->config);
    f4p_config_environment(&options->config, "; without it the command is recorded");
    if (library && *library)
        options->library = library;
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

static int take_setting(struct f4p_launch_options *options, enum f4p_setting setting, const char *argument)
{
    const struct f4p_setting_text *text = &f4p_setting_texts[setting];

    if (f4p_config_set(&options->config, setting, *text->argument ? argument : "1"))
        return -1;
    fprintf(stderr, "fil4prod-record: --%s %s: %s\n", text->option, argument, text->want);
    return F4P_LAUNCH_EXIT_USAGE;
}

/* One option; -1 to go on. */
static int take(struct f4p_launch_options *options, int letter, const char *argument)
{
    if (letter >= FIRST_LONG)
        return take_setting(options, (enum f4p_setting)(letter - FIRST_LONG), argument);
    switch (letter) {
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
        break;
    }
    for (int i = 0; i < F4P_SETTING_COUNT; i++)
        if (f4p_setting_texts[i].letter == letter)
            return take_setting(options, (enum f4p_setting)i, argument);
    return usage_error();
}

int f4p_launch_options_parse(struct f4p_launch_options *options, int argc, char **argv)
{
    struct option options_long[F4P_SETTING_COUNT + OPTION_COUNT + 2];
    char letters[2 * (F4P_SETTING_COUNT + OPTION_COUNT) + 2] = "+"; /* options end where the command begins */
    size_t used = 1, count = 0;
    int letter, status;

    memset(options_long, 0, sizeof(options_long));
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const struct f4p_setting_text *s = &f4p_setting_texts[i];
        options_long[count++] = (struct option){s->option, *s->argument != 0, NULL, FIRST_LONG + i};
        if (s->letter)
            letters[used++] = s->letter;
        if (s->letter && *s->argument)
            letters[used++] = ':';
    }
    for (int i = 0; i < OPTION_COUNT; i++) {
        options_long[count++] = (struct option){option_texts[i].name, 0, NULL, option_texts[i].letter};
        letters[used++] = option_texts[i].letter;
    }
    options_long[count] = (struct option){"mdoc", 0, NULL, 'M'};
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
