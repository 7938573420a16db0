/* XXH64 (xxHash 64-bit, as specified by its author), which every check in a trace uses. */
#ifndef FIL4PROD_HASH_H
#define FIL4PROD_HASH_H

#include <stddef.h>
#include <stdint.h>

/** XXH64 of `bytes` bytes at `data` (any alignment; may be NULL if 0). Never fails, allocates nothing. */
uint64_t f4p_hash(const void *data, size_t bytes, uint64_t seed);

#endif
