#include "follow.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

#define IDLE 10  /* times as long as a look took, so that a large trace keeps no processor busy */
#define LINGER 3 /* looks at a trace that nobody seems to write to: its launcher may be about to */

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void rest(uint64_t ns)
{
    struct timespec left = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    nanosleep(&left, NULL);
}

/* Its process is not there any more. */
static bool gone(const struct f4p_report *report)
{
    return report->verdict.kind != F4P_DEATH_RUNNING &&
           (report->trace->ending || f4p_probe_alive(report->trace) == F4P_ALIVE_NO);
}

/* And nothing more will be said about how it ended. */
static bool settled(const struct f4p_report *report)
{
    const struct f4p_trace *trace = report->trace;
    return gone(report) && (!trace->has_launch || trace->launch.status == F4P_LAUNCH_ENDED);
}

/* Differs when there is something new to show. */
static uint64_t stamp(const struct f4p_report *report)
{
    uint64_t sum = report->job->count + ((uint64_t)report->verdict.kind << 56);
    for (size_t i = 0; i < report->job->count; i++) {
        const struct f4p_trace *trace = report->job->traces[i];
        sum += trace->state.commit + (trace->has_launch ? trace->launch.seq : 0);
    }
    return sum;
}

/* Reports that follow each other on standard output begin with a line that says when. */
static void print_time(const struct f4p_options *options)
{
    char now[F4P_NUMBER_BYTES];
    if (options->text && !strcmp(options->text, "-"))
        printf("==== %s\n", f4p_text_time(now, (uint64_t)time(NULL) * 1000000000));
}

/* Names that were found before are kept. -1: it cannot be read now, the old report stays. */
static int look(const struct f4p_options *options, const struct f4p_follow_steps *steps, struct f4p_job *job,
                size_t *base_from, struct f4p_report *report)
{
    struct f4p_job fresh = {.later = true}, old = *job;
    char error[512];
    size_t from = 0;
    int failed = steps->open(options, &fresh, &from);
    f4p_job_lend_names(&old, &fresh);
    if (failed) {
        f4p_job_keep_names(&old, &fresh, true);
        f4p_job_close(&fresh);
        return -1;
    }
    fresh.symbol_options = old.symbol_options;
    f4p_job_keep_names(&old, &fresh, false);
    f4p_report_free(report);
    *job = fresh;
    f4p_job_close(&old);
    while (f4p_job_name(job, -1))
        ;
    *base_from = from;
    return f4p_report_make(report, options, job, from, error, sizeof error);
}

int f4p_follow(const struct f4p_options *options, struct f4p_job *job, size_t base_from, struct f4p_report *report,
               const struct f4p_follow_steps *steps)
{
    static struct f4p_options again; /* the report, which stays, points to it */
    uint64_t shown = 0, seen = 0, begin = now_ns();
    unsigned still = 0; /* looks that found nothing new */
    int status;
    again = *options;
    if (!again.text && !again.json)
        again.text = "-";
    for (bool first = true;; first = false) {
        uint64_t now = stamp(report);
        still = first || now != seen ? 0 : still + 1;
        seen = now;
        bool over = settled(report) || (report->verdict.kind != F4P_DEATH_RUNNING && still >= LINGER);
        if (first || (now != shown && (over || !gone(report)))) {
            print_time(&again);
            if ((status = steps->show(&again, job, base_from, report)))
                return status;
            shown = now;
        }
        if (f4p_output_is_broken() || over)
            return 0;
        uint64_t pause = (now_ns() - begin) * IDLE, period = (uint64_t)again.follow_s * 1000000000;
        again.force = true; /* the files are ours by now */
        do {
            rest(pause > period ? pause : period);
            begin = now_ns();
            if (access(job->paths[0], F_OK)) /* not to be kept (--keep): what was shown last stands */
                return 0;
            status = look(&again, steps, job, &base_from, report);
        } while (status < 0 && ++still < LINGER);
        if (status)
            return status < 0 ? 0 : status;
    }
}
