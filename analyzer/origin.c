#include "origin.h"

#include <ctype.h>
#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Copies `text` up to the first character of `stop`. */
static void copy_until(char library[F4P_LIBRARY_BYTES], const char *text, const char *stop)
{
    size_t bytes = strcspn(text, stop);
    if (bytes >= F4P_LIBRARY_BYTES)
        bytes = F4P_LIBRARY_BYTES - 1;
    memcpy(library, text, bytes);
    library[bytes] = '\0';
}

/* What stands after the last "/site-packages/" or "/dist-packages/", or NULL. */
static const char *inside_packages(const char *path)
{
    static const char *const dirs[] = {"/site-packages/", "/dist-packages/"};
    const char *found = NULL;
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        const char *at = path;
        while ((at = strstr(at, dirs[i]))) {
            at += strlen(dirs[i]);
            if (!found || at > found)
                found = at;
        }
    }
    return found;
}

/* "3.11/" -> what follows; NULL if there is no such version. */
static const char *after_version(const char *text)
{
    if (!isdigit((unsigned char)*text))
        return NULL;
    while (isdigit((unsigned char)*text) || *text == '.' || *text == 't')
        text++;
    return *text == '/' ? text + 1 : NULL;
}

/* What stands after ".../lib/pythonX.Y/" or ".../pythonXY.zip/", or NULL. */
static const char *inside_stdlib(const char *path)
{
    const char *at = path;
    while ((at = strstr(at, "/python"))) {
        at += strlen("/python");
        const char *rest = after_version(at);
        const char *dir = at - strlen("/python");
        bool lib =
            (dir - path >= 4 && !memcmp(dir - 4, "/lib", 4)) || (dir - path >= 6 && !memcmp(dir - 6, "/lib64", 6));
        if (rest && lib)
            return rest;
        size_t digits = strspn(at, "0123456789");
        if (digits >= 2 && !strncmp(at + digits, ".zip/", 5))
            return at + digits + 5;
    }
    return NULL;
}

static const char *inside_prefix(const char *path, const char *const *prefixes)
{
    for (size_t i = 0; prefixes && prefixes[i]; i++) {
        size_t bytes = strlen(prefixes[i]);
        /* a whole installation such as /usr says nothing: only its library directory does */
        const char *python = strstr(prefixes[i], "/python");
        if (bytes && python && after_version(python + 7) == NULL && isdigit((unsigned char)python[7]) &&
            !strncmp(path, prefixes[i], bytes) && path[bytes] == '/')
            return path + bytes + 1;
    }
    return NULL;
}

enum f4p_origin f4p_origin_python(const char *file, const char *const *prefixes, char library[F4P_LIBRARY_BYTES])
{
    library[0] = '\0';
    if (!strncmp(file, "<frozen ", 8)) {
        copy_until(library, file + 8, ".> ");
        return F4P_ORIGIN_STDLIB;
    }
    if (!strncmp(file, "<__array_function__", 19)) {
        copy_until(library, "numpy", "");
        return F4P_ORIGIN_PACKAGE;
    }
    const char *inside = inside_packages(file);
    if (inside) {
        copy_until(library, inside, "/.");
        return F4P_ORIGIN_PACKAGE;
    }
    inside = inside_prefix(file, prefixes);
    if (!inside)
        inside = inside_stdlib(file);
    if (inside) {
        copy_until(library, inside, "/.");
        return F4P_ORIGIN_STDLIB;
    }
    const char *base = base_name(file);
    if (base - file >= 5 && !memcmp(base - 5, "/bin/", 5) && !strchr(base, '.')) {
        copy_until(library, base, "");
        return F4P_ORIGIN_PACKAGE;
    }
    return F4P_ORIGIN_USER;
}

/* libfoo.so.1.2 -> libfoo, libfoo-1a2b3c.so -> libfoo, _x.cpython-311-x86_64-linux-gnu.so -> _x */
static void name_module(char library[F4P_LIBRARY_BYTES], const char *base)
{
    copy_until(library, base, "");
    char *end = strstr(library, ".cpython-");
    if (!end)
        end = strstr(library, ".abi3.");
    if (!end)
        end = strstr(library, ".so");
    if (end)
        *end = '\0';
}

static bool is_system(const char *library)
{
    static const char *const names[] = {"libc",      "libm",    "libdl",      "libpthread", "librt",
                                        "ld-linux",  "[vdso]",  "libstdc++",  "libgcc_s",   "libfil4prod",
                                        "libresolv", "libutil", "linux-vdso", "ld-musl"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t bytes = strlen(names[i]);
        if (!strncmp(library, names[i], bytes) &&
            (library[bytes] == '\0' ||
             (library[bytes] == '-' && (isdigit((unsigned char)library[bytes + 1]) || !strncmp(names[i], "ld-", 3)))))
            return true;
    }
    return false;
}

enum f4p_origin f4p_origin_native(const char *path, const char *exe, bool python, char library[F4P_LIBRARY_BYTES])
{
    const char *base = base_name(path);
    const char *inside = inside_packages(path);
    if (inside) {
        copy_until(library, inside, "/.");
        return F4P_ORIGIN_LIBRARY;
    }
    name_module(library, base);
    if (is_system(library))
        return F4P_ORIGIN_SYSTEM;
    bool executable = *exe && !strcmp(path, exe);
    if (python && (executable || !strncmp(library, "libpython", 9)))
        return F4P_ORIGIN_SYSTEM;
    return executable ? F4P_ORIGIN_EXECUTABLE : F4P_ORIGIN_LIBRARY;
}
