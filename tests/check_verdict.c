/* The cause of death from facts alone: each rule, and beside it the facts that must not trigger it. */
#include "analyzer/verdict.h"

#include <check.h>
#include <signal.h>
#include <string.h>

#define GIB (1ull << 30)
#define SECOND 1000000000ull

/* A trace of facts: no file, no stacks. */
struct scene {
    struct f4p_trace trace;
    struct f4p_vitals first, last, launch_first, launch_last, launch_end;
    struct f4p_request request;
    struct f4p_failure failure;
    const char *log;
    enum f4p_alive alive;
    struct f4p_verdict verdict;
};

static void set(struct f4p_vitals *vitals, enum f4p_vital which, uint64_t value)
{
    vitals->valid |= 1ull << which;
    vitals->value[which] = value;
}

/* A job of 100 s that the launcher saw end with `wait_status`. */
static void launched(struct scene *s, int wait_status)
{
    memset(s, 0, sizeof *s);
    s->alive = F4P_ALIVE_NO;
    s->trace.path = "";
    s->trace.state.pid = 4711;
    s->trace.state.status = F4P_STATUS_RECORDING;
    s->trace.state.t_ns = 100 * SECOND;
    s->trace.has_launch = true;
    s->trace.launch.status = F4P_LAUNCH_ENDED;
    s->trace.launch.end_t_ns = 100 * SECOND;
    s->trace.launch.wait_status = wait_status;
    s->trace.launch_first = &s->launch_first;
    s->trace.launch_last = &s->launch_last;
    s->trace.launch_end = &s->launch_end;
    s->launch_last.t_ns = 99 * SECOND;
}

/* The same with only the library: nobody saw the end. */
static void alone(struct scene *s)
{
    launched(s, 0);
    s->trace.has_launch = false;
    s->trace.launch_first = s->trace.launch_last = s->trace.launch_end = NULL;
    s->trace.first = &s->first;
    s->trace.last = &s->last;
    s->last.t_ns = 99 * SECOND;
}

static void group(struct f4p_vitals *vitals, uint64_t limit, uint64_t usage, uint64_t anon, uint64_t file)
{
    set(vitals, F4P_VITAL_cgroup_limit, limit);
    set(vitals, F4P_VITAL_cgroup_usage, usage);
    set(vitals, F4P_VITAL_cgroup_anon, anon);
    set(vitals, F4P_VITAL_cgroup_file, file);
}

static void kills(struct scene *s, enum f4p_vital which, uint64_t before, uint64_t after)
{
    set(s->trace.has_launch ? &s->launch_first : &s->first, which, before);
    set(s->trace.has_launch ? &s->launch_end : &s->last, which, after);
}

static void expect(struct scene *s, enum f4p_death kind, enum f4p_confidence confidence)
{
    f4p_verdict_find(&s->trace, s->alive, F4P_UNITS_IEC, &s->verdict);
    ck_assert_str_eq(f4p_death_key(s->verdict.kind), f4p_death_key(kind));
    ck_assert_str_eq(f4p_confidence_name(s->verdict.confidence), f4p_confidence_name(confidence));
    ck_assert_uint_gt(s->verdict.evidence_count, 0);
    ck_assert_uint_gt(strlen(s->verdict.cause), 0);
    ck_assert_uint_gt(strlen(s->verdict.end), 0);
}

static bool evidence(const struct scene *s, const char *text)
{
    for (unsigned i = 0; i < s->verdict.evidence_count; i++)
        if (strstr(s->verdict.evidence[i], text))
            return true;
    return false;
}

START_TEST(test_verdict_oom_counted)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, 16 * GIB, 16 * GIB, 15 * GIB, GIB / 10);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 3, 4);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.signal, SIGKILL);
    ck_assert_int_eq(s.verdict.exit_code, -1);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "oom_kill 3 -> 4"));
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "16.0G of 16.0G"));
    ck_assert(evidence(&s, "anonymous 15.0G"));
    /* a shell that ran the job turns the signal into a status */
    s.trace.launch.wait_status = 137 << 8;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, 137);
    /* somebody else of the group was killed, the job itself ended well */
    s.trace.launch.wait_status = 0;
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert(evidence(&s, "oom_kill of the cgroup rose by 1"));
}
END_TEST

START_TEST(test_verdict_oom_by_ancestor)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, 16 * GIB, 2 * GIB, 2 * GIB, 0);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 0);
    kills(&s, F4P_VITAL_ancestor_oom_kill, 7, 8);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "ancestor"));
}
END_TEST

START_TEST(test_verdict_oom_by_log)
{
    struct scene s;
    const char *const logs[] = {"Memory cgroup out of memory: Killed process 4711 (python3) total-vm:1kB"};
    launched(&s, SIGKILL);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 0);
    s.trace.logs = logs;
    s.trace.log_count = 1;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    s.trace.state.pid = 47; /* another process's line */
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    const char *const system[] = {"Out of memory: Killed process 47 (python3) total-vm:1kB"};
    s.trace.logs = system;
    expect(&s, F4P_DEATH_OOM_SYSTEM, F4P_CERTAIN);
}
END_TEST

START_TEST(test_verdict_killed_by_hand)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, 16 * GIB, 4 * GIB, 4 * GIB, 0);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 2, 2);
    kills(&s, F4P_VITAL_system_oom_kill, 5, 6); /* elsewhere on the machine */
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    launched(&s, SIGTERM);
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    launched(&s, SIGKILL); /* nothing counted: it may have been the OOM killer */
    expect(&s, F4P_DEATH_KILLED, F4P_LIKELY);
}
END_TEST

