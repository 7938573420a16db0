/* The heap at an instant, the timeline, and how sure both are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"
#include "ledger.h"
#include "model.h"

#define MAX_BUCKETS 4096u
#define SIGMAS_95 1.959964
#define FEW_SAMPLES 30u

static int heap_start(const struct f4p_model *model, struct f4p_heap *heap)
{
    *heap = (struct f4p_heap){.exact = true, .sound = true};
    heap->sums = calloc(model->entries.count + 1ul, sizeof *heap->sums);
    heap->resident = calloc(model->entries.count + 1ul, sizeof *heap->resident);
    return heap->sums && heap->resident ? 0 : -1;
}

void f4p_heap_free(struct f4p_heap *heap)
{
    free(heap->sums);
    free(heap->resident);
    *heap = (struct f4p_heap){0};
}

static void add_sites(const struct f4p_model_process *process, const struct f4p_sums *sums, struct f4p_heap *heap)
{
    for (size_t site = 0; site < process->trace->site_count; site++) {
        uint32_t entry = process->entry_of[site];
        f4p_sums_add(&heap->whole, &sums[site]);
        if (entry == F4P_NONE)
            continue;
        f4p_sums_add(&heap->sums[entry], &sums[site]);
        f4p_sums_add(&heap->total, &sums[site]);
    }
}

static uint64_t latest_rss(const struct f4p_trace *trace)
{
    const struct f4p_vitals *own = trace->last, *launcher = trace->launch_last;
    uint64_t rss = 0, other = 0;
    f4p_vitals_get(own, F4P_VITAL_rss, &rss);
    if (f4p_vitals_get(launcher, F4P_VITAL_rss, &other) && (!rss || launcher->t_ns >= own->t_ns))
        rss = other;
    return rss;
}

static uint64_t rss_at(const struct f4p_trace *trace, uint64_t t_ns)
{
    uint64_t rss = 0;
    for (size_t i = 0; i < trace->timeline_count && trace->timeline[i].t_ns <= t_ns; i++)
        if (trace->timeline[i].rss)
            rss = trace->timeline[i].rss;
    return rss;
}

enum moment { MOMENT_END, MOMENT_PEAK, MOMENT_TIME };

/* Only what every process of a heap knows of counts. */
static void add_resident(const struct f4p_model_process *process, enum moment moment, const struct f4p_sums *sums,
                         struct f4p_heap *heap)
{
    const struct f4p_trace *trace = process->trace;
    uint64_t *resident = heap->resident ? malloc((trace->site_count + 1) * sizeof *resident) : NULL;
    bool known = resident && (moment == MOMENT_END    ? f4p_rss_sites_end(trace, sums, resident)
                              : moment == MOMENT_PEAK ? f4p_rss_sites_peak(trace, sums, resident)
                                                      : false);
    for (size_t site = 0; known && site < trace->site_count; site++) {
        uint32_t entry = process->entry_of[site];
        heap->resident_whole += resident[site];
        if (entry == F4P_NONE)
            continue;
        heap->resident[entry] += resident[site];
        heap->resident_total += resident[site];
    }
    free(resident);
    if (known)
        return;
    free(heap->resident);
    heap->resident = NULL;
}

static int add_process(const struct f4p_model_process *process, enum moment moment, uint64_t t_ns,
                       struct f4p_heap *heap)
{
    const struct f4p_trace *trace = process->trace;
    struct f4p_instant got = {.kind = F4P_INSTANT_EXACT, .sound = true, .t_ns = t_ns};
    struct f4p_sums *sums = calloc(trace->site_count + 1, sizeof *sums);
    int result = 0;
    if (!sums)
        return -1;
    if (moment == MOMENT_END)
        f4p_trace_heap_end(trace, sums, &got);
    else if (moment == MOMENT_PEAK)
        f4p_trace_heap_peak(trace, sums, &got);
    else
        result = f4p_trace_heap_at(trace, t_ns, sums, &got);
    add_sites(process, sums, heap);
    add_resident(process, moment, sums, heap);
    free(sums);
    heap->exact &= got.kind == F4P_INSTANT_EXACT;
    heap->sound &= got.sound;
    heap->rss += moment == MOMENT_END ? latest_rss(trace) : rss_at(trace, got.t_ns);
    if (moment != MOMENT_END)
        heap->t_ns = process->start_ns + got.t_ns;
    return result;
}

static size_t members(const struct f4p_model *model, bool base)
{
    size_t count = 0;
    for (size_t i = 0; i < model->process_count; i++)
        count += model->processes[i].base == base;
    return count;
}

static uint64_t end_of(const struct f4p_model *model, bool base)
{
    uint64_t end = 0;
    for (size_t i = 0; i < model->process_count; i++)
        if (model->processes[i].base == base && model->processes[i].end_ns > end)
            end = model->processes[i].end_ns;
    return end;
}

