/* Settings: what the one table accepts, from text and from the environment, and what a process makes of it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/config.h"
#include "recorder/job.h"
#include "recorder/names.h"
#include "recorder/record_options.h"
#include "recorder/say.h"
#include "tests/support_run.h"

static struct f4p_config config;

static bool set(enum f4p_setting setting, const char *text)
{
    return f4p_config_set(&config, setting, text);
}

START_TEST(test_config_accepts)
{
    f4p_config_defaults(&config);
    ck_assert(set(F4P_SETTING_SIZE, "1M"));
    ck_assert_uint_eq(config.size, 1 << 20);
    ck_assert(set(F4P_SETTING_SIZE, "2GiB"));
    ck_assert_uint_eq(config.size, 2ull << 30);
    ck_assert(set(F4P_SETTING_INTERVAL, "4K"));
    ck_assert_uint_eq(config.interval, 4096);
    ck_assert(!config.automatic);
    ck_assert(set(F4P_SETTING_INTERVAL, "auto"));
    ck_assert_uint_eq(config.interval, F4P_AUTO_INTERVAL);
    ck_assert(config.automatic);
    ck_assert(set(F4P_SETTING_CPU_BUDGET, "0.5%"));
    ck_assert_uint_eq(config.cpu_budget, 5);
    ck_assert(set(F4P_SETTING_CPU_BUDGET, "100"));
    ck_assert_uint_eq(config.cpu_budget, 1000);
    ck_assert(set(F4P_SETTING_MIN_HEAP, "0"));
    ck_assert_uint_eq(config.min_heap, 0);
    ck_assert(set(F4P_SETTING_CHILDREN, "no"));
    ck_assert(!config.children);
    ck_assert(set(F4P_SETTING_CHILDREN, "1"));
    ck_assert(config.children);
    ck_assert(set(F4P_SETTING_KEEP, "on-failure"));
    ck_assert_uint_eq(config.keep_over, F4P_KEEP_ON_FAILURE);
    ck_assert(set(F4P_SETTING_KEEP, "over=1G"));
    ck_assert_uint_eq(config.keep_over, 1 << 30);
    ck_assert(set(F4P_SETTING_KEEP, "always"));
    ck_assert_uint_eq(config.keep_over, F4P_KEEP_ALWAYS);
    ck_assert(set(F4P_SETTING_MAX_TRACES, "12"));
    ck_assert_uint_eq(config.max_traces, 12);
    ck_assert(set(F4P_SETTING_QUIET, "1"));
    ck_assert(config.quiet);
    ck_assert(set(F4P_SETTING_QUIET, "0"));
    ck_assert(!config.quiet);
}
END_TEST

START_TEST(test_config_refuses)
{
    static const struct {
        enum f4p_setting setting;
        const char *text;
    } bad[] = {
        {F4P_SETTING_OUTPUT, ""},
        {F4P_SETTING_OUTPUT, "a%x"},
        {F4P_SETTING_SIZE, "1K"},
        {F4P_SETTING_SIZE, "2T"},
        {F4P_SETTING_SIZE, "-1M"},
        {F4P_SETTING_INTERVAL, "0"},
        {F4P_SETTING_INTERVAL, "2T"},
        {F4P_SETTING_INTERVAL, "Auto"},
        {F4P_SETTING_CPU_BUDGET, "0"},
        {F4P_SETTING_CPU_BUDGET, "100.1"},
        {F4P_SETTING_CPU_BUDGET, "1."},
        {F4P_SETTING_CPU_BUDGET, "0.55"},
        {F4P_SETTING_CPU_BUDGET, "1e1"},
        {F4P_SETTING_CPU_BUDGET, "%"},
        {F4P_SETTING_CPU_BUDGET, "-1"},
        {F4P_SETTING_NATIVE, "some"},
        {F4P_SETTING_CHILDREN, "maybe"},
        {F4P_SETTING_CHILDREN, ""},
        {F4P_SETTING_MAX_TRACES, "0"},
        {F4P_SETTING_MAX_TRACES, "1K"},
        {F4P_SETTING_MAX_TRACES, "1000001"},
        {F4P_SETTING_MAX_TOTAL, "1K"},
        {F4P_SETTING_KEEP, "never"},
        {F4P_SETTING_KEEP, "over"},
        {F4P_SETTING_KEEP, "over="},
        {F4P_SETTING_KEEP, "over=x"},
        {F4P_SETTING_KEEP, "on-failure "},
        {F4P_SETTING_MIN_HEAP, "99999999T"},
    };
    static struct f4p_config before;
    static char text[2 * PATH_MAX];

    f4p_config_defaults(&config);
    f4p_config_defaults(&before);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!set(bad[i].setting, bad[i].text), "%s %s", f4p_setting_texts[bad[i].setting].option,
                      bad[i].text);
        ck_assert_msg(memcmp((unsigned char *)&config, (unsigned char *)&before, sizeof(config)) == 0,
                      "%s changed something", bad[i].text);
    }
    memset(text, 'a', sizeof(text) - 1);
    ck_assert(!set(F4P_SETTING_OUTPUT, text));
    ck_assert(!set(F4P_SETTING_COMMANDS, text));
    text[F4P_LIST_BYTES - 1] = 0;
    ck_assert(set(F4P_SETTING_COMMANDS, text));
    ck_assert(set(F4P_SETTING_SIZE, "1M"));
    ck_assert_int_ne(memcmp((unsigned char *)&config, (unsigned char *)&before, sizeof(config)), 0); /* the control */
}
END_TEST

