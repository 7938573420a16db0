/* usage: crash_hog grow|leak BOOK: takes memory until somebody kills it; the two words of the file BOOK say how large
 * its largest block is and will be. Knows nothing of fil4prod. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "victim.h"

static void *keep(void *kept)
{
    *(void **)kept = malloc(VICTIM_MARK);
    return NULL;
}

static int threads(void)
{
    static void *kept[5000];
    for (int i = 0; i < 5000; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, keep, &kept[i]) || pthread_join(thread, NULL) || !kept[i])
            return 3;
    }
    return raise(SIGKILL);
}

int main(int argc, char **argv)
{
    int fd = argc == 3 ? open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
    if (fd < 0 || ftruncate(fd, 4096))
        return 2;
    volatile uint64_t *book = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (book == MAP_FAILED)
        return 2;
    if (argv[1][0] == 't')
        return threads();
    size_t size = argv[1][0] == 'g' ? (1 << 20) + 17 : (3 << 20) + 17, step = 0;
    char *block = NULL;
    for (;;) {
        if (argv[1][0] == 'g') {
            book[1] = size;
            block = realloc(block, size);
        } else {
            block = malloc(size);
        }
        if (!block)
            return 3;
        memset(block, 1, size);
        book[0] = size;
        for (int i = 0; i < 1000; i++) /* a bystander */
            free(malloc(100 + step++ % 5000));
        if (argv[1][0] == 'g')
            size = size * 2 + 1;
    }
}
