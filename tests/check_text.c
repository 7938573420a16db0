/* Numbers, times, foreign text, the plot, and the first screen of a small job, whole. */
#include "analyzer/text.h"

#include <check.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/plot.h"
#include "tests/support_run.h"
#include "tests/support_sketch.h"

static char number[F4P_NUMBER_BYTES];

START_TEST(test_text_bytes)
{
    static const struct {
        double bytes;
        const char *iec, *si;
    } cases[] = {{0, "0", "0"},
                 {17, "17", "17"},
                 {1000, "1000", "1.0K"},
                 {1023.7, "1.0K", "1.0K"},
                 {1536, "1.5K", "1.5K"},
                 {102298, "99.9K", "102K"},
                 {102400, "100K", "102K"},
                 {1048575, "1.0M", "1.0M"},
                 {17179869184.0, "16.0G", "17.2G"},
                 {-1536, "-1.5K", "-1.5K"},
                 {1e18, "888P", "1.0E"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_str_eq(f4p_text_bytes(number, cases[i].bytes, F4P_UNITS_IEC), cases[i].iec);
        ck_assert_str_eq(f4p_text_bytes(number, cases[i].bytes, F4P_UNITS_SI), cases[i].si);
    }
    ck_assert_str_eq(f4p_text_bytes(number, 17179869184.0, F4P_UNITS_BYTES), "17179869184");
    ck_assert_str_eq(f4p_text_bytes_like(number, 0.9 * (1 << 30), 9e9, F4P_UNITS_IEC), "0.9G");
    ck_assert_str_eq(f4p_text_bytes_like(number, 1000, 9e9, F4P_UNITS_IEC), "1000");
}
END_TEST

START_TEST(test_text_times)
{
    ck_assert_str_eq(f4p_text_clock(number, 7092000000000ull, true), "1:58:12");
    ck_assert_str_eq(f4p_text_clock(number, 7500000000ull, true), "0:07.5");
    ck_assert_str_eq(f4p_text_clock(number, 725000000000ull, true), "12:05");
    ck_assert_str_eq(f4p_text_span(number, 250000000), "250ms");
    ck_assert_str_eq(f4p_text_span(number, 250000000000ull), "4m10s");
    ck_assert_str_eq(f4p_text_span(number, 7092000000000ull), "1h58m");
    ck_assert_str_eq(f4p_text_span(number, 273600000000000ull), "3d04h");
    ck_assert_str_eq(f4p_text_time(number, 1795316400000000000ull), "2026-11-22T03:00:00Z");
    ck_assert_str_eq(f4p_text_count(number, 1234567), "1,234,567");
    ck_assert_str_eq(f4p_text_count(number, 999), "999");
    uint64_t ns;
    ck_assert_int_eq(f4p_parse_time("2026-11-22T04:00:00+01:00", &ns), 0);
    ck_assert_uint_eq(ns, 1795316400000000000ull);
    ck_assert_int_eq(f4p_parse_span("1h58m12s", &ns), 0);
    ck_assert_uint_eq(ns, 7092000000000ull);
}
END_TEST

START_TEST(test_text_parse_bytes)
{
    static const struct {
        const char *text;
        double bytes;
    } good[] = {{"0", 0},          {"4096", 4096}, {"16G", 17179869184.0}, {"1.5K", 1536},
                {"1GiB", 1 << 30}, {"1GB", 1e9},   {"2k", 2048},           {"12B", 12}};
    static const char *const bad[] = {"", "G", "-1", "1X", "1Gx", "1 G", "nan", "inf"};
    double bytes;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(!f4p_parse_bytes(good[i].text, strlen(good[i].text), &bytes), "%s", good[i].text);
        ck_assert_double_eq(bytes, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(f4p_parse_bytes(bad[i], strlen(bad[i]), &bytes), "%s", bad[i]);
}
END_TEST

static void expect_safe(const char *text, size_t columns, bool keep_end, bool ascii, const char *shown, size_t used)
{
    char out[256];
    ck_assert_uint_eq(f4p_text_safe(out, sizeof out, text, columns, keep_end, ascii), used);
    ck_assert_str_eq(out, shown);
}

START_TEST(test_text_safe)
{
    expect_safe("plain.py", 20, false, false, "plain.py", 8);
    expect_safe("a\x1b[2Jb", 20, false, false, "a\\x1b[2Jb", 9);
    expect_safe("\xe2\x80\xae"
                "evil",
                20, false, false, "\\u202eevil", 10);
    expect_safe("\xc2\x9b"
                "31m",
                20, false, false, "\\x9b31m", 7); /* CSI in one character */
    expect_safe("\xff", 20, false, true, "\\ufffd", 6);
    expect_safe("caf\xc3\xa9", 20, false, false, "caf\xc3\xa9", 4);
    expect_safe("caf\xc3\xa9", 20, false, true, "caf\\xe9", 7);
    expect_safe("\xe6\x97\xa5\xe6\x9c\xac", 20, false, false, "\xe6\x97\xa5\xe6\x9c\xac", 4); /* two columns each */
    expect_safe("abcdefgh", 5, false, true, "abcd~", 5);
    expect_safe("abcdefgh", 5, true, true, "~efgh", 5);
    expect_safe("abcdefgh", 5, true, false,
                "\xe2\x80\xa6"
                "efgh",
                5);
    expect_safe("abcdefgh", 8, true, true, "abcdefgh", 8);
    expect_safe("x", 0, false, true, "", 0);
    char small[8]; /* never beyond the buffer */
    for (size_t bytes = 1; bytes <= sizeof small; bytes++) {
        memset(small, 'z', sizeof small);
        f4p_text_safe(small, bytes, "\x1b\x1b\x1b\x1b", 50, false, true);
        ck_assert_uint_lt(strnlen(small, sizeof small), bytes);
    }
}
END_TEST

START_TEST(test_plot_keeps_spikes)
{
    struct f4p_point points[1000];
    char row[F4P_PLOT_MAX_COLUMNS * 4 + 1];
    for (unsigned i = 0; i < 1000; i++)
        points[i] = (struct f4p_point){.t_ns = i * 1000, .heap = i == 123 ? 100 : 10};
    struct f4p_plot plot = {.columns = 40, .rows = 5, .end_ns = 1000000, .top = 100, .ascii = true};
    f4p_plot_row(&plot, points, 1000, 0, row);
    ck_assert_uint_eq(strlen(row), 40);
    ck_assert_uint_eq(strspn(row, " "), 4); /* 123 of 1000, of 40 columns */
    ck_assert_int_eq(row[4], '#');
    ck_assert_int_eq(row[5], ' ');
    f4p_plot_row(&plot, points, 1000, 4, row);
    ck_assert_uint_eq(strcspn(row, " "), 40); /* the bottom is filled throughout */
    plot.limit = 100;
    plot.limit_name = "limit";
    plot.death = true;
    f4p_plot_row(&plot, points, 1000, 0, row);
    ck_assert_ptr_nonnull(strstr(row, " limit "));
    ck_assert_int_eq(row[39], 'X');
}
END_TEST

static char *report_of(struct f4p_options *options, struct f4p_text_style style)
{
    static char *text;
    size_t bytes;
    char error[256];
    struct f4p_sketch sketch;
    struct f4p_report report;
    f4p_sketch_start(&sketch, 1, 1);
    uint32_t main_code = f4p_sketch_code(&sketch, "main", "/job/etl.py", 3);
    uint32_t load[] = {main_code, f4p_sketch_code(&sketch, "load", "/job/etl.py", 9),
                       f4p_sketch_code(&sketch, "read", "/v/site-packages/pandas/io.py", 7)};
    uint32_t keep[] = {main_code, f4p_sketch_code(&sketch, "put", "/job/\x1b[2Jcache.py", 88)};
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 3, load), 9 << 20);
    f4p_fixture_alloc(&sketch.f, f4p_sketch_site(&sketch, 0, 2, 2, keep), 1 << 20);
    f4p_sketch_open(&sketch, F4P_STATUS_EXITED);
    struct f4p_job job = {.traces = {sketch.trace}, .paths = {(char *)"/tmp/etl.bin"}, .count = 1};
    ck_assert_int_eq(f4p_report_make(&report, options, &job, 1, error, sizeof error), 0);
    FILE *out = open_memstream(&text, &bytes);
    f4p_text_report(&report, &style, out);
    fclose(out);
    f4p_report_free(&report);
    f4p_sketch_free(&sketch);
    return text;
}

