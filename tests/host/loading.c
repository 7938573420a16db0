/* Libraries come and go while threads allocate. usage: loading PLUGIN ROUNDS; the plugin stands in the caller's way
 * with RTLD_DEEPBIND, too, where its malloc is libc's own. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *plugin;
static int rounds;

static int round_trip(int flags)
{
    void *library = dlopen(plugin, flags);
    if (!library)
        return 0;
    void *(*make)(size_t);
    void (*take)(void *);
    *(void **)&make = dlsym(library, "plugin_make");
    *(void **)&take = dlsym(library, "plugin_take");
    char *block = make ? make(20000) : NULL;
    int good = block && block[19999] == 7;
    free(block);
    if (take)
        take(malloc(20000));
    dlclose(library);
    return good && take;
}

static void *storm(void *argument)
{
    size_t good = 0;
    (void)argument;
    for (int i = 0; i < rounds; i++) {
        good += (size_t)round_trip(RTLD_NOW | RTLD_LOCAL);
        good += (size_t)round_trip(RTLD_LAZY | RTLD_DEEPBIND);
        free(dlopen("/nonexistent/library.so", RTLD_NOW) ? NULL : strdup(dlerror()));
    }
    return (void *)good;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    plugin = argv[1];
    rounds = atoi(argv[2]);
    pthread_t threads[3];
    size_t good = 0;
    for (int i = 0; i < 3; i++)
        if (pthread_create(&threads[i], NULL, storm, NULL))
            return 1;
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        good += (size_t)result;
    }
    printf("%zu round trips\n", good);
    return 0;
}
