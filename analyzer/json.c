#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"
#include "json_write.h"

#define MAX_FRAMES 65536u /* of one stack; a deeper one can only come from a damaged trace */

static uint64_t whole(double value)
{
    return value >= 0x1p64 ? UINT64_MAX : value > 0 ? (uint64_t)(value + 0.5) : 0;
}

static uint64_t whole_blocks(uint64_t q8)
{
    return q8 / F4P_Q8 + (q8 % F4P_Q8 >= F4P_Q8 / 2);
}

/* ---- trace, target, verdict ---- */

static void write_trace(struct f4p_json *j, const struct f4p_report *r)
{
    const struct f4p_trace *trace = r->trace;
    uint64_t torn = 0, samples = 0, moving = 0, thinned = 0;
    for (size_t i = 0; i < r->job->count; i++) {
        const struct f4p_trace *t = r->job->traces[i];
        torn += t->damage.torn_bytes;
        samples += t->state.sampled;
        thinned += t->state.thinned;
        moving += t->moving;
    }
    f4p_json_open(j, "trace", '{');
    f4p_json_bool(j, "complete", r->whole);
    f4p_json_number(j, "torn_bytes", torn);
    f4p_json_number(j, "lost_records", r->lost);
    f4p_json_number(j, "interval_bytes", r->interval);
    f4p_json_number(j, "base_interval_bytes", trace->header->base_interval);
    f4p_json_number(j, "samples", samples);
    f4p_json_number(j, "live_samples", r->end.whole.samples);
    f4p_json_number(j, "thinned_samples", thinned);
    f4p_json_bool(j, "exact", f4p_model_exact(r->model));
    f4p_json_number(j, "moving_ops", moving);
    f4p_json_text(j, "passive", f4p_report_passive(r));
    f4p_json_open(j, "files", '[');
    for (size_t i = 0; i < r->job->count; i++)
        f4p_json_text(j, NULL, r->job->paths[i]);
    f4p_json_close(j, ']');
    f4p_json_close(j, '}');
}

static void write_losses(struct f4p_json *j, const struct f4p_report *r)
{
    struct f4p_damage sum = {.live_sound = true, .peak_sound = true};
    f4p_json_open(j, "losses", '{');
#define X(name, text) f4p_json_number(j, #name, f4p_report_lost(r, F4P_LOSS_##name));
    F4P_LOSSES(X)
#undef X
    f4p_json_close(j, '}');
#define COUNTS(X) \
    X(torn_bytes) X(bad_states) X(bad_live) X(bad_sites) X(bad_nodes) X(bad_records) X(bad_blocks) X(missing_bytes)
    for (size_t i = 0; i < r->job->count; i++) {
        const struct f4p_damage *d = &r->job->traces[i]->damage;
#define X(name) sum.name += d->name;
        COUNTS(X)
#undef X
        sum.live_sound &= d->live_sound;
        sum.peak_sound &= d->peak_sound;
    }
    f4p_json_open(j, "damage", '{');
#define X(name) f4p_json_number(j, #name, sum.name);
    COUNTS(X)
#undef X
    f4p_json_bool(j, "live_sound", sum.live_sound);
    f4p_json_bool(j, "peak_sound", sum.peak_sound);
    f4p_json_close(j, '}');
}

/* Native code without names, by module. */
static void write_nameless(struct f4p_json *j, const struct f4p_report *r)
{
    char build_id[F4P_BUILD_ID_TEXT];
    f4p_json_open(j, "nameless", '[');
    for (size_t i = 0; i < r->job->count; i++) {
        const struct f4p_trace *trace = r->job->traces[i];
        size_t count;
        struct f4p_symbol_gap *gaps = f4p_symbols_gaps(trace, r->job->symbols[i], &count);
        for (size_t k = 0; k < count; k++) {
            const struct f4p_module_view *module = &trace->modules[gaps[k].module];
            f4p_json_open(j, NULL, '{');
            f4p_json_text(j, "trace", r->job->paths[i]);
            f4p_json_text(j, "module", module->path);
            f4p_json_text(j, "build_id", f4p_symbols_build_id(build_id, module));
            f4p_json_number(j, "addresses", gaps[k].addresses);
            f4p_json_number(j, "nameless", gaps[k].nameless);
            f4p_json_text(j, "why", f4p_symbols_why(gaps[k].why));
            f4p_json_close(j, '}');
        }
        free(gaps);
    }
    f4p_json_close(j, ']');
}

