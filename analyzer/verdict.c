#include "verdict.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define NEAR_LIMIT 0.95        /* of the limit charged: the next large request no longer fits */
#define MOSTLY 0.5             /* share of anonymous memory from which usage cannot be given back */
#define LOW_AVAILABLE 0.04     /* of the machine's memory */
#define LATE_NS 10000000000ull /* a request that failed this shortly before the end may have caused it */

/* All that the rules look at. */
struct facts {
    const struct f4p_trace *trace;
    enum f4p_alive alive;
    enum f4p_units units;
    bool launcher;       /* a launcher watched */
    bool ended;          /* and saw the end */
    bool recorder_ended; /* exit handlers ran */
    uint64_t end_ns;
    bool has_limit, has_usage, has_anon, has_file;
    uint64_t limit, usage, anon, file;
    bool near_limit;                              /* usage is at the limit */
    bool held;                                    /* and is mostly memory that cannot be given back */
    bool page_cache;                              /* and is mostly page cache */
    bool counted;                                 /* oom_kill of the cgroup is known before and after */
    uint64_t kills, ancestor_kills, system_kills; /* increases */
    bool log_group, log_system;                   /* the kernel's log names the process */
    bool low_available;
    uint64_t available, total;
    uint64_t wanted; /* size of the largest request in flight */
    bool failed_late;
    struct f4p_failure failure; /* the last one; valid if failed_late */
};

const char *f4p_death_key(enum f4p_death kind)
{
    static const char *const keys[] = {
#define X(name, key, words) key,
        F4P_DEATHS(X)
#undef X
    };
    return (unsigned)kind < F4P_DEATH_COUNT ? keys[kind] : "unknown";
}

const char *f4p_confidence_name(enum f4p_confidence confidence)
{
    static const char *const names[] = {"certain", "likely", "unknown"};
    return names[confidence];
}

const char *f4p_signal_name(int signal, char buffer[F4P_NUMBER_BYTES])
{
    const char *name = sigabbrev_np(signal);
    if (name)
        snprintf(buffer, F4P_NUMBER_BYTES, "SIG%s", name);
    else
        snprintf(buffer, F4P_NUMBER_BYTES, "signal %d", signal);
    return buffer;
}

/* ---- facts ---- */

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

/* By how much a counter rose from the first to the last that is known; false: not known at both times. */
static bool increase(const struct f4p_trace *trace, enum f4p_vital which, uint64_t *by)
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

static void find_log(struct facts *f)
{
    char pid[32];
    snprintf(pid, sizeof pid, "Killed process %u ", f->trace->state.pid ? f->trace->state.pid : f->trace->launch.pid);
    for (size_t i = 0; i < f->trace->log_count; i++) {
        const char *line = f->trace->logs[i];
        if (!strstr(line, pid))
            continue;
        if (strstr(line, "Memory cgroup out of memory"))
            f->log_group = true;
        else if (strstr(line, "Out of memory"))
            f->log_system = true;
    }
}

static void find_usage(struct facts *f)
{
    const struct f4p_trace *t = f->trace;
    uint64_t shmem = 0, tree = 0;
    f->has_limit = f4p_verdict_limit(t, &f->limit);
    f->has_usage = f4p_verdict_vital(t, F4P_VITAL_cgroup_usage, &f->usage);
    f->has_anon = f4p_verdict_vital(t, F4P_VITAL_cgroup_anon, &f->anon);
    f->has_file = f4p_verdict_vital(t, F4P_VITAL_cgroup_file, &f->file);
    if (!f->has_anon &&
        (f4p_verdict_vital(t, F4P_VITAL_rss_anon, &f->anon) || f4p_verdict_vital(t, F4P_VITAL_rss, &f->anon))) {
        f->has_anon = true;
        if (f4p_verdict_vital(t, F4P_VITAL_tree_rss, &tree) && tree > f->anon)
            f->anon = tree;
    }
    if (f4p_verdict_vital(t, F4P_VITAL_rss_shmem, &shmem))
        f->anon += shmem; /* shared memory cannot be given back either */
    if (!f->has_limit || !f->has_usage)
        return;
    double pending = (double)f->usage + (double)f->wanted;
    f->near_limit = (double)f->usage >= NEAR_LIMIT * (double)f->limit || pending > (double)f->limit;
    f->held = f->has_anon && (double)f->anon + (double)f->wanted >= MOSTLY * (double)f->limit;
    f->page_cache = f->has_file && (double)f->file > MOSTLY * (double)f->usage && !f->held;
}

