/* malloc is no cancellation point: a thread with a cancellation pending must come through any number of allocations. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int allocated;

static void *work(void *argument)
{
    void *kept[300];
    pthread_cancel(pthread_self());
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 300; i++)
            kept[i] = malloc((size_t)i * 4000);
        for (int i = 0; i < 300; i++)
            free(kept[i]);
    }
    allocated = 1;
    pthread_testcancel();
    allocated = 2;
    return argument;
}

int main(void)
{
    pthread_t thread;
    void *result = NULL;
    if (pthread_create(&thread, NULL, work, NULL))
        return 1;
    pthread_join(thread, &result);
    printf("allocated %d, cancelled %d\n", allocated, result == PTHREAD_CANCELED);
    return allocated != 1;
}
