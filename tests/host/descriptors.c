/*
 * A daemon's life: all descriptors closed, their numbers used again for its own data. usage: descriptors FILE [MODE]
 *   MODE pipe: standard error is a pipe that nobody reads, full; then one whose reader is gone
 * Ends by reading back what it wrote: nobody else may have written there, and no number may be taken.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WANTED 32

static void allocate(void)
{
    static void *kept[400];
    for (int i = 0; i < 400; i++) {
        free(kept[i]);
        kept[i] = malloc((size_t)i * 300 + 1);
    }
}

/* Messages of the recorder, if it had any, would be written by now: the trace's file cannot be grown here. */
static int data_intact(const char *path)
{
    int fds[WANTED], intact = 1;
    for (int i = 0; i < WANTED; i++) {
        fds[i] = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
        if (fds[i] != i)
            intact = 0;
    }
    for (int round = 0; round < 50; round++)
        allocate();
    off_t size = lseek(fds[0], 0, SEEK_END);
    return intact && size == 0 && open(path, O_RDONLY) == WANTED && open(path, O_RDONLY) == WANTED + 1;
}

static void full_pipe(int keep_reader)
{
    int ends[2];
    char filler[4096];
    memset(filler, 'x', sizeof(filler));
    if (pipe(ends))
        exit(9);
    dup2(ends[1], 2);
    if (keep_reader) {
        fcntl(2, F_SETFL, O_NONBLOCK);
        while (write(2, filler, sizeof(filler)) > 0)
            ;
        fcntl(2, F_SETFL, 0);
    } else {
        close(ends[0]);
    }
    close(ends[1]);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[2] : "";
    if (strcmp(mode, "full") == 0 || strcmp(mode, "gone") == 0) {
        /* The start is a program of its own, so that the recorder sees this pipe from the beginning. */
        if (argc > 3) {
            allocate();
            free(malloc(64 << 20));
            printf("alive\n");
            return 0;
        }
        full_pipe(strcmp(mode, "full") == 0);
        execl(argv[0], argv[0], argv[1], mode, "again", NULL);
        return 8;
    }
    free(malloc(1000)); /* what the recorder has to say is said later */
    int out = fcntl(1, F_DUPFD, 100);
    for (int fd = 0; fd < 64; fd++)
        close(fd);
    int intact = data_intact(argv[1]);
    dprintf(out, "intact %d\n", intact);
    return !intact;
}
