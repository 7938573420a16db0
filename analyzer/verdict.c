#include "verdict.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "verdict_private.h"

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
    /* sigabbrev_np came with glibc 2.32 */
#define S(name) [name] = #name
    static const char *const names[] = {
        S(SIGHUP),  S(SIGINT),    S(SIGQUIT), S(SIGILL),   S(SIGTRAP), S(SIGABRT), S(SIGBUS),  S(SIGFPE),
        S(SIGKILL), S(SIGUSR1),   S(SIGSEGV), S(SIGUSR2),  S(SIGPIPE), S(SIGALRM), S(SIGTERM), S(SIGSTKFLT),
        S(SIGCHLD), S(SIGCONT),   S(SIGSTOP), S(SIGTSTP),  S(SIGTTIN), S(SIGTTOU), S(SIGURG),  S(SIGXCPU),
        S(SIGXFSZ), S(SIGVTALRM), S(SIGPROF), S(SIGWINCH), S(SIGPOLL), S(SIGPWR),  S(SIGSYS),
    };
#undef S
    if (signal > 0 && (size_t)signal < sizeof names / sizeof *names && names[signal])
        snprintf(buffer, F4P_NUMBER_BYTES, "%s", names[signal]);
    else
        snprintf(buffer, F4P_NUMBER_BYTES, "signal %d", signal);
    return buffer;
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

/* "15.9G of 16.0G charged"; "about" if much of it came after the cgroup was last looked at. */
static void charged(const struct f4p_facts *f, char *out, size_t bytes)
{
    const struct f4p_level *level = f->level;
    char used[F4P_NUMBER_BYTES], limit[F4P_NUMBER_BYTES];
    uint64_t usage = level->usage + f->grown;
    if (level->limited && usage > level->limit)
        usage = level->usage > level->limit ? level->usage : level->limit;
    f4p_text_bytes(used, (double)usage, f->units);
    f4p_text_bytes(limit, (double)level->limit, f->units);
    if (level->used && level->limited)
        snprintf(out, bytes, "%s%s of %s charged", f->grown > level->usage / 20 ? "about " : "", used, limit);
    else if (level->limited)
        snprintf(out, bytes, "limit %s", limit);
    else if (level->used)
        snprintf(out, bytes, "%s charged, no limit", used);
    else
        snprintf(out, bytes, "what is charged is not known");
}

static void say_levels(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char text[96], a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    if (f->own.used || f->own.limited) {
        struct f4p_facts own = {.units = f->units, .level = &f->own};
        charged(&own, text, sizeof text);
        const char *hidden = f->hidden ? ", a limit set above what is visible here" : "";
        if (f->own.shared && f->has_file)
            say(v, "cgroup: %s (anonymous %s, page cache %s)%s", text, f4p_text_bytes(a, (double)f->own.anon, f->units),
                f4p_text_bytes(b, (double)f->file, f->units), hidden);
        else
            say(v, "cgroup: %s%s", text, hidden);
    }
    if (f->above.limited && f->above.used)
        say(v, "the ancestor with the tightest limit: %s of %s charged%s",
            f4p_text_bytes(a, (double)f->above.usage, f->units), f4p_text_bytes(b, (double)f->above.limit, f->units),
            f->by_ancestor ? ", the limit that was hit" : "");
    if (f->grown > 1 << 20 && f->level->limited)
        say(v, "the heap grew by %s after the cgroup was last looked at",
            f4p_text_bytes(a, (double)f->grown, f->units));
}

/* Who held it: the job need not be what filled the cgroup. */
static void say_others(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char mine[F4P_NUMBER_BYTES], others[F4P_NUMBER_BYTES], largest[F4P_NUMBER_BYTES];
    uint64_t pid = 0, rss = 0, group = 0;
    f4p_text_bytes(mine, (double)(f->mine + f->grown), f->units);
    f4p_text_bytes(others, (double)f->others, f->units);
    f4p_verdict_vital(f->trace, F4P_VITAL_other_rss, &rss);
    f4p_verdict_vital(f->trace, F4P_VITAL_other_pid, &pid);
    if (f->hog && pid && rss > f->mine) {
        const char *command = f4p_trace_fact_text(f->trace, F4P_FACT_ID_OTHER);
        say(v, "another process of the cgroup held most of it: pid %llu (%.100s) %s, this job %s",
            (unsigned long long)pid, *command ? command : "name not known",
            f4p_text_bytes(largest, (double)rss, f->units), mine);
    } else if (f->hog)
        say(v, "other processes%s held %s of it, this %s %s", f->launcher ? "" : ", its own children among them,",
            others, f->launcher ? "job" : "process", mine);
    else if (f->mine && f->level->near)
        say(v, "this %s held %s of it", f->launcher ? "job" : "process", mine);
    if (f4p_verdict_vital(f->trace, F4P_VITAL_oom_group, &group) && group)
        say(v, "memory.oom.group is set: an OOM kill takes all processes of the cgroup at once");
}

