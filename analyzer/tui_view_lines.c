/* Overlays of plain lines: the facts of the trace, and the help, which comes from the list of keys. */
#include <stdlib.h>
#include <string.h>

#include "tui_private.h"

struct lines {
    struct f4p_browser browser;
    char **lines;          /* of the text face; NULL: the help */
    size_t count, skipped; /* empty ones at the beginning are not shown */
};

static const struct f4p_column fact_columns[] = {{"", "line", 0, 0, false, false}};
static const struct f4p_column help_columns[] = {{"keys", "keys", 14, 0, false, false},
                                                 {"", "help", 0, 0, false, false}};

/* ---- facts ---- */

static void fact_cell(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const struct lines *v = context;
    (void)column;
    const char *line = v->lines[row + v->skipped];
    snprintf(cell->text, sizeof cell->text, "%s", line);
    /* Headings begin in the second column, in capitals. */
    if (line[0] == ' ' && line[1] >= 'A' && line[1] <= 'Z')
        cell->style = F4P_STYLE_BOLD;
    if (strstr(line, "DAMAGED"))
        cell->style = F4P_STYLE_BAD;
}

static void free_lines(struct lines *v)
{
    if (v->lines)
        free(v->lines[0]);
    free(v->lines);
    v->lines = NULL;
}

static void facts_changed(struct f4p_tui *tui, void *state)
{
    struct lines *v = state;
    free_lines(v);
    v->count = 0;
    v->lines = f4p_tui_lines(tui, f4p_page_facts, (unsigned)tui->screen.columns, &v->count);
    for (v->skipped = 0; v->skipped < v->count && !*v->lines[v->skipped];)
        v->skipped++;
    v->browser.table = (struct f4p_table){.name = "facts",
                                          .columns = fact_columns,
                                          .column_count = 1,
                                          .rows = v->count - v->skipped,
                                          .context = v,
                                          .cell = fact_cell};
    f4p_browser_changed(&v->browser);
}

/* ---- help ---- */

static void help_cell(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    size_t count;
    const struct f4p_key_line *line = &f4p_tui_key_lines(&count)[row];
    bool heading = line->action == F4P_ACT_NONE;
    (void)context;
    snprintf(cell->text, sizeof cell->text, "%s",
             heading  ? (column ? "" : line->help)
             : column ? line->help
                      : line->keys);
    cell->style = heading || !column ? F4P_STYLE_BOLD : F4P_STYLE_PLAIN;
}

static void help_changed(struct f4p_tui *tui, void *state)
{
    struct lines *v = state;
    (void)tui;
    f4p_tui_key_lines(&v->count);
    v->browser.table = (struct f4p_table){
        .name = "help", .columns = help_columns, .column_count = 2, .rows = v->count, .context = v, .cell = help_cell};
    f4p_browser_changed(&v->browser);
}

/* ---- both ---- */

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    f4p_browser_draw(&((struct lines *)state)->browser, &tui->screen, area, true);
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return &((struct lines *)state)->browser;
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    (void)state;
    if (action == F4P_ACT_ENTER)
        f4p_tui_go(tui, tui->over);
    return action == F4P_ACT_ENTER;
}

static void close_view(void *state)
{
    free_lines(state);
}

const struct f4p_view_ops f4p_view_facts = {
    .name = "FACTS",
    .state_bytes = sizeof(struct lines),
    .changed = facts_changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .close = close_view,
    .hint = "/:search\tx:export\tEsc:close",
};

const struct f4p_view_ops f4p_view_help = {
    .name = "HELP",
    .state_bytes = sizeof(struct lines),
    .changed = help_changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .close = close_view,
    .hint = "/:search\tEsc:close",
};
