/* A filled plot of the heap over time, in braille or ASCII. Each column shows its maximum, never a mean. */
#ifndef FIL4PROD_PLOT_H
#define FIL4PROD_PLOT_H

#include <stdint.h>

#include "format/reader.h"

#define F4P_PLOT_MAX_COLUMNS 400u
#define F4P_PLOT_MAX_ROWS 40u

struct f4p_plot {
    unsigned columns, rows; /* character cells */
    uint64_t end_ns;        /* the right edge */
    double top;             /* value of the upper edge, > 0 */
    double limit;           /* a dashed line where nothing else is; 0: none */
    const char *limit_name; /* written into it */
    bool death;             /* mark where it ended */
    bool ascii;
};

/** Writes row `row` (0 is the top) of the plot of `points`, without a newline; `out` has 4 bytes a column + 1. */
void f4p_plot_row(const struct f4p_plot *plot, const struct f4p_point *points, size_t count, unsigned row, char *out);

#endif