static void say_kills(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char ago[F4P_NUMBER_BYTES];
    uint64_t rose_ns = 0, earlier = f->kills - f->fresh;
    if (f->fresh)
        say(v, "oom_kill of the cgroup rose by %llu", (unsigned long long)f->fresh);
    else if (f->counted && !f->kills)
        say(v, "oom_kill of the cgroup did not rise");
    if (earlier && f4p_verdict_vital(f->trace, F4P_VITAL_oom_kill_ns, &rose_ns) && rose_ns < f->end_ns)
        say(v, "oom_kill of the cgroup rose by %llu while the process lived on, last %s before the end",
            (unsigned long long)earlier, f4p_text_span(ago, f->end_ns - rose_ns));
    else if (earlier)
        say(v, "oom_kill of the cgroup rose by %llu while the process lived on", (unsigned long long)earlier);
    if (f->system_kills && !f->kills)
        say(v, "oom_kill of the machine rose by %llu", (unsigned long long)f->system_kills);
}

/* What slowed the job down before the end. */
static void say_pressure(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    uint64_t count, full, high = 0;
    if (f4p_verdict_vital(f->trace, F4P_VITAL_cgroup_failcnt, &count) && count && f->own.near)
        say(v, "the limit was hit %s times", f4p_text_count(a, count));
    if (f4p_facts_increase(f->trace, F4P_VITAL_cgroup_high_events, &count) && count &&
        f4p_verdict_vital(f->trace, F4P_VITAL_cgroup_high, &high))
        say(v, "memory.high of %s was exceeded %s times: the kernel slowed the cgroup down",
            f4p_text_bytes(a, (double)high, f->units), f4p_text_count(b, count));
    if (f4p_facts_increase(f->trace, F4P_VITAL_psi_full_us, &full) && full * 1000 > f->end_ns / 20)
        say(v, "memory pressure: all processes stalled for %s of %s", f4p_text_span(a, full * 1000),
            f4p_text_span(b, f->end_ns));
    if (f->low_available)
        say(v, "%s of %s available on the machine", f4p_text_bytes(a, (double)f->available, f->units),
            f4p_text_bytes(b, (double)f->total, f->units));
}

static void say_requests(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char size[F4P_NUMBER_BYTES], old[F4P_NUMBER_BYTES], over[F4P_NUMBER_BYTES];
    for (size_t i = 0; i < f->trace->request_count && i < 4; i++) {
        const struct f4p_request *request = &f->trace->requests[i];
        f4p_text_bytes(size, (double)request->size, f->units);
        double past = (double)f->level->usage + (double)f->grown + (double)request->size - (double)f->level->limit;
        bool exceeds = f->level->limited && f->level->used && past > 0;
        f4p_text_bytes(over, past, f->units);
        if (request->kind == F4P_REQUEST_REALLOC)
            say(v, "in flight: realloc from %s to %s%s%s", f4p_text_bytes(old, (double)request->old_size, f->units),
                size, exceeds ? ", with the old block past the limit by " : "", exceeds ? over : "");
        else
            say(v, "in flight: a request for %s%s%s", size, exceeds ? ", past the limit by " : "", exceeds ? over : "");
    }
}

static void say_failure(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char size[F4P_NUMBER_BYTES], ago[F4P_NUMBER_BYTES];
    if (!f->trace->failure_count)
        return;
    uint64_t before = f->end_ns > f->failure.t_ns ? f->end_ns - f->failure.t_ns : 0;
    const char *why = f->failure.error ? strerror((int)f->failure.error) : "no memory";
    say(v, "a request for %s failed (%s) %s before the end; %zu failed in all",
        f4p_text_bytes(size, (double)f->failure.size, f->units), why, f4p_text_span(ago, before),
        f->trace->failure_count + (size_t)f->trace->state.lost[F4P_LOSS_failed]);
}

