/* Blocks of mixed sizes come and go at random, each thread for itself, one in eight through the neighbour.
 * usage: churn THREADS OPS */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16384

struct worker {
    pthread_t id;
    uint64_t random;
    size_t ops;
    struct worker *neighbour;
    void *slots[SLOTS];
    void *handed[64]; /* blocks the neighbour gave to us to free */
};

static uint64_t next(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

static size_t size_of(uint64_t r)
{
    unsigned kind = r >> 56;
    return 16 + (kind < 2 ? r % 32768 : kind < 32 ? r % 2048 : r % 192);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (size_t i = 0; i < w->ops; i++) {
        uint64_t r = next(&w->random);
        void **slot = &w->slots[r % SLOTS];
        size_t size = size_of(next(&w->random));
        if (r >> 61 == 0 && *slot) {
            *slot = realloc(*slot, size);
        } else if (r >> 61 == 1) {
            free(__atomic_exchange_n(&w->neighbour->handed[r % 64], *slot, __ATOMIC_ACQ_REL));
            *slot = malloc(size);
        } else {
            free(*slot);
            *slot = r >> 61 == 2 ? calloc(1, size) : malloc(size);
        }
        memset(*slot, 1, 16);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    size_t threads = strtoul(argv[1], NULL, 10), ops = strtoul(argv[2], NULL, 10);
    struct worker *workers = calloc(threads, sizeof(*workers));
    for (size_t i = 0; i < threads; i++) {
        workers[i].random = 88172645463325252u + i * 7919;
        workers[i].ops = ops / threads;
        workers[i].neighbour = &workers[(i + 1) % threads];
    }
    for (size_t i = 1; i < threads; i++)
        pthread_create(&workers[i].id, NULL, work, &workers[i]);
    work(&workers[0]);
    for (size_t i = 1; i < threads; i++)
        pthread_join(workers[i].id, NULL);
    return 0;
}
