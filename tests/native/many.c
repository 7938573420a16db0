/* many DIRECTORY COUNT FUNCTION: loads DIRECTORY/1.so to COUNT.so and calls FUNCTION of each. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    char path[4096];
    if (argc < 4)
        return 2;
    for (int i = 1; i <= atoi(argv[2]); i++) {
        snprintf(path, sizeof path, "%s/%d.so", argv[1], i);
        void *library = dlopen(path, RTLD_NOW), *found = library ? dlsym(library, argv[3]) : NULL;
        void (*run)(void);
        memcpy(&run, &found, sizeof run);
        if (!found)
            return 1;
        run();
    }
    return 0;
}
