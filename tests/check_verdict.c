/* The cause of death from facts alone: each rule, and beside it the facts that must not trigger it. */
#include "analyzer/verdict.h"
#include "tests/support_run.h"

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

/* The kernel counts the kill where the victim was, whoever's limit it was. */
START_TEST(test_verdict_oom_by_ancestor)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, 8 * GIB, 2 * GIB, 2 * GIB, 0);
    set(&s.launch_last, F4P_VITAL_cgroup_own_limit, 16 * GIB);
    set(&s.launch_last, F4P_VITAL_ancestor_limit, 8 * GIB);
    set(&s.launch_last, F4P_VITAL_ancestor_usage, 8 * GIB);
    set(&s.launch_last, F4P_VITAL_ancestor_anon, 3 * GIB);
    set(&s.launch_last, F4P_VITAL_tree_rss, 2 * GIB);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "by an ancestor's limit: 8.0G of 8.0G charged"));
    /* the ancestor's memory is another cgroup's: whose kill was counted is less sure */
    s.launch_last.value[F4P_VITAL_ancestor_anon] = 8 * GIB;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "others held most of it"));
    /* control: only the ancestor's other children were killed */
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 0);
    kills(&s, F4P_VITAL_ancestor_oom_kill, 7, 8);
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    /* a limit that only memory.stat knows of is nobody's who could be named */
    launched(&s, SIGKILL);
    group(&s.launch_last, 4 * GIB, 4 * GIB, 4 * GIB, 0);
    set(&s.launch_last, F4P_VITAL_cgroup_own_limit, 16 * GIB);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert(evidence(&s, "a limit set above what is visible here"));
}
END_TEST

START_TEST(test_verdict_ancestor_by_counts_and_log)
{
    struct scene s;
    launched(&s, SIGKILL);
    /* v2: both are near their limits, only the ancestor's "oom" rose */
    group(&s.launch_last, 4 * GIB, 4 * GIB, 4 * GIB, 0);
    set(&s.launch_last, F4P_VITAL_cgroup_own_limit, 4 * GIB);
    set(&s.launch_last, F4P_VITAL_ancestor_limit, 8 * GIB);
    set(&s.launch_last, F4P_VITAL_ancestor_usage, 8 * GIB);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_null(strstr(s.verdict.cause, "ancestor"));
    kills(&s, F4P_VITAL_cgroup_oom, 0, 0);
    kills(&s, F4P_VITAL_ancestor_oom, 0, 1);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "ancestor"));
    kills(&s, F4P_VITAL_cgroup_oom, 0, 1); /* the ancestor's count holds its descendants' */
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_null(strstr(s.verdict.cause, "ancestor"));
    /* the kernel's log says which */
    const char *const logs[] = {
        "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg="
        "/a,task_memcg=/a/b,task=python3,pid=4711,uid=0"};
    s.trace.logs = logs;
    s.trace.log_count = 1;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "ancestor"));
}
END_TEST

START_TEST(test_verdict_a_sibling_was_the_hog)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, GIB, GIB, GIB - GIB / 50, 0);
    set(&s.launch_last, F4P_VITAL_tree_rss, GIB / 20);
    set(&s.launch_last, F4P_VITAL_survived_oom_kill, 0);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    ck_assert(evidence(&s, "other processes held"));
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "others held most of it, this job 51.2M"));
    const char *const logs[] = {"Memory cgroup out of memory: Killed process 4711 (python3) total-vm:1kB"};
    s.trace.logs = logs;
    s.trace.log_count = 1;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN); /* whoever was the hog, this was the victim */
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "others held most of it"));
    s.trace.log_count = 0;
    /* the job lived on after the kill: it was another's */
    set(&s.launch_last, F4P_VITAL_survived_oom_kill, 1);
    set(&s.launch_last, F4P_VITAL_oom_kill_ns, 70 * SECOND);
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    ck_assert(evidence(&s, "rose by 1 while the process lived on, last 30"));
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "another process"));
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 2); /* and then its own */
    s.launch_last.value[F4P_VITAL_tree_rss] = GIB - GIB / 10;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "oom_kill 1 -> 2"));
    /* with the library alone every count was read while it lived */
    alone(&s);
    group(&s.last, GIB, GIB / 2, GIB / 2, 0);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
}
END_TEST

