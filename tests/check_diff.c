/* How sure a change is: what is live at both instants cancels, what came and went does not. */
#include "analyzer/diff.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "format/weight.h"
#include "tests/support_run.h"
#include "tests/support_trace.h"

#define INTERVAL 16384u
#define BYTES 300u
#define MS 1000000u

static struct f4p_fixture fixture;
static struct f4p_trace *trace;
static struct f4p_model *model;

static void start(uint64_t file_bytes, uint64_t interval)
{
    f4p_fixture_make(&fixture, NULL, file_bytes, interval, 8, 11);
}

static void alloc(uint32_t site, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        f4p_fixture_alloc(&fixture, site, BYTES);
}

/* `count` blocks from the one at `from` on; the last ones take their places. */
static void release(size_t from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        f4p_fixture_release(&fixture, from + (fixture.block_count - from > count - i ? i : 0));
}

/* The live table's clock ticks once in 1.05 ms. */
static uint64_t instant(void)
{
    uint64_t now = fixture.t_ns + 2 * MS;
    fixture.t_ns += 4 * MS;
    return now;
}

static void open_model(void)
{
    char error[256];
    struct f4p_error why;
    ck_assert_int_eq(f4p_trace_open_memory(fixture.base, fixture.header.file_bytes, &trace, &why), 0);
    ck_assert_int_eq(f4p_model_build(&trace, 1, 1, NULL, &model, error, sizeof error), 0);
}

static void teardown(void)
{
    f4p_model_free(model);
    f4p_trace_close(trace);
    free(fixture.base);
    f4p_fixture_free(&fixture);
}

/* Variance of the change of a site between two times; END: of the heap at the end. The order must not matter. */
#define END UINT64_MAX
static double variance(uint32_t site, uint64_t from, uint64_t to)
{
    struct f4p_heap a, b;
    ck_assert_int_eq(f4p_heap_at(model, false, from, &a), 0);
    ck_assert_int_eq(to == END ? f4p_heap_end(model, false, &b) : f4p_heap_at(model, false, to, &b), 0);
    double *there = f4p_diff_variances(model, &a, &b), *back = f4p_diff_variances(model, &b, &a), sum = 0;
    uint32_t entry = model->processes[0].entry_of[site];
    double found = there[entry], independent = f4p_sums_variance(&a.sums[entry]) + f4p_sums_variance(&b.sums[entry]);
    double least = fabs(f4p_sums_variance(&a.sums[entry]) - f4p_sums_variance(&b.sums[entry]));
    for (uint32_t i = 0; i < model->entries.count; i++) {
        ck_assert_double_eq(there[i], back[i]);
        sum += there[i];
    }
    ck_assert_double_eq_tol(f4p_diff_variance(model, &a, &b), sum, 1 + sum / 1e9);
    ck_assert_double_le(found, independent);
    ck_assert_double_ge(found, least);
    free(there);
    free(back);
    f4p_heap_free(&a);
    f4p_heap_free(&b);
    return found;
}

/* Of so many samples. */
static double of_samples(unsigned count)
{
    return (double)f4p_sample_weight(BYTES, INTERVAL).variance * 256 * count;
}

/* The sums keep variances as whole units of 256 bytes^2. */
#define ck_variance(found, expected) ck_assert_double_eq_tol(found, expected, of_samples(1) / 1000)

START_TEST(test_diff_what_stays_cancels)
{
    start(1 << 20, INTERVAL);
    alloc(1, 100);
    alloc(2, 60);
    uint64_t first = instant();
    alloc(2, 30);
    uint64_t second = instant();
    alloc(3, 5);
    open_model();
    ck_variance(variance(1, first, END), 0);
    ck_variance(variance(1, first, second), 0);
    ck_variance(variance(2, first, END), of_samples(30));
    ck_variance(variance(2, first, second), of_samples(30));
    ck_variance(variance(3, first, END), of_samples(5));
    ck_variance(variance(3, first, second), 0);
}
END_TEST

