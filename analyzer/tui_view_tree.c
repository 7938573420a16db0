/* Tree: stacks from the outermost or the innermost frame; below it the icicle of the selected branch and its source. */
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "tui_icicle.h"

#define MAX_INDENT 30u
#define OPEN_SHARE 0.5 /* a branch opens by itself while one child holds more than this of it */

struct tree_view {
    struct f4p_tui *tui;
    struct f4p_tree tree;
    struct f4p_icicle icicle;
    struct f4p_browser browser;
    uint32_t *rows; /* nodes shown, in order */
    size_t room;
    uint64_t *open; /* ids of nodes that are unfolded; kept over changes */
    size_t open_count, open_room;
    uint32_t root; /* node zoomed to */
    struct {
        uint64_t id;
        size_t open_count;
        uint32_t root;
    } before;          /* a search began */
    uint64_t frame_id; /* of the selected row, when it was drawn last */
    bool known, begun;
};

static const struct f4p_column columns[] = {
    {"bytes", "bytes", 8, 0, true, false},      {"%", "percent", 6, 0, true, false},
    {"self", "self_bytes", 8, 72, true, false}, {"+/-%", "error_percent", 6, 100, true, false},
    {"frame", "frame", 0, 0, false, false},     {"library", "library", 12, 80, false, false},
};
enum { COLUMN_BYTES, COLUMN_PERCENT, COLUMN_SELF, COLUMN_ERROR, COLUMN_FRAME, COLUMN_LIBRARY };

/* ---- rows ---- */

/* A node is known by its path. */
static uint64_t node_id(const struct tree_view *v, uint32_t node)
{
    uint64_t id = v->tree.bottom_up;
    while (node != F4P_NONE && node) {
        uint64_t frame = f4p_tui_frame_id(v->tui, v->tree.nodes[node].frame);
        id = f4p_hash(&frame, sizeof frame, id);
        node = v->tree.nodes[node].parent;
    }
    return id;
}

static size_t find_open(const struct tree_view *v, uint64_t id)
{
    size_t i = 0;
    while (i < v->open_count && v->open[i] != id)
        i++;
    return i;
}

static void set_open(struct tree_view *v, uint32_t node, bool open)
{
    uint64_t id = node_id(v, node);
    size_t at = find_open(v, id);
    if (!open && at < v->open_count)
        v->open[at] = v->open[--v->open_count];
    if (!open || at < v->open_count)
        return;
    if (v->open_count == v->open_room) {
        size_t room = v->open_room ? v->open_room * 2 : 64;
        uint64_t *bigger = realloc(v->open, room * sizeof *bigger);
        if (!bigger)
            return;
        v->open = bigger;
        v->open_room = room;
    }
    v->open[v->open_count++] = id;
}

static bool is_open(const struct tree_view *v, uint32_t node)
{
    return find_open(v, node_id(v, node)) < v->open_count;
}

static int add_row(struct tree_view *v, uint32_t node)
{
    if (v->browser.table.rows == v->room) {
        size_t room = v->room ? v->room * 2 : 256;
        uint32_t *bigger = realloc(v->rows, room * sizeof *bigger);
        if (!bigger)
            return -1;
        v->rows = bigger;
        v->room = room;
    }
    v->rows[v->browser.table.rows++] = node;
    return 0;
}

/* Depth first; recursion is as deep as the user unfolded. */
static int add_children(struct tree_view *v, uint32_t node)
{
    if (f4p_tree_open(&v->tree, node))
        return -1;
    for (uint32_t i = 0; i < v->tree.nodes[node].count; i++) {
        uint32_t child = v->tree.nodes[node].first + i;
        if (add_row(v, child) || (is_open(v, child) && add_children(v, child)))
            return -1;
    }
    return 0;
}

