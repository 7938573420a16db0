/* Embeds a CPython by its libpython, and starts and ends it several times: what each life holds is stated from inside.
 *
 * usage: prog_embed LIBPYTHON PROGRAM LIVES [local|global]
 *
 * Each life holds and drops objects and runs PROGRAM; all but the last run it under another name of the same length and
 * without its end: code of the same shape, at the same addresses as far as can be, that is not the same. With `local`
 * or `global` the library is loaded anew for each life, while threads that know nothing of Python allocate.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 2

static struct {
    void *handle;
    void (*initialize)(void);
    int (*finalize)(void);
    int (*run)(const char *source);
    int (*run_file)(FILE *file, const char *name);
} python;

static void *checked(void *found)
{
    if (!found) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    return found;
}

static void load(const char *path, int flags)
{
    python.handle = checked(dlopen(path, RTLD_NOW | flags));
    python.initialize = (void (*)(void))checked(dlsym(python.handle, "Py_Initialize"));
    python.finalize = (int (*)(void))checked(dlsym(python.handle, "Py_FinalizeEx"));
    python.run = (int (*)(const char *))checked(dlsym(python.handle, "PyRun_SimpleString"));
    python.run_file = (int (*)(FILE *, const char *))checked(dlsym(python.handle, "PyRun_SimpleFile"));
}

/* Objects of every size, freed and not: what an allocator hooked twice or half would not survive. */
static const char life[] = "kept = [bytes(n) for n in range(600)] * 3\n"
                           "more = {str(n): [n] * (n % 50) for n in range(20000)}\n"
                           "del kept\n"
                           "import truth\n"
                           "finish, truth.finish = truth.finish, lambda: None\n";

static int run_as(const char *program, const char *name)
{
    FILE *file = fopen(program, "r");
    int result = file ? python.run_file(file, name) : 1;
    if (file)
        fclose(file);
    return result;
}

static int live(const char *program, bool last)
{
    char *name = strdup(program);
    if (!name)
        return 1;
    if (!last)
        name[strlen(name) - 1] = 'x';
    python.initialize();
    int result =
        python.run(life) != 0 || (last && python.run("truth.finish = finish\n") != 0) || run_as(program, name) != 0;
    free(name);
    return result;
}

static bool over;

static void *others(void *nothing)
{
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        free(malloc(100));
        usleep(20);
    }
    return nothing;
}

static int live_apart(const char *path, const char *program, int lives, int flags)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, others, NULL) != 0)
            return 1;
    for (int i = lives; i > 1; i--) {
        load(path, flags);
        if (live(program, false) || python.finalize() != 0 || dlclose(python.handle) != 0)
            return 1;
        void *still = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
        fputs(still ? "still loaded\n" : "unloaded\n", stderr);
        if (still)
            dlclose(still);
    }
    load(path, flags);
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return live(program, true);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int lives = atoi(argv[3]);
    if (argc > 4)
        return live_apart(argv[1], argv[2], lives, strcmp(argv[4], "local") == 0 ? RTLD_LOCAL : RTLD_GLOBAL);
    load(argv[1], RTLD_GLOBAL);
    for (int i = lives; i > 1; i--)
        if (live(argv[2], false) || python.finalize() != 0)
            return 1;
    return live(argv[2], true);
}
