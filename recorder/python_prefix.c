#include "python_prefix.h"

#include <limits.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANDMARK "/os.py"

static struct {
    char path[PATH_MAX]; /* "": not found */
    char home[PATH_MAX]; /* PYTHONHOME's first part; "": none */
} here;

struct search {
    uintptr_t address;
    char *path;
};

static int find_object(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + p->p_vaddr;
        if (p->p_type != PT_LOAD || search->address < start || search->address - start >= p->p_memsz)
            continue;
        if (info->dlpi_name && *info->dlpi_name == '/' && strlen(info->dlpi_name) < PATH_MAX)
            strcpy(search->path, info->dlpi_name);
        return 1;
    }
    return 0;
}

/* The name of CPython 3.`minor`'s directory below `lib`, appended to `path`. */
static void append_name(char *path, const char *lib, unsigned minor)
{
    char digits[] = {(char)('0' + minor / 10), (char)('0' + minor % 10), 0};
    strcat(path, lib);
    strcat(path, "/python3.");
    strcat(path, minor < 10 ? digits + 1 : digits);
}

/* PREFIX/lib/python3.N, if the library is there. */
static bool try_prefix(const char *prefix, size_t bytes, unsigned minor)
{
    static const char *const libs[] = {"/lib", "/lib64"};
    if (bytes + 64 > sizeof(here.path))
        return false;
    for (size_t i = 0; i < sizeof(libs) / sizeof(*libs); i++) {
        memcpy(here.path, prefix, bytes);
        here.path[bytes] = 0;
        append_name(here.path, libs[i], minor);
        size_t end = strlen(here.path);
        strcpy(here.path + end, LANDMARK);
        bool found = access(here.path, F_OK) == 0;
        here.path[end] = 0;
        if (found)
            return true;
    }
    here.path[0] = 0;
    return false;
}

/* Each directory above `file`, as the interpreter itself looks for its library. What a search path like $ORIGIN/.. has
 * led to is named with it; the interpreter names its files without. */
static bool try_above(const char *file, unsigned minor)
{
    static char plain[PATH_MAX];
    if (strstr(file, "/../") && realpath(file, plain))
        file = plain;
    for (size_t bytes = strlen(file); bytes > 0; bytes--)
        if (file[bytes] == '/' && try_prefix(file, bytes, minor))
            return true;
    return false;
}

void f4p_python_prefix_start(void)
{
    const char *home = secure_getenv("PYTHONHOME");
    size_t bytes = home && *home == '/' ? strcspn(home, ":") : 0;
    if (bytes < sizeof(here.home))
        memcpy(here.home, home ? home : "", bytes);
}

static char file[PATH_MAX];

static void find(unsigned minor)
{
    here.path[0] = 0;
    if (minor > 99 || (*here.home && try_prefix(here.home, strlen(here.home), minor)))
        return;
    if (*file && try_above(file, minor))
        return;
    ssize_t bytes = readlink("/proc/self/exe", file, sizeof(file) - 1);
    file[bytes > 0 ? bytes : 0] = 0;
    try_above(file, minor);
}

void f4p_python_prefix_find(unsigned minor, const void *function)
{
    struct search search = {(uintptr_t)function, file};
    dl_iterate_phdr(find_object, &search);
    find(minor);
}

void f4p_python_prefix_find_file(unsigned minor, const char *path, size_t bytes)
{
    if (bytes >= sizeof(file))
        bytes = 0;
    memcpy(file, path, bytes);
    file[bytes] = 0;
    find(minor);
}

void f4p_python_prefix_fact(struct f4p_writer *w)
{
    if (*here.path)
        f4p_writer_fact(w, F4P_FACT_ID_PYTHON_PREFIX, F4P_FACT_LIST, here.path, strlen(here.path) + 1);
}
