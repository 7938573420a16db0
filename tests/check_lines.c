/* Line tables: known bytes of each encoding, hostile bytes, and real tables of every python3.N that PATH has. */
#include "analyzer/lines.h"
#include "tests/support_run.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t line_at(const char *table, size_t bytes, uint32_t kind, uint32_t first, uint32_t offset)
{
    return f4p_line_decode((const uint8_t *)table, bytes, kind, first, offset);
}

#define AT(table, kind, offset) line_at(table, sizeof(table) - 1, kind, 10, offset)

START_TEST(test_lines_lnotab)
{
    /* 0..5 line 10, 6..55 line 11, 56..305 line 255 less one, then back by 5; steps beyond a byte come in parts */
    static const char table[] = "\x06\x01\x32\x7f\x00\x74\xfa\xfb";
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 0), 10);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 5), 10);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 6), 11);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 55), 11);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 56), 254);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 305), 254);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 306), 249);
    ck_assert_uint_eq(AT(table, F4P_LINES_LNOTAB, 100000), 249);
    ck_assert_uint_eq(line_at("", 0, F4P_LINES_LNOTAB, 10, 4), 10);
}
END_TEST

START_TEST(test_lines_310)
{
    /* 4 bytes line 11, 6 without a line, 2 line 9, a step of length 0, 200 line 12 */
    static const char table[] = "\x04\x01\x06\x80\x02\xfe\x00\x02\xc8\x01";
    ck_assert_uint_eq(AT(table, F4P_LINES_310, 0), 11);
    ck_assert_uint_eq(AT(table, F4P_LINES_310, 4), 11); /* no line: that of the range before */
    ck_assert_uint_eq(AT(table, F4P_LINES_310, 10), 9);
    ck_assert_uint_eq(AT(table, F4P_LINES_310, 12), 12);
    ck_assert_uint_eq(AT(table, F4P_LINES_310, 211), 12);
    ck_assert_uint_eq(AT(table, F4P_LINES_310, 212), 10); /* beyond the table: the def line */
}
END_TEST

START_TEST(test_lines_311)
{
    /* code 13 (line -1, two units), short form, code 11 (line +1), none, long form line +70 */
    static const char table[] = "\xe9\x03\x80\x00\xd8\x01\x02\xf8\xf0\x4c\x02\x00\x01\x01";
    ck_assert_uint_eq(AT(table, F4P_LINES_311, 0), 9);
    ck_assert_uint_eq(AT(table, F4P_LINES_311, 3), 9);
    ck_assert_uint_eq(AT(table, F4P_LINES_311, 4), 9);
    ck_assert_uint_eq(AT(table, F4P_LINES_311, 6), 10);
    ck_assert_uint_eq(AT(table, F4P_LINES_311, 8), 10);
    ck_assert_uint_eq(AT(table, F4P_LINES_311, 10), 80);
}
END_TEST

START_TEST(test_lines_unknown)
{
    ck_assert_uint_eq(AT("\x06\x01", F4P_LINES_311, F4P_NONE), 10);
    ck_assert_uint_eq(AT("\x06\x01", F4P_LINES_NONE, 2), 10);
    ck_assert_uint_eq(AT("\x06\x01", 77, 2), 10);
    ck_assert_uint_eq(f4p_line_decode(NULL, 0, F4P_LINES_311, 10, 2), 10);
}
END_TEST

START_TEST(test_lines_many_agree_with_one)
{
    static const char table[] = "\xe9\x03\x80\x00\xd8\x01\x02\xf8\xf0\x4c\x02\x00\x01\x01";
    uint32_t offsets[] = {0, 0, 2, 4, 6, 7, 8, 10, 12, 5000, F4P_NONE}, lines[11];
    f4p_line_decode_many((const uint8_t *)table, sizeof table - 1, F4P_LINES_311, 10, offsets, 11, lines);
    for (int i = 0; i < 11; i++)
        ck_assert_uint_eq(lines[i], AT(table, F4P_LINES_311, offsets[i]));
}
END_TEST

/* Every walk ends within one range per byte, and ranges ascend, whatever the bytes are. */
START_TEST(test_lines_hostile)
{
    uint8_t table[64];
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        struct f4p_line_walk walk;
        struct f4p_line_range range;
        size_t bytes = 1 + (size_t)round % sizeof table, ranges = 0;
        uint32_t before = 0;
        for (size_t i = 0; i < bytes; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            table[i] = round % 3 ? (uint8_t)(random >> 24) : (uint8_t)(0xc0 | random >> 60);
        }
        uint8_t *exact = malloc(bytes); /* so that a sanitizer sees a byte too far */
        memcpy(exact, table, bytes);
        f4p_line_walk_start(&walk, exact, bytes, 1 + (uint32_t)round % 3, round % 7 ? 5 : UINT32_MAX);
        while (f4p_line_walk_next(&walk, &range)) {
            ck_assert_uint_ge(range.from, before);
            ck_assert_uint_ge(range.to, range.from);
            before = range.to;
            ck_assert_uint_le(++ranges, bytes + 1);
        }
        free(exact);
    }
}
END_TEST

