/* What the programs that drive the writer share: a trace file of their own, sites with stacks, a clock. */
#ifndef FIL4PROD_BENCH_SUPPORT_H
#define FIL4PROD_BENCH_SUPPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/writer.h"

struct f4p_bench {
    struct f4p_writer w;
    uint32_t *sites; /* site_count of them */
    uint32_t site_count;
    uint64_t random;
    uint64_t t_ns; /* time of the last op */
    uint64_t next_address;
    uint32_t *live; /* indices of live entries that f4p_bench_alloc() made */
    uint32_t live_count;
};

uint64_t f4p_bench_now(void);
uint64_t f4p_bench_random(struct f4p_bench *b);

/** A trace in a new file `path` (NULL: anonymous memory), with `sites` sites of 12 frames of Python code. Exits on
 * error.
 */
void f4p_bench_open(struct f4p_bench *b, const char *path, uint64_t file_bytes, uint64_t interval, uint32_t sites);
void f4p_bench_close(struct f4p_bench *b);

/** One op each, at time b->t_ns. `free` and `move` take a random block. */
void f4p_bench_alloc(struct f4p_bench *b);
void f4p_bench_free(struct f4p_bench *b);
void f4p_bench_move(struct f4p_bench *b);

#endif
