/*
 * The CPU budget: what samples, their frees and looks at the process (recorder/look.h) may cost, as a share of the CPU
 * time that the process uses, and what their cost so far says of the interval. Under the session's lock but for _due().
 */
#ifndef FIL4PROD_BUDGET_H
#define FIL4PROD_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define F4P_BUDGET_SAMPLES 128u       /* per decision */
#define F4P_BUDGET_START_NS 1000000   /* credit at the start: short jobs get fine samples */
#define F4P_BUDGET_CREDIT_NS 2000000  /* saved up at most, and owed */
#define F4P_BUDGET_CEILING_NS 128000u /* of one sample: what takes longer was another's turn on the CPU */
#define F4P_BUDGET_AFTER_NS 12000u    /* of each sample besides: what it and its free push out of caches, amply */

/* Private. Of the time since the last decision, but for the credit. */
struct f4p_budget {
    uint64_t samples; /* atomic */
    uint64_t start_ns, start_cpu_ns, cost_ns;
    int64_t credit_ns; /* below 0: a debt */
};

/** From now on, with the credit of a start. `cpu_ns`, here and below: CPU time of the process. */
void f4p_budget_start(struct f4p_budget *b, uint64_t now_ns, uint64_t cpu_ns);

/** A sample or its free took `ns` of wall time. */
void f4p_budget_spend(struct f4p_budget *b, uint64_t ns);

/** Whether the next sample needs `cpu_ns`. */
bool f4p_budget_due(const struct f4p_budget *b);

/**
 * After each sample, which took `ns`. `cpu_ns` may be 0 where it was not due, `permille` is of CPU time.
 * Returns by how many steps the interval shall get coarser; -1: finer, if there is room for that.
 */
int f4p_budget_sample(struct f4p_budget *b, uint64_t ns, uint64_t now_ns, uint64_t cpu_ns, uint64_t permille);

#endif
