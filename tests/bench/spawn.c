/* Runs a command N times, one after the other, with LD_PRELOAD set to $BENCH_PRELOAD for it.
 * usage: spawn N COMMAND [ARG...]. Prints "us" wall and "cpu" microseconds per run. */
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double us(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    int count = atoi(argv[1]);
    const char *preload = getenv("BENCH_PRELOAD");
    struct timespec a, b;
    struct rusage usage;

    if (preload)
        setenv("LD_PRELOAD", preload, 1);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 0; i < count; i++) {
        pid_t pid;
        int status;
        if (posix_spawnp(&pid, argv[2], NULL, NULL, argv + 2, environ) || waitpid(pid, &status, 0) < 0 || status)
            return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    getrusage(RUSAGE_CHILDREN, &usage);
    printf("us %.1f\ncpu %.1f\n", ((double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3) / count,
           (us(usage.ru_utime) + us(usage.ru_stime)) / count);
    return 0;
}
