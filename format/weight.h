/*
 * What a sample stands for. Recorder and reader both compute it from (size, interval), so the arithmetic is our own,
 * free of libm, and gives the same integers everywhere (IEEE double, no contraction, no fast-math).
 *
 * Poisson sampling by bytes: a block of S bytes is picked with p = 1 - exp(-S/R). Horvitz-Thompson: w = S/p estimates
 * without bias, and sum of w^2 (1 - p) over the samples estimates the variance of the sum without bias.
 */
#ifndef FIL4PROD_WEIGHT_H
#define FIL4PROD_WEIGHT_H

#include <stdint.h>

#include "format.h"

/** exp(-x) for x >= 0, relative error below 1e-14. */
double f4p_exp_neg(double x);

/** -ln(u) for 0 < u <= 1, absolute error below 1e-14. */
double f4p_neg_log(double u);

/** p(S): probability that a block of `size` bytes is sampled at `interval` bytes; 1 if interval is 1. */
double f4p_sample_probability(uint64_t size, uint64_t interval);

/** The sums of one sample of `size` bytes taken at `interval` bytes (>= 1), rounded to nearest. */
struct f4p_sums f4p_sample_weight(uint64_t size, uint64_t interval);

/** a += b and a -= b, field by field, modulo 2^64. */
static inline void f4p_sums_add(struct f4p_sums *a, const struct f4p_sums *b)
{
    a->bytes += b->bytes;
    a->variance += b->variance;
    a->blocks += b->blocks;
    a->samples += b->samples;
}

static inline void f4p_sums_sub(struct f4p_sums *a, const struct f4p_sums *b)
{
    a->bytes -= b->bytes;
    a->variance -= b->variance;
    a->blocks -= b->blocks;
    a->samples -= b->samples;
}

#endif
