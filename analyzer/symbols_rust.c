/*
 * Rust's own symbol names ("v0", RFC 2603): a grammar with back references, so depth, steps and length are bounded.
 * Lifetimes and crate hashes are left out, as nobody reads them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols_private.h"

#define MAX_TEXT 4096u
#define MAX_DEPTH 128u
#define MAX_STEPS 20000u

struct rust {
    const char *name; /* behind "_R" */
    size_t bytes, at;
    char *text;
    size_t used;
    unsigned depth, steps, silent;
    bool bad;
};

static void print_path(struct rust *r, bool value);
static void print_type(struct rust *r);

static void put(struct rust *r, const char *text, size_t bytes)
{
    if (r->silent || r->bad)
        return;
    if (bytes >= MAX_TEXT - r->used) {
        r->bad = true;
        return;
    }
    memcpy(r->text + r->used, text, bytes);
    r->used += bytes;
    r->text[r->used] = '\0';
}

__attribute__((format(printf, 2, 3))) static void print(struct rust *r, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put(r, text, (size_t)bytes < sizeof text ? (size_t)bytes : sizeof text - 1);
}

static char peek(const struct rust *r)
{
    return r->bad || r->at >= r->bytes ? '\0' : r->name[r->at];
}

static char next(struct rust *r)
{
    char c = peek(r);
    if (!c || ++r->steps > MAX_STEPS)
        r->bad = true;
    r->at++;
    return r->bad ? '\0' : c;
}

static bool take(struct rust *r, char c)
{
    if (peek(r) != c)
        return false;
    next(r);
    return true;
}

/* "_" is 0, "0_" is 1, ... */
static uint64_t base_62(struct rust *r)
{
    uint64_t value = 0;
    if (take(r, '_'))
        return 0;
    for (char c; (c = next(r)) != '_' && !r->bad;) {
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'z' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A') + 36
                                                : 62;
        if (digit == 62 || value > (UINT64_MAX - 62) / 62)
            r->bad = true;
        else
            value = value * 62 + digit;
    }
    return value + 1;
}

static uint64_t optional_62(struct rust *r, char tag)
{
    return take(r, tag) ? base_62(r) + 1 : 0;
}

/* Goes on at an earlier place, then returns here. */
static void back(struct rust *r, void (*what)(struct rust *r, bool value), bool value)
{
    size_t from = r->at, to = (size_t)base_62(r), then = r->at;
    if (to + 1 >= from) {
        r->bad = true;
        return;
    }
    r->at = to;
    if (!r->silent)
        what(r, value);
    r->at = then;
}

static void identifier(struct rust *r, const char **text, size_t *bytes)
{
    uint64_t length = 0;
    bool puny = take(r, 'u'), zero = peek(r) == '0';
    *text = "";
    *bytes = 0;
    if (peek(r) < '0' || peek(r) > '9')
        r->bad = true;
    do
        length = length * 10 + (uint64_t)(next(r) - '0');
    while (!zero && !r->bad && peek(r) >= '0' && peek(r) <= '9' && length < MAX_TEXT);
    take(r, '_');
    if (r->bad || length > r->bytes - r->at) {
        r->bad = true;
        return;
    }
    *text = r->name + r->at;
    *bytes = (size_t)length;
    r->at += *bytes;
    if (puny)
        put(r, "punycode ", 9);
}

static void print_identifier(struct rust *r)
{
    const char *text;
    size_t bytes;
    optional_62(r, 's');
    identifier(r, &text, &bytes);
    put(r, text, bytes);
}

static void print_nested(struct rust *r, bool value)
{
    char space = next(r);
    print_path(r, value);
    uint64_t number = optional_62(r, 's');
    const char *text;
    size_t bytes;
    put(r, "::", 2);
    if (space >= 'A' && space <= 'Z') {
        const char *what = space == 'C' ? "closure" : space == 'S' ? "shim" : (char[]){space, '\0'};
        print(r, "{%s", what);
        size_t before = r->used;
        put(r, ":", 1);
        identifier(r, &text, &bytes);
        put(r, text, bytes);
        if (!bytes && !r->silent && !r->bad)
            r->used = before;
        print(r, "#%llu}", (unsigned long long)number);
        return;
    }
    identifier(r, &text, &bytes);
    put(r, text, bytes);
}

/* A constant: its type is not shown. */
static void print_constant(struct rust *r, bool value)
{
    (void)value;
    if (take(r, 'p')) {
        put(r, "_", 1);
    } else if (take(r, 'B')) {
        back(r, print_constant, false);
    } else {
        char type = next(r);
        uint64_t number = 0;
        if (take(r, 'n'))
            put(r, "-", 1);
        for (char c; (c = next(r)) != '_' && !r->bad;) {
            bool digit = c >= '0' && c <= '9';
            if (!digit && (c < 'a' || c > 'f'))
                r->bad = true;
            number = number << 4 | (unsigned)(digit ? c - '0' : c - 'a' + 10);
        }
        if (type == 'b')
            print(r, "%s", number ? "true" : "false");
        else
            print(r, "%llu", (unsigned long long)number);
    }
}

static void print_arguments(struct rust *r)
{
    for (bool first = true; !r->bad && !take(r, 'E');) {
        if (take(r, 'L')) {
            base_62(r);
            continue;
        }
        if (!first)
            put(r, ", ", 2);
        first = false;
        if (take(r, 'K'))
            print_constant(r, false);
        else
            print_type(r);
    }
}

