/*
 * Allocation on stacks of every kind: deep recursion, the smallest threads, alternative signal stacks, fibers.
 * usage: stacks [depth BYTES]: with `depth`, fails when the allocation family takes more than BYTES of a stack.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define SMALL_STACK 8192
#define PAINT 0xc5
static char alternative[SMALL_STACK * 2], fiber_stack[3][SMALL_STACK * 2];
static ucontext_t home, fibers[3];
static int done;

static void allocate(void)
{
    for (size_t size = 1; size < 200000; size *= 3) {
        void *block = malloc(size), *other = NULL;
        block = realloc(block, size * 2);
        if (posix_memalign(&other, 64, size) || !block)
            abort();
        free(other);
        free(block);
        done++;
    }
}

static int deep(int levels)
{
    volatile char frame[200];
    frame[0] = (char)levels;
    void *block = malloc(100);
    int sum = levels ? deep(levels - 1) : 0;
    free(block);
    return sum + frame[0] * 0 + 1;
}

static void on_signal(int number)
{
    (void)number;
    allocate();
}

static void fiber(int number)
{
    for (int i = 0; i < 20; i++) {
        allocate();
        swapcontext(&fibers[number], &home);
    }
}

static void *on_small_stack(void *argument)
{
    allocate();
    return argument;
}

/* Below the stack is a page that must not be touched: a thread's guard. */
static void small_threads(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
    for (int i = 0; i < 50; i++) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, on_small_stack, NULL) == 0)
            pthread_join(thread, NULL);
    }
    pthread_attr_destroy(&attributes);
}

static void on_alternative_stack(void)
{
    stack_t stack = {.ss_sp = alternative, .ss_size = sizeof(alternative)};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 50; i++)
        raise(SIGUSR1);
}

static void in_fibers(void)
{
    for (int i = 0; i < 3; i++) {
        getcontext(&fibers[i]);
        fibers[i].uc_stack.ss_sp = fiber_stack[i];
        fibers[i].uc_stack.ss_size = sizeof(fiber_stack[i]);
        fibers[i].uc_link = &home;
        makecontext(&fibers[i], (void (*)(void))fiber, 1, i);
    }
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < 3; i++)
            swapcontext(&home, &fibers[i]);
}

static char painted[1 << 16];
static size_t painted_use;

/* What a fiber that does nothing but allocate has overwritten of its stack. */
static void paint(void)
{
    memset(painted, PAINT, sizeof(painted));
    getcontext(&fibers[0]);
    fibers[0].uc_stack.ss_sp = painted;
    fibers[0].uc_stack.ss_size = sizeof(painted);
    fibers[0].uc_link = &home;
    makecontext(&fibers[0], allocate, 0);
    swapcontext(&home, &fibers[0]);
    size_t clean = 0;
    while (clean < sizeof(painted) && (unsigned char)painted[clean] == PAINT)
        clean++;
    if (sizeof(painted) - clean > painted_use)
        painted_use = sizeof(painted) - clean;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "depth") == 0) {
        for (int i = 0; i < 2000; i++)
            paint();
        printf("%zu bytes of stack\n", painted_use);
        return painted_use > (size_t)atol(argv[2]);
    }
    printf("deep %d\n", deep(20000));
    small_threads();
    on_alternative_stack();
    in_fibers();
    printf("%d rounds\n", done);
    return 0;
}
