/* Flame: the tree as boxes over the whole screen. Arrows walk it, Enter zooms to a box. */
#include <stdlib.h>
#include <string.h>

#include "tui_icicle.h"

#define MAX_ROWS 200u

struct flame {
    struct f4p_tree tree;
    struct f4p_icicle icicle;
    uint32_t root, selected;
    struct f4p_area area;
    unsigned first; /* row of the layout at the top */
    bool known;
    struct f4p_tui *tui;
    struct f4p_browser boxes; /* for exports only: nothing of it is on the screen */
    uint8_t *found;           /* by frame, of the last search; NULL: none */
    struct {
        uint32_t root, selected;
    } before; /* a search began */
};

static const struct f4p_column columns[] = {
    {"level", "level", 6, 0, true, false},       {"bytes", "bytes", 8, 0, true, false},
    {"%", "percent", 6, 0, true, false},         {"frame", "frame", 0, 0, false, false},
    {"library", "library", 12, 0, false, false},
};

/* ---- the boxes as a table ---- */

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct flame *v = context;
    const struct f4p_box *box = &v->icicle.boxes[row];
    const struct f4p_tree_node *nodes = v->tree.nodes;
    uint64_t bytes = box->node == F4P_NONE ? 0 : nodes[box->node].sums.bytes;
    uint32_t frame = box->node == F4P_NONE ? F4P_NONE : nodes[box->node].frame;
    uint32_t merged = box->node == F4P_NONE && box->parent != F4P_NONE ? box->merged : 0;
    for (uint32_t i = 0; i < merged; i++)
        bytes += nodes[nodes[box->parent].first + nodes[box->parent].count - 1 - i].sums.bytes;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%u", box->row);
        cell->number = box->row;
        cell->has_number = true;
        break;
    case 1:
        f4p_tui_cell_bytes(v->tui, cell, f4p_tui_q8(bytes), f4p_tui_q8(v->tree.nodes[0].sums.bytes));
        break;
    case 2:
        f4p_tui_cell_percent(cell, f4p_tui_q8(bytes), f4p_tui_q8(v->tree.nodes[0].sums.bytes));
        break;
    case 3:
        if (box->node == F4P_NONE)
            snprintf(cell->text, sizeof cell->text, "[%u others]", box->merged);
        else if (!box->node)
            snprintf(cell->text, sizeof cell->text, "[all]");
        else
            f4p_tui_frame_label(v->tui, frame, cell->text, sizeof cell->text);
        break;
    default:
        if (frame != F4P_NONE)
            snprintf(cell->text, sizeof cell->text, "%.80s",
                     f4p_model_string(v->tui->report->model, f4p_model_frame(v->tui->report->model, frame)->library));
    }
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    struct flame *v = state;
    (void)tui;
    v->boxes.table.rows = v->known ? v->icicle.count : 0;
    return &v->boxes;
}

/* ---- drawing ---- */

static void changed(struct f4p_tui *tui, void *state)
{
    struct flame *v = state;
    const struct f4p_heap *heap = f4p_tui_heap(tui);
    const uint8_t *visible = f4p_tui_visible(tui);
    f4p_tree_free(&v->tree);
    f4p_icicle_free(&v->icicle);
    v->root = v->selected = v->before.root = v->before.selected = 0;
    v->first = 0;
    v->tui = tui;
    free(v->found);
    v->found = *tui->search ? f4p_tui_frames_with(tui, tui->search) : NULL;
    v->boxes.table =
        (struct f4p_table){.name = "flame", .columns = columns, .column_count = 5, .context = v, .cell = cell_of};
    v->known = heap && visible && !f4p_tree_build(&v->tree, tui->report->model, heap, tui->bottom_up, visible);
}

static const struct f4p_box *box_of(const struct flame *v, uint32_t node)
{
    for (size_t i = 0; i < v->icicle.count; i++)
        if (v->icicle.boxes[i].node == node)
            return &v->icicle.boxes[i];
    return NULL;
}

