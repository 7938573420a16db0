/* Each function of the allocation family is refused a block of a size of its own, which it prints with what it got. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define ROOM (20u << 20)
#define MIB(n) ((size_t)(n) << 20)

static void *volatile sink;
static void *(*volatile real_realloc)(void *, size_t) = realloc;
static int error; /* of posix_memalign */

static void report(size_t size, void *got)
{
    printf("%zu %s %d\n", size, got ? "block" : "NULL", error ? error : errno);
    errno = 0;
}

static void *posix_aligned(size_t size)
{
    void *block = NULL;
    error = posix_memalign(&block, 4096, size);
    return block;
}

static void *mapped(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void limit(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu", &pages) != 1)
        exit(2);
    fclose(file);
    struct rlimit most = {pages * 4096 + ROOM, pages * 4096 + ROOM};
    if (setrlimit(RLIMIT_AS, &most) != 0)
        exit(2);
}

int main(void)
{
    char *small = malloc(100);
    sink = small;
    limit();
    errno = 0;
    report(MIB(41), sink = malloc(MIB(41)));
    report(MIB(42), sink = calloc(MIB(1), 42));
    report(MIB(43), sink = real_realloc(NULL, MIB(43)));
    report(MIB(44), sink = real_realloc(small, MIB(44)));
    report(MIB(45), sink = memalign(64, MIB(45)));
    report(MIB(46), sink = aligned_alloc(4096, MIB(46)));
    report(MIB(47), sink = valloc(MIB(47)));
    report(MIB(48), sink = posix_aligned(MIB(48)));
    error = 0;
    report(MIB(49), sink = mapped(MIB(49)));
    free(small);
    return 0;
}
