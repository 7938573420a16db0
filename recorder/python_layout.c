#include "python_layout.h"

#include <string.h>

#include "format/format.h"

#define MAX_OFFSET 1024

/* 64-bit builds with a GIL. Sources: CPython's headers of each release, checked by running them. */
#define CODE_39 104, 112, 0, 120, 40, 0, 0
#define CODE_311(first_line, bytecode, version) 112, 120, 128, 136, first_line, bytecode, version
#define OBJECTS_39 8, 16, 32, 16, 32, 48, 72
#define OBJECTS_312 8, 16, 32, 16, 32, 40, 56

static const struct f4p_python_layout layouts[] = {
    {9, F4P_TOP_TSTATE, F4P_POSITION_BYTES, false, F4P_LINES_LNOTAB, 24, 24, 32, 104, 0, 0, CODE_39, OBJECTS_39},
    {10, F4P_TOP_TSTATE, F4P_POSITION_UNITS, false, F4P_LINES_310, 24, 24, 32, 96, 0, 0, CODE_39, OBJECTS_39},
    {11, F4P_TOP_CFRAME, F4P_POSITION_POINTER, false, F4P_LINES_311, 8, 48, 32, 56, 69, 68, CODE_311(72, 184, 0),
     OBJECTS_39},
    {12, F4P_TOP_CFRAME, F4P_POSITION_POINTER, false, F4P_LINES_311, 0, 8, 0, 56, 70, 0, CODE_311(68, 192, 92),
     OBJECTS_312},
    {13, F4P_TOP_TSTATE, F4P_POSITION_POINTER, false, F4P_LINES_311, 72, 8, 0, 56, 70, 0, CODE_311(68, 200, 92),
     OBJECTS_312},
    {14, F4P_TOP_TSTATE, F4P_POSITION_POINTER, true, F4P_LINES_311, 72, 8, 0, 56, 74, 0, CODE_311(68, 208, 92),
     OBJECTS_312},
    {15, F4P_TOP_TSTATE, F4P_POSITION_POINTER, true, F4P_LINES_311, 72, 8, 0, 56, 74, 0, CODE_311(68, 208, 92),
     OBJECTS_312},
};

/* Where _Py_DebugOffsets has the same; it begins with a cookie, the version and whether there is no GIL. 0: nowhere. */
#define COOKIE "xdebugpy"
#define VERSION_AT 8
#define FREE_THREADED_AT 16

static const struct f4p_python_layout described[] = {
    {.minor = 13,
     .top_at = 184,
     .previous = 232,
     .code = 240,
     .position = 248,
     .owner = 264,
     .file = 280,
     .name = 288,
     .qualname = 296,
     .table = 304,
     .first_line = 312,
     .bytecode = 344,
     .type = 360,
     .bytes_size = 520,
     .bytes_data = 528,
     .str_state = 544,
     .str_length = 552,
     .ascii_data = 560},
    {.minor = 14,
     .top_at = 208,
     .previous = 256,
     .code = 264,
     .position = 272,
     .owner = 288,
     .file = 320,
     .name = 328,
     .qualname = 336,
     .table = 344,
     .first_line = 352,
     .bytecode = 384,
     .type = 408,
     .bytes_size = 600,
     .bytes_data = 608,
     .str_state = 624,
     .str_length = 632,
     .ascii_data = 640},
    {.minor = 15,
     .top_at = 208,
     .previous = 320,
     .code = 328,
     .position = 336,
     .owner = 352,
     .file = 384,
     .name = 392,
     .qualname = 400,
     .table = 408,
     .first_line = 416,
     .bytecode = 448,
     .type = 472,
     .bytes_size = 696,
     .bytes_data = 704,
     .str_state = 720,
     .str_length = 728,
     .ascii_data = 736,
     .compact_data = 744},
};

static const struct f4p_python_layout *find(const struct f4p_python_layout *table, size_t count, unsigned minor)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].minor == minor)
            return &table[i];
    return NULL;
}
#define FIND(table, minor) find(table, sizeof(table) / sizeof(*(table)), minor)

static uint64_t word(const uint8_t *runtime, size_t at)
{
    uint64_t value;
    memcpy(&value, runtime + at, sizeof(value));
    return value;
}

struct check {
    const uint8_t *runtime;
    size_t bytes;
    bool wrong;   /* a value that cannot be */
    bool differs; /* from the table */
};

static void check_one(struct check *check, uint16_t *offset, uint16_t at)
{
    if (!at)
        return;
    uint64_t value = at + 8u <= check->bytes ? word(check->runtime, at) : MAX_OFFSET;
    if (value >= MAX_OFFSET)
        check->wrong = true;
    else if (value != *offset)
        check->differs = true;
    *offset = (uint16_t)value;
}

/* The interpreter's own words were written by the compiler that made it, ours by looking at one build: they win. */
static bool correct(struct f4p_python_layout *layout, const struct f4p_python_layout *at, struct check *check,
                    const char **status)
{
    if (!check->runtime || check->bytes < FREE_THREADED_AT + 8 || memcmp(check->runtime, COOKIE, 8) != 0 ||
        word(check->runtime, VERSION_AT) >> 16 != (0x300u | layout->minor)) {
        *status = "off: the interpreter does not describe itself as its release does";
        return false;
    }
    if (word(check->runtime, FREE_THREADED_AT)) {
        *status = "off: free-threaded builds are not supported yet";
        return false;
    }
#define X(member) check_one(check, &layout->member, at->member);
    F4P_PYTHON_OFFSETS(X)
#undef X
    if (check->wrong)
        *status = "off: the interpreter describes itself in a way that cannot be";
    else if (check->differs)
        *status = "on: laid out as the interpreter says, which is not what its release is known for";
    return !check->wrong;
}

bool f4p_python_layout_find(struct f4p_python_layout *layout, unsigned minor, const uint8_t *runtime, size_t bytes,
                            const char **status)
{
    const struct f4p_python_layout *known = FIND(layouts, minor), *at = FIND(described, minor);
    struct check check = {runtime, bytes, false, false};
    if (!known) {
        *status = "off: this Python release is not known";
        return false;
    }
    *layout = *known;
    *status = "on";
    return !at || correct(layout, at, &check, status);
}
