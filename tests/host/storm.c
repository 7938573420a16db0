/* Forks from a process whose other threads allocate without pause: children find the locks of threads that they do not
 * have. usage: storm FORKS. A child that hangs is killed by its alarm and counted. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
static volatile int stop;

static void *churn(void *argument)
{
    unsigned seed = (unsigned)(size_t)argument;
    void *kept[64] = {0};
    while (!stop)
        for (int i = 0; i < 64; i++) {
            free(kept[i]);
            seed = seed * 1103515245 + 12345;
            kept[i] = malloc(seed >> 8 & 8191);
        }
    for (int i = 0; i < 64; i++)
        free(kept[i]);
    return NULL;
}

static void child(void)
{
    alarm(4); /* less than the recorder's own patience with a lock */
    for (int i = 0; i < 200; i++)
        free(malloc((size_t)i * 50 + 1));
    void *kept = malloc(100000);
    kept = realloc(kept, 300000);
    free(kept);
    exit(kept ? 0 : 1);
}

int main(int argc, char **argv)
{
    int forks = argc > 1 ? atoi(argv[1]) : 1000, good = 0, hung = 0;
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, churn, (void *)(i + 1)))
            return 1;
    for (int i = 0; i < forks; i++) {
        int status = 0;
        pid_t pid = fork();
        if (pid == 0)
            child();
        waitpid(pid, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
        hung += WIFSIGNALED(status);
        if (hung >= 3)
            break;
    }
    stop = 1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d forks: %d good, %d killed\n", forks, good, hung);
    return good != forks;
}
