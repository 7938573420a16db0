/* A program that brings its own malloc, as those do that are linked with an allocator's archive: libraries use it too,
 * nothing that is preloaded is asked, and what comes from it goes back to it. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK (4u << 20)
#define UNIT 16u

struct head {
    size_t size;
    size_t mark;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char *next, *end;
static size_t taken, given, strange;

void *malloc(size_t size)
{
    size_t need = sizeof(struct head) + ((size + UNIT - 1) & ~(size_t)(UNIT - 1));
    pthread_mutex_lock(&mutex);
    if (need > (size_t)(end - next)) {
        size_t chunk = need > CHUNK ? need : CHUNK;
        void *more = mmap(NULL, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        next = more == MAP_FAILED ? NULL : more;
        end = next ? next + chunk : NULL;
    }
    struct head *head = next ? (void *)next : NULL;
    if (head) {
        next += need;
        *head = (struct head){size, (size_t)(uintptr_t)head ^ 0x5a5a};
        taken++;
    }
    pthread_mutex_unlock(&mutex);
    return head ? head + 1 : NULL;
}

void free(void *block)
{
    if (!block)
        return;
    struct head *head = (struct head *)block - 1;
    pthread_mutex_lock(&mutex);
    if (head->mark == ((size_t)(uintptr_t)head ^ 0x5a5a))
        given++;
    else
        strange++;
    pthread_mutex_unlock(&mutex);
}

void *calloc(size_t count, size_t size)
{
    return size && count > SIZE_MAX / size ? NULL : malloc(count * size); /* fresh pages, never used again */
}

void *realloc(void *block, size_t size)
{
    void *moved = malloc(size);
    if (block && moved) {
        size_t had = ((struct head *)block - 1)->size;
        memcpy(moved, block, had < size ? had : size);
        free(block);
    }
    return moved;
}

static void *work(void *seed)
{
    size_t sum = (size_t)(uintptr_t)seed;
    for (int i = 0; i < 20000; i++) {
        char *text = strdup("made by the C library with the program's malloc");
        text = realloc(text, 200);
        sum += strlen(text);
        free(text);
    }
    return (void *)sum;
}

int main(void)
{
    pthread_t threads[4];
    size_t sum = 0;
    for (uintptr_t i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
            return 1;
    for (int i = 0; i < 4; i++) {
        void *part;
        pthread_join(threads[i], &part);
        sum += (size_t)(uintptr_t)part;
    }
    printf("sum %zu, many %d, strange %zu\n", sum, taken >= 160000 && given >= 160000, strange);
    return 0;
}
