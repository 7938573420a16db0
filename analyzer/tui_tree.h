/*
 * Stacks merged into a tree, top-down (from the outermost frame) or bottom-up (from the innermost one). Built from the
 * sums of a heap; frames that are not to be seen are left out, their bytes stand at the next one that is. Children are
 * made when they are asked for: a bottom-up tree of 100,000 stacks has millions of nodes, of which few are looked at.
 */
#ifndef FIL4PROD_TUI_TREE_H
#define FIL4PROD_TUI_TREE_H

#include "model.h"

struct f4p_tree_node {
    uint32_t frame;                     /* F4P_NONE: the root, or what has no visible frame */
    uint32_t parent;                    /* F4P_NONE: the root */
    uint32_t depth;                     /* root: 0 */
    uint32_t first, count;              /* children, largest first; valid when `made` */
    uint32_t member_from, member_count; /* private */
    bool made;
    struct f4p_sums sums; /* of all below */
    struct f4p_sums self; /* top-down: allocated right here; bottom-up: zero */
};

struct f4p_tree_member {
    uint32_t leaf; /* stack the bytes belong to */
    uint32_t at;   /* where its path stands: next frame to look at; F4P_NONE: at its end */
};

/* Node 0 is the root. */
struct f4p_tree {
    const struct f4p_model *model;
    bool bottom_up;
    struct f4p_tree_node *nodes;
    uint32_t count, room;
    struct f4p_sums *leaf;           /* by stack: what is allocated right there */
    const uint8_t *visible;          /* by frame; the caller's */
    struct f4p_tree_member *members; /* bottom-up: grouped by node */
    size_t member_count, member_room;
    uint32_t *node_of; /* top-down: by stack */
};

/** 0, or -1: no memory. `visible` (by frame id, nonzero: shown) must outlive the tree. f4p_tree_free() in any case. */
int f4p_tree_build(struct f4p_tree *tree, const struct f4p_model *model, const struct f4p_heap *heap, bool bottom_up,
                   const uint8_t *visible);
void f4p_tree_free(struct f4p_tree *tree);

/** Makes a node's children; 0, or -1: no memory. Pointers to nodes become invalid. */
int f4p_tree_open(struct f4p_tree *tree, uint32_t node);

/**
 * The next node after `from` (or before it) in the order of an unfolded tree, around the end, whose frame is one of
 * `wanted` (by frame id, nonzero). Makes the children on the way there, and no others. F4P_NONE: none, or no memory.
 */
uint32_t f4p_tree_find(struct f4p_tree *tree, const uint8_t *wanted, uint32_t from, bool down);

/**
 * Splits `columns` over values by the largest remainder: widths are whole, their sum is that of the values' shares of
 * `total` (>= their sum), rounded down. Values are ordered.
 */
void f4p_tree_widths(const uint64_t *values, size_t count, uint64_t total, unsigned columns, unsigned *widths);

#endif
