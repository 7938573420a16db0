/* Names of traces and families, lists of names, secrets in command lines. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "recorder/names.h"
#include "recorder/redact.h"
#include "tests/support_run.h"

static const struct f4p_names_facts facts = {4711, 1795319086, "node-7", "/usr/bin/python3.11"};

static const char *expanded(const char *pattern, const struct f4p_names_facts *with)
{
    static char name[PATH_MAX];
    ck_assert_msg(f4p_names_expand(name, sizeof(name), pattern, with) == 0, "%s", pattern);
    return name;
}

START_TEST(test_names_expand)
{
    ck_assert_str_eq(expanded("/d/etl.bin", &facts), "/d/etl.bin");
    ck_assert_str_eq(expanded("%p", &facts), "4711");
    ck_assert_str_eq(expanded("%h-%c.%p.100%%", &facts), "node-7-python3.11.4711.100%");
    ck_assert_str_eq(expanded("%%p%%%p", &facts), "%p%4711");
    ck_assert_str_eq(expanded("", &facts), "");
}
END_TEST

/* The date against the C library's, each day of some centuries and each second of a day. */
START_TEST(test_names_time)
{
    struct f4p_names_facts at = facts;
    char want[32];
    for (int i = 0; i < 200000; i++) {
        time_t t = i < 100000 ? (time_t)i * 86400 + i % 86400 : 1795305600 + i - 100000;
        struct tm tm;
        at.start_s = (uint64_t)t;
        strftime(want, sizeof(want), "%Y%m%dT%H%M%S", gmtime_r(&t, &tm));
        ck_assert_str_eq(expanded("%t", &at), want);
    }
}
END_TEST

START_TEST(test_names_are_harmless)
{
    struct f4p_names_facts bad = {1, 0, "../../etc", "sh"};
    ck_assert_str_eq(expanded("/t/%h", &bad), "/t/_._.._etc");
    bad.host = "";
    ck_assert_str_eq(expanded("/t/%h", &bad), "/t/_");
    bad.command = "a/b/-\x1b]0;x\n y";
    ck_assert_str_eq(expanded("%c", &bad), "__]0;x__y");
    bad.command = "..";
    ck_assert_str_eq(expanded("%c", &bad), "_.");
    bad.command = "%p";
    ck_assert_str_eq(expanded("%c", &bad), "%p"); /* not once more */
}
END_TEST

START_TEST(test_names_bad_patterns)
{
    static const char *const bad[] = {"%", "a%", "%x", "%P", "%%%", "%p%q", "% p", "%-p", "%pid%"};
    char name[64];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_msg(!f4p_names_valid(bad[i]), "%s", bad[i]);
        ck_assert_int_eq(f4p_names_expand(name, sizeof(name), bad[i], &facts), -EINVAL);
        ck_assert(!f4p_names_family(bad[i], "a"));
    }
    ck_assert(f4p_names_valid("%p%h%t%c%%"));
    ck_assert(f4p_names_has("a%%%p", 'p'));
    ck_assert(!f4p_names_has("a%%p", 'p'));
    ck_assert(!f4p_names_has("%", 'p'));
}
END_TEST

/* Whatever the room, nothing is written beyond it and the text ends. */
START_TEST(test_names_room)
{
    char whole[PATH_MAX], cut[PATH_MAX];
    strcpy(whole, expanded("%h-%c-%t-%p-%%-tail", &facts));
    for (size_t room = 1; room <= strlen(whole) + 1; room++) {
        memset(cut, 'x', sizeof(cut));
        int result = f4p_names_expand(cut, room, "%h-%c-%t-%p-%%-tail", &facts);
        ck_assert_int_eq(result, room > strlen(whole) ? 0 : -ENAMETOOLONG);
        ck_assert_uint_eq(strlen(cut), room - 1);
        ck_assert(strncmp(cut, whole, room - 1) == 0);
        ck_assert_int_eq(cut[room], 'x');
    }
}
END_TEST

