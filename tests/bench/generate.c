/* Makes a full trace for measuring the analyzer. usage: generate FILE [FILE_BYTES [LIVE [SITES]]] */
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

#define OP_NS 3000

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 64 << 20;
    uint32_t live = argc > 3 ? (uint32_t)atoi(argv[3]) : 160000, sites = argc > 4 ? (uint32_t)atoi(argv[4]) : 60000;
    struct f4p_bench b;

    f4p_bench_open(&b, argv[1], bytes, 16384, sites);
    for (; b.w.state.live.samples < live && b.w.state.sampled < 4ull * live; b.t_ns += OP_NS)
        f4p_bench_alloc(&b);
    /* until the history's ring has gone round */
    for (; b.w.history.pos < b.w.history.bytes + b.w.history.bytes / 4; b.t_ns += 2 * OP_NS) {
        f4p_bench_alloc(&b);
        f4p_bench_free(&b);
    }
    printf("live %llu\nsites %u\nnodes %u\nops %llu\nhistory_bytes %llu\nlost",
           (unsigned long long)b.w.state.live.samples, b.w.state.sites, b.w.state.nodes,
           (unsigned long long)b.w.state.seq, (unsigned long long)b.w.history.bytes);
    for (unsigned i = 0; i < F4P_LOSS_COUNT; i++)
        printf(" %llu", (unsigned long long)b.w.state.lost[i]);
    printf("\n");
    f4p_bench_close(&b);
    return 0;
}
