/* Top: who holds the heap, by line, function, file, library, thread or process. */
#include <stdlib.h>
#include <string.h>

#include "tui_groups.h"

struct top {
    struct f4p_groups groups;
    struct f4p_area tabs;
    bool begun;
};

static const struct f4p_column columns[] = {
    {"bytes", "bytes", 8, 0, true, false},         {"%", "percent", 6, 0, true, false},
    {"+/-%", "error_percent", 6, 56, true, false}, {"blocks", "blocks", 12, 100, true, false},
    {"samples", "samples", 9, 72, true, false},    {"what", "what", 0, 0, false, true},
    {"via", "via", 14, 80, false, false},
};
static const enum f4p_group_column kinds[] = {F4P_COLUMN_BYTES,  F4P_COLUMN_PERCENT, F4P_COLUMN_ERROR,
                                              F4P_COLUMN_BLOCKS, F4P_COLUMN_SAMPLES, F4P_COLUMN_LABEL,
                                              F4P_COLUMN_VIA};

static const char *const grouping_names[] = {
#define X(name, text) text,
    F4P_GROUPINGS(X)
#undef X
};

static void changed(struct f4p_tui *tui, void *state)
{
    struct top *t = state;
    if (!t->begun)
        t->groups.by = tui->options->group_by;
    t->begun = true;
    f4p_groups_fill(&t->groups, tui, "top", columns, kinds, 7, f4p_tui_heap(tui), NULL);
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct top *t = state;
    int column = 1;
    t->tabs = (struct f4p_area){area.row, 1, 1, 0};
    for (unsigned i = 0; i < F4P_BY_COUNT; i++) {
        char text[32];
        bool chosen = i == t->groups.by;
        snprintf(text, sizeof text, chosen ? "[%s]" : " %s ", grouping_names[i]);
        column += f4p_screen_put(&tui->screen, area.row, column, chosen ? F4P_STYLE_BOLD : F4P_STYLE_DIM, text);
    }
    t->tabs.columns = column - 1;
    f4p_groups_draw(&t->groups, (struct f4p_area){area.row + 1, 0, area.rows - 1, area.columns});
}

static void group_by(struct f4p_tui *tui, struct top *t, unsigned by)
{
    t->groups.by = (enum f4p_grouping)(by % F4P_BY_COUNT);
    t->groups.browser.cursor = 0;
    t->groups.browser.has_id = false;
    changed(tui, t);
}

/* Enter on what is no line of code narrows the filter to it. */
static bool enter(struct f4p_tui *tui, struct top *t)
{
    const struct f4p_model *m = tui->report->model;
    const struct f4p_group *group = f4p_groups_selected(&t->groups);
    char term[128];
    if (!group)
        return true;
    const struct f4p_entry *entry = f4p_model_entry(m, group->entry);
    const struct f4p_model_process *process = &m->processes[entry->process];
    if (t->groups.by == F4P_BY_PROCESS) {
        snprintf(term, sizeof term, "pid=%u", process->pid);
    } else if (t->groups.by == F4P_BY_THREAD && entry->thread < process->trace->thread_count) {
        snprintf(term, sizeof term, "thread=%u", process->trace->threads[entry->thread].tid);
    } else if (t->groups.by == F4P_BY_LIBRARY && group->key < m->strings.count) {
        const char *name = f4p_model_string(m, (uint32_t)group->key);
        if (!*name || strpbrk(name, "\\^$.|?*+()[]{}\" "))
            return false;
        snprintf(term, sizeof term, "lib=^%.80s$", name);
    } else {
        return f4p_groups_act(&t->groups, F4P_ACT_ENTER);
    }
    f4p_tui_narrow(tui, term);
    return true;
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct top *t = state;
    switch (action) {
    case F4P_ACT_GROUP:
    case F4P_ACT_RIGHT:
        group_by(tui, t, t->groups.by + 1);
        return true;
    case F4P_ACT_LEFT:
        group_by(tui, t, t->groups.by + F4P_BY_COUNT - 1);
        return true;
    case F4P_ACT_ENTER:
        return enter(tui, t);
    default:
        return f4p_groups_act(&t->groups, action);
    }
}

static bool click(struct f4p_tui *tui, void *state, struct f4p_click where)
{
    struct top *t = state;
    int column = t->tabs.column;
    if (where.row != t->tabs.row)
        return false;
    for (unsigned i = 0; i < F4P_BY_COUNT; i++) {
        int width = (int)strlen(grouping_names[i]) + 2;
        if (where.column >= column && where.column < column + width)
            group_by(tui, t, i);
        column += width;
    }
    return true;
}

const struct f4p_view_ops f4p_view_top = {
    .name = "Top",
    .state_bytes = sizeof(struct top),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = f4p_groups_ops_browser,
    .frame = f4p_groups_ops_frame,
    .click = click,
    .close = f4p_groups_ops_close,
    .hint = "h/l:group by\tEnter:source or filter\ts:sort\tI:reverse\t/:search\t\\:filter\tx:export",
};
