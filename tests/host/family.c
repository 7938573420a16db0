/* Every function of the allocation family, at every size and alignment that matters: prints what each returned, what it
 * did to errno and whether the contents held. The output must be the same with and without the recorder. */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What old and new programs link, whatever this libc's headers say. */
#pragma weak free_sized
#pragma weak free_aligned_sized
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

static const size_t sizes[] = {0, 1, 7, 16, 24, 100, 512, 513, 1000, 4096, 65536, 131072, 200000, 1048576, 3000000};
#define SIZES (sizeof(sizes) / sizeof(sizes[0]))
static void *volatile sink;
/* Not known to the compiler, which has an opinion on such calls. */
static volatile size_t huge_size = SIZE_MAX / 2 - 64;
static void *(*volatile real_realloc)(void *, size_t) = realloc;
static void *(*volatile real_reallocarray)(void *, size_t, size_t) = reallocarray;

/* Argument `common`: only what other allocators define, too; what they leave to libc cannot be given back to them. */
static int common;

static unsigned alignment_of(const void *block)
{
    return (unsigned)((uintptr_t)block & -(uintptr_t)block);
}

/* `least`: the alignment promised. The usable size itself may differ by where the block happens to lie. */
static void report(const char *name, size_t size, void *block, size_t least)
{
    printf("%s(%zu): %s errno %d aligned %d usable %d\n", name, size, block ? "block" : "NULL", errno,
           !block || alignment_of(block) >= least, !block || malloc_usable_size(block) >= size);
    if (block)
        memset(block, 0x5a, malloc_usable_size(block));
}

static void release(void *block)
{
    errno = 77;
    free(block);
    if (errno != 77)
        printf("free changed errno to %d\n", errno);
}

static void plain(size_t size)
{
    errno = 55;
    char *block = malloc(size);
    report("malloc", size, block, 8);
    release(block);

    errno = 56;
    block = calloc(1, size);
    int zero = 1;
    for (size_t i = 0; block && i < size; i++)
        zero &= block[i] == 0;
    report("calloc", size, block, 8);
    printf("zero %d\n", zero);
    release(block);

    if (free_sized) {
        errno = 0;
        free_sized(malloc(size), size);
        free_aligned_sized(aligned_alloc(64, size), 64, size);
        if (errno)
            printf("free_sized: errno %d\n", errno);
    }
}

static void resized(size_t from, size_t to)
{
    unsigned char *block = malloc(from), *moved;
    for (size_t i = 0; i < from; i++)
        block[i] = (unsigned char)(i * 7 + 1);
    errno = 57;
    moved = realloc(block, to ? to : 1);
    int same = moved != NULL;
    for (size_t i = 0; same && i < from && i < (to ? to : 1); i++)
        same = moved[i] == (unsigned char)(i * 7 + 1);
    printf("realloc(%zu, %zu): errno %d same %d\n", from, to, errno, same);
    errno = 58;
    block = reallocarray(moved, to / 8 + 1, 8);
    printf("reallocarray: errno %d aligned %d\n", errno, alignment_of(block) >= 8);
    release(block);
}

static void aligned(size_t alignment, size_t size)
{
    void *block = (void *)&sizes;
    errno = 59;
    int result = posix_memalign(&block, alignment, size);
    printf("posix_memalign(%zu, %zu): %d errno %d touched %d aligned %d\n", alignment, size, result, errno,
           block != (void *)&sizes, result || alignment_of(block) >= alignment);
    if (!result)
        release(block);
    errno = 60;
    block = aligned_alloc(alignment, size);
    report("aligned_alloc", size, block, alignment);
    release(block);
    errno = 61;
    block = memalign(alignment, size);
    report("memalign", size, block, alignment);
    block = realloc(block, size * 2 + 1);
    printf("realloc of an aligned block: %d\n", block != NULL);
    release(block);
}

static void page_aligned(size_t size)
{
    errno = 62;
    void *block = valloc(size);
    report("valloc", size, block, 4096);
    release(block);
    if (common)
        return;
    errno = 63;
    block = pvalloc(size);
    report("pvalloc", size, block, 4096);
    release(block);
}

/* Twice, so that both the sampled and the unsampled path are tried whatever the interval. */
static void refused(void)
{
    size_t huge = huge_size;
    for (int i = 0; i < 2; i++) {
        void *block = malloc(10), *out = block;
        errno = 0;
        sink = malloc(huge);
        printf("malloc(huge): %d errno %d\n", sink != NULL, errno);
        errno = 0;
        sink = calloc(huge, 16);
        printf("calloc(huge): %d errno %d\n", sink != NULL, errno);
        errno = 0;
        sink = real_realloc(block, huge);
        printf("realloc(huge): %d errno %d\n", sink != NULL, errno);
        errno = 0;
        sink = real_reallocarray(block, huge, 16);
        printf("reallocarray(huge): %d errno %d\n", sink != NULL, errno);
        errno = 64;
        int result = posix_memalign(&out, 64, huge);
        printf("posix_memalign(huge): %d errno %d kept %d\n", result, errno, out == block);
        result = posix_memalign(&out, 3, 100);
        printf("posix_memalign(3): %d errno %d kept %d\n", result, errno, out == block);
        errno = 0;
        sink = aligned_alloc(64, huge);
        printf("aligned_alloc(huge): %d errno %d\n", sink != NULL, errno);
        errno = 0;
        sink = valloc(huge);
        printf("valloc(huge): %d errno %d\n", sink != NULL, errno);
        errno = 0;
        sink = common ? NULL : pvalloc(SIZE_MAX);
        printf("pvalloc(max): %d errno %d\n", sink != NULL, errno);
        free(block);
    }
}

int main(int argc, char **argv)
{
    common = argc > 1 && strcmp(argv[1], "common") == 0;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    for (size_t i = 0; i < SIZES; i++) {
        plain(sizes[i]);
        page_aligned(sizes[i]);
        for (size_t j = 0; j < SIZES; j++)
            resized(sizes[i], sizes[j]);
        for (size_t alignment = 8; alignment <= 1 << 16; alignment *= 4)
            aligned(alignment, sizes[i]);
    }
    errno = 65;
    free(NULL);
    sink = realloc(NULL, 100);
    printf("realloc(NULL): %d errno %d\n", sink != NULL, errno);
    errno = 66;
    void *emptied = realloc(sink, 0);
    printf("realloc(p, 0): %d errno %d\n", emptied != NULL, errno);
    refused();
    return 0;
}
