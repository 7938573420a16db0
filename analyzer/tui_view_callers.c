/* Callers and callees of one function, as an overlay; Enter goes to the selected one, Backspace back. */
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "format/weight.h"
#include "tui_private.h"

#define MAX_TRAIL 32u

enum role { ROLE_CALLER, ROLE_SELF, ROLE_CALLEE };

struct neighbour {
    uint32_t frame; /* F4P_NONE: called by nobody */
    enum role role;
    struct f4p_sums sums;
};

struct callers {
    struct f4p_tui *tui;
    struct f4p_browser browser;
    struct neighbour *rows;
    char *function, *file; /* what it is about; NULL: nothing */
    struct {
        char *function, *file;
    } trail[MAX_TRAIL];
    size_t trail_count;
};

static const struct f4p_column columns[] = {
    {"", "role", 9, 0, false, false},
    {"bytes", "bytes", 8, 0, true, false},
    {"%", "percent", 6, 0, true, false},
    {"function", "frame", 0, 0, false, false},
    {"library", "library", 12, 80, false, false},
};

static const char *const roles[] = {"caller", "FUNCTION", "callee"};

/* ---- counting ---- */

struct count {
    struct f4p_keys keys; /* frames */
    struct f4p_sums *sums;
    size_t room;
};

static int add(struct count *count, uint32_t frame, const struct f4p_sums *sums)
{
    uint32_t known = count->keys.count, id = f4p_keys_put(&count->keys, &frame);
    if (id == F4P_NONE)
        return -1;
    if (id >= count->room) {
        size_t room = count->room ? count->room * 2 : 64;
        struct f4p_sums *bigger = realloc(count->sums, room * sizeof *bigger);
        if (!bigger)
            return -1;
        count->sums = bigger;
        count->room = room;
    }
    if (id == known)
        count->sums[id] = (struct f4p_sums){0};
    f4p_sums_add(&count->sums[id], sums);
    return 0;
}

struct about {
    uint32_t function, file; /* string ids; F4P_NONE: not in this model */
    struct f4p_sums self;
    struct count callers, callees;
};

static bool is_about(const struct f4p_model *m, const struct about *about, uint32_t stack)
{
    const struct f4p_frame *f = f4p_model_frame(m, f4p_model_stack(m, stack)->frame);
    return f->function == about->function && f->file == about->file;
}

/* Each stack counts once: its outermost call of the function has the caller, its innermost one the callee. */
static int take_stack(const struct f4p_model *m, struct about *about, uint32_t stack, const struct f4p_sums *sums)
{
    uint32_t below = F4P_NONE, callee = F4P_NONE, caller = F4P_NONE;
    bool found = false;
    for (uint32_t at = stack; at != F4P_NONE; at = f4p_model_stack(m, at)->parent) {
        if (is_about(m, about, at)) {
            if (!found)
                callee = below;
            found = true;
            uint32_t parent = f4p_model_stack(m, at)->parent;
            caller = parent == F4P_NONE ? F4P_NONE : f4p_model_stack(m, parent)->frame;
        }
        below = f4p_model_stack(m, at)->frame;
    }
    if (!found)
        return 0;
    f4p_sums_add(&about->self, sums);
    if (add(&about->callers, caller, sums))
        return -1;
    return callee == F4P_NONE ? 0 : add(&about->callees, callee, sums);
}

static int by_bytes(const void *left, const void *right)
{
    const struct neighbour *a = left, *b = right;
    if (a->role != b->role)
        return a->role < b->role ? -1 : 1;
    if (a->sums.bytes != b->sums.bytes)
        return a->sums.bytes > b->sums.bytes ? -1 : 1;
    return a->frame < b->frame ? -1 : a->frame > b->frame;
}

static size_t put_rows(struct neighbour *rows, size_t at, const struct count *count, enum role role)
{
    for (uint32_t i = 0; i < count->keys.count; i++)
        rows[at++] = (struct neighbour){((const uint32_t *)(const void *)count->keys.data)[i], role, count->sums[i]};
    return at;
}

static void fill(struct callers *v, struct about *about)
{
    const struct f4p_model *m = v->tui->report->model;
    const struct f4p_heap *heap = f4p_tui_heap(v->tui);
    size_t at = 0;
    bool failed = false;
    for (uint32_t i = 0; heap && !failed && i < m->entries.count; i++)
        if (heap->sums[i].samples)
            failed = take_stack(m, about, f4p_model_entry(m, i)->stack, &heap->sums[i]);
    v->rows = failed ? NULL : calloc(about->callers.keys.count + about->callees.keys.count + 1ul, sizeof *v->rows);
    if (!v->rows)
        return;
    at = put_rows(v->rows, at, &about->callers, ROLE_CALLER);
    uint32_t self = F4P_NONE;
    for (uint32_t i = 0; self == F4P_NONE && i < m->frames.count; i++)
        if (f4p_model_frame(m, i)->function == about->function && f4p_model_frame(m, i)->file == about->file)
            self = i;
    v->rows[at++] = (struct neighbour){self, ROLE_SELF, about->self};
    at = put_rows(v->rows, at, &about->callees, ROLE_CALLEE);
    qsort(v->rows, at, sizeof *v->rows, by_bytes);
    v->browser.table.rows = at;
}

