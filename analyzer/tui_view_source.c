/*
 * Source: a file with the bytes beside its lines, and below it a stack that runs through the selected line: walking it
 * with the other pane active shows caller after caller.
 */
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "format/weight.h"
#include "tui_groups.h"
#include "tui_source.h"

struct hot_line {
    uint64_t own, through; /* Q8: allocated for this line; in stacks with it */
    uint32_t frame;        /* one of it; F4P_NONE: no bytes */
    uint32_t stamp;        /* stack counted last, + 1 */
};

struct source_view {
    struct f4p_tui *tui;
    struct f4p_source_text text;
    char *file; /* as in the trace; NULL: nothing chosen */
    char *function;
    uint32_t line, want_stack;
    uint64_t offset;
    struct hot_line *hot; /* by line */
    uint32_t hot_count;
    uint32_t *bare; /* without text: the lines that have bytes */
    uint64_t largest;
    struct f4p_browser lines, stack;
    uint32_t *path; /* stacks of the shown one, outermost first */
    bool in_stack;  /* the active pane */
};

static const struct f4p_column columns[] = {
    {"here", "here_bytes", 7, 0, true, false},
    {"through", "through_bytes", 7, 60, true, false},
    {"line", "line", 6, 0, true, false},
    {"", "source", 0, 0, false, false},
};
static const struct f4p_column stack_columns[] = {
    {"stack, outermost first", "frame", 0, 0, false, false},
    {"library", "library", 12, 60, false, false},
};

/* ---- which bytes ---- */

static uint32_t line_of(const struct source_view *v, size_t row)
{
    return v->bare ? v->bare[row] : (uint32_t)row + 1;
}

/* Room for every line of the file that has a frame. */
static int make_hot(struct source_view *v, uint32_t file)
{
    const struct f4p_model *m = v->tui->report->model;
    uint32_t most = v->text.count;
    for (uint32_t i = 0; i < m->frames.count; i++)
        if (f4p_model_frame(m, i)->file == file && f4p_model_frame(m, i)->line > most &&
            f4p_model_frame(m, i)->line < 10000000)
            most = f4p_model_frame(m, i)->line;
    free(v->hot);
    v->hot = calloc(most + 1ul, sizeof *v->hot);
    v->hot_count = v->hot ? most + 1 : 0;
    for (uint32_t i = 0; i < v->hot_count; i++)
        v->hot[i].frame = F4P_NONE;
    return v->hot ? 0 : -1;
}

static void book(struct source_view *v, uint32_t file, uint32_t stack, uint64_t bytes)
{
    const struct f4p_model *m = v->tui->report->model;
    uint32_t user = f4p_model_stack(m, stack)->user;
    for (uint32_t at = stack; at != F4P_NONE; at = f4p_model_stack(m, at)->parent) {
        uint32_t frame = f4p_model_stack(m, at)->frame;
        const struct f4p_frame *f = f4p_model_frame(m, frame);
        struct hot_line *hot = f->file == file && f->line < v->hot_count ? &v->hot[f->line] : NULL;
        if (!hot || hot->stamp == stack + 1)
            continue;
        hot->stamp = stack + 1; /* once, however often it calls itself */
        hot->frame = frame;
        hot->through += bytes;
    }
    const struct f4p_frame *f = user == F4P_NONE ? NULL : f4p_model_frame(m, user);
    if (f && f->file == file && f->line < v->hot_count)
        v->hot[f->line].own += bytes;
}

static void find_bytes(struct source_view *v, const struct f4p_heap *heap)
{
    const struct f4p_model *m = v->tui->report->model;
    uint32_t file = f4p_tui_string(v->tui, v->file), shown = 0;
    uint64_t *bytes = calloc(m->stacks.count + 1ul, sizeof *bytes);
    free(v->bare);
    v->bare = NULL;
    v->largest = 0;
    if (file == F4P_NONE || !bytes || !heap || make_hot(v, file)) {
        free(bytes);
        v->hot_count = 0;
        return;
    }
    for (uint32_t i = 0; i < m->entries.count; i++)
        bytes[f4p_model_entry(m, i)->stack] += heap->sums[i].bytes;
    for (uint32_t i = 0; i < m->stacks.count; i++)
        if (bytes[i])
            book(v, file, i, bytes[i]);
    free(bytes);
    for (uint32_t i = 0; i < v->hot_count; i++)
        v->largest = v->hot[i].through > v->largest ? v->hot[i].through : v->largest;
    if (v->text.count) { /* lines beyond the text that is to be had are there all the same */
        v->lines.table.rows = v->hot_count - 1;
        return;
    }
    v->bare = malloc((v->hot_count + 1ul) * sizeof *v->bare);
    for (uint32_t i = 0; v->bare && i < v->hot_count; i++)
        if (v->hot[i].frame != F4P_NONE || i == v->line)
            v->bare[shown++] = i;
    v->lines.table.rows = v->bare ? shown : 0;
}

