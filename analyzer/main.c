/* fil4prod-analyze: what ended a job, and what held its memory. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "follow.h"
#include "json.h"
#include "options.h"
#include "output.h"
#include "report.h"
#include "text.h"
#ifdef HAVE_NCURSESW
#include "tui.h"
#endif

static void interrupted(int signal)
{
    (void)signal;
    f4p_output_abandon();
    _exit(F4P_EXIT_INTERRUPTED);
}

static void pipe_broke(int signal)
{
    (void)signal;
    f4p_output_broken();
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = interrupted};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    action.sa_handler = pipe_broke;
    sigaction(SIGPIPE, &action, NULL);
}

/* What names may take before the first screen, ms. */
#define FRONT_NAMES_MS 400 /* those that it shows */
#define NAMES_MS 150       /* all */
#define SOME_NAMES_MS 50   /* long enough to tell how long all of them will */

static time_t started;
static bool progress_shown;

/* On a terminal, once it has taken a second. */
static void show_progress(size_t count, const char *path)
{
    char safe[256];
    const char *slash = strrchr(path, '/');
    if (time(NULL) - started < 2)
        return;
    f4p_text_safe(safe, sizeof safe, slash ? slash + 1 : path, 40, true, true);
    fprintf(stderr, "\r%zu %s read, reading %-40s", count, count == 1 ? "trace" : "traces", safe);
    progress_shown = true;
}

static void end_progress(void)
{
    if (progress_shown)
        fprintf(stderr, "\r%72s\r", "");
    progress_shown = false;
}

static void complain(const char *text)
{
    char safe[1024];
    end_progress();
    f4p_text_safe(safe, sizeof safe, text, sizeof safe / 8, false, true);
    fprintf(stderr, "fil4prod-analyze: %s\n", safe);
}

static int open_job(const struct f4p_options *options, struct f4p_job *job, size_t *base_from)
{
    struct f4p_error error;
    for (size_t i = 0; i < options->path_count; i++)
        if (f4p_job_add(job, options->paths[i], &error)) {
            complain(error.text);
            return F4P_EXIT_NOT_A_TRACE;
        }
    *base_from = job->count;
    if (options->base && f4p_job_add(job, options->base, &error)) {
        complain(error.text);
        return F4P_EXIT_NOT_A_TRACE;
    }
    if (options->base && job->count == *base_from) {
        complain("--base names the trace itself");
        return F4P_EXIT_USAGE;
    }
    if (job->left_out && !options->quiet)
        fprintf(stderr, "fil4prod-analyze: %zu more traces of this job left out: name fewer at a time\n",
                job->left_out);
    return 0;
}

static int write_face(const struct f4p_report *report, const char *path, bool json)
{
    struct f4p_output output;
    char error[512];
    if (f4p_output_open(&output, path, report->options->force, error, sizeof error)) {
        complain(error);
        return F4P_EXIT_OUTPUT;
    }
    int failed = 0;
    if (json) {
        failed = f4p_json_report(report, output.stream);
    } else {
        struct f4p_text_style style = f4p_text_style_for(output.stream, report->options);
        f4p_text_report(report, &style, output.stream);
    }
    if (f4p_output_close(&output, error, sizeof error)) {
        complain(error);
        return F4P_EXIT_OUTPUT;
    }
    if (failed)
        complain("out of memory: the report is not complete");
    return failed ? F4P_EXIT_OUTPUT : 0;
}

static void report_gates(const struct f4p_report *report)
{
    char actual[F4P_NUMBER_BYTES], sigma[F4P_NUMBER_BYTES], limit[F4P_NUMBER_BYTES], name[512];
    for (size_t i = 0; i < report->options->gate_count; i++) {
        const struct f4p_gate *gate = &report->gates[i];
        const char *per = gate->option->kind == F4P_GATE_GROWTH ? "/h" : "";
        enum f4p_units units = report->options->units;
        if (gate->ok)
            continue;
        f4p_text_safe(name, sizeof name, gate->name, 100, false, true);
        if (!gate->known)
            fprintf(stderr, "fil4prod-analyze: gate failed: %s: the trace does not say\n", name);
        else
            fprintf(stderr, "fil4prod-analyze: gate failed: %s: %s%s, less two standard errors of %s%s, is over %s%s\n",
                    name, f4p_text_bytes(actual, gate->actual, units), per, f4p_text_bytes(sigma, gate->sigma, units),
                    per, f4p_text_bytes(limit, gate->limit, units), per);
    }
}

static int exit_status(const struct f4p_report *report)
{
    bool torn = report->options->strict && (!report->whole || report->lost);
    if (report->damaged || torn) {
        if (!report->options->quiet)
            complain(report->damaged ? "the trace is damaged: numbers may be wrong, see the report"
                                     : "the trace has a torn tail or lost samples (--strict)");
        return F4P_EXIT_DAMAGED;
    }
    for (size_t i = 0; i < report->options->gate_count; i++)
        if (!report->gates[i].ok)
            return F4P_EXIT_GATE;
    return F4P_EXIT_OK;
}

