#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "when.h"

const char *f4p_loss_text(enum f4p_loss loss)
{
    static const char *const texts[] = {
#define X(name, text) text,
        F4P_LOSSES(X)
#undef X
    };
    return texts[loss];
}

const char *f4p_report_passive(const struct f4p_report *report)
{
    static const char *const texts[] = {
#define X(name, number, text) [number] = text,
        F4P_PASSIVE_REASONS(X)
#undef X
    };
    const struct f4p_state *state = &report->trace->state;
    if (state->status != F4P_STATUS_PASSIVE)
        return NULL;
    return state->passive_reason < sizeof texts / sizeof *texts ? texts[state->passive_reason]
                                                                : "a reason unknown here";
}

uint64_t f4p_report_lost(const struct f4p_report *report, enum f4p_loss loss)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < report->job->count; i++)
        sum += report->job->traces[i]->state.lost[loss];
    return sum;
}

struct f4p_change f4p_report_change(const struct f4p_report *r, const struct f4p_group *groups, size_t count)
{
    struct f4p_group sum = {0};
    struct f4p_change change = {.bytes = ((double)r->after.total.bytes - (double)r->before.total.bytes) / F4P_Q8,
                                .seconds =
                                    r->options->diff ? fabs((double)r->after.t_ns - (double)r->before.t_ns) / 1e9 : 0};
    for (size_t i = 0; i < count; i++)
        sum.change_variance += groups[i].change_variance;
    change.error = f4p_group_change_error(&sum);
    return change;
}

bool f4p_report_same(const struct f4p_heap *a, const struct f4p_heap *b)
{
    double x = (double)a->total.bytes, y = (double)b->total.bytes;
    return fabs(x - y) <= 0.02 * (x > y ? x : y);
}

/* ---- losses and damage ---- */

static void find_losses(struct f4p_report *r)
{
    static const enum f4p_loss dropped[] = {F4P_LOSS_busy, F4P_LOSS_live_full, F4P_LOSS_records_full};
    r->whole = true;
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++)
        r->lost += f4p_report_lost(r, dropped[i]);
    for (size_t i = 0; i < r->job->count; i++) {
        const struct f4p_damage *d = &r->job->traces[i]->damage;
        uint64_t bad = d->bad_live + d->bad_records + d->bad_sites + d->bad_nodes + d->bad_blocks;
        r->lost += d->bad_live + d->bad_records;
        r->whole &= !bad && !d->torn_bytes && !d->missing_bytes && d->live_sound;
        r->damaged |= bad || d->missing_bytes || !d->live_sound;
    }
}

/* ---- gates ---- */

static double sigma_of(const struct f4p_sums *sums)
{
    return sqrt(f4p_sums_variance(sums));
}

static void judge_heap(struct f4p_gate *gate, const struct f4p_heap *heap)
{
    gate->actual = (double)heap->total.bytes / F4P_Q8;
    gate->sigma = sigma_of(&heap->total);
    gate->known = true;
}

/* From the middle of the run to its end. */
static void judge_growth(const struct f4p_report *r, struct f4p_gate *gate)
{
    struct f4p_heap middle = {0};
    if (f4p_when_heap(r->model, false, "50%", 3, &middle) == 0 && r->end.t_ns > middle.t_ns) {
        double hours = (double)(r->end.t_ns - middle.t_ns) / 3600e9;
        double growth = ((double)r->end.total.bytes - (double)middle.total.bytes) / F4P_Q8;
        gate->actual = growth / hours;
        double variance = f4p_diff_variance(r->model, &middle, &r->end);
        gate->sigma = sqrt(variance < 0 ? 0 : variance) / hours;
        gate->known = true;
    }
    f4p_heap_free(&middle);
}

/* A model of its own: the gate's pattern takes the place of --focus. */
static int judge_focus(const struct f4p_report *r, struct f4p_gate *gate, size_t base_from, char *error,
                       size_t error_bytes)
{
    struct f4p_filter filter = r->options->filter;
    struct f4p_model *model = NULL;
    struct f4p_heap peak = {0};
    filter.focus = gate->option->focus;
    if (f4p_model_build(r->job->traces, r->job->count, base_from, &filter, &model, error, error_bytes))
        return F4P_EXIT_USAGE;
    if (!f4p_heap_peak(model, false, &peak))
        judge_heap(gate, &peak);
    f4p_heap_free(&peak);
    f4p_model_free(model);
    return 0;
}

static int judge_gate(const struct f4p_report *r, struct f4p_gate *gate, size_t base_from, char *error,
                      size_t error_bytes)
{
    static const char *const names[] = {"peak over", "end over", "growth over", ""};
    const struct f4p_gate_option *option = gate->option;
    int status = 0;
    snprintf(gate->name, sizeof gate->name, "%s%s%s", names[option->kind], *names[option->kind] ? " " : "",
             option->text);
    gate->limit = option->percent ? (double)r->limit * option->limit / 100 : option->limit;
    if (option->kind == F4P_GATE_PEAK)
        judge_heap(gate, &r->peak);
    else if (option->kind == F4P_GATE_END)
        judge_heap(gate, &r->end);
    else if (option->kind == F4P_GATE_GROWTH)
        judge_growth(r, gate);
    else
        status = judge_focus(r, gate, base_from, error, error_bytes);
    if (option->percent && !r->limit)
        gate->known = false; /* a share of nothing: fails, for a gate that cannot tell must not pass */
    gate->ok = gate->known && gate->actual - 2 * gate->sigma <= gate->limit;
    return status;
}

