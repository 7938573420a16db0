/*
 * A job that knows its own heap: random allocations, reallocations and frees, then one line "BYTES BLOCKS" on stdout,
 * what is live and was asked for, and death by SIGKILL. usage: prog_heap_truth SEED
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SLOTS 20000
#define STEPS 60000

static struct {
    void *block;
    size_t bytes;
} slots[SLOTS];

static uint64_t state;

static uint64_t next(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static size_t size(void)
{
    switch (next() % 16) {
    case 0:
        return 1 + next() % 100000;
    case 1:
    case 2:
        return 1 + next() % 5000;
    default:
        return 1 + next() % 300;
    }
}

static void step(unsigned i)
{
    if (!slots[i].block) {
        slots[i].bytes = size();
        slots[i].block = next() % 2 ? malloc(slots[i].bytes) : calloc(1, slots[i].bytes);
    } else if (next() % 4 == 0) {
        slots[i].bytes = size();
        slots[i].block = realloc(slots[i].block, slots[i].bytes);
    } else {
        free(slots[i].block);
        slots[i].block = NULL;
    }
}

int main(int argc, char **argv)
{
    char line[64];
    uint64_t bytes = 0, blocks = 0;

    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    for (int i = 0; i < STEPS; i++)
        step((unsigned)(next() % SLOTS));
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].block) {
            bytes += slots[i].bytes;
            blocks++;
        }
    int n = snprintf(line, sizeof(line), "%llu %llu\n", (unsigned long long)bytes, (unsigned long long)blocks);
    if (write(1, line, (size_t)n) == n)
        kill(getpid(), SIGKILL);
    return 1;
}
