/*
 * The functions behind the hooks, and symbols of the job in general, found in the loaded objects' own symbol tables:
 * dlsym() allocates, takes locks, sets dlerror() and wants a newer glibc than we do.
 */
#ifndef FIL4PROD_REAL_H
#define FIL4PROD_REAL_H

#include <stddef.h>

/* X(return type, name, parameters): what the next object after us in search order defines. */
#define F4P_REAL(X)                      \
    X(void *, malloc, (size_t))          \
    X(void *, calloc, (size_t, size_t))  \
    X(void *, realloc, (void *, size_t)) \
    X(void, free, (void *))

struct f4p_real {
#define X(type, name, parameters) type(*name) parameters;
    F4P_REAL(X)
#undef X
};

/* Usable from the first call on: starts with functions that resolve the real ones. */
extern struct f4p_real f4p_real;

/** Address of the first definition of `name` in the loaded objects, ours left out, or NULL. Not for fast paths. */
void *f4p_symbol(const char *name);

#endif
