/* The chart: highest value per column, never lost, whatever the width. */
#include "analyzer/tui_plot.h"
#include "tests/support_run.h"

#include <check.h>
#include <stdlib.h>

#define POINTS 1000u
#define SECOND 1000000000ull

static struct f4p_point points[POINTS];

static struct f4p_chart ramp_with_spike(size_t spike)
{
    for (size_t i = 0; i < POINTS; i++)
        points[i] = (struct f4p_point){.t_ns = i * SECOND, .heap = 1000 + i, .rss = 2000 + i};
    points[spike].heap = 1000000;
    return (struct f4p_chart){
        .points = points, .count = POINTS, .from_ns = 0, .to_ns = POINTS * SECOND, .end_ns = POINTS * SECOND};
}

static double highest(const double *values, unsigned count)
{
    double most = 0;
    for (unsigned i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

START_TEST(test_high_keeps_every_spike)
{
    double high[400];
    for (size_t spike = 0; spike < POINTS; spike += 7)
        for (unsigned columns = 1; columns < 400; columns += 13) {
            struct f4p_chart chart = ramp_with_spike(spike);
            f4p_chart_high(&chart, F4P_SERIES_HEAP, columns, high);
            ck_assert_double_eq(highest(high, columns), 1000000);
            unsigned wide = 0;
            for (unsigned i = 0; i < columns; i++)
                wide += high[i] >= 1000000;
            /* it lasts a second: no more columns than that takes */
            ck_assert_uint_le(wide, columns / POINTS + 2);
        }
}
END_TEST

START_TEST(test_high_of_a_zoom_is_of_the_zoom)
{
    double high[10];
    struct f4p_chart chart = ramp_with_spike(500);
    chart.from_ns = 100 * SECOND;
    chart.to_ns = 110 * SECOND;
    f4p_chart_high(&chart, F4P_SERIES_HEAP, 10, high);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_double_eq(high[i], 1100 + i);
    chart.from_ns = 500 * SECOND + SECOND / 2; /* within one point */
    chart.to_ns = chart.from_ns + 1000;
    f4p_chart_high(&chart, F4P_SERIES_HEAP, 10, high);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_double_eq(high[i], 1000000);
}
END_TEST

START_TEST(test_high_after_the_end_is_empty)
{
    double high[10];
    struct f4p_chart chart = ramp_with_spike(0);
    chart.to_ns = 2 * POINTS * SECOND;
    f4p_chart_high(&chart, F4P_SERIES_HEAP, 10, high);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(high[i] > 0, i < 5);
}
END_TEST

/* RSS is looked at now and then, the heap all the time. */
START_TEST(test_high_carries_what_is_looked_at_now_and_then)
{
    double high[10];
    struct f4p_chart chart = ramp_with_spike(0);
    for (size_t i = 0; i < POINTS; i++)
        points[i].rss = i % 100 == 0 ? 7000 + i : 0;
    points[950].heap = 0;
    chart.from_ns = 945 * SECOND;
    chart.to_ns = 955 * SECOND;
    f4p_chart_high(&chart, F4P_SERIES_RSS, 10, high);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_double_eq(high[i], 7900);
    f4p_chart_high(&chart, F4P_SERIES_HEAP, 10, high);
    ck_assert_double_eq(high[5], 0);
}
END_TEST

START_TEST(test_high_of_nothing_is_nothing)
{
    double high[3] = {1, 1, 1};
    struct f4p_chart chart = {.to_ns = 1, .end_ns = 1};
    f4p_chart_high(&chart, F4P_SERIES_RSS, 3, high);
    ck_assert_double_eq(highest(high, 3), 0);
    f4p_chart_scale(&chart);
    ck_assert_double_gt(chart.top, 0);
}
END_TEST

START_TEST(test_scale_takes_a_near_limit_only)
{
    struct f4p_chart chart = ramp_with_spike(3);
    chart.limit = 1500000;
    f4p_chart_scale(&chart);
    ck_assert(chart.with_limit);
    ck_assert_double_eq(chart.top, 1500000);
    chart.limit = 5000000;
    f4p_chart_scale(&chart);
    ck_assert(!chart.with_limit);
    ck_assert_double_eq(chart.top, 1000000);
}
END_TEST

/* Full where the heap is at the top, empty above it; each set of glyphs keeps to its own. */
START_TEST(test_cells_fill_up_to_the_value)
{
    struct f4p_chart_cell cells[4 * 10];
    for (unsigned i = 0; i < 10; i++)
        points[i] = (struct f4p_point){.t_ns = i * SECOND, .heap = i < 5 ? 50 : 100};
    struct f4p_chart chart = {.points = points, .count = 10, .to_ns = 10 * SECOND, .end_ns = 10 * SECOND};
    f4p_chart_scale(&chart);
    static const uint32_t full[] = {0x28ff, 0x2588, '#'};
    for (unsigned glyphs = 0; glyphs < 3; glyphs++) {
        ck_assert_int_eq(f4p_chart_cells(&chart, (enum f4p_glyphs)glyphs, 4, 10, cells), 0);
        for (unsigned row = 0; row < 4; row++)
            for (unsigned i = 0; i < 10; i++)
                ck_assert_uint_eq(cells[row * 10 + i].code, i >= 5 || row >= 2 ? full[glyphs] : ' ');
    }
}
END_TEST

START_TEST(test_cells_show_something_for_little)
{
    struct f4p_chart_cell cells[2];
    points[0] = (struct f4p_point){.heap = 1};
    points[1] = (struct f4p_point){.t_ns = SECOND, .heap = 1000000};
    struct f4p_chart chart = {.points = points, .count = 2, .to_ns = 2 * SECOND, .end_ns = 2 * SECOND};
    f4p_chart_scale(&chart);
    ck_assert_int_eq(f4p_chart_cells(&chart, F4P_GLYPHS_BRAILLE, 1, 2, cells), 0);
    ck_assert_uint_eq(cells[0].code, 0x28c0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tui_plot");
    TCase *tests = tcase_create("chart");
    tcase_add_test(tests, test_high_keeps_every_spike);
    tcase_add_test(tests, test_high_of_a_zoom_is_of_the_zoom);
    tcase_add_test(tests, test_high_after_the_end_is_empty);
    tcase_add_test(tests, test_high_carries_what_is_looked_at_now_and_then);
    tcase_add_test(tests, test_high_of_nothing_is_nothing);
    tcase_add_test(tests, test_scale_takes_a_near_limit_only);
    tcase_add_test(tests, test_cells_fill_up_to_the_value);
    tcase_add_test(tests, test_cells_show_something_for_little);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
