/*
 * free + malloc of one block in a loop over a ring of blocks (their addresses differ, so that a filter's false alarms
 * average out), with other blocks live.
 * usage: pairs THREADS LIVE PAIRS SIZE [LIVE_SIZE]
 * Prints "ns" CPU time per pair, "anon" KiB of anonymous memory at the end.
 * Under callgrind only the loop is counted.
 */
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

#define RING 1024

static size_t pairs, size;

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *thread(void *arg)
{
    uint64_t *ns = arg;
    void *ring[RING];
    for (unsigned i = 0; i < RING; i++)
        ring[i] = malloc(size);
    uint64_t start = cpu_ns();
    CALLGRIND_START_INSTRUMENTATION;
    for (size_t i = 0; i < pairs; i++) {
        free(ring[i % RING]);
        void *block = malloc(size);
        __asm__ volatile("" : "+r"(block) : : "memory");
        ring[i % RING] = block;
    }
    CALLGRIND_STOP_INSTRUMENTATION;
    *ns = cpu_ns() - start;
    return NULL;
}

static long anonymous_kib(void)
{
    char text[4096] = "";
    int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
        text[0] = 0;
    const char *line = strstr(text, "Anonymous:");
    return line ? strtol(line + 10, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    unsigned threads = (unsigned)atoi(argv[1]), live = (unsigned)atoi(argv[2]);
    size_t live_size = argc > 5 ? strtoull(argv[5], NULL, 10) : 1 << 20;
    pairs = strtoull(argv[3], NULL, 10) / threads;
    size = strtoull(argv[4], NULL, 10);

    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    for (unsigned i = 0; i < live; i++) {
        void *block = malloc(live_size);
        __asm__ volatile("" : "+r"(block) : : "memory");
    }
    pthread_t id[64];
    uint64_t ns[64], sum = 0;
    if (threads == 1)
        thread(&ns[0]);
    for (unsigned i = 0; i < threads && threads > 1; i++)
        pthread_create(&id[i], NULL, thread, &ns[i]);
    for (unsigned i = 0; i < threads; i++) {
        if (threads > 1)
            pthread_join(id[i], NULL);
        sum += ns[i];
    }
    printf("ns %.3f\nanon %ld\n", (double)sum / (double)pairs / threads, anonymous_kib());
    fflush(stdout);
    _exit(0); /* 200,000 blocks need not be walked through */
}
