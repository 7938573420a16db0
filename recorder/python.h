/* CPython's stacks, read from inside without its headers, its GIL or its help. All version knowledge is in
 * python_layout.c's one table. */
#ifndef FIL4PROD_PYTHON_H
#define FIL4PROD_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

#include "format/writer.h"

/** Looks for a CPython in this process; from the constructor, once. If there is none, one that is loaded later is found
 * when a thread that runs in it allocates. */
void f4p_python_find(void);

/** Address of what CPython exports as `name`, with its size, or NULL; into the function pointer at `to`. */
void *f4p_python_symbol(const char *name, size_t *bytes);
void f4p_python_function(void *to, const char *name);

/** true if there is one whose stacks we can read. */
bool f4p_python_readable(void);

/** Records what was found as facts. */
void f4p_python_facts(struct f4p_writer *w);

/** This thread's state, or NULL; may run interpreter code that allocates. Call before taking the recorder's lock. */
void *f4p_python_thread_state(void);

#define F4P_PYTHON_FRAMES 128 /* kept per stack: the innermost ones */

struct f4p_python_frame {
    const uint8_t *code;
    uint32_t offset; /* of the current instruction, bytes; F4P_NONE: not known */
    bool entry;      /* entered from C: its caller runs in another call of the interpreter's loop */
};

/** Frames of `thread_state` (may be NULL), innermost first; *cut: there were more, or one failed a check. Valid until
 * the next call. Under the recorder's lock. */
unsigned f4p_python_frames(struct f4p_writer *w, void *thread_state, const struct f4p_python_frame **frames, bool *cut);

/** What a node of `frame` has as its object: the code's number, or that it is not known. Under the recorder's lock. */
uint32_t f4p_python_object(struct f4p_writer *w, const struct f4p_python_frame *frame);

/** New trace: what was interned in the old one does not hold. */
void f4p_python_forget(void);

/** Version as major << 8 | minor; 0: no Python. */
unsigned f4p_python_version(void);

/* ---- object allocator (python_objects.c) ---- */

/** Puts hooks on the OBJ and MEM domains if pymalloc serves them. From the constructor. */
void f4p_python_objects_hook(void);

/** The same for a CPython that runs already: as soon as a thread that holds its GIL comes by. */
void f4p_python_objects_await(void);

/** Whether they are still there: Python puts others in their place when it starts. For `state` of the calling thread;
 * cheap, and does nothing where the thread does not hold the GIL. Not under the recorder's lock. */
void f4p_python_objects_check(void *state);

#endif