START_TEST(test_verdict_status_137_after_a_kill)
{
    struct scene s;
    launched(&s, 137 << 8);
    group(&s.launch_last, GIB, GIB, GIB - GIB / 50, 0);
    set(&s.launch_last, F4P_VITAL_tree_rss, GIB);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    set(&s.launch_last, F4P_VITAL_survived_oom_kill, 1); /* the shell did */
    set(&s.launch_last, F4P_VITAL_oom_kill_ns, 99 * SECOND);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN);
    set(&s.launch_last, F4P_VITAL_oom_kill_ns, 20 * SECOND); /* long before */
    expect(&s, F4P_DEATH_KILLED, F4P_LIKELY);
}
END_TEST

START_TEST(test_verdict_no_limit_anywhere)
{
    struct scene s;
    launched(&s, SIGKILL);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 1);
    set(&s.launch_last, F4P_VITAL_cgroup_usage, 60 * GIB);
    set(&s.launch_last, F4P_VITAL_mem_total, 64 * GIB);
    set(&s.launch_last, F4P_VITAL_mem_available, GIB);
    expect(&s, F4P_DEATH_OOM_SYSTEM, F4P_LIKELY);
    s.launch_last.value[F4P_VITAL_mem_available] = 30 * GIB; /* then it was a limit that nobody here sees */
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
}
END_TEST

START_TEST(test_verdict_growth_since_the_last_look)
{
    struct scene s;
    struct f4p_point points[2] = {{.t_ns = 0, .heap = 6 * GIB}, {.t_ns = 100 * SECOND, .heap = 9 * GIB}};
    alone(&s);
    group(&s.last, 10 * GIB, 7 * GIB, GIB, 0); /* its shares are from the start */
    set(&s.last, F4P_VITAL_rss_anon, 6 * GIB);
    s.trace.timeline = points;
    s.trace.timeline_count = 2;
    s.trace.state.live.bytes = 6 * GIB * 256;
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    s.trace.state.live.bytes = 9 * GIB * 256;
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    ck_assert(evidence(&s, "the heap grew by 3.0G"));
}
END_TEST

START_TEST(test_verdict_looked_at_when_all_was_over)
{
    struct scene s;
    launched(&s, 0);
    s.trace.launch.status = F4P_LAUNCH_RUNNING; /* the kernel took the launcher after the job */
    group(&s.launch_last, GIB, GIB / 1000, GIB / 2000, 0);
    set(&s.launch_last, F4P_VITAL_cgroup_peak, GIB);
    set(&s.launch_last, F4P_VITAL_survived_oom_kill, 0);
    set(&s.launch_last, F4P_VITAL_cgroup_oom_kill, 1);
    set(&s.launch_first, F4P_VITAL_cgroup_oom_kill, 0);
    expect(&s, F4P_DEATH_OOM_CGROUP, F4P_LIKELY);
    ck_assert_ptr_nonnull(strstr(s.verdict.cause, "1.0G of 1.0G charged at its highest"));
    s.launch_last.value[F4P_VITAL_cgroup_oom_kill] = 0;
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
}
END_TEST

