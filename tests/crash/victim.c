/* usage: crash_victim FD SEED: threads that allocate, free and reallocate until somebody kills them, and keep book of
 * it in the victim_log that FD is. Knows nothing of fil4prod. */
#include "victim.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct victim_log *book;
static uint64_t seed;

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static uint64_t some_size(uint64_t r)
{
    return VICTIM_MARK + 0x1000 * (r % 256 == 0 ? 256 + r / 256 % 512 : r / 256 % 24);
}

static void put(struct victim_slot *slot, void *block, uint64_t size)
{
    slot->size = size;
    slot->address = (uintptr_t)block;
}

static void *allocate(uint64_t r, uint64_t size)
{
    void *block = NULL;
    switch (r % 8) {
    case 0:
        return calloc(1, size);
    case 1:
        return posix_memalign(&block, 64, size) == 0 ? block : NULL;
    default:
        return malloc(size);
    }
}

static void step(struct victim_thread *t, uint64_t r)
{
    struct victim_slot *slot = &t->slots[r % VICTIM_SLOTS];
    void *block = (void *)(uintptr_t)slot->address;
    uint64_t size = some_size(r >> 16);
    t->slot = (uint32_t)(r % VICTIM_SLOTS);
    t->from_address = slot->address;
    t->from_size = slot->size;
    t->to_size = size;
    if (!block) {
        t->phase = VICTIM_ALLOC;
        put(slot, allocate(r >> 8, size), size);
    } else if (r >> 12 & 1) {
        t->phase = VICTIM_FREE;
        slot->address = 0;
        free(block);
    } else {
        volatile uint64_t wanted = r >> 40 & 63 ? size : VICTIM_MARK + (1ull << 50); /* that one fails */
        t->to_size = wanted;
        t->phase = VICTIM_REALLOC;
        slot->address = 0;
        void *moved = realloc(block, wanted);
        if (moved)
            put(slot, moved, wanted);
        else
            slot->address = (uintptr_t)block;
    }
    t->phase = VICTIM_IDLE;
    t->calls++;
}

static void *run(void *context)
{
    struct victim_thread *t = context;
    uint64_t random = seed * 2654435761u + (uint64_t)(t - book->threads) * 7919 + 1;
    for (;;)
        step(t, next(&random) >> 3);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[1]), 0);
    seed = strtoull(argv[2], NULL, 10);
    if (book == MAP_FAILED)
        return 2;
    book->ready = 1;
    for (unsigned i = 1; i < VICTIM_THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, &book->threads[i]))
            return 2;
    }
    run(&book->threads[0]);
}
