/* The only file that defines malloc and its kin. A hook is a test and a tail call. */
#include <stdlib.h>

#include "attributes.h"
#include "filter.h"
#include "real.h"
#include "sample.h"
#include "session.h"
#include "thread.h"

EXPORT void *malloc(size_t size)
{
    if (LIKELY(size < f4p_thread.left)) {
        f4p_thread.left -= size;
        return f4p_real.malloc(size);
    }
    return f4p_sample_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (LIKELY(!__builtin_mul_overflow(count, size, &bytes) && bytes < f4p_thread.left)) {
        f4p_thread.left -= bytes;
        return f4p_real.calloc(count, size);
    }
    return f4p_sample_calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    if (LIKELY(block && size && size < f4p_thread.left && !f4p_filter_maybe(block))) {
        f4p_thread.left -= size;
        return f4p_real.realloc(block, size);
    }
    return f4p_sample_realloc(block, size);
}

EXPORT void free(void *block)
{
    if (LIKELY(!f4p_filter_maybe(block)))
        f4p_real.free(block);
    else
        f4p_sample_free(block);
}

__attribute__((constructor)) static void start(void)
{
    f4p_session_start();
}

__attribute__((destructor)) static void stop(void)
{
    f4p_session_exit();
}
