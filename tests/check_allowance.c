/* What a process may spend on looking at itself: a share of the time it runs or sleeps, not of that it stands in line.
 */
#include <check.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/allowance.h"
#include "recorder/session.h"
#include "tests/support_run.h"

#define SECOND 1000000000ull
#define SHARE 400

/* A child's session is a new one. */
static void begin(void)
{
    f4p_session.generation++;
}

START_TEST(test_allowance_first)
{
    struct f4p_allowance a = {0}, estimated = {0};
    begin();
    ck_assert(f4p_allowance_left(&a, 0, 1)); /* nothing is owed yet */
    ck_assert_uint_eq(f4p_allowance_spend(&a, 3000), 6000);
    ck_assert(!f4p_allowance_left(&a, 0, 1));
    begin();
    ck_assert(f4p_allowance_left(&a, 0, 1));
    ck_assert(!f4p_allowance_left(&estimated, SECOND, 2 * SHARE * SECOND - 1)); /* that is saved up for */
}
END_TEST

/* A second of CPU time, charged as its double. Each question its own allowance: answers hold for a while. */
static bool left_at(uint64_t now)
{
    struct f4p_allowance a = {0};
    begin();
    ck_assert(f4p_allowance_left(&a, 0, 0));
    ck_assert_uint_eq(f4p_allowance_spend(&a, SECOND), 2 * SECOND);
    return f4p_allowance_left(&a, 0, now);
}

START_TEST(test_allowance_share)
{
    ck_assert(!left_at(2 * SHARE * SECOND - 1));
    ck_assert(left_at((2 * SHARE + 60) * SECOND)); /* however long it stood in line meanwhile */
}
END_TEST

/* No answer changes before it is asked for again: at the rate so far. */
START_TEST(test_allowance_asks_seldom)
{
    struct f4p_allowance a = {0};
    begin();
    f4p_allowance_left(&a, 0, 0);
    f4p_allowance_spend(&a, SECOND);
    ck_assert(!f4p_allowance_left(&a, 0, 100 * SECOND));
    ck_assert_uint_ge(a.ask_ns, 2 * SHARE * SECOND - SECOND);
    ck_assert_uint_lt(a.ask_ns, 4 * SHARE * SECOND);
    ck_assert(!f4p_allowance_left(&a, 0, a.ask_ns - 1));
    ck_assert(f4p_allowance_left(&a, 0, 4 * SHARE * SECOND));
}
END_TEST

static bool line_known(void)
{
    return access("/proc/thread-self/schedstat", R_OK) == 0;
}

static uint64_t line_ns(void)
{
    unsigned long long ns = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*u %llu", &ns), 1);
    fclose(file);
    return ns;
}

static bool stay_on_one_cpu(void)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        return false;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
            return sched_setaffinity(0, sizeof(one), &one) == 0;
        }
    return false;
}

START_TEST(test_allowance_line)
{
    struct f4p_allowance a = {0}, control = {0};
    volatile uint64_t work = 0;
    pid_t others[3];

    if (!line_known() || !stay_on_one_cpu()) {
        printf("SKIP allowance_line: no schedstat, or no CPU to choose\n");
        return;
    }
    begin();
    ck_assert(f4p_allowance_left(&a, 0, 0));
    f4p_allowance_spend(&a, SECOND);
    uint64_t before = line_ns();
    for (int i = 0; i < 3; i++)
        if (!(others[i] = fork()))
            for (;;)
                work++;
    while (line_ns() - before < SECOND / 5)
        work++;
    uint64_t delay = line_ns() - before;
    for (int i = 0; i < 3; i++) {
        kill(others[i], SIGKILL);
        waitpid(others[i], NULL, 0);
    }
    ck_assert(!f4p_allowance_left(&a, 0, 2 * SHARE * SECOND + delay - SECOND / 10));
    begin(); /* control: as much time, but what was stood in line before does not count */
    ck_assert(f4p_allowance_left(&control, 0, 0));
    f4p_allowance_spend(&control, SECOND);
    ck_assert(f4p_allowance_left(&control, 0, 2 * SHARE * SECOND + delay - SECOND / 10));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("allowance");
    TCase *tests = tcase_create("allowance");
    tcase_add_test(tests, test_allowance_first);
    tcase_add_test(tests, test_allowance_share);
    tcase_add_test(tests, test_allowance_asks_seldom);
    tcase_add_test(tests, test_allowance_line);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
