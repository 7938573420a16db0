/*
 * fil4prod-record: makes a trace, runs a command under the recorder, looks at it from outside, and says how it ended.
 * Whatever goes wrong with the recording, the command runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "format/layout.h"
#include "recorder/names.h"
#include "recorder/record_options.h"
#include "recorder/record_pack.h"
#include "recorder/record_program.h"
#include "recorder/record_report.h"
#include "recorder/record_run.h"
#include "recorder/record_trace.h"
#include "recorder/record_watch.h"
#include "recorder/retain.h"
#include "recorder/say.h"

/* Static: the launcher takes no memory while the command runs short of it. */
static struct f4p_launch_options options;
static struct f4p_launch_trace trace;
static struct f4p_launch_program program;
static char library[PATH_MAX];

/* ---- before ---- */

static void not_recorded(const char *what, const char *why)
{
    if (!options.config.quiet)
        fprintf(stderr, "fil4prod: not recorded: %s: %s\n", what, why);
}

/* Makes the trace, or says why not. */
static void prepare_trace(void)
{
    const char *warning, *why;
    char what[PATH_MAX + 32];

    trace.fd = -1;
    f4p_launch_program_inspect(&program, options.command[0]);
    if (!*program.path)
        return; /* the attempt to run it will say why */
    if (program.obstacle) {
        snprintf(what, sizeof(what), "%s %s", program.loaded, program.obstacle);
        not_recorded(options.command[0], what);
        return;
    }
    if ((why = f4p_launch_library_find(options.library, library))) {
        not_recorded(options.command[0], why);
        return;
    }
    int result = f4p_launch_trace_create(&trace, &options, &warning);
    if (result < 0) {
        snprintf(what, sizeof(what), "cannot make %s", options.config.output);
        not_recorded(what, f4p_layout_error(result));
        return;
    }
    if (warning && !options.config.quiet)
        fprintf(stderr, "fil4prod: %s: %s\n", trace.used, warning);
    f4p_launch_trace_fact_command(&trace, options.command);
    f4p_launch_trace_fact_text(&trace, F4P_FACT_ID_EXE, program.loaded);
    f4p_launch_watch_prepare(&trace);
}

/* ---- while it runs ---- */

static void set_preload(void)
{
    static char text[PATH_MAX + 65536];
    const char *present = getenv("LD_PRELOAD");

    if (present && *present && strlen(present) < 65536)
        snprintf(text, sizeof(text), "%s:%s", library, present);
    else
        snprintf(text, sizeof(text), "%s", library);
    setenv("LD_PRELOAD", text, 1);
}

static void child_environment(void *context)
{
    static char attach[PATH_MAX + 32];
    char job[33];

    (void)context;
    if (trace.fd < 0)
        return;
    f4p_launch_trace_settle(&trace, getpid(), true);
    set_preload();
    f4p_launch_options_export(&options.config);
    setenv("FIL4PROD_OUTPUT", trace.named, 1);
    snprintf(attach, sizeof(attach), "%d:%s", (int)getpid(), trace.file);
    setenv("FIL4PROD_ATTACH", attach, 1);
    for (int i = 0; i < 16; i++)
        snprintf(job + 2 * i, 3, "%02x", trace.header.job_id[i]);
    setenv("FIL4PROD_JOB", job, 1);
}

static void started(void *context)
{
    const struct f4p_launch_run *run = context;
    f4p_launch_watch_start(&trace, run->pid);
}

static uint64_t look(void *context)
{
    (void)context;
    return f4p_launch_watch_look(&trace);
}

/* ---- after ---- */

static int cannot_run(int error)
{
    f4p_launch_trace_remove(&trace);
    bool missing = error == ENOENT || error == ENOTDIR;
    const char *why = !missing                          ? strerror(error)
                      : *program.path                   ? "its interpreter is missing"
                      : strchr(options.command[0], '/') ? strerror(error)
                                                        : "command not found";
    fprintf(stderr, "fil4prod-record: %s: %s\n", options.command[0], why);
    return missing ? F4P_LAUNCH_EXIT_NOT_FOUND : F4P_LAUNCH_EXIT_CANNOT;
}

