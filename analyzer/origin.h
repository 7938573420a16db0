/*
 * Whose code a frame is. This decides which line of a stack is "the user's", by path alone, with these rules (first
 * match counts):
 *
 *   Python   <frozen NAME>, or a path under one of the interpreter's own directories (PYTHON_PREFIX facts), or under
 *            .../lib/pythonX.Y/ or in pythonXY.zip               -> standard library, named by top module
 *            but .../site-packages/P... or .../dist-packages/P...  -> package P
 *            a file without .py directly in a bin/ directory of an environment (installed console script) -> package
 *            anything else, <string> and <stdin> too              -> the user's
 *   native   libc and its kin, the interpreter, the recorder      -> system
 *            the program's own executable                         -> the executable (= the user's, without Python)
 *            a module under site-packages/P or P.libs             -> library P
 *            anything else                                        -> library, named by file without .so and version
 */
#ifndef FIL4PROD_ORIGIN_H
#define FIL4PROD_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

enum f4p_origin {
    F4P_ORIGIN_USER = 1,
    F4P_ORIGIN_PACKAGE,
    F4P_ORIGIN_STDLIB,
    F4P_ORIGIN_EXECUTABLE,
    F4P_ORIGIN_LIBRARY,
    F4P_ORIGIN_SYSTEM,
    F4P_ORIGIN_SPECIAL
};

#define F4P_LIBRARY_BYTES 64u

/** Origin of a Python file. `prefixes`: NULL-terminated directories. `library` receives a name, "" for the user's. */
enum f4p_origin f4p_origin_python(const char *file, const char *const *prefixes, char library[F4P_LIBRARY_BYTES]);

/** Origin of a native module. `exe`: the program, "" if unknown; `python`: it is a Python interpreter. */
enum f4p_origin f4p_origin_native(const char *path, const char *exe, bool python, char library[F4P_LIBRARY_BYTES]);

#endif
