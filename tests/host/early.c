/* A library to preload behind the recorder: its constructor runs earlier, its destructor later, and both allocate, as
 * do handlers of exit and the destructors of thread-specific data. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static void *early[200];
static pthread_key_t key;

static void churn(const char *when)
{
    void *late[100];
    for (size_t i = 0; i < 100; i++)
        late[i] = calloc(1, i * 500 + 1);
    for (size_t i = 0; i < 100; i++)
        late[i] = realloc(late[i], i * 900 + 1);
    for (size_t i = 0; i < 100; i++)
        free(late[i]);
    munmap(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1 << 20);
    fputs(when, stdout);
    fflush(stdout);
}

static void at_exit(void)
{
    churn("at exit\n");
}

static void at_thread_end(void *block)
{
    free(block);
    free(strdup("last words"));
}

static void *thread(void *argument)
{
    pthread_setspecific(key, malloc(5000));
    return argument;
}

__attribute__((constructor(101))) static void first(void)
{
    for (size_t i = 0; i < 200; i++)
        early[i] = malloc(i * 300 + 1);
    churn("before all\n");
    atexit(at_exit);
    pthread_key_create(&key, at_thread_end);
    for (int i = 0; i < 20; i++) {
        pthread_t started;
        if (pthread_create(&started, NULL, thread, NULL) == 0)
            pthread_join(started, NULL);
    }
}

__attribute__((destructor(101))) static void last(void)
{
    churn("after all\n");
    for (size_t i = 0; i < 200; i++)
        free(early[i]);
}
