/*
 * Programs that know what their resident memory consists of. usage: prog_rss KIND [keep-allocating]
 * Prints what it knows, "term bytes" a line, then "ready"; then waits to be killed. With keep-allocating it makes and
 * frees a block again and again meanwhile: without a launcher the recorder looks behind samples.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static void say(const char *term, size_t bytes)
{
    printf("%s %zu\n", term, bytes);
}

static char *touch(char *block, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 4096)
        block[at] = 1;
    return block;
}

static char *map(size_t bytes, int protection, int flags, int fd)
{
    char *at = mmap(NULL, bytes, protection, flags, fd, 0);
    if (at == MAP_FAILED)
        exit(2);
    return at;
}

/* What np.zeros does: never written to, written to by half, and only read. */
static void untouched(void)
{
    char *none = calloc(1, 256 * MIB);
    char *half = calloc(1, 64 * MIB);
    char *seen = calloc(1, 32 * MIB);
    volatile char sum = 0;
    touch(half, 32 * MIB);
    for (size_t at = 0; at < 32 * MIB; at += 4096)
        sum = (char)(sum + seen[at]);
    say("heap", 352 * MIB);
    say("untouched", (256 + 32 + 32) * MIB);
    if (!none)
        exit(2);
}

/* Every second block freed: nothing of it goes back to the kernel. */
static void fragments(void)
{
    enum { COUNT = 100000 };
    static char *blocks[COUNT];
    for (int i = 0; i < COUNT; i++)
        blocks[i] = memset(malloc(1000), 1, 1000);
    for (int i = 0; i < COUNT; i += 2)
        free(blocks[i]);
    say("heap", COUNT / 2 * (size_t)1000);
    say("slack", COUNT / 2 * (size_t)1008 + COUNT / 2 * (size_t)8);
}

#define THREADS 16

static pthread_barrier_t there;

/* An arena and a stack of its own, both in use; every second block freed in it. */
static void *run_thread(void *unused)
{
    enum { COUNT = 4000 };
    char *blocks[COUNT], stack[2 * MIB];
    (void)unused;
    touch(stack, sizeof(stack));
    for (int i = 0; i < COUNT; i++)
        blocks[i] = memset(malloc(500), 1, 500);
    for (int i = 0; i < COUNT; i += 2)
        free(blocks[i]);
    pthread_barrier_wait(&there);
    pause();
    return blocks[0];
}

static void threads(void)
{
    pthread_t thread;
    pthread_barrier_init(&there, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread, NULL, run_thread, NULL))
            exit(2);
    pthread_barrier_wait(&there);
    say("heap", THREADS * 2000 * (size_t)500);
    say("stacks", THREADS * (2 * MIB + 4000 * sizeof(char *)));
}

#define ARENA (64 * MIB) /* of the C library's arenas, which begin at multiples of it */

/* As the C library does it: reserved, then `used` bytes of it made accessible. */
static char *reserve(char *at, size_t bytes, char *used_at, size_t used, int flags)
{
    long got = syscall(SYS_mmap, at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0L);
    if (got == -1 || (used && mprotect(used_at, used, PROT_READ | PROT_WRITE)))
        exit(2);
    return (char *)got; // NOLINT(performance-no-int-to-ptr)
}

static void *run_on_stack(void *unused)
{
    char stack[4 * MIB];
    (void)unused;
    touch(stack, sizeof(stack));
    pthread_barrier_wait(&there);
    pause();
    return NULL;
}

/* A thread's stack at a multiple where arenas begin; and an arena behind one with little left, as behind a guard. */
static void multiples(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    char *room = reserve(NULL, 4 * ARENA, NULL, 0, MAP_NORESERVE);
    char *at = room + (ARENA - (uintptr_t)room % ARENA); /* three, and something below */
    munmap(room, 4 * ARENA);

    pthread_attr_init(&attributes);
    reserve(at - 4096, 8 * MIB + 4096, at, 8 * MIB, MAP_FIXED | MAP_STACK);
    pthread_barrier_init(&there, NULL, 2);
    if (pthread_attr_setstack(&attributes, at, 8 * MIB) || pthread_create(&thread, &attributes, run_on_stack, NULL))
        exit(2);
    pthread_barrier_wait(&there);
    say("stacks", 4 * MIB);

    char *full = at + ARENA, *next = full + ARENA;
    reserve(full, ARENA, full, ARENA - MIB / 2, MAP_FIXED | MAP_NORESERVE);
    reserve(next, ARENA, next, 8 * MIB, MAP_FIXED | MAP_NORESERVE);
    touch(next, 8 * MIB);
    say("slack", 8 * MIB);
}

