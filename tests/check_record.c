/* The launcher's half of a trace, read by the real reader; its options, its look at programs, its closing line. */
#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/layout.h"
#include "format/reader.h"
#include "recorder/record_options.h"
#include "recorder/record_program.h"
#include "recorder/record_report.h"
#include "recorder/record_trace.h"
#include "recorder/record_watch.h"
#include "recorder/vitals.h"
#include "tests/support_run.h"

#define MIB (1ull << 20)

static char directory[64];
static struct f4p_launch_trace trace;
static struct f4p_launch_options options;

static void setup(void)
{
    const char *warning;

    strcpy(directory, "/tmp/f4p-record.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    f4p_config_defaults(&options.config);
    ck_assert(f4p_config_set(&options.config, F4P_SETTING_OUTPUT, "t.bin"));
    ck_assert(f4p_config_set(&options.config, F4P_SETTING_SIZE, "1M"));
    ck_assert_int_eq(f4p_launch_trace_create(&trace, &options, &warning), 0);
}

static void teardown(void)
{
    char command[128];
    ck_assert_int_eq(chdir("/"), 0);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static struct f4p_trace *open_trace(void)
{
    struct f4p_trace *opened;
    struct f4p_error error;
    int result = f4p_trace_open("t.bin", &opened, &error);

    ck_assert_msg(result == 0, "%s", error.text);
    return opened;
}

START_TEST(test_record_facts)
{
    char *command[] = {"python3", "-c", "a b", "", NULL};
    uint64_t value;

    f4p_launch_trace_fact_list(&trace, F4P_FACT_ID_COMMAND, command);
    f4p_launch_trace_fact_text(&trace, F4P_FACT_ID_CGROUP, "/first");
    f4p_launch_trace_fact_u64(&trace, F4P_FACT_ID_PID, 4711);
    f4p_launch_trace_commit(&trace);
    f4p_launch_trace_fact_text(&trace, F4P_FACT_ID_CGROUP, "/moved");
    f4p_launch_trace_commit(&trace);
    f4p_launch_trace_fact_u64(&trace, F4P_FACT_ID_PID, 9); /* never committed */

    struct f4p_trace *t = open_trace();
    ck_assert(t->has_launch);
    ck_assert_uint_eq(t->header->flags, F4P_HEADER_LAUNCHER | F4P_HEADER_AUTO_INTERVAL);
    const char *const *list = f4p_trace_fact_list(t, F4P_FACT_ID_COMMAND);
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(list[i], command[i]);
    ck_assert_ptr_null(list[4]);
    ck_assert_str_eq(f4p_trace_fact_text(t, F4P_FACT_ID_CGROUP), "/moved");
    ck_assert(f4p_trace_fact_u64(t, F4P_FACT_ID_PID, &value));
    ck_assert_uint_eq(value, 4711);
    ck_assert_uint_eq(t->damage.torn_bytes, 0);
    ck_assert_uint_eq(t->damage.bad_records, 0);
    f4p_trace_close(t);
}
END_TEST

START_TEST(test_record_area_full)
{
    static char text[3000];
    struct f4p_process process = {.pid = 5, .ppid = 4, .t_ns = 3, .max_rss = 2, .wait_status = -1};

    f4p_launch_trace_add(&trace, F4P_RECORD_PROCESS, &process, sizeof(process), "worker");
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 100; i++)
        f4p_launch_trace_add(&trace, F4P_RECORD_LOG, NULL, 0, text);
    f4p_launch_trace_commit(&trace);

    struct f4p_trace *t = open_trace();
    ck_assert_uint_eq(t->damage.bad_records, 0);
    ck_assert_uint_ge(t->log_count, 10); /* what fits */
    ck_assert_uint_lt(t->log_count, 100);
    ck_assert_str_eq(t->logs[t->log_count - 1], text);
    ck_assert_uint_eq(t->process_count, 1);
    ck_assert_uint_eq(t->processes[0].pid, 5);
    ck_assert_str_eq(t->processes[0].command, "worker");
    f4p_trace_close(t);
}
END_TEST

START_TEST(test_record_long_text_is_cut)
{
    static char text[100000];
    char *command[] = {text, text, NULL};

    memset(text, 'y', sizeof(text) - 1);
    f4p_launch_trace_fact_list(&trace, F4P_FACT_ID_COMMAND, command);
    f4p_launch_trace_fact_text(&trace, F4P_FACT_ID_CWD, text);
    f4p_launch_trace_commit(&trace);
    struct f4p_trace *t = open_trace();
    ck_assert_uint_eq(t->damage.bad_records, 0);
    ck_assert_uint_ge(strlen(f4p_trace_fact_text(t, F4P_FACT_ID_CWD)), 4096);
    ck_assert_uint_ge(strlen(f4p_trace_fact_list(t, F4P_FACT_ID_COMMAND)[0]), 4096);
    f4p_trace_close(t);
}
END_TEST

START_TEST(test_record_state_and_vitals)
{
    struct f4p_vitals facts = {0};
    uint64_t value;

    f4p_vitals_set(&facts, F4P_VITAL_rss, 1);
    f4p_launch_trace_vitals(&trace, F4P_LAUNCH_FIRST, &facts);
    for (uint64_t i = 2; i < 7; i++) {
        f4p_vitals_set(&facts, F4P_VITAL_rss, i);
        f4p_launch_trace_vitals(&trace, F4P_LAUNCH_LAST, &facts);
        trace.state.samples = i;
        f4p_launch_trace_commit(&trace);
    }
    struct f4p_trace *t = open_trace();
    ck_assert_uint_eq(t->launch.samples, 6);
    ck_assert_uint_eq(t->launch.status, F4P_LAUNCH_RUNNING);
    ck_assert(f4p_vitals_get(t->launch_first, F4P_VITAL_rss, &value));
    ck_assert_uint_eq(value, 1);
    ck_assert(f4p_vitals_get(t->launch_last, F4P_VITAL_rss, &value));
    ck_assert_uint_eq(value, 6);
    ck_assert_ptr_null(t->launch_end);
    f4p_trace_close(t);

    trace.state.status = F4P_LAUNCH_ENDED;
    trace.state.wait_status = SIGKILL;
    f4p_launch_trace_vitals(&trace, F4P_LAUNCH_END, &facts);
    f4p_launch_trace_commit(&trace);
    t = open_trace();
    ck_assert_uint_eq(t->launch.status, F4P_LAUNCH_ENDED);
    ck_assert_int_eq(t->launch.wait_status, SIGKILL);
    ck_assert_ptr_nonnull(t->launch_end);
    f4p_trace_close(t);
}
END_TEST

static void rewrite_launch(size_t member, const void *data, size_t bytes)
{
    uint64_t offset = f4p_layout_find(&trace.header, F4P_SECTION_LAUNCH)->offset + member;
    ck_assert_int_eq(pwrite(trace.fd, data, bytes, (off_t)offset), (ssize_t)bytes);
}

START_TEST(test_record_torn_state_leaves_the_other)
{
    for (uint64_t i = 1; i < 4; i++) {
        trace.state.samples = i;
        f4p_launch_trace_commit(&trace);
    }
    uint64_t junk = 77;
    rewrite_launch((trace.state.seq & 1) * sizeof(trace.state) + offsetof(struct f4p_launch_state, samples), &junk,
                   sizeof(junk));
    struct f4p_trace *t = open_trace();
    ck_assert(t->has_launch);
    ck_assert_uint_eq(t->launch.samples, 2);
    f4p_trace_close(t);
}
END_TEST

START_TEST(test_record_timeline_keeps_every_spike)
{
    const uint64_t step = 1ull << F4P_TIMELINE_SHIFT, spike = 5000 * MIB;
    uint64_t t_ns = 0, highest = 0, highest_at = 0;

    for (unsigned i = 0; i < 20000; i++) { /* folds several times */
        t_ns = i * step + step / 3;
        f4p_launch_trace_bucket(&trace, t_ns, i == 777 ? spike : i + 1, i + 5);
    }
    f4p_launch_trace_bucket(&trace, 3ull << 50, 42, 43); /* after a long sleep, many folds at once */
    f4p_launch_trace_commit(&trace);
    ck_assert_uint_lt((3ull << 50) >> trace.state.timeline_shift, F4P_BUCKETS);
    struct f4p_trace *t = open_trace();
    for (size_t i = 0; i < t->timeline_count; i++) {
        if (t->timeline[i].rss > highest) {
            highest = t->timeline[i].rss;
            highest_at = t->timeline[i].t_ns;
        }
    }
    ck_assert_uint_eq(highest, spike);
    ck_assert_uint_le(highest_at, 777 * step + t->timeline_step_ns);
    ck_assert_uint_le(t->timeline_count, F4P_BUCKETS);
    f4p_trace_close(t);
}
END_TEST

START_TEST(test_record_survives_truncation)
{
    ck_assert_int_eq(truncate("t.bin", 0), 0);
    f4p_launch_trace_commit(&trace);
    f4p_launch_trace_fact_u64(&trace, F4P_FACT_ID_PID, 1);
    f4p_launch_trace_bucket(&trace, 1000, 1, 1);
    ck_assert(!f4p_launch_trace_attached(&trace));
}
END_TEST

START_TEST(test_record_without_trace)
{
    struct f4p_vitals facts = {0};

    f4p_launch_trace_remove(&trace);
    ck_assert_int_lt(access("t.bin", F_OK), 0);
    f4p_launch_trace_commit(&trace);
    f4p_launch_trace_vitals(&trace, F4P_LAUNCH_FIRST, &facts);
    f4p_launch_trace_add(&trace, F4P_RECORD_LOG, NULL, 0, "x");
    ck_assert_int_lt(access("t.bin", F_OK), 0);
}
END_TEST

START_TEST(test_record_sizes)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"1", 1},
                {"64M", 64 * MIB},
                {"64m", 64 * MIB},
                {"1K", 1024},
                {"2KiB", 2048},
                {"3MB", 3 * MIB},
                {"5B", 5},
                {"1G", 1024 * MIB},
                {"4T", MIB * MIB * 4},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "-1",
                                      " 1",
                                      "M",
                                      "1X",
                                      "1MM",
                                      "1iB",
                                      "1BB",
                                      "1M ",
                                      "1.5G",
                                      "0x10",
                                      "1KiBB",
                                      "18446744073709551616",
                                      "17179869184G"};
    uint64_t bytes;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(f4p_config_bytes(good[i].text, &bytes), "%s", good[i].text);
        ck_assert_uint_eq(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(!f4p_config_bytes(bad[i], &bytes), "%s", bad[i]);
}
END_TEST

