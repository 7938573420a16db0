/* Sizes: a histogram of the live blocks by powers of two, all and those of the picked line, as an overlay. */
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"
#include "tui_private.h"

#define CLASSES 48u
#define STEPS 64u

struct sizes {
    struct f4p_tui *tui;
    struct f4p_browser browser;
    struct f4p_sums all[CLASSES], picked[CLASSES];
    struct f4p_sums whole;
    unsigned first;
    unsigned step; /* of STEPS back to the instant */
    enum { COUNTING, COUNTED, COUNTED_AT_END } counted;
    char line[F4P_TUI_CELL_BYTES]; /* label of the picked frame; "": none */
};

static const struct f4p_column columns[] = {
    {"block size", "from_bytes", 13, 0, false, false},
    {"blocks", "blocks", 12, 50, true, false},
    {"bytes", "bytes", 8, 0, true, false},
    {"%", "percent", 6, 0, true, false},
    {"line", "line_bytes", 8, 60, true, false},
    {"", "bar", 0, 0, false, false},
};

static unsigned class_of(uint64_t size)
{
    unsigned found = 0;
    while (found + 1 < CLASSES && size >> (found + 1))
        found++;
    return found;
}

struct counting {
    struct sizes *v;
    const struct f4p_model_process *process;
    const uint8_t *picked; /* by stack */
};

/* Adds a block, or takes one away. */
static void count_block(const struct counting *c, uint32_t site, uint64_t size, unsigned shift, bool add)
{
    const struct f4p_tui *tui = c->v->tui;
    const struct f4p_trace *trace = c->process->trace;
    void (*book)(struct f4p_sums *, const struct f4p_sums *) = add ? f4p_sums_add : f4p_sums_sub;
    uint32_t entry = f4p_process_entry(c->process, site);
    if (entry == F4P_NONE || (tui->filter.in && !tui->filter.in[entry]))
        return;
    struct f4p_sums sums = f4p_sample_weight(size, f4p_trace_interval(trace, shift));
    book(&c->v->all[class_of(size)], &sums);
    book(&c->v->whole, &sums);
    if (c->picked && c->picked[f4p_model_entry(tui->report->model, entry)->stack])
        book(&c->v->picked[class_of(size)], &sums);
}

static bool undo(void *context, const struct f4p_event *event)
{
    if (event->delta == F4P_DELTA_ALLOC)
        count_block(context, event->site, event->size, event->shift, false);
    else
        count_block(context, event->site, event->size, event->shift, true);
    if (event->delta == F4P_DELTA_THIN_KEEP)
        count_block(context, event->site, event->size, event->new_shift, false);
    return true;
}

static bool takes_part(const struct f4p_model_process *process, uint64_t t_ns)
{
    return !process->base && t_ns >= process->start_ns && !(process->gone && t_ns > process->end_ns);
}

/* The blocks of every process that lived at `t_ns`, as they were at its end. */
static void count_live(struct sizes *v, const uint8_t *picked, uint64_t t_ns)
{
    const struct f4p_model *m = v->tui->report->model;
    memset(v->all, 0, sizeof v->all);
    memset(v->picked, 0, sizeof v->picked);
    v->whole = (struct f4p_sums){0};
    for (size_t i = 0; i < m->process_count; i++) {
        const struct f4p_trace *trace = m->processes[i].trace;
        struct counting counting = {v, &m->processes[i], picked};
        for (size_t j = 0; takes_part(&m->processes[i], t_ns) && j < trace->live_count; j++)
            if (trace->live[j].kind)
                count_block(&counting, trace->live[j].site, trace->live[j].size, trace->live[j].shift, true);
    }
}

/* Takes back what happened after `from` until `to` (of the job). */
static void count_back(struct sizes *v, const uint8_t *picked, uint64_t t_ns, uint64_t from, uint64_t to)
{
    const struct f4p_model *m = v->tui->report->model;
    for (size_t i = 0; i < m->process_count; i++) {
        const struct f4p_model_process *process = &m->processes[i];
        struct counting counting = {v, process, picked};
        if (takes_part(process, t_ns) && to >= process->start_ns)
            f4p_trace_events(process->trace, from < process->start_ns ? 0 : from - process->start_ns + 1,
                             to - process->start_ns, undo, &counting);
    }
}

/* ---- cells ---- */

