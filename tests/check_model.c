/* The model: merging, your line, via, filters, groups, instants, error bars, rounding; and the rules of origin. */
#include "analyzer/model.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/shape.h"
#include "analyzer/when.h"
#include "format/weight.h"
#include "tests/support_run.h"
#include "tests/support_sketch.h"

#define USER "/job/etl.py"
#define PACKAGE "/venv/lib/python3.11/site-packages/pandas/core/frame.py"
#define STDLIB "/usr/lib/python3.11/json/decoder.py"

static struct f4p_sketch sketch;
static struct f4p_model *model;
static struct f4p_heap end;

static void build(const struct f4p_filter *filter)
{
    char error[256];
    struct f4p_trace *traces[] = {sketch.trace ? sketch.trace
                                               : (f4p_sketch_open(&sketch, F4P_STATUS_RECORDING), sketch.trace)};
    ck_assert_msg(!f4p_model_build(traces, 1, 1, filter, &model, error, sizeof error), "%s", error);
    ck_assert_int_eq(f4p_heap_end(model, false, &end), 0);
}

static void drop(void)
{
    f4p_heap_free(&end);
    f4p_model_free(model);
    model = NULL;
}

static void finish(void)
{
    drop();
    f4p_sketch_free(&sketch);
}

static const char *text_of(uint32_t id)
{
    return f4p_model_string(model, id);
}

/* The group that comes first, and how many there are. */
static struct f4p_group first_group(enum f4p_grouping by, size_t *count)
{
    struct f4p_group *groups = f4p_model_group(model, by, &end, NULL, false, count);
    ck_assert_ptr_nonnull(groups);
    struct f4p_group first = groups[0];
    free(groups);
    return first;
}

static void expect_line(const char *file, uint32_t line, uint64_t bytes, const char *via)
{
    size_t count;
    struct f4p_group group = first_group(F4P_BY_LINE, &count);
    const struct f4p_frame *frame = f4p_group_frame(model, &group);
    if (!file) {
        ck_assert_ptr_null(frame);
    } else {
        ck_assert_ptr_nonnull(frame);
        ck_assert_str_eq(text_of(frame->file), file);
        ck_assert_uint_eq(frame->line, line);
    }
    ck_assert_uint_eq(group.sums.bytes, bytes * F4P_Q8);
    ck_assert_str_eq(text_of(group.via), via);
}

START_TEST(test_model_merges_offsets_of_a_line)
{
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t stack[] = {f4p_sketch_code(&sketch, "<module>", USER, 3), f4p_sketch_code(&sketch, "load", USER, 9)};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 2, stack), 1000);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 40, 2, stack), 500);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 1, 2, 2, stack), 30); /* another thread stays apart */
    build(NULL);
    uint32_t with_bytes = 0;
    for (uint32_t i = 0; i < model->entries.count; i++)
        with_bytes += end.sums[i].samples > 0;
    ck_assert_uint_eq(with_bytes, 2);
    size_t count;
    ck_assert_uint_eq(first_group(F4P_BY_STACK, &count).sums.bytes, 1530 * F4P_Q8);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(first_group(F4P_BY_THREAD, &count).sums.bytes, 1500 * F4P_Q8);
    ck_assert_uint_eq(count, 2);
    finish();
}
END_TEST

START_TEST(test_model_comprehension_is_its_line)
{
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t load = f4p_sketch_code(&sketch, "load", USER, 9);
    uint32_t inner[] = {load, f4p_sketch_code(&sketch, "load.<locals>.<listcomp>", USER, 9)};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 1, inner), 1000);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 2, inner), 500);
    build(NULL);
    expect_line(USER, 9, 1500, "");
    finish();
}
END_TEST

START_TEST(test_model_line_is_the_users)
{
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t stack[] = {f4p_sketch_code(&sketch, "main", USER, 3), f4p_sketch_code(&sketch, "load", USER, 9),
                        f4p_sketch_code(&sketch, "read", PACKAGE, 100), f4p_sketch_code(&sketch, "scan", STDLIB, 7),
                        f4p_sketch_module(&sketch, "/venv/lib/python3.11/site-packages/numpy.libs/libblas.so.3")};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 5, stack), 1000);
    build(NULL);
    expect_line(USER, 9, 1000, "pandas");
    size_t count;
    struct f4p_group group = first_group(F4P_BY_LIBRARY, &count);
    ck_assert_str_eq(text_of((uint32_t)group.key), "numpy");
    finish();
}
END_TEST