/* ---- instants ---- */

static int find_comparison(struct f4p_report *r, char *error, size_t error_bytes)
{
    const struct f4p_options *o = r->options;
    const char *when = o->at_count ? o->at[0] : "end", *name = o->diff ? o->diff : when;
    size_t length = strlen(when);
    if (!o->diff && !o->base)
        return 0;
    if (o->diff) {
        const char *dots = strstr(o->diff, "..");
        snprintf(r->before_name, sizeof r->before_name, "%.*s", (int)(dots - o->diff), o->diff);
        snprintf(r->after_name, sizeof r->after_name, "%s", dots + 2);
        r->compared = !f4p_when_heap(r->model, false, o->diff, (size_t)(dots - o->diff), &r->before) &&
                      !f4p_when_heap(r->model, false, dots + 2, strlen(dots + 2), &r->after);
    } else {
        const char *slash = strrchr(o->base, '/');
        snprintf(r->before_name, sizeof r->before_name, "%s", slash ? slash + 1 : o->base);
        snprintf(r->after_name, sizeof r->after_name, "%s", when);
        r->compared = !f4p_when_heap(r->model, true, when, length, &r->before) &&
                      !f4p_when_heap(r->model, false, when, length, &r->after);
    }
    if (r->compared)
        return 0;
    snprintf(error, error_bytes, "nothing to compare: the heap at %s is not known", name);
    return F4P_EXIT_USAGE;
}

static int find_instants(struct f4p_report *r, char *error, size_t error_bytes)
{
    const struct f4p_options *o = r->options;
    if (f4p_heap_end(r->model, false, &r->end) || f4p_heap_peak(r->model, false, &r->peak)) {
        snprintf(error, error_bytes, "out of memory");
        return F4P_EXIT_NOT_A_TRACE;
    }
    if (r->verdict.kind == F4P_DEATH_ALLOCATION_FAILED) {
        uint64_t t_ns = r->trace->failures[r->trace->failure_count - 1].t_ns + r->model->processes[0].start_ns;
        if (f4p_heap_at(r->model, false, t_ns, &r->refused))
            f4p_heap_free(&r->refused);
    }
    for (size_t i = 0; i < o->at_count; i++) {
        r->at[i].name = o->at[i];
        r->at[i].known = !f4p_when_heap(r->model, false, o->at[i], strlen(o->at[i]), &r->at[i].heap);
    }
    return find_comparison(r, error, error_bytes);
}

static void find_shape(struct f4p_report *r)
{
    struct f4p_shape *shape = &r->shape;
    *shape = f4p_shape_find(r->timeline, r->timeline_count, r->model->end_ns);
    if (shape->kind != F4P_SHAPE_RAMP && shape->kind != F4P_SHAPE_STEP)
        return;
    if (f4p_heap_at(r->model, false, shape->from_ns, &r->shape_start))
        f4p_heap_free(&r->shape_start);
}

int f4p_report_make(struct f4p_report *r, const struct f4p_options *options, const struct f4p_job *job,
                    size_t base_from, char *error, size_t error_bytes)
{
    *r = (struct f4p_report){.options = options, .job = job, .trace = job->traces[0]};
    if (f4p_model_build(job->traces, job->count, base_from, &options->filter, &r->model, error, error_bytes))
        return F4P_EXIT_USAGE;
    f4p_verdict_find(r->trace, f4p_probe_alive(r->trace), options->units, &r->verdict);
    if (!f4p_verdict_limit(r->trace, &r->limit))
        r->limit = 0;
    r->interval = f4p_model_interval(r->model);
    r->rss = f4p_rss_ledger_make(r->trace->ledger);
    r->rss_peak = f4p_rss_ledger_make(r->trace->ledger_peak);
    find_losses(r);
    int status = find_instants(r, error, error_bytes);
    if (status)
        return status;
    r->timeline = f4p_model_timeline(r->model, false, &r->timeline_count);
    find_shape(r);
    for (size_t i = 0; i < options->gate_count && !status; i++) {
        r->gates[i].option = &options->gates[i];
        status = judge_gate(r, &r->gates[i], base_from, error, error_bytes);
    }
    return status;
}

void f4p_report_free(struct f4p_report *r)
{
    for (size_t i = 0; i < F4P_MAX_INSTANTS; i++)
        f4p_heap_free(&r->at[i].heap);
    f4p_heap_free(&r->end);
    f4p_heap_free(&r->peak);
    f4p_heap_free(&r->refused);
    f4p_heap_free(&r->before);
    f4p_heap_free(&r->after);
    f4p_heap_free(&r->shape_start);
    free(r->timeline);
    f4p_model_free(r->model);
    r->timeline = NULL;
    r->model = NULL;
}