uint32_t f4p_tui_heaviest(struct f4p_tui *tui, uint32_t frame)
{
    const struct f4p_model *m = tui->report->model;
    const struct f4p_heap *heap = f4p_tui_heap(tui);
    uint32_t best = F4P_NONE;
    uint64_t most = 0;
    uint8_t *has = heap ? f4p_tui_stacks_with(tui, frame) : NULL;
    for (uint32_t i = 0; has && i < m->entries.count; i++) {
        uint32_t stack = f4p_model_entry(m, i)->stack;
        if (has[stack] && (heap->sums[i].bytes > most || best == F4P_NONE)) {
            most = heap->sums[i].bytes;
            best = stack;
        }
    }
    free(has);
    return best;
}

/* ---- cells ---- */

static const struct hot_line *hot_of(const struct source_view *v, uint32_t line)
{
    return line < v->hot_count ? &v->hot[line] : NULL;
}

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct source_view *v = context;
    uint32_t line = line_of(v, row);
    const struct hot_line *hot = hot_of(v, line);
    uint64_t bytes = !hot ? 0 : column == 0 ? hot->own : hot->through;
    switch (column) {
    case 0:
    case 1:
        f4p_tui_cell_bytes(v->tui, cell, f4p_tui_q8(bytes), f4p_tui_q8(v->largest));
        if (!bytes)
            cell->text[0] = '\0';
        cell->style = column == 0 && bytes > v->largest / 4 ? F4P_STYLE_BAD : F4P_STYLE_PLAIN;
        break;
    case 2:
        snprintf(cell->text, sizeof cell->text, "%u", line);
        cell->number = line;
        cell->has_number = true;
        cell->style = hot && hot->through ? F4P_STYLE_BOLD : F4P_STYLE_DIM;
        break;
    default:
        if (!v->bare && line <= v->text.count && v->text.lines[line - 1]) {
            /* tabs: to the next multiple of four, for a cell has no other white space than spaces */
            size_t used = 0;
            for (const char *at = v->text.lines[line - 1]; *at && used + 5 < sizeof cell->text; at++)
                if (*at != '\t')
                    cell->text[used++] = *at;
                else
                    do
                        cell->text[used++] = ' ';
                    while (used % 4);
            cell->text[used] = '\0';
        } else if (hot && hot->frame != F4P_NONE) {
            f4p_tui_frame_label(v->tui, hot->frame, cell->text, sizeof cell->text);
        }
        cell->style = hot && hot->own > v->largest / 4 ? F4P_STYLE_BOLD : F4P_STYLE_PLAIN;
    }
}

static void stack_cell(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct source_view *v = context;
    const struct f4p_model *m = v->tui->report->model;
    const struct f4p_stack *stack = f4p_model_stack(m, v->path[row]);
    char label[F4P_TUI_CELL_BYTES - 8];
    cell->style = f4p_tui_frame_style(v->tui, stack->frame);
    if (column) {
        snprintf(cell->text, sizeof cell->text, "%.80s",
                 f4p_model_string(m, f4p_model_frame(m, stack->frame)->library));
        return;
    }
    uint32_t innermost = v->path[v->stack.table.rows - 1];
    f4p_tui_frame_label(v->tui, stack->frame, label, sizeof label);
    snprintf(cell->text, sizeof cell->text, "%s %s", f4p_model_stack(m, innermost)->user == stack->frame ? "*" : " ",
             label);
}

/* ---- choosing ---- */

static void set_path(struct source_view *v, uint32_t stack, uint32_t frame)
{
    const struct f4p_model *m = v->tui->report->model;
    size_t count = 0;
    for (uint32_t at = stack; at != F4P_NONE; at = f4p_model_stack(m, at)->parent)
        count++;
    free(v->path);
    v->path = malloc((count + 1) * sizeof *v->path);
    v->stack.table = (struct f4p_table){
        .name = "stack", .columns = stack_columns, .column_count = 2, .context = v, .cell = stack_cell};
    if (!v->path)
        return;
    v->stack.table.rows = count;
    for (uint32_t at = stack; at != F4P_NONE; at = f4p_model_stack(m, at)->parent) {
        v->path[--count] = at;
        if (f4p_model_stack(m, at)->frame == frame && v->stack.cursor != count)
            f4p_browser_select(&v->stack, count);
    }
}

