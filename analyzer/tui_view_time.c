/* Time: heap, RSS, cgroup and limit over the run. Its cursor is the instant that all views show. */
#include <stdlib.h>
#include <string.h>

#include "tui_chart.h"
#include "tui_groups.h"

#define HELD_ROWS 6

struct time_view {
    struct f4p_groups held;
    struct f4p_area chart_area;
    bool zoomed;
    uint64_t from_ns, to_ns; /* valid if zoomed */
};

static const struct f4p_column columns[] = {
    {"bytes", "bytes", 8, 0, true, false},
    {"%", "percent", 6, 0, true, false},
    {"held at the instant by", "code", 0, 0, false, true},
    {"via", "via", 14, 72, false, false},
};
static const enum f4p_group_column kinds[] = {F4P_COLUMN_BYTES, F4P_COLUMN_PERCENT, F4P_COLUMN_LABEL, F4P_COLUMN_VIA};

static struct f4p_chart chart_of(const struct f4p_tui *tui, const struct time_view *v)
{
    uint64_t end = tui->report->model->end_ns;
    return f4p_tui_chart(tui, v->zoomed ? v->from_ns : 0, v->zoomed ? v->to_ns : end, true);
}

static void changed(struct f4p_tui *tui, void *state)
{
    struct time_view *v = state;
    v->held.by = F4P_BY_LINE;
    f4p_groups_fill(&v->held, tui, "time", columns, kinds, 4, f4p_tui_heap(tui), NULL);
}

/* ---- drawing ---- */

static const struct f4p_point *point_at(const struct f4p_report *r, uint64_t t_ns)
{
    const struct f4p_point *found = NULL;
    for (size_t i = 0; i < r->timeline_count && r->timeline[i].t_ns <= t_ns; i++)
        found = &r->timeline[i];
    return found;
}

static int legend(const struct f4p_tui *tui, int row, int column, unsigned style, const char *sign, const char *name,
                  double bytes)
{
    char number[F4P_NUMBER_BYTES], text[96];
    if (bytes <= 0)
        return 0;
    snprintf(text, sizeof text, "%s %s %s", sign, name, f4p_text_bytes(number, bytes, tui->options->units));
    return f4p_screen_put(&tui->screen, row, column, style, text) + 3;
}

static void draw_legend(const struct f4p_tui *tui, int row)
{
    const struct f4p_report *r = tui->report;
    const struct f4p_point *point = point_at(r, tui->instant.t_ns);
    enum f4p_glyphs glyphs = tui->screen.glyphs;
    bool braille = glyphs == F4P_GLYPHS_BRAILLE;
    int column = 1;
    uint64_t cgroup = 0, rss = 0; /* as last looked at */
    for (size_t i = 0; i < r->timeline_count && r->timeline[i].t_ns <= tui->instant.t_ns; i++) {
        cgroup = r->timeline[i].cgroup ? r->timeline[i].cgroup : cgroup;
        rss = r->timeline[i].rss ? r->timeline[i].rss : rss;
    }
    if (tui->instant.kind == F4P_MOMENT_END) { /* the timeline's last point may be of after the death */
        rss = r->end.rss;
        if (!f4p_verdict_vital(r->trace, F4P_VITAL_cgroup_usage, &cgroup))
            cgroup = 0;
    }
    if (point) {
        column += legend(tui, row, column, F4P_STYLE_HEAP,
                         braille                      ? "⣿"
                         : glyphs == F4P_GLYPHS_ASCII ? "#"
                                                      : "█",
                         "heap", (double)point->heap);
        column += legend(tui, row, column, F4P_STYLE_RSS, braille ? "⠒" : "o", "RSS", (double)rss);
        column += legend(tui, row, column, F4P_STYLE_CGROUP, braille ? "⠂" : "+", "cgroup", (double)cgroup);
    }
    legend(tui, row, column, F4P_STYLE_BAD, "-", "limit", (double)r->limit);
}

static void draw(struct f4p_tui *tui, void *state, struct f4p_area area)
{
    struct time_view *v = state;
    int below = area.rows > 12 ? HELD_ROWS + 1 : 0;
    struct f4p_chart chart = chart_of(tui, v);
    v->chart_area = (struct f4p_area){area.row, 0, area.rows - below - 1, area.columns - 1};
    if (!tui->report->timeline_count)
        f4p_screen_put(&tui->screen, area.row + 1, 2, F4P_STYLE_WARN, "the trace has no timeline");
    else
        f4p_tui_chart_draw(tui, &chart, v->chart_area, true);
    draw_legend(tui, area.row + v->chart_area.rows);
    if (below)
        f4p_groups_draw(&v->held, (struct f4p_area){area.row + area.rows - below, 0, below, area.columns});
}

/* ---- the cursor ---- */

