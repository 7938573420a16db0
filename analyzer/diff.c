#include "diff.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"

#define NOT_THINNED 255u
#define LIVE_TIME_SHIFT 20u /* of struct f4p_live's t */

/* What happened to an entry between the two instants. */
struct passage {
    struct f4p_sums delta; /* of the events */
    double gone;           /* variance of what was freed */
    double stayed;         /* of what is live at the end and was there before the first instant */
};

struct walk {
    const struct f4p_model_process *process;
    struct passage *passages; /* by entry */
    uint64_t to_ns;
    unsigned thinned_from; /* the lowest interval that a sample was thinned from since the first instant */
};

static double variance_of(const struct f4p_sums *sums)
{
    return (double)sums->variance * 256.0;
}

/* ---- events ---- */

static bool take_event(void *context, const struct f4p_event *event)
{
    struct walk *walk = context;
    const struct f4p_trace *trace = walk->process->trace;
    if (event->delta == F4P_DELTA_THIN_KEEP && event->shift < walk->thinned_from)
        walk->thinned_from = event->shift;
    uint32_t entry = walk->process->entry_of[event->site];
    if (entry == F4P_NONE || event->t_ns > walk->to_ns)
        return true;
    struct passage *passage = &walk->passages[entry];
    struct f4p_sums sums = f4p_sample_weight(event->size, f4p_trace_interval(trace, event->shift));
    if (event->delta == F4P_DELTA_ALLOC)
        f4p_sums_add(&passage->delta, &sums);
    else
        f4p_sums_sub(&passage->delta, &sums);
    if (event->delta == F4P_DELTA_FREE)
        passage->gone += variance_of(&sums);
    if (event->delta == F4P_DELTA_THIN_KEEP) {
        sums = f4p_sample_weight(event->size, f4p_trace_interval(trace, event->new_shift));
        f4p_sums_add(&passage->delta, &sums);
    }
    return true;
}

/* Whether the history has every op of (from, to]. */
static bool has_all(const struct f4p_trace *trace, uint64_t from_ns, uint64_t to_ns)
{
    size_t count;
    const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
    if (to_ns > trace->state.t_ns)
        to_ns = trace->state.t_ns;
    for (size_t i = 0; i < count; i++)
        if (stretches[i].from_ns <= from_ns && stretches[i].to_ns >= to_ns)
            return true;
    return false;
}

/* ---- what stayed to the end ---- */

/* At which interval a sample that is live at the end was kept at the first instant: at least at this one. */
static unsigned shift_then(const struct walk *walk, const struct f4p_live *live)
{
    uint32_t floor = walk->process->trace->state.thin_floor;
    if (!floor || live->shift > floor || live->shift < walk->thinned_from)
        return live->shift;
    return walk->thinned_from;
}

static void take_survivors(const struct walk *walk, uint64_t from_ns)
{
    const struct f4p_trace *trace = walk->process->trace;
    uint64_t from = from_ns >> LIVE_TIME_SHIFT;
    for (size_t i = 0; i < trace->live_count; i++) {
        const struct f4p_live *live = &trace->live[i];
        uint32_t entry = f4p_process_entry(walk->process, live->site);
        if (entry == F4P_NONE || live->t >= from)
            continue;
        double size = (double)live->size;
        double now = f4p_sample_probability(live->size, f4p_trace_interval(trace, live->shift));
        double then = f4p_sample_probability(live->size, f4p_trace_interval(trace, shift_then(walk, live)));
        if (now > 0 && then > 0)
            walk->passages[entry].stayed += size / now * (size / then - size);
    }
}

/* ---- the variances ---- */

/* A process that has no part in a heap shares nothing with the other one. */
static bool is_absent(const struct f4p_model *model, const struct f4p_model_process *process,
                      const struct f4p_heap *heap)
{
    if (heap->t_ns < process->start_ns)
        return true;
    if (heap->t_ns >= model->end_ns)
        return process->gone;
    return model->process_count > 1 && f4p_process_left(process) && heap->t_ns > process->end_ns;
}

/* Returns whether all that happened in between is known. */
static bool pass(const struct f4p_model *model, size_t index, const struct f4p_heap *first,
                 const struct f4p_heap *second, struct passage *passages)
{
    const struct f4p_model_process *process = &model->processes[index];
    bool known = first->exact && second->exact;
    if (is_absent(model, process, first) || is_absent(model, process, second) ||
        (!known && model->process_count > 1)) /* which kept moments are mixed is not known */
        return false;
    uint64_t from_ns = first->t_ns - process->start_ns, end_ns = process->trace->state.t_ns;
    struct walk walk = {.process = process, .passages = passages, .to_ns = second->t_ns - process->start_ns};
    bool all = has_all(process->trace, from_ns, walk.to_ns), to_end = all && has_all(process->trace, from_ns, end_ns);
    walk.thinned_from = to_end ? NOT_THINNED : 0;
    if (all)
        f4p_trace_events(process->trace, from_ns + 1, to_end ? UINT64_MAX : walk.to_ns, take_event, &walk);
    take_survivors(&walk, from_ns);
    return all;
}

static double combine(const struct f4p_sums *first, const struct f4p_sums *second, const struct passage *passage,
                      bool all)
{
    double v1 = variance_of(first), v2 = variance_of(second), shared = passage->stayed;
    struct f4p_sums sum = *first;
    f4p_sums_add(&sum, &passage->delta);
    if (all && !memcmp(&sum, second, sizeof sum) && v1 - passage->gone > shared)
        shared = v1 - passage->gone;
    shared = shared < v1 ? shared : v1;
    return fmax(v1 + v2 - 2 * shared, fabs(v2 - v1));
}

double *f4p_diff_variances(const struct f4p_model *model, const struct f4p_heap *before, const struct f4p_heap *after)
{
    const struct f4p_heap *first = before->t_ns <= after->t_ns ? before : after;
    const struct f4p_heap *second = first == before ? after : before;
    double *variances = malloc((model->entries.count + 1ul) * sizeof *variances);
    struct passage *passages = calloc(model->entries.count + 1ul, sizeof *passages);
    bool *all = calloc(model->process_count + 1, sizeof *all);
    if (!variances || !passages || !all) {
        free(variances);
        variances = NULL;
        goto out;
    }
    for (uint32_t i = 0; i < model->entries.count; i++)
        all[f4p_model_entry(model, i)->process] |= before->sums[i].samples && after->sums[i].samples;
    for (size_t i = 0; i < model->process_count; i++)
        all[i] = all[i] && pass(model, i, first, second, passages);
    for (uint32_t i = 0; i < model->entries.count; i++)
        variances[i] =
            combine(&first->sums[i], &second->sums[i], &passages[i], all[f4p_model_entry(model, i)->process]);
out:
    free(passages);
    free(all);
    return variances;
}

double f4p_diff_variance(const struct f4p_model *model, const struct f4p_heap *before, const struct f4p_heap *after)
{
    double *variances = f4p_diff_variances(model, before, after), sum = 0;
    if (!variances)
        return -1;
    for (uint32_t i = 0; i < model->entries.count; i++)
        sum += variances[i];
    free(variances);
    return sum;
}
