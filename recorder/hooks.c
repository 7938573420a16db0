/* The only file that defines malloc and its kin. A hook is a test and a tail call. */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"
#include "filter.h"
#include "maps.h"
#include "modules.h"
#include "real.h"
#include "sample.h"
#include "sandbox.h"
#include "session.h"
#include "thread.h"

EXPORT void *malloc(size_t size)
{
    if (UNLIKELY(f4p_thread_take(size)))
        return f4p_sample_call(F4P_CALL_MALLOC, 1, size, CALLERS_FRAME());
    return f4p_real.malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes) || f4p_thread_take(bytes)))
        return f4p_sample_call(F4P_CALL_CALLOC, count, size, CALLERS_FRAME());
    return f4p_real.calloc(count, size);
}

EXPORT void *realloc(void *block, size_t size)
{
    if (UNLIKELY(!block || !size || f4p_filter_maybe(block) || f4p_thread_take(size)))
        return f4p_sample_realloc(block, size, CALLERS_FRAME());
    return f4p_real.realloc(block, size);
}

EXPORT void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

EXPORT void free(void *block)
{
    if (UNLIKELY(f4p_filter_maybe(block)))
        f4p_sample_free(block, CALLERS_FRAME());
    else
        f4p_real.free(block);
}

/* cfree of programs linked before glibc 2.26, free_sized and free_aligned_sized of C23: no header here has them. */
void cfree(void *block);
void free_sized(void *block, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size);

EXPORT void cfree(void *block)
{
    free(block);
}

EXPORT void free_sized(void *block, size_t size)
{
    (void)size;
    free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    free(block);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return f4p_sample_call(F4P_CALL_MEMALIGN, alignment, size, CALLERS_FRAME());
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return f4p_sample_call(F4P_CALL_ALIGNED_ALLOC, alignment, size, CALLERS_FRAME());
}

EXPORT void *valloc(size_t size)
{
    return f4p_sample_call(F4P_CALL_VALLOC, 0, size, CALLERS_FRAME());
}

EXPORT void *pvalloc(size_t size)
{
    return f4p_sample_call(F4P_CALL_PVALLOC, 0, size, CALLERS_FRAME());
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t size)
{
    return f4p_sample_posix_memalign(block, alignment, size, CALLERS_FRAME());
}

EXPORT void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return f4p_maps_map(&(struct f4p_maps_call){at, bytes, protection, flags, fd, offset}, __builtin_return_address(0),
                        CALLERS_FRAME());
}

EXPORT void *mmap64(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    return f4p_maps_map(&(struct f4p_maps_call){at, bytes, protection, flags, fd, offset}, __builtin_return_address(0),
                        CALLERS_FRAME());
}

EXPORT int munmap(void *at, size_t bytes)
{
    return f4p_maps_unmap(at, bytes, CALLERS_FRAME());
}

EXPORT void *mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...)
{
    void *new_at = NULL;
    if (flags & MREMAP_FIXED) {
        va_list list;
        va_start(list, flags);
        new_at = va_arg(list, void *);
        va_end(list);
    }
    return f4p_maps_remap(at, bytes, new_bytes, flags, new_at, CALLERS_FRAME());
}

/* What is loaded next may stand where this stood. */
EXPORT int dlclose(void *handle)
{
    return f4p_modules_close(handle);
}

/* The header has "...". syscall() is hooked in sandbox.c. */
EXPORT int hook_prctl(int operation, long a, long b, long c, long d) __asm__("prctl");

int hook_prctl(int operation, long a, long b, long c, long d)
{
    return f4p_sandbox_prctl(operation, a, b, c, d);
}

/* Found at the start: later the loader's lock may belong to a thread that a fork has left behind. */
static struct {
    void (*at_once)(int status), (*at_once_c)(int status), (*quick)(int status);
} real_end;

static __attribute__((noreturn)) void end(void (*real)(int status), int status)
{
    f4p_session_exit(status);
    if (real)
        real(status);
    for (;;)
        syscall(SYS_exit_group, status);
}

EXPORT void _exit(int status)
{
    end(real_end.at_once, status);
}

EXPORT void _Exit(int status)
{
    end(real_end.at_once_c, status);
}

EXPORT void quick_exit(int status)
{
    end(real_end.quick, status);
}

__attribute__((constructor)) static void start(void)
{
    f4p_symbol_function(&real_end.at_once, "_exit");
    f4p_symbol_function(&real_end.at_once_c, "_Exit");
    f4p_symbol_function(&real_end.quick, "quick_exit");
    if (f4p_real_complete())
        f4p_session_start();
    else
        f4p_session.stopped = true;
}

__attribute__((destructor)) static void stop(void)
{
    f4p_session_unload();
}
