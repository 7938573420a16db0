/* Allocation sites whose function, line and inline chain are known: each says so in a comment that tests read. */
#include <stdlib.h>
#include <string.h>

static volatile int sink;

static void *fill(void *block, size_t bytes)
{
    memset(block, 1, bytes);
    sink++;
    return block;
}

__attribute__((noinline)) void plain(void)
{
    fill(malloc(1000001), 1); /* site 1000001: plain < main */
    sink++;
}

static inline __attribute__((always_inline)) void inner(void)
{
    fill(malloc(1000002), 1); /* site 1000002: inner < outer < holder < main */
    sink++;
}

static inline __attribute__((always_inline)) void outer(void)
{
    inner(); /* call 1000002 */
    sink++;
}

__attribute__((noinline)) void holder(void)
{
    outer(); /* call 1000002 */
    sink++;
}

__attribute__((noinline)) void by_calloc(void)
{
    fill(calloc(3, 1000003), 1); /* site 3000009: by_calloc < main */
    sink++;
}

__attribute__((noinline)) void by_realloc(void)
{
    void *block = malloc(1);
    fill(realloc(block, 1000004), 1); /* site 1000004: by_realloc < main */
    sink++;
}

__attribute__((noinline)) void recurse(int depth)
{
    if (depth)
        recurse(depth - 1);
    else
        fill(malloc(1000005), 1); /* site 1000005: recurse < recurse < recurse < recurse < main */
    sink++;
}

int main(void)
{
    plain();
    holder();
    by_calloc();
    by_realloc();
    recurse(3);
    return 0;
}
