/*
 * A plot of heap, RSS and cgroup over a stretch of time: the heap filled, the others as lines above it, the limit
 * dashed. Each column shows the highest value of its time, so that no spike is ever lost.
 */
#ifndef FIL4PROD_TUI_PLOT_H
#define FIL4PROD_TUI_PLOT_H

#include "format/reader.h"
#include "tui_screen.h"

enum f4p_series { F4P_SERIES_HEAP, F4P_SERIES_RSS, F4P_SERIES_CGROUP, F4P_SERIES_COUNT };

struct f4p_chart {
    const struct f4p_point *points;
    size_t count;
    uint64_t from_ns, to_ns; /* what is shown, from < to */
    uint64_t end_ns;         /* of the run: nothing is drawn after it */
    double limit;            /* bytes; 0: none known */
    bool lines;              /* RSS and cgroup too */
    double top;              /* value of the upper edge; set by f4p_chart_scale() */
    bool with_limit;         /* the limit is near enough to be shown; set by f4p_chart_scale() */
};

struct f4p_chart_cell {
    uint32_t code;
    unsigned style;
};

/** The highest value of a series in each of `columns` equal parts of [from, to). A point reaches to the next one, the
 * last one to `end_ns`; 0 where nothing is known. */
void f4p_chart_high(const struct f4p_chart *chart, enum f4p_series series, unsigned columns, double *high);

/** Sets the upper edge: the limit, if it is less than three times the highest value, else that value. */
void f4p_chart_scale(struct f4p_chart *chart);

/** Fills `cells` (rows * columns, by row) with what each shows. 0, or -1: no memory. */
int f4p_chart_cells(const struct f4p_chart *chart, enum f4p_glyphs glyphs, unsigned rows, unsigned columns,
                    struct f4p_chart_cell *cells);

#endif
