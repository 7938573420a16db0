/*
 * Apache Arrow brings an allocator of its own along, whose entries it calls through its symbol table: they are hooked
 * like malloc. What that allocator maps for its blocks is a reservation and not counted.
 */
#ifndef FIL4PROD_ARROW_H
#define FIL4PROD_ARROW_H

#include <stddef.h>

#include "attributes.h"

struct f4p_arrow {
    void *(*malloc_aligned)(size_t size, size_t alignment);
    void *(*realloc_aligned)(void *block, size_t size, size_t alignment);
    void (*free)(void *block);
};

/* Usable from the first call on: starts with functions that look for the real ones. */
extern HIDDEN struct f4p_arrow f4p_arrow;

#endif
