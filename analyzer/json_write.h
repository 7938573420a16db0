/* A streaming JSON writer: commas and nesting kept here, nothing kept in memory. */
#ifndef FIL4PROD_JSON_WRITE_H
#define FIL4PROD_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct f4p_json {
    FILE *out;
    unsigned depth;
    bool comma; /* before the next value */
    bool one_line;
};

/** Each takes a key, or NULL inside an array. */
void f4p_json_open(struct f4p_json *json, const char *key, char bracket);
void f4p_json_close(struct f4p_json *json, char bracket);
/** Bytes that are not UTF-8 become U+FFFD; control characters are escaped; NULL becomes null. */
void f4p_json_text(struct f4p_json *json, const char *key, const char *text);
void f4p_json_number(struct f4p_json *json, const char *key, uint64_t value);
void f4p_json_signed(struct f4p_json *json, const char *key, int64_t value);
void f4p_json_bool(struct f4p_json *json, const char *key, bool value);
void f4p_json_null(struct f4p_json *json, const char *key);
/** 0x... as a string. */
void f4p_json_address(struct f4p_json *json, const char *key, uint64_t value);

#endif