START_TEST(test_verdict_page_cache_is_no_oom)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, GIB, GIB, GIB / 50, GIB - GIB / 50);
    set(&s.launch_last, F4P_VITAL_cgroup_failcnt, 139);
    expect(&s, F4P_DEATH_KILLED, F4P_LIKELY);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "page cache"));
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 0);
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    /* control: the same usage, anonymous, without counters */
    launched(&s, SIGKILL);
    group(&s.launch_last, GIB, GIB, GIB - GIB / 50, GIB / 50);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
}
END_TEST

START_TEST(test_verdict_together)
{
    struct scene s;
    launched(&s, 0); /* the container went down with its launcher */
    s.trace.launch.status = F4P_LAUNCH_RUNNING;
    s.trace.launch.t_ns = 99 * SECOND;
    group(&s.launch_last, 16 * GIB, 16 * GIB - GIB / 10, 15 * GIB, GIB / 2);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    ck_assert_int_eq(s.verdict.signal, 0);
    ck_assert_int_eq(s.verdict.exit_code, -1);
    ck_assert(evidence(&s, "together with the job"));
    s.launch_last.value[F4P_VITAL_cgroup_usage] = 4 * GIB;
    s.launch_last.value[F4P_VITAL_cgroup_anon] = 4 * GIB;
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    s.alive = F4P_ALIVE_YES;
    expect(&s, F4P_DEATH_RUNNING, F4P_CERTAIN);
}
END_TEST

START_TEST(test_verdict_library_alone)
{
    struct scene s;
    alone(&s);
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    group(&s.last, 16 * GIB, 15 * GIB + GIB / 2, 15 * GIB, GIB / 4);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    group(&s.last, 16 * GIB, 15 * GIB + GIB / 2, GIB, 14 * GIB);
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    s.trace.state.status = F4P_STATUS_EXITED;
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, -1);
    s.trace.state.status = F4P_STATUS_RECORDING;
    s.alive = F4P_ALIVE_YES;
    expect(&s, F4P_DEATH_RUNNING, F4P_CERTAIN);
}
END_TEST

START_TEST(test_verdict_request_in_flight)
{
    struct scene s;
    alone(&s);
    group(&s.last, 16 * GIB, 9 * GIB, 9 * GIB, 0);
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    s.request = (struct f4p_request){.kind = F4P_REQUEST_REALLOC, .size = 8 * GIB, .old_size = 4 * GIB};
    s.trace.requests = &s.request;
    s.trace.request_count = 1;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    ck_assert(evidence(&s, "realloc from 4.0G to 8.0G"));
    ck_assert(evidence(&s, "past the limit by 1.0G"));
}
END_TEST

START_TEST(test_verdict_machine)
{
    struct scene s;
    alone(&s);
    set(&s.last, F4P_VITAL_mem_total, 64 * GIB);
    set(&s.last, F4P_VITAL_mem_available, GIB);
    expect(&s, F4P_DEATH_OOM_SYSTEM, F4P_LIKELY);
    s.last.value[F4P_VITAL_mem_available] = 30 * GIB;
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    launched(&s, SIGKILL);
    kills(&s, F4P_VITAL_system_oom_kill, 5, 6);
    expect(&s, F4P_DEATH_OOM_SYSTEM, F4P_LIKELY);
}
END_TEST

START_TEST(test_verdict_allocation_failed)
{
    struct scene s;
    launched(&s, 1 << 8);
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, 1);
    s.failure = (struct f4p_failure){.size = 8 * GIB, .t_ns = 99 * SECOND, .error = 12};
    s.trace.failures = &s.failure;
    s.trace.failure_count = 1;
    expect(&s, F4P_DEATH_ALLOCATION_FAILED, F4P_LIKELY);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "8.0G"));
    s.trace.launch.wait_status = SIGABRT;
    expect(&s, F4P_DEATH_ALLOCATION_FAILED, F4P_LIKELY);
    s.trace.launch.wait_status = 0; /* it coped */
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    s.trace.launch.wait_status = 1 << 8;
    s.failure.t_ns = 20 * SECOND; /* long before */
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
}
END_TEST

START_TEST(test_verdict_crashed_and_exited)
{
    struct scene s;
    launched(&s, SIGSEGV | 0x80);
    expect(&s, F4P_DEATH_CRASHED, F4P_CERTAIN);
    ck_assert(s.verdict.core);
    ck_assert_ptr_nonnull(strstr(s.verdict.end, "SIGSEGV"));
    launched(&s, SIGABRT);
    expect(&s, F4P_DEATH_CRASHED, F4P_CERTAIN);
    launched(&s, 3 << 8);
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, 3);
    launched(&s, 127 << 8);
    s.trace.launch.exec_errno = 2;
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert_ptr_nonnull(strstr(s.verdict.end, "could not be run"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verdict");
    TCase *tc = tcase_create("verdict");
    tcase_add_test(tc, test_verdict_oom_counted);
    tcase_add_test(tc, test_verdict_oom_by_ancestor);
    tcase_add_test(tc, test_verdict_oom_by_log);
    tcase_add_test(tc, test_verdict_killed_by_hand);
    tcase_add_test(tc, test_verdict_page_cache_is_no_oom);
    tcase_add_test(tc, test_verdict_together);
    tcase_add_test(tc, test_verdict_library_alone);
    tcase_add_test(tc, test_verdict_request_in_flight);
    tcase_add_test(tc, test_verdict_machine);
    tcase_add_test(tc, test_verdict_allocation_failed);
    tcase_add_test(tc, test_verdict_crashed_and_exited);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
