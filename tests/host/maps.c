/* Mappings of every kind. With the interval at 1, what the trace holds at the end is known to the byte: argument `live`
 * prints it, before the pause that the test ends. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define RW (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

static long long held;

static char *must(void *at)
{
    if (at == MAP_FAILED) {
        printf("mapping failed: errno %d\n", errno);
        exit(1);
    }
    return at;
}

static void counted(void)
{
    char *whole = must(mmap(NULL, 8 * MIB, RW, PRIVATE, -1, 0));
    memset(whole, 1, 8 * MIB);
    munmap(whole + 2 * MIB, MIB); /* 2 and 5 remain */
    munmap(whole + 7 * MIB, MIB); /* 2 and 4 */
    held += 6 * (long long)MIB;
    printf("ends %d %d\n", whole[2 * MIB - 1], whole[7 * MIB - 1]);

    char *shared = must(mmap64(NULL, 3 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    held += 3 * (long long)MIB;
    shared[0] = 1;

    char *grown = must(mmap(NULL, MIB, RW, PRIVATE, -1, 0));
    grown[5] = 42;
    grown = must(mremap(grown, MIB, 4 * MIB, MREMAP_MAYMOVE));
    grown = must(mremap(grown, 4 * MIB, 2 * MIB, 0));
    held += 2 * (long long)MIB;
    printf("moved %d\n", grown[5]);

    /* a fixed mapping over two: one and a half remain */
    char *under = must(mmap(NULL, 4 * MIB, RW, PRIVATE, -1, 0));
    char *over = must(mmap(under + MIB, 2 * MIB, RW, PRIVATE | MAP_FIXED, -1, 0));
    munmap(over, MIB);
    held += 3 * (long long)MIB;

    /* several at once, with a hole */
    char *three = must(mmap(NULL, 3 * MIB, RW, PRIVATE, -1, 0));
    munmap(three + MIB, MIB);
    printf("munmap %d\n", munmap(three, 3 * MIB));
}

static void not_counted(void)
{
    char *reserved = must(mmap(NULL, 1024 * MIB, PROT_NONE, PRIVATE, -1, 0));
    mprotect(reserved, MIB, RW);
    reserved[0] = 1;
    must(mmap(NULL, 1024 * MIB, RW, PRIVATE | MAP_NORESERVE, -1, 0));
    int fd = open("/proc/self/exe", O_RDONLY);
    must(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
    must(mmap(NULL, 4096, RW, MAP_PRIVATE, fd, 0));
    close(fd);
    char *volatile block = malloc(32 * MIB); /* a mapping of the allocator: counted once, as a block */
    block[0] = 1;
    held += 32 * (long long)MIB;
}

static void refused(void)
{
    errno = 0;
    void *bad = mmap(NULL, 0, RW, PRIVATE, -1, 0);
    printf("mmap(0): %d errno %d\n", bad == MAP_FAILED, errno);
    errno = 0;
    bad = mmap(NULL, MIB, RW, MAP_PRIVATE, -1, 0);
    printf("mmap(no file): %d errno %d\n", bad == MAP_FAILED, errno);
    errno = 0;
    int result = munmap((void *)1, 4096);
    printf("munmap(1): %d errno %d\n", result, errno);
    errno = 0;
    bad = mremap((void *)(uintptr_t)4096, 4096, 8192, 0);
    printf("mremap(nothing): %d errno %d\n", bad == MAP_FAILED, errno);
    char *stays = must(mmap(NULL, 2 * MIB, RW, PRIVATE, -1, 0)),
         *next = must(mmap(stays + 2 * MIB, MIB, RW, PRIVATE, -1, 0));
    errno = 0;
    bad = mremap(stays, 2 * MIB, (size_t)1 << 46, MREMAP_MAYMOVE);
    printf("mremap(huge): %d errno %d\n", bad == MAP_FAILED, errno);
    held += 2 * (long long)MIB + (long long)MIB;
    next[0] = 1;
}

int main(int argc, char **argv)
{
    counted();
    not_counted();
    refused();
    if (argc > 1 && strcmp(argv[1], "live") == 0) {
        printf("held %lld\n", held);
        fflush(stdout);
        pause();
    }
    return 0;
}