START_TEST(test_verdict_throttled)
{
    struct scene s;
    launched(&s, SIGKILL);
    group(&s.launch_last, 16 * GIB, 4 * GIB, 4 * GIB, 0);
    kills(&s, F4P_VITAL_cgroup_oom_kill, 0, 0);
    kills(&s, F4P_VITAL_cgroup_high_events, 10, 5010);
    set(&s.launch_last, F4P_VITAL_cgroup_high, 4 * GIB);
    set(&s.launch_last, F4P_VITAL_oom_group, 1);
    kills(&s, F4P_VITAL_psi_full_us, 0, 60000000);
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    ck_assert(evidence(&s, "memory.high of 4.0G was exceeded 5"));
    ck_assert(evidence(&s, "all processes stalled for 1m"));
    ck_assert(evidence(&s, "memory.oom.group is set"));
    kills(&s, F4P_VITAL_psi_full_us, 0, 600000);
    kills(&s, F4P_VITAL_cgroup_high_events, 10, 10);
    expect(&s, F4P_DEATH_KILLED, F4P_CERTAIN);
    ck_assert(!evidence(&s, "stalled"));
    ck_assert(!evidence(&s, "memory.high"));
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

START_TEST(test_verdict_last_word)
{
    struct scene s;
    struct f4p_ending word = {.t_ns = 101 * SECOND, .how = F4P_ENDING_AT_ONCE, .status = 3};
    alone(&s);
    s.trace.ending = &word;
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, 3);
    ck_assert(evidence(&s, "last word: exit 3"));
    ck_assert(evidence(&s, "by _exit"));
    s.failure = (struct f4p_failure){.size = 8 * GIB, .t_ns = 95 * SECOND, .error = 12};
    s.trace.failures = &s.failure;
    s.trace.failure_count = 1;
    expect(&s, F4P_DEATH_ALLOCATION_FAILED, F4P_LIKELY);
    word.status = 0; /* it coped */
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, 0);
    s.trace.ending = NULL;
    expect(&s, F4P_DEATH_UNKNOWN, F4P_UNSURE);
    s.trace.ending = &word;
    s.alive = F4P_ALIVE_YES; /* not yet */
    expect(&s, F4P_DEATH_RUNNING, F4P_CERTAIN);
    ck_assert_int_eq(s.verdict.exit_code, -1);
    launched(&s, SIGKILL); /* what the launcher saw counts more */
    s.trace.ending = &word;
    expect(&s, F4P_DEATH_KILLED, F4P_LIKELY);
    ck_assert_int_eq(s.verdict.signal, SIGKILL);
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
    /* a crash at once is what a program does that does not look at what malloc gave it; later it is just a crash */
    s.trace.launch.wait_status = SIGSEGV;
    s.failure.t_ns = 100 * SECOND - SECOND / 10;
    expect(&s, F4P_DEATH_ALLOCATION_FAILED, F4P_LIKELY);
    s.failure.t_ns = 97 * SECOND;
    expect(&s, F4P_DEATH_CRASHED, F4P_CERTAIN);
    /* without a launcher the status is not known */
    s.trace.has_launch = false;
    s.trace.state.status = F4P_STATUS_EXITED;
    expect(&s, F4P_DEATH_EXITED, F4P_CERTAIN);
    s.failure.t_ns = 100 * SECOND - SECOND / 10;
    expect(&s, F4P_DEATH_ALLOCATION_FAILED, F4P_LIKELY);
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
    tcase_add_test(tc, test_verdict_ancestor_by_counts_and_log);
    tcase_add_test(tc, test_verdict_a_sibling_was_the_hog);
    tcase_add_test(tc, test_verdict_status_137_after_a_kill);
    tcase_add_test(tc, test_verdict_no_limit_anywhere);
    tcase_add_test(tc, test_verdict_growth_since_the_last_look);
    tcase_add_test(tc, test_verdict_looked_at_when_all_was_over);
    tcase_add_test(tc, test_verdict_throttled);
    tcase_add_test(tc, test_verdict_killed_by_hand);
    tcase_add_test(tc, test_verdict_page_cache_is_no_oom);
    tcase_add_test(tc, test_verdict_together);
    tcase_add_test(tc, test_verdict_library_alone);
    tcase_add_test(tc, test_verdict_last_word);
    tcase_add_test(tc, test_verdict_request_in_flight);
    tcase_add_test(tc, test_verdict_machine);
    tcase_add_test(tc, test_verdict_allocation_failed);
    tcase_add_test(tc, test_verdict_crashed_and_exited);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}
