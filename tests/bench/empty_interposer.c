/* The floor of what an interposer costs: forwards, counts bytes in a thread-local variable, looks a freed pointer up in
 * a filter of the recorder's size; never samples. Preloaded by tests/bench/run as the recorder is. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define COLD __attribute__((cold, noinline))
#define FILTER_BITS 20
#define BOOTSTRAP_BYTES 65536

static void free_nothing(void *block) /* free(NULL) of the very first constructors */
{
    (void)block;
}

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void (*free)(void *);
} real = {.free = free_nothing};

static __thread uint64_t left;
static uint8_t filter[1u << FILTER_BITS];
static volatile uint64_t gaps;
static _Alignas(16) char bootstrap[BOOTSTRAP_BYTES]; /* what dlsym() asks for */
static size_t bootstrap_used;

static inline uint8_t *slot_of(const void *block)
{
    return &filter[(uintptr_t)block * 0x9e3779b97f4a7c15u >> (64 - FILTER_BITS)];
}

static inline _Bool maybe(const void *block)
{
    return __atomic_load_n(slot_of(block), __ATOMIC_RELAXED) != 0;
}

static COLD void *from_bootstrap(size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (bootstrap_used + bytes > sizeof(bootstrap))
        __builtin_trap();
    void *block = bootstrap + bootstrap_used;
    bootstrap_used += bytes;
    *slot_of(block) = 1;
    return block;
}

static COLD void resolve(const char *name, void *slot)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(slot, &found, sizeof(found));
}

__attribute__((constructor)) static void start(void)
{
    static _Bool busy;
    if (busy)
        return;
    busy = 1;
    resolve("free", &real.free);
    resolve("realloc", &real.realloc);
    resolve("calloc", &real.calloc);
    resolve("malloc", &real.malloc);
}

static COLD void *slow(size_t count, size_t size, _Bool zero)
{
    if (!real.malloc)
        start();
    if (!real.malloc)
        return from_bootstrap(count * size);
    left = UINT64_MAX / 2;
    gaps++;
    return zero ? real.calloc(count, size) : real.malloc(size);
}

static COLD void slow_free(void *block)
{
    gaps++;
    if ((char *)block < bootstrap || (char *)block >= bootstrap + sizeof(bootstrap))
        real.free(block);
}

EXPORT void *malloc(size_t size)
{
    if (__builtin_expect(size < left, 1)) {
        left -= size;
        return real.malloc(size);
    }
    return slow(1, size, 0);
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_expect(!__builtin_mul_overflow(count, size, &bytes) && bytes < left, 1)) {
        left -= bytes;
        return real.calloc(count, size);
    }
    return slow(count, size, 1);
}

EXPORT void *realloc(void *block, size_t size)
{
    if (__builtin_expect(!maybe(block) && size < left, 1)) {
        left -= size;
        return real.realloc(block, size);
    }
    if (!block)
        return slow(1, size, 0);
    left = UINT64_MAX / 2;
    return real.realloc(block, size);
}

EXPORT void free(void *block)
{
    if (__builtin_expect(!maybe(block), 1))
        real.free(block);
    else
        slow_free(block);
}
