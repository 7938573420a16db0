/* Anonymous memory that the job maps by itself, sampled like any other. Reservations (PROT_NONE, MAP_NORESERVE), file
 * mappings and what an allocator maps for its own blocks are not counted. */
#ifndef FIL4PROD_MAPS_H
#define FIL4PROD_MAPS_H

#include <stdint.h>
#include <sys/types.h>

struct f4p_maps_call { /* mmap's arguments */
    void *at;
    size_t bytes;
    int protection, flags, fd;
    off_t offset;
};

/** What mmap, munmap and mremap do. `caller` is an address in the calling code, `frame` CALLERS_FRAME() in the hook. */
void *f4p_maps_map(const struct f4p_maps_call *call, const void *caller, uintptr_t frame);
int f4p_maps_unmap(void *at, size_t bytes, uintptr_t frame);
void *f4p_maps_remap(void *at, size_t bytes, size_t new_bytes, int flags, void *new_at, uintptr_t frame);

/** In a forked child: what is tracked is the parent's. */
void f4p_maps_reset(void);

#endif
