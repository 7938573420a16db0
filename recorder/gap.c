#include "gap.h"

#include "format/random.h"
#include "format/weight.h"

uint64_t f4p_gap_next(uint64_t *random, uint64_t interval)
{
    if (interval <= 1)
        return 0;
    double u = 1 - f4p_random_unit(random); /* (0, 1] */
    return (uint64_t)(f4p_neg_log(u) * (double)interval) + 1;
}