int f4p_heap_end(const struct f4p_model *model, bool base, struct f4p_heap *heap)
{
    if (!members(model, base) || heap_start(model, heap))
        return -1;
    for (size_t i = 0; i < model->process_count; i++) {
        const struct f4p_model_process *process = &model->processes[i];
        if (process->base == base && !process->gone && add_process(process, MOMENT_END, 0, heap))
            return -1;
    }
    heap->t_ns = end_of(model, base);
    return 0;
}

static bool has_ended(const struct f4p_model_process *process, uint64_t t_ns)
{
    return f4p_process_left(process) && t_ns > process->end_ns;
}

int f4p_heap_at(const struct f4p_model *model, bool base, uint64_t t_ns, struct f4p_heap *heap)
{
    bool many = members(model, base) > 1;
    uint64_t latest = 0;
    int result = -1;
    if (heap_start(model, heap))
        return -1;
    for (size_t i = 0; i < model->process_count; i++) {
        const struct f4p_model_process *process = &model->processes[i];
        if (process->base != base || t_ns < process->start_ns || (many && has_ended(process, t_ns)))
            continue;
        if (!add_process(process, MOMENT_TIME, t_ns - process->start_ns, heap))
            result = 0;
        if (heap->t_ns > latest)
            latest = heap->t_ns;
    }
    heap->t_ns = many || result ? t_ns : latest;
    return result;
}

/* Highest of the timeline's bucket that holds t, for choosing among moments only. */
static uint64_t timeline_heap(const struct f4p_trace *trace, uint64_t t_ns)
{
    size_t low = 0, high = trace->timeline_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (trace->timeline[middle].t_ns <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? trace->timeline[low - 1].heap : 0;
}

static uint64_t job_heap(const struct f4p_model *model, bool base, uint64_t t_ns)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < model->process_count; i++) {
        const struct f4p_model_process *process = &model->processes[i];
        if (process->base == base && t_ns >= process->start_ns && !has_ended(process, t_ns))
            sum += timeline_heap(process->trace, t_ns - process->start_ns);
    }
    return sum;
}

int f4p_heap_peak(const struct f4p_model *model, bool base, struct f4p_heap *heap)
{
    uint64_t best = 0, best_t = 0;
    if (members(model, base) == 1) {
        if (heap_start(model, heap))
            return -1;
        for (size_t i = 0; i < model->process_count; i++)
            if (model->processes[i].base == base)
                return add_process(&model->processes[i], MOMENT_PEAK, 0, heap);
    }
    /* Of several processes: the highest sum at the processes' own peaks and at the buckets of the merged timeline. */
    size_t count;
    struct f4p_point *points = f4p_model_timeline(model, base, &count);
    for (size_t i = 0; i < count + model->process_count; i++) {
        if (i >= count && model->processes[i - count].base != base)
            continue;
        uint64_t t_ns = i < count
                            ? points[i].t_ns
                            : model->processes[i - count].start_ns + model->processes[i - count].trace->state.peak.t_ns;
        uint64_t sum = job_heap(model, base, t_ns);
        if (sum > best) {
            best = sum;
            best_t = t_ns;
        }
    }
    free(points);
    return f4p_heap_at(model, base, best_t, heap);
}

/* ---- timeline ---- */

/* Adds one process: the highest value of each bucket, carried over buckets in which nothing was recorded. */
static void add_timeline(const struct f4p_model_process *process, uint64_t step, bool with_rss,
                         struct f4p_point *points, size_t count)
{
    const struct f4p_trace *trace = process->trace;
    uint64_t heap = 0, rss = 0;
    size_t next = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t from = points[i].t_ns, highest = heap, highest_rss = 0, cgroup = 0;
        if (from + step <= process->start_ns || has_ended(process, from))
            continue;
        for (; next < trace->timeline_count && process->start_ns + trace->timeline[next].t_ns < from + step; next++) {
            const struct f4p_point *point = &trace->timeline[next];
            heap = point->heap;
            highest = heap > highest ? heap : highest;
            highest_rss = point->rss > highest_rss ? point->rss : highest_rss;
            cgroup = point->cgroup > cgroup ? point->cgroup : cgroup;
        }
        rss = highest_rss ? highest_rss : rss;
        points[i].heap += highest;
        points[i].rss += with_rss ? rss : 0;
        points[i].cgroup = cgroup > points[i].cgroup ? cgroup : points[i].cgroup;
    }
}

static struct f4p_point *copy_timeline(const struct f4p_model_process *process, size_t *count)
{
    const struct f4p_trace *trace = process->trace;
    struct f4p_point *points = malloc((trace->timeline_count + 1) * sizeof *points);
    if (!points)
        return NULL;
    *count = trace->timeline_count;
    for (size_t i = 0; i < *count; i++) {
        points[i] = trace->timeline[i];
        points[i].t_ns += process->start_ns;
    }
    return points;
}