static void write_target(struct f4p_json *j, const struct f4p_report *r)
{
    char started[F4P_NUMBER_BYTES];
    const char *const *command = f4p_trace_fact_list(r->trace, F4P_FACT_ID_COMMAND);
    f4p_json_open(j, "target", '{');
    f4p_json_open(j, "command", '[');
    for (size_t i = 0; command[i]; i++)
        f4p_json_text(j, NULL, command[i]);
    f4p_json_close(j, ']');
    f4p_json_number(j, "pid", r->model->processes[0].pid);
    f4p_json_text(j, "started", f4p_text_time(started, r->trace->header->start_realtime_ns));
    f4p_json_number(j, "duration_ns", r->model->end_ns);
    f4p_json_text(j, "python", f4p_trace_fact_text(r->trace, F4P_FACT_ID_PYTHON));
    if (r->limit)
        f4p_json_number(j, "cgroup_limit_bytes", r->limit);
    else
        f4p_json_null(j, "cgroup_limit_bytes");
#define X(name, number, key, kind)                                        \
    if (F4P_FACT_##kind == F4P_FACT_TEXT && number != F4P_FACT_ID_PYTHON) \
        f4p_json_text(j, key, f4p_trace_fact_text(r->trace, F4P_FACT_ID_##name));
    F4P_FACTS(X)
#undef X
    f4p_json_close(j, '}');
}

static void write_verdict(struct f4p_json *j, const struct f4p_verdict *v)
{
    f4p_json_open(j, "verdict", '{');
    f4p_json_text(j, "kind", f4p_death_key(v->kind));
    f4p_json_text(j, "confidence", f4p_confidence_name(v->confidence));
    if (v->signal)
        f4p_json_number(j, "signal", (uint64_t)v->signal);
    else
        f4p_json_null(j, "signal");
    if (v->exit_code >= 0)
        f4p_json_number(j, "exit_code", (uint64_t)v->exit_code);
    else
        f4p_json_null(j, "exit_code");
    f4p_json_text(j, "end", v->end);
    f4p_json_text(j, "cause", v->cause);
    f4p_json_open(j, "evidence", '[');
    for (unsigned i = 0; i < v->evidence_count; i++)
        f4p_json_text(j, NULL, v->evidence[i]);
    f4p_json_close(j, ']');
    f4p_json_close(j, '}');
}

/* ---- resident memory ---- */

static void write_ledger(struct f4p_json *j, const char *name, const struct f4p_rss_ledger *ledger, uint64_t end_ns)
{
    if (!ledger->known) {
        f4p_json_null(j, name);
        return;
    }
    f4p_json_open(j, name, '{');
    f4p_json_number(j, "t_ns", ledger->t_ns);
    f4p_json_number(j, "from_ns", ledger->from_ns);
    f4p_json_number(j, "age_ns", end_ns > ledger->t_ns ? end_ns - ledger->t_ns : 0);
    f4p_json_number(j, "rss_bytes", ledger->rss);
    for (int i = 0; i < F4P_RSS_TERM_COUNT; i++)
        if (ledger->classes || i <= F4P_RSS_SWAPPED)
            f4p_json_number(j, f4p_rss_term_key((enum f4p_rss_term)i), ledger->term[i]);
        else
            f4p_json_null(j, f4p_rss_term_key((enum f4p_rss_term)i));
    f4p_json_signed(j, "unexplained_bytes", ledger->unexplained);
    f4p_json_number(j, "heap_error_bytes", ledger->heap_error);
    f4p_json_number(j, "probed_bytes", ledger->probed);
    f4p_json_number(j, "cost_ns", ledger->cost_ns);
    f4p_json_close(j, '}');
}

static void write_rss(struct f4p_json *j, const struct f4p_model_process *process)
{
    struct f4p_rss_ledger last = f4p_rss_ledger_make(process->trace->ledger);
    struct f4p_rss_ledger peak = f4p_rss_ledger_make(process->trace->ledger_peak);
    f4p_json_open(j, "rss", '{');
    write_ledger(j, "last", &last, process->end_ns - process->start_ns);
    write_ledger(j, "peak", &peak, process->end_ns - process->start_ns);
    f4p_json_close(j, '}');
}

/* ---- processes ---- */

static void write_processes(struct f4p_json *j, const struct f4p_report *r)
{
    f4p_json_open(j, "processes", '[');
    for (size_t i = 0; i < r->model->process_count; i++) {
        const struct f4p_model_process *process = &r->model->processes[i];
        const struct f4p_trace *trace = process->trace;
        f4p_json_open(j, NULL, '{');
        f4p_json_text(j, "file", r->job->paths[i]);
        f4p_json_number(j, "pid", process->pid);
        f4p_json_number(j, "start_ns", process->start_ns);
        f4p_json_number(j, "end_ns", process->end_ns);
        f4p_json_number(j, "heap_bytes", whole_blocks(trace->state.live.bytes));
        f4p_json_number(j, "peak_heap_bytes", whole_blocks(trace->state.peak.sums.bytes));
        f4p_json_number(j, "inherited_bytes", whole_blocks(trace->state.inherited_bytes));
        if (trace->ending)
            f4p_json_number(j, "exit_code", trace->ending->status & 0xff);
        else
            f4p_json_null(j, "exit_code");
        write_rss(j, process);
        f4p_json_bool(j, "base", process->base);
        f4p_json_close(j, '}');
    }
    f4p_json_close(j, ']');
}

/* ---- stacks ---- */

static void write_frame(struct f4p_json *j, const struct f4p_model *m, const struct f4p_frame *frame)
{
    f4p_json_open(j, NULL, '{');
    f4p_json_text(j, "function", f4p_model_string(m, frame->function));
    f4p_json_text(j, "file", f4p_model_string(m, frame->file));
    f4p_json_number(j, "line", frame->line);
    f4p_json_text(j, "language", frame->language == F4P_LANGUAGE_PYTHON ? "python" : "native");
    f4p_json_text(j, "library", f4p_model_string(m, frame->library));
    if (frame->offset) {
        f4p_json_address(j, "address", frame->offset - 1);
        f4p_json_text(j, "build_id", f4p_model_string(m, frame->build_id));
    }
    f4p_json_close(j, '}');
}

static void write_frames(struct f4p_json *j, const struct f4p_model *m, uint32_t stack)
{
    static uint32_t frames[MAX_FRAMES];
    size_t count = 0;
    for (; stack != F4P_NONE && count < MAX_FRAMES; stack = f4p_model_stack(m, stack)->parent)
        frames[count++] = f4p_model_stack(m, stack)->frame;
    f4p_json_open(j, "frames", '[');
    while (count)
        write_frame(j, m, f4p_model_frame(m, frames[--count]));
    f4p_json_close(j, ']');
}

static void write_asker(struct f4p_json *j, const struct f4p_report *r, uint32_t site)
{
    uint32_t entry = f4p_process_entry(&r->model->processes[0], site);
    write_frames(j, r->model, entry == F4P_NONE ? F4P_NONE : f4p_model_entry(r->model, entry)->stack);
}

static void write_requests(struct f4p_json *j, const struct f4p_report *r)
{
    const struct f4p_trace *trace = r->trace;
    static const char *const ops[] = {"", "alloc", "free", "realloc", "thin"};
    f4p_json_open(j, "requests_in_flight", '[');
    for (size_t i = 0; i < trace->request_count; i++) {
        const struct f4p_request *request = &trace->requests[i];
        f4p_json_open(j, NULL, '{');
        f4p_json_text(j, "kind", request->kind == F4P_REQUEST_REALLOC ? "realloc" : "alloc");
        f4p_json_number(j, "tid", request->tid);
        f4p_json_number(j, "size_bytes", request->size);
        f4p_json_number(j, "old_size_bytes", request->old_size);
        f4p_json_number(j, "t_ns", request->t_ns);
        f4p_json_address(j, "address", request->address);
        write_asker(j, r, request->site);
        f4p_json_close(j, '}');
    }
    f4p_json_close(j, ']');
    if (!trace->op_in_flight) {
        f4p_json_null(j, "op_in_flight");
    } else {
        const struct f4p_intent *intent = &trace->intent;
        f4p_json_open(j, "op_in_flight", '{');
        f4p_json_text(j, "op", intent->op <= F4P_OP_THIN ? ops[intent->op] : "");
        f4p_json_number(j, "size_bytes", intent->size);
        f4p_json_number(j, "t_ns", intent->t_ns);
        f4p_json_address(j, "address", intent->address);
        f4p_json_close(j, '}');
    }
    f4p_json_open(j, "failed_requests", '[');
    for (size_t i = 0; i < trace->failure_count; i++) {
        f4p_json_open(j, NULL, '{');
        f4p_json_number(j, "size_bytes", trace->failures[i].size);
        f4p_json_number(j, "t_ns", trace->failures[i].t_ns);
        f4p_json_number(j, "errno", trace->failures[i].error);
        write_asker(j, r, trace->failures[i].site);
        f4p_json_close(j, '}');
    }
    f4p_json_close(j, ']');
}

static void write_resident(struct f4p_json *j, bool known, uint64_t q8)
{
    if (known)
        f4p_json_number(j, "resident_bytes", whole_blocks(q8));
    else
        f4p_json_null(j, "resident_bytes");
}

/* `above`: of what stands before it; NULL: it is the first. */
static void write_tied(struct f4p_json *j, const struct f4p_report *r, const struct f4p_sums *sums,
                       const struct f4p_sums *above)
{
    f4p_json_bool(j, "tied", above && !r->options->by_blocks && f4p_sums_tied(sums, above, r->interval));
}

static void write_entry(struct f4p_json *j, const struct f4p_report *r, uint32_t id, const struct f4p_heap *heap,
                        uint64_t bytes, const struct f4p_sums *above)
{
    const struct f4p_sums *sums = &heap->sums[id];
    const struct f4p_model *m = r->model;
    const struct f4p_entry *entry = f4p_model_entry(m, id);
    const struct f4p_model_process *process = &m->processes[entry->process];
    const struct f4p_stack *stack = f4p_model_stack(m, entry->stack);
    f4p_json_open(j, NULL, '{');
    f4p_json_number(j, "bytes", bytes);
    f4p_json_number(j, "error_bytes", whole(f4p_sums_error(sums, r->interval).half));
    write_tied(j, r, sums, above);
    write_resident(j, heap->resident != NULL, heap->resident ? heap->resident[id] : 0);
    f4p_json_number(j, "blocks", whole_blocks(sums->blocks));
    f4p_json_number(j, "samples", sums->samples);
    f4p_json_number(j, "pid", process->pid);
    f4p_json_text(j, "thread", f4p_model_thread(m, entry));
    if (entry->thread < process->trace->thread_count)
        f4p_json_number(j, "tid", process->trace->threads[entry->thread].tid);
    f4p_json_text(j, "via", f4p_model_string(m, stack->via));
    write_frames(j, m, entry->stack);
    f4p_json_close(j, '}');
}

struct rest {
    struct f4p_sums sums;
    uint64_t bytes, resident; /* whole, Q8 */
    size_t count;
};

/* What --top left out, as one stack, so that sums hold. */
static void write_other(struct f4p_json *j, const struct f4p_report *r, const struct rest *rest, bool resident)
{
    f4p_json_open(j, NULL, '{');
    f4p_json_number(j, "bytes", rest->bytes);
    f4p_json_number(j, "error_bytes", whole(f4p_sums_error(&rest->sums, r->interval).half));
    write_tied(j, r, &rest->sums, NULL);
    write_resident(j, resident, rest->resident);
    f4p_json_number(j, "blocks", whole_blocks(rest->sums.blocks));
    f4p_json_number(j, "samples", rest->sums.samples);
    f4p_json_number(j, "pid", r->model->processes[0].pid);
    f4p_json_text(j, "thread", "");
    f4p_json_number(j, "stacks", rest->count);
    f4p_json_open(j, "frames", '[');
    f4p_json_open(j, NULL, '{');
    f4p_json_text(j, "function", "[other]");
    f4p_json_text(j, "file", "");
    f4p_json_number(j, "line", 0);
    f4p_json_text(j, "language", "native");
    f4p_json_text(j, "library", "");
    f4p_json_close(j, '}');
    f4p_json_close(j, ']');
    f4p_json_close(j, '}');
}

struct ranked {
    uint64_t rank;
    uint32_t id;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Entries with samples, largest first. */
static struct ranked *rank_entries(const struct f4p_report *r, const struct f4p_heap *heap, size_t *count)
{
    struct ranked *order = malloc((r->model->entries.count + 1ul) * sizeof *order);
    *count = 0;
    for (uint32_t i = 0; order && i < r->model->entries.count; i++) {
        const struct f4p_sums *sums = &heap->sums[i];
        if (sums->samples)
            order[(*count)++] = (struct ranked){r->options->by_blocks ? sums->blocks : sums->bytes, i};
    }
    if (order)
        qsort(order, *count, sizeof *order, by_rank);
    return order;
}

static int write_stacks(struct f4p_json *j, const struct f4p_report *r, const struct f4p_heap *heap,
                        uint64_t *heap_bytes, bool write)
{
    size_t count, shown;
    struct ranked *order = rank_entries(r, heap, &count);
    uint64_t *q8 = malloc((count + 1) * 2 * sizeof *q8);
    uint64_t *bytes = q8 ? q8 + count + 1 : NULL;
    struct rest other = {0};
    int result = order && q8 ? 0 : -1;
    if (result)
        goto out;
    for (size_t i = 0; i < count; i++)
        q8[i] = heap->sums[order[i].id].bytes;
    *heap_bytes = f4p_round_bytes(q8, count, bytes);
    if (!write)
        goto out;
    shown = r->options->top > 0 && (size_t)r->options->top < count ? (size_t)r->options->top : count;
    f4p_json_open(j, "stacks", '[');
    for (size_t i = 0; i < shown; i++)
        write_entry(j, r, order[i].id, heap, bytes[i], i ? &heap->sums[order[i - 1].id] : NULL);
    for (size_t i = shown; i < count; i++) {
        f4p_sums_add(&other.sums, &heap->sums[order[i].id]);
        other.bytes += bytes[i];
        other.resident += heap->resident ? heap->resident[order[i].id] : 0;
    }
    other.count = count - shown;
    if (shown < count)
        write_other(j, r, &other, heap->resident != NULL);
    f4p_json_close(j, ']');
out:
    free(order);
    free(q8);
    return result;
}

/* With --group-by: the same bytes, summed. */
static void write_groups(struct f4p_json *j, const struct f4p_report *r, const struct f4p_heap *heap)
{
    size_t count;
    const struct f4p_model *m = r->model;
    struct f4p_group *groups = f4p_model_group(m, r->options->group_by, heap, NULL, r->options->by_blocks, &count);
    f4p_json_open(j, "groups", '[');
    for (size_t i = 0; i < count && !(r->options->top > 0 && i >= (size_t)r->options->top); i++) {
        const struct f4p_group *group = &groups[i];
        const struct f4p_entry *entry = f4p_model_entry(m, group->entry);
        const struct f4p_frame *frame = f4p_group_frame(m, group);
        enum f4p_grouping by = r->options->group_by;
        f4p_json_open(j, NULL, '{');
        f4p_json_number(j, "bytes", whole((double)group->sums.bytes / F4P_Q8));
        f4p_json_number(j, "error_bytes", whole(f4p_sums_error(&group->sums, r->interval).half));
        write_tied(j, r, &group->sums, i ? &groups[i - 1].sums : NULL);
        write_resident(j, heap->resident != NULL, group->resident);
        f4p_json_number(j, "blocks", whole_blocks(group->sums.blocks));
        if (by == F4P_BY_LIBRARY)
            f4p_json_text(j, "library", group->key < m->strings.count ? f4p_model_string(m, (uint32_t)group->key) : "");
        if (by == F4P_BY_THREAD || by == F4P_BY_PROCESS)
            f4p_json_number(j, "pid", m->processes[entry->process].pid);
        if (by == F4P_BY_THREAD)
            f4p_json_text(j, "thread", f4p_model_thread(m, entry));
        if (by == F4P_BY_LINE || by == F4P_BY_FUNCTION)
            f4p_json_text(j, "function", frame ? f4p_model_string(m, frame->function) : "");
        if (by == F4P_BY_LINE || by == F4P_BY_FUNCTION || by == F4P_BY_FILE)
            f4p_json_text(j, "file", frame ? f4p_model_string(m, frame->file) : "");
        if (by == F4P_BY_LINE)
            f4p_json_number(j, "line", frame ? frame->line : 0);
        if (by == F4P_BY_STACK)
            write_frames(j, m, entry->stack);
        f4p_json_close(j, '}');
    }
    f4p_json_close(j, ']');
    free(groups);
}

static int write_instant(struct f4p_json *j, const struct f4p_report *r, const char *name, const struct f4p_heap *heap)
{
    uint64_t bytes = 0, unused;
    if (write_stacks(j, r, heap, &bytes, false))
        return -1;
    f4p_json_open(j, name, '{');
    f4p_json_number(j, "t_ns", heap->t_ns);
    f4p_json_number(j, "heap_bytes", bytes);
    f4p_json_number(j, "heap_error_bytes", whole(f4p_sums_error(&heap->total, r->interval).half));
    f4p_json_number(j, "rss_bytes", heap->rss);
    write_resident(j, heap->resident != NULL, heap->resident_total);
    f4p_json_number(j, "blocks", whole_blocks(heap->total.blocks));
    f4p_json_number(j, "samples", heap->total.samples);
    f4p_json_bool(j, "exact_moment", heap->exact);
    f4p_json_bool(j, "sound", heap->sound);
    if (r->model->filtered)
        f4p_json_number(j, "unfiltered_bytes", whole_blocks(heap->whole.bytes));
    if (r->options->grouped)
        write_groups(j, r, heap);
    int result = write_stacks(j, r, heap, &unused, true);
    f4p_json_close(j, '}');
    return result;
}

/* ---- comparison, timeline, gates ---- */

static void write_change(struct f4p_json *j, double change, double error)
{
    f4p_json_signed(j, "bytes", (int64_t)llround(change));
    f4p_json_number(j, "error_bytes", whole(error));
    f4p_json_bool(j, "noise", fabs(change) < error);
}

static void write_diff(struct f4p_json *j, const struct f4p_report *r)
{
    size_t count;
    struct f4p_group *groups = f4p_model_group(r->model, F4P_BY_STACK, &r->after, &r->before, false, &count);
    size_t shown = r->options->top > 0 && (size_t)r->options->top < count ? (size_t)r->options->top : count;
    struct f4p_change total = f4p_report_change(r, groups, count);
    f4p_json_open(j, "diff", '{');
    f4p_json_text(j, "from", r->before_name);
    f4p_json_text(j, "to", r->after_name);
    f4p_json_number(j, "from_heap_bytes", whole_blocks(r->before.total.bytes));
    f4p_json_number(j, "to_heap_bytes", whole_blocks(r->after.total.bytes));
    write_change(j, total.bytes, total.error);
    if (total.seconds > 0)
        f4p_json_signed(j, "bytes_per_second", (int64_t)llround(total.bytes / total.seconds));
    f4p_json_open(j, "stacks", '[');
    for (size_t i = 0; i < shown; i++) {
        const struct f4p_group *group = &groups[i];
        f4p_json_open(j, NULL, '{');
        write_change(j, ((double)group->sums.bytes - (double)group->before.bytes) / F4P_Q8,
                     f4p_group_change_error(group));
        f4p_json_number(j, "from_bytes", whole((double)group->before.bytes / F4P_Q8));
        f4p_json_number(j, "to_bytes", whole((double)group->sums.bytes / F4P_Q8));
        write_frames(j, r->model, f4p_model_entry(r->model, group->entry)->stack);
        f4p_json_close(j, '}');
    }
    f4p_json_close(j, ']');
    f4p_json_close(j, '}');
    free(groups);
}

static void write_timeline(struct f4p_json *j, const struct f4p_report *r)
{
    f4p_json_open(j, "timeline", '{');
#define SERIES(key, field)                              \
    f4p_json_open(j, key, '[');                         \
    for (size_t i = 0; i < r->timeline_count; i++)      \
        f4p_json_number(j, NULL, r->timeline[i].field); \
    f4p_json_close(j, ']')
    SERIES("t_ns", t_ns);
    SERIES("heap_bytes", heap);
    SERIES("rss_bytes", rss);
    SERIES("cgroup_bytes", cgroup);
#undef SERIES
    f4p_json_text(j, "shape", f4p_shape_name(r->shape.kind));
    f4p_json_close(j, '}');
}

static void write_gates(struct f4p_json *j, const struct f4p_report *r)
{
    f4p_json_open(j, "gates", '[');
    for (size_t i = 0; i < r->options->gate_count; i++) {
        const struct f4p_gate *gate = &r->gates[i];
        f4p_json_open(j, NULL, '{');
        f4p_json_text(j, "name", gate->name);
        f4p_json_number(j, "limit", whole(gate->limit));
        f4p_json_signed(j, "actual", (int64_t)llround(gate->actual));
        f4p_json_number(j, "sigma", whole(gate->sigma));
        f4p_json_bool(j, "known", gate->known);
        f4p_json_bool(j, "ok", gate->ok);
        f4p_json_close(j, '}');
    }
    f4p_json_close(j, ']');
}

int f4p_json_report(const struct f4p_report *r, FILE *out)
{
    struct f4p_json json = {.out = out, .one_line = r->options->follow}, *j = &json;
    int result = 0;
    f4p_json_open(j, NULL, '{');
    f4p_json_text(j, "schema", "fil4prod.analysis/1");
    write_trace(j, r);
    write_target(j, r);
    write_verdict(j, &r->verdict);
    write_processes(j, r);
    f4p_json_open(j, "instants", '{');
    result |= write_instant(j, r, "peak", &r->peak);
    result |= write_instant(j, r, "end", &r->end);
    for (size_t i = 0; i < r->options->at_count; i++)
        if (r->at[i].known && strcmp(r->at[i].name, "peak") && strcmp(r->at[i].name, "end"))
            result |= write_instant(j, r, r->at[i].name, &r->at[i].heap);
    if (r->compared && r->options->diff) {
        result |= strcmp(r->before_name, "peak") && strcmp(r->before_name, "end")
                      ? write_instant(j, r, r->before_name, &r->before)
                      : 0;
        result |= strcmp(r->after_name, "peak") && strcmp(r->after_name, "end")
                      ? write_instant(j, r, r->after_name, &r->after)
                      : 0;
    }
    f4p_json_close(j, '}');
    if (r->compared)
        write_diff(j, r);
    write_timeline(j, r);
    write_rss(j, &r->model->processes[0]);
    write_gates(j, r);
    write_requests(j, r);
    write_losses(j, r);
    write_nameless(j, r);
    f4p_json_close(j, '}');
    return result;
}
