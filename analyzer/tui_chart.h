/* A chart with its axes on the screen: shared by Verdict and Time. */
#ifndef FIL4PROD_TUI_CHART_H
#define FIL4PROD_TUI_CHART_H

#include "tui_plot.h"
#include "tui_private.h"

#define F4P_CHART_MARGIN 8 /* columns left of it, for the values */

/** The report's timeline between two times, scaled. */
struct f4p_chart f4p_tui_chart(const struct f4p_tui *tui, uint64_t from_ns, uint64_t to_ns, bool lines);

/** Draws it into `area` (the last row is the time axis), with marks A and B and, if `cursor`, the instant. */
void f4p_tui_chart_draw(const struct f4p_tui *tui, const struct f4p_chart *chart, struct f4p_area area, bool cursor);

/** The screen column of a time, or -1: outside. */
int f4p_tui_chart_column(const struct f4p_chart *chart, struct f4p_area area, uint64_t t_ns);

#endif
