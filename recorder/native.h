/*
 * Native stacks of samples, alone or with Python's frames in them. Capturing takes addresses only: no lock, no
 * allocation, no file descriptor, no dl_* call; it reads the stack within its bounds and nothing else that could not be
 * there. What the addresses stand for is looked up under the recorder's lock.
 */
#ifndef FIL4PROD_NATIVE_H
#define FIL4PROD_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/writer.h"

#define F4P_NATIVE_DEPTH 128 /* frames kept: the innermost ones */

/* X(NAME, text) */
#define F4P_NATIVE_MODES(X)                                                                              \
    X(LEAF, "leaf") /* in Python threads only what is below the innermost Python frame; elsewhere all */ \
    X(FULL, "full") X(OFF, "off")

enum f4p_native_mode {
#define X(name, text) F4P_NATIVE_##name,
    F4P_NATIVE_MODES(X)
#undef X
};

/** From the constructor, once, after f4p_python_find(). */
void f4p_native_start(enum f4p_native_mode mode);

/** Records the mode as a fact. */
void f4p_native_facts(struct f4p_writer *w);

/** Keeps the calling thread's stack for f4p_native_stack(). `python`: the thread runs Python. Before the recorder's
 * lock; errno is kept. */
void f4p_native_capture(bool python);

/** Node of the stack captured last by this thread, with the Python frames of `thread_state` (may be NULL) in it;
 * F4P_NONE: there is none. Under the recorder's lock. */
uint32_t f4p_native_stack(struct f4p_writer *w, void *thread_state);

/** Whether the calling thread is in a function called by code in [start, end), or such code's callee. Not under the
 * recorder's lock; no allocation; errno is kept. */
bool f4p_native_runs_in(uintptr_t start, uintptr_t end);

/** Where the interpreter's loop is, if it came after the start; 0, 0: it is gone. */
void f4p_native_eval(uintptr_t start, size_t bytes);

/** New trace: what was recorded in the old one does not hold. */
void f4p_native_forget(void);

/** In a forked child. */
void f4p_native_reset(void);

/* ---- for tests ---- */

enum f4p_native_end {
    F4P_NATIVE_COMPLETE, /* the outermost frame was reached */
    F4P_NATIVE_DEEP,     /* there are more frames than `room` */
    F4P_NATIVE_EARLY     /* no way to the caller is known, or the stack is not what it should be */
};

/** The calling stack, innermost first: addresses within the calls (return address - 1), the caller of this first. */
size_t f4p_native_walk(uintptr_t *addresses, size_t room, enum f4p_native_end *end);

#endif
