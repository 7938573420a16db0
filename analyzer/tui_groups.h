/* A table of groups (by line, function, file, ...): shared by Verdict, Top and Diff. */
#ifndef FIL4PROD_TUI_GROUPS_H
#define FIL4PROD_TUI_GROUPS_H

#include "tui_private.h"

enum f4p_group_column {
    F4P_COLUMN_BYTES,
    F4P_COLUMN_PERCENT,
    F4P_COLUMN_ERROR,
    F4P_COLUMN_BLOCKS,
    F4P_COLUMN_SAMPLES,
    F4P_COLUMN_LABEL,
    F4P_COLUMN_VIA,
    F4P_COLUMN_CHANGE,
    F4P_COLUMN_CHANGE_ERROR,
    F4P_COLUMN_BEFORE,
    F4P_COLUMN_AFTER,
    F4P_COLUMN_MARK,
    F4P_COLUMNS
};

struct f4p_groups {
    struct f4p_tui *tui;
    struct f4p_browser browser;
    struct f4p_group *group;
    size_t count;
    enum f4p_grouping by;
    const enum f4p_group_column *kinds; /* of the table's columns */
    enum f4p_group_column sort;
    bool ascending;
    bool compared; /* only what changed is listed */
    double whole, largest;
};

/** Groups `heap` (NULL: empty) anew, `before` if not NULL as what to compare with. `columns` and `kinds` stay the
 * caller's. */
void f4p_groups_fill(struct f4p_groups *groups, struct f4p_tui *tui, const char *name, const struct f4p_column *columns,
                     const enum f4p_group_column *kinds, size_t column_count, const struct f4p_heap *heap,
                     const struct f4p_heap *before);
void f4p_groups_free(struct f4p_groups *groups);

/** Sorts by the next column, or the other way; the selection stays. */
void f4p_groups_sort(struct f4p_groups *groups, bool next);

/* What views of a table of groups have in common, as their ops' members: the state begins with struct f4p_groups. */
struct f4p_browser *f4p_groups_ops_browser(struct f4p_tui *tui, void *state);
uint32_t f4p_groups_ops_frame(struct f4p_tui *tui, void *state);
void f4p_groups_ops_close(void *state);
/** Sorting, and Enter: the source of the selected group. false: not one of these. */
bool f4p_groups_act(struct f4p_groups *groups, enum f4p_action action);
/** Draws the table, and what to say instead of an empty one. */
void f4p_groups_draw(struct f4p_groups *groups, struct f4p_area area);

/** The selected group, or NULL. */
const struct f4p_group *f4p_groups_selected(const struct f4p_groups *groups);
/** Your line of the selected group, or F4P_NONE. */
uint32_t f4p_groups_frame(const struct f4p_groups *groups);
/** The stack with most bytes of the selected group, or F4P_NONE. */
uint32_t f4p_groups_stack(const struct f4p_groups *groups);

#endif
