/* Sizes: a histogram of the live blocks by powers of two, all and those of the picked line, as an overlay. */
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"
#include "tui_private.h"

#define CLASSES 48u

struct sizes {
    struct f4p_tui *tui;
    struct f4p_browser browser;
    struct f4p_sums all[CLASSES], picked[CLASSES];
    struct f4p_sums whole;
    unsigned first;
    char title[200];
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

static void count_process(struct sizes *v, const struct f4p_model_process *process, const uint8_t *picked)
{
    const struct f4p_tui *tui = v->tui;
    const struct f4p_trace *trace = process->trace;
    for (size_t i = 0; i < trace->live_count; i++) {
        const struct f4p_live *live = &trace->live[i];
        uint32_t entry = live->site < trace->site_count ? process->entry_of[live->site] : F4P_NONE;
        if (!live->kind || entry == F4P_NONE || (tui->filter.in && !tui->filter.in[entry]))
            continue;
        struct f4p_sums sums = f4p_sample_weight(live->size, f4p_trace_interval(trace, live->shift));
        f4p_sums_add(&v->all[class_of(live->size)], &sums);
        f4p_sums_add(&v->whole, &sums);
        if (picked && picked[f4p_model_entry(tui->report->model, entry)->stack])
            f4p_sums_add(&v->picked[class_of(live->size)], &sums);
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

/* By stack: nonzero if the frame is in it. */
static uint8_t *stacks_with(const struct f4p_model *m, uint32_t frame)
{
    uint8_t *has = frame == F4P_NONE ? NULL : calloc(m->stacks.count + 1ul, 1);
    for (uint32_t i = 0; has && i < m->stacks.count; i++) {
        const struct f4p_stack *stack = f4p_model_stack(m, i);
        has[i] = stack->frame == frame || (stack->parent != F4P_NONE && has[stack->parent]);
    }
    return has;
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct sizes *v = state;
    const struct f4p_model *m = tui->report->model;
    char label[F4P_TUI_CELL_BYTES] = "no line";
    unsigned last = 0;
    memset(v->all, 0, sizeof v->all);
    memset(v->picked, 0, sizeof v->picked);
    v->whole = (struct f4p_sums){0};
    v->tui = tui;
    uint8_t *picked = stacks_with(m, tui->picked);
    for (size_t i = 0; i < m->process_count; i++)
        if (!m->processes[i].base && !m->processes[i].gone)
            count_process(v, &m->processes[i], picked);
    free(picked);
    for (v->first = 0; v->first + 1 < CLASSES && !v->all[v->first].samples;)
        v->first++;
    for (unsigned i = v->first; i < CLASSES; i++)
        last = v->all[i].samples ? i : last;
    if (tui->picked != F4P_NONE)
        f4p_tui_frame_label(tui, tui->picked, label, sizeof label);
    snprintf(v->title, sizeof v->title, "live blocks %s; `line` is %.120s", f4p_page_end_words(&tui->page), label);
    v->browser.table = (struct f4p_table){.name = "sizes",
                                          .columns = columns,
                                          .column_count = 6,
                                          .rows = v->whole.samples ? last - v->first + 1 : 0,
                                          .context = v,
                                          .cell = cell_of};
    f4p_browser_changed(&v->browser);
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct sizes *v = state;
    f4p_screen_cell(&tui->screen, area.row, 1, area.columns - 2, F4P_STYLE_DIM, v->title, false);
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
