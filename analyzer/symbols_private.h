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

/* ---- addresses ---- */

/* An address that occurs in a trace. */
struct f4p_symbol_address {
    uint32_t module;
    uint64_t offset;
};

/** Addresses of a trace's native frames, ascending and distinct, to be freed; `nameless`: only those without a symbol.
 * NULL: no memory. */
struct f4p_symbol_address *f4p_symbols_addresses(const struct f4p_trace *trace, bool nameless, size_t *count);

/** Takes those that are in `tried` too out of `list`. Returns how many are left; 0 where memory is out. */
size_t f4p_symbols_without(struct f4p_symbol_address *list, size_t count, const struct f4p_symbol_address *tried,
                           size_t tried_count);

/** Orders `list` (as f4p_symbols_addresses() gave it) by module, that with the heaviest line at the end first. Returns
 * how many of them are in modules with the lines that a first screen shows. */
size_t f4p_symbols_order(const struct f4p_trace *trace, struct f4p_symbol_address *list, size_t count);

/* ---- the child ---- */

#define F4P_SYMBOL_MAX_NAME 4096u

enum f4p_symbol_message_kind {
    F4P_SYMBOL_MESSAGE_BEGIN = 1,
    F4P_SYMBOL_MESSAGE_SYMBOL = 2,
    F4P_SYMBOL_MESSAGE_STATUS = 3
};

/* What goes through the pipe; a SYMBOL is followed by its names. */
struct f4p_symbol_message {
    uint32_t kind, module;
    uint64_t offset;
    uint32_t depth, line;
    uint32_t function_bytes, file_bytes; /* STATUS: function_bytes is enum f4p_symbol_status */
};

/** Looks `list` up, its modules in one piece each, and writes messages to `fd`. Does not return. */
__attribute__((noreturn)) void f4p_symbols_work(int fd, const struct f4p_trace *trace,
                                                const struct f4p_symbol_options *options,
                                                const struct f4p_symbol_address *list, size_t count);

/* ---- names ---- */

/** Why an address of a module has no name, as far as the files go. `symbols` NULL: they were not looked at. */
enum f4p_symbol_why f4p_symbols_nothing(const struct f4p_symbols *symbols, uint32_t module);

/** Readable form of a C++ or Rust name in memory to free(); NULL: it is none, or no memory. */
char *f4p_symbols_demangle(const char *name);

/** The same for Rust's "_R" names alone. */
char *f4p_symbols_demangle_rust(const char *name);

#endif
