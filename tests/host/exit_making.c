/* usage: exit_making: threads' heaps pass 20 MiB; the first thread ends the process as soon as they have. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 1000

static atomic_size_t held;

static void *grow(void *unused)
{
    for (;;) {
        char *block = malloc(BLOCK);
        memset(block, 1, BLOCK);
        __asm__ volatile("" : "+r"(block) : : "memory");
        if (atomic_fetch_add(&held, BLOCK) > 64u << 20)
            pause();
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        if (pthread_create(&thread, NULL, grow, NULL) != 0)
            return 1;
    while (atomic_load(&held) < 20u << 20)
        usleep(100);
    exit(0);
}