/* What the colour says, in words. */
static void draw_selected(const struct f4p_tui *tui, const struct flame *v, int row)
{
    const struct f4p_model *m = tui->report->model;
    const struct f4p_tree_node *node = &v->tree.nodes[v->selected];
    char label[F4P_TUI_CELL_BYTES], text[F4P_TUI_CELL_BYTES + 200], number[F4P_NUMBER_BYTES];
    double bytes = f4p_tui_q8(node->sums.bytes), all = f4p_tui_q8(v->tree.nodes[0].sums.bytes);
    f4p_tui_frame_label(tui, node->frame, label, sizeof label);
    const char *library = node->frame == F4P_NONE ? "" : f4p_model_string(m, f4p_model_frame(m, node->frame)->library);
    snprintf(text, sizeof text, "%s %.1f%%  %s  %s%s", f4p_text_bytes(number, bytes, tui->options->units),
             all > 0 ? 100 * bytes / all : 0, v->selected ? label : "all of it", *library ? "library " : "", library);
    f4p_screen_cell(&tui->screen, row, 1, tui->screen.columns - 2, F4P_STYLE_BOLD, text, false);
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct flame *v = state;
    v->area = (struct f4p_area){area.row, 0, area.rows - 1, area.columns};
    if (!v->known || !v->tree.nodes[0].sums.bytes) {
        f4p_screen_put(&tui->screen, area.row + 1, 2, F4P_STYLE_PLAIN, "nothing to show");
        return;
    }
    if (f4p_icicle_lay(&v->icicle, &v->tree, v->root, MAX_ROWS, (unsigned)area.columns)) {
        f4p_tui_say(tui, true, "out of memory");
        return;
    }
    const struct f4p_box *box = box_of(v, v->selected);
    if (!box) {
        v->selected = v->root;
        box = box_of(v, v->root);
    }
    if (box && box->row < v->first)
        v->first = box->row;
    if (box && (int)box->row >= (int)v->first + v->area.rows)
        v->first = box->row - (unsigned)v->area.rows + 1;
    f4p_icicle_draw(&v->icicle, tui, &v->tree, v->area, v->first, v->selected, v->found);
    draw_selected(tui, v, area.row + area.rows - 1);
}

/* ---- actions ---- */

static void select_node(struct flame *v, uint32_t node)
{
    v->selected = node;
    if (!f4p_icicle_lay(&v->icicle, &v->tree, v->root, MAX_ROWS, (unsigned)v->tui->screen.columns) && box_of(v, node))
        return;
    v->root = v->tree.nodes[node].parent == F4P_NONE ? 0 : v->tree.nodes[node].parent; /* too narrow from afar */
    if (!f4p_icicle_lay(&v->icicle, &v->tree, v->root, MAX_ROWS, (unsigned)v->tui->screen.columns) && !box_of(v, node))
        v->root = node;
}

void f4p_tui_show_flame(struct f4p_tui *tui, uint32_t frame)
{
    struct flame *v = tui->state[F4P_VIEW_FLAME];
    f4p_tui_go(tui, F4P_VIEW_FLAME);
    if (tui->over != F4P_VIEW_FLAME || frame == F4P_NONE)
        return;
    if (tui->stale[F4P_VIEW_FLAME])
        changed(tui, v);
    tui->stale[F4P_VIEW_FLAME] = false;
    uint8_t *same = v->known ? calloc(tui->report->model->frames.count + 1ul, 1) : NULL;
    if (!same)
        return;
    same[frame] = 1;
    uint32_t node = f4p_tree_find(&v->tree, same, 0, true);
    free(same);
    if (node != F4P_NONE && !f4p_icicle_lay(&v->icicle, &v->tree, v->root, MAX_ROWS, (unsigned)tui->screen.columns) &&
        box_of(v, node))
        v->selected = node;
}

