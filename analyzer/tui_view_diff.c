/* Diff: what changed from A to B. Without marks: from where the last climb began to the chosen instant. */
#include <string.h>

#include "tui_groups.h"

struct diff {
    struct f4p_groups groups;
    bool begun;
    bool known;
    char title[200];
};

static const struct f4p_column columns[] = {
    {"change", "change_bytes", 9, 0, true, false},
    {"+/-", "error_bytes", 8, 60, true, false},
    {"A", "a_bytes", 8, 72, true, false},
    {"B", "b_bytes", 8, 72, true, false},
    {"", "mark", 5, 50, false, false},
    {"your code", "what", 0, 0, false, true},
};
static const enum f4p_group_column kinds[] = {F4P_COLUMN_CHANGE, F4P_COLUMN_CHANGE_ERROR, F4P_COLUMN_BEFORE,
                                              F4P_COLUMN_AFTER,  F4P_COLUMN_MARK,         F4P_COLUMN_LABEL};

static struct f4p_moment start_of(const struct f4p_tui *tui)
{
    const struct f4p_shape *shape = &tui->report->shape;
    bool climb = shape->kind == F4P_SHAPE_RAMP || shape->kind == F4P_SHAPE_STEP;
    if (tui->marked[0])
        return tui->marks[0];
    return (struct f4p_moment){F4P_MOMENT_TIME, climb && shape->from_ns < tui->instant.t_ns ? shape->from_ns : 0};
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct diff *d = state;
    struct f4p_report *r = tui->report;
    bool given = r->compared && !tui->marked[0] && !*tui->filter.text;
    struct f4p_moment a = start_of(tui), b = tui->marked[1] ? tui->marks[1] : tui->instant;
    char from[64], to[64], x[F4P_NUMBER_BYTES], y[F4P_NUMBER_BYTES];
    /* A first: the slot of B is then the one that was used last. */
    const struct f4p_heap *before = given ? &r->before : f4p_tui_heap_at(tui, a);
    const struct f4p_heap *after = given ? &r->after : f4p_tui_heap_at(tui, b);
    f4p_tui_moment_words(tui, a, from, sizeof from);
    f4p_tui_moment_words(tui, b, to, sizeof to);
    if (!d->begun) {
        d->groups.by = tui->options->group_by;
        d->groups.sort = F4P_COLUMN_CHANGE;
        d->begun = true;
    }
    d->known = before && after;
    f4p_groups_fill(&d->groups, tui, "diff", columns, kinds, 6, d->known ? after : NULL, before);
    if (!before || !after)
        snprintf(d->title, sizeof d->title, "nothing is known of %s", before ? to : from);
    else
        snprintf(d->title, sizeof d->title, "A %.50s %s -> B %.50s %s%s", given ? r->before_name : from,
                 f4p_text_bytes(x, f4p_tui_q8(before->total.bytes), tui->options->units), given ? r->after_name : to,
                 f4p_text_bytes(y, f4p_tui_q8(after->total.bytes), tui->options->units),
                 before->exact && after->exact ? "" : "  (nearest kept moments)");
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct diff *d = state;
    f4p_screen_cell(&tui->screen, area.row, 1, area.columns - 2, F4P_STYLE_BOLD, d->title, false);
    f4p_groups_draw(&d->groups, (struct f4p_area){area.row + 1, 0, area.rows - 1, area.columns});
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct diff *d = state;
    switch (action) {
    case F4P_ACT_GROUP:
    case F4P_ACT_RIGHT:
    case F4P_ACT_LEFT:
        d->groups.by =
            (enum f4p_grouping)((d->groups.by + (action == F4P_ACT_LEFT ? F4P_BY_COUNT - 1u : 1u)) % F4P_BY_COUNT);
        changed(tui, d);
        return true;
    default:
        return f4p_groups_act(&d->groups, action);
    }
}

const struct f4p_view_ops f4p_view_diff = {
    .name = "Diff",
    .state_bytes = sizeof(struct diff),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = f4p_groups_ops_browser,
    .frame = f4p_groups_ops_frame,
    .close = f4p_groups_ops_close,
    .hint = "m:mark A, B\t[ and ]:move B\th/l:group by\tEnter:source\ts:sort\tx:export",
};
