#include "budget.h"

#include "look.h"

#define LOCK_CPUS 8u  /* beyond that many at once samples would wait for each other */
#define LOOKS_PART 2u /* of the budget, at most: looks come behind many samples at once, it pays by and by */

static void begin(struct f4p_budget *b, uint64_t now_ns, uint64_t cpu_ns)
{
    b->start_ns = now_ns;
    b->start_cpu_ns = cpu_ns;
    b->cost_ns = 0;
    __atomic_store_n(&b->samples, 0, __ATOMIC_RELAXED);
}

void f4p_budget_start(struct f4p_budget *b, uint64_t now_ns, uint64_t cpu_ns)
{
    b->credit_ns = F4P_BUDGET_START_NS;
    begin(b, now_ns, cpu_ns);
}

void f4p_budget_spend(struct f4p_budget *b, uint64_t ns)
{
    b->cost_ns += ns < F4P_BUDGET_CEILING_NS ? ns : F4P_BUDGET_CEILING_NS;
}

bool f4p_budget_due(const struct f4p_budget *b)
{
    return __atomic_load_n(&b->samples, __ATOMIC_RELAXED) + 1 >= F4P_BUDGET_SAMPLES;
}

/* What the time since the last decision allows; looks are paid out of it. */
static uint64_t left_for_samples(const struct f4p_budget *b, uint64_t now_ns, uint64_t cpu_ns, uint64_t permille)
{
    uint64_t most_ns = LOCK_CPUS * (now_ns - b->start_ns), ran_ns = cpu_ns - b->start_cpu_ns;
    uint64_t budget_ns = (ran_ns < most_ns ? ran_ns : most_ns) * permille / 1000;
    return budget_ns - f4p_look_pay(budget_ns / LOOKS_PART);
}

int f4p_budget_sample(struct f4p_budget *b, uint64_t ns, uint64_t now_ns, uint64_t cpu_ns, uint64_t permille)
{
    f4p_budget_spend(b, ns + F4P_BUDGET_AFTER_NS);
    uint64_t samples = __atomic_add_fetch(&b->samples, 1, __ATOMIC_RELAXED);
    if (samples < F4P_BUDGET_SAMPLES || cpu_ns <= b->start_cpu_ns)
        return 0;

    uint64_t budget_ns = left_for_samples(b, now_ns, cpu_ns, permille);
    int64_t credit = b->credit_ns + (int64_t)budget_ns - (int64_t)b->cost_ns;
    credit = credit < F4P_BUDGET_CREDIT_NS ? credit : F4P_BUDGET_CREDIT_NS;
    /* a stall must not cost precision for long */
    b->credit_ns = credit > -F4P_BUDGET_CREDIT_NS ? credit : -F4P_BUDGET_CREDIT_NS;
    bool pays = b->cost_ns <= budget_ns / 2;      /* a debt, with this interval */
    int up = b->cost_ns >= 4 * budget_ns ? 2 : 1; /* one would not do */
    int steps = credit < 0 && !pays ? up : credit == F4P_BUDGET_CREDIT_NS ? -1 : 0;
    begin(b, now_ns, cpu_ns);
    return steps;
}