START_TEST(test_diff_what_went)
{
    start(1 << 20, INTERVAL);
    alloc(1, 100);
    uint64_t first = instant();
    release(0, 40);
    alloc(1, 10);
    uint64_t second = instant();
    alloc(2, 1);
    open_model();
    ck_variance(variance(1, first, second), of_samples(50));
    ck_variance(variance(1, first, END), of_samples(50));
}
END_TEST

START_TEST(test_diff_what_came_and_went)
{
    start(1 << 20, INTERVAL);
    alloc(1, 100);
    uint64_t first = instant();
    alloc(1, 70);
    release(100, 70); /* passed through: nothing of the change is theirs */
    uint64_t second = instant();
    alloc(2, 1);
    uint64_t third = instant();
    release(0, 30);
    open_model();
    /* of the 70 that the history saw go, only those that are live at the end are known not to have */
    ck_variance(variance(1, first, second), 2 * of_samples(30));
    ck_variance(variance(1, second, third), 0);
    ck_variance(variance(1, first, END), of_samples(30)); /* exact: the live table knows when each was taken */
}
END_TEST

/* The ring of the history has forgotten what was between; the live table has not. */
START_TEST(test_diff_without_the_history)
{
    start(1 << 20, INTERVAL);
    alloc(1, 100);
    uint64_t first = instant();
    for (unsigned i = 0; i < 60000; i++) {
        alloc(2, 1);
        release(100, 1);
    }
    instant();
    alloc(3, 4);
    open_model();
    size_t count;
    const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
    ck_assert_uint_gt(count, 1);
    ck_assert_uint_gt(stretches[count - 1].from_ns, first);
    struct f4p_heap kept;
    ck_assert_int_eq(f4p_heap_at(model, false, stretches[count - 2].from_ns, &kept), 0);
    ck_variance(variance(1, kept.t_ns, END), 0);
    f4p_heap_free(&kept);
}
END_TEST

/* Thinning adds its own noise: S^2 (1/p2 - 1/p1) for each block. */
START_TEST(test_diff_thinned)
{
    const uint64_t fine = 1024;
    double p1 = f4p_sample_probability(BYTES, fine), p2 = f4p_sample_probability(BYTES, 2 * fine);
    start(4 << 20, fine);
    alloc(4, 4000);
    alloc(1, 4000);
    uint64_t first = instant();
    release(0, 1500); /* of the fourth */
    while (fixture.w.state.thin_floor == 0 || fixture.w.thinning)
        alloc(2, 1);
    ck_assert_uint_eq(fixture.w.state.thin_floor, 1);
    uint64_t second = instant();
    alloc(3, 10);
    open_model();
    double truth = 4000 / p1 * BYTES * BYTES * (1 / p2 - 1 / p1);
    ck_assert_double_gt(truth, 0);
    ck_assert_double_eq_tol(variance(1, first, END), truth, 0.1 * truth);
    ck_assert_double_eq_tol(variance(1, first, second), truth, 0.1 * truth);
    double gone = 1500 / p1 * BYTES * BYTES * (1 / p1 - 1) + truth * 2500 / 4000;
    ck_assert_double_eq_tol(variance(4, first, END), gone, 0.1 * gone);
    ck_variance(variance(1, second, END), 0);
}
END_TEST

START_TEST(test_diff_exact_has_none)
{
    start(1 << 20, 1);
    alloc(1, 100);
    uint64_t first = instant();
    release(0, 10);
    alloc(1, 3);
    open_model();
    ck_variance(variance(1, first, END), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_diff_what_stays_cancels,  test_diff_what_went, test_diff_what_came_and_went,
                                  test_diff_without_the_history, test_diff_thinned,   test_diff_exact_has_none};
    Suite *suite = suite_create("diff");
    TCase *core = tcase_create("core");

    tcase_set_timeout(core, 60);
    tcase_add_checked_fixture(core, NULL, teardown);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
        tcase_add_test(core, tests[i]);
    suite_add_tcase(suite, core);
    return support_run(suite);
}
