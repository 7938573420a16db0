#include "tui_chart.h"

#include <stdlib.h>
#include <string.h>

struct f4p_chart f4p_tui_chart(const struct f4p_tui *tui, uint64_t from_ns, uint64_t to_ns, bool lines)
{
    const struct f4p_report *r = tui->report;
    struct f4p_chart chart = {.points = r->timeline,
                              .count = r->timeline_count,
                              .from_ns = from_ns,
                              .to_ns = to_ns > from_ns ? to_ns : from_ns + 1,
                              .end_ns = r->model->end_ns,
                              .limit = (double)r->limit,
                              .lines = lines};
    f4p_chart_scale(&chart);
    return chart;
}

int f4p_tui_chart_column(const struct f4p_chart *chart, struct f4p_area area, uint64_t t_ns)
{
    int columns = area.columns - F4P_CHART_MARGIN;
    if (t_ns < chart->from_ns || t_ns > chart->to_ns || columns < 1)
        return -1;
    int at = (int)((double)(t_ns - chart->from_ns) / (double)(chart->to_ns - chart->from_ns) * columns);
    return area.column + F4P_CHART_MARGIN + (at < columns ? at : columns - 1);
}

static void draw_values(const struct f4p_tui *tui, const struct f4p_chart *chart, struct f4p_area area, int rows)
{
    char number[F4P_NUMBER_BYTES], text[F4P_NUMBER_BYTES + 8];
    for (int i = 0; i < rows; i++) {
        number[0] = '\0';
        if (i == 0 || (i == rows / 2 && rows > 2))
            f4p_text_bytes(number, chart->top * (rows - i) / rows, tui->options->units);
        snprintf(text, sizeof text, "%*s|", F4P_CHART_MARGIN - 1, number);
        f4p_screen_put(&tui->screen, area.row + i, area.column, F4P_STYLE_PLAIN, text);
    }
}

static void draw_axis(const struct f4p_tui *tui, const struct f4p_chart *chart, struct f4p_area area)
{
    int columns = area.columns - F4P_CHART_MARGIN, row = area.row + area.rows - 1;
    int left = area.column + F4P_CHART_MARGIN, free_from = 0, ticks = columns / 18 + 1;
    char clock[F4P_NUMBER_BYTES];
    bool fine = chart->to_ns - chart->from_ns < 60000000000ull;
    f4p_text_clock(clock, chart->to_ns, true);
    int last = columns - (int)strlen(clock);
    f4p_screen_put(&tui->screen, row, left + (last > 0 ? last : 0), F4P_STYLE_DIM, clock);
    for (int i = 0; i < ticks; i++) {
        f4p_text_clock(clock, chart->from_ns + (chart->to_ns - chart->from_ns) / (uint64_t)ticks * (uint64_t)i, fine);
        int at = columns * i / ticks, bytes = (int)strlen(clock);
        if (at < free_from || at + bytes + 2 > last)
            continue;
        f4p_screen_put(&tui->screen, row, left + at, F4P_STYLE_DIM, clock);
        free_from = at + bytes + 2;
    }
}

static void draw_cells(const struct f4p_tui *tui, const struct f4p_chart *chart, struct f4p_area area, int rows,
                       int cursor)
{
    int columns = area.columns - F4P_CHART_MARGIN, left = area.column + F4P_CHART_MARGIN;
    struct f4p_chart_cell *cells = malloc((size_t)rows * (size_t)columns * sizeof *cells);
    if (cells && !f4p_chart_cells(chart, tui->screen.glyphs, (unsigned)rows, (unsigned)columns, cells))
        for (int row = 0; row < rows; row++)
            for (int i = 0; i < columns; i++) {
                const struct f4p_chart_cell *cell = &cells[row * columns + i];
                bool here = left + i == cursor;
                uint32_t code = here && cell->code == ' ' ? '|' : cell->code;
                f4p_screen_fill(&tui->screen, area.row + row, left + i, 1,
                                cell->style | (here && code != '|' ? F4P_STYLE_REVERSED : 0), code);
            }
    free(cells);
}

/* The limit's line says what it is, where there is room beside the data. */
static void draw_limit(const struct f4p_tui *tui, const struct f4p_chart *chart, struct f4p_area area, int rows)
{
    char name[64], number[F4P_NUMBER_BYTES];
    if (!chart->with_limit)
        return;
    int row = rows - 1 - (int)(chart->limit / chart->top * rows * 0.999);
    snprintf(name, sizeof name, " limit %s ", f4p_text_bytes(number, chart->limit, tui->options->units));
    f4p_screen_put(&tui->screen, area.row + (row < 0 ? 0 : row), area.column + F4P_CHART_MARGIN + 2, F4P_STYLE_BAD,
                   name);
}

void f4p_tui_chart_draw(const struct f4p_tui *tui, const struct f4p_chart *chart, struct f4p_area area, bool cursor)
{
    int rows = area.rows - 1;
    bool died = tui->report->verdict.kind <= F4P_DEATH_CRASHED;
    if (rows < 1 || area.columns < F4P_CHART_MARGIN + 8)
        return;
    int at = cursor ? f4p_tui_chart_column(chart, area, tui->instant.t_ns) : -1;
    draw_values(tui, chart, area, rows);
    draw_cells(tui, chart, area, rows, at);
    draw_limit(tui, chart, area, rows);
    draw_axis(tui, chart, area);
    int death = died ? f4p_tui_chart_column(chart, area, chart->end_ns) : -1;
    if (death >= 0)
        f4p_screen_put(&tui->screen, area.row, death, F4P_STYLE_BAD, "X");
    for (int i = 0; i < 2; i++) {
        int mark = tui->marked[i] ? f4p_tui_chart_column(chart, area, tui->marks[i].t_ns) : -1;
        if (mark >= 0)
            f4p_screen_put(&tui->screen, area.row + rows, mark, F4P_STYLE_WARN | F4P_STYLE_REVERSED, i ? "B" : "A");
    }
    if (at >= 0)
        f4p_screen_put(&tui->screen, area.row + rows, at, F4P_STYLE_BOLD, "^");
}
