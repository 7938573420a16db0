#include "redact.h"

#include <stdbool.h>
#include <string.h>

#include "names.h"

const char f4p_redact_names[] = "*password*,*passwd*,*passphrase*,pass,*-pass,*-pwd,*secret*,*token,*apikey,*api-key,"
                                "*access-key,*account-key,*accountkey,*private-key,*credential*,*authorization,"
                                "*signature";

struct redaction {
    char *to;
    size_t room, used;
    const char *more;
    bool next; /* the next string is a value */
    bool cut;  /* this string goes on beyond what is known of it */
};

static void put(struct redaction *r, const char *text, size_t bytes)
{
    if (bytes > r->room - r->used)
        bytes = r->room - r->used;
    memcpy(r->to + r->used, text, bytes);
    r->used += bytes;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static bool in_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
}

static bool is_secret(const struct redaction *r, const char *name, size_t bytes)
{
    return f4p_names_listed(f4p_redact_names, name, bytes, true) || f4p_names_listed(r->more, name, bytes, true);
}

/* Replaces the value at text[at]: to its closing quote, to the end if `all`, else to what separates words or the
 * parameters of a URL. Returns where it ends. */
static size_t put_value(struct redaction *r, const char *text, size_t at, size_t bytes, bool all)
{
    char quote = at < bytes && is_quote(text[at]) ? text[at] : 0;
    size_t end = quote ? at + 1 : at;

    while (end < bytes && (quote ? text[end] != quote : all || !(is_space(text[end]) || strchr("&;,\"'", text[end]))))
        end++;
    if (quote)
        put(r, text + at, 1);
    put(r, "***", 3);
    return end;
}

/* After the name text[start, end), which stands for a secret. Returns up to where the text has been dealt with. */
static size_t put_after_name(struct redaction *r, const char *text, size_t start, size_t end, size_t bytes)
{
    bool option = text[start] == '-';
    size_t at = end;

    if (at < bytes && is_quote(text[at])) /* "name": value */
        at++;
    while (at < bytes && is_space(text[at]))
        at++;
    if (at < bytes && (text[at] == '=' || text[at] == ':')) {
        bool all = start == 0 || text[at] == ':';
        at++;
        while (at < bytes && is_space(text[at]))
            at++;
        put(r, text + end, at - end);
        return put_value(r, text, at, bytes, all);
    }
    if (!option)
        return end;
    if (end == bytes) {
        r->next = true;
        return end;
    }
    if (at == end || at == bytes)
        return end;
    put(r, text + end, at - end);
    return put_value(r, text, at, bytes, false);
}

/* "user:password@" after "://", and a user alone where that is usually a token. Returns up to where it was written. */
static size_t put_user(struct redaction *r, const char *text, size_t at, size_t bytes)
{
    size_t end = at, colon = 0, host = 0;
    bool web =
        at >= 7 && (memcmp(text + at - 7, "http", 4) == 0 || (at >= 8 && memcmp(text + at - 8, "https", 5) == 0));

    for (; end < bytes && text[end] != '/' && text[end] != '?' && !is_space(text[end]) && !is_quote(text[end]); end++) {
        if (text[end] == ':' && !colon)
            colon = end;
        if (text[end] == '@')
            host = end;
    }
    if (!host && colon && r->cut && end == bytes)
        host = end;
    if (!host || (!web && (!colon || colon > host)))
        return at;
    size_t secret = colon && colon < host ? colon + 1 : at;
    put(r, text + at, secret - at);
    put(r, "***", 3);
    return host;
}

static void put_string(struct redaction *r, const char *text, size_t bytes)
{
    size_t at = 0;

    if (r->next) {
        r->next = false;
        put(r, "***", 3);
        return;
    }
    while (at < bytes) {
        size_t start = at;
        while (at < bytes && in_name(text[at]))
            at++;
        if (at > start) {
            size_t dashes = start;
            while (dashes < at && text[dashes] == '-')
                dashes++;
            put(r, text + start, at - start);
            if (at > dashes && is_secret(r, text + dashes, at - dashes))
                at = put_after_name(r, text, start, at, bytes);
        } else {
            bool url = bytes - at >= 3 && memcmp(text + at, "://", 3) == 0;
            put(r, text + at, url ? 3 : 1);
            at = url ? put_user(r, text, at + 3, bytes) : at + 1;
        }
    }
}

size_t f4p_redact(char *to, size_t room, const char *list, size_t bytes, const char *more)
{
    struct redaction r = {to, room, 0, more, false, false};
    bool all = strcmp(more, "no") == 0;

    for (size_t at = 0; at < bytes && r.used < room;) {
        size_t length = strnlen(list + at, bytes - at);
        r.cut = at + length == bytes;
        if (all)
            put(&r, list + at, length);
        else
            put_string(&r, list + at, length);
        put(&r, "", 1);
        at += length + 1;
    }
    if (r.used == room && room)
        to[room - 1] = 0;
    return r.used;
}