static void choose(struct source_view *v, uint32_t frame)
{
    const struct f4p_model *m = v->tui->report->model;
    const struct f4p_frame *f = f4p_model_frame(m, frame);
    bool same = v->file && !strcmp(v->file, f4p_model_string(m, f->file));
    char *file = strdup(f4p_model_string(m, f->file)), *function = strdup(f4p_model_string(m, f->function));
    if (!file || !function) {
        free(file);
        free(function);
        return;
    }
    free(v->file);
    free(v->function);
    v->file = file;
    v->function = function;
    v->line = f->line;
    v->offset = f->offset;
    if (!same)
        f4p_source_free(&v->text);
}

/* The frame that was chosen, in the model of now. */
static uint32_t chosen(const struct source_view *v)
{
    const struct f4p_model *m = v->tui->report->model;
    for (uint32_t i = 0; v->file && i < m->frames.count; i++) {
        const struct f4p_frame *f = f4p_model_frame(m, i);
        if (f->line == v->line && f->offset == v->offset && !strcmp(f4p_model_string(m, f->file), v->file) &&
            !strcmp(f4p_model_string(m, f->function), v->function))
            return i;
    }
    return F4P_NONE;
}

static void go_to_line(struct source_view *v, uint32_t line)
{
    for (size_t row = 0; row < v->lines.table.rows; row++)
        if (line_of(v, row) == line)
            f4p_browser_select(&v->lines, row);
    /* a third of the way down, so that what leads to it is seen */
    size_t above = v->lines.rows.rows > 2 ? (size_t)v->lines.rows.rows / 3 : 3;
    v->lines.top = v->lines.cursor > above ? v->lines.cursor - above : 0;
}

static void fill(struct source_view *v)
{
    if (!v->text.count && v->file)
        f4p_source_load(&v->text, v->tui, v->file);
    size_t before = v->lines.cursor;
    v->lines.table = (struct f4p_table){
        .name = "source", .columns = columns, .column_count = 4, .rows = v->text.count, .context = v, .cell = cell_of};
    find_bytes(v, f4p_tui_heap(v->tui));
    f4p_browser_select(&v->lines, before);
}

static bool runs_through(const struct f4p_model *m, uint32_t stack, uint32_t frame)
{
    while (stack < m->stacks.count && f4p_model_stack(m, stack)->frame != frame)
        stack = f4p_model_stack(m, stack)->parent;
    return stack < m->stacks.count;
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct source_view *v = state;
    v->tui = tui;
    uint32_t frame = chosen(v);
    if (!v->file) { /* nothing chosen yet: the line that holds most */
        size_t count = 0;
        const struct f4p_heap *heap = f4p_tui_heap(tui);
        struct f4p_group *groups =
            heap ? f4p_model_group(tui->report->model, F4P_BY_LINE, heap, NULL, false, &count) : NULL;
        const struct f4p_frame *f = count ? f4p_group_frame(tui->report->model, &groups[0]) : NULL;
        if (f) {
            frame = f4p_keys_find(&tui->report->model->frames, f);
            choose(v, frame);
        }
        free(groups);
        fill(v);
        go_to_line(v, v->line);
    } else {
        fill(v);
    }
    v->stack.table.rows = 0;
    if (frame == F4P_NONE)
        return;
    if (!runs_through(tui->report->model, v->want_stack, frame)) /* the trace was read again, or nothing was wanted */
        v->want_stack = f4p_tui_heaviest(tui, frame);
    set_path(v, v->want_stack, frame);
}

void f4p_tui_show_source(struct f4p_tui *tui, uint32_t frame, uint32_t stack)
{
    struct source_view *v = tui->state[F4P_VIEW_SOURCE];
    enum f4p_view_id from = tui->view;
    if (frame == F4P_NONE) {
        f4p_tui_say(tui, true, "no line of code is selected");
        return;
    }
    v->tui = tui;
    v->in_stack = false;
    v->want_stack = stack == F4P_NONE ? f4p_tui_heaviest(tui, frame) : stack;
    choose(v, frame);
    fill(v);
    go_to_line(v, v->line);
    v->stack.cursor = v->stack.top = 0;
    set_path(v, v->want_stack, frame);
    tui->stale[F4P_VIEW_SOURCE] = false;
    f4p_tui_go(tui, F4P_VIEW_SOURCE);
    if (from != F4P_VIEW_SOURCE)
        tui->back = from;
}

