/* Fibers that allocate on stacks of their own and free those, deep recursion, and a program's own use of libunwind. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

static ucontext_t outside, inside;
static volatile int sink;

__attribute__((noinline)) static void deep(int depth)
{
    char *block = malloc(100);
    memset(block, depth, 100);
    if (depth)
        deep(depth - 1);
    sink += block[50];
    free(block);
}

static void fiber(void)
{
    for (int i = 0; i < 20; i++)
        free(malloc(1000 + (size_t)i));
    swapcontext(&inside, &outside);
    deep(50);
}

static int own_unwinding(void)
{
    void *library = dlopen("libunwind.so.8", RTLD_NOW), *found = library ? dlsym(library, "unw_backtrace") : NULL;
    int (*backtrace_of)(void **, int);
    void *addresses[20];
    memcpy(&backtrace_of, &found, sizeof backtrace_of);
    int count = backtrace_of ? backtrace_of(addresses, 20) : 4;
    if (library)
        dlclose(library);
    return count >= 3;
}

int main(void)
{
    for (int i = 0; i < 200; i++) {
        size_t bytes = 128 << 10;
        char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        getcontext(&inside);
        inside.uc_stack.ss_sp = stack;
        inside.uc_stack.ss_size = bytes;
        inside.uc_link = &outside;
        makecontext(&inside, fiber, 0);
        swapcontext(&outside, &inside);
        deep(i);
        swapcontext(&outside, &inside);
        munmap(stack, bytes);
    }
    deep(10000);
    printf("%d\n", own_unwinding());
    return 0;
}