START_TEST(test_model_line_without_user_code)
{
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t stack[] = {f4p_sketch_code(&sketch, "run", STDLIB, 3), f4p_sketch_code(&sketch, "read", PACKAGE, 100),
                        f4p_sketch_code(&sketch, "scan", STDLIB, 7)};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 3, stack), 1000);
    build(NULL);
    expect_line(PACKAGE, 100, 1000, "json");
    finish();
}
END_TEST

START_TEST(test_model_native_thread_of_python)
{
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t stack[] = {f4p_sketch_module(&sketch, "/lib/libc.so.6"), f4p_sketch_module(&sketch, "/opt/libtorch.so.2")};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 0x50, 2, stack), 1000);
    build(NULL);
    expect_line(NULL, 0, 1000, "libtorch");
    finish();
}
END_TEST

START_TEST(test_model_native_program)
{
    f4p_sketch_start(&sketch, 1, 0);
    uint32_t stack[] = {f4p_sketch_module(&sketch, "/bin/prog"), f4p_sketch_module(&sketch, "/usr/lib/libxml2.so.2"),
                        f4p_sketch_module(&sketch, "/lib/libc.so.6")};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 0x50, 3, stack), 1000);
    f4p_sketch_open(&sketch, F4P_STATUS_RECORDING);
    sketch.trace->code_count = 0; /* the fixture's own */
    build(NULL);
    expect_line("/bin/prog", 0, 1000, "libxml2");
    finish();
}
END_TEST

static void three_lines(void)
{
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t main_code = f4p_sketch_code(&sketch, "main", USER, 3);
    uint32_t load[] = {main_code, f4p_sketch_code(&sketch, "load", USER, 9),
                       f4p_sketch_code(&sketch, "scan", STDLIB, 7)};
    uint32_t keep[] = {main_code, f4p_sketch_code(&sketch, "Cache.put", "/job/cache.py", 88)};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 3, load), 1000);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 1, 2, 2, keep), 500);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 1, &main_code), 7);
}

static uint64_t held(const struct f4p_filter *filter)
{
    build(filter);
    uint64_t bytes = end.total.bytes / F4P_Q8;
    ck_assert_uint_eq(end.whole.bytes, 1507 * F4P_Q8);
    drop();
    return bytes;
}

START_TEST(test_model_filters)
{
    three_lines();
    ck_assert_uint_eq(held(NULL), 1507);
    ck_assert_uint_eq(held(&(struct f4p_filter){.focus = "cache"}), 500);
    ck_assert_uint_eq(held(&(struct f4p_filter){.focus = "etl.py:9$"}), 1000);
    ck_assert_uint_eq(held(&(struct f4p_filter){.focus = "^json$"}), 1000);
    ck_assert_uint_eq(held(&(struct f4p_filter){.ignore = "scan|Cache"}), 7);
    ck_assert_uint_eq(held(&(struct f4p_filter){.show_from = "load"}), 1000);
    ck_assert_uint_eq(held(&(struct f4p_filter){.hide = "main"}), 1507);
    ck_assert_uint_eq(held(&(struct f4p_filter){.thread = "MainThread"}), 1007);
    ck_assert_uint_eq(held(&(struct f4p_filter){.thread = "101"}), 500);
    ck_assert_uint_eq(held(&(struct f4p_filter){.pid = 4711}), 1507);
    ck_assert_uint_eq(held(&(struct f4p_filter){.pid = 1}), 0);
    f4p_sketch_free(&sketch);
}
END_TEST

START_TEST(test_model_hide_keeps_your_line)
{
    three_lines();
    build(&(struct f4p_filter){.hide = "load|main"});
    expect_line(USER, 9, 1000, "json");
    size_t count;
    struct f4p_group group = first_group(F4P_BY_STACK, &count);
    const struct f4p_stack *stack = f4p_model_stack(model, f4p_model_entry(model, group.entry)->stack);
    ck_assert_uint_eq(stack->parent, F4P_NONE);
    ck_assert_str_eq(text_of(f4p_model_frame(model, stack->frame)->function), "scan");
    finish();
}
END_TEST

START_TEST(test_model_bad_pattern_is_an_error)
{
    three_lines();
    f4p_sketch_open(&sketch, F4P_STATUS_RECORDING);
    char error[256], *longest = malloc(3000);
    memset(longest, 'x', 2999);
    longest[2999] = '\0';
    struct f4p_trace *traces[] = {sketch.trace};
    ck_assert_int_eq(f4p_model_build(traces, 1, 1, &(struct f4p_filter){.focus = "("}, &model, error, sizeof error),
                     -1);
    ck_assert_ptr_nonnull(strstr(error, "--focus"));
    ck_assert_int_eq(f4p_model_build(traces, 1, 1, &(struct f4p_filter){.hide = longest}, &model, error, sizeof error),
                     -1);
    ck_assert_ptr_nonnull(strstr(error, "--hide"));
    free(longest);
    f4p_sketch_free(&sketch);
}
END_TEST

