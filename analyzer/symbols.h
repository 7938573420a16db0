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
 * Makes ready to look for names of the addresses of a trace's nodes that have none. *out owns the names and must
 * outlive the trace's use, as must `options` outlive *out; NULL if no file is to be looked at. -1: out of memory.
 */
int f4p_symbols_start(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out);

/** Adds to trace->symbols what has been found of whole modules since; waits `timeout_ms` for some of it, a second at
 * most (-1 and more). A module that nothing is heard of for a minute is left out: to be called once a second. Modules
 * with the lines that hold most come first. false: all is done, or cannot be. NULL is done. */
bool f4p_symbols_take(struct f4p_symbols *symbols, int timeout_ms);

/** Becomes readable when there is something to take; may be another after each f4p_symbols_take(). -1: all is done. */
int f4p_symbols_fd(struct f4p_symbols *symbols);

/** Both at once. */
int f4p_symbols_resolve(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out);

struct f4p_symbol_progress {
    size_t done, all; /* addresses */
    size_t names;     /* in the trace now */
    bool front;       /* some of the lines that a first screen shows are to be looked up still */
};
/** Adds to `progress`. */
void f4p_symbols_progress(const struct f4p_symbols *symbols, struct f4p_symbol_progress *progress);

/** Gives the names found to a trace without any that was read from the same file later; until f4p_symbols_take().
 * false: it is not the same program, or has names of its own. */
bool f4p_symbols_lend(const struct f4p_symbols *symbols, struct f4p_trace *trace);
/** Goes on with a trace to which the names were lent: what it has new is looked up, too. */
void f4p_symbols_move(struct f4p_symbols *symbols, struct f4p_trace *trace);

void f4p_symbols_free(struct f4p_symbols *symbols);

/* Why addresses have no name. X(NAME, text) */
#define F4P_SYMBOL_WHYS(X)                                   \
    X(STRIPPED, "its file has no names for them")            \
    X(NO_FILE, "its file is not on this machine")            \
    X(OTHER_BUILD, "the file of that name is another build") \
    X(UNREADABLE, "its file is damaged or too much to read") \
    X(PACKED, "they had none when the trace was packed")     \
    X(NO_PATH, "code that stands in no file")                \
    X(NOT_ASKED, "files were not looked at")                 \
    X(PENDING, "its file is being looked at")

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

/** What becomes of C++ names, and why; *readable: they are made so. */
const char *f4p_symbols_cxx(bool *readable);

/** Writes the trace file with trace->symbols embedded to `out`; the trace's own path: appended in place. An existing
 * other file needs `force`. 0, or -1 and one line in `error`. */
int f4p_symbols_pack(const struct f4p_trace *trace, const char *out, bool force, char *error, size_t error_bytes);

#endif
