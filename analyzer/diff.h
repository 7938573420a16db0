/*
 * How sure a change between two instants is. Most samples of two heaps of one run are the same ones, and what they are
 * off by is off at both instants: it cancels. Taking both heaps for independent makes the error bars of a change many
 * times too wide.
 *
 * A block live at both instants t1 < t2, sampled with p1 at t1 and, thinned meanwhile, p2 <= p1 at t2, adds to the
 * change an error of variance S^2 (1/p2 - 1/p1), nothing if it was not thinned; one that came adds S^2 (1/p2 - 1), one
 * that went S^2 (1/p1 - 1). So, with V1 and V2 the variances of the two heaps and C that of the blocks live at both, at
 * p1,
 *
 *     Var(change) = V1 + V2 - 2 C.
 *
 * The trace does not say of each block that was freed when it had been allocated, so C is not known but bounded from
 * below, by the larger of two, per entry:
 *
 *   - what is live at the end and was allocated before t1 (the live table has the times), and
 *   - V1 less all that was freed in between, if the history has every op from t1 to t2: a block that came and went
 *     between counts as if it had been there at t1.
 *
 * Where t2 is the end, or nothing was freed in between, or what was freed is older than t1, this is exact; otherwise
 * the variance is too large by up to twice that of the freed blocks that had come after t1, and never larger than V1 +
 * V2. Never less than |V2 - V1|, which is what the formula cannot be below.
 */
#ifndef FIL4PROD_DIFF_H
#define FIL4PROD_DIFF_H

#include "model.h"

/** Variance of the change of each entry from one heap to the other, bytes^2, by entry id; free() it. Heaps of different
 * runs share nothing: V1 + V2. NULL: no memory. */
double *f4p_diff_variances(const struct f4p_model *model, const struct f4p_heap *before, const struct f4p_heap *after);

/** The same of the sum over all entries; -1: no memory. */
double f4p_diff_variance(const struct f4p_model *model, const struct f4p_heap *before, const struct f4p_heap *after);

#endif