START_TEST(test_model_instants)
{
    three_lines();
    uint32_t code = f4p_sketch_code(&sketch, "spike", USER, 50);
    uint64_t before = sketch.f.t_ns;
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 1, &code), 100000);
    uint64_t high = sketch.f.t_ns;
    f4p_fixture_release(&sketch.f, sketch.f.block_count - 1);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 4, 1, &code), 3);
    build(NULL);
    struct f4p_heap peak, at;
    ck_assert_int_eq(f4p_heap_peak(model, false, &peak), 0);
    ck_assert_uint_eq(peak.total.bytes, 101507 * F4P_Q8);
    ck_assert_uint_eq(peak.t_ns, high);
    ck_assert_uint_eq(end.total.bytes, 1510 * F4P_Q8);
    ck_assert_int_eq(f4p_heap_at(model, false, before, &at), 0);
    ck_assert_uint_eq(at.total.bytes, 1507 * F4P_Q8);
    f4p_heap_free(&at);
    ck_assert_int_eq(f4p_when_heap(model, false, "peak", 4, &at), 0);
    ck_assert_uint_eq(at.total.bytes, peak.total.bytes);
    size_t count;
    struct f4p_group *groups = f4p_model_group(model, F4P_BY_LINE, &end, &at, false, &count);
    ck_assert_uint_eq(groups[0].before.bytes, 100000 * F4P_Q8);
    ck_assert_uint_eq(groups[0].sums.bytes, 3 * F4P_Q8);
    ck_assert_uint_eq(groups[1].before.bytes, groups[1].sums.bytes);
    free(groups);
    f4p_heap_free(&at);
    f4p_heap_free(&peak);
    finish();
}
END_TEST

START_TEST(test_model_several_processes_add_up)
{
    char error[256];
    three_lines();
    f4p_sketch_open(&sketch, F4P_STATUS_RECORDING);
    struct f4p_trace *traces[] = {sketch.trace, sketch.trace};
    ck_assert_int_eq(f4p_model_build(traces, 2, 2, NULL, &model, error, sizeof error), 0);
    ck_assert_int_eq(f4p_heap_end(model, false, &end), 0);
    ck_assert_uint_eq(end.total.bytes, 2 * 1507 * F4P_Q8);
    size_t count;
    first_group(F4P_BY_PROCESS, &count);
    ck_assert_uint_eq(count, 2);
    expect_line(USER, 9, 2000, "json");
    struct f4p_heap base;
    drop();
    ck_assert_int_eq(f4p_model_build(traces, 2, 1, NULL, &model, error, sizeof error), 0);
    ck_assert_int_eq(f4p_heap_end(model, false, &end), 0);
    ck_assert_int_eq(f4p_heap_end(model, true, &base), 0);
    ck_assert_uint_eq(end.total.bytes, 1507 * F4P_Q8);
    ck_assert_uint_eq(base.total.bytes, 1507 * F4P_Q8);
    f4p_heap_free(&base);
    finish();
}
END_TEST