static void file(void)
{
    char name[] = "file.XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    if (fd < 0 || ftruncate(fd, 48 * (off_t)MIB))
        exit(2);
    volatile char sum = 0;
    char *read_only = map(48 * MIB, PROT_READ, MAP_SHARED | MAP_POPULATE, fd);
    for (size_t at = 0; at < 48 * MIB; at += 4096)
        sum = (char)(sum + read_only[at]);
    touch(map(16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd), 16 * MIB); /* copies of its own */
    say("files", 64 * MIB);
}

/* The second one not through mmap(3), which the recorder would see. */
static void shared(void)
{
    touch(map(40 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), 30 * MIB);
    int fd = memfd_create("shared", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 40 * (off_t)MIB))
        exit(2);
    touch(map(40 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd), 20 * MIB);
    say("heap", 40 * MIB);
    say("untouched", 10 * MIB);
    say("shared", 20 * MIB);
}

/* Address space is no memory; what a runtime commits of it by itself is some other arena's, even where an arena of the
   C library could lie. */
static void reserved(void)
{
    const size_t arena = 64 * MIB, size = (size_t)16 << 30;
    char *space = map(size + arena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    const size_t lead = (size_t)(-(uintptr_t)space % arena);
    munmap(space + lead + size, arena - lead);
    space += lead;
    if (mprotect(space + ((size_t)1 << 30), 24 * MIB, PROT_READ | PROT_WRITE))
        exit(2);
    touch(space + ((size_t)1 << 30), 24 * MIB);
    map((size_t)1 << 40, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    char *raw = (char *)syscall(SYS_mmap, NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    touch(raw, 8 * MIB);
    say("arenas", 32 * MIB);
    say("untouched", 0);
}

__attribute__((noinline)) static size_t descend(int depth)
{
    volatile char frame[4096];
    memset((char *)frame, depth, sizeof(frame));
    return depth ? descend(depth - 1) + (size_t)frame[1] : 0;
}

/* Its pages stay after it has returned. */
static void recursion(void)
{
    descend(1500);
    say("stacks", 1500 * (size_t)4096);
}

static void growth(void)
{
    char *block = NULL;
    size_t bytes = MIB;
    for (; bytes <= 128 * MIB; bytes *= 2)
        block = touch(realloc(block, bytes), bytes);
    say("heap", 128 * MIB);
    say("untouched", 0);
}

/* The last block keeps the break from going down. */
static void retained(void)
{
    enum { COUNT = 1000 };
    static char *blocks[COUNT];
    for (int i = 0; i < COUNT; i++)
        blocks[i] = memset(malloc(64 << 10), 1, 64 << 10);
    if (!malloc(100))
        exit(2);
    for (int i = 0; i < COUNT; i++)
        free(blocks[i]);
    say("slack", COUNT * (size_t)(64 << 10));
}

/* Half of what it uses is its parent's, by copy on write. */
static void forked(void)
{
    char *block = touch(malloc(64 * MIB), 64 * MIB);
    if (fork() == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    touch(block, 32 * MIB);
    say("heap", 64 * MIB);
    say("untouched", 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {{"untouched", untouched}, {"fragments", fragments}, {"threads", threads},   {"multiples", multiples},
             {"file", file},           {"shared", shared},       {"reserved", reserved}, {"recursion", recursion},
             {"growth", growth},       {"retained", retained},   {"forked", forked}};

int main(int argc, char **argv)
{
    size_t found = 0;
    for (size_t i = 0; argc > 1 && i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (strcmp(argv[1], kinds[i].name) == 0) {
            kinds[i].run();
            found++;
        }
    }
    if (!found)
        return 2;
    puts("ready");
    fflush(stdout);
    for (volatile int turning = argc > 2; turning;) {
        void *volatile block = malloc(512 << 10);
        free(block);
        usleep(500);
    }
    pause();
    return 0;
}
