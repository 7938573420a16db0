/* Verdict: the first screen. How it ended, the shape, who held the memory, and the source line of the selected one. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tui_chart.h"
#include "tui_groups.h"

#define MAX_SUMMARY 8u

struct verdict {
    struct f4p_groups held;
    char **summary, **trust; /* lines */
    size_t summary_count, trust_count;
    int width; /* they were made for */
};

static const struct f4p_column columns[] = {
    {"bytes", "bytes", 8, 0, true, false},         {"%", "percent", 6, 0, true, false},
    {"+/-%", "error_percent", 6, 56, true, false}, {"your code", "code", 0, 0, false, true},
    {"via", "via", 14, 72, false, false},
};
static const enum f4p_group_column kinds[] = {F4P_COLUMN_BYTES, F4P_COLUMN_PERCENT, F4P_COLUMN_ERROR, F4P_COLUMN_LABEL,
                                              F4P_COLUMN_VIA};

static void free_lines(struct verdict *v)
{
    if (v->summary)
        free(v->summary[0]);
    if (v->trust)
        free(v->trust[0]);
    free(v->summary);
    free(v->trust);
    v->summary = v->trust = NULL;
    v->summary_count = v->trust_count = 0;
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct verdict *v = state;
    free_lines(v);
    v->width = tui->screen.columns;
    v->summary = f4p_tui_lines(tui, f4p_page_summary, (unsigned)v->width, &v->summary_count);
    v->trust = f4p_tui_lines(tui, f4p_page_trust, (unsigned)v->width, &v->trust_count);
    if (v->summary_count > MAX_SUMMARY)
        v->summary_count = MAX_SUMMARY;
    v->held.by = F4P_BY_LINE;
    f4p_groups_fill(&v->held, tui, "held", columns, kinds, 5, f4p_tui_heap(tui), NULL);
}

/* " LABEL   text": the label stands out, and what is bad is red. */
static void draw_line(const struct f4p_tui *tui, int row, const char *line, unsigned style)
{
    char label[16];
    snprintf(label, sizeof label, "%.9s", line);
    f4p_screen_put(&tui->screen, row, 0, F4P_STYLE_BOLD, label);
    if (strlen(line) > 9)
        f4p_screen_cell(&tui->screen, row, 9, tui->screen.columns - 10, style, line + 9, false);
}

static int draw_summary(const struct f4p_tui *tui, const struct verdict *v, int row, int rows)
{
    enum f4p_death kind = tui->report->verdict.kind;
    bool bad = kind <= F4P_DEATH_CRASHED;
    for (size_t i = 0; i < v->summary_count && (int)i < rows; i++) {
        const char *line = v->summary[i];
        bool verdict = !strncmp(line, " END", 4) || !strncmp(line, " CAUSE", 6);
        draw_line(tui, row++, line, verdict && (bad || tui->report->damaged) ? F4P_STYLE_BAD : F4P_STYLE_PLAIN);
    }
    return row;
}

static void draw_source(struct f4p_tui *tui, const struct verdict *v, int row)
{
    uint32_t frame = f4p_groups_frame(&v->held);
    char line[F4P_TUI_CELL_BYTES], text[F4P_TUI_CELL_BYTES + 32];
    bool changed_since = false;
    if (frame == F4P_NONE)
        return;
    const struct f4p_frame *f = f4p_model_frame(tui->report->model, frame);
    if (!f4p_page_source(&tui->page, f, line, sizeof line, &changed_since))
        return;
    const char *at = line;
    while (isspace((unsigned char)*at))
        at++;
    snprintf(text, sizeof text, "%u%s %s", f->line, changed_since ? " (file is newer than the run)" : "", at);
    f4p_screen_put(&tui->screen, row, 2, F4P_STYLE_GOOD, text);
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct verdict *v = state;
    const struct f4p_report *r = tui->report;
    bool small = area.columns < 80 || area.rows < 21;
    int end = area.row + area.rows, trust = small ? 0 : (int)v->trust_count;
    char words[64], title[96];
    int row = draw_summary(tui, v, area.row, area.rows - 4);
    int left = end - row - trust;
    int plot = small || r->timeline_count < 2 ? 0 : left > 22 ? left / 2 - 2 : left - 9;
    if (plot >= 4) {
        struct f4p_chart chart = f4p_tui_chart(tui, 0, r->model->end_ns, false);
        f4p_tui_chart_draw(tui, &chart, (struct f4p_area){row, 0, plot, area.columns - 1},
                           tui->instant.kind == F4P_MOMENT_TIME);
        row += plot;
    }
    f4p_tui_moment_words(tui, tui->instant, words, sizeof words);
    snprintf(title, sizeof title, "HELD AT %s", words);
    if (end - row - trust > 6)
        f4p_screen_put(&tui->screen, row++, 1, F4P_STYLE_BOLD, title);
    f4p_browser_draw(&v->held.browser, &tui->screen, (struct f4p_area){row, 0, end - row - trust - 1, area.columns},
                     true);
    draw_source(tui, v, end - trust - 1);
    for (int i = 0; i < trust; i++)
        draw_line(tui, end - trust + i, v->trust[i], F4P_STYLE_PLAIN);
}

static struct f4p_browser *browser(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return &((struct verdict *)state)->held.browser;
}

static uint32_t frame(struct f4p_tui *tui, void *state)
{
    (void)tui;
    return f4p_groups_frame(&((struct verdict *)state)->held);
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct verdict *v = state;
    if (action == F4P_ACT_ENTER && frame(tui, state) != F4P_NONE) {
        f4p_tui_show_source(tui, frame(tui, state), f4p_groups_stack(&v->held));
        return true;
    }
    if (action != F4P_ACT_SORT && action != F4P_ACT_REVERSE)
        return false;
    f4p_groups_sort(&v->held, action == F4P_ACT_SORT);
    return true;
}

static void close_view(void *state)
{
    struct verdict *v = state;
    free_lines(v);
    f4p_groups_free(&v->held);
}

const struct f4p_view_ops f4p_view_verdict = {
    .name = "Verdict",
    .state_bytes = sizeof(struct verdict),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = browser,
    .frame = frame,
    .close = close_view,
    .hint = "Enter:source\t2:time\t3:tree\t4:top\tf:flame\td:diff\t/:search\tp:peak\tx:export",
};