/* The line for a wait status and the cgroup's and the machine's count of OOM kills before and after. */
static const char *line_for(int status, uint64_t group_kills, uint64_t system_kills, bool log, bool *printed)
{
    static char line[1024];
    struct f4p_vitals first = {0}, last = {0};
    struct f4p_launch_findings findings = {log, &first, &last};
    uint32_t recording = F4P_STATUS_RECORDING;
    uint64_t control = f4p_layout_find(&trace.header, F4P_SECTION_CONTROL)->offset;

    f4p_vitals_set(&first, F4P_VITAL_cgroup_oom_kill, 3);
    f4p_vitals_set(&last, F4P_VITAL_cgroup_oom_kill, 3 + group_kills);
    f4p_vitals_set(&first, F4P_VITAL_system_oom_kill, 10);
    f4p_vitals_set(&last, F4P_VITAL_system_oom_kill, 10 + system_kills);
    f4p_vitals_set(&last, F4P_VITAL_cgroup_limit, 256 * MIB);
    ck_assert_int_eq(pwrite(trace.fd, &recording, 4, (off_t)(control + offsetof(struct f4p_state, status))), 4);
    trace.state.pid = 4711;
    trace.state.wait_status = status;
    line[0] = 0;
    *printed = f4p_launch_report(line, sizeof(line), "/usr/bin/python3", &trace, &findings, false);
    return line;
}