static void skip_path(struct rust *r)
{
    optional_62(r, 's');
    r->silent++;
    print_path(r, false);
    r->silent--;
}

/* A path with arguments, the last ">" left out; false: all were lifetimes, and nothing is open. */
static bool print_generic(struct rust *r, bool value)
{
    print_path(r, value);
    size_t before = r->used;
    put(r, value ? "::<" : "<", value ? 3 : 1);
    size_t open = r->used;
    print_arguments(r);
    if (r->used != open || r->silent || r->bad)
        return true;
    r->used = before;
    r->text[before] = '\0';
    return false;
}

static void path(struct rust *r, bool value)
{
    switch (next(r)) {
    case 'C':
        print_identifier(r);
        return;
    case 'N':
        print_nested(r, value);
        return;
    case 'M':
        skip_path(r);
        put(r, "<", 1);
        print_type(r);
        put(r, ">", 1);
        return;
    case 'X':
        skip_path(r);
        /* fall through */
    case 'Y':
        put(r, "<", 1);
        print_type(r);
        put(r, " as ", 4);
        print_path(r, false);
        put(r, ">", 1);
        return;
    case 'I':
        if (print_generic(r, value))
            put(r, ">", 1);
        return;
    case 'B':
        back(r, print_path, value);
        return;
    default:
        r->bad = true;
    }
}

static void print_path(struct rust *r, bool value)
{
    if (++r->depth > MAX_DEPTH)
        r->bad = true;
    if (!r->bad)
        path(r, value);
    r->depth--;
}

static void print_list(struct rust *r, const char *open, const char *close)
{
    unsigned count = 0;
    put(r, open, strlen(open));
    for (; !r->bad && !take(r, 'E'); count++) {
        if (count)
            put(r, ", ", 2);
        print_type(r);
    }
    if (count == 1 && *close == ')' && *open == '(')
        put(r, ",", 1);
    put(r, close, strlen(close));
}

static void print_function(struct rust *r)
{
    const char *text;
    size_t bytes;
    optional_62(r, 'G');
    if (take(r, 'U'))
        put(r, "unsafe ", 7);
    if (take(r, 'K') && !take(r, 'C'))
        identifier(r, &text, &bytes);
    print_list(r, "fn(", ")");
    if (take(r, 'u'))
        return;
    put(r, " -> ", 4);
    print_type(r);
}

static void print_dyn(struct rust *r)
{
    const char *text;
    size_t bytes;
    optional_62(r, 'G');
    put(r, "dyn ", 4);
    for (unsigned count = 0; !r->bad && !take(r, 'E'); count++) {
        if (count)
            put(r, " + ", 3);
        bool generic = take(r, 'I'), open = generic && print_generic(r, false);
        if (!generic)
            print_path(r, false);
        while (!r->bad && take(r, 'p')) {
            put(r, open ? ", " : "<", open ? 2 : 1);
            open = true;
            identifier(r, &text, &bytes);
            put(r, text, bytes);
            put(r, " = ", 3);
            print_type(r);
        }
        if (open)
            put(r, ">", 1);
    }
    if (!take(r, 'L'))
        r->bad = true;
    base_62(r);
}

static void type(struct rust *r, bool value)
{
    static const char letters[] = "abcdefhijlmnopstuvxyz";
    static const char *const names[] = {"i8",    "bool",  "char", "f64", "str",  "f32",  "u8",
                                        "isize", "usize", "i32",  "u32", "i128", "u128", "_",
                                        "i16",   "u16",   "()",   "...", "i64",  "u64",  "!"};
    (void)value;
    char c = peek(r);
    const char *basic = c ? strchr(letters, c) : NULL;
    if (basic) {
        next(r);
        print(r, "%s", names[basic - letters]);
        return;
    }
    if (strchr("CNMXYI", c) && c) {
        print_path(r, false);
        return;
    }
    next(r);
    switch (c) {
    case 'A':
    case 'S':
        put(r, "[", 1);
        print_type(r);
        if (c == 'A') {
            put(r, "; ", 2);
            print_constant(r, false);
        }
        put(r, "]", 1);
        return;
    case 'T':
        print_list(r, "(", ")");
        return;
    case 'R':
    case 'Q':
        if (take(r, 'L'))
            base_62(r);
        put(r, c == 'R' ? "&" : "&mut ", c == 'R' ? 1 : 5);
        print_type(r);
        return;
    case 'P':
    case 'O':
        put(r, c == 'P' ? "*const " : "*mut ", c == 'P' ? 7 : 5);
        print_type(r);
        return;
    case 'F':
        print_function(r);
        return;
    case 'D':
        print_dyn(r);
        return;
    case 'B':
        back(r, type, false);
        return;
    default:
        r->bad = true;
    }
}

static void print_type(struct rust *r)
{
    if (++r->depth > MAX_DEPTH)
        r->bad = true;
    if (!r->bad)
        type(r, false);
    r->depth--;
}

char *f4p_symbols_demangle_rust(const char *name)
{
    struct rust r = {.name = name + 2, .text = malloc(MAX_TEXT)};
    if (!r.text || strncmp(name, "_R", 2) != 0) {
        free(r.text);
        return NULL;
    }
    r.bytes = strcspn(r.name, ".$"); /* behind it: what LLVM added */
    r.text[0] = '\0';
    print_path(&r, true);
    if (!r.bad && r.used)
        return r.text;
    free(r.text);
    return NULL;
}
