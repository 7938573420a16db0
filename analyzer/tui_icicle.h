/*
 * Icicles and flame graphs: a tree drawn as boxes, a row a level, as wide as their share of the bytes. Widths are whole
 * and add up (largest remainder); siblings narrower than a column are one box "+n". Colour says the library, and so
 * does the text of the selected box: never colour alone.
 */
#ifndef FIL4PROD_TUI_ICICLE_H
#define FIL4PROD_TUI_ICICLE_H

#include "tui_private.h"
#include "tui_tree.h"

struct f4p_box {
    uint32_t node;   /* of the tree; F4P_NONE: several */
    uint32_t merged; /* how many */
    uint32_t parent; /* node of the tree */
    uint16_t row, column, columns;
};

/* Zero-initialised is empty. */
struct f4p_icicle {
    struct f4p_box *boxes;
    size_t count, room;
};

/** Lays out the tree from `root` (a row of its own, all columns) in rows x columns. 0, or -1: no memory. */
int f4p_icicle_lay(struct f4p_icicle *icicle, struct f4p_tree *tree, uint32_t root, unsigned rows, unsigned columns);
void f4p_icicle_free(struct f4p_icicle *icicle);

/** Draws it with `selected` (a node, or F4P_NONE) and the frames `found` (by id; NULL: none) standing out; `first`: the
 * row of the layout to start from. */
void f4p_icicle_draw(const struct f4p_icicle *icicle, const struct f4p_tui *tui, const struct f4p_tree *tree,
                     struct f4p_area area, unsigned first, uint32_t selected, const uint8_t *found);

#endif
