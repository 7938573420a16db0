/* Verdict: the first screen. How it ended, the shape, who held the memory, and the source line of the selected one. */
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
    f4p_groups_draw(&v->held, (struct f4p_area){row, 0, end - row - trust - 1, area.columns});
    f4p_tui_draw_line(tui, f4p_groups_frame(&v->held), end - trust - 1);
    for (int i = 0; i < trust; i++)
        draw_line(tui, end - trust + i, v->trust[i], F4P_STYLE_PLAIN);
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    (void)tui;
    return f4p_groups_act(&((struct verdict *)state)->held, action);
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
    .browser = f4p_groups_ops_browser,
    .frame = f4p_groups_ops_frame,
    .close = close_view,
    .hint = "Enter:source\t2:time\t3:tree\t4:top\tf:flame\td:diff\t/:search\tp:peak\tx:export",
};
