/* Every compiler attribute the recorder uses. */
#ifndef FIL4PROD_ATTRIBUTES_H
#define FIL4PROD_ATTRIBUTES_H

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COLD __attribute__((cold, noinline))
#define EXPORT __attribute__((visibility("default")))
#define HIDDEN __attribute__((visibility("hidden"))) /* on declarations: reached without the GOT */
/* End of the caller's frame: what the caller calls lies below it, whatever the compiler inlines there. */
#define CALLERS_FRAME() ((uintptr_t)__builtin_dwarf_cfa())
#define THREAD_LOCAL __thread __attribute__((tls_model("initial-exec")))

#endif
