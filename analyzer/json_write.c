#include "json_write.h"

#include "format_text.h"

#define INDENTED 2u /* levels that begin on a line of their own */

/* One thread writes; locking each character would cost more than all else. */
static void put_char(FILE *out, char c)
{
    putc_unlocked(c, out);
}

static void put_bytes(FILE *out, const char *bytes, size_t count)
{
    fwrite_unlocked(bytes, 1, count, out);
}

/* Most of what is written stands in the output as it is. */
static size_t plain_bytes(const char *text)
{
    size_t count = 0;
    while (text[count] >= 0x20 && text[count] < 0x7f && text[count] != '"' && text[count] != '\\')
        count++;
    return count;
}

static void put_text(FILE *out, const char *text)
{
    uint32_t code;
    char utf8[4];
    put_char(out, '"');
    for (size_t used;; text += used) {
        size_t plain = plain_bytes(text);
        put_bytes(out, text, plain);
        text += plain;
        used = f4p_utf8_next(text, &code);
        if (!used)
            break;
        if (code == '"' || code == '\\')
            fprintf(out, "\\%c", (char)code);
        else if (code == '\n')
            fputs("\\n", out);
        else if (code == '\t')
            fputs("\\t", out);
        else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029)
            fprintf(out, "\\u%04x", (unsigned)code);
        else
            put_bytes(out, utf8, f4p_utf8_put(utf8, code));
    }
    put_char(out, '"');
}

static void put_number(FILE *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    put_bytes(out, digits + at, sizeof digits - at);
}

static void begin(struct f4p_json *json, const char *key)
{
    if (json->comma)
        put_char(json->out, ',');
    if (json->depth && json->depth <= INDENTED && !json->one_line)
        fprintf(json->out, "\n%*s", (int)json->depth, "");
    json->comma = true;
    if (!key)
        return;
    put_text(json->out, key);
    put_char(json->out, ':');
}

void f4p_json_open(struct f4p_json *json, const char *key, char bracket)
{
    begin(json, key);
    put_char(json->out, bracket);
    json->depth++;
    json->comma = false;
}

void f4p_json_close(struct f4p_json *json, char bracket)
{
    json->depth--;
    put_char(json->out, bracket);
    json->comma = true;
    if (!json->depth)
        put_char(json->out, '\n');
}

void f4p_json_text(struct f4p_json *json, const char *key, const char *text)
{
    if (!text) {
        f4p_json_null(json, key);
        return;
    }
    begin(json, key);
    put_text(json->out, text);
}

void f4p_json_number(struct f4p_json *json, const char *key, uint64_t value)
{
    begin(json, key);
    put_number(json->out, value);
}

void f4p_json_signed(struct f4p_json *json, const char *key, int64_t value)
{
    begin(json, key);
    fprintf(json->out, "%lld", (long long)value);
}

void f4p_json_bool(struct f4p_json *json, const char *key, bool value)
{
    begin(json, key);
    fputs(value ? "true" : "false", json->out);
}

void f4p_json_null(struct f4p_json *json, const char *key)
{
    begin(json, key);
    fputs("null", json->out);
}

void f4p_json_address(struct f4p_json *json, const char *key, uint64_t value)
{
    char text[F4P_NUMBER_BYTES];
    snprintf(text, sizeof text, "0x%llx", (unsigned long long)value);
    f4p_json_text(json, key, text);
}
