#include "weight.h"

#include <string.h>

#define LN2_HI 6.93147180369123816490e-01 /* fdlibm's split of ln 2: the high part has 21 trailing zero bits */
#define LN2_LO 1.90821492927058770002e-10

static double from_bits(uint64_t bits)
{
    double d;
    memcpy(&d, &bits, 8);
    return d;
}

/* (1 - exp(-x)) / x for 0 <= x <= 0.5, by its Taylor series: 1 - x/2! + x^2/3! - ... */
static double one_minus_exp_over_x(double x)
{
    double sum = 0;
    for (int n = 14; n >= 1; n--)
        sum = (1 - x * sum) / n; /* ends as 1/1 (1 - x/2 (1 - x/3 (...))) */
    return sum;
}

double f4p_exp_neg(double x)
{
    if (!(x < 700))
        return 0;
    /* exp(-x) = 2^-k exp(-r), r in [0, ln 2) */
    uint64_t k = (uint64_t)(x * 1.44269504088896338700);
    double r = x - (double)k * LN2_HI - (double)k * LN2_LO;
    double half = 1 - r / 2 * one_minus_exp_over_x(r / 2);
    return half * half * from_bits((1023 - k) << 52);
}

double f4p_neg_log(double u)
{
    uint64_t bits;
    memcpy(&bits, &u, 8);
    int exponent = (int)(bits >> 52) - 1023;
    double m = from_bits((bits & 0xfffffffffffffull) | 1023ull << 52); /* in [1, 2) */
    if (m > 1.41421356237309504880) {
        m /= 2;
        exponent++;
    }
    /* ln m = 2 atanh((m - 1) / (m + 1)), |s| <= 0.172 */
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int n = 19; n >= 1; n -= 2)
        sum = 1.0 / n + s2 * sum;
    return -(exponent * LN2_HI + (2 * s * sum + exponent * LN2_LO));
}

double f4p_sample_probability(uint64_t size, uint64_t interval)
{
    if (interval <= 1)
        return 1;
    double x = (double)size / (double)interval;
    return x <= 0.5 ? x * one_minus_exp_over_x(x) : 1 - f4p_exp_neg(x);
}

/* To nearest; what does not fit 64 bits (intervals beyond all use, or made-up traces) stays at their limit. */
static uint64_t rounded(double value)
{
    return value + 0.5 < 0x1p64 ? (uint64_t)(value + 0.5) : UINT64_MAX;
}

struct f4p_sums f4p_sample_weight(uint64_t size, uint64_t interval)
{
    if (interval <= 1)
        return (struct f4p_sums){.bytes = size * F4P_Q8, .blocks = F4P_Q8, .samples = 1};
    if (size == 0) /* stands for nothing: it has no bytes to be hit */
        return (struct f4p_sums){.samples = 1};

    double x = (double)size / (double)interval;
    if (x > 60) /* 1 - p < 1e-26: the size is exact */
        return (struct f4p_sums){.bytes = size * F4P_Q8, .blocks = F4P_Q8, .samples = 1};
    double p = f4p_sample_probability(size, interval);
    double q = x <= 0.5 ? 1 - p : f4p_exp_neg(x);
    double w = (double)size / p;
    return (struct f4p_sums){
        .bytes = rounded(w * F4P_Q8),
        .variance = rounded(w * w * q / 256),
        .blocks = rounded(F4P_Q8 / p),
        .samples = 1,
    };
}
