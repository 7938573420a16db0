/*
 * A CPython that a program loads with dlopen after its start, as embedding hosts and plug-ins do. It is seen where the
 * map of modules is read (modules.c); its symbols are read from its image, by the kernel, without the loader's help. It
 * may be unloaded again: nothing of it is called but by a thread that runs in it, which keeps it where it is.
 */
#ifndef FIL4PROD_PYTHON_LATE_H
#define FIL4PROD_PYTHON_LATE_H

#include <stdbool.h>
#include <stddef.h>

#include "modules.h"

/** From the constructor, where there is no CPython: one may come. */
void f4p_python_late_start(void);

/** Whether one may come, and `module` has its functions. Reads only what the kernel can. */
bool f4p_python_late_is(const struct f4p_code_module *module);

/** The map has been read, and f4p_modules_python() will be another one, or none. */
void f4p_python_late_gone(void);

/** Address of what `module` exports as `name`, with its size, or NULL. */
void *f4p_python_late_symbol(const struct f4p_code_module *module, const char *name, size_t *bytes);

#endif
