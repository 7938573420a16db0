/* Embeds a CPython by its libpython, and starts and ends it several times: what each life holds is stated from inside.
 *
 * usage: prog_embed LIBPYTHON PROGRAM LIVES      the last life ends as PROGRAM does, the others hold and drop objects
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *library;

static void *function(const char *name)
{
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "%s\n", dlerror());
        exit(2);
    }
    return found;
}

/* Objects of every size, freed and not: what an allocator hooked twice or half would not survive. */
static const char life[] = "kept = [bytes(n) for n in range(600)] * 3\n"
                           "more = {str(n): [n] * (n % 50) for n in range(20000)}\n"
                           "del kept\n";

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    void (*initialize)(void) = (void (*)(void))function("Py_Initialize");
    int (*finalize)(void) = (int (*)(void))function("Py_FinalizeEx");
    int (*run)(const char *) = (int (*)(const char *))function("PyRun_SimpleString");
    int (*run_file)(FILE *, const char *) = (int (*)(FILE *, const char *))function("PyRun_SimpleFile");
    for (int i = atoi(argv[3]); i > 1; i--) {
        initialize();
        if (run(life) != 0 || finalize() != 0)
            return 1;
    }
    initialize();
    FILE *file = fopen(argv[2], "r");
    return file ? run_file(file, argv[2]) : 1;
}
