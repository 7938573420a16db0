/* How numbers, times and foreign text are written: shared by every face and by evidence lines. */
#ifndef FIL4PROD_FORMAT_TEXT_H
#define FIL4PROD_FORMAT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum f4p_units { F4P_UNITS_IEC = 0, F4P_UNITS_SI, F4P_UNITS_BYTES };

#define F4P_NUMBER_BYTES 32u

/** 15.9G, 512M, 8K, 17: one digit after the point below 100 units. With BYTES the plain number. Returns `out`. */
char *f4p_text_bytes(char out[F4P_NUMBER_BYTES], double bytes, enum f4p_units units);

/** The same in the unit of `like`, so that a column's numbers compare by eye, where that leaves a digit to show. */
char *f4p_text_bytes_like(char out[F4P_NUMBER_BYTES], double bytes, double like, enum f4p_units units);

/** Time since the start as a clock: 0:07, 12:05, 1:58:12; with tenths below a minute if `fine`. */
char *f4p_text_clock(char out[F4P_NUMBER_BYTES], uint64_t ns, bool fine);

/** A span: 35ms, 4.2s, 4m10s, 1h58m, 3d04h. */
char *f4p_text_span(char out[F4P_NUMBER_BYTES], uint64_t ns);

/** RFC 3339 in UTC, whole seconds. */
char *f4p_text_time(char out[F4P_NUMBER_BYTES], uint64_t unix_ns);

/** A count with thousands separated by commas. */
char *f4p_text_count(char out[F4P_NUMBER_BYTES], uint64_t count);

/** 16G, 1.5GiB, 100MB (powers of ten), 4096 -> bytes. 0, or -1. */
int f4p_parse_bytes(const char *text, size_t length, double *bytes);

/** 1h58m, 90s, 250ms, 2.5 (seconds) -> ns. 0, or -1. */
int f4p_parse_span(const char *text, uint64_t *ns);

/** RFC 3339 -> Unix time in ns. 0, or -1. */
int f4p_parse_time(const char *text, uint64_t *unix_ns);

/**
 * Foreign text made printable: control characters, escape sequences, bidi marks, invisible and invalid characters
 * become visible escapes (\x1b, \u202e), a backslash stays as it is. `ascii` escapes everything beyond ASCII too. At
 * most `columns` columns, cut at the end, or at the beginning if `keep_end`, with a mark. Returns the columns used.
 */
size_t f4p_text_safe(char *out, size_t out_bytes, const char *text, size_t columns, bool keep_end, bool ascii);

/** Decodes one character of UTF-8; bytes used (>= 1 unless at the end); invalid input is U+FFFD, *code. */
size_t f4p_utf8_next(const char *text, uint32_t *code);

/** Writes `code` as UTF-8; bytes used, <= 4. */
size_t f4p_utf8_put(char *out, uint32_t code);

#endif
