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
 * outlive the trace's use; NULL if no file was to be looked at. -1: out of memory, the trace is as before.
 */
int f4p_symbols_resolve(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out);
void f4p_symbols_free(struct f4p_symbols *symbols);

/* Why addresses have no name. X(NAME, text) */
#define F4P_SYMBOL_WHYS(X)                                   \
    X(STRIPPED, "its file has no names for them")            \
    X(NO_FILE, "its file is not on this machine")            \
    X(OTHER_BUILD, "the file of that name is another build") \
    X(UNREADABLE, "its file is damaged or too much to read") \
    X(PACKED, "they had none when the trace was packed")     \
    X(NO_PATH, "code that stands in no file")                \
    X(NOT_ASKED, "files were not looked at")

enum f4p_symbol_why {
#define X(name, text) F4P_SYMBOL_WHY_##name,
    F4P_SYMBOL_WHYS(X)
#undef X
};

const char *f4p_symbols_why(enum f4p_symbol_why why);

/* A module with addresses that have no name. */
struct f4p_symbol_gap {
    uint32_t module;
    uint32_t addresses; /* that occur in the trace, distinct */
    uint32_t nameless;  /* of them */
    enum f4p_symbol_why why;
};

/** Those modules, the most nameless first. `symbols` as f4p_symbols_resolve() gave them, NULL where it was told not to
 * look. NULL with *count 0: none, or no memory; else to be freed. */
struct f4p_symbol_gap *f4p_symbols_gaps(const struct f4p_trace *trace, const struct f4p_symbols *symbols,
                                        size_t *count);

/** The build-id in hexadecimal, "" if the module has none. Returns `out`. */
#define F4P_BUILD_ID_TEXT 65u
const char *f4p_symbols_build_id(char out[F4P_BUILD_ID_TEXT], const struct f4p_module_view *module);

/** Writes the trace file with trace->symbols embedded to `out`; the trace's own path: appended in place. An existing
 * other file needs `force`. 0, or -1 and one line in `error`. */
int f4p_symbols_pack(const struct f4p_trace *trace, const char *out, bool force, char *error, size_t error_bytes);

#endif
