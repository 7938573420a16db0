/* Small traces with named frames, for tests of the analyzer: written by the real writer, read by the real reader. */
#ifndef FIL4PROD_SUPPORT_SKETCH_H
#define FIL4PROD_SUPPORT_SKETCH_H

#include "tests/support_trace.h"

struct f4p_sketch {
    struct f4p_fixture f;
    struct f4p_trace *trace; /* of f4p_sketch_open() */
};

/** Begins a trace of a Python process (python: false, of another) in the directory /job, thread 0 its first. */
void f4p_sketch_start(struct f4p_sketch *s, uint64_t interval, int python);

/** A Python function without a line table: every frame of it is at `line`. Returns an object for stacks. */
uint32_t f4p_sketch_code(struct f4p_sketch *s, const char *function, const char *file, uint32_t line);

/** A native module; returns an object for stacks. */
uint32_t f4p_sketch_module(struct f4p_sketch *s, const char *path);

/** Site of a stack of `count` objects, outermost first, in thread `thread` (0 or 1); `offset` in each of them. */
uint32_t f4p_sketch_site(struct f4p_sketch *s, uint32_t thread, uint32_t offset, size_t count, const uint32_t *objects);

/** Ends the process with `status` and opens the trace. */
const struct f4p_trace *f4p_sketch_open(struct f4p_sketch *s, enum f4p_status status);
void f4p_sketch_free(struct f4p_sketch *s);

#endif