/* What the launcher writes into the environment is what the library reads. */
START_TEST(test_config_text_and_back)
{
    static const char *const values[F4P_SETTING_COUNT][3] = {
        [F4P_SETTING_QUIET] = {"1", "0"},
        [F4P_SETTING_OUTPUT] = {"/d/%c.%p", "t"},
        [F4P_SETTING_SIZE] = {"1M", "1T"},
        [F4P_SETTING_INTERVAL] = {"auto", "1", "1T"},
        [F4P_SETTING_CPU_BUDGET] = {"0.1", "12.5", "100"},
        [F4P_SETTING_NATIVE] = {"leaf", "full", "off"},
        [F4P_SETTING_MIN_HEAP] = {"0", "18446744073709551615"},
        [F4P_SETTING_CHILDREN] = {"yes", "no"},
        [F4P_SETTING_PYTHON_OBJECTS] = {"yes", "no"},
        [F4P_SETTING_COMMANDS] = {"", "a,b*"},
        [F4P_SETTING_MAX_TRACES] = {"1", "1000000"},
        [F4P_SETTING_MAX_TOTAL] = {"1M", "18446744073709551615"},
        [F4P_SETTING_KEEP] = {"always", "on-failure", "over=0"},
        [F4P_SETTING_REDACT] = {"no", "a,b"},
    };
    static struct f4p_config again;
    char text[PATH_MAX];

    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        ck_assert_msg(values[i][0] && values[i][1], "no values for --%s", f4p_setting_texts[i].option);
        for (int v = 0; v < 3 && values[i][v]; v++) {
            f4p_config_defaults(&config);
            f4p_config_defaults(&again);
            ck_assert_msg(set((enum f4p_setting)i, values[i][v]), "%s", values[i][v]);
            f4p_config_text(&config, (enum f4p_setting)i, text, sizeof(text));
            ck_assert_msg(f4p_config_set(&again, (enum f4p_setting)i, text), "%s", text);
            ck_assert_msg(memcmp((unsigned char *)&config, (unsigned char *)&again, sizeof(config)) == 0, "--%s %s: %s",
                          f4p_setting_texts[i].option, values[i][v], text);
        }
    }
}
END_TEST

static void clear(void)
{
    for (int i = 0; i < F4P_SETTING_COUNT; i++)
        unsetenv(f4p_setting_texts[i].variable);
    unsetenv("FIL4PROD_EXACT");
    unsetenv("FIL4PROD_JOB");
    unsetenv("FIL4PROD_ATTACH");
}

/* What was written on stderr while the library's settings were read. */
static const char *read_settings(void)
{
    static char said[1024];
    int ends[2], kept = dup(2);

    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], 2);
    f4p_say_start();
    f4p_config_read(&config);
    dup2(kept, 2);
    close(ends[1]);
    ssize_t bytes = read(ends[0], said, sizeof(said) - 1);
    said[bytes > 0 ? bytes : 0] = 0;
    close(ends[0]);
    close(kept);
    return said;
}

