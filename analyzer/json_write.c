#include "json_write.h"

#include "format_text.h"

#define INDENTED 2u /* levels that begin on a line of their own */

static void put_text(FILE *out, const char *text)
{
    uint32_t code;
    char utf8[4];
    fputc('"', out);
    for (size_t used; (used = f4p_utf8_next(text, &code)); text += used) {
        if (code == '"' || code == '\\')
            fprintf(out, "\\%c", (char)code);
        else if (code == '\n')
            fputs("\\n", out);
        else if (code == '\t')
            fputs("\\t", out);
        else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029)
            fprintf(out, "\\u%04x", (unsigned)code);
        else
            fwrite(utf8, 1, f4p_utf8_put(utf8, code), out);
    }
    fputc('"', out);
}

static void begin(struct f4p_json *json, const char *key)
{
    if (json->comma)
        fputc(',', json->out);
    if (json->depth && json->depth <= INDENTED)
        fprintf(json->out, "\n%*s", (int)json->depth, "");
    json->comma = true;
    if (!key)
        return;
    put_text(json->out, key);
    fputc(':', json->out);
}

void f4p_json_open(struct f4p_json *json, const char *key, char bracket)
{
    begin(json, key);
    fputc(bracket, json->out);
    json->depth++;
    json->comma = false;
}

void f4p_json_close(struct f4p_json *json, char bracket)
{
    json->depth--;
    fputc(bracket, json->out);
    json->comma = true;
    if (!json->depth)
        fputc('\n', json->out);
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
    fprintf(json->out, "%llu", (unsigned long long)value);
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