static void find_facts(struct facts *f)
{
    const struct f4p_trace *t = f->trace;
    f->launcher = t->has_launch;
    f->ended = t->has_launch && t->launch.status == F4P_LAUNCH_ENDED;
    f->recorder_ended = t->state.status == F4P_STATUS_EXITED;
    f->end_ns = t->state.t_ns;
    if (t->last && t->last->t_ns > f->end_ns)
        f->end_ns = t->last->t_ns;
    if (t->has_launch && t->launch.t_ns > f->end_ns)
        f->end_ns = t->launch.t_ns;
    if (f->ended)
        f->end_ns = t->launch.end_t_ns;
    for (size_t i = 0; i < t->request_count; i++)
        f->wanted = t->requests[i].size > f->wanted ? t->requests[i].size : f->wanted;
    find_usage(f);
    f->counted = increase(t, F4P_VITAL_cgroup_oom_kill, &f->kills);
    increase(t, F4P_VITAL_ancestor_oom_kill, &f->ancestor_kills);
    increase(t, F4P_VITAL_system_oom_kill, &f->system_kills);
    find_log(f);
    if (f4p_verdict_vital(t, F4P_VITAL_mem_available, &f->available) &&
        f4p_verdict_vital(t, F4P_VITAL_mem_total, &f->total))
        f->low_available = (double)f->available < LOW_AVAILABLE * (double)f->total;
    if (t->failure_count) {
        f->failure = t->failures[t->failure_count - 1];
        f->failed_late = f->failure.t_ns >= f->end_ns || f->end_ns - f->failure.t_ns <= LATE_NS;
    }
}

/* ---- evidence ---- */

__attribute__((format(printf, 2, 3))) static void say(struct f4p_verdict *v, const char *format, ...)
{
    if (v->evidence_count == F4P_MAX_EVIDENCE)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(v->evidence[v->evidence_count++], F4P_EVIDENCE_BYTES, format, arguments);
    va_end(arguments);
}

/* "15.9G of 16.0G charged" */
static void charged(const struct facts *f, char *out, size_t bytes)
{
    char used[F4P_NUMBER_BYTES], limit[F4P_NUMBER_BYTES];
    f4p_text_bytes(used, (double)f->usage, f->units);
    f4p_text_bytes(limit, (double)f->limit, f->units);
    if (f->has_usage && f->has_limit)
        snprintf(out, bytes, "%s of %s charged", used, limit);
    else if (f->has_limit)
        snprintf(out, bytes, "limit %s", limit);
    else
        snprintf(out, bytes, "%s charged, no limit", used);
}

static void say_counters(const struct facts *f, struct f4p_verdict *v)
{
    char text[96], a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    uint64_t count;
    if (f->has_usage || f->has_limit) {
        charged(f, text, sizeof text);
        if (f4p_verdict_vital(f->trace, F4P_VITAL_cgroup_anon, &count) && f->has_file)
            say(v, "cgroup: %s (anonymous %s, page cache %s)", text, f4p_text_bytes(a, (double)count, f->units),
                f4p_text_bytes(b, (double)f->file, f->units));
        else
            say(v, "cgroup: %s", text);
    }
    if (f->kills)
        say(v, "oom_kill of the cgroup rose by %llu", (unsigned long long)f->kills);
    else if (f->counted)
        say(v, "oom_kill of the cgroup did not rise");
    if (f->ancestor_kills)
        say(v, "oom_kill of the limiting ancestor cgroup rose by %llu", (unsigned long long)f->ancestor_kills);
    if (f->system_kills && !f->kills && !f->ancestor_kills)
        say(v, "oom_kill of the machine rose by %llu", (unsigned long long)f->system_kills);
    if (f4p_verdict_vital(f->trace, F4P_VITAL_cgroup_failcnt, &count) && count && f->near_limit)
        say(v, "the limit was hit %s times", f4p_text_count(a, count));
    if (f->low_available)
        say(v, "%s of %s available on the machine", f4p_text_bytes(a, (double)f->available, f->units),
            f4p_text_bytes(b, (double)f->total, f->units));
}