START_TEST(test_record_closing_line)
{
    bool printed;

    ck_assert_str_eq(line_for(SIGKILL, 1, 1, false, &printed),
                     "fil4prod: python3 (pid 4711) was killed by the kernel's OOM killer (cgroup limit 256.0 MiB, "
                     "oom_kill 3 -> 4); what held the memory: fil4prod-analyze t.bin");
    ck_assert(strstr(line_for(SIGKILL, 0, 0, false, &printed), ") was killed by SIGKILL; what"));
    ck_assert(strstr(line_for(SIGKILL, 0, 0, true, &printed), ") was killed by the kernel's OOM killer; what"));
    ck_assert(strstr(line_for(SIGKILL, 0, 2, false, &printed), "by SIGKILL while the machine ran out of memory"));
    ck_assert(strstr(line_for(SIGSEGV | 0x80, 0, 0, false, &printed), "by SIGSEGV (core dumped)"));
    ck_assert(strstr(line_for(137 << 8, 0, 0, false, &printed), "exited with status 137 (128 + SIGKILL); "));
    ck_assert(strstr(line_for(1 << 8, 1, 1, false, &printed), "status 1 after the kernel's OOM killer killed"));
    static const int silent[] = {0, 1 << 8, 255 << 8, SIGINT, SIGPIPE};
    for (size_t i = 0; i < sizeof(silent) / sizeof(silent[0]); i++) {
        line_for(silent[i], 0, 0, false, &printed);
        ck_assert(!printed);
    }
    line_for(0, 1, 1, false, &printed); /* it went well: another process of the cgroup was killed */
    ck_assert(!printed);
}
END_TEST

