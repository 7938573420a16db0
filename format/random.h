/* Random numbers of the sampler and of thinning: splitmix64 (Steele, Lea, Flood 2014). */
#ifndef FIL4PROD_RANDOM_H
#define FIL4PROD_RANDOM_H

#include <stdint.h>

/** Next number; any seed will do. */
static inline uint64_t f4p_random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/** Uniform in [0, 1). */
static inline double f4p_random_unit(uint64_t *state)
{
    return (double)(f4p_random_next(state) >> 11) * 0x1p-53;
}

#endif