static void draw_bar(const struct sizes *v, double bytes, struct f4p_cell *cell)
{
    double most = 0;
    size_t used = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        most = f4p_tui_q8(v->all[i].bytes) > most ? f4p_tui_q8(v->all[i].bytes) : most;
    int columns_left = v->tui->screen.columns - 58, length = columns_left < 10 ? 10 : columns_left;
    length = most > 0 ? (int)(bytes / most * length + 0.5) : 0;
    for (int i = 0; i < length && used + 4 < sizeof cell->text; i++)
        used += f4p_utf8_put(cell->text + used, v->tui->screen.ascii ? '#' : 0x2588);
    cell->text[used] = '\0';
    cell->style = F4P_STYLE_HEAP;
}

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct sizes *v = context;
    unsigned class = v->first + (unsigned)row;
    double bytes = f4p_tui_q8(v->all[class].bytes), all = f4p_tui_q8(v->whole.bytes);
    char from[F4P_NUMBER_BYTES], to[F4P_NUMBER_BYTES];
    switch (column) {
    case 0:
        f4p_text_bytes(from, class ? (double)(1ull << class) : 0, v->tui->options->units);
        f4p_text_bytes(to, (double)(1ull << (class + 1)), v->tui->options->units);
        snprintf(cell->text, sizeof cell->text, "%s - %s", from, to);
        cell->number = class ? (double)(1ull << class) : 0;
        cell->has_number = true;
        break;
    case 1:
        cell->number = f4p_tui_q8(v->all[class].blocks);
        cell->has_number = true;
        snprintf(cell->text, sizeof cell->text, "%s", f4p_text_count(from, (uint64_t)(cell->number + 0.5)));
        break;
    case 2:
        f4p_tui_cell_bytes(v->tui, cell, bytes, all);
        break;
    case 3:
        f4p_tui_cell_percent(cell, bytes, all);
        break;
    case 4:
        f4p_tui_cell_bytes(v->tui, cell, f4p_tui_q8(v->picked[class].bytes), all);
        break;
    default:
        draw_bar(v, bytes, cell);
    }
}

/* ---- */

static void fill(struct sizes *v)
{
    const struct f4p_tui *tui = v->tui;
    unsigned last = 0;
    for (v->first = 0; v->first + 1 < CLASSES && !v->all[v->first].samples;)
        v->first++;
    for (unsigned i = v->first; i < CLASSES; i++)
        last = v->all[i].samples ? i : last;
    v->browser.table = (struct f4p_table){.name = "sizes",
                                          .columns = columns,
                                          .column_count = 6,
                                          .rows = v->counted != COUNTING && v->whole.samples ? last - v->first + 1 : 0,
                                          .context = v,
                                          .cell = cell_of};
    f4p_browser_changed(&v->browser);
    v->line[0] = '\0';
    if (tui->picked != F4P_NONE)
        f4p_tui_frame_label(tui, tui->picked, v->line, sizeof v->line);
}

/* A stretch of the history at a time, so that no key waits for all of it. At the end the sum must be the heap's: else
 * there are gaps, and the sizes at the end are shown. */
static void count_on(struct f4p_tui *tui)
{
    struct sizes *v = tui->state[F4P_VIEW_SIZES];
    const struct f4p_heap *heap = f4p_tui_heap(tui);
    uint64_t t_ns = tui->instant.t_ns, span = tui->report->model->end_ns - t_ns;
    if (tui->over != F4P_VIEW_SIZES || tui->stale[F4P_VIEW_SIZES])
        return;
    uint8_t *picked = f4p_tui_stacks_with(tui, tui->picked);
    bool known = heap && heap->exact;
    if (known && v->step < STEPS) {
        uint64_t from = t_ns + span / STEPS * v->step, to = from + span / STEPS;
        v->step++;
        count_back(v, picked, t_ns, from, v->step == STEPS ? UINT64_MAX / 2 : to);
        tui->later = count_on;
    } else {
        known &=
            v->whole.bytes == (heap ? heap->total.bytes : 0) && v->whole.samples == (heap ? heap->total.samples : 0);
        if (!known)
            count_live(v, picked, tui->report->model->end_ns);
        v->counted = known ? COUNTED : COUNTED_AT_END;
        fill(v);
    }
    free(picked);
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct sizes *v = state;
    bool end = tui->instant.kind == F4P_MOMENT_END;
    uint8_t *picked = f4p_tui_stacks_with(tui, tui->picked);
    v->tui = tui;
    v->step = 0;
    count_live(v, picked, tui->instant.t_ns);
    free(picked);
    v->counted = end ? COUNTED : COUNTING;
    fill(v);
    if (!end)
        tui->later = count_on;
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct sizes *v = state;
    char title[F4P_TUI_CELL_BYTES + 160], at_end[96] = "";
    if (v->counted == COUNTED_AT_END)
        snprintf(at_end, sizeof at_end, " %s (not known of the instant)", f4p_tui_end_words(tui));
    if (v->counted == COUNTING)
        snprintf(title, sizeof title, "counting back to the instant: %u%%", 100 * v->step / STEPS);
    else
        snprintf(title, sizeof title, "live blocks%s; `line` is %s", at_end, *v->line ? v->line : "no line");
    f4p_screen_cell(&tui->screen, area.row, 1, area.columns - 2, F4P_STYLE_DIM, title, false);
    f4p_browser_draw(&v->browser, &tui->screen, (struct f4p_area){area.row + 1, 0, area.rows - 1, area.columns}, true);
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return &((struct sizes *)state)->browser;
}

static void close_view(void *state)
{
    (void)state;
}

const struct f4p_view_ops f4p_view_sizes = {
    .name = "SIZES",
    .state_bytes = sizeof(struct sizes),
    .changed = changed,
    .draw = draw,
    .browser = browser,
    .close = close_view,
    .hint = "x:export\tEsc:close",
};