/* The same with one kill counted, `survived` of which the command lived on after, and another process of `other` bytes
 * beside its own 100 MiB. */
static const char *line_among_others(uint64_t survived, uint64_t other, bool log)
{
    static char line[1024];
    struct f4p_vitals first = {0}, last = {0};
    struct f4p_launch_findings findings = {log, &first, &last};

    f4p_vitals_set(&first, F4P_VITAL_cgroup_oom_kill, 3);
    f4p_vitals_set(&last, F4P_VITAL_cgroup_oom_kill, 4);
    f4p_vitals_set(&last, F4P_VITAL_survived_oom_kill, 3 + survived);
    f4p_vitals_set(&last, F4P_VITAL_tree_rss, 100 * MIB);
    f4p_vitals_set(&last, F4P_VITAL_other_rss, other);
    f4p_vitals_set(&last, F4P_VITAL_other_pid, 815);
    trace.state.wait_status = SIGKILL;
    f4p_launch_report(line, sizeof(line), "job", &trace, &findings, true);
    return line;
}

START_TEST(test_record_closing_line_among_others)
{
    ck_assert(strstr(line_among_others(0, MIB, false), ") was killed by the kernel's OOM killer (oom_kill 3 -> 4); "));
    ck_assert(!strstr(line_among_others(0, MIB, false), "815"));
    ck_assert(strstr(line_among_others(0, 200 * MIB, false),
                     ") was killed, most likely by the kernel's OOM killer (oom_kill 3 -> 4); pid 815 of the same "
                     "cgroup held more than it did; "));
    ck_assert(strstr(line_among_others(0, 200 * MIB, true), ") was killed by the kernel's OOM killer (oom"));
    ck_assert(strstr(line_among_others(1, 200 * MIB, false),
                     ") was killed by SIGKILL, some time after the kernel's OOM killer killed another process of its "
                     "cgroup; "));
}
END_TEST

