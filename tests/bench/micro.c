/*
 * What the writer's ops cost, in a trace file on disk, the clock's own cost taken off.
 * usage: micro FILE SITES LIVE OPS. Prints a median per kind of op ("alloc", "free", "move": ns), the mean cost of
 * sealing and of a key frame beyond that of its ops ("seal", "keyframe": ns), "worst" (us) with what it was,
 * "over100us" (ops).
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "support.h"

#define SLOW_NS 20000
#define LOOK_EVERY 64 /* ops */

enum kind { ALLOC, FREE, MOVE, KINDS };
static const char *const names[KINDS] = {"alloc", "free", "move"};

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t clock_cost(void)
{
    uint32_t ns[1001];
    for (unsigned i = 0; i < 1001; i++) {
        uint64_t start = f4p_bench_now();
        ns[i] = (uint32_t)(f4p_bench_now() - start);
    }
    qsort(ns, 1001, sizeof(*ns), compare);
    return ns[500];
}

struct series {
    uint32_t *ns; /* plain ops: no seal, no key frame */
    size_t count;
};

static struct {
    struct series op[KINDS];
    double seal_ns, keyframe_ns;
    size_t seals, keyframes, keyframe_ops, over, preempted;
    uint32_t worst;
    char worst_what[64];
    long switches; /* at the last look */
} seen;

static long switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

static void run_op(struct f4p_bench *b, enum kind kind)
{
    if (kind == ALLOC)
        f4p_bench_alloc(b);
    else if (kind == FREE)
        f4p_bench_free(b);
    else
        f4p_bench_move(b);
}

static void measure(struct f4p_bench *b, enum kind kind, uint64_t clock)
{
    uint64_t history = b->w.history.pos;
    uint32_t frame = b->w.state.keyframe;
    bool active = b->w.keyframe.active;

    uint64_t start = f4p_bench_now();
    run_op(b, kind);
    uint64_t took = f4p_bench_now() - start;
    uint32_t ns = took > clock ? (uint32_t)(took - clock) : 0;

    if (ns > SLOW_NS && switches() != seen.switches) {
        seen.switches = switches();
        seen.preempted++;
        return;
    }

    bool keyframe = active || b->w.keyframe.active || b->w.state.keyframe != frame;
    bool sealed = b->w.history.pos != history;
    seen.keyframes += b->w.state.keyframe != frame;
    if (keyframe) {
        seen.keyframe_ns += ns;
        seen.keyframe_ops++;
    } else if (sealed) {
        seen.seal_ns += ns;
        seen.seals++;
    } else {
        seen.op[kind].ns[seen.op[kind].count++] = ns;
    }
    seen.over += ns > 100000;
    if (ns > seen.worst) {
        seen.worst = ns;
        snprintf(seen.worst_what, sizeof(seen.worst_what), "%s%s%s", names[kind], keyframe ? "+keyframe" : "",
                 sealed ? "+block" : "");
    }
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    uint32_t sites = (uint32_t)atoi(argv[2]), live = (uint32_t)atoi(argv[3]);
    size_t ops = strtoul(argv[4], NULL, 10);
    uint64_t clock = clock_cost();
    struct f4p_bench b;

    f4p_bench_open(&b, argv[1], 64 << 20, 16384, sites);
    for (unsigned i = 0; i < KINDS; i++)
        seen.op[i].ns = calloc(ops, sizeof(uint32_t));
    for (; b.live_count < live; b.t_ns += 1000)
        f4p_bench_alloc(&b);
    for (size_t i = 0; i < ops; i++, b.t_ns += 10000) {
        if (i % LOOK_EVERY == 0)
            seen.switches = switches();
        measure(&b, i % 5 == 4 ? MOVE : i % 5 % 2 ? FREE : ALLOC, clock);
    }

    double plain = 0;
    for (unsigned i = 0; i < KINDS; i++) {
        struct series *s = &seen.op[i];
        qsort(s->ns, s->count, sizeof(*s->ns), compare);
        uint32_t median = s->count ? s->ns[s->count / 2] : 0;
        printf("%s %u\n", names[i], median);
        plain += median * (i == MOVE ? 0.2 : 0.4);
    }
    printf("seal %.0f\n", seen.seals ? seen.seal_ns / (double)seen.seals - plain : 0);
    printf("seals %zu\n", seen.seals);
    printf("keyframe %.0f\n",
           seen.keyframes ? (seen.keyframe_ns - plain * (double)seen.keyframe_ops) / (double)seen.keyframes : 0);
    printf("keyframes %zu\nkeyframe_ops %zu\n", seen.keyframes, seen.keyframe_ops);
    printf("worst %.1f\nworst_what %s\nover100us %zu\npreempted %zu\n", seen.worst / 1e3, seen.worst_what, seen.over,
           seen.preempted);
    f4p_bench_close(&b);
    return 0;
}
