#include "tui_icicle.h"

#include <stdlib.h>
#include <string.h>

static int put(struct f4p_icicle *icicle, struct f4p_box box)
{
    if (icicle->count == icicle->room) {
        size_t room = icicle->room ? icicle->room * 2 : 256;
        struct f4p_box *bigger = realloc(icicle->boxes, room * sizeof *bigger);
        if (!bigger)
            return -1;
        icicle->boxes = bigger;
        icicle->room = room;
    }
    icicle->boxes[icicle->count++] = box;
    return 0;
}

/* Children of the box at `index`, whose node is open. */
static int lay_children(struct f4p_icicle *icicle, const struct f4p_tree *tree, size_t index)
{
    struct f4p_box above = icicle->boxes[index];
    const struct f4p_tree_node *node = &tree->nodes[above.node];
    uint64_t total = node->sums.bytes, rest = 0;
    uint32_t wide = 0;
    uint64_t *values = malloc((above.columns + 2ul) * sizeof *values);
    unsigned *widths = malloc((above.columns + 2ul) * sizeof *widths), column = above.column;
    int result = values && widths ? 0 : -1;
    /* Children come largest first: those of at least a column, then the others as one. */
    while (!result && wide < node->count && total && wide < above.columns) {
        uint64_t bytes = tree->nodes[node->first + wide].sums.bytes;
        if ((double)bytes / (double)total * above.columns < 1)
            break;
        values[wide++] = bytes;
    }
    for (uint32_t i = wide; !result && i < node->count; i++)
        rest += tree->nodes[node->first + i].sums.bytes;
    if (!result) {
        values[wide] = rest;
        f4p_tree_widths(values, wide + 1ul, total, above.columns, widths);
    }
    for (uint32_t i = 0; !result && i <= wide; i++) {
        struct f4p_box box = {.node = i < wide ? node->first + i : F4P_NONE,
                              .merged = i < wide ? 1 : node->count - wide,
                              .parent = above.node,
                              .row = (uint16_t)(above.row + 1),
                              .column = (uint16_t)column,
                              .columns = (uint16_t)widths[i]};
        if (box.columns && box.merged)
            result = put(icicle, box);
        column += widths[i];
    }
    free(values);
    free(widths);
    return result;
}

int f4p_icicle_lay(struct f4p_icicle *icicle, struct f4p_tree *tree, uint32_t root, unsigned rows, unsigned columns)
{
    icicle->count = 0;
    if (!rows || !columns)
        return 0;
    if (put(icicle, (struct f4p_box){.node = root, .merged = 1, .parent = F4P_NONE, .columns = (uint16_t)columns}))
        return -1;
    for (size_t i = 0; i < icicle->count; i++) {
        struct f4p_box *box = &icicle->boxes[i];
        if (box->node == F4P_NONE || box->row + 1u >= rows)
            continue;
        if (f4p_tree_open(tree, box->node) || lay_children(icicle, tree, i))
            return -1;
    }
    return 0;
}

void f4p_icicle_free(struct f4p_icicle *icicle)
{
    free(icicle->boxes);
    *icicle = (struct f4p_icicle){0};
}

/* ---- drawing ---- */

/* What fits: the function, else the beginning of it. */
static void name_box(const struct f4p_tui *tui, const struct f4p_tree *tree, const struct f4p_box *box, char *out,
                     size_t bytes)
{
    const struct f4p_model *m = tui->report->model;
    if (box->node == F4P_NONE) {
        snprintf(out, bytes, "+%u", box->merged);
        return;
    }
    if (box->parent == F4P_NONE && !tree->nodes[box->node].depth) {
        snprintf(out, bytes, "all");
        return;
    }
    uint32_t frame = tree->nodes[box->node].frame;
    const char *function = frame == F4P_NONE ? "" : f4p_model_string(m, f4p_model_frame(m, frame)->function);
    f4p_tui_frame_label(tui, frame, out, bytes);
    if (*function && (int)strlen(out) > box->columns - 1)
        snprintf(out, bytes, "%.200s", function);
}

void f4p_icicle_draw(const struct f4p_icicle *icicle, const struct f4p_tui *tui, const struct f4p_tree *tree,
                     struct f4p_area area, unsigned first, uint32_t selected, const uint8_t *found)
{
    char name[F4P_TUI_CELL_BYTES];
    for (size_t i = 0; i < icicle->count; i++) {
        const struct f4p_box *box = &icicle->boxes[i];
        int row = area.row + (int)box->row - (int)first, column = area.column + box->column;
        bool chosen = box->node != F4P_NONE && box->node == selected;
        if (box->row < first || row >= area.row + area.rows)
            continue;
        uint32_t frame = box->node == F4P_NONE ? F4P_NONE : tree->nodes[box->node].frame;
        unsigned style = box->node == F4P_NONE ? F4P_STYLE_DIM : f4p_tui_frame_style(tui, frame);
        if (found && frame != F4P_NONE && found[frame])
            style = F4P_STYLE_WARN;
        name_box(tui, tree, box, name, sizeof name);
        style |= chosen ? F4P_STYLE_STRONG : F4P_STYLE_REVERSED;
        if (box->columns > 1) {
            f4p_screen_cell(&tui->screen, row, column + 1, box->columns - 1, style, name, false);
            f4p_screen_put(&tui->screen, row, column, style, chosen ? ">" : "|");
        } else {
            f4p_screen_put(&tui->screen, row, column, style, chosen ? ">" : "|");
        }
    }
}
