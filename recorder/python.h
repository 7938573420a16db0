/* CPython's stacks, read from inside without its headers, its GIL or its help. All version knowledge is in python.c's
 * one table. */
#ifndef FIL4PROD_PYTHON_H
#define FIL4PROD_PYTHON_H

#include <stdbool.h>
#include <stdint.h>

#include "format/writer.h"

/** Looks for a CPython in this process; from the constructor, once. */
void f4p_python_find(void);

/** true if there is one whose stacks we can read. */
bool f4p_python_readable(void);

/** Records what was found as facts. */
void f4p_python_facts(struct f4p_writer *w);

/** This thread's state, or NULL; may run interpreter code that allocates. Call before taking the recorder's lock. */
void *f4p_python_thread_state(void);

/** Node of the innermost Python frame of `thread_state`, or F4P_NONE. Under the recorder's lock. */
uint32_t f4p_python_stack(struct f4p_writer *w, void *thread_state);

/** New trace: what was interned in the old one does not hold. */
void f4p_python_forget(void);

/** Version as major << 8 | minor; 0: no Python. */
unsigned f4p_python_version(void);

/* ---- object allocator (python_objects.c) ---- */

/** Puts hooks on the OBJ and MEM domains if pymalloc serves them. */
void f4p_python_objects_hook(void);

#endif
