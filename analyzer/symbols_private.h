/* What symbols*.c share. */
#ifndef FIL4PROD_SYMBOLS_PRIVATE_H
#define FIL4PROD_SYMBOLS_PRIVATE_H

#include <stdio.h>

#include "symbols.h"

/* One of a module's addresses that occur. */
struct f4p_symbol_found {
    uint64_t offset;
    uint32_t depth, line;
    const char *function, *file; /* "" if unknown; valid during the call only */
};

/** Takes what was found; function names as they stand in the file (mangled). */
typedef void f4p_symbol_sink(void *context, const struct f4p_symbol_found *found);

enum f4p_symbol_status { F4P_SYMBOL_NO_FILE, F4P_SYMBOL_OTHER_BUILD, F4P_SYMBOL_READ };

/**
 * Looks `offsets` (ascending, distinct) up in the ELF file `path`, whose build-id must be the module's if that has one,
 * and in its separate debug file, also below the directory `debug`. May crash or hang on hostile files.
 */
enum f4p_symbol_status f4p_symbols_read_file(const char *path, const char *debug, const struct f4p_module_view *module,
                                             const uint64_t *offsets, size_t count, f4p_symbol_sink *sink,
                                             void *context);

/* An address that occurs in a trace. */
struct f4p_symbol_address {
    uint32_t module;
    uint64_t offset;
};

/** Addresses of a trace's native frames, ascending and distinct, to be freed; `nameless`: only those without a symbol.
 * NULL: no memory. */
struct f4p_symbol_address *f4p_symbols_addresses(const struct f4p_trace *trace, bool nameless, size_t *count);

/* A module whose file told nothing. */
struct f4p_symbol_miss {
    uint32_t module;
    enum f4p_symbol_why why;
};
const struct f4p_symbol_miss *f4p_symbols_missing(const struct f4p_symbols *symbols, size_t *count);

/** Readable form of a C++ or Rust name in memory to free(); NULL: it is none, or no memory. */
char *f4p_symbols_demangle(const char *name);

/** The same for Rust's "_R" names alone. */
char *f4p_symbols_demangle_rust(const char *name);

#endif
