/* A library of 500 functions that allocate, each through two inlined ones. tests/bench/symbols.py makes many of it. */
#include <stdlib.h>

void run(void);

static void *volatile sink;

static inline __attribute__((always_inline)) void *inner(size_t bytes)
{
    return malloc(bytes);
}

static inline __attribute__((always_inline)) void *outer(size_t bytes)
{
    return inner(bytes + 1);
}

#define FUNCTION(n)                                      \
    static __attribute__((noinline)) void m000_##n(void) \
    {                                                    \
        sink = outer(n);                                 \
    }
#define TEN(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7) X(n##8) X(n##9)
#define HUNDRED(X, n) \
    TEN(X, n##0)      \
    TEN(X, n##1) TEN(X, n##2) TEN(X, n##3) TEN(X, n##4) TEN(X, n##5) TEN(X, n##6) TEN(X, n##7) TEN(X, n##8) TEN(X, n##9)
#define ALL(X) HUNDRED(X, 1) HUNDRED(X, 2) HUNDRED(X, 3) HUNDRED(X, 4) HUNDRED(X, 5)
#define NAME(n) m000_##n,

ALL(FUNCTION)

static void (*const functions[500])(void) = {ALL(NAME)};

void run(void)
{
    for (int i = 0; i < 500; i++)
        functions[i]();
}