struct f4p_point *f4p_model_timeline(const struct f4p_model *model, bool base, size_t *count)
{
    size_t found = members(model, base);
    const struct f4p_model_process *first = NULL;
    uint64_t step = 1;
    *count = 0;
    for (size_t i = 0; i < model->process_count; i++) {
        const struct f4p_model_process *process = &model->processes[i];
        if (process->base != base)
            continue;
        if (!first)
            first = process;
        if (process->trace->timeline_step_ns > step)
            step = process->trace->timeline_step_ns;
    }
    if (found == 1)
        return copy_timeline(first, count);
    uint64_t end = end_of(model, base);
    while (end / step >= MAX_BUCKETS)
        step *= 2;
    struct f4p_point *points = found ? calloc(end / step + 1, sizeof *points) : NULL;
    if (!points)
        return NULL;
    *count = end / step + 1;
    for (size_t i = 0; i < *count; i++)
        points[i].t_ns = i * step;
    /* The launcher's RSS is of the whole tree already. */
    bool tree = first->trace->has_launch;
    for (size_t i = 0; i < model->process_count; i++)
        if (model->processes[i].base == base)
            add_timeline(&model->processes[i], step, !tree || &model->processes[i] == first, points, *count);
    return points;
}

/* ---- how sure ---- */

double f4p_sums_variance(const struct f4p_sums *sums)
{
    return (double)sums->variance * 256.0;
}

/* Limits of a Poisson mean of which `n` was seen (Wilson and Hilferty's approximation of Garwood's, 95 %). */
static void poisson_limits(double n, double *low, double *high)
{
    double up = n + 1;
    double high_root = 1 - 1 / (9 * up) + SIGMAS_95 / (3 * sqrt(up));
    double low_root = n > 0.05 ? 1 - 1 / (9 * n) - SIGMAS_95 / (3 * sqrt(n)) : 0;
    *high = up * high_root * high_root * high_root;
    *low = low_root > 0 ? n * low_root * low_root * low_root : 0;
}

struct f4p_error_bars f4p_sums_error(const struct f4p_sums *sums, uint64_t interval)
{
    double bytes = (double)sums->bytes / F4P_Q8;
    double variance = f4p_sums_variance(sums);
    struct f4p_error_bars bars = {bytes, bytes, 0};
    if (!sums->variance)
        return bars;
    bars.half = SIGMAS_95 * sqrt(variance);
    if (sums->samples >= FEW_SAMPLES || !interval) {
        bars.low = bytes > bars.half ? bytes - bars.half : 0;
        bars.high = bytes + bars.half;
        return bars;
    }
    double unit = (double)interval, low, high;
    double n = variance / (unit * unit);
    poisson_limits(n, &low, &high);
    bars.low = bytes - (n - low) * unit;
    if (bars.low < 0)
        bars.low = 0;
    bars.high = bytes + (high - n) * unit;
    bars.half = bars.high - bytes > bytes - bars.low ? bars.high - bytes : bytes - bars.low;
    return bars;
}

bool f4p_process_left(const struct f4p_model_process *process)
{
    return process->trace->state.status == F4P_STATUS_EXITED || process->trace->ending;
}

bool f4p_sums_tied(const struct f4p_sums *smaller, const struct f4p_sums *larger, uint64_t interval)
{
    struct f4p_error_bars bars = f4p_sums_error(smaller, interval);
    return bars.half > 0 && bars.high > f4p_sums_error(larger, interval).low;
}

uint64_t f4p_model_interval(const struct f4p_model *model)
{
    const struct f4p_trace *trace = model->processes[0].trace;
    return f4p_trace_interval(trace, trace->state.shift);
}

bool f4p_model_exact(const struct f4p_model *model)
{
    return f4p_model_interval(model) == 1;
}

uint64_t f4p_round_bytes(const uint64_t *q8, size_t count, uint64_t *bytes)
{
    size_t with_fraction[F4P_Q8] = {0};
    uint64_t sum = 0, floors = 0;
    for (size_t i = 0; i < count; i++) {
        bytes[i] = q8[i] / F4P_Q8;
        with_fraction[q8[i] % F4P_Q8]++;
        floors += bytes[i];
        sum += q8[i];
    }
    uint64_t total = sum / F4P_Q8 + (sum % F4P_Q8 >= F4P_Q8 / 2);
    uint64_t missing = total - floors;
    unsigned least = F4P_Q8; /* all with a larger fraction get a byte, of those with this one the first */
    while (least > 1 && missing > 0) {
        least--;
        if (with_fraction[least] >= missing)
            break;
        missing -= with_fraction[least];
    }
    for (size_t i = 0; i < count; i++) {
        unsigned fraction = (unsigned)(q8[i] % F4P_Q8);
        if (fraction > least) {
            bytes[i]++;
        } else if (fraction == least && missing > 0) {
            bytes[i]++;
            missing--;
        }
    }
    return total;
}
