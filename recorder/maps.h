/* Anonymous memory that the job maps by itself, sampled like any other. Reservations (PROT_NONE, MAP_NORESERVE), file
 * mappings and what an allocator maps for its own blocks are not counted. */
#ifndef FIL4PROD_MAPS_H
#define FIL4PROD_MAPS_H

#include <sys/types.h>

/** What mmap, munmap and mremap do. `caller` is an address in the calling code. */
void *f4p_maps_map(void *at, size_t bytes, int protection, int flags, int fd, off_t offset, const void *caller);
int f4p_maps_unmap(void *at, size_t bytes);
void *f4p_maps_remap(void *at, size_t bytes, size_t new_bytes, int flags, void *new_at);

/** In a forked child: what is tracked is the parent's. */
void f4p_maps_reset(void);

#endif
