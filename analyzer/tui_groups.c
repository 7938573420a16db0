#include "tui_groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"

static double change_of(const struct f4p_group *group)
{
    return f4p_tui_q8(group->sums.bytes) - f4p_tui_q8(group->before.bytes);
}

/* What a column is sorted by. */
static double rank_of(const struct f4p_groups *g, const struct f4p_group *group)
{
    switch (g->sort) {
    case F4P_COLUMN_ERROR:
        return f4p_sums_error(&group->sums, g->tui->report->interval).half;
    case F4P_COLUMN_BLOCKS:
        return (double)group->sums.blocks;
    case F4P_COLUMN_SAMPLES:
        return (double)group->sums.samples;
    case F4P_COLUMN_CHANGE:
        return fabs(change_of(group));
    case F4P_COLUMN_BEFORE:
        return (double)group->before.bytes;
    default:
        return (double)group->sums.bytes;
    }
}

/* ---- cells ---- */

static void label_of(const struct f4p_groups *g, const struct f4p_group *group, char *out, size_t bytes)
{
    f4p_page_label(&g->tui->page, g->by, group, out, bytes);
}

static void cell_change(const struct f4p_groups *g, const struct f4p_group *group, enum f4p_group_column kind,
                        struct f4p_cell *cell)
{
    double error = f4p_group_change_error(group), change = change_of(group);
    char number[F4P_NUMBER_BYTES];
    if (kind == F4P_COLUMN_CHANGE_ERROR) {
        f4p_tui_cell_bytes(g->tui, cell, error, g->largest);
    } else if (kind == F4P_COLUMN_CHANGE) {
        f4p_text_bytes_like(number, fabs(change), g->largest, g->tui->options->units);
        snprintf(cell->text, sizeof cell->text, "%c%s", change < 0 ? '-' : '+', number);
        cell->number = change;
        cell->has_number = true;
        cell->style = fabs(change) < error ? F4P_STYLE_DIM : change > 0 ? F4P_STYLE_BAD : F4P_STYLE_GOOD;
    } else {
        const char *mark = fabs(change) < error     ? "noise"
                           : !group->before.samples ? "new"
                           : !group->sums.samples   ? "gone"
                                                    : "";
        snprintf(cell->text, sizeof cell->text, "%s", mark);
    }
}

/* Not distinguishable from the row above, which is the larger one. */
static bool is_tied(const struct f4p_groups *g, size_t row)
{
    return row && g->sort == F4P_COLUMN_BYTES && !g->ascending &&
           f4p_sums_tied(&g->group[row].sums, &g->group[row - 1].sums, g->tui->report->interval);
}

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct f4p_groups *g = context;
    const struct f4p_group *group = &g->group[row];
    const struct f4p_model *m = g->tui->report->model;
    char number[F4P_NUMBER_BYTES];
    switch (g->kinds[column]) {
    case F4P_COLUMN_BYTES:
    case F4P_COLUMN_AFTER:
        f4p_tui_cell_bytes(g->tui, cell, f4p_tui_q8(group->sums.bytes), g->largest);
        cell->style = row == 0 ? F4P_STYLE_BOLD : F4P_STYLE_PLAIN;
        break;
    case F4P_COLUMN_BEFORE:
        f4p_tui_cell_bytes(g->tui, cell, f4p_tui_q8(group->before.bytes), g->largest);
        break;
    case F4P_COLUMN_PERCENT:
        f4p_tui_cell_percent(cell, f4p_tui_q8(group->sums.bytes), g->whole);
        break;
    case F4P_COLUMN_ERROR:
        f4p_tui_cell_error(g->tui, cell, &group->sums);
        cell->mark = is_tied(g, row) ? '~' : 0;
        break;
    case F4P_COLUMN_BLOCKS:
    case F4P_COLUMN_SAMPLES:
        cell->number =
            g->kinds[column] == F4P_COLUMN_BLOCKS ? f4p_tui_q8(group->sums.blocks) : (double)group->sums.samples;
        cell->has_number = true;
        snprintf(cell->text, sizeof cell->text, "%s", f4p_text_count(number, (uint64_t)(cell->number + 0.5)));
        break;
    case F4P_COLUMN_LABEL:
        label_of(g, group, cell->text, sizeof cell->text);
        break;
    case F4P_COLUMN_VIA:
        snprintf(cell->text, sizeof cell->text, "%.80s", f4p_model_string(m, group->via));
        cell->style = *cell->text ? f4p_screen_library(&g->tui->screen, cell->text) : F4P_STYLE_PLAIN;
        break;
    default:
        cell_change(g, group, g->kinds[column], cell);
    }
}

static uint64_t id_of(void *context, size_t row)
{
    const struct f4p_groups *g = context;
    char label[F4P_TUI_CELL_BYTES] = "";
    label_of(g, &g->group[row], label, sizeof label);
    return f4p_hash(label, strlen(label), (uint64_t)g->by);
}

/* ---- order ---- */

struct ranked {
    double rank;
    size_t at;
};

static int by_rank(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->rank < b->rank || a->rank > b->rank)
        return a->rank > b->rank ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

static void order(struct f4p_groups *g)
{
    g->browser.table.sorted_by = 0;
    for (size_t i = 0; i < g->browser.table.column_count; i++)
        if (g->kinds[i] == g->sort)
            g->browser.table.sorted_by = i + 1;
    struct ranked *ranked = malloc((g->count + 1) * sizeof *ranked);
    struct f4p_group *sorted = malloc((g->count + 1) * sizeof *sorted);
    for (size_t i = 0; ranked && sorted && i < g->count; i++)
        ranked[i] = (struct ranked){(g->ascending ? -1 : 1) * rank_of(g, &g->group[i]), i};
    if (ranked && sorted && g->count) {
        qsort(ranked, g->count, sizeof *ranked, by_rank);
        for (size_t i = 0; i < g->count; i++)
            sorted[i] = g->group[ranked[i].at];
        memcpy(g->group, sorted, g->count * sizeof *sorted);
    }
    free(ranked);
    free(sorted);
}

