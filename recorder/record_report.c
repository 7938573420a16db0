#include "recorder/record_report.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* A line that is cut rather than overrun. */
struct line {
    char *text;
    size_t room, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int got = vsnprintf(line->text + line->used, line->room - line->used, format, arguments);
    va_end(arguments);
    if (got > 0)
        line->used += (size_t)got < line->room - line->used ? (size_t)got : line->room - line->used - 1;
}

/* Names come from the command line: what could move a terminal's cursor is shown as '?'. */
static void say_name(struct line *line, const char *name)
{
    const char *slash = strrchr(name, '/');

    for (name = slash && slash[1] ? slash + 1 : name; *name; name++)
        say(line, "%c", (unsigned char)*name < 32 || *name == 127 ? '?' : *name);
}

/* As one word of a shell. */
static void say_quoted(struct line *line, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+,:@%=-";

    if (*word == '-')
        say(line, "./");
    if (*word && word[strspn(word, plain)] == 0) {
        say(line, "%s", word);
        return;
    }
    say(line, "'");
    for (; *word; word++) {
        if (*word == '\'')
            say(line, "'\\''");
        else
            say(line, "%c", (unsigned char)*word < 32 || *word == 127 ? '?' : *word);
    }
    say(line, "'");
}

static void say_bytes(struct line *line, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;
    double value = (double)bytes;

    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    say(line, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

const char *f4p_launch_signal_name(int signal, char text[24])
{
#define S(name) \
    case name:  \
        return #name;
    switch (signal) {
        S(SIGHUP)
        S(SIGINT)
        S(SIGQUIT)
        S(SIGILL)
        S(SIGTRAP)
        S(SIGABRT)
        S(SIGBUS)
        S(SIGFPE)
        S(SIGKILL)
        S(SIGUSR1)
        S(SIGSEGV)
        S(SIGUSR2)
        S(SIGPIPE)
        S(SIGALRM)
        S(SIGTERM)
        S(SIGVTALRM)
        S(SIGPROF)
        S(SIGXCPU)
        S(SIGXFSZ)
        S(SIGSYS)
    default:
        snprintf(text, 24, "signal %d", signal);
        return text;
    }
#undef S
}

/* Both values, if both are known and the count rose. */
static bool rose(const struct f4p_launch_findings *findings, enum f4p_vital which, uint64_t *from, uint64_t *to)
{
    uint64_t bit = 1ull << which;

    if (!(findings->first->valid & findings->last->valid & bit))
        return false;
    *from = findings->first->value[which];
    *to = findings->last->value[which];
    return *to > *from;
}

/* The same for the cgroup's OOM kills, of which those do not count that the command lived on after. */
static bool killed_in_cgroup(const struct f4p_launch_findings *findings, uint64_t *from, uint64_t *to)
{
    if (!rose(findings, F4P_VITAL_cgroup_oom_kill, from, to))
        return false;
    if (findings->last->valid >> F4P_VITAL_survived_oom_kill & 1 &&
        findings->last->value[F4P_VITAL_survived_oom_kill] > *from)
        *from = findings->last->value[F4P_VITAL_survived_oom_kill];
    return *to > *from;
}

/* Another process of the cgroup was larger: the count may be of that one. */
static bool others_larger(const struct f4p_launch_findings *findings)
{
    const struct f4p_vitals *last = findings->last;
    uint64_t both = 1ull << F4P_VITAL_other_rss | 1ull << F4P_VITAL_tree_rss;

    return (last->valid & both) == both && last->value[F4P_VITAL_other_rss] > last->value[F4P_VITAL_tree_rss];
}

/* " (cgroup limit 256.0 MiB, oom_kill 0 -> 1)" as far as known */
static void say_cgroup(struct line *line, const struct f4p_launch_findings *findings, bool any)
{
    bool limited = findings->last->valid >> F4P_VITAL_cgroup_limit & 1;
    uint64_t from, to;

    if (!(any ? rose(findings, F4P_VITAL_cgroup_oom_kill, &from, &to) : killed_in_cgroup(findings, &from, &to)))
        return;
    say(line, " (");
    if (limited) {
        say(line, "cgroup limit ");
        say_bytes(line, findings->last->value[F4P_VITAL_cgroup_limit]);
        say(line, ", ");
    }
    say(line, "oom_kill %llu -> %llu)", (unsigned long long)from, (unsigned long long)to);
}

static void say_signal(struct line *line, int status, const struct f4p_launch_findings *findings)
{
    int signal = WTERMSIG(status);
    uint64_t from, to;
    char text[24];

    if (signal == SIGKILL && (findings->log_says_oom || killed_in_cgroup(findings, &from, &to))) {
        bool sure = findings->log_says_oom || !others_larger(findings);
        say(line, "was killed%s by the kernel's OOM killer", sure ? "" : ", most likely");
        say_cgroup(line, findings, false);
        if (others_larger(findings))
            say(line, "; pid %llu of the same cgroup held more than it did",
                (unsigned long long)findings->last->value[F4P_VITAL_other_pid]);
        return;
    }
    say(line, "was killed by %s", f4p_launch_signal_name(signal, text));
    if (WCOREDUMP(status))
        say(line, " (core dumped)");
    if (signal == SIGKILL && rose(findings, F4P_VITAL_cgroup_oom_kill, &from, &to))
        say(line, ", some time after the kernel's OOM killer killed another process of its cgroup");
    else if (signal == SIGKILL && rose(findings, F4P_VITAL_system_oom_kill, &from, &to))
        say(line, " while the machine ran out of memory somewhere (its oom_kill %llu -> %llu)",
            (unsigned long long)from, (unsigned long long)to);
}

static void say_exit(struct line *line, int code, const struct f4p_launch_findings *findings, bool oom)
{
    char text[24];

    say(line, "exited with status %d", code);
    if (code > 128 && code < 128 + 32)
        say(line, " (128 + %s)", f4p_launch_signal_name(code - 128, text));
    if (oom) {
        say(line, " after the kernel's OOM killer killed a process of its cgroup");
        say_cgroup(line, findings, true);
    }
}

static bool worth_a_line(int status, bool oom)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) != SIGINT && WTERMSIG(status) != SIGPIPE;
    return WEXITSTATUS(status) == 128 + SIGKILL || (WEXITSTATUS(status) && oom);
}

bool f4p_launch_report_oom(const struct f4p_launch_findings *findings)
{
    uint64_t from, to;
    return rose(findings, F4P_VITAL_cgroup_oom_kill, &from, &to) || findings->log_says_oom;
}

bool f4p_launch_report(char *text, size_t room, const char *name, const struct f4p_launch_trace *trace,
                       const struct f4p_launch_findings *findings, bool always)
{
    struct line line = {text, room, 0};
    int status = trace->state.wait_status;
    bool oom = f4p_launch_report_oom(findings);

    if (!worth_a_line(status, oom) && f4p_launch_trace_attached(trace) && !always)
        return false;
    say(&line, "fil4prod: ");
    say_name(&line, name);
    say(&line, " (pid %u) ", trace->state.pid);
    if (WIFSIGNALED(status))
        say_signal(&line, status, findings);
    else
        say_exit(&line, WEXITSTATUS(status), findings, oom);
    if (f4p_launch_trace_attached(trace))
        say(&line, "; what held the memory: fil4prod-analyze ");
    else
        say(&line, "; the recorder did not start in it, what was seen from outside: fil4prod-analyze ");
    say_quoted(&line, trace->used);
    return true;
}