START_TEST(test_config_environment)
{
    clear();
    setenv("FIL4PROD_SIZE", "2M", 1);
    setenv("FIL4PROD_OUTPUT", "/t/%p", 1);
    setenv("FIL4PROD_KEEP", "", 1); /* empty: not set */
    ck_assert_str_eq(read_settings(), "");
    ck_assert(config.record);
    ck_assert_uint_eq(config.size, 2 << 20);
    ck_assert_str_eq(config.output, "/t/%p");
    ck_assert_str_eq(config.command, f4p_names_base((const char *)getauxval(AT_EXECFN)));
    setenv("FIL4PROD_EXACT", "1", 1);
    read_settings();
    ck_assert_uint_eq(config.interval, 1);
    ck_assert(!config.automatic);
    setenv("FIL4PROD_EXACT", "0", 1);
    read_settings();
    ck_assert(config.automatic);
}
END_TEST

START_TEST(test_config_environment_bad)
{
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        if (i == F4P_SETTING_QUIET || i == F4P_SETTING_COMMANDS || i == F4P_SETTING_REDACT)
            continue; /* take nearly everything */
        const struct f4p_setting_text *text = &f4p_setting_texts[i];
        char want[256];
        clear();
        setenv(text->variable, "%x", 1);
        snprintf(want, sizeof(want), "fil4prod: %s=%%x is %s; this process is not recorded\n", text->variable,
                 text->want);
        ck_assert_str_eq(read_settings(), want);
        ck_assert(!config.record);
        setenv("FIL4PROD_QUIET", "1", 1);
        ck_assert_str_eq(read_settings(), "");
        ck_assert(!config.record);
    }
    clear();
    ck_assert_str_eq(read_settings(), "");
    ck_assert(config.record);
}
END_TEST

START_TEST(test_config_who_is_meant)
{
    char attach[64];

    clear();
    setenv("FIL4PROD_CHILDREN", "no", 1);
    read_settings();
    ck_assert(config.record); /* no launcher: nobody knows whose child this is */
    snprintf(attach, sizeof(attach), "%d:/t/trace", getpid());
    setenv("FIL4PROD_ATTACH", attach, 1);
    read_settings();
    ck_assert(config.record);
    snprintf(attach, sizeof(attach), "%d:/t/trace", getpid() + 1);
    setenv("FIL4PROD_ATTACH", attach, 1);
    ck_assert_str_eq(read_settings(), "");
    ck_assert(!config.record);
    setenv("FIL4PROD_CHILDREN", "yes", 1);
    read_settings();
    ck_assert(config.record);
    setenv("FIL4PROD_COMMANDS", "python*,sh", 1);
    ck_assert_str_eq(read_settings(), "");
    ck_assert(!config.record);
    setenv("FIL4PROD_COMMANDS", "python*,check_c*", 1);
    read_settings();
    ck_assert(config.record);
}
END_TEST