static void say_requests(const struct facts *f, struct f4p_verdict *v)
{
    char size[F4P_NUMBER_BYTES], old[F4P_NUMBER_BYTES], over[F4P_NUMBER_BYTES];
    for (size_t i = 0; i < f->trace->request_count && i < 4; i++) {
        const struct f4p_request *request = &f->trace->requests[i];
        f4p_text_bytes(size, (double)request->size, f->units);
        bool exceeds = f->has_limit && f->has_usage && f->usage + request->size > f->limit;
        f4p_text_bytes(over, (double)f->usage + (double)request->size - (double)f->limit, f->units);
        if (request->kind == F4P_REQUEST_REALLOC)
            say(v, "in flight: realloc from %s to %s%s%s", f4p_text_bytes(old, (double)request->old_size, f->units),
                size, exceeds ? ", with the old block past the limit by " : "", exceeds ? over : "");
        else
            say(v, "in flight: a request for %s%s%s", size, exceeds ? ", past the limit by " : "", exceeds ? over : "");
    }
}

static void say_failure(const struct facts *f, struct f4p_verdict *v)
{
    char size[F4P_NUMBER_BYTES], ago[F4P_NUMBER_BYTES];
    if (!f->trace->failure_count)
        return;
    uint64_t before = f->end_ns > f->failure.t_ns ? f->end_ns - f->failure.t_ns : 0;
    const char *why = f->failure.error ? strerrordesc_np((int)f->failure.error) : NULL;
    say(v, "a request for %s failed (%s) %s before the end; %zu failed in all",
        f4p_text_bytes(size, (double)f->failure.size, f->units), why ? why : "no memory", f4p_text_span(ago, before),
        f->trace->failure_count + (size_t)f->trace->state.lost[F4P_LOSS_failed]);
}

static void say_end(const struct facts *f, struct f4p_verdict *v)
{
    char name[F4P_NUMBER_BYTES];
    int status = f->trace->launch.wait_status;
    if (f->ended && WIFSIGNALED(status))
        say(v, "wait status: %s%s", f4p_signal_name(WTERMSIG(status), name), WCOREDUMP(status) ? ", core dumped" : "");
    else if (f->ended)
        say(v, "wait status: exit %d", WEXITSTATUS(status));
    else if (f->launcher && f->alive != F4P_ALIVE_YES)
        say(v, "the launcher did not see the end: it ended together with the job, or the file was copied before");
    else if (!f->launcher)
        say(v, "no launcher watched: signal and exit status are not known");
    if (f->recorder_ended)
        say(v, "the process ran its exit handlers");
    else if (!f->ended && f->alive == F4P_ALIVE_NO)
        say(v, "the process is gone and ran no exit handlers");
    else if (!f->ended && f->alive == F4P_ALIVE_UNKNOWN)
        say(v, "the process had run no exit handlers when the trace was last written");
    if (f->log_group || f->log_system)
        say(v, "the kernel's log says that the OOM killer killed it");
}

/* ---- rules ---- */

static bool killed_by(const struct facts *f, int signal)
{
    return f->ended && WIFSIGNALED(f->trace->launch.wait_status) && WTERMSIG(f->trace->launch.wait_status) == signal;
}

/* The command was a shell or the like, and what it ran was killed. */
static bool child_killed(const struct facts *f)
{
    return f->ended && WIFEXITED(f->trace->launch.wait_status) &&
           WEXITSTATUS(f->trace->launch.wait_status) == 128 + SIGKILL;
}

static bool vanished(const struct facts *f)
{
    return !f->ended && !f->recorder_ended && f->alive != F4P_ALIVE_YES;
}

static bool sigkilled(const struct facts *f)
{
    return killed_by(f, SIGKILL) || child_killed(f);
}