static bool find(struct f4p_tui *tui, void *state, const char *text, bool down, bool here)
{
    struct flame *v = state;
    uint32_t to = F4P_NONE;
    free(v->found);
    v->found = v->known ? f4p_tui_frames_with(tui, text) : NULL;
    if (!v->found)
        return false;
    if (here && v->selected && v->tree.nodes[v->selected].frame != F4P_NONE &&
        v->found[v->tree.nodes[v->selected].frame])
        to = v->selected;
    else
        to = f4p_tree_find(&v->tree, v->found, v->selected, down);
    if (to != F4P_NONE)
        select_node(v, to);
    return to != F4P_NONE;
}

static void anchor(struct f4p_tui *tui, void *state, bool back)
{
    struct flame *v = state;
    (void)tui;
    if (!back) {
        v->before.root = v->root;
        v->before.selected = v->selected;
        return;
    }
    v->root = v->before.root;
    v->selected = v->before.selected;
    free(v->found);
    v->found = NULL;
}

/* The neighbour in the same row, by layout order. */
static uint32_t beside(const struct flame *v, bool right)
{
    const struct f4p_box *box = box_of(v, v->selected), *best = NULL;
    for (size_t i = 0; box && i < v->icicle.count; i++) {
        const struct f4p_box *other = &v->icicle.boxes[i];
        if (other->row != box->row || other->node == F4P_NONE)
            continue;
        if (right ? other->column > box->column && (!best || other->column < best->column)
                  : other->column < box->column && (!best || other->column > best->column))
            best = other;
    }
    return best ? best->node : v->selected;
}

static uint32_t below(struct flame *v)
{
    for (size_t i = 0; i < v->icicle.count; i++)
        if (v->icicle.boxes[i].parent == v->selected && v->icicle.boxes[i].node != F4P_NONE)
            return v->icicle.boxes[i].node;
    return v->selected;
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct flame *v = state;
    (void)tui;
    if (!v->known)
        return false;
    switch (action) {
    case F4P_ACT_LEFT:
    case F4P_ACT_RIGHT:
        v->selected = beside(v, action == F4P_ACT_RIGHT);
        return true;
    case F4P_ACT_UP:
        if (v->selected != v->root)
            v->selected = v->tree.nodes[v->selected].parent;
        return true;
    case F4P_ACT_DOWN:
        v->selected = below(v);
        return true;
    case F4P_ACT_FIRST:
        v->selected = v->root;
        return true;
    case F4P_ACT_ENTER:
    case F4P_ACT_ZOOM_IN:
        v->root = v->selected;
        v->first = 0;
        return true;
    case F4P_ACT_ZOOM_OUT:
    case F4P_ACT_BACK:
        if (!v->root)
            return action == F4P_ACT_ZOOM_OUT;
        v->root = v->tree.nodes[v->root].parent;
        return true;
    case F4P_ACT_ZOOM_RESET:
        v->root = 0;
        return true;
    default:
        return false;
    }
}

static uint32_t frame(struct f4p_tui *tui, void *state)
{
    const struct flame *v = state;
    (void)tui;
    return v->known ? v->tree.nodes[v->selected].frame : F4P_NONE;
}

static bool click(struct f4p_tui *tui, void *state, struct f4p_click where)
{
    struct flame *v = state;
    (void)tui;
    for (size_t i = 0; i < v->icicle.count; i++) {
        const struct f4p_box *box = &v->icicle.boxes[i];
        if (box->node == F4P_NONE || (int)box->row - (int)v->first + v->area.row != where.row ||
            where.column < box->column || where.column >= box->column + box->columns)
            continue;
        v->selected = box->node;
        if (where.twice)
            v->root = box->node;
        return true;
    }
    return false;
}

static void close_view(void *state)
{
    struct flame *v = state;
    f4p_tree_free(&v->tree);
    f4p_icicle_free(&v->icicle);
    free(v->found);
}

const struct f4p_view_ops f4p_view_flame = {
    .name = "FLAME",
    .state_bytes = sizeof(struct flame),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .find = find,
    .anchor = anchor,
    .frame = frame,
    .click = click,
    .close = close_view,
    .hint = "arrows:walk\tEnter/+:zoom\tBackspace/-:out\t/:search\tb:bottom-up\tw:frames\ty:copy\tEsc:back",
};
