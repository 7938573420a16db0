/* The Poisson sampler's gaps: the bytes between two samples are exponential with mean R, so that a block of S bytes
 * holds the end of a gap, and is the sample, with p(S) = 1 - exp(-S/R), whatever came before it. */
#ifndef FIL4PROD_GAP_H
#define FIL4PROD_GAP_H

#include <stdint.h>

/** Bytes to the next sample: the block with size >= the bytes that are left is it. 0, each block, if interval <= 1. */
uint64_t f4p_gap_next(uint64_t *random, uint64_t interval);

#endif
