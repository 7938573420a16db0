/* The JSON writer and the document: escapes, U+FFFD, sums, --top, fixed keys. Whole documents meet the schema in
 * tests/cli_analyze.sh. */
#include "analyzer/json.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/json_write.h"
#include "tests/support_run.h"
#include "tests/support_sketch.h"

static char *text;
static size_t text_bytes;

static void expect_string(const char *input, const char *output)
{
    struct f4p_json json = {.out = open_memstream(&text, &text_bytes)};
    f4p_json_text(&json, NULL, input);
    fclose(json.out);
    ck_assert_str_eq(text, output);
    free(text);
}

START_TEST(test_json_strings)
{
    expect_string("plain", "\"plain\"");
    expect_string("", "\"\"");
    expect_string(NULL, "null");
    expect_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    expect_string("\n\t\x1b\x7f", "\"\\n\\t\\u001b\\u007f\"");
    expect_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    expect_string("a\xff"
                  "b\xc3",
                  "\"a\xef\xbf\xbd"
                  "b\xef\xbf\xbd\"");
    expect_string("\xe2\x82", "\"\xef\xbf\xbd\"");             /* cut short */
    expect_string("\xed\xa0\x80", "\"\xef\xbf\xbd\"");         /* a surrogate */
    expect_string("\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""); /* overlong */
    expect_string("\xf5\x80\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_string("\xe2\x80\xa8", "\"\\u2028\"");
}
END_TEST

START_TEST(test_json_nesting)
{
    struct f4p_json json = {.out = open_memstream(&text, &text_bytes)};
    f4p_json_open(&json, NULL, '[');
    f4p_json_number(&json, NULL, UINT64_MAX);
    f4p_json_open(&json, NULL, '{');
    f4p_json_signed(&json, "a", -5);
    f4p_json_open(&json, "b", '[');
    f4p_json_close(&json, ']');
    f4p_json_bool(&json, "c", true);
    f4p_json_address(&json, "d", 0xdeadbeef);
    f4p_json_close(&json, '}');
    f4p_json_null(&json, NULL);
    f4p_json_close(&json, ']');
    fclose(json.out);
    char *to = text; /* white space apart */
    for (char *from = text; *from; from++)
        if (*from != ' ' && *from != '\n')
            *to++ = *from;
    *to = '\0';
    ck_assert_str_eq(text, "[18446744073709551615,{\"a\":-5,\"b\":[],\"c\":true,\"d\":\"0xdeadbeef\"},null]");
    free(text);
}
END_TEST

/* The document of a small job, with `options`. */
static void write_document(const struct f4p_options *options)
{
    struct f4p_sketch sketch;
    struct f4p_report report;
    char error[256];
    f4p_sketch_start(&sketch, 4096, 1);
    uint32_t main_code = f4p_sketch_code(&sketch, "main", "/job/etl.py", 3);
    for (uint32_t i = 0; i < 5; i++) {
        uint32_t stack[] = {main_code, f4p_sketch_code(&sketch, "load\n", "/job/etl.py", 10 + i)};
        uint32_t site = f4p_sketch_site(&sketch, 0, 2, 2, stack);
        for (uint32_t n = 0; n <= i; n++)
            f4p_fixture_alloc(&sketch.f, site, 3333);
    }
    f4p_sketch_open(&sketch, F4P_STATUS_EXITED);
    struct f4p_job job = {.traces = {sketch.trace}, .paths = {(char *)"x.bin"}, .count = 1};
    ck_assert_int_eq(f4p_report_make(&report, options, &job, 1, error, sizeof error), 0);
    FILE *out = open_memstream(&text, &text_bytes);
    ck_assert_int_eq(f4p_json_report(&report, out), 0);
    fclose(out);
    f4p_report_free(&report);
    f4p_sketch_free(&sketch);
}

/* Sum and count of the stacks' bytes of an instant, and its heap_bytes. */
static uint64_t sum_stacks(const char *instant, uint64_t *heap, unsigned *count)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\":{", instant);
    const char *at = strstr(text, key);
    ck_assert_ptr_nonnull(at);
    *heap = strtoull(strstr(at, "\"heap_bytes\":") + 13, NULL, 10);
    uint64_t sum = 0;
    *count = 0;
    at = strstr(at, "\"stacks\":[");
    const char *end = strstr(at, "]}]}");
    while ((at = strstr(at, "{\"bytes\":")) && at < end) {
        at += 9;
        sum += strtoull(at, NULL, 10);
        ++*count;
    }
    return sum;
}

