/* Where the interpreter's own library stands, found without running any of it. */
#ifndef FIL4PROD_PYTHON_PREFIX_H
#define FIL4PROD_PYTHON_PREFIX_H

#include "format/writer.h"

/** Looks for the standard library of CPython 3.`minor`, whose code holds `function`: below PYTHONHOME, else beside the
 * object that has the function, else beside the executable. From the constructor, once. */
void f4p_python_prefix_find(unsigned minor, const void *function);

/** Records it as a fact. */
void f4p_python_prefix_fact(struct f4p_writer *w);

#endif