/* ---- real tables ---- */

static const char program[] =
    "import sys, dis, types, json.decoder, argparse, inspect, decimal, asyncio.base_events\n"
    "v = sys.version_info[:2]\n"
    "kind = 1 if v < (3, 10) else 2 if v == (3, 10) else 3\n"
    "def codes(c):\n"
    "    yield c\n"
    "    for k in c.co_consts:\n"
    "        if isinstance(k, types.CodeType):\n"
    "            yield from codes(k)\n"
    "def show(c):\n"
    "    n = len(c.co_code)\n"
    "    lines = [None] * n\n"
    "    if kind == 1:\n"
    "        for o, l in dis.findlinestarts(c):\n"
    "            lines[o:] = [l] * (n - o)\n"
    "        table = c.co_lnotab\n"
    "    else:\n"
    "        for a, b, l in c.co_lines():\n"
    "            lines[a:b] = [l] * (b - a)\n"
    "        table = c.co_linetable\n"
    "    print(kind, c.co_firstlineno, table.hex() or '-', len(lines[::2]), *[l or 0 for l in lines[::2]])\n"
    "for m in list(sys.modules.values()):\n"
    "    f = getattr(m, '__file__', None)\n"
    "    if f and f.endswith('.py') and m.__name__ in ('argparse', 'inspect', 'json.decoder', 'asyncio.base_events', "
    "'dis'):\n"
    "        for c in codes(compile(open(f, encoding='utf-8').read(), f, 'exec')):\n"
    "            show(c)\n";

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t bytes = 0;
    unsigned value;
    for (; hex[0] && hex[0] != '-' && hex[1]; hex += 2, bytes++) {
        sscanf(hex, "%2x", &value);
        out[bytes] = (uint8_t)value;
    }
    return bytes;
}

/* One code object: kind, first line, table, number of instructions, their lines (0: none). Returns lines compared.
 * `control` counts what would be wrong one instruction further on. */
static size_t compare(char *text, size_t *wrong, size_t *control)
{
    char *save, *word = strtok_r(text, " \n", &save);
    uint32_t kind = (uint32_t)atoi(word);
    uint32_t first = (uint32_t)atoi(strtok_r(NULL, " \n", &save));
    char *hex = strtok_r(NULL, " \n", &save);
    size_t count = (size_t)atol(strtok_r(NULL, " \n", &save)), compared = 0;
    uint8_t *table = malloc(strlen(hex) + 1);
    size_t bytes = unhex(hex, table);
    for (size_t i = 0; i < count; i++) {
        uint32_t line = (uint32_t)atoi(strtok_r(NULL, " \n", &save));
        if (!line)
            continue;
        *wrong += f4p_line_decode(table, bytes, kind, first, (uint32_t)i * 2) != line;
        *control += f4p_line_decode(table, bytes, kind, first, (uint32_t)i * 2 + 2) != line;
        compared++;
    }
    free(table);
    return compared;
}

static size_t compare_with(const char *python, size_t *wrong, size_t *control)
{
    char command[sizeof program + 200], *line = NULL;
    size_t room = 0, compared = 0;
    snprintf(command, sizeof command, "%s -W ignore - 2>/dev/null <<'END'\n%s\nEND\n", python, program);
    FILE *out = popen(command, "r");
    ck_assert_ptr_nonnull(out);
    while (getline(&line, &room, out) > 0)
        compared += compare(line, wrong, control);
    free(line);
    pclose(out);
    return compared;
}

START_TEST(test_lines_of_real_pythons)
{
    char python[32] = "python3";
    size_t found = 0;
    for (int minor = 7; minor <= 15; minor++) {
        size_t wrong = 0, control = 0;
        if (minor > 7)
            snprintf(python, sizeof python, "python3.%d", minor);
        size_t compared = compare_with(python, &wrong, &control);
        if (!compared)
            continue;
        found++;
        printf("%s: %zu instructions\n", python, compared);
        ck_assert_uint_gt(compared, 10000);
        ck_assert_uint_eq(wrong, 0);
        ck_assert_uint_gt(control, compared / 20); /* one instruction further on */
    }
    if (!found)
        printf("SKIPPED test_lines_of_real_pythons: no python3 in PATH\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lines");
    TCase *tc = tcase_create("lines");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_lines_lnotab);
    tcase_add_test(tc, test_lines_310);
    tcase_add_test(tc, test_lines_311);
    tcase_add_test(tc, test_lines_unknown);
    tcase_add_test(tc, test_lines_many_agree_with_one);
    tcase_add_test(tc, test_lines_hostile);
    tcase_add_test(tc, test_lines_of_real_pythons);
    suite_add_tcase(suite, tc);
    return support_run(suite);
}
