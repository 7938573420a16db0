#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "format/weight.h"
#include "verdict_private.h"

#define NEAR_LIMIT 0.95        /* of the limit charged: the next large request no longer fits */
#define MOSTLY 0.5             /* share of anonymous memory from which usage cannot be given back */
#define LOW_AVAILABLE 0.04     /* of the machine's memory */
#define LATE_NS 10000000000ull /* a request that failed this shortly before the end may have caused it */
#define LAST_NS 1000000000ull
#define RECENT_NS 2000000000ull /* a shell ends this soon after what it ran */

bool f4p_verdict_vital(const struct f4p_trace *trace, enum f4p_vital which, uint64_t *value)
{
    const struct f4p_vitals *a = trace->launch_last, *b = trace->last;
    if (a && b && b->t_ns > a->t_ns) {
        a = trace->last;
        b = trace->launch_last;
    }
    return f4p_vitals_get(a, which, value) || f4p_vitals_get(b, which, value) ||
           f4p_vitals_get(trace->launch_end, which, value) || f4p_vitals_get(trace->first, which, value) ||
           f4p_vitals_get(trace->launch_first, which, value);
}

bool f4p_verdict_limit(const struct f4p_trace *trace, uint64_t *bytes)
{
    return f4p_verdict_vital(trace, F4P_VITAL_cgroup_limit, bytes) && *bytes > 0;
}

bool f4p_facts_increase(const struct f4p_trace *trace, enum f4p_vital which, uint64_t *by)
{
    uint64_t before, value, after = 0;
    bool known = false;
    const struct f4p_vitals *later[] = {trace->launch_end, trace->launch_last, trace->last};
    *by = 0;
    if (!f4p_vitals_get(trace->launch_first, which, &before) && !f4p_vitals_get(trace->first, which, &before))
        return false;
    for (size_t i = 0; i < sizeof later / sizeof later[0]; i++)
        if (f4p_vitals_get(later[i], which, &value)) {
            known = true;
            after = value > after ? value : after;
        }
    *by = known && after > before ? after - before : 0;
    return known;
}

/* ---- the kernel's log ---- */

static bool of_the_job(const struct f4p_trace *trace, unsigned long pid)
{
    if (pid == (trace->state.pid ? trace->state.pid : trace->launch.pid))
        return true;
    for (size_t i = 0; i < trace->process_count; i++)
        if (trace->processes[i].pid == pid)
            return true;
    return false;
}

/* "...,oom_memcg=/a,task_memcg=/a/b,task=python3,pid=47,...": whose limit it was. */
static void note_limit(struct f4p_facts *f, const char *line, bool *told, bool *ancestor)
{
    const char *limit = strstr(line, "oom_memcg="), *task = strstr(line, ",task_memcg="), *pid = strstr(line, ",pid=");
    if (!limit || !task || !pid || !of_the_job(f->trace, strtoul(pid + 5, NULL, 10)))
        return;
    limit += 10;
    task += 12;
    size_t bytes = strcspn(limit, ",");
    *told = true;
    *ancestor = bytes != strcspn(task, ",") || strncmp(limit, task, bytes);
}

static void find_log(struct f4p_facts *f, bool *told, bool *ancestor)
{
    for (size_t i = 0; i < f->trace->log_count; i++) {
        const char *line = f->trace->logs[i], *killed = strstr(line, "Killed process ");
        note_limit(f, line, told, ancestor);
        if (!killed || !of_the_job(f->trace, strtoul(killed + 15, NULL, 10)))
            continue;
        if (strstr(line, "Memory cgroup out of memory"))
            f->log_group = true;
        else if (strstr(line, "Out of memory"))
            f->log_system = true;
    }
}

/* ---- the OOM killer's counts ---- */