/* The first trace to another file, or all of the job in place. */
static int pack(const struct f4p_options *options, const struct f4p_job *job, size_t count)
{
    char error[512];
    struct stat mine, other;
    bool in_place = count > 0 && stat(options->pack, &mine) == 0 && stat(job->paths[0], &other) == 0 &&
                    mine.st_ino == other.st_ino && mine.st_dev == other.st_dev;
    for (size_t i = 0; i < (in_place ? count : 1); i++)
        if (f4p_symbols_pack(job->traces[i], in_place ? job->paths[i] : options->pack, options->force, error,
                             sizeof error)) {
            complain(error);
            return F4P_EXIT_OUTPUT;
        }
    return 0;
}

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint64_t names_may_take(const struct f4p_job *job, uint64_t passed)
{
    struct f4p_symbol_progress p = f4p_job_progress(job);
    bool soon = p.done && passed * p.all <= NAMES_MS * p.done;
    return p.front ? FRONT_NAMES_MS : passed < SOME_NAMES_MS ? SOME_NAMES_MS : soon ? NAMES_MS : 0;
}

/* Names that come soon are there before the first screen is, so that it need not change. Patterns ask for all names. */
static void await_names(struct f4p_job *job, const struct f4p_options *options)
{
    const struct f4p_filter *filter = &options->filter;
    bool patterns = filter->focus || filter->ignore || filter->hide || filter->show_from;
    uint64_t begin = now_ms(), passed = 0;
    bool more = true;
    while (more && job->later) {
        uint64_t most = names_may_take(job, passed);
        if (!patterns && passed >= most)
            break;
        more = f4p_job_name(job, patterns ? -1 : (int)(most - passed));
        passed = now_ms() - begin;
    }
}

/* Without a terminal that will do: text, with all names. */
static int write_text(const struct f4p_options *options, struct f4p_job *job, size_t base_from,
                      struct f4p_report *report)
{
    char error[512];
    int status = 0;
    if (f4p_job_progress(job).done < f4p_job_progress(job).all) {
        while (f4p_job_name(job, -1))
            ;
        f4p_report_free(report);
        status = f4p_report_make(report, options, job, base_from, error, sizeof error);
    }
    if (status)
        complain(error);
    return status ? status : write_face(report, options->text ? options->text : "-", false);
}

static int write_faces(const struct f4p_options *options, struct f4p_job *job, size_t base_from,
                       struct f4p_report *report)
{
    int status = options->json ? write_face(report, options->json, true) : 0;
    if ((options->text || options->tui) && !status)
        status = write_text(options, job, base_from, report);
    return status;
}

static int show(const struct f4p_options *options, struct f4p_job *job, size_t base_from, struct f4p_report *report)
{
#ifdef HAVE_NCURSESW
    int status;
    if (options->tui && (status = f4p_tui_run(options, job, report)) >= 0)
        return status;
#endif
    static const struct f4p_follow_steps steps = {open_job, write_faces};
    return options->follow ? f4p_follow(options, job, base_from, report, &steps)
                           : write_faces(options, job, base_from, report);
}

static int run(const struct f4p_options *options)
{
    struct f4p_job job = {.symbol_options = &options->symbols, .later = options->tui};
    struct f4p_report report = {0};
    char error[512];
    size_t base_from = 0;
    started = time(NULL);
    if (!options->quiet && isatty(STDERR_FILENO))
        job.progress = show_progress;
    int status = open_job(options, &job, &base_from);
    if (!status && progress_shown)
        fprintf(stderr, "\r%zu traces read, adding up%48s", job.count, "");
    if (status)
        goto out;
    if (options->pack && ((status = pack(options, &job, base_from)) || (!options->text && !options->json)))
        goto out;
    await_names(&job, options);
    status = f4p_report_make(&report, options, &job, base_from, error, sizeof error);
    end_progress();
    if (status) {
        complain(error);
        goto out;
    }
    for (size_t i = 0; i < options->at_count && !options->quiet; i++)
        if (!report.at[i].known)
            fprintf(stderr, "fil4prod-analyze: --at %s: nothing is known of that time\n", options->at[i]);
    status = show(options, &job, base_from, &report);
    report_gates(&report);
    if (!status)
        status = exit_status(&report);
out:
    end_progress();
    f4p_report_free(&report);
    f4p_job_close(&job);
    return status;
}

int main(int argc, char **argv)
{
    struct f4p_options options;
    catch_signals();
    int status = f4p_options_parse(&options, argc, argv);
    if (status || options.done) {
        if (!status && fflush(stdout) && errno != EPIPE)
            status = F4P_EXIT_OUTPUT;
        return status;
    }
    return run(&options);
}
