/*
 * The functions behind the hooks, and symbols of the job in general, found in the loaded objects' own symbol tables:
 * dlsym() allocates, takes locks, sets dlerror() and wants a newer glibc than we do.
 */
#ifndef FIL4PROD_REAL_H
#define FIL4PROD_REAL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "attributes.h"

/* X(return type, name, parameters, arguments): what the next object after us in search order defines. */
#define F4P_REAL(X)                                                                                 \
    X(void *, malloc, (size_t size), (size))                                                        \
    X(void *, calloc, (size_t count, size_t size), (count, size))                                   \
    X(void *, realloc, (void *block, size_t size), (block, size))                                   \
    X(void *, memalign, (size_t alignment, size_t size), (alignment, size))                         \
    X(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))                    \
    X(void *, valloc, (size_t size), (size))                                                        \
    X(void *, pvalloc, (size_t size), (size))                                                       \
    X(int, posix_memalign, (void **block, size_t alignment, size_t size), (block, alignment, size)) \
    X(void *, mmap, (void *at, size_t bytes, int protection, int flags, int fd, off_t offset),      \
      (at, bytes, protection, flags, fd, offset))                                                   \
    X(int, munmap, (void *at, size_t bytes), (at, bytes))                                           \
    X(void *, mremap, (void *at, size_t bytes, size_t new_bytes, int flags, void *new_at),          \
      (at, bytes, new_bytes, flags, new_at))

struct f4p_real {
#define X(type, name, parameters, arguments) type(*name) parameters;
    F4P_REAL(X)
    X(void, free, (void *block), )
#undef X
};

/* Usable from the first call on: starts with functions that resolve the real ones. */
extern HIDDEN struct f4p_real f4p_real;

/** Address of the first definition of `name` in the loaded objects, ours left out, or NULL. Not for fast paths. */
void *f4p_symbol(const char *name);

/** The same into the function pointer at `to`; NULL if not found. */
void f4p_symbol_function(void *to, const char *name);

/** The same, and the size of what it names: 0 if not found. */
void *f4p_symbol_sized(const char *name, size_t *bytes);

/** false: the C library lacks a function that glibc has; it is another one, whose programs are not recorded. */
bool f4p_real_complete(void);

/** true if `address` lies in the object that defines the real malloc: an allocator at work for its own blocks. */
bool f4p_real_allocator_has(const void *address);

#endif
