/* usage: grow MIB STEPS: prints a line per step and waits for one on its input; holds MIB more after each. A child is
 * forked after the first step with "child" as third argument: it goes on by itself, adding twice as much. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK 50000

static void *kept[1 << 16];
static size_t count;

static void grow(size_t bytes)
{
    for (size_t had = 0; had < bytes && count < sizeof(kept) / sizeof(kept[0]); had += BLOCK)
        kept[count++] = memset(malloc(BLOCK), 1, BLOCK);
}

int main(int argc, char **argv)
{
    size_t bytes = (size_t)(argc > 1 ? atol(argv[1]) : 1) << 20;
    int steps = argc > 2 ? atoi(argv[2]) : 1;
    char line[100];
    grow(bytes);
    if (argc > 3 && strcmp(argv[3], "child") == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            for (size_t i = 0; i < count / 2; i++) /* inherited, released here: the parent's stays */
                free(kept[i]);
            grow(2 * bytes);
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
    }
    for (int i = 0; i < steps; i++) {
        printf("step %d\n", i);
        fflush(stdout);
        if (steps > 1 && !fgets(line, sizeof(line), stdin))
            break;
        grow(bytes);
    }
    printf("done %zu\n", count);
    return 0;
}
