#include "tui_plot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOWN 4u

static double value_of(const struct f4p_point *point, enum f4p_series series)
{
    return (double)(series == F4P_SERIES_HEAP ? point->heap : series == F4P_SERIES_RSS ? point->rss : point->cgroup);
}

void f4p_chart_high(const struct f4p_chart *chart, enum f4p_series series, unsigned columns, double *high)
{
    double width = (double)(chart->to_ns - chart->from_ns) / columns, known = 0;
    for (unsigned i = 0; i < columns; i++)
        high[i] = 0;
    for (size_t i = 0; i < chart->count && width > 0; i++) {
        const struct f4p_point *point = &chart->points[i];
        uint64_t until = i + 1 < chart->count ? point[1].t_ns : chart->end_ns;
        if (until < point->t_ns + 1)
            until = point->t_ns + 1;
        double value = value_of(point, series);
        if (series != F4P_SERIES_HEAP && value <= 0)
            value = known; /* not looked at in that time: as it was before */
        known = value;
        if (point->t_ns >= chart->to_ns || until <= chart->from_ns)
            continue;
        double begin = point->t_ns > chart->from_ns ? (double)(point->t_ns - chart->from_ns) / width : 0;
        double end = (double)(until - chart->from_ns) / width;
        unsigned first = begin < columns ? (unsigned)begin : columns - 1;
        for (unsigned at = first; at < columns && (at == first || at < end); at++)
            if (value > high[at])
                high[at] = value;
    }
}

void f4p_chart_scale(struct f4p_chart *chart)
{
    double most = 0;
    for (int series = 0; series < (chart->lines ? F4P_SERIES_COUNT : 1); series++)
        for (size_t i = 0; i < chart->count; i++) {
            double value = value_of(&chart->points[i], (enum f4p_series)series);
            most = value > most ? value : most;
        }
    chart->with_limit = chart->limit > 0 && chart->limit < 3 * most;
    chart->top = chart->with_limit && chart->limit > most ? chart->limit : most;
    if (chart->top <= 0)
        chart->top = 1;
}

/* ---- drawing: a cell has `across` x `down` dots ---- */

struct grain {
    unsigned across, down;
};

static struct grain grain_of(enum f4p_glyphs glyphs)
{
    return glyphs == F4P_GLYPHS_BRAILLE ? (struct grain){2, 4} : (struct grain){1, 2};
}

/* Level (1 = lowest dot) of a value; something is not nothing. */
static unsigned level_of(double value, double top, unsigned levels)
{
    double level = value / top * levels;
    if (value <= 0)
        return 0;
    return level < 1 ? 1 : level > levels ? levels : (unsigned)(level + 0.5);
}

static uint32_t glyph(enum f4p_glyphs glyphs, unsigned mask)
{
    /* mask: bit (x * down + y), y from the bottom */
    static const uint8_t dots[8] = {0x40, 0x04, 0x02, 0x01, 0x80, 0x20, 0x10, 0x08};
    if (glyphs == F4P_GLYPHS_BRAILLE) {
        uint32_t code = 0x2800;
        for (unsigned i = 0; i < 8; i++)
            code += mask >> i & 1 ? dots[i] : 0;
        return code;
    }
    if (glyphs == F4P_GLYPHS_BLOCKS)
        return mask == 3 ? 0x2588 : mask == 1 ? 0x2584 : 0x2580;
    return mask == 3 ? '#' : ':';
}

/* Dots of a line at `level` in column x of a cell whose lowest dot is number `base` + 1. */
static unsigned line_mask(struct grain grain, unsigned x, unsigned level, unsigned base)
{
    return level > base && level <= base + grain.down ? 1u << (x * grain.down + level - base - 1) : 0;
}

static unsigned fill_mask(struct grain grain, unsigned x, unsigned level, unsigned base)
{
    unsigned filled = level <= base ? 0 : level - base < grain.down ? level - base : grain.down;
    return ((1u << filled) - 1) << (x * grain.down);
}

struct levels {
    unsigned *of[F4P_SERIES_COUNT]; /* by dot column */
};

static struct f4p_chart_cell cell_of(const struct f4p_chart *chart, enum f4p_glyphs glyphs, const struct levels *levels,
                                     unsigned column, unsigned base, bool limit)
{
    struct grain grain = grain_of(glyphs);
    unsigned heap = 0, rss = 0, cgroup = 0;
    for (unsigned x = 0; x < grain.across; x++) {
        unsigned at = column * grain.across + x;
        heap |= fill_mask(grain, x, levels->of[F4P_SERIES_HEAP][at], base);
        if (!chart->lines)
            continue;
        rss |= line_mask(grain, x, levels->of[F4P_SERIES_RSS][at], base);
        if (glyphs != F4P_GLYPHS_BRAILLE || x == 0) /* dotted */
            cgroup |= line_mask(grain, x, levels->of[F4P_SERIES_CGROUP][at], base);
    }
    if (glyphs == F4P_GLYPHS_BRAILLE && (heap | rss | cgroup))
        return (struct f4p_chart_cell){glyph(glyphs, heap | rss | cgroup), heap  ? F4P_STYLE_HEAP
                                                                           : rss ? F4P_STYLE_RSS
                                                                                 : F4P_STYLE_CGROUP};
    if (heap)
        return (struct f4p_chart_cell){glyph(glyphs, heap), F4P_STYLE_HEAP};
    if (rss)
        return (struct f4p_chart_cell){'o', F4P_STYLE_RSS};
    if (cgroup)
        return (struct f4p_chart_cell){'+', F4P_STYLE_CGROUP};
    if (limit && column % 2 == 0)
        return (struct f4p_chart_cell){'-', F4P_STYLE_BAD};
    return (struct f4p_chart_cell){' ', F4P_STYLE_PLAIN};
}

int f4p_chart_cells(const struct f4p_chart *chart, enum f4p_glyphs glyphs, unsigned rows, unsigned columns,
                    struct f4p_chart_cell *cells)
{
    struct grain grain = grain_of(glyphs);
    unsigned wide = columns * grain.across, all = rows * grain.down;
    double *high = malloc((wide + 1ul) * sizeof *high);
    unsigned *memory = calloc((wide + 1ul) * F4P_SERIES_COUNT, sizeof *memory);
    struct levels levels;
    if (!high || !memory) {
        free(high);
        free(memory);
        return -1;
    }
    for (unsigned series = 0; series < F4P_SERIES_COUNT; series++) {
        levels.of[series] = memory + series * wide;
        f4p_chart_high(chart, (enum f4p_series)series, wide, high);
        for (unsigned i = 0; i < wide; i++)
            levels.of[series][i] = level_of(high[i], chart->top, all);
    }
    unsigned limit = chart->with_limit ? level_of(chart->limit, chart->top, all) : 0;
    for (unsigned row = 0; row < rows; row++) {
        unsigned base = (rows - 1 - row) * grain.down;
        for (unsigned i = 0; i < columns; i++)
            cells[row * columns + i] =
                cell_of(chart, glyphs, &levels, i, base, limit > base && limit <= base + grain.down);
    }
    free(high);
    free(memory);
    return 0;
}
