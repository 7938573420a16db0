/* C++ and Rust names made readable. C++ (and Rust's older scheme, which looks like it) by __cxa_demangle: GCC's, which
 * needs no C++ runtime and whose licence lets it be linked into anything, or else that of the machine's runtime. */
#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "symbols_private.h"

typedef char *demangle_function(const char *name, char *buffer, size_t *bytes, int *status);

#ifdef HAVE_LIBSUPCXX
extern demangle_function __cxa_demangle;

static demangle_function *cxx_demangle(void)
{
    return __cxa_demangle;
}

const char *f4p_symbols_cxx(bool *readable)
{
    *readable = true;
    return "made readable by GCC's libsupc++, linked in";
}
#else
static demangle_function *cxx_demangle(void)
{
    static demangle_function *function;
    static bool tried;
    if (!tried) {
        static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};
        for (size_t i = 0; i < 2 && !function; i++) {
            void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL);
            void *symbol = library ? dlsym(library, "__cxa_demangle") : NULL;
            memcpy(&function, &symbol, sizeof function);
        }
        tried = true;
    }
    return function;
}

const char *f4p_symbols_cxx(bool *readable)
{
    *readable = cxx_demangle() != NULL;
    return *readable ? "made readable by this machine's C++ runtime"
                     : "left mangled: built without libsupc++, and this machine has no libstdc++.so.6";
}
#endif

/* "...::h" and 16 hexadecimal digits: what Rust's older scheme ends in. */
static bool has_rust_hash(const char *name, size_t bytes)
{
    if (bytes < 20 || memcmp(name + bytes - 19, "::h", 3) != 0)
        return false;
    for (size_t i = bytes - 16; i < bytes; i++)
        if (!isxdigit((unsigned char)name[i]))
            return false;
    return true;
}

/* Undoes the escapes of Rust's older scheme in place. */
static void unescape_rust(char *name)
{
    static const struct {
        const char *code, *text;
    } escapes[] = {{"$SP$", "@"},  {"$BP$", "*"},  {"$RF$", "&"},  {"$LT$", "<"},  {"$GT$", ">"},   {"$LP$", "("},
                   {"$RP$", ")"},  {"$C$", ","},   {"$u20$", " "}, {"$u27$", "'"}, {"$u5b$", "["},  {"$u5d$", "]"},
                   {"$u7b$", "{"}, {"$u7d$", "}"}, {"$u3b$", ";"}, {"$u2b$", "+"}, {"$u22$", "\""}, {"..", "::"}};
    char *out = name;
    for (const char *in = name; *in;) {
        size_t i = 0, count = sizeof escapes / sizeof *escapes;
        if (*in == '_' && in[1] == '$' && (in == name || (in[-1] == ':')))
            in++; /* put before a name that begins with an escape */
        while (i < count && strncmp(in, escapes[i].code, strlen(escapes[i].code)) != 0)
            i++;
        if (i < count) {
            size_t bytes = strlen(escapes[i].text);
            memcpy(out, escapes[i].text, bytes);
            out += bytes;
            in += strlen(escapes[i].code);
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
}

char *f4p_symbols_demangle(const char *name)
{
    int status = -1;
    if (strncmp(name, "_R", 2) == 0)
        return f4p_symbols_demangle_rust(name);
    demangle_function *function = strncmp(name, "_Z", 2) == 0 ? cxx_demangle() : NULL;
    char *readable = function ? function(name, NULL, NULL, &status) : NULL;
    if (!readable || status != 0) {
        free(readable);
        return NULL;
    }
    size_t bytes = strlen(readable);
    if (has_rust_hash(readable, bytes)) {
        readable[bytes - 19] = '\0';
        unescape_rust(readable);
    }
    return readable;
}