static bool crashed(const struct facts *f)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (killed_by(f, signals[i]))
            return true;
    return false;
}

static bool bad_exit(const struct facts *f)
{
    return f->ended ? WIFEXITED(f->trace->launch.wait_status) && WEXITSTATUS(f->trace->launch.wait_status) != 0
                    : f->recorder_ended;
}

static bool rule_running(const struct facts *f)
{
    return !f->ended && f->alive == F4P_ALIVE_YES;
}

static bool rule_group_proved(const struct facts *f)
{
    return (sigkilled(f) || vanished(f)) && (f->log_group || (sigkilled(f) && (f->kills || f->ancestor_kills)));
}

static bool rule_system_proved(const struct facts *f)
{
    return (sigkilled(f) || vanished(f)) && f->log_system;
}

static bool rule_group_counted(const struct facts *f)
{
    return vanished(f) && (f->kills || f->ancestor_kills);
}

static bool rule_group_fits(const struct facts *f)
{
    /* counters that are known and did not rise while somebody watched the end speak against it */
    return ((sigkilled(f) && !f->counted) || vanished(f)) && f->near_limit && f->held && !f->page_cache;
}

static bool rule_system_fits(const struct facts *f)
{
    return (sigkilled(f) && !f->kills && f->system_kills && (!f->counted || f->low_available)) ||
           (vanished(f) && !f->near_limit && (f->low_available || f->system_kills));
}

static bool rule_refused(const struct facts *f)
{
    return f->failed_late && (bad_exit(f) || killed_by(f, SIGABRT));
}

static bool rule_killed(const struct facts *f)
{
    return f->ended && WIFSIGNALED(f->trace->launch.wait_status);
}

static bool rule_child_killed(const struct facts *f)
{
    return child_killed(f);
}

static bool rule_exited(const struct facts *f)
{
    return f->ended || f->recorder_ended;
}

static bool rule_any(const struct facts *f)
{
    (void)f;
    return true;
}

/* The first rule that holds is the verdict. */
static const struct rule {
    bool (*holds)(const struct facts *);
    enum f4p_death kind;
    enum f4p_confidence confidence;
    const char *cause;
} rules[] = {
    {rule_running, F4P_DEATH_RUNNING, F4P_CERTAIN, "none: the process is alive"},
    {rule_group_proved, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN, "cgroup OOM kill"},
    {rule_system_proved, F4P_DEATH_OOM_SYSTEM, F4P_CERTAIN, "OOM kill: the machine was out of memory"},
    {rule_group_counted, F4P_DEATH_OOM_CGROUP, F4P_LIKELY, "cgroup OOM kill"},
    {rule_group_fits, F4P_DEATH_OOM_CGROUP, F4P_LIKELY, "cgroup OOM kill"},
    {rule_system_fits, F4P_DEATH_OOM_SYSTEM, F4P_LIKELY, "OOM kill: the machine was short of memory"},
    {rule_refused, F4P_DEATH_ALLOCATION_FAILED, F4P_LIKELY, "a request for memory failed"},
    {crashed, F4P_DEATH_CRASHED, F4P_CERTAIN, "crash"},
    {rule_killed, F4P_DEATH_KILLED, F4P_CERTAIN, "killed by a signal, no sign of the OOM killer"},
    {rule_child_killed, F4P_DEATH_KILLED, F4P_LIKELY, "exit status 137: what it ran was killed by SIGKILL"},
    {rule_exited, F4P_DEATH_EXITED, F4P_CERTAIN, "none: it ended by itself"},
    {rule_any, F4P_DEATH_UNKNOWN, F4P_UNSURE, "not recorded: killed, crashed, or copied while it ran"},
};