START_TEST(test_names_append)
{
    char name[12] = "a";
    ck_assert_int_eq(f4p_names_append(name, sizeof(name), 0), 0);
    ck_assert_str_eq(name, "a.0");
    ck_assert_int_eq(f4p_names_append(name, sizeof(name), 1234567), 0);
    ck_assert_str_eq(name, "a.0.1234567");
    ck_assert_int_eq(f4p_names_append(name, sizeof(name), 1), -ENAMETOOLONG);
    ck_assert_str_eq(name, "a.0.1234567");
}
END_TEST

START_TEST(test_names_absolute)
{
    char start[PATH_MAX], directory[] = "/tmp/f4p-%p.XXXXXX", path[PATH_MAX], want[PATH_MAX];
    ck_assert_ptr_nonnull(getcwd(start, sizeof(start)));
    ck_assert_int_eq(f4p_names_absolute(path, sizeof(path), "/a/%p"), 0);
    ck_assert_str_eq(path, "/a/%p");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(f4p_names_absolute(path, sizeof(path), "t"), 0);
    ck_assert_str_eq(path, "/t");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    ck_assert_int_eq(f4p_names_absolute(path, sizeof(path), "t.%p"), 0);
    snprintf(want, sizeof(want), "/tmp/f4p-%%%%p.%s/t.%%p", directory + 12);
    ck_assert_str_eq(path, want);
    snprintf(want, sizeof(want), "%s/t.4711", directory);
    ck_assert_str_eq(expanded(path, &facts), want);
    for (size_t room = 1; room < strlen(path) + 1; room++)
        ck_assert_int_eq(f4p_names_absolute(want, room, "t.%p"), -ENAMETOOLONG);
    ck_assert_int_eq(chdir(start), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(test_names_family)
{
    static const struct {
        const char *pattern, *name;
        bool member;
    } cases[] = {
        {"/d/etl.bin", "etl.bin", true},
        {"/d/etl.bin", "etl.bin.1", true},
        {"/d/etl.bin", "etl.bin.1.4711", true},
        {"/d/etl.bin", "etl.bin.old", false},
        {"/d/etl.bin", "etl.bin.1x", false},
        {"/d/etl.bin", "etl.bin.", false},
        {"/d/etl.bin", "etl.bin..1", false},
        {"/d/etl.bin", "etl2.bin", false},
        {"/d/etl.bin", "etl.bi", false},
        {"/d/etl.bin", "", false},
        {"etl.%p.bin", "etl.4711.bin", true},
        {"etl.%p.bin", "etl.4711.bin.2", true},
        {"etl.%p.bin", "etl..bin", false},
        {"etl.%p.bin", "etl.47x1.bin", false},
        {"%p", "4711", true},
        {"%p%p", "47", true},
        {"%p%p", "4", false},
        {"%c-%t-%p", "python3.11-20261122T034045-7", true},
        {"%c-%t-%p", "a-b-c-20261122T034045-7.3", true},
        {"%c-%t-%p", "-20261122T034045-7", false},
        {"%h/%c.bin", "sh.bin", true},
        {"/x/%h%%.bin", "n%.bin", true},
        {"/x/%h%%.bin", "n.bin", false},
        {"/x/", "", false},
        {"%%p", "%p", true},
        {"%%p", "47", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_msg(f4p_names_family(cases[i].pattern, cases[i].name) == cases[i].member, "%s: %s", cases[i].pattern,
                      cases[i].name);
}
END_TEST

/* What a pattern gives belongs to its family, with and without suffix; another letter in it mostly does not. */
START_TEST(test_names_family_of_expansion)
{
    static const char *const parts[] = {"%p", "%h", "%t", "%c", "%%", "a", ".1", "-"};
    char pattern[64], name[PATH_MAX];
    for (unsigned i = 0; i < 8 * 8 * 8 * 8; i++) {
        snprintf(pattern, sizeof(pattern), "%s%s%s%s", parts[i & 7], parts[i >> 3 & 7], parts[i >> 6 & 7],
                 parts[i >> 9]);
        strcpy(name, expanded(pattern, &facts));
        ck_assert_msg(f4p_names_family(pattern, name), "%s: %s", pattern, name);
        ck_assert_int_eq(f4p_names_append(name, sizeof(name), i), 0);
        ck_assert_msg(f4p_names_family(pattern, name), "%s: %s", pattern, name);
        strcat(name, "/");
        if (!f4p_names_has(pattern, 'h') && !f4p_names_has(pattern, 'c'))
            ck_assert_msg(!f4p_names_family(pattern, name), "%s: %s", pattern, name);
    }
}
END_TEST

/* A hostile name costs no more than pattern x name steps: a backtracking matcher would not come back. */
START_TEST(test_names_family_is_bounded)
{
    char pattern[NAME_MAX + 1] = "", name[NAME_MAX + 1];
    for (int i = 0; i < 60; i++)
        strcat(pattern, "%c1");
    strcat(pattern, "x");
    memset(name, '1', NAME_MAX);
    name[NAME_MAX] = 0;
    for (int i = 0; i < 100; i++)
        ck_assert(!f4p_names_family(pattern, name));
    name[NAME_MAX - 1] = 'x';
    ck_assert(f4p_names_family(pattern, name));
}
END_TEST

static bool listed(const char *list, const char *word)
{
    return f4p_names_listed(list, word, strlen(word), false);
}

START_TEST(test_names_listed)
{
    ck_assert(listed("python3", "python3"));
    ck_assert(listed("a,,python*,b", "python3.11"));
    ck_assert(listed("*", ""));
    ck_assert(listed("py?hon*1?", "python3.11x1y"));
    ck_assert(listed("*a*b*c", "xxaxxbxxbxc"));
    ck_assert(!listed("", ""));
    ck_assert(!listed("", "sh"));
    ck_assert(!listed("python", "python3"));
    ck_assert(!listed("python3", "python"));
    ck_assert(!listed("Python3", "python3"));
    ck_assert(!listed("*a*b*c", "xxaxxbxxbx"));
    ck_assert(f4p_names_listed("API-Key", "api_KEY", 7, true));
    ck_assert(!f4p_names_listed("API-Key", "api_KEY", 7, false));
}
END_TEST

/* ---- secrets ---- */

/* Strings are separated by | here. */
static const char *redacted(const char *list, const char *more)
{
    static char from[512], to[512];
    size_t bytes = strlen(list) + 1;
    strcpy(from, list);
    for (size_t i = 0; i < bytes; i++)
        if (from[i] == '|')
            from[i] = 0;
    size_t used = f4p_redact(to, sizeof(to), from, bytes, more);
    ck_assert_int_eq(to[used - 1], 0);
    for (size_t i = 0; i + 1 < used; i++)
        if (!to[i])
            to[i] = '|';
    return to;
}

START_TEST(test_redact_values)
{
    static const char *const cases[][2] = {
        {"p|--password|hunter2|-v", "p|--password|***|-v"},
        {"p|--password=hunter2 and more|-v", "p|--password=***|-v"},
        {"p|-api_key=x", "p|-api_key=***"},
        {"p|--db-PASSWORD|x", "p|--db-PASSWORD|***"},
        {"env|PGPASSWORD=x|psql", "env|PGPASSWORD=***|psql"},
        {"sh|-c|run --token abc --day 7", "sh|-c|run --token *** --day 7"},
        {"sh|-c|run --token 'a b' --day 7", "sh|-c|run --token '***' --day 7"},
        {"sh|-c|X=1 PGPASSWORD=x psql -l", "sh|-c|X=1 PGPASSWORD=*** psql -l"},
        {"curl|http://h/?a=1&token=x&b=2", "curl|http://h/?a=1&token=***&b=2"},
        {"curl|-H|Authorization: Bearer x.y", "curl|-H|Authorization: ***"},
        {"p|{\"user\": \"u\", \"password\": \"x y\", \"b\": 1}",
         "p|{\"user\": \"u\", \"password\": \"***\", \"b\": 1}"},
        {"p|postgres://u:x@h:5432/d", "p|postgres://u:***@h:5432/d"},
        {"p|postgres://u:x@y@h/d", "p|postgres://u:***@h/d"},
        {"git|https://ghp_x@github.com/a", "git|https://***@github.com/a"},
        {"p|--token", "p|--token"},
        {"p|--token|", "p|--token|***"},
        {"p|AccountName=a;AccountKey=x==;Suffix=b", "p|AccountName=a;AccountKey=***;Suffix=b"},
        {"p|AWS_SECRET_ACCESS_KEY=x", "p|AWS_SECRET_ACCESS_KEY=***"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_str_eq(redacted(cases[i][0], ""), cases[i][1]);
        ck_assert_str_eq(redacted(cases[i][0], "no"), cases[i][0]);
    }
}
END_TEST

/* What is no secret stays: reports would be of no use without it. */
START_TEST(test_redact_leaves)
{
    static const char *const cases[] = {
        "python3|etl.py|--day|7|--max-tokens|512|--tokenizer|gpt2",
        "p||--|-|=|:|a=b|--x=|://|@",
        "cat|password|secret|token",
        "ssh|git@host:22|ssh://git@host/x",
        "p|http://h:80/a:b@c",
        "p|C:\\d|--bypass|yes|compass|n",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(redacted(cases[i], ""), cases[i]);
}
END_TEST

START_TEST(test_redact_more_names)
{
    ck_assert_str_eq(redacted("p|--pin|1234|--x|2", ""), "p|--pin|1234|--x|2");
    ck_assert_str_eq(redacted("p|--pin|1234|--x|2", "pin,y*"), "p|--pin|***|--x|2");
    ck_assert_str_eq(redacted("p|--token|1|YY=1", "pin,y*"), "p|--token|***|YY=***");
}
END_TEST

/* However little room there is, and wherever the list is cut: terminated, within bounds, and never a secret. */
START_TEST(test_redact_room)
{
    static const char list[] = "p\0--password\0SECRET\0u://a:SECRET@h\0x --token 'SECRET' y\0TOKEN=SECRET";
    char to[sizeof(list) + 64];
    for (size_t bytes = 0; bytes <= sizeof(list); bytes++)
        for (size_t room = 0; room < sizeof(to); room++) {
            memset(to, '#', sizeof(to));
            size_t used = f4p_redact(to, room, list, bytes, "");
            ck_assert_uint_le(used, room);
            ck_assert_int_eq(to[room], '#');
            if (used)
                ck_assert_int_eq(to[used - 1], 0);
            ck_assert_ptr_null(memmem(to, used, "SECRET", 6));
        }
    ck_assert_uint_gt(f4p_redact(to, sizeof(to), list, sizeof(list), "no"), 0);
    ck_assert_ptr_nonnull(memmem(to, sizeof(to), "SECRET", 6)); /* the control */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *names = tcase_create("names"), *redact = tcase_create("redact");

    tcase_add_test(names, test_names_expand);
    tcase_add_test(names, test_names_time);
    tcase_add_test(names, test_names_are_harmless);
    tcase_add_test(names, test_names_bad_patterns);
    tcase_add_test(names, test_names_room);
    tcase_add_test(names, test_names_append);
    tcase_add_test(names, test_names_absolute);
    tcase_add_test(names, test_names_family);
    tcase_add_test(names, test_names_family_of_expansion);
    tcase_add_test(names, test_names_family_is_bounded);
    tcase_add_test(names, test_names_listed);
    tcase_add_test(redact, test_redact_values);
    tcase_add_test(redact, test_redact_leaves);
    tcase_add_test(redact, test_redact_more_names);
    tcase_add_test(redact, test_redact_room);
    tcase_set_timeout(names, 60);
    suite_add_tcase(suite, names);
    suite_add_tcase(suite, redact);
    return support_run(suite);
}