START_TEST(test_record_line_is_harmless)
{
    struct f4p_vitals none = {0};
    struct f4p_launch_findings findings = {false, &none, &none};
    char line[300];

    strcpy(trace.used, "-it's\n\x1b[2J");
    trace.state.wait_status = SIGKILL;
    ck_assert(f4p_launch_report(line, sizeof(line), "evil\x1b]0;x\x07\n", &trace, &findings, false));
    for (const char *c = line; *c; c++)
        ck_assert_int_ge((unsigned char)*c, 32);
    ck_assert_ptr_nonnull(strstr(line, "./'-it'\\''s??[2J'"));
    for (size_t room = 1; room < sizeof(line); room++) {
        memset(line, 'z', sizeof(line));
        f4p_launch_report(line, room, "name", &trace, &findings, false);
        ck_assert_uint_lt(strlen(line), room);
    }
}
END_TEST

static const char *obstacle_of(const void *data, size_t bytes)
{
    static struct f4p_launch_program program;
    FILE *file = fopen("program", "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(data, 1, bytes, file), bytes);
    fclose(file);
    ck_assert_int_eq(chmod("program", 0755), 0);
    f4p_launch_program_inspect(&program, "./program");
    ck_assert_str_eq(program.path, "./program");
    return program.obstacle;
}

START_TEST(test_record_hostile_programs)
{
    static unsigned char image[20000];
    uint64_t random = 1;
    FILE *file = fopen("/proc/self/exe", "r");

    ck_assert_ptr_nonnull(file);
    size_t bytes = fread(image, 1, sizeof(image), file);
    fclose(file);
    for (size_t cut = 0; cut < 200; cut++)
        obstacle_of(image, cut);
    for (int i = 0; i < 1500; i++) { /* headers with bytes changed at random: any answer, no crash, no hang */
        unsigned char copy[sizeof(image)];
        memcpy(copy, image, bytes);
        for (int j = 0; j < 6; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            copy[4 + (random >> 33) % 1000] = (unsigned char)(random >> 20);
        }
        obstacle_of(copy, bytes);
    }
    ck_assert_ptr_null(obstacle_of("#!", 2));
    ck_assert_ptr_null(obstacle_of("#!./program\n", 12)); /* itself, for ever */
    ck_assert_ptr_null(obstacle_of("", 0));
}
END_TEST

START_TEST(test_record_finds_programs)
{
    static struct f4p_launch_program program;

    f4p_launch_program_inspect(&program, "sh");
    ck_assert_int_eq(program.path[0], '/');
    ck_assert_ptr_null(program.obstacle);
    f4p_launch_program_inspect(&program, "fil4prod-no-such-command");
    ck_assert_str_eq(program.path, "");
    f4p_launch_program_inspect(&program, "");
    ck_assert_str_eq(program.path, "");
    f4p_launch_program_inspect(&program, "/");
    ck_assert_str_eq(program.path, "");
    ck_assert_int_eq(mkdir("bin", 0755), 0);
    ck_assert_int_eq(symlink("/bin/sh", "bin/tool"), 0);
    setenv("PATH", "/none::bin", 1);
    f4p_launch_program_inspect(&program, "tool");
    ck_assert_str_eq(program.path, "bin/tool");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_record_facts,
                                  test_record_area_full,
                                  test_record_long_text_is_cut,
                                  test_record_state_and_vitals,
                                  test_record_torn_state_leaves_the_other,
                                  test_record_timeline_keeps_every_spike,
                                  test_record_survives_truncation,
                                  test_record_without_trace,
                                  test_record_sizes,
                                  test_record_closing_line,
                                  test_record_closing_line_among_others,
                                  test_record_line_is_harmless,
                                  test_record_hostile_programs,
                                  test_record_finds_programs};
    Suite *suite = suite_create("record");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_checked_fixture(core, setup, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(core, tests[i]);
    suite_add_tcase(suite, core);
    return support_run(suite);
}