static void say_end(const struct f4p_facts *f, struct f4p_verdict *v)
{
    char name[F4P_NUMBER_BYTES];
    int status = f->status;
    if (f->watched && WIFSIGNALED(status))
        say(v, "wait status: %s%s", f4p_signal_name(WTERMSIG(status), name), WCOREDUMP(status) ? ", core dumped" : "");
    else if (f->watched)
        say(v, "wait status: exit %d", WEXITSTATUS(status));
    else if (f->ended)
        say(v, "the process's own last word: exit %d", WEXITSTATUS(status));
    else if (f->launcher && f->alive != F4P_ALIVE_YES)
        say(v, "the launcher did not see the end: it ended together with the job, or the file was copied before");
    else if (!f->launcher)
        say(v, "no launcher watched: signal and exit status are not known");
    if (f->recorder_ended)
        say(v, "the process ran its exit handlers");
    else if (f->trace->ending && f->trace->ending->how == F4P_ENDING_AT_ONCE)
        say(v, "it left by _exit, without its exit handlers");
    else if (!f->ended && f->alive == F4P_ALIVE_NO)
        say(v, "the process is gone, and had run no exit handlers when the trace was last written");
    else if (!f->ended && f->alive == F4P_ALIVE_UNKNOWN)
        say(v, "the process had run no exit handlers when the trace was last written");
    if (f->log_group || f->log_system)
        say(v, "the kernel's log says that the OOM killer killed it");
}

/* ---- rules ---- */

static bool killed_by(const struct f4p_facts *f, int signal)
{
    return f->ended && WIFSIGNALED(f->status) && WTERMSIG(f->status) == signal;
}

/* The command was a shell or the like, and what it ran was killed. */
static bool child_killed(const struct f4p_facts *f)
{
    return f->ended && WIFEXITED(f->status) && WEXITSTATUS(f->status) == 128 + SIGKILL;
}

static bool vanished(const struct f4p_facts *f)
{
    return !f->ended && !f->recorder_ended && f->alive != F4P_ALIVE_YES;
}

static bool sigkilled(const struct f4p_facts *f)
{
    return killed_by(f, SIGKILL) || child_killed(f);
}

static bool crashed(const struct f4p_facts *f)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (killed_by(f, signals[i]))
            return true;
    return false;
}

/* Ended by itself, and not well; without a launcher the status is not known. */
static bool ended_badly(const struct f4p_facts *f)
{
    int status = f->status;
    if (f->ended)
        return WIFEXITED(status) ? WEXITSTATUS(status) != 0 : killed_by(f, SIGABRT) || (f->failed_last && crashed(f));
    return f->recorder_ended && f->failed_last;
}

/* A kill was counted that this job cannot have outlived. */
static bool kill_counted(const struct f4p_facts *f)
{
    return (killed_by(f, SIGKILL) && f->fresh) || (child_killed(f) && f->recent);
}

static bool any_limit(const struct f4p_facts *f)
{
    return f->own.limited || f->above.limited;
}

static bool rule_running(const struct f4p_facts *f)
{
    return !f->watched && f->alive == F4P_ALIVE_YES;
}

static bool rule_group_proved(const struct f4p_facts *f)
{
    /* where others held the memory the count may be of one of those */
    return ((sigkilled(f) || vanished(f)) && f->log_group) || (kill_counted(f) && any_limit(f) && !f->hog);
}

static bool rule_system_proved(const struct f4p_facts *f)
{
    return (sigkilled(f) || vanished(f)) && f->log_system;
}

static bool rule_system_counted(const struct f4p_facts *f)
{
    return kill_counted(f) && f->low_available && !f->own.near && !f->above.near;
}

static bool rule_group_counted(const struct f4p_facts *f)
{
    return kill_counted(f) || (vanished(f) && f->fresh);
}

static bool rule_group_fits(const struct f4p_facts *f)
{
    /* counters that are known and did not rise while somebody watched the end speak against it */
    return ((sigkilled(f) && !f->counted) || vanished(f)) && f->level->near && f->level->held && !f->page_cache;
}

static bool rule_system_fits(const struct f4p_facts *f)
{
    return (sigkilled(f) && !f->counted && f->system_kills) || (vanished(f) && !f->level->near && f->low_available);
}

static bool rule_refused(const struct f4p_facts *f)
{
    return f->failed_late && ended_badly(f);
}

static bool rule_killed(const struct f4p_facts *f)
{
    return f->ended && WIFSIGNALED(f->status);
}

static bool rule_child_killed(const struct f4p_facts *f)
{
    return child_killed(f);
}

static bool rule_exited(const struct f4p_facts *f)
{
    return f->ended || f->recorder_ended;
}

static bool rule_any(const struct f4p_facts *f)
{
    (void)f;
    return true;
}

