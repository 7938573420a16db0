/* What the cost of samples says of the interval: when it gets coarser, by how much, and when finer again. */
#include <check.h>
#include <stdlib.h>

#include "recorder/budget.h"
#include "tests/support_run.h"

#define MS 1000000ull
#define PERMILLE 10
#define NS 15000 /* per sample: 1.92 ms per decision, which 192 ms of CPU time allow */
#define DECISION_NS ((int64_t)NS * F4P_BUDGET_SAMPLES)

/* A process that has used as much CPU time as time went by. */
struct run {
    struct f4p_budget budget;
    uint64_t now_ns;
};

static struct run begin(void)
{
    struct run run = {.now_ns = 5};
    f4p_budget_start(&run.budget, run.now_ns, run.now_ns);
    return run;
}

/* The samples of one decision: in `ms` of CPU time on `cpus`, each at a cost of `ns`. */
static int decide_on(struct run *run, uint64_t ms, uint64_t cpus, uint64_t ns)
{
    uint64_t wall_ns = ms * MS / cpus, cpu_ns = run->budget.start_cpu_ns + ms * MS;

    for (unsigned i = 1; i < F4P_BUDGET_SAMPLES; i++) {
        ck_assert(!f4p_budget_due(&run->budget));
        ck_assert_int_eq(f4p_budget_sample(&run->budget, ns - F4P_BUDGET_AFTER_NS, run->now_ns, 0, PERMILLE), 0);
    }
    ck_assert(f4p_budget_due(&run->budget));
    run->now_ns += wall_ns;
    return f4p_budget_sample(&run->budget, ns - F4P_BUDGET_AFTER_NS, run->now_ns, cpu_ns, PERMILLE);
}

static int decide(struct run *run, uint64_t ms, uint64_t ns)
{
    return decide_on(run, ms, 1, ns);
}

static void use_up_credit(struct run *run)
{
    while (run->budget.credit_ns > 0)
        decide(run, 10, NS);
}

START_TEST(test_budget_credit)
{
    struct run run = begin();
    ck_assert_int_eq(decide(&run, 100, NS), 0);
    ck_assert_int_eq(run.budget.credit_ns, F4P_BUDGET_START_NS - DECISION_NS + 1000000);
    ck_assert_int_eq(decide(&run, 100, NS), 1);
    ck_assert_int_lt(run.budget.credit_ns, 0);
}
END_TEST

START_TEST(test_budget_steps)
{
    struct run run = begin();
    use_up_credit(&run);
    ck_assert_int_eq(decide(&run, 1, NS), 2);
    ck_assert_int_eq(decide(&run, 48, NS), 2); /* a quarter of what it cost: two steps do */
    ck_assert_int_eq(decide(&run, 49, NS), 1);
    ck_assert_int_eq(decide(&run, 191, NS), 1);
}
END_TEST

static void fall_into_debt(struct run *run)
{
    for (int i = 0; i < 5; i++)
        decide(run, 1, NS);
    ck_assert_int_eq(run->budget.credit_ns, -F4P_BUDGET_CREDIT_NS);
}

/* A debt is paid with the interval that it has, once half of the budget is left. */
START_TEST(test_budget_debt)
{
    struct run run = begin();
    fall_into_debt(&run);
    ck_assert_int_eq(decide(&run, 383, NS), 1);
    fall_into_debt(&run);
    ck_assert_int_eq(decide(&run, 384, NS), 0);
    ck_assert_int_lt(run.budget.credit_ns, 0);
    ck_assert_int_eq(decide(&run, 1000, NS), -1); /* all paid, and all saved */
    ck_assert_int_eq(run.budget.credit_ns, F4P_BUDGET_CREDIT_NS);
}
END_TEST

START_TEST(test_budget_ceiling)
{
    struct run run = begin(), control = begin();
    decide(&run, 1, 100 * MS);
    ck_assert_int_eq(run.budget.credit_ns, -F4P_BUDGET_CREDIT_NS);
    f4p_budget_spend(&control.budget, F4P_BUDGET_CEILING_NS + 1);
    ck_assert_uint_eq(control.budget.cost_ns, F4P_BUDGET_CEILING_NS);
}
END_TEST

/* Of eight CPUs at most. */
START_TEST(test_budget_cpus)
{
    struct run run = begin(), control = begin();
    ck_assert_int_eq(decide_on(&run, 192, 8, NS), 0);
    ck_assert_int_eq(run.budget.credit_ns, F4P_BUDGET_START_NS);
    ck_assert_int_eq(decide_on(&control, 192, 16, NS), 0);
    ck_assert_int_eq(control.budget.credit_ns, F4P_BUDGET_START_NS - DECISION_NS / 2);
}
END_TEST

/* A decision without CPU time is put off to the next sample. */
START_TEST(test_budget_waits)
{
    struct run run = begin();
    for (unsigned i = 0; i < 10 * F4P_BUDGET_SAMPLES; i++)
        ck_assert_int_eq(f4p_budget_sample(&run.budget, MS, run.now_ns, 0, PERMILLE), 0);
    ck_assert_int_eq(f4p_budget_sample(&run.budget, MS, run.now_ns + 1, run.now_ns + 1, PERMILLE), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tests = tcase_create("budget");
    tcase_add_test(tests, test_budget_credit);
    tcase_add_test(tests, test_budget_steps);
    tcase_add_test(tests, test_budget_debt);
    tcase_add_test(tests, test_budget_ceiling);
    tcase_add_test(tests, test_budget_cpus);
    tcase_add_test(tests, test_budget_waits);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
