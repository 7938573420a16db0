/* Where the interpreter's own library stands, found without running any of it. */
#ifndef FIL4PROD_PYTHON_PREFIX_H
#define FIL4PROD_PYTHON_PREFIX_H

#include "format/writer.h"

/** From the constructor, once: where PYTHONHOME says. */
void f4p_python_prefix_start(void);

/** Looks for the standard library of CPython 3.`minor`: below PYTHONHOME, else beside the object that has `function`,
 * else beside the executable. From the constructor. */
void f4p_python_prefix_find(unsigned minor, const void *function);

/** The same for a CPython in the file `path`, with plain system calls. */
void f4p_python_prefix_find_file(unsigned minor, const char *path, size_t bytes);

/** Records it as a fact. */
void f4p_python_prefix_fact(struct f4p_writer *w);

#endif