/* The first rule that holds is the verdict. */
static const struct rule {
    bool (*holds)(const struct f4p_facts *);
    enum f4p_death kind;
    enum f4p_confidence confidence;
    const char *cause;
} rules[] = {
    {rule_running, F4P_DEATH_RUNNING, F4P_CERTAIN, "none: the process is alive"},
    {rule_group_proved, F4P_DEATH_OOM_CGROUP, F4P_CERTAIN, "cgroup OOM kill"},
    {rule_system_proved, F4P_DEATH_OOM_SYSTEM, F4P_CERTAIN, "OOM kill: the machine was out of memory"},
    {rule_system_counted, F4P_DEATH_OOM_SYSTEM, F4P_LIKELY, "OOM kill: the machine was out of memory"},
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

static void phrase_end(const struct f4p_facts *f, struct f4p_verdict *v)
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

static void phrase_group(const struct f4p_facts *f, const struct rule *rule, char *out, size_t bytes)
{
    char text[96], mine[F4P_NUMBER_BYTES];
    size_t used = 0;
#define ADD(...) used += (size_t)snprintf(out + used, used < bytes ? bytes - used : 0, __VA_ARGS__)
    struct f4p_level highest = f->own;
    struct f4p_facts at_peak = {.units = f->units, .level = &highest};
    bool later = !f->by_ancestor && !f->own.near && f->peak > f->own.usage; /* it was looked at when all was over */
    highest.usage = f->peak;
    charged(later ? &at_peak : f, text, sizeof text);
    ADD("%s%s: %s%s", rule->cause, f->by_ancestor ? " by an ancestor's limit" : "", text,
        later ? " at its highest" : "");
    if (f->fresh || (f->kills && f->recent)) {
        uint64_t rose = f->fresh ? f->fresh : f->kills;
        ADD(", oom_kill %llu -> %llu", (unsigned long long)(f->after - rose), (unsigned long long)f->after);
    }
    if (f->hog)
        ADD("; others held most of it, this %s %s", f->launcher ? "job" : "process",
            f4p_text_bytes(mine, (double)(f->mine + f->grown), f->units));
#undef ADD
}

static void phrase_cause(const struct f4p_facts *f, const struct rule *rule, struct f4p_verdict *v)
{
    char size[F4P_NUMBER_BYTES];
    const char *failed = f->failed_last && v->kind == F4P_DEATH_UNKNOWN ? "; a request for memory had just failed" : "";
    if (v->kind == F4P_DEATH_OOM_CGROUP) {
        phrase_group(f, rule, v->cause, sizeof v->cause);
    } else if (v->kind == F4P_DEATH_ALLOCATION_FAILED) {
        snprintf(v->cause, sizeof v->cause, "a request for %s failed just before",
                 f4p_text_bytes(size, (double)f->failure.size, f->units));
    } else if (v->kind == F4P_DEATH_KILLED && f->kills && !f->fresh) {
        snprintf(v->cause, sizeof v->cause,
                 "killed by a signal; the OOM killer took another process of the cgroup before");
    } else if (v->kind == F4P_DEATH_KILLED && f->page_cache && f->own.near) {
        snprintf(v->cause, sizeof v->cause, "%s; the limit was full of page cache, which is no OOM", rule->cause);
    } else if (f->trace->has_launch && f->trace->launch.exec_errno) {
        snprintf(v->cause, sizeof v->cause, "%s", strerror((int)f->trace->launch.exec_errno));
    } else {
        snprintf(v->cause, sizeof v->cause, "%s%s", rule->cause, failed);
    }
}

void f4p_verdict_find(const struct f4p_trace *trace, enum f4p_alive alive, enum f4p_units units,
                      struct f4p_verdict *verdict)
{
    struct f4p_facts facts;
    const struct rule *rule = rules;
    f4p_facts_find(&facts, trace, alive, units);
    while (!rule->holds(&facts))
        rule++;
    *verdict = (struct f4p_verdict){.kind = rule->kind, .confidence = rule->confidence, .exit_code = -1};
    bool over = facts.ended && rule->kind != F4P_DEATH_RUNNING; /* one that said its last word may still be there */
    if (over && WIFSIGNALED(facts.status)) {
        verdict->signal = WTERMSIG(facts.status);
        verdict->core = WCOREDUMP(facts.status);
    } else if (over && WIFEXITED(facts.status)) {
        verdict->exit_code = WEXITSTATUS(facts.status);
    }
    /* SIGKILL without any count to look at may still have been the OOM killer's. */
    if (verdict->kind == F4P_DEATH_KILLED && verdict->signal == SIGKILL && !facts.counted)
        verdict->confidence = F4P_LIKELY;
    say_end(&facts, verdict);
    if (verdict->kind != F4P_DEATH_EXITED || facts.level->near || facts.kills) {
        say_levels(&facts, verdict);
        say_kills(&facts, verdict);
        say_others(&facts, verdict);
        say_pressure(&facts, verdict);
    }
    if (verdict->kind != F4P_DEATH_EXITED)
        say_requests(&facts, verdict);
    say_failure(&facts, verdict);
    phrase_end(&facts, verdict);
    phrase_cause(&facts, rule, verdict);
}
