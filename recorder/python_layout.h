/* Where CPython keeps what a stack walk reads: the one place that knows its releases. */
#ifndef FIL4PROD_PYTHON_LAYOUT_H
#define FIL4PROD_PYTHON_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum f4p_python_top { F4P_TOP_TSTATE /* tstate[top_at] */, F4P_TOP_CFRAME /* tstate[56][top_at] */ };

/* How a frame says where it is: int of bytes, int of 2-byte units, pointer into the bytecode. */
enum f4p_python_position { F4P_POSITION_BYTES, F4P_POSITION_UNITS, F4P_POSITION_POINTER };

/* X(member): offsets in bytes, in this order in the table. 0 where a release has no such thing. */
#define F4P_PYTHON_OFFSETS(X)                                                                  \
    X(top_at) /* innermost frame */                                                            \
    X(previous)                                                                                \
    X(code)                                                                                    \
    X(position)                                                                                \
    X(owner)                                                                                   \
    X(entry) /* 3.11: is_entry */                                                              \
    X(file)                                                                                    \
    X(name)                                                                                    \
    X(qualname)                                                                                \
    X(table)                                                                                   \
    X(first_line)                                                                              \
    X(bytecode) /* start of the instructions in the code object */                             \
    X(version)  /* co_version: two code objects of an address never share one; 0: exhausted */ \
    X(type)     /* ob_type */                                                                  \
    X(bytes_size) X(bytes_data) X(str_length) X(str_state) X(ascii_data) X(compact_data)

struct f4p_python_layout {
    uint8_t minor;
    uint8_t top;           /* enum f4p_python_top */
    uint8_t position_kind; /* enum f4p_python_position */
    bool tagged;           /* the two low bits of the code pointer are flags */
    uint8_t lines;         /* enum f4p_lines */
#define X(member) uint16_t member;
    F4P_PYTHON_OFFSETS(X)
#undef X
};

/**
 * The layout of CPython 3.`minor`, corrected by what the interpreter says about itself (_Py_DebugOffsets, `runtime`:
 * _PyRuntime with its size, NULL before 3.13). *status, for the trace: "on..." or "off: ..." and why.
 */
bool f4p_python_layout_find(struct f4p_python_layout *layout, unsigned minor, const uint8_t *runtime, size_t bytes,
                            const char **status);

#endif
