/*
 * Names for native addresses. Files of the trace's modules are looked at if their build-id is the recorded one: symbol
 * tables, and with libdw DWARF lines, inlined functions and separate debug files. All of that runs in child processes
 * with limits on time and memory: a hostile ELF file costs its own names, nothing else.
 */
#ifndef FIL4PROD_SYMBOLS_H
#define FIL4PROD_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/reader.h"

#define F4P_MAX_PATH_MAPS 16u

struct f4p_symbols;

struct f4p_symbol_options {
    bool none;                                /* only what is in the trace */
    const char *path_maps[F4P_MAX_PATH_MAPS]; /* "A=B": a module whose path begins with A is looked for under B */
    size_t path_map_count;
};

/**
 * Adds to trace->symbols what can be found for the addresses of its nodes that have none. *out owns the memory and must
 * outlive the trace's use; NULL if nothing was added. -1: out of memory, the trace is as before.
 */
int f4p_symbols_resolve(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out);
void f4p_symbols_free(struct f4p_symbols *symbols);

/** Modules with addresses whose file was not found, or was another build. For a warning. */
struct f4p_symbol_miss {
    uint32_t module;
    bool other_build; /* else: no file */
};
const struct f4p_symbol_miss *f4p_symbols_missing(const struct f4p_symbols *symbols, size_t *count);

/** Writes the trace file with trace->symbols embedded to `out`; the trace's own path: appended in place. An existing
 * other file needs `force`. 0, or -1 and one line in `error`. */
int f4p_symbols_pack(const struct f4p_trace *trace, const char *out, bool force, char *error, size_t error_bytes);

#endif