START_TEST(test_json_sums_hold)
{
    struct f4p_options options = {.top = -1};
    uint64_t heap;
    unsigned count;
    write_document(&options);
    ck_assert_uint_eq(sum_stacks("end", &heap, &count), heap);
    ck_assert_uint_eq(count, 5);
    ck_assert_uint_gt(heap, 5 * 3333);
    ck_assert_uint_eq(sum_stacks("peak", &heap, &count), heap);
    free(text);
}
END_TEST

START_TEST(test_json_top_keeps_sums)
{
    struct f4p_options options = {.top = 2};
    uint64_t heap;
    unsigned count;
    write_document(&options);
    ck_assert_uint_eq(sum_stacks("end", &heap, &count), heap);
    ck_assert_uint_eq(count, 3);
    ck_assert_ptr_nonnull(strstr(text, "\"[other]\""));
    free(text);
    options.top = 5;
    write_document(&options);
    ck_assert_ptr_null(strstr(text, "\"[other]\""));
    free(text);
}
END_TEST

START_TEST(test_json_fixed_keys)
{
    static const char *const keys[] = {"\"schema\":\"fil4prod.analysis/1\"",
                                       "\"complete\":true",
                                       "\"torn_bytes\":0",
                                       "\"lost_records\":0",
                                       "\"interval_bytes\":4096",
                                       "\"exact\":false",
                                       "\"command\":[\"python\",\"etl.py\"]",
                                       "\"pid\":4711",
                                       "\"python\":\"3.11.2\"",
                                       "\"cgroup_limit_bytes\":null",
                                       "\"kind\":\"exited\"",
                                       "\"signal\":null",
                                       "\"exit_code\":null",
                                       "\"thread\":\"MainThread\"",
                                       "\"language\":\"python\"",
                                       "\"function\":\"load\\n\"",
                                       "\"gates\":[]",
                                       "\"timeline\":{",
                                       "\"rss_bytes\":"};
    struct f4p_options options = {.top = -1};
    write_document(&options);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ck_assert_msg(strstr(text, keys[i]) != NULL, "%s", keys[i]);
    free(text);
}
END_TEST

START_TEST(test_json_gates)
{
    struct f4p_options options = {.top = -1, .gate_count = 3};
    options.gates[0] = (struct f4p_gate_option){.kind = F4P_GATE_PEAK, .text = "1M", .limit = 1 << 20};
    options.gates[1] = (struct f4p_gate_option){.kind = F4P_GATE_END, .text = "1K", .limit = 1024};
    options.gates[2] = (struct f4p_gate_option){.kind = F4P_GATE_END, .text = "90%", .limit = 90, .percent = true};
    write_document(&options);
    ck_assert_ptr_nonnull(strstr(text, "\"name\":\"peak over 1M\",\"limit\":1048576,"));
    ck_assert_ptr_nonnull(strstr(text, "\"known\":true,\"ok\":true"));
    ck_assert_ptr_nonnull(strstr(text, "\"known\":true,\"ok\":false"));
    ck_assert_ptr_nonnull(strstr(text, "\"known\":false,\"ok\":false")); /* a share of no limit */
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *tc = tcase_create("json");
    tcase_add_test(tc, test_json_strings);
    tcase_add_test(tc, test_json_nesting);
    tcase_add_test(tc, test_json_sums_hold);
    tcase_add_test(tc, test_json_top_keeps_sums);
    tcase_add_test(tc, test_json_fixed_keys);
    tcase_add_test(tc, test_json_gates);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}
