/* Every compiler attribute the recorder uses. */
#ifndef FIL4PROD_ATTRIBUTES_H
#define FIL4PROD_ATTRIBUTES_H

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((cold, noinline))
#define EXPORT __attribute__((visibility("default")))
#define HIDDEN __attribute__((visibility("hidden"))) /* on declarations: reached without the GOT */
#define THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

#endif
