#include "plot.h"

#include <string.h>

#include "format_text.h"

/* Sub-columns: braille cells are two dots wide and four high. */
static unsigned across(const struct f4p_plot *plot)
{
    return plot->ascii ? plot->columns : plot->columns * 2;
}

/* The highest value of each sub-column; a bucket reaches up to the next one. */
static void downsample(const struct f4p_plot *plot, const struct f4p_point *points, size_t count, double *high)
{
    unsigned wide = across(plot);
    double end = plot->end_ns ? (double)plot->end_ns : 1;
    for (unsigned i = 0; i < wide; i++)
        high[i] = 0;
    for (size_t i = 0; i < count; i++) {
        double from = (double)points[i].t_ns / end * wide;
        double to = i + 1 < count ? (double)points[i + 1].t_ns / end * wide : wide;
        for (unsigned at = from < wide ? (unsigned)from : wide; at < wide && at < to; at++)
            if ((double)points[i].heap > high[at])
                high[at] = (double)points[i].heap;
    }
}

/* How many of a row's `steps` levels are filled at a value. */
static unsigned filled(const struct f4p_plot *plot, double value, unsigned row, unsigned steps)
{
    double level = value / plot->top * plot->rows * steps;
    double below = (double)(plot->rows - 1 - row) * steps;
    if (value > 0 && level < 1)
        level = 1; /* something is not nothing */
    double here = level - below;
    return here <= 0 ? 0 : here >= steps ? steps : (unsigned)(here + 0.5);
}

static uint32_t braille(unsigned left, unsigned right)
{
    static const uint8_t columns[2][5] = {{0, 0x40, 0x44, 0x46, 0x47}, {0, 0x80, 0xa0, 0xb0, 0xb8}};
    return 0x2800u + columns[0][left] + columns[1][right];
}

void f4p_plot_row(const struct f4p_plot *plot, const struct f4p_point *points, size_t count, unsigned row, char *out)
{
    double high[F4P_PLOT_MAX_COLUMNS * 2] = {0};
    size_t at = 0, name = plot->limit_name ? strlen(plot->limit_name) : 0;
    double limit_level = plot->limit > 0 ? plot->limit / plot->top * plot->rows : -1;
    bool limit_row = limit_level >= 0 && (unsigned)limit_level == plot->rows - 1 - row;
    if (plot->limit > 0 && plot->limit >= plot->top && row == 0)
        limit_row = true;
    size_t name_at = name && plot->columns > name + 12 ? plot->columns / 2 - name / 2 : plot->columns;
    downsample(plot, points, count, high);
    for (unsigned i = 0; i < plot->columns; i++) {
        unsigned steps = plot->ascii ? 2 : 4;
        unsigned left = filled(plot, high[plot->ascii ? i : 2 * i], row, steps);
        unsigned right = plot->ascii ? left : filled(plot, high[2 * i + 1], row, steps);
        bool last = i + 1 == plot->columns;
        if (last && plot->death && row == 0)
            out[at++] = 'X';
        else if (left || right)
            at += plot->ascii ? (size_t)(out[at] = left == 2 ? '#' : ':', 1)
                              : f4p_utf8_put(out + at, braille(left, right));
        else if (limit_row && i >= name_at && i < name_at + name)
            out[at++] = plot->limit_name[i - name_at];
        else if (limit_row && (i + 1 == name_at || i == name_at + name))
            out[at++] = ' ';
        else
            out[at++] = limit_row && i % 2 == 0 ? '-' : ' ';
    }
    out[at] = '\0';
}