START_TEST(test_when_spellings)
{
    static const char *const good[] = {"peak",
                                       "end",
                                       "0%",
                                       "12.5%",
                                       "100%",
                                       "90s",
                                       "1h58m",
                                       "250ms",
                                       "end-30s",
                                       "2026-11-22T03:00:00Z",
                                       "2026-11-22T03:00:00.5+01:00",
                                       "7"};
    static const char *const bad[] = {"",   "peek", "101%",       "-3s", "end+3s", "end-",
                                      "3x", "1h58", "2026-11-22", "%",   "nan%"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_msg(f4p_when_valid(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!f4p_when_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
}
END_TEST

START_TEST(test_round_bytes_add_up)
{
    uint64_t q8[] = {100, 100, 100, 255, 1, 0, 5 * 256, 128}, bytes[8], sum = 0;
    uint64_t total = f4p_round_bytes(q8, 8, bytes);
    for (int i = 0; i < 8; i++) {
        sum += bytes[i];
        ck_assert_uint_le(bytes[i], q8[i] / 256 + 1);
        ck_assert_uint_ge(bytes[i], q8[i] / 256);
    }
    ck_assert_uint_eq(sum, total);
    ck_assert_uint_eq(total, 8); /* 1964 / 256 = 7.67 */
    ck_assert_uint_eq(bytes[3], 1);
    ck_assert_uint_eq(bytes[4], 0);
    ck_assert_uint_eq(bytes[5], 0);
    uint64_t random = 88172645463325252u, many[50], out[50];
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 50; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            many[i] = random >> (20 + round % 40);
        }
        sum = 0;
        total = f4p_round_bytes(many, (size_t)round % 51, out);
        for (int i = 0; i < round % 51; i++)
            sum += out[i];
        ck_assert_uint_eq(sum, total);
    }
    ck_assert_uint_eq(f4p_round_bytes(NULL, 0, NULL), 0);
}
END_TEST

START_TEST(test_error_bars)
{
    struct f4p_sums exact = {.bytes = 5000 * F4P_Q8, .samples = 5};
    struct f4p_error_bars bars = f4p_sums_error(&exact, 65536);
    ck_assert(bars.half == 0 && bars.low == 5000 && bars.high == 5000);

    struct f4p_sums sum = {0}, one;
    for (int i = 0; i < 100; i++) {
        one = f4p_sample_weight(64, 65536);
        f4p_sums_add(&sum, &one);
    }
    bars = f4p_sums_error(&sum, 65536); /* 1.96 * 10 * 65536 */
    ck_assert_double_eq_tol(bars.half / (19.6 * 65536), 1, 0.01);

    /* One small sample: Garwood's limits of 1 are 0.0253 and 5.572. */
    one = f4p_sample_weight(64, 65536);
    bars = f4p_sums_error(&one, 65536);
    ck_assert_double_eq_tol(bars.high / 65536, 5.572, 0.06);
    ck_assert_double_eq_tol(bars.low / 65536, 0.0253, 0.03);
    /* A large block beside it is certain and does not widen anything. */
    struct f4p_sums large = f4p_sample_weight(100 << 20, 65536);
    double half = bars.half;
    f4p_sums_add(&one, &large);
    bars = f4p_sums_error(&one, 65536);
    ck_assert_double_eq_tol(bars.half, half, 1);
    ck_assert_double_gt(bars.low, 100 << 20);
}
END_TEST

START_TEST(test_origin_python)
{
    static const char *const prefixes[] = {"/opt/py/lib/python3.13", NULL};
    static const struct {
        const char *file, *library;
        enum f4p_origin origin;
    } cases[] = {
        {"/job/etl.py", "", F4P_ORIGIN_USER},
        {"etl.py", "", F4P_ORIGIN_USER},
        {"<string>", "", F4P_ORIGIN_USER},
        {"", "", F4P_ORIGIN_USER},
        {"/home/u/python3/app.py", "", F4P_ORIGIN_USER},
        {"/usr/lib/python3.11/json/decoder.py", "json", F4P_ORIGIN_STDLIB},
        {"/usr/lib/python3.13t/threading.py", "threading", F4P_ORIGIN_STDLIB},
        {"/usr/lib64/python3.9/os.py", "os", F4P_ORIGIN_STDLIB},
        {"/opt/py/lib/python3.13/os.py", "os", F4P_ORIGIN_STDLIB},
        {"/usr/lib/python311.zip/os.py", "os", F4P_ORIGIN_STDLIB},
        {"<frozen importlib._bootstrap>", "importlib", F4P_ORIGIN_STDLIB},
        {"/usr/lib/python3/dist-packages/numpy/core/x.py", "numpy", F4P_ORIGIN_PACKAGE},
        {"/v/lib/python3.11/site-packages/six.py", "six", F4P_ORIGIN_PACKAGE},
        {"/v/bin/pytest", "pytest", F4P_ORIGIN_PACKAGE},
        {"/v/bin/mine.py", "", F4P_ORIGIN_USER},
    };
    char library[F4P_LIBRARY_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum f4p_origin origin = f4p_origin_python(cases[i].file, prefixes, library);
        ck_assert_msg(origin == cases[i].origin, "%s", cases[i].file);
        ck_assert_msg(!strcmp(library, cases[i].library), "%s: %s", cases[i].file, library);
    }
}
END_TEST

START_TEST(test_origin_native)
{
    static const struct {
        const char *path, *library;
        enum f4p_origin origin;
    } cases[] = {
        {"/usr/bin/python3.11", "python3.11", F4P_ORIGIN_SYSTEM},
        {"/usr/lib/libpython3.11.so.1.0", "libpython3.11", F4P_ORIGIN_SYSTEM},
        {"/lib/x86_64-linux-gnu/libc.so.6", "libc", F4P_ORIGIN_SYSTEM},
        {"/lib/x86_64-linux-gnu/libc-2.31.so", "libc-2.31", F4P_ORIGIN_SYSTEM},
        {"/lib64/ld-linux-x86-64.so.2", "ld-linux-x86-64", F4P_ORIGIN_SYSTEM},
        {"/usr/lib/libcurl.so.4", "libcurl", F4P_ORIGIN_LIBRARY},
        {"/opt/libtorch_cpu.so", "libtorch_cpu", F4P_ORIGIN_LIBRARY},
        {"/v/site-packages/numpy/core/_umath.cpython-311-x86_64-linux-gnu.so", "numpy", F4P_ORIGIN_LIBRARY},
        {"/usr/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so", "_json", F4P_ORIGIN_LIBRARY},
    };
    char library[F4P_LIBRARY_BYTES];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum f4p_origin origin = f4p_origin_native(cases[i].path, "/usr/bin/python3.11", true, library);
        ck_assert_msg(origin == cases[i].origin, "%s", cases[i].path);
        ck_assert_msg(!strcmp(library, cases[i].library), "%s: %s", cases[i].path, library);
    }
    ck_assert_int_eq(f4p_origin_native("/bin/prog", "/bin/prog", false, library), F4P_ORIGIN_EXECUTABLE);
}
END_TEST