static uint64_t microseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static void stamp_end(const struct f4p_launch_run *run)
{
    struct f4p_launch_state *state = &trace.state;

    state->status = F4P_LAUNCH_ENDED;
    state->wait_status = run->wait_status;
    state->pid = (uint32_t)run->pid;
    state->user_us = microseconds(run->usage.ru_utime);
    state->system_us = microseconds(run->usage.ru_stime);
    state->max_rss = (uint64_t)run->usage.ru_maxrss * 1024;
    if (trace.fd >= 0)
        state->end_t_ns = f4p_launch_trace_now(&trace);
    f4p_launch_trace_commit(&trace); /* at once: what follows may take a moment */
}

/* What a job that ended well leaves. true: not the command's own trace. */
static bool tidy(const struct f4p_launch_findings *findings)
{
    static char pattern[PATH_MAX], path[PATH_MAX];
    uint64_t over = options.config.keep_over, peak = f4p_retain_peak(trace.fd);
    bool own = f4p_names_has(trace.named, 'p'), small;

    if (over == F4P_KEEP_ALWAYS || trace.state.wait_status != 0 || f4p_launch_report_oom(findings))
        return false;
    if (own)
        strcpy(pattern, trace.named);
    else if (f4p_names_literal(pattern, sizeof(pattern), f4p_names_base(trace.file)) < 0)
        return false;
    strcpy(path, trace.file);
    small = (peak > trace.state.max_rss ? peak : trace.state.max_rss) <= over;
    if (small)
        f4p_launch_trace_remove(&trace);
    if (!own || !trace.outer_job) /* an outer job's other traces would look the same */
        f4p_retain_end_job(path, pattern, trace.header.job_id, over);
    return small;
}

/* The command is not among those of --commands: that the recorder did not start in it says nothing. */
static bool is_unlisted(void)
{
    const char *name = f4p_names_base(options.command[0]), *list = options.config.commands;
    return *list && !f4p_names_listed(list, name, strlen(name), false) && !options.verbose &&
           trace.state.wait_status == 0;
}

/* What the report of a Python program will not have. */
static void report_python(void)
{
    char status[160];

    if (!f4p_launch_trace_stated(&trace, F4P_FACT_ID_PYTHON_STATUS, status, sizeof(status)) ||
        strncmp(status, "off: ", 5) != 0)
        return;
    for (char *c = status; *c; c++)
        if ((unsigned char)*c < 32 || *c == 127)
            *c = '?';
    fprintf(stderr, "fil4prod: no Python lines were recorded: %s; native frames were\n", status + 5);
}

static void report(void)
{
    struct f4p_launch_findings findings;
    static char line[2 * PATH_MAX];

    f4p_launch_watch_end(&trace, &findings);
    f4p_launch_trace_commit(&trace);
    if (trace.fd < 0 || tidy(&findings) || options.config.quiet || is_unlisted())
        return;
    report_python();
    if (f4p_launch_report(line, sizeof(line), options.command[0], &trace, &findings, options.verbose))
        fprintf(stderr, "%s\n", line);
}

/* A shell script that was interrupted with its command ends only if the command died of it visibly. */
static void die_of(int signal)
{
    struct rlimit none = {0, 0};
    sigset_t only;

    setrlimit(RLIMIT_CORE, &none);
    sigemptyset(&only);
    sigaddset(&only, signal);
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(signal, &standard, NULL);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
}

int main(int argc, char **argv)
{
    f4p_launch_run_guard_streams();
    f4p_say_start();
    int status = f4p_launch_options_parse(&options, argc, argv);
    if (status != -1)
        return status;
    prepare_trace();

    struct f4p_launch_run run = {.command = options.command};
    run.context = &run;
    run.prepare = child_environment;
    if (trace.fd >= 0) {
        run.started = started;
        run.look = look;
    }
    int result = f4p_launch_run(&run);
    f4p_launch_trace_settle(&trace, run.pid, false);
    if (result < 0) {
        f4p_launch_trace_remove(&trace);
        fprintf(stderr, "fil4prod-record: cannot start a process: %s\n", strerror(-result));
        return F4P_LAUNCH_EXIT_INTERNAL;
    }
    if (run.exec_errno)
        return cannot_run(run.exec_errno);
    stamp_end(&run);
    report();
    f4p_launch_pack(&trace, run.asked_ns, options.config.quiet);
    if (WIFEXITED(run.wait_status))
        return WEXITSTATUS(run.wait_status);
    if (run.interrupted && WTERMSIG(run.wait_status) == SIGINT)
        die_of(SIGINT);
    return 128 + WTERMSIG(run.wait_status);
}