/* A count that was read while the process lived on counts others. Without a launcher all were. */
static void find_kills(struct f4p_facts *f)
{
    const struct f4p_trace *t = f->trace;
    const struct f4p_vitals *all[] = {t->launch_end, t->launch_last, t->last};
    uint64_t value, survived, rose_ns;
    f->counted = f4p_facts_increase(t, F4P_VITAL_cgroup_oom_kill, &f->kills);
    f4p_facts_increase(t, F4P_VITAL_system_oom_kill, &f->system_kills);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (f4p_vitals_get(all[i], F4P_VITAL_cgroup_oom_kill, &value) && value > f->after)
            f->after = value;
    f->fresh = f->launcher ? f->kills : 0;
    if (f4p_verdict_vital(t, F4P_VITAL_survived_oom_kill, &survived) && f->after - survived < f->fresh)
        f->fresh = f->after - survived;
    f->recent = f->fresh || (f4p_verdict_vital(t, F4P_VITAL_oom_kill_ns, &rose_ns) && f->kills &&
                             (rose_ns >= f->end_ns || f->end_ns - rose_ns <= RECENT_NS));
}

/* ---- memory ---- */

/* How much the heap grew after the cgroup was last looked at; the looks are up to 0.25 s apart. */
static uint64_t growth_since_look(const struct f4p_trace *t)
{
    const struct f4p_vitals *look = t->launch_last;
    uint64_t usage, heap = 0, now = t->state.live.bytes / F4P_Q8;
    if (!look || (t->last && t->last->t_ns > look->t_ns))
        look = t->last;
    if (!f4p_vitals_get(look, F4P_VITAL_cgroup_usage, &usage) || look->t_ns >= t->state.t_ns || !t->timeline_count)
        return 0;
    for (size_t i = 0; i < t->timeline_count && t->timeline[i].t_ns <= look->t_ns; i++)
        heap = t->timeline[i].heap;
    return now > heap ? now - heap : 0;
}

static void find_mine(struct f4p_facts *f)
{
    const struct f4p_trace *t = f->trace;
    uint64_t shmem = 0, tree = 0;
    if (!f4p_verdict_vital(t, F4P_VITAL_rss_anon, &f->mine))
        f4p_verdict_vital(t, F4P_VITAL_rss, &f->mine);
    if (f4p_verdict_vital(t, F4P_VITAL_rss_shmem, &shmem))
        f->mine += shmem; /* shared memory cannot be given back either */
    if (f4p_verdict_vital(t, F4P_VITAL_tree_rss, &tree) && tree > f->mine)
        f->mine = tree;
}

static void judge_level(const struct f4p_facts *f, struct f4p_level *level)
{
    double pending = (double)f->wanted + (double)f->grown, anon = (double)level->anon, limit = (double)level->limit;
    if (!level->limited || !level->used)
        return;
    if (anon < (double)f->mine)
        anon = (double)f->mine;
    level->near =
        (double)level->usage + (double)f->grown >= NEAR_LIMIT * limit || (double)level->usage + pending > limit;
    level->held = anon + pending >= MOSTLY * limit;
}

static void find_levels(struct f4p_facts *f)
{
    const struct f4p_trace *t = f->trace;
    uint64_t tightest, lower;
    f->own.limited = f4p_verdict_vital(t, F4P_VITAL_cgroup_own_limit, &f->own.limit);
    f->above.limited = f4p_verdict_vital(t, F4P_VITAL_ancestor_limit, &f->above.limit);
    lower = f->own.limited ? f->own.limit : UINT64_MAX;
    if (f->above.limited && f->above.limit < lower)
        lower = f->above.limit;
    if (f4p_verdict_limit(t, &tightest) && tightest < lower) {
        f->hidden = f->own.limited || f->above.limited;
        f->own.limited = true;
        f->own.limit = tightest;
    }
    f->own.used = f4p_verdict_vital(t, F4P_VITAL_cgroup_usage, &f->own.usage);
    f->own.shared = f4p_verdict_vital(t, F4P_VITAL_cgroup_anon, &f->own.anon);
    f->above.used = f4p_verdict_vital(t, F4P_VITAL_ancestor_usage, &f->above.usage);
    f->above.shared = f4p_verdict_vital(t, F4P_VITAL_ancestor_anon, &f->above.anon);
    f->has_file = f4p_verdict_vital(t, F4P_VITAL_cgroup_file, &f->file);
    f4p_verdict_vital(t, F4P_VITAL_cgroup_peak, &f->peak);
    judge_level(f, &f->own);
    judge_level(f, &f->above);
}