/* ---- shape ---- */

static struct f4p_shape shape_of(uint64_t (*heap)(unsigned second))
{
    static struct f4p_point points[200];
    for (unsigned i = 0; i < 200; i++)
        points[i] = (struct f4p_point){.t_ns = i * 1000000000ull, .heap = heap(i) << 20};
    return f4p_shape_find(points, 200, 200000000000ull);
}

static uint64_t ramp(unsigned s)
{
    return 100 + s * 5;
}

static uint64_t late_ramp(unsigned s)
{
    return s < 100 ? 300 : 300 + (s - 100) * 9;
}

static uint64_t step(unsigned s)
{
    return s < 195 ? 100 : 900;
}

static uint64_t plateau(unsigned s)
{
    return s < 30 ? s * 20 : 600 + s % 3;
}

static uint64_t spike(unsigned s)
{
    return s >= 90 && s < 95 ? 1000 : 100;
}

static uint64_t fall(unsigned s)
{
    return s < 120 ? 1000 : 100;
}

static uint64_t sawtooth(unsigned s)
{
    return 200 + s * 4 + (s % 2) * 15;
}

START_TEST(test_shapes)
{
    ck_assert_int_eq(shape_of(ramp).kind, F4P_SHAPE_RAMP);
    ck_assert_int_eq(shape_of(sawtooth).kind, F4P_SHAPE_RAMP);
    struct f4p_shape late = shape_of(late_ramp);
    ck_assert_int_eq(late.kind, F4P_SHAPE_RAMP);
    ck_assert_uint_ge(late.from_ns, 95000000000ull);
    ck_assert_uint_le(late.from_ns, 105000000000ull);
    struct f4p_shape steep = shape_of(step);
    ck_assert_int_eq(steep.kind, F4P_SHAPE_STEP);
    ck_assert_uint_eq(steep.from_ns, 194000000000ull);
    ck_assert_int_eq(shape_of(plateau).kind, F4P_SHAPE_FLAT);
    ck_assert_int_eq(shape_of(spike).kind, F4P_SHAPE_SPIKE);
    ck_assert_uint_eq(shape_of(spike).from_ns, 90000000000ull);
    ck_assert_int_eq(shape_of(fall).kind, F4P_SHAPE_FALL);
    ck_assert_int_eq(f4p_shape_find(NULL, 0, 5).kind, F4P_SHAPE_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("model");
    tcase_add_test(tc, test_model_merges_offsets_of_a_line);
    tcase_add_test(tc, test_model_comprehension_is_its_line);
    tcase_add_test(tc, test_model_line_is_the_users);
    tcase_add_test(tc, test_model_line_without_user_code);
    tcase_add_test(tc, test_model_native_thread_of_python);
    tcase_add_test(tc, test_model_native_program);
    tcase_add_test(tc, test_model_filters);
    tcase_add_test(tc, test_model_hide_keeps_your_line);
    tcase_add_test(tc, test_model_bad_pattern_is_an_error);
    tcase_add_test(tc, test_model_instants);
    tcase_add_test(tc, test_model_several_processes_add_up);
    tcase_add_test(tc, test_when_spellings);
    tcase_add_test(tc, test_round_bytes_add_up);
    tcase_add_test(tc, test_error_bars);
    tcase_add_test(tc, test_origin_python);
    tcase_add_test(tc, test_origin_native);
    tcase_add_test(tc, test_shapes);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}
