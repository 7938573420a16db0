/* The slow paths behind the hooks: called when a sample may be due, or when the filter says "maybe". Each does what the
 * function of that name does. errno is kept as the real function left it. */
#ifndef FIL4PROD_SAMPLE_H
#define FIL4PROD_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attributes.h"

enum f4p_call_function {
    F4P_CALL_MALLOC,
    F4P_CALL_CALLOC, /* first: number of elements; for those below: alignment */
    F4P_CALL_MEMALIGN,
    F4P_CALL_ALIGNED_ALLOC,
    F4P_CALL_POSIX_MEMALIGN,
    F4P_CALL_VALLOC,
    F4P_CALL_PVALLOC,
    F4P_CALL_ARROW
};

struct f4p_call {
    enum f4p_call_function function;
    size_t first, size;
    uintptr_t frame;
    int error; /* what posix_memalign returned */
};

/** `frame`, here and below: CALLERS_FRAME() in the hook. */
COLD void *f4p_sample_call(enum f4p_call_function function, size_t first, size_t size, uintptr_t frame);
COLD int f4p_sample_posix_memalign(void **block, size_t alignment, size_t size, uintptr_t frame);
COLD void *f4p_sample_realloc(void *block, size_t size, uintptr_t frame);
void f4p_sample_free(void *block, uintptr_t frame);

/** The same for Arrow's allocator; f4p_sample_forget() is what comes before its free. */
COLD void *f4p_sample_realloc_arrow(void *block, size_t size, size_t alignment, uintptr_t frame);
COLD void f4p_sample_forget(void *block, uintptr_t frame);

/** A request that was no sample has just failed for want of memory. */
void f4p_sample_refused(size_t size, uintptr_t frame);

/** Whether a sample is due for `size` bytes; if so the thread's gap is redrawn and *shift is the one it ended. */
bool f4p_sample_due(size_t size, uint8_t *shift, uintptr_t frame);

#endif
