/* replace A.so B.so: loads and unloads two libraries of the same shape in turn; each keeps a block. Prints how often
 * the second stood where the first had stood. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    static void *kept[6];
    void *first = NULL;
    int same = 0;
    if (argc < 3)
        return 2;
    for (int i = 0; i < 6; i++) {
        void *library = dlopen(argv[1 + i % 2], RTLD_NOW), *found = dlsym(library, i % 2 ? "beta" : "alfa");
        void *(*make)(void);
        if (!first)
            first = found;
        same += i % 2 && found == first;
        memcpy(&make, &found, sizeof make);
        kept[i] = make();
        dlclose(library);
    }
    printf("%d\n", same);
    return kept[5] == NULL;
}