START_TEST(test_text_report)
{
    struct f4p_options options = {.top = -1};
    char *text = report_of(&options, (struct f4p_text_style){.columns = 80, .ascii = true});
    static const char *const lines[] = {
        " etl.bin  python etl.py  pid 4711\n",
        " END     exited after ",
        " CAUSE   none: it ended by itself\n",
        " HEAP    10.0M at the end (= peak)\n",
        " HELD AT END    bytes      %  +/-%  your code                  via\n",
        "   1             9.0M   90.0   0.0  etl.py:9 load              pandas\n",
        "   2             1.0M   10.0   0.0  \\x1b[2Jcache.py:88 put\n",
        " WHO     MainThread 100%\n",
        " SURE    exact: every allocation was recorded; nothing lost\n",
        "   1  9.0M in 1 block, MainThread\n        etl.py:3 main\n",
        "\n      > etl.py:9 load\n        pandas/io.py:7 read\n",
        "      > \\x1b[2Jcache.py:88 put\n",
    };
    const char *at = text;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *found = strstr(at, lines[i]);
        ck_assert_msg(found != NULL, "not there, or not in this order: %s\n%s", lines[i], text);
        at = found + 1;
    }
    for (const char *c = text; *c; c++)
        ck_assert_msg((*c >= ' ' && *c <= '~') || *c == '\n', "byte %02x", (unsigned char)*c);
    free(text);
}
END_TEST

START_TEST(test_text_colours_only_when_asked)
{
    struct f4p_options options = {.top = -1};
    char *text = report_of(&options, (struct f4p_text_style){.columns = 80, .ascii = true, .color = true});
    ck_assert_ptr_nonnull(strstr(text, "\033[1m"));
    ck_assert_ptr_null(strstr(text, "\033[2J")); /* the file's name */
    free(text);
}
END_TEST

START_TEST(test_text_any_width)
{
    struct f4p_options options = {.top = 0, .verbose = 1};
    for (unsigned columns = 40; columns <= 160; columns += 7)
        for (int by = 0; by < F4P_BY_COUNT; by++) {
            options.group_by = (enum f4p_grouping)by;
            char *text = report_of(&options, (struct f4p_text_style){.columns = columns, .ascii = columns % 2 == 0});
            ck_assert_ptr_nonnull(strstr(text, " SURE "));
            free(text);
        }
}
END_TEST

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    Suite *suite = suite_create("text");
    TCase *tc = tcase_create("text");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_text_bytes);
    tcase_add_test(tc, test_text_times);
    tcase_add_test(tc, test_text_parse_bytes);
    tcase_add_test(tc, test_text_safe);
    tcase_add_test(tc, test_plot_keeps_spikes);
    tcase_add_test(tc, test_text_report);
    tcase_add_test(tc, test_text_colours_only_when_asked);
    tcase_add_test(tc, test_text_any_width);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}
