/* churn A.so B.so: threads that allocate while others load and unload libraries, and forks. Exits with the number of
 * children that did not end well. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile int stop;
static char **libraries;

__attribute__((noinline)) static void *deep(unsigned depth)
{
    void *block = depth ? deep(depth - 1) : malloc(200);
    __asm__ volatile("");
    return block;
}

static void *allocate(void *argument)
{
    for (unsigned n = 0; !stop; n++)
        free(deep(n % 40));
    return argument;
}

static void *load(void *argument)
{
    while (!stop)
        for (int i = 0; i < 2; i++) {
            void *library = dlopen(libraries[i], RTLD_NOW), *found = dlsym(library, i ? "beta" : "alfa");
            void *(*make)(void);
            memcpy(&make, &found, sizeof make);
            free(make());
            dlclose(library);
        }
    return argument;
}

int main(int argc, char **argv)
{
    pthread_t threads[6];
    int bad = 0;
    if (argc < 3)
        return 2;
    libraries = argv + 1;
    for (int i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, i < 4 ? allocate : load, NULL);
    for (int i = 0; i < 60; i++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            for (unsigned depth = 0; depth < 50; depth++)
                free(deep(depth));
            _exit(0);
        }
        waitpid(child, &status, 0);
        bad += status != 0;
        usleep(10000);
    }
    stop = 1;
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    return bad;
}
