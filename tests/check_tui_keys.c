/* Keys: every action can be typed, no key has two meanings, the manual has the list. Text: widths, search, export. */
#include "analyzer/tui_keys.h"

#include <check.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/tui_export.h"
#include "tests/support_run.h"

/* The codes of a key's name, by trying all. */
static int owners(int key)
{
    return f4p_tui_action(key) != F4P_ACT_NONE;
}

START_TEST(test_keys_every_action_has_a_key)
{
    bool has[F4P_ACT_COUNT] = {false};
    for (int key = 0; key < 1000; key++)
        has[f4p_tui_action(key)] = true;
    for (int action = F4P_ACT_NONE + 1; action < F4P_ACT_COUNT; action++)
        ck_assert_msg(has[action], "action %d has no key", action);
    ck_assert(!owners('~'));
    ck_assert(!owners(0));
}
END_TEST

START_TEST(test_keys_no_character_stands_twice)
{
    size_t count;
    const struct f4p_key_line *lines = f4p_tui_key_lines(&count);
    for (size_t i = 0; i < count; i++)
        for (const char *at = lines[i].keys; *at;) {
            size_t bytes = strcspn(at, " ");
            if (bytes == 1)
                ck_assert_msg(f4p_tui_action((unsigned char)*at) == lines[i].action, "%c has two meanings", *at);
            if (bytes == 2 && *at == '^')
                ck_assert_msg(f4p_tui_action(at[1] & 31) == lines[i].action, "^%c has two meanings", at[1]);
            at += bytes;
            at += *at == ' ';
        }
}
END_TEST

/* man/fil4prod-analyze.1 holds the list between two comments. F4P_WRITE_KEYS=FILE writes it. */
START_TEST(test_keys_are_in_the_manual)
{
    static char list[16384], page[262144];
    const char *write_to = getenv("F4P_WRITE_KEYS");
    size_t bytes = f4p_tui_keys_mdoc(list, sizeof list);
    ck_assert_uint_lt(bytes, sizeof list);
    ck_assert_uint_eq(bytes, strlen(list));
    FILE *file = fopen(write_to ? write_to : "man/fil4prod-analyze.1", write_to ? "w" : "r");
    ck_assert_ptr_nonnull(file);
    if (write_to) {
        fputs(list, file);
    } else {
        page[fread(page, 1, sizeof page - 1, file)] = '\0';
        ck_assert_msg(strstr(page, list) != NULL, "the manual's keys differ from the program's");
    }
    fclose(file);
}
END_TEST

START_TEST(test_search_minds_capitals_only_if_there_are)
{
    ck_assert(f4p_text_has("etl.py:14 Cache.put", "cache"));
    ck_assert(f4p_text_has("etl.py:14 Cache.put", "Cache"));
    ck_assert(!f4p_text_has("etl.py:14 cache.put", "Cache"));
    ck_assert(!f4p_text_has("etl.py:14 cache.put", "cachet"));
}
END_TEST

/* ---- a table of two rows ---- */

static const struct f4p_column columns[] = {
    {"bytes", "bytes", 8, 0, true, false},
    {"name", "name", 0, 0, false, false},
};

static void cell_of(void *context, size_t row, size_t column, struct f4p_cell *cell)
{
    const char *const *names = context;
    if (column == 1) {
        snprintf(cell->text, sizeof cell->text, "%s", names[row]);
        return;
    }
    cell->number = 1000.0 * (double)(row + 1);
    cell->has_number = true;
    snprintf(cell->text, sizeof cell->text, "%zuK", row + 1);
}

static void export_as(const char *ending, const char *expected)
{
    static const char *const names[] = {"a \"quoted\", name\n", "\xe5\xa4\x89\x1b[2J"};
    struct f4p_table table = {.name = "test", .columns = columns, .column_count = 2, .rows = 2, .cell = cell_of};
    char path[64], said[256], got[1024];
    table.context = (void *)(uintptr_t)names;
    snprintf(path, sizeof path, "/tmp/f4p-export-%d%s", (int)getpid(), ending);
    ck_assert_int_eq(f4p_export_table(&table, "a title", path, said, sizeof said), 0);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    ck_assert_int_eq(f4p_export_table(&table, "a title", path, said, sizeof said), -1); /* it exists now */
    ck_assert_ptr_nonnull(strstr(said, "exists"));
    unlink(path);
    ck_assert_str_eq(got, expected);
}

START_TEST(test_export_makes_names_harmless)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    export_as(".txt", "a title\n\n   bytes name\n      1K a \"quoted\", name\\x0a\n      2K 変\\x1b[2J\n");
    export_as(".csv", "bytes,name\r\n1000,\"a \"\"quoted\"\", name\\x0a\"\r\n2000,\"変\\x1b[2J\"\r\n");
}
END_TEST

START_TEST(test_browser_keeps_the_row_by_its_id)
{
    struct f4p_table table = {.columns = columns, .column_count = 2, .rows = 5};
    struct f4p_browser browser = {.table = table};
    ck_assert(f4p_browser_act(&browser, F4P_ACT_LAST));
    ck_assert_uint_eq(browser.cursor, 4);
    browser.table.rows = 2;
    f4p_browser_changed(&browser);
    ck_assert_uint_eq(browser.cursor, 1);
    browser.table.rows = 0;
    f4p_browser_changed(&browser);
    ck_assert_uint_eq(browser.cursor, 0);
    ck_assert(f4p_browser_act(&browser, F4P_ACT_DOWN));
    ck_assert_uint_eq(browser.cursor, 0);
    ck_assert(!f4p_browser_find(&browser, "x", true, false));
    ck_assert(!f4p_browser_click(&browser, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tui_keys");
    TCase *tests = tcase_create("keys");
    tcase_add_test(tests, test_keys_every_action_has_a_key);
    tcase_add_test(tests, test_keys_no_character_stands_twice);
    tcase_add_test(tests, test_keys_are_in_the_manual);
    tcase_add_test(tests, test_search_minds_capitals_only_if_there_are);
    tcase_add_test(tests, test_export_makes_names_harmless);
    tcase_add_test(tests, test_browser_keeps_the_row_by_its_id);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
