#include "recorder/record_watch.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "recorder/clock.h"
#include "recorder/record_log.h"
#include "recorder/record_others.h"
#include "recorder/record_rss.h"
#include "recorder/record_tree.h"
#include "recorder/vitals.h"

#define SECOND 1000000000ull
#define DENSE_PERIOD (SECOND / 100) /* in the first second, so that short jobs have a timeline */
#define PERIOD (SECOND / 10)
#define COST_SHARE 300u  /* a pause is at least this many times the cost of the look before it */
#define DENSE_SHARE 30u  /* the same in the first second */
#define SCAN_SHARE 1000u /* the same for looking for new processes */
#define SPARSE 5u        /* every so many looks the facts that change slowly, or cost more */

static struct {
    struct f4p_vitals_source source, candidate;
    bool seen_at_root; /* the last look found the command in the root cgroup */
    struct f4p_vitals first, now, end;
    pid_t pid;
    uint64_t next_scan; /* CLOCK_MONOTONIC of the trace */
} watch;

static uint64_t known(const struct f4p_vitals *facts, enum f4p_vital which)
{
    return facts->valid >> which & 1 ? facts->value[which] : 0;
}

static const char *file_system_name(int fd, char number[24])
{
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return "";
    switch ((uint32_t)fs.f_type) {
    case 0xEF53:
        return "ext4";
    case 0x58465342:
        return "xfs";
    case 0x01021994:
        return "tmpfs";
    case 0x858458F6:
        return "ramfs";
    case 0x794C7630:
        return "overlayfs";
    default:
        snprintf(number, 24, "0x%lx", (unsigned long)fs.f_type);
        return number;
    }
}

static void record_cgroup(struct f4p_launch_trace *trace)
{
    if (!watch.source.version)
        return;
    f4p_launch_trace_fact_text(trace, F4P_FACT_ID_CGROUP, watch.source.cgroup);
    f4p_launch_trace_fact_u64(trace, F4P_FACT_ID_CGROUP_VERSION, watch.source.version);
}

static void record_host(struct f4p_launch_trace *trace)
{
    char text[PATH_MAX], number[24];
    struct utsname host;
    cpu_set_t cpus;

    if (uname(&host) == 0) {
        snprintf(text, sizeof(text), "%s %s %s", host.sysname, host.release, host.machine);
        f4p_launch_trace_fact_text(trace, F4P_FACT_ID_KERNEL, text);
        f4p_launch_trace_fact_text(trace, F4P_FACT_ID_HOST, host.nodename);
    }
    if (getcwd(text, sizeof(text)))
        f4p_launch_trace_fact_text(trace, F4P_FACT_ID_CWD, text);
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0)
        f4p_launch_trace_fact_u64(trace, F4P_FACT_ID_CPUS, (uint64_t)CPU_COUNT(&cpus));
    f4p_launch_trace_fact_u64(trace, F4P_FACT_ID_PAGE, (uint64_t)sysconf(_SC_PAGESIZE));
    f4p_launch_trace_fact_u64(trace, F4P_FACT_ID_UID, getuid());
    f4p_launch_trace_fact_text(trace, F4P_FACT_ID_RECORDER, "fil4prod " F4P_VERSION);
    f4p_launch_trace_fact_text(trace, F4P_FACT_ID_FILE_SYSTEM, file_system_name(trace->fd, number));
}

static void read_first(struct f4p_launch_trace *trace)
{
    memset(&watch.first, 0, sizeof(watch.first));
    f4p_vitals_read(&watch.source, F4P_VITALS_CGROUP | F4P_VITALS_CGROUP_STAT | F4P_VITALS_MACHINE, &watch.first);
    f4p_launch_trace_vitals(trace, F4P_LAUNCH_FIRST, &watch.first);
}

void f4p_launch_watch_prepare(struct f4p_launch_trace *trace)
{
    if (trace->fd < 0)
        return;
    f4p_vitals_resolve(&watch.source, "", 0);
    record_host(trace);
    record_cgroup(trace);
    read_first(trace);
    f4p_launch_trace_commit(trace);
    f4p_launch_log_start();
}

void f4p_launch_watch_start(struct f4p_launch_trace *trace, pid_t pid)
{
    if (trace->fd < 0)
        return;
    watch.pid = pid;
    f4p_vitals_resolve(&watch.source, "", (uint32_t)pid);
    f4p_launch_tree_start(pid, f4p_launch_trace_now(trace));
    f4p_launch_rss_start(pid);
    f4p_launch_trace_fact_u64(trace, F4P_FACT_ID_PID, (uint64_t)pid);
    f4p_launch_trace_fact_u64(trace, F4P_FACT_ID_PPID, (uint64_t)getpid());
    trace->state.pid = (uint32_t)pid;
    trace->state.period_ns = DENSE_PERIOD;
    f4p_launch_trace_commit(trace);
}

