/*
 * Signal handlers that interrupt the recorder anywhere. usage: handlers WHAT COUNT
 *   allocate  handlers allocate, resize and free (serve themselves: the real allocator is not reentrant either)
 *   jump      handlers leave by siglongjmp
 *   fork      handlers fork, and the child frees a block and goes on where its parent was interrupted; first it sleeps,
 *             so that the recorder may look at the process meanwhile
 * All of it is safe in the bare program, whose allocator below never takes a lock. Prints nothing that depends on time.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARK ((size_t)5 << 20)

static volatile sig_atomic_t count, wrong, armed;
static int wanted;
static sigjmp_buf back;
static void *slots[256];

static void check(int condition)
{
    wrong += !condition;
}

static void on_allocate(int signal)
{
    (void)signal;
    int saved = errno;
    errno = 44;
    unsigned k = (unsigned)count++ % 256;
    free(slots[k]);
    check(errno == 44);
    slots[k] = malloc(k * 40 + 1);
    void *moved = malloc(100);
    moved = realloc(moved, 50000);
    check(slots[k] && moved);
    free(moved);
    errno = saved;
}

static void on_jump(int signal)
{
    (void)signal;
    count++;
    if (armed == 1)
        siglongjmp(back, 1);
}

/* Once, at an instant of its own: a timer that ran out during a long handler would strike again at the same place. */
static void strike_again(void)
{
    static unsigned random = 1;
    random = random * 1103515245 + 12345;
    struct itimerval once = {{0, 0}, {0, 20 + (random >> 16) % 300}};
    setitimer(ITIMER_REAL, &once, NULL);
}

static void on_fork(int signal)
{
    (void)signal;
    if (count >= wanted)
        return;
    count++;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(4);
        free(slots[count % 256]);
        wrong = armed = 0; /* the child: main sees it and ends */
    } else {
        int status = 0;
        waitpid(pid, &status, 0);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        strike_again();
    }
}

static void start_timer(void (*handler)(int), long microseconds)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, microseconds}, {0, microseconds}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
}

/* A jump may come anywhere: a block is taken out of its place before anything is done with it. */
static void churn(void)
{
    static void *volatile kept[512];
    for (unsigned i = 0; i < 512; i++) {
        void *old = kept[i];
        kept[i] = NULL;
        free(old);
        void *fresh = malloc(i * 16 + 1);
        if (i % 64 == 0)
            fresh = realloc(fresh, i * 100 + 1);
        check(fresh != NULL);
        kept[i] = fresh;
    }
}

static void *other_thread(void *argument)
{
    struct timespec start, end;
    double longest = 0;
    while (armed != 2) {
        clock_gettime(CLOCK_MONOTONIC, &start);
        for (int i = 0; i < 100; i++)
            free(malloc(5000));
        clock_gettime(CLOCK_MONOTONIC, &end);
        double took = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
        longest = took > longest ? took : longest;
    }
    *(double *)argument = longest;
    return NULL;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "allocate";
    wanted = argc > 2 ? atoi(argv[2]) : 1000;
    armed = 1;
    if (strcmp(what, "allocate") == 0) {
        start_timer(on_allocate, 50);
        while (count < wanted)
            churn();
    } else if (strcmp(what, "fork") == 0) {
        for (int i = 0; i < 256; i++)
            slots[i] = malloc(100);
        nanosleep(&(struct timespec){1, 0}, NULL);
        start_timer(on_fork, 0);
        strike_again();
        while (count < wanted && armed)
            churn();
        if (!armed)
            _exit(wrong != 0);
    } else {
        double longest = 0;
        pthread_t thread;
        sigset_t all, none;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &none); /* the thread inherits it: only this one jumps */
        if (pthread_create(&thread, NULL, other_thread, &longest))
            return 1;
        pthread_sigmask(SIG_SETMASK, &none, NULL);
        sigsetjmp(back, 1);
        start_timer(on_jump, 150);
        while (count < wanted)
            churn();
        armed = 2;
        pthread_join(thread, NULL);
        check(longest < 4); /* the recorder's patience is 5 s */
    }
    start_timer(SIG_IGN, 0);
    if (strcmp(what, "jump") == 0)
        check(memset(malloc(MARK), 1, MARK) != NULL); /* in the trace, or the recorder has said that it ended */
    printf("%s: %d wrong\n", what, (int)wrong);
    return wrong != 0;
}
