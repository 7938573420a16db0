#include "arrow.h"

#include <stdlib.h>
#include <string.h>

#include "attributes.h"
#include "filter.h"
#include "real.h"
#include "sample.h"
#include "thread.h"

/* ---- the real functions ---- */

/* Nobody but Arrow calls the hooks, so it is there; should it not be, the C library's do. */
static void *plain_malloc(size_t size, size_t alignment)
{
    return f4p_real.memalign(alignment, size);
}

static void *plain_realloc(void *block, size_t size, size_t alignment)
{
    (void)alignment;
    return f4p_real.realloc(block, size);
}

static void plain_free(void *block)
{
    f4p_real.free(block);
}

static COLD void resolve(void)
{
    void *allocate = f4p_symbol("arrow_mi_malloc_aligned"), *reallocate = f4p_symbol("arrow_mi_realloc_aligned"),
         *release = f4p_symbol("arrow_mi_free");
    struct f4p_arrow found = {plain_malloc, plain_realloc, plain_free};
    if (allocate && reallocate && release) {
        memcpy(&found.malloc_aligned, &allocate, sizeof(allocate));
        memcpy(&found.realloc_aligned, &reallocate, sizeof(reallocate));
        memcpy(&found.free, &release, sizeof(release));
    }
    f4p_arrow = found; /* others store the same */
}

static COLD void *first_malloc(size_t size, size_t alignment)
{
    resolve();
    return f4p_arrow.malloc_aligned(size, alignment);
}

static COLD void *first_realloc(void *block, size_t size, size_t alignment)
{
    resolve();
    return f4p_arrow.realloc_aligned(block, size, alignment);
}

static COLD void first_free(void *block)
{
    resolve();
    f4p_arrow.free(block);
}

struct f4p_arrow f4p_arrow = {first_malloc, first_realloc, first_free};

/* ---- hooks ---- */

void *arrow_mi_malloc_aligned(size_t size, size_t alignment);
void *arrow_mi_realloc_aligned(void *block, size_t size, size_t alignment);
void arrow_mi_free(void *block);

EXPORT void *arrow_mi_malloc_aligned(size_t size, size_t alignment)
{
    if (UNLIKELY(f4p_thread_take(size)))
        return f4p_sample_call(F4P_CALL_ARROW, alignment, size, CALLERS_FRAME());
    return f4p_arrow.malloc_aligned(size, alignment);
}

EXPORT void *arrow_mi_realloc_aligned(void *block, size_t size, size_t alignment)
{
    if (!block)
        return arrow_mi_malloc_aligned(size, alignment);
    return f4p_sample_realloc_arrow(block, size, alignment, CALLERS_FRAME());
}

EXPORT void arrow_mi_free(void *block)
{
    if (UNLIKELY(f4p_filter_maybe(block)))
        f4p_sample_forget(block, CALLERS_FRAME());
    f4p_arrow.free(block);
}
