/* A program with its own LZ4 and its own unwinder, exported: whatever else in the process calls them by name gets
 * these. Prints how often they were called: once each, by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS(X)                        \
    X(LZ4_compress_default)                 \
    X(LZ4_compress_fast)                    \
    X(LZ4_compress_fast_extState)           \
    X(LZ4_compress_fast_extState_fastReset) \
    X(LZ4_compressBound)                    \
    X(LZ4_sizeofState)                      \
    X(LZ4_initStream)                       \
    X(LZ4_decompress_safe)                  \
    X(XXH64)                                \
    X(unw_backtrace)                        \
    X(unw_step)                             \
    X(_ULx86_64_step)                       \
    X(_ULx86_64_init_local)                 \
    X(_Unwind_Backtrace)                    \
    X(backtrace)

static volatile int calls;

#define X(name)         \
    int name(void);     \
    int name(void)      \
    {                   \
        return ++calls; \
    }
FUNCTIONS(X)
#undef X

static int (*const functions[])(void) = {
#define X(name) name,
    FUNCTIONS(X)
#undef X
};

int main(void)
{
    static char *kept[1000];
    for (unsigned i = 0; i < 60000; i++) { /* much history: the recorder compresses it */
        char **place = &kept[i * 7919u % 1000];
        free(*place);
        *place = malloc(16 + i % 4000);
        memset(*place, 1, 16);
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        functions[i]();
    printf("%d\n", calls);
    return calls != sizeof functions / sizeof *functions;
}
