/* Threads that come and go. usage: threads COUNT */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 16

static void *work(void *argument)
{
    char *block = malloc(1000 + (size_t)argument % 5000), *other = calloc(3, 700);
    memset(block, 1, 1000);
    free(block);
    return other; /* freed by another thread */
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1000;
    long returned = 0;
    for (long i = 0; i < count; i += AT_ONCE) {
        pthread_t threads[AT_ONCE];
        for (int k = 0; k < AT_ONCE; k++)
            if (pthread_create(&threads[k], NULL, work, (void *)(i + k)))
                return 1;
        for (int k = 0; k < AT_ONCE; k++) {
            void *block = NULL;
            pthread_join(threads[k], &block);
            returned += block != NULL;
            free(block);
        }
    }
    printf("%ld threads\n", returned);
    return 0;
}