/* The instant of a column: the highest point in it, so that a spike can be chosen; the peak and the end themselves. */
static struct f4p_moment moment_of(const struct f4p_tui *tui, const struct f4p_chart *chart, int at, int all)
{
    const struct f4p_report *r = tui->report;
    double width = (double)(chart->to_ns - chart->from_ns) / all;
    uint64_t from = chart->from_ns + (uint64_t)(width * at), to = chart->from_ns + (uint64_t)(width * (at + 1));
    struct f4p_moment moment = {F4P_MOMENT_TIME, from + (to - from) / 2};
    uint64_t most = 0;
    if (at == all - 1 && chart->to_ns >= r->model->end_ns)
        return (struct f4p_moment){F4P_MOMENT_END, 0};
    if (r->peak.t_ns >= from && r->peak.t_ns < to)
        return (struct f4p_moment){F4P_MOMENT_PEAK, 0};
    for (size_t i = 0; i < r->timeline_count; i++)
        if (r->timeline[i].t_ns >= from && r->timeline[i].t_ns < to && r->timeline[i].heap > most) {
            most = r->timeline[i].heap;
            moment.t_ns = r->timeline[i].t_ns;
        }
    return moment;
}

static void move_to(struct f4p_tui *tui, const struct time_view *v, int at)
{
    struct f4p_chart chart = chart_of(tui, v);
    int all = v->chart_area.columns - F4P_CHART_MARGIN;
    if (all < 1)
        return;
    at = at < 0 ? 0 : at >= all ? all - 1 : at;
    f4p_tui_set_instant(tui, moment_of(tui, &chart, at, all));
}

static void step(struct f4p_tui *tui, const struct time_view *v, int by)
{
    struct f4p_chart chart = chart_of(tui, v);
    int column = f4p_tui_chart_column(&chart, v->chart_area, tui->instant.t_ns);
    int left = v->chart_area.column + F4P_CHART_MARGIN;
    if (column < 0) /* outside of the zoom: to its nearer edge */
        move_to(tui, v, tui->instant.t_ns < chart.from_ns ? 0 : v->chart_area.columns);
    else
        move_to(tui, v, column - left + by);
}

/* ---- zoom ---- */

static void zoom_to(struct f4p_tui *tui, struct time_view *v, uint64_t from, uint64_t to)
{
    uint64_t end = tui->report->model->end_ns;
    if (to > end)
        to = end;
    v->zoomed = from > 0 || to < end;
    v->from_ns = from;
    v->to_ns = to;
    if (v->zoomed && to - from < 1000000) {
        v->to_ns = from + 1000000;
        f4p_tui_say(tui, false, "no closer than a millisecond");
    }
}

static void zoom(struct f4p_tui *tui, struct time_view *v, bool in)
{
    struct f4p_chart chart = chart_of(tui, v);
    double span = (double)(chart.to_ns - chart.from_ns), share;
    uint64_t at = tui->instant.t_ns;
    if (at < chart.from_ns || at > chart.to_ns)
        at = chart.from_ns + (chart.to_ns - chart.from_ns) / 2;
    share = span > 0 ? (double)(at - chart.from_ns) / span : 0;
    span = in ? span / 2 : span * 2;
    double from = (double)at - span * share, end = (double)tui->report->model->end_ns;
    if (from + span > end)
        from = end - span;
    if (from < 0)
        from = 0;
    zoom_to(tui, v, (uint64_t)from, (uint64_t)(from + span));
}

static bool act(struct f4p_tui *tui, void *state, enum f4p_action action)
{
    struct time_view *v = state;
    switch (action) {
    case F4P_ACT_LEFT:
    case F4P_ACT_RIGHT:
        step(tui, v, action == F4P_ACT_LEFT ? -1 : 1);
        return true;
    case F4P_ACT_FIRST:
    case F4P_ACT_LAST:
        move_to(tui, v, action == F4P_ACT_FIRST ? 0 : v->chart_area.columns);
        return true;
    case F4P_ACT_ZOOM_IN:
    case F4P_ACT_ZOOM_OUT:
        zoom(tui, v, action == F4P_ACT_ZOOM_IN);
        return true;
    case F4P_ACT_BACK:
        if (!v->zoomed)
            return false;
        v->zoomed = false;
        return true;
    case F4P_ACT_ZOOM_RESET:
        v->zoomed = false;
        return true;
    case F4P_ACT_ENTER:
        if (tui->marked[0] && tui->marked[1] && !v->zoomed)
            zoom_to(tui, v, tui->marks[0].t_ns, tui->marks[1].t_ns);
        else
            return f4p_groups_act(&v->held, action);
        return true;
    default:
        return f4p_groups_act(&v->held, action);
    }
}

static bool click(struct f4p_tui *tui, void *state, struct f4p_click where)
{
    struct time_view *v = state;
    if (where.row >= v->chart_area.row + v->chart_area.rows || where.row < v->chart_area.row ||
        where.column < F4P_CHART_MARGIN)
        return false;
    move_to(tui, v, where.column - F4P_CHART_MARGIN);
    return true;
}

const struct f4p_view_ops f4p_view_time = {
    .name = "Time",
    .state_bytes = sizeof(struct time_view),
    .changed = changed,
    .draw = draw,
    .act = act,
    .browser = f4p_groups_ops_browser,
    .frame = f4p_groups_ops_frame,
    .click = click,
    .close = f4p_groups_ops_close,
    .hint = "h/l:move\t+/-/0:zoom\tm:mark A, B\tEnter:zoom to A..B, or source\tp:peak\td:diff",
};