static void phrase_end(const struct facts *f, struct f4p_verdict *v)
{
    char name[F4P_NUMBER_BYTES], span[F4P_NUMBER_BYTES];
    f4p_text_span(span, f->end_ns);
    if (f->trace->has_launch && f->trace->launch.exec_errno)
        snprintf(v->end, sizeof v->end, "the command could not be run");
    else if (v->kind == F4P_DEATH_RUNNING)
        snprintf(v->end, sizeof v->end, "still running, %s so far", span);
    else if (v->signal)
        snprintf(v->end, sizeof v->end, "%s %s%s after %s", v->kind == F4P_DEATH_CRASHED ? "crashed by" : "killed by",
                 f4p_signal_name(v->signal, name), v->core ? " (core dumped)" : "", span);
    else if (v->exit_code >= 0)
        snprintf(v->end, sizeof v->end, "exited with status %d after %s", v->exit_code, span);
    else if (f->recorder_ended)
        snprintf(v->end, sizeof v->end, "exited after %s, status not recorded", span);
    else
        snprintf(v->end, sizeof v->end, "end not seen; last heard of after %s", span);
}

static void phrase_cause(const struct facts *f, const struct rule *rule, struct f4p_verdict *v)
{
    char text[96] = "", size[F4P_NUMBER_BYTES];
    if (v->kind == F4P_DEATH_OOM_CGROUP) {
        uint64_t kills = f->kills ? f->kills : f->ancestor_kills, after = 0;
        charged(f, text, sizeof text);
        bool known = f4p_vitals_get(f->trace->launch_end, F4P_VITAL_cgroup_oom_kill, &after) && after >= kills;
        int used = snprintf(v->cause, sizeof v->cause, "%s%s: %s", rule->cause,
                            !f->kills && f->ancestor_kills ? " by an ancestor's limit" : "", text);
        if (kills && known && !f->ancestor_kills)
            snprintf(v->cause + used, sizeof v->cause - (size_t)used, ", oom_kill %llu -> %llu",
                     (unsigned long long)(after - kills), (unsigned long long)after);
        else if (kills)
            snprintf(v->cause + used, sizeof v->cause - (size_t)used, ", oom_kill +%llu", (unsigned long long)kills);
    } else if (v->kind == F4P_DEATH_ALLOCATION_FAILED) {
        snprintf(v->cause, sizeof v->cause, "a request for %s failed just before",
                 f4p_text_bytes(size, (double)f->failure.size, f->units));
    } else if (v->kind == F4P_DEATH_KILLED && f->page_cache && f->near_limit) {
        snprintf(v->cause, sizeof v->cause, "%s; the limit was full of page cache, which is no OOM", rule->cause);
    } else if (f->trace->has_launch && f->trace->launch.exec_errno) {
        const char *why = strerrordesc_np((int)f->trace->launch.exec_errno);
        snprintf(v->cause, sizeof v->cause, "%s", why ? why : "exec failed");
    } else {
        snprintf(v->cause, sizeof v->cause, "%s", rule->cause);
    }
}

void f4p_verdict_find(const struct f4p_trace *trace, enum f4p_alive alive, enum f4p_units units,
                      struct f4p_verdict *verdict)
{
    struct facts facts = {.trace = trace, .alive = alive, .units = units};
    const struct rule *rule = rules;
    int status = trace->launch.wait_status;
    find_facts(&facts);
    while (!rule->holds(&facts))
        rule++;
    *verdict = (struct f4p_verdict){.kind = rule->kind, .confidence = rule->confidence, .exit_code = -1};
    if (facts.ended && WIFSIGNALED(status)) {
        verdict->signal = WTERMSIG(status);
        verdict->core = WCOREDUMP(status);
    } else if (facts.ended && WIFEXITED(status)) {
        verdict->exit_code = WEXITSTATUS(status);
    }
    /* SIGKILL without any count to look at may still have been the OOM killer's. */
    if (verdict->kind == F4P_DEATH_KILLED && verdict->signal == SIGKILL && !facts.counted)
        verdict->confidence = F4P_LIKELY;
    say_end(&facts, verdict);
    if (verdict->kind != F4P_DEATH_EXITED || facts.near_limit || facts.kills)
        say_counters(&facts, verdict);
    if (verdict->kind != F4P_DEATH_EXITED)
        say_requests(&facts, verdict);
    say_failure(&facts, verdict);
    phrase_end(&facts, verdict);
    phrase_cause(&facts, rule, verdict);
}