static void list_rows(struct tree_view *v)
{
    v->browser.table.rows = 0;
    if (v->known &&
        ((v->root && add_row(v, v->root)) || ((!v->root || is_open(v, v->root)) && add_children(v, v->root))))
        f4p_tui_say(v->tui, true, "out of memory");
    f4p_browser_changed(&v->browser);
}

/* Unfolds along the heaviest path, as long as one child holds most of it. */
static uint32_t open_heaviest(struct tree_view *v, uint32_t node)
{
    for (;;) {
        if (f4p_tree_open(&v->tree, node) || !v->tree.nodes[node].count)
            return node;
        uint32_t child = v->tree.nodes[node].first;
        if ((double)v->tree.nodes[child].sums.bytes < OPEN_SHARE * (double)v->tree.nodes[node].sums.bytes)
            return node;
        if (node)
            set_open(v, node, true);
        node = child;
    }
}

static uint32_t selected(const struct tree_view *v)
{
    return v->browser.cursor < v->browser.table.rows ? v->rows[v->browser.cursor] : F4P_NONE;
}

static bool is_inside(const struct tree_view *v, uint32_t node, uint32_t of)
{
    while (node != of && node != F4P_NONE)
        node = v->tree.nodes[node].parent;
    return node == of;
}

/* Unfolds the way to a node, and selects it. */
static void reveal(struct tree_view *v, uint32_t node)
{
    if (!is_inside(v, node, v->root))
        v->root = 0;
    for (uint32_t at = v->tree.nodes[node].parent; at && at != F4P_NONE; at = v->tree.nodes[at].parent)
        set_open(v, at, true);
    list_rows(v);
    for (size_t i = 0; i < v->browser.table.rows; i++)
        if (v->rows[i] == node)
            f4p_browser_select(&v->browser, i);
}

/* The line that allocates most is selected: the innermost frame. */
static void show_heaviest(struct tree_view *v)
{
    uint32_t end = open_heaviest(v, 0);
    reveal(v, v->tree.bottom_up && v->tree.nodes[0].count ? v->tree.nodes[0].first : end);
}

/* What is selected now, whatever becomes of its path. */
static void remember_frame(struct tree_view *v)
{
    if (selected(v) != F4P_NONE)
        v->frame_id = f4p_tui_frame_id(v->tui, v->tree.nodes[selected(v)].frame);
}

/* ---- cells ---- */

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct tree_view *v = context;
    const struct f4p_tree_node *node = &v->tree.nodes[v->rows[row]];
    const struct f4p_model *m = v->tui->report->model;
    char label[F4P_TUI_CELL_BYTES - 80];
    double all = f4p_tui_q8(v->tree.nodes[0].sums.bytes);
    unsigned depth = node->depth - v->tree.nodes[v->root].depth - (v->root ? 0 : 1);
    switch (column) {
    case COLUMN_BYTES:
        f4p_tui_cell_bytes(v->tui, cell, f4p_tui_q8(node->sums.bytes), all);
        break;
    case COLUMN_PERCENT:
        f4p_tui_cell_percent(cell, f4p_tui_q8(node->sums.bytes), all);
        break;
    case COLUMN_SELF:
        f4p_tui_cell_bytes(v->tui, cell, f4p_tui_q8(node->self.bytes), all);
        if (!node->self.samples)
            cell->text[0] = '\0';
        break;
    case COLUMN_ERROR:
        f4p_tui_cell_error(v->tui, cell, &node->sums);
        break;
    case COLUMN_LIBRARY:
        if (node->frame != F4P_NONE)
            snprintf(cell->text, sizeof cell->text, "%.80s",
                     f4p_model_string(m, f4p_model_frame(m, node->frame)->library));
        cell->style = f4p_tui_frame_style(v->tui, node->frame);
        break;
    default:
        f4p_tui_frame_label(v->tui, node->frame, label, sizeof label);
        snprintf(cell->text, sizeof cell->text, "%*s%s %s", (int)(depth < MAX_INDENT ? depth : MAX_INDENT), "",
                 node->made && !node->count ? " "
                 : is_open(v, v->rows[row]) ? "-"
                                            : "+",
                 label);
        cell->style = f4p_tui_frame_style(v->tui, node->frame);
    }
}

