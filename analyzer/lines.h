/*
 * CPython line tables: from the byte offset of an instruction to its line. Three encodings (enum f4p_lines), all
 * walked as a sequence of ranges. Tables come from the trace and may hold anything: every walk ends within one step
 * per table byte, offsets and lines never overflow.
 */
#ifndef FIL4PROD_LINES_H
#define FIL4PROD_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

/* Instructions at byte offsets [from, to) have line `line`; 0: the compiler gave them none. */
struct f4p_line_range {
    uint32_t from, to, line;
};

struct f4p_line_walk {
    const uint8_t *at, *end;
    uint32_t kind, first_line;
    int64_t line;
    uint64_t offset;
    bool last;
};

/** Starts at offset 0. `table` must outlive the walk. */
void f4p_line_walk_start(struct f4p_line_walk *walk, const uint8_t *table, size_t bytes, uint32_t kind,
                         uint32_t first_line);

/** The next range, ascending and without gaps; some may be empty. false: the table ends here. */
bool f4p_line_walk_next(struct f4p_line_walk *walk, struct f4p_line_range *range);

/**
 * Line of the instruction at byte `offset`. Where the compiler gave it none, that of the range before; `first_line`
 * (the `def` line) where the table does not say or `offset` is F4P_NONE.
 */
uint32_t f4p_line_decode(const uint8_t *table, size_t bytes, uint32_t kind, uint32_t first_line, uint32_t offset);

/**
 * The same for many offsets of one table, in one walk. `offsets` ascending (F4P_NONE last); `lines` receives `count`
 * lines.
 */
void f4p_line_decode_many(const uint8_t *table, size_t bytes, uint32_t kind, uint32_t first_line,
                          const uint32_t *offsets, size_t count, uint32_t *lines);

#endif