/* ---- drawing ---- */

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct source_view *v = state;
    int stack = area.rows >= 14 ? (int)v->stack.table.rows + 1 : 0;
    char title[F4P_TUI_CELL_BYTES];
    if (stack > area.rows / 3)
        stack = area.rows / 3;
    if (!v->file) {
        f4p_screen_put(&tui->screen, area.row + 1, 2, F4P_STYLE_PLAIN, "choose a line in another view, then Enter");
        return;
    }
    f4p_tui_frame_file(tui, chosen(v), title, sizeof title);
    f4p_screen_cell(&tui->screen, area.row, 1, area.columns - 2, F4P_STYLE_BOLD, *title ? title : v->function, true);
    int note = *v->text.note ? 1 : 0;
    if (note)
        f4p_screen_cell(&tui->screen, area.row + 1, 1, area.columns - 2,
                        v->text.doubtful ? F4P_STYLE_WARN : F4P_STYLE_DIM, v->text.note, false);
    int top = area.row + 1 + note, rows = area.rows - 1 - note - stack;
    f4p_browser_draw(&v->lines, &tui->screen, (struct f4p_area){top, 0, rows, area.columns}, !v->in_stack);
    if (stack)
        f4p_browser_draw(&v->stack, &tui->screen, (struct f4p_area){top + rows, 0, stack, area.columns}, v->in_stack);
}

/* ---- actions ---- */

static bool next_hot(struct f4p_tui *tui, struct source_view *v, bool down)
{
    size_t rows = v->lines.table.rows;
    for (size_t i = 1; i <= rows; i++) {
        size_t row = down ? (v->lines.cursor + i) % rows : (v->lines.cursor + rows - i) % rows;
        const struct hot_line *hot = hot_of(v, line_of(v, row));
        if (hot && hot->own) {
            f4p_browser_select(&v->lines, row);
            return true;
        }
    }
    f4p_tui_say(tui, true, "no line of this file holds memory now");
    return true;
}

/* Follows the stack pane's cursor. */
static void follow_stack(struct source_view *v)
{
    const struct f4p_model *m = v->tui->report->model;
    if (v->stack.cursor >= v->stack.table.rows)
        return;
    uint32_t stack = v->path[v->stack.cursor];
    choose(v, f4p_model_stack(m, stack)->frame);
    fill(v);
    go_to_line(v, v->line);
}

static uint32_t frame_of(const struct source_view *v)
{
    uint32_t line = v->lines.cursor < v->lines.table.rows ? line_of(v, v->lines.cursor) : 0;
    const struct hot_line *hot = hot_of(v, line);
    return line == v->line || !hot || hot->frame == F4P_NONE ? chosen(v) : hot->frame;
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct source_view *v = state;
    if (action == F4P_ACT_PANE && v->stack.table.rows) {
        v->in_stack = !v->in_stack;
        return true;
    }
    if (v->in_stack && f4p_browser_act(&v->stack, action)) {
        follow_stack(v);
        return true;
    }
    if ((action == F4P_ACT_NEXT || action == F4P_ACT_BEFORE) && !*tui->search && v->lines.table.rows)
        return next_hot(tui, v, action == F4P_ACT_NEXT);
    if (action != F4P_ACT_ENTER)
        return false;
    uint32_t frame = frame_of(v);
    if (frame != F4P_NONE && !v->in_stack) { /* the stack through the line under the cursor */
        v->want_stack = f4p_tui_heaviest(tui, frame);
        set_path(v, v->want_stack, frame);
    }
    v->in_stack = !v->in_stack && v->stack.table.rows;
    return true;
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    struct source_view *v = state;
    (void)tui;
    return v->in_stack ? &v->stack : &v->lines;
}

static uint32_t frame(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return ((struct source_view *)state)->file ? frame_of(state) : F4P_NONE;
}

static bool click(struct f4p_tui *tui, void *state, struct f4p_click where)
{
    struct source_view *v = state;
    (void)tui;
    bool in_stack = f4p_browser_click(&v->stack, where.row);
    if (!in_stack && !f4p_browser_click(&v->lines, where.row))
        return false;
    v->in_stack = in_stack;
    if (in_stack)
        follow_stack(v);
    return true;
}

static void close_view(void *state)
{
    struct source_view *v = state;
    f4p_source_free(&v->text);
    free(v->file);
    free(v->function);
    free(v->hot);
    free(v->bare);
    free(v->path);
}

const struct f4p_view_ops f4p_view_source = {
    .name = "Source",
    .state_bytes = sizeof(struct source_view),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .frame = frame,
    .click = click,
    .close = close_view,
    .hint = "Tab:walk the stack\tn:next hot line\te:edit\ty:copy\tc:callers\t/:search\tEsc:back",
};
