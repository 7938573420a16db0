/* A library to preload: an allocator that signal handlers may interrupt and leave, with lock-free lists of free blocks
 * by power of two. What is safe above it in a bare program must be safe above the recorder, too. */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#pragma GCC visibility push(default)

#define ADDRESS ((UINT64_C(1) << 48) - 1)
#define HEAD 16
#define ARENA ((size_t)1 << 30)
#define LARGE 16 /* powers of two from here on are mappings of their own */

static _Atomic uint64_t lists[48]; /* pointer, and a tag of 16 bits above it */
static _Atomic uint64_t used;
static _Atomic uintptr_t arena;

void *malloc(size_t size)
{
    unsigned order = 5;
    while (order < 47 && ((size_t)1 << order) < size + HEAD)
        order++;
    if (size > ARENA)
        goto none;
    for (uint64_t head = lists[order]; head & ADDRESS;) {
        uint64_t *block = (uint64_t *)(uintptr_t)(head & ADDRESS);
        if (atomic_compare_exchange_weak(&lists[order], &head,
                                         (head & ~ADDRESS) + (ADDRESS + 1) + (block[1] & ADDRESS)))
            return block + 2;
    }
    if (!arena) {
        void *fresh = mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        uintptr_t expected = 0;
        if (!atomic_compare_exchange_strong(&arena, &expected, (uintptr_t)fresh))
            munmap(fresh, ARENA);
    }
    uint64_t *block, at;
    if (order >= LARGE) {
        block = mmap(NULL, (size_t)1 << order, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED)
            goto none;
    } else {
        at = atomic_fetch_add(&used, (size_t)1 << order);
        if (at + ((size_t)1 << order) > ARENA)
            goto none;
        block = (uint64_t *)(arena + at);
    }
    block[0] = order;
    return block + 2;
none:
    errno = ENOMEM;
    return NULL;
}

void free(void *pointer)
{
    if (!pointer)
        return;
    uint64_t *block = (uint64_t *)pointer - 2, head = lists[block[0]];
    do
        block[1] = head & ADDRESS;
    while (!atomic_compare_exchange_weak(&lists[block[0]], &head,
                                         (head & ~ADDRESS) + (ADDRESS + 1) + (uint64_t)(uintptr_t)block));
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = malloc(bytes);
    if (block)
        explicit_bzero(block, bytes); /* a plain memset would make this a call of calloc */
    return block;
}

void *realloc(void *old, size_t size)
{
    void *block = malloc(size);
    if (!old || !block)
        return block;
    size_t had = ((size_t)1 << ((uint64_t *)old)[-2]) - HEAD;
    memcpy(block, old, had < size ? had : size);
    free(old);
    return block;
}