/* Which limit it was. cgroup v2 counts "oom" where the limit is and "oom_kill" where the victim was. */
static void choose_level(struct f4p_facts *f)
{
    uint64_t own = 0, above = 0;
    bool told = false, ancestor = false;
    find_log(f, &told, &ancestor);
    bool counts = f4p_facts_increase(f->trace, F4P_VITAL_cgroup_oom, &own) &&
                  f4p_facts_increase(f->trace, F4P_VITAL_ancestor_oom, &above) && above;
    if (!told)
        ancestor = counts ? above > own : !f->own.near && f->above.near;
    f->by_ancestor = ancestor && f->above.limited;
    f->level = f->by_ancestor ? &f->above : &f->own;
    f->page_cache = f->own.used && f->has_file && (double)f->file > MOSTLY * (double)f->own.usage && !f->level->held;
}

/* Who held what is charged. Descendants are the job's where a launcher has seen them. */
static void find_others(struct f4p_facts *f)
{
    uint64_t largest = 0, mine = f->mine + f->grown;
    const struct f4p_level *level = f->level;
    f4p_verdict_vital(f->trace, F4P_VITAL_other_rss, &largest);
    if (level->shared && level->anon > f->mine)
        f->others = level->anon - f->mine;
    if (f->others < largest)
        f->others = largest;
    f->hog = f->mine && (largest > mine || (f->others > mine && level->limited && f->others > level->limit / 4));
}

/* ---- all of them ---- */

static void find_end(struct f4p_facts *f)
{
    const struct f4p_trace *t = f->trace;
    f->launcher = t->has_launch;
    f->watched = t->has_launch && t->launch.status == F4P_LAUNCH_ENDED;
    f->ended = f->watched || t->ending;
    f->status = f->watched ? t->launch.wait_status : t->ending ? W_EXITCODE((int)t->ending->status & 0xff, 0) : 0;
    f->recorder_ended = t->state.status == F4P_STATUS_EXITED;
    f->end_ns = t->state.t_ns;
    if (t->last && t->last->t_ns > f->end_ns)
        f->end_ns = t->last->t_ns;
    if (t->has_launch && t->launch.t_ns > f->end_ns)
        f->end_ns = t->launch.t_ns;
    if (t->ending && t->ending->t_ns > f->end_ns)
        f->end_ns = t->ending->t_ns;
    if (f->watched)
        f->end_ns = t->launch.end_t_ns;
}

static void find_failure(struct f4p_facts *f)
{
    if (!f->trace->failure_count)
        return;
    f->failure = f->trace->failures[f->trace->failure_count - 1];
    uint64_t before = f->end_ns > f->failure.t_ns ? f->end_ns - f->failure.t_ns : 0;
    f->failed_late = before <= LATE_NS;
    f->failed_last = before <= LAST_NS;
}

void f4p_facts_find(struct f4p_facts *f, const struct f4p_trace *t, enum f4p_alive alive, enum f4p_units units)
{
    *f = (struct f4p_facts){.trace = t, .alive = alive, .units = units};
    find_end(f);
    find_failure(f);
    for (size_t i = 0; i < t->request_count; i++)
        f->wanted = t->requests[i].size > f->wanted ? t->requests[i].size : f->wanted;
    f->grown = growth_since_look(t);
    find_kills(f);
    find_mine(f);
    find_levels(f);
    choose_level(f);
    find_others(f);
    if (f4p_verdict_vital(t, F4P_VITAL_mem_available, &f->available) &&
        f4p_verdict_vital(t, F4P_VITAL_mem_total, &f->total))
        f->low_available = (double)f->available < LOW_AVAILABLE * (double)f->total;
}