/* ---- cells ---- */

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct callers *v = context;
    const struct neighbour *n = &v->rows[row];
    const struct f4p_model *m = v->tui->report->model;
    const struct f4p_heap *heap = f4p_tui_heap(v->tui);
    double all = heap ? f4p_tui_q8(heap->total.bytes) : 0;
    char file[F4P_CELL_BYTES];
    cell->style = n->role == ROLE_SELF ? F4P_STYLE_BOLD : F4P_STYLE_PLAIN;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%s", roles[n->role]);
        break;
    case 1:
        f4p_tui_cell_bytes(v->tui, cell, f4p_tui_q8(n->sums.bytes), all);
        break;
    case 2:
        f4p_tui_cell_percent(cell, f4p_tui_q8(n->sums.bytes), all);
        break;
    case 3:
        f4p_tui_frame_file(v->tui, n->frame, file, sizeof file);
        if (n->role == ROLE_SELF)
            snprintf(cell->text, sizeof cell->text, "%.250s %.250s", v->function, file);
        else if (n->frame == F4P_NONE)
            snprintf(cell->text, sizeof cell->text, "[outermost]");
        else
            f4p_tui_frame_label(v->tui, n->frame, cell->text, sizeof cell->text);
        break;
    default:
        if (n->frame != F4P_NONE)
            snprintf(cell->text, sizeof cell->text, "%.80s",
                     f4p_model_string(m, f4p_model_frame(m, n->frame)->library));
        cell->style = f4p_tui_frame_style(v->tui, n->frame);
    }
}

static uint64_t id_of(void *context, size_t row)
{
    const struct callers *v = context;
    return f4p_tui_frame_id(v->tui, v->rows[row].frame) + (uint64_t)v->rows[row].role;
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct callers *v = state;
    struct about about = {.function = f4p_tui_string(tui, v->function), .file = f4p_tui_string(tui, v->file)};
    about.callers.keys.bytes = about.callees.keys.bytes = sizeof(uint32_t);
    v->tui = tui;
    free(v->rows);
    v->rows = NULL;
    v->browser.table = (struct f4p_table){
        .name = "callers", .columns = columns, .column_count = 5, .context = v, .cell = cell_of, .id = id_of};
    if (about.function != F4P_NONE && about.file != F4P_NONE)
        fill(v, &about);
    f4p_browser_changed(&v->browser);
    f4p_keys_free(&about.callers.keys);
    f4p_keys_free(&about.callees.keys);
    free(about.callers.sums);
    free(about.callees.sums);
}

/* ---- choosing ---- */

static void select_self(struct callers *v)
{
    for (size_t i = 0; i < v->browser.table.rows; i++)
        if (v->rows[i].role == ROLE_SELF)
            f4p_browser_select(&v->browser, i);
}

static void go_to(struct callers *v, struct f4p_tui *tui, uint32_t frame)
{
    const struct f4p_model *m = tui->report->model;
    const struct f4p_frame *f = f4p_model_frame(m, frame);
    char *function = strdup(f4p_model_string(m, f->function)), *file = strdup(f4p_model_string(m, f->file));
    if (!function || !file) {
        free(function);
        free(file);
        return;
    }
    free(v->function);
    free(v->file);
    v->function = function;
    v->file = file;
    changed(tui, v);
    select_self(v);
}

static void forget_trail(struct callers *v)
{
    while (v->trail_count) {
        free(v->trail[--v->trail_count].function);
        free(v->trail[v->trail_count].file);
    }
}

void f4p_tui_show_callers(struct f4p_tui *tui, uint32_t frame)
{
    struct callers *v = tui->state[F4P_VIEW_CALLERS];
    if (tui->over != F4P_VIEW_CALLERS) {
        forget_trail(v);
        f4p_tui_go(tui, F4P_VIEW_CALLERS);
    }
    go_to(v, tui, frame);
    tui->stale[F4P_VIEW_CALLERS] = false;
}

static uint32_t frame(struct f4p_tui *tui, void *state)
{
    const struct callers *v = state;
    (void)tui;
    return v->browser.cursor < v->browser.table.rows ? v->rows[v->browser.cursor].frame : F4P_NONE;
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct callers *v = state;
    uint32_t to = frame(tui, v);
    if (action == F4P_ACT_ENTER && to != F4P_NONE && v->rows[v->browser.cursor].role != ROLE_SELF) {
        char *function = strdup(v->function), *file = strdup(v->file);
        if (function && file && v->trail_count < MAX_TRAIL) {
            v->trail[v->trail_count].function = function;
            v->trail[v->trail_count++].file = file;
        } else {
            free(function);
            free(file);
        }
        go_to(v, tui, to);
        return true;
    }
    if (action == F4P_ACT_BACK && v->trail_count) {
        free(v->function);
        free(v->file);
        v->function = v->trail[--v->trail_count].function;
        v->file = v->trail[v->trail_count].file;
        changed(tui, v);
        select_self(v);
        return true;
    }
    return false;
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct callers *v = state;
    f4p_browser_draw(&v->browser, &tui->screen, area, true);
    if (!v->browser.table.rows)
        f4p_screen_put(&tui->screen, area.row + 2, 2, F4P_STYLE_PLAIN, "select a line of code first, then c");
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return &((struct callers *)state)->browser;
}

static void close_view(void *state)
{
    struct callers *v = state;
    forget_trail(v);
    free(v->rows);
    free(v->function);
    free(v->file);
}

const struct f4p_view_ops f4p_view_callers = {
    .name = "CALLERS",
    .state_bytes = sizeof(struct callers),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .frame = frame,
    .close = close_view,
    .hint = "Enter:go there\tBackspace:back\t5:source\ty:copy\te:edit\tx:export\tEsc:close",
};