/* cgroup v1 shows a process that is exiting in the root cgroup: it counts as moved there only if a later look finds it
 * there, too, and with memory. */
static bool move_is_real(void)
{
    struct f4p_vitals process = {0};

    if (strcmp(watch.candidate.cgroup, "/") != 0)
        return true;
    bool again = watch.seen_at_root;
    watch.seen_at_root = true;
    f4p_vitals_read(&watch.candidate, F4P_VITALS_PROCESS, &process);
    return again && known(&process, F4P_VITAL_rss);
}

/* The counts of another cgroup can only be compared with its own. */
static void follow_move(struct f4p_launch_trace *trace)
{
    if (!f4p_vitals_moved(&watch.source))
        return;
    f4p_vitals_resolve(&watch.candidate, "", (uint32_t)watch.pid);
    if (!watch.candidate.version || !move_is_real())
        return;
    watch.source = watch.candidate;
    record_cgroup(trace);
    read_first(trace);
    memset(&watch.now, 0, sizeof(watch.now));
}

/* On the way to a limit it matters who else is charged there: the looks may be few before it is reached. */
static bool crowded(const struct f4p_vitals *facts)
{
    uint64_t limit = known(facts, F4P_VITAL_cgroup_own_limit), above = known(facts, F4P_VITAL_ancestor_limit);

    return (limit && known(facts, F4P_VITAL_cgroup_usage) >= limit / 2) ||
           (above && known(facts, F4P_VITAL_ancestor_usage) >= above / 2);
}

static uint64_t scan_tree(uint64_t now)
{
    uint64_t before = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID);

    f4p_launch_tree_scan(now);
    uint64_t cost = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    watch.next_scan = now + (cost * SCAN_SHARE > DENSE_PERIOD ? cost * SCAN_SHARE : DENSE_PERIOD);
    return cost;
}

uint64_t f4p_launch_watch_look(struct f4p_launch_trace *trace)
{
    uint64_t before = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID), now = f4p_launch_trace_now(trace), scan_cost = 0;
    uint64_t period = now < SECOND ? DENSE_PERIOD : PERIOD;
    bool sparse = trace->state.samples % SPARSE == 0;

    follow_move(trace);
    unsigned groups = F4P_VITALS_PROCESS | F4P_VITALS_CGROUP;
    uint64_t kills = known(&watch.now, F4P_VITAL_cgroup_oom_kill);
    if (!(watch.now.valid >> F4P_VITAL_cgroup_oom_kill & 1))
        kills = known(&watch.first, F4P_VITAL_cgroup_oom_kill);
    f4p_vitals_read(&watch.source, sparse ? F4P_VITALS_ALL : groups, &watch.now);
    if (known(&watch.now, F4P_VITAL_cgroup_oom_kill) > kills)
        f4p_vitals_set(&watch.now, F4P_VITAL_oom_kill_ns, now);
    if (now >= watch.next_scan)
        scan_cost = scan_tree(now);
    uint64_t rss = f4p_launch_tree_rss(trace);
    if (rss)
        f4p_vitals_set(&watch.now, F4P_VITAL_tree_rss, rss);
    if (crowded(&watch.now))
        f4p_launch_others_look(trace, &watch.source, &watch.now);
    f4p_launch_trace_vitals(trace, F4P_LAUNCH_LAST, &watch.now);
    f4p_launch_trace_bucket(trace, now, rss, known(&watch.now, F4P_VITAL_cgroup_usage));
    trace->state.samples++;
    uint64_t cost = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - before - scan_cost;
    uint64_t share = now < SECOND ? DENSE_SHARE : COST_SHARE;
    if (period < cost * share)
        period = cost * share;
    trace->state.period_ns = period;
    f4p_launch_trace_commit(trace);
    f4p_launch_rss_look(trace, now, known(&watch.now, F4P_VITAL_rss));
    return period;
}

void f4p_launch_watch_end(struct f4p_launch_trace *trace, struct f4p_launch_findings *findings)
{
    *findings = (struct f4p_launch_findings){.first = &watch.first, .last = &watch.end};
    if (trace->fd < 0)
        return;
    f4p_vitals_read(&watch.source, F4P_VITALS_CGROUP | F4P_VITALS_CGROUP_STAT | F4P_VITALS_MACHINE, &watch.end);
    f4p_launch_trace_vitals(trace, F4P_LAUNCH_END, &watch.end);
    f4p_launch_trace_bucket(trace, f4p_launch_trace_now(trace), 0, known(&watch.end, F4P_VITAL_cgroup_usage));
    findings->log_says_oom = f4p_launch_log_end(trace, watch.pid);
    f4p_launch_tree_end(trace, trace->state.wait_status);
    for (unsigned i = 0; i < F4P_VITAL_COUNT; i++) /* the cgroup may have been removed already */
        if (!(watch.end.valid >> i & 1) && watch.now.valid >> i & 1)
            f4p_vitals_set(&watch.end, (enum f4p_vital)i, watch.now.value[i]);
}