static uint64_t id_of(void *context, size_t row)
{
    const struct tree_view *v = context;
    return node_id(v, v->rows[row]);
}

/* Paths are others with other frames shown: the frame that was selected, where it holds most, else the heaviest. */
static void find_again(struct tree_view *v)
{
    const struct f4p_model *m = v->tui->report->model;
    uint8_t *same = calloc(m->frames.count + 1ul, 1);
    for (uint32_t i = 0; same && i < m->frames.count; i++)
        same[i] = f4p_tui_frame_id(v->tui, i) == v->frame_id;
    uint32_t node = same ? f4p_tree_find(&v->tree, same, 0, true) : F4P_NONE;
    free(same);
    if (node == F4P_NONE)
        show_heaviest(v);
    else
        reveal(v, node);
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct tree_view *v = state;
    const struct f4p_heap *heap = f4p_tui_heap(tui);
    const uint8_t *visible = f4p_tui_visible(tui);
    bool turned = v->begun && v->tree.bottom_up != tui->bottom_up;
    v->tui = tui;
    f4p_tree_free(&v->tree);
    f4p_icicle_free(&v->icicle);
    v->root = v->before.root = 0;
    v->known = heap && visible && !f4p_tree_build(&v->tree, tui->report->model, heap, tui->bottom_up, visible);
    v->browser.table = (struct f4p_table){
        .name = "tree", .columns = columns, .column_count = 6, .context = v, .cell = cell_of, .id = id_of};
    if (!v->known) {
        f4p_tree_free(&v->tree);
        return;
    }
    uint64_t id = v->browser.id;
    if (!v->begun || turned)
        show_heaviest(v);
    else
        list_rows(v);
    if (v->begun && !turned && v->browser.table.rows && v->browser.id != id)
        find_again(v);
    v->begun = true;
    remember_frame(v);
}

/* ---- drawing ---- */

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct tree_view *v = state;
    bool panes = area.columns >= 80 && area.rows >= 18;
    int icicle = !panes ? 0 : area.rows / 4 < 8 ? area.rows / 4 : 8, source = panes;
    uint32_t node = selected(v);
    remember_frame(v);
    f4p_browser_draw(&v->browser, &tui->screen,
                     (struct f4p_area){area.row, 0, area.rows - icicle - source, area.columns}, true);
    if (!v->browser.table.rows)
        f4p_screen_put(&tui->screen, area.row + 2, 2, F4P_STYLE_PLAIN, f4p_tui_nothing(tui));
    if (node == F4P_NONE)
        return;
    if (source)
        f4p_tui_draw_line(tui, v->tree.nodes[node].frame, area.row + area.rows - icicle - 1);
    /* From the parent: siblings are what one compares with. */
    uint32_t top = v->tree.nodes[node].parent == F4P_NONE ? node : v->tree.nodes[node].parent;
    if (icicle && !f4p_icicle_lay(&v->icicle, &v->tree, top, (unsigned)icicle, (unsigned)area.columns))
        f4p_icicle_draw(&v->icicle, tui, &v->tree,
                        (struct f4p_area){area.row + area.rows - icicle, 0, icicle, area.columns}, 0, node, NULL);
}

/* ---- actions ---- */

static void fold(struct tree_view *v, uint32_t node)
{
    uint32_t parent = v->tree.nodes[node].parent;
    if (is_open(v, node)) {
        set_open(v, node, false);
    } else if (parent && parent != F4P_NONE && node != v->root) {
        for (size_t i = 0; i < v->browser.table.rows; i++)
            if (v->rows[i] == parent)
                f4p_browser_select(&v->browser, i);
    }
    list_rows(v);
}

