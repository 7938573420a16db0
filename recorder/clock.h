/* Clocks in nanoseconds. */
#ifndef FIL4PROD_CLOCK_H
#define FIL4PROD_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t f4p_clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
