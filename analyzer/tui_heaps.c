/* Heaps at instants, filtered and kept; the instants themselves; reading the trace again. */
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"
#include "tui_private.h"

static bool same_moment(struct f4p_moment a, struct f4p_moment b)
{
    return a.kind == b.kind && (a.kind != F4P_MOMENT_TIME || a.t_ns == b.t_ns);
}

static int copy_heap(const struct f4p_model *m, const struct f4p_heap *from, struct f4p_heap *to)
{
    size_t bytes = (m->entries.count + 1ul) * sizeof *to->sums;
    *to = *from;
    to->resident = NULL; /* not shown by stack */
    to->sums = malloc(bytes);
    if (!to->sums)
        return -1;
    memcpy(to->sums, from->sums, bytes - sizeof *to->sums);
    return 0;
}

static int find_heap(const struct f4p_tui *tui, struct f4p_moment moment, struct f4p_heap *heap)
{
    const struct f4p_report *r = tui->report;
    if (moment.kind == F4P_MOMENT_END)
        return copy_heap(r->model, &r->end, heap);
    if (moment.kind == F4P_MOMENT_PEAK)
        return copy_heap(r->model, &r->peak, heap);
    return f4p_heap_at(r->model, false, moment.t_ns, heap);
}

static void apply_filter(const struct f4p_tui *tui, struct f4p_heap *heap)
{
    const struct f4p_model *m = tui->report->model;
    if (!tui->filter.in)
        return;
    heap->total = (struct f4p_sums){0};
    for (uint32_t i = 0; i < m->entries.count; i++) {
        if (tui->filter.in[i])
            f4p_sums_add(&heap->total, &heap->sums[i]);
        else
            heap->sums[i] = (struct f4p_sums){0};
    }
}

const struct f4p_heap *f4p_tui_heap_at(struct f4p_tui *tui, struct f4p_moment moment)
{
    struct f4p_tui_heap *oldest = &tui->heaps[0];
    for (size_t i = 0; i < F4P_TUI_HEAPS; i++) {
        struct f4p_tui_heap *slot = &tui->heaps[i];
        if (slot->used && same_moment(slot->moment, moment)) {
            slot->used = ++tui->clock;
            return slot->known ? &slot->heap : NULL;
        }
        if (slot->used < oldest->used)
            oldest = slot;
    }
    f4p_heap_free(&oldest->heap);
    oldest->moment = moment;
    oldest->used = ++tui->clock;
    oldest->known = !find_heap(tui, moment, &oldest->heap) && oldest->heap.sums;
    if (!oldest->known)
        f4p_heap_free(&oldest->heap);
    else
        apply_filter(tui, &oldest->heap);
    return oldest->known ? &oldest->heap : NULL;
}

const struct f4p_heap *f4p_tui_heap(struct f4p_tui *tui)
{
    return f4p_tui_heap_at(tui, tui->instant);
}

void f4p_tui_heaps_forget(struct f4p_tui *tui)
{
    for (size_t i = 0; i < F4P_TUI_HEAPS; i++) {
        f4p_heap_free(&tui->heaps[i].heap);
        tui->heaps[i] = (struct f4p_tui_heap){.used = 0};
    }
    free(tui->visible);
    tui->visible = NULL;
}

const uint8_t *f4p_tui_visible(struct f4p_tui *tui)
{
    const struct f4p_model *m = tui->report->model;
    if (tui->visible)
        return tui->visible;
    tui->visible = malloc(m->frames.count + 1ul);
    for (uint32_t i = 0; tui->visible && i < m->frames.count; i++) {
        enum f4p_origin origin = (enum f4p_origin)f4p_model_frame(m, i)->origin;
        bool own = origin == F4P_ORIGIN_USER || origin == F4P_ORIGIN_SPECIAL ||
                   (origin == F4P_ORIGIN_EXECUTABLE && !m->python);
        tui->visible[i] = (own || tui->detail != F4P_DETAIL_OWN) && !(tui->filter.hidden && tui->filter.hidden[i]);
    }
    return tui->visible;
}