START_TEST(test_config_name)
{
    char directory[] = "/tmp/f4p-config.XXXXXX", path[PATH_MAX], want[PATH_MAX];

    clear();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    setenv("FIL4PROD_OUTPUT", "t", 1);
    read_settings();
    ck_assert_int_eq(f4p_config_name(&config, 7, false, path), 0);
    snprintf(want, sizeof(want), "%s/t", directory);
    ck_assert_str_eq(path, want);
    snprintf(want, sizeof(want), "%s/t.7", directory);
    ck_assert_int_eq(f4p_config_name(&config, 7, true, path), 0);
    ck_assert_str_eq(path, want); /* a child's */
    close(open("t", O_CREAT | O_WRONLY, 0600));
    ck_assert_int_eq(f4p_config_name(&config, 7, false, path), 0);
    ck_assert_str_eq(path, want); /* taken */
    setenv("FIL4PROD_ATTACH", "6:/x/job.bin.1", 1);
    read_settings();
    ck_assert_int_eq(f4p_config_name(&config, 7, false, path), 0);
    ck_assert_str_eq(path, "/x/job.bin.1.7"); /* beside its parent's */
    setenv("FIL4PROD_OUTPUT", "/y/%p", 1);
    read_settings();
    ck_assert_int_eq(f4p_config_name(&config, 7, true, path), 0);
    ck_assert_str_eq(path, "/y/7"); /* has one of its own */
    ck_assert_int_eq(unlink("t"), 0);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

/* The id that a child derives which did `before` first. */
static void derive_in_child(int (*before)(void), uint8_t id[16])
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t mine[16] = {0};
        if (before)
            before();
        _exit(f4p_job_derive(mine) && write(ends[1], mine, 16) == 16 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(read(ends[0], id, 16), 16);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    close(ends[0]);
    close(ends[1]);
}

static int new_group(void)
{
    return setpgid(0, 0);
}

START_TEST(test_config_job_of_group)
{
    uint8_t own[16], child[16], other[16];

    ck_assert(f4p_job_derive(own));
    derive_in_child(NULL, child);
    ck_assert_mem_eq(own, child, 16);
    derive_in_child(new_group, other);
    ck_assert_mem_ne(own, other, 16);
}
END_TEST

START_TEST(test_config_job_of_environment)
{
    uint8_t id[16];

    clear();
    ck_assert(!f4p_config_job(id));
    setenv("FIL4PROD_JOB", "00112233445566778899aAbBcCdDeEfF", 1);
    ck_assert(f4p_config_job(id));
    for (int i = 0; i < 16; i++)
        ck_assert_uint_eq(id[i], 0x11u * (unsigned)i);
    setenv("FIL4PROD_JOB", "00112233445566778899aAbBcCdDeEfg", 1);
    ck_assert(!f4p_config_job(id));
    setenv("FIL4PROD_JOB", "0011", 1);
    ck_assert(!f4p_config_job(id));
}
END_TEST

/* Each setting can be given on the command line, and reaches the command's environment. */
START_TEST(test_config_options_export)
{
    static struct f4p_launch_options options;
    static char argument[F4P_SETTING_COUNT][64];
    static const char *const values[F4P_SETTING_COUNT] = {
        [F4P_SETTING_OUTPUT] = "x.bin",   [F4P_SETTING_SIZE] = "2097152",      [F4P_SETTING_INTERVAL] = "4096",
        [F4P_SETTING_CPU_BUDGET] = "2.5", [F4P_SETTING_NATIVE] = "full",       [F4P_SETTING_MIN_HEAP] = "7",
        [F4P_SETTING_CHILDREN] = "no",    [F4P_SETTING_PYTHON_OBJECTS] = "no", [F4P_SETTING_COMMANDS] = "a*",
        [F4P_SETTING_MAX_TRACES] = "3",   [F4P_SETTING_MAX_TOTAL] = "9999999", [F4P_SETTING_KEEP] = "on-failure",
        [F4P_SETTING_REDACT] = "pin",
    };
    char *argv[F4P_SETTING_COUNT + 3] = {"fil4prod-record"};
    int argc = 1;

    clear();
    setenv("FIL4PROD_EXACT", "1", 1); /* --interval wins */
    for (int i = 0; i < F4P_SETTING_COUNT; i++) {
        const char *option = f4p_setting_texts[i].option;
        snprintf(argument[i], sizeof(argument[i]), values[i] ? "--%s=%s" : "--%s", option, values[i]);
        argv[argc++] = argument[i];
    }
    argv[argc++] = "command";
    ck_assert_int_eq(f4p_launch_options_parse(&options, argc, argv), -1);
    f4p_launch_options_export(&options.config);
    for (int i = 0; i < F4P_SETTING_COUNT; i++)
        if (i != F4P_SETTING_OUTPUT)
            ck_assert_str_eq(getenv(f4p_setting_texts[i].variable), values[i] ? values[i] : "1");
    ck_assert_ptr_null(getenv("FIL4PROD_EXACT"));
    ck_assert_str_eq(options.config.output, "x.bin");
}
END_TEST

/* What was wrong in the launcher's environment must not keep the library from recording; what is usual stays away. */
START_TEST(test_config_export_mends)
{
    static struct f4p_launch_options options;
    char *argv[] = {"fil4prod-record", "-q", "command", NULL};

    clear();
    setenv("FIL4PROD_SIZE", "lots", 1);
    setenv("FIL4PROD_QUIET", "1", 1);
    ck_assert_int_eq(f4p_launch_options_parse(&options, 3, argv), -1);
    f4p_launch_options_export(&options.config);
    ck_assert_str_eq(getenv("FIL4PROD_SIZE"), "67108864");
    ck_assert_ptr_null(getenv("FIL4PROD_KEEP"));
    read_settings();
    ck_assert(config.record);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *core = tcase_create("core");

    tcase_add_test(core, test_config_accepts);
    tcase_add_test(core, test_config_refuses);
    tcase_add_test(core, test_config_text_and_back);
    tcase_add_test(core, test_config_environment);
    tcase_add_test(core, test_config_environment_bad);
    tcase_add_test(core, test_config_who_is_meant);
    tcase_add_test(core, test_config_name);
    tcase_add_test(core, test_config_job_of_group);
    tcase_add_test(core, test_config_job_of_environment);
    tcase_add_test(core, test_config_options_export);
    tcase_add_test(core, test_config_export_mends);
    suite_add_tcase(suite, core);
    return support_run(suite);
}
