/*
 * Secrets in command lines. A value is replaced by *** when it belongs to a name that says so (--password VALUE,
 * --token=VALUE, PGPASSWORD=VALUE, "api_key": VALUE, also within an argument), or is the password of a URL. Shared by
 * launcher and library: no stdio, no allocation.
 */
#ifndef FIL4PROD_REDACT_H
#define FIL4PROD_REDACT_H

#include <stddef.h>

/** Names whose values are always replaced; see f4p_names_listed, "alike". */
extern const char f4p_redact_names[];

/**
 * Copies `list`, NUL-terminated strings in `bytes` bytes, without the secrets. `more`: names besides the built-in
 * ones; "no": the secrets stay.
 * What does not fit into `room` is cut, the last string is terminated. Returns the bytes written. `to` and `list` must
 * not overlap.
 */
size_t f4p_redact(char *to, size_t room, const char *list, size_t bytes, const char *more);

#endif
