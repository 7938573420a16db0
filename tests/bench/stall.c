/*
 * The longest single call of malloc or free, with blocks of mixed sizes coming and going.
 * usage: stall SECONDS [LIVE_BYTES]. Prints "worst", "worst_cpu" (of the thread's CPU time, which other processes have
 * no part in), "p9999" microseconds, "over1ms", "over10ms" calls and "calls". Calls during which the process was
 * preempted are left out: "preempted".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SLOW_NS 20000
#define LOOK_EVERY 64 /* rounds */
#define BUCKETS 64    /* bucket i: calls of [2^(i/2), 2^((i+1)/2)) ns, about */

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static long switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

static long switches_seen;
static uint64_t preempted;
static uint64_t calls, worst, worst_cpu, over1, over10, histogram[BUCKETS];

struct moment {
    uint64_t wall, cpu;
};

static struct moment moment(void)
{
    return (struct moment){clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_THREAD_CPUTIME_ID)};
}

static void note(struct moment from, struct moment to)
{
    uint64_t ns = to.wall - from.wall, cpu = to.cpu - from.cpu;
    if (ns > SLOW_NS && switches() != switches_seen) {
        switches_seen = switches();
        preempted++;
        return;
    }
    calls++;
    over1 += ns > 1000000;
    over10 += ns > 10000000;
    worst = ns > worst ? ns : worst;
    worst_cpu = cpu > worst_cpu ? cpu : worst_cpu;
    unsigned log = ns ? 63 - (unsigned)__builtin_clzll(ns) : 0;
    unsigned half = log && ns >> (log - 1) & 1;
    unsigned bucket = 2 * log + half;
    histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static double percentile(double share)
{
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if ((double)seen >= share * (double)calls)
            return (double)(1ull << i / 2) * (i % 2 ? 2.0 : 1.5); /* its upper end */
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(atof(argv[1]) * 1e9), random = 88172645463325252u;
    size_t live_bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 48 << 20, slots = live_bytes / 700;
    void **slot = calloc(slots, sizeof(*slot));

    struct moment after = {0};
    for (uint64_t round = 0; after.wall < end; round++) {
        if (round % LOOK_EVERY == 0)
            switches_seen = switches();
        uint64_t r = next(&random);
        void **at = &slot[r % slots];
        size_t size = 16 + ((r >> 40) % 64 == 0 ? (r >> 20) % 40000 : (r >> 20) % 700);
        struct moment start = moment();
        free(*at);
        struct moment between = moment();
        *at = malloc(size);
        after = moment();
        memset(*at, 1, 16);
        note(start, between);
        note(between, after);
    }
    printf("worst %.1f\nworst_cpu %.1f\np9999 %.1f\nover1ms %lu\nover10ms %lu\ncalls %lu\npreempted %lu\n",
           (double)worst / 1e3, (double)worst_cpu / 1e3, percentile(0.9999) / 1e3, (unsigned long)over1,
           (unsigned long)over10, (unsigned long)calls, (unsigned long)preempted);
    return 0;
}