void f4p_groups_sort(struct f4p_groups *g, bool next)
{
    static const char *const names[F4P_COLUMNS] = {
        [F4P_COLUMN_BYTES] = "bytes",     [F4P_COLUMN_ERROR] = "the error bar", [F4P_COLUMN_BLOCKS] = "blocks",
        [F4P_COLUMN_SAMPLES] = "samples", [F4P_COLUMN_CHANGE] = "change",       [F4P_COLUMN_BEFORE] = "bytes at A",
        [F4P_COLUMN_AFTER] = "bytes at B"};
    size_t count = g->browser.table.column_count, at = 0;
    while (at < count && g->kinds[at] != g->sort)
        at++;
    for (size_t i = 0; next && i < count; i++) {
        at = (at + 1) % count;
        if (names[g->kinds[at]])
            break;
    }
    g->sort = at < count ? g->kinds[at] : g->sort;
    g->ascending = !next && !g->ascending;
    order(g);
    f4p_browser_changed(&g->browser);
    f4p_tui_say(g->tui, false, "by %s, %s first", names[g->sort] ? names[g->sort] : "bytes",
                g->ascending ? "smallest" : "largest");
}

/* ---- filling ---- */

/* What did not change is not what changed. */
static void drop_unchanged(struct f4p_groups *g)
{
    size_t kept = 0;
    for (size_t i = 0; i < g->count; i++)
        if (memcmp(&g->group[i].sums, &g->group[i].before, sizeof g->group[i].sums))
            g->group[kept++] = g->group[i];
    g->count = kept;
}

static void find_scale(struct f4p_groups *g, bool compared)
{
    g->largest = 0;
    for (size_t i = 0; i < g->count; i++) {
        double bytes = compared ? fabs(change_of(&g->group[i])) : f4p_tui_q8(g->group[i].sums.bytes);
        g->largest = bytes > g->largest ? bytes : g->largest;
    }
}

void f4p_groups_fill(struct f4p_groups *g, struct f4p_tui *tui, const char *name, const struct f4p_column *columns,
                     const enum f4p_group_column *kinds, size_t column_count, const struct f4p_heap *heap,
                     const struct f4p_heap *before)
{
    free(g->group);
    g->group = NULL;
    g->count = 0;
    g->tui = tui;
    g->kinds = kinds;
    if (heap)
        g->group = f4p_model_group(tui->report->model, g->by, heap, before, false, &g->count);
    g->compared = before != NULL;
    if (g->compared)
        drop_unchanged(g);
    g->whole = heap ? f4p_tui_q8(heap->total.bytes) : 0;
    find_scale(g, before != NULL);
    g->browser.table = (struct f4p_table){.name = name,
                                          .columns = columns,
                                          .column_count = column_count,
                                          .rows = g->count,
                                          .context = g,
                                          .cell = cell_of,
                                          .id = id_of};
    order(g);
    f4p_browser_changed(&g->browser);
}

void f4p_groups_free(struct f4p_groups *g)
{
    free(g->group);
    g->group = NULL;
}

/* ---- the selected one ---- */

const struct f4p_group *f4p_groups_selected(const struct f4p_groups *g)
{
    return g->browser.cursor < g->count ? &g->group[g->browser.cursor] : NULL;
}

uint32_t f4p_groups_stack(const struct f4p_groups *g)
{
    const struct f4p_group *group = f4p_groups_selected(g);
    return group ? f4p_model_entry(g->tui->report->model, group->entry)->stack : F4P_NONE;
}

uint32_t f4p_groups_frame(const struct f4p_groups *g)
{
    const struct f4p_model *m = g->tui->report->model;
    uint32_t stack = f4p_groups_stack(g);
    if (stack == F4P_NONE)
        return F4P_NONE;
    uint32_t user = f4p_model_stack(m, stack)->user;
    return user == F4P_NONE ? f4p_model_stack(m, stack)->frame : user;
}

/* ---- what the views have in common ---- */

struct f4p_browser *f4p_groups_ops_browser(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return &((struct f4p_groups *)state)->browser;
}

uint32_t f4p_groups_ops_frame(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return f4p_groups_frame(state);
}

void f4p_groups_ops_close(void *state)
{
    f4p_groups_free(state);
}

bool f4p_groups_act(struct f4p_groups *g, enum f4p_action action)
{
    uint32_t frame = f4p_groups_frame(g);
    if (action == F4P_ACT_SORT || action == F4P_ACT_REVERSE)
        f4p_groups_sort(g, action == F4P_ACT_SORT);
    else if (action == F4P_ACT_ENTER && frame != F4P_NONE)
        f4p_tui_show_source(g->tui, frame, f4p_groups_stack(g));
    else
        return false;
    return true;
}

void f4p_groups_draw(struct f4p_groups *g, struct f4p_area area)
{
    f4p_browser_draw(&g->browser, &g->tui->screen, area, true);
    if (!g->count && area.rows > 2)
        f4p_screen_put(&g->tui->screen, area.row + 2, 2, F4P_STYLE_PLAIN,
                       g->compared ? "nothing changed from A to B" : f4p_tui_nothing(g->tui));
}