static void unfold(struct tree_view *v, uint32_t node)
{
    if (f4p_tree_open(&v->tree, node))
        return;
    if (is_open(v, node) && v->tree.nodes[node].count)
        f4p_browser_select(&v->browser, v->browser.cursor + 1);
    set_open(v, node, true);
    list_rows(v);
}

static void zoom(struct tree_view *v, uint32_t node)
{
    v->root = node;
    if (node)
        set_open(v, node, true);
    list_rows(v);
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct tree_view *v = state;
    uint32_t node = selected(v);
    if (node == F4P_NONE)
        return false;
    switch (action) {
    case F4P_ACT_LEFT:
        fold(v, node);
        return true;
    case F4P_ACT_RIGHT:
        unfold(v, node);
        return true;
    case F4P_ACT_ENTER:
        if (!f4p_tree_open(&v->tree, node) && (!v->tree.nodes[node].count || node == v->root))
            f4p_tui_show_source(tui, v->tree.nodes[node].frame, F4P_NONE);
        else
            zoom(v, node);
        return true;
    case F4P_ACT_BACK:
        if (!v->root)
            return false;
        zoom(v, v->tree.nodes[v->root].parent);
        return true;
    case F4P_ACT_ZOOM_RESET:
        zoom(v, 0);
        return true;
    default:
        return false;
    }
}

/* ---- finding ---- */

static bool find(struct f4p_tui *tui, void *state, const char *text, bool down, bool here)
{
    struct tree_view *v = state;
    uint32_t from = selected(v) == F4P_NONE ? 0 : selected(v), to = F4P_NONE;
    uint8_t *wanted = v->known ? f4p_tui_frames_with(tui, text) : NULL;
    if (!wanted)
        return false;
    if (here && from && v->tree.nodes[from].frame != F4P_NONE && wanted[v->tree.nodes[from].frame])
        to = from;
    else
        to = f4p_tree_find(&v->tree, wanted, from, down);
    free(wanted);
    if (to != F4P_NONE)
        reveal(v, to);
    return to != F4P_NONE;
}

/* While text is typed nothing is folded: what a search unfolds stands behind what was unfolded before. */
static void anchor(struct f4p_tui *tui, void *state, bool back)
{
    struct tree_view *v = state;
    (void)tui;
    if (!back) {
        v->before.id = v->browser.id;
        v->before.open_count = v->open_count;
        v->before.root = v->root;
        return;
    }
    if (v->open_count > v->before.open_count)
        v->open_count = v->before.open_count;
    v->root = v->before.root;
    v->browser.id = v->before.id;
    v->browser.cursor = 0;
    list_rows(v);
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return &((struct tree_view *)state)->browser;
}

static uint32_t frame(struct f4p_tui *tui, void *state)
{
    const struct tree_view *v = state;
    (void)tui;
    return selected(v) == F4P_NONE ? F4P_NONE : v->tree.nodes[selected(v)].frame;
}

static bool click(struct f4p_tui *tui, void *state, struct f4p_click where)
{
    struct tree_view *v = state;
    (void)tui;
    size_t before = v->browser.cursor;
    if (!f4p_browser_click(&v->browser, where.row))
        return false;
    if (v->browser.cursor == before && selected(v) != F4P_NONE) { /* a second click folds and unfolds */
        if (is_open(v, selected(v)))
            fold(v, selected(v));
        else
            unfold(v, selected(v));
    }
    return true;
}

static void close_view(void *state)
{
    struct tree_view *v = state;
    f4p_tree_free(&v->tree);
    f4p_icicle_free(&v->icicle);
    free(v->rows);
    free(v->open);
}

const struct f4p_view_ops f4p_view_tree = {
    .name = "Tree",
    .state_bytes = sizeof(struct tree_view),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .frame = frame,
    .click = click,
    .find = find,
    .anchor = anchor,
    .close = close_view,
    .hint = "h/l:fold\tEnter:zoom, source\tEsc:back\tb:bottom-up\tw:frames\tf:flame\tc:callers\t/:search",
};
