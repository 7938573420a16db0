/*
 * The jobs of the native golden traces. usage: job MODE
 *   held     threads that hold blocks, mappings and a buffer that grew by realloc; ends by abort()
 *   wrapped  an early peak, freed; churn; then more blocks than the live table has room for
 *   churn    threads that allocate, move and free until somebody kills them
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define NOINLINE __attribute__((noinline))

static void *kept[100000];
static size_t count;

static void hold(void *p, size_t bytes)
{
    if (!p)
        exit(9);
    kept[count++] = memset(p, 1, bytes);
}

static NOINLINE void load(size_t blocks, size_t bytes)
{
    for (size_t i = 0; i < blocks; i++)
        hold(malloc(bytes + i % 7), bytes);
}

static void drop(void)
{
    while (count)
        free(kept[--count]);
}

static NOINLINE char *grow(size_t to)
{
    char *buffer = NULL;
    for (size_t bytes = 64; bytes <= to; bytes *= 2) {
        buffer = realloc(buffer, bytes);
        if (!buffer)
            exit(9);
        memset(buffer, 1, bytes);
    }
    return buffer;
}

static NOINLINE void recurse(unsigned depth)
{
    if (depth)
        recurse(depth - 1);
    else
        load(100, 3000);
    __asm__ volatile("" ::: "memory");
}

static void *reader(void *argument)
{
    (void)argument;
    pthread_setname_np(pthread_self(), "reader");
    load(500, 2000);
    return grow(1 << 20);
}

static void held(void)
{
    pthread_t thread;
    load(300, 5000);
    recurse(6);
    pthread_create(&thread, NULL, reader, NULL);
    pthread_join(thread, NULL);
    hold(mmap(NULL, 3 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 3 << 20);
    abort();
}

static NOINLINE void churn(unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++)
        free(memset(malloc(500 + i % 300), 1, 500));
}

static void wrapped(void)
{
    load(2000, 4000);
    drop();
    churn(150000);
    load(30000, 90);
}

static void *worker(void *argument)
{
    char *own[16] = {0};
    uint64_t random = 12345 + (uintptr_t)argument;
    for (;;) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned slot = random >> 60, bytes = random >> 40 & 8191;
        if (own[slot] && bytes & 1) {
            free(own[slot]);
            own[slot] = NULL;
        } else {
            own[slot] = realloc(own[slot], bytes + 1);
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "held") == 0)
        held();
    else if (strcmp(mode, "wrapped") == 0)
        wrapped();
    else if (strcmp(mode, "churn") == 0)
        for (uintptr_t i = 0; i < 4; i++) {
            pthread_t thread;
            if (pthread_create(&thread, NULL, worker, (void *)i))
                return 9;
            if (i == 3)
                pthread_join(thread, NULL);
        }
    else
        return fprintf(stderr, "usage: job held|wrapped|churn\n"), 2;
    return 0;
}