void f4p_tui_set_instant(struct f4p_tui *tui, struct f4p_moment moment)
{
    const struct f4p_report *r = tui->report;
    if (moment.kind == F4P_MOMENT_TIME && moment.t_ns >= r->model->end_ns)
        moment.kind = F4P_MOMENT_END;
    if (moment.kind == F4P_MOMENT_END)
        moment.t_ns = r->model->end_ns;
    if (moment.kind == F4P_MOMENT_PEAK)
        moment.t_ns = r->peak.t_ns;
    if (same_moment(moment, tui->instant) && moment.t_ns == tui->instant.t_ns)
        return;
    tui->instant = moment;
    f4p_tui_changed(tui);
}

const char *f4p_tui_end_words(const struct f4p_tui *tui)
{
    return tui->report->refused.sums ? "at the end" : f4p_page_end_words(&tui->page);
}

void f4p_tui_moment_words(const struct f4p_tui *tui, struct f4p_moment moment, char *out, size_t bytes)
{
    char clock[F4P_NUMBER_BYTES];
    const struct f4p_heap *refused = &tui->report->refused;
    const char *words = moment.kind == F4P_MOMENT_END                   ? f4p_tui_end_words(tui)
                        : moment.kind == F4P_MOMENT_PEAK                ? "peak"
                        : refused->sums && moment.t_ns == refused->t_ns ? "at the failure"
                                                                        : "";
    f4p_text_clock(clock, moment.t_ns, true);
    if (moment.kind == F4P_MOMENT_TIME && !*words && tui->report->model->end_ns < 60000000000ull)
        snprintf(out, bytes, "%u:%05.2f", (unsigned)(moment.t_ns / 60000000000ull),
                 (double)(moment.t_ns % 60000000000ull) / 1e9);
    else
        snprintf(out, bytes, "%s%s%s%s", clock, *words ? " (" : "", words, *words ? ")" : "");
}

/* ---- following ---- */

static int open_all(const struct f4p_options *o, struct f4p_job *job, size_t *base_from)
{
    struct f4p_error error;
    for (size_t i = 0; i < o->path_count; i++)
        if (f4p_job_add(job, o->paths[i], &error))
            return -1;
    *base_from = job->count;
    return o->base ? f4p_job_add(job, o->base, &error) : 0;
}

/* Takes over what was found anew; what the user chose stays. */
static void adopt(struct f4p_tui *tui, const struct f4p_report *report)
{
    char error[256], filter[F4P_TUI_TEXT_BYTES];
    f4p_tui_heaps_forget(tui);
    tui->picked = F4P_NONE;
    memcpy(filter, tui->filter.text, sizeof filter);
    f4p_tui_filter_free(&tui->filter);
    f4p_report_free(tui->report);
    *tui->report = *report;
    tui->report->job = tui->job;
    tui->names.shown = f4p_job_progress(tui->job).names;
    if (f4p_tui_filter_set(&tui->filter, report->model, filter, error, sizeof error))
        f4p_tui_say(tui, true, "filter: %s", error);
    if (tui->instant.kind != F4P_MOMENT_TIME)
        tui->instant.t_ns = tui->instant.kind == F4P_MOMENT_END ? report->model->end_ns : report->peak.t_ns;
    f4p_tui_changed(tui);
}

int f4p_tui_reload(struct f4p_tui *tui)
{
    struct f4p_job job = {.later = true}, old = *tui->job;
    struct f4p_report report = {.options = tui->options};
    char error[256];
    size_t base_from = 0;
    int failed = open_all(tui->options, &job, &base_from);
    f4p_job_lend_names(&old, &job);
    if (failed || f4p_report_make(&report, tui->options, &job, base_from, error, sizeof error)) {
        f4p_report_free(&report);
        f4p_job_keep_names(&old, &job, true);
        f4p_job_close(&job);
        return -1;
    }
    job.symbol_options = old.symbol_options;
    f4p_job_keep_names(&old, &job, false);
    *tui->job = job;
    adopt(tui, &report);
    f4p_job_close(&old);
    return 0;
}

int f4p_tui_rebuild(struct f4p_tui *tui)
{
    const struct f4p_model *m = tui->report->model;
    struct f4p_report report = {.options = tui->options};
    char error[256];
    size_t base_from = 0;
    while (base_from < m->process_count && !m->processes[base_from].base)
        base_from++;
    if (f4p_report_make(&report, tui->options, tui->job, base_from, error, sizeof error)) {
        f4p_report_free(&report);
        f4p_tui_say(tui, true, "%s", error);
        return -1;
    }
    adopt(tui, &report);
    return 0;
}
