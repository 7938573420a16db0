#include "names.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LETTERS "phtc%"

const char *f4p_names_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool f4p_names_valid(const char *pattern)
{
    for (; *pattern; pattern++)
        if (*pattern == '%' && (!*++pattern || !strchr(LETTERS, *pattern)))
            return false;
    return true;
}

bool f4p_names_has(const char *pattern, char letter)
{
    for (; *pattern; pattern++)
        if (*pattern == '%' && *++pattern == letter)
            return true;
        else if (!*pattern)
            return false;
    return false;
}

/* ---- expanding ---- */

/* Text that stops growing when it is full. */
struct text {
    char *at, *end;
    bool full;
};

static void put(struct text *text, char c)
{
    if (text->at + 1 < text->end)
        *text->at++ = c;
    else
        text->full = true;
}

static void put_number(struct text *text, uint64_t number, unsigned digits)
{
    char reversed[20];
    unsigned count = 0;
    do
        reversed[count++] = (char)('0' + number % 10);
    while ((number /= 10) || count < digits);
    while (count)
        put(text, reversed[--count]);
}

/* A name from outside must not lead elsewhere, be hidden, or upset a terminal. */
static void put_name(struct text *text, const char *name)
{
    bool first = true;
    for (; *name; name++, first = false) {
        unsigned char c = (unsigned char)*name;
        put(text, c <= ' ' || c == '/' || c == 127 || (first && (c == '.' || c == '-')) ? '_' : (char)c);
    }
    if (first)
        put(text, '_');
}

/* Not gmtime: it takes a lock and may read files. Days to a date of the Gregorian calendar, by years from March on. */
static void put_time(struct text *text, uint64_t seconds)
{
    uint64_t days = seconds / 86400 + 719468, of_day = seconds % 86400;
    uint64_t era = days / 146097, of_era = days % 146097;
    uint64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint64_t from_march = (5 * of_year + 2) / 153;
    uint64_t month = from_march < 10 ? from_march + 3 : from_march - 9;

    put_number(text, era * 400 + year_of_era + (month <= 2), 4);
    put_number(text, month, 2);
    put_number(text, of_year - (153 * from_march + 2) / 5 + 1, 2);
    put(text, 'T');
    put_number(text, of_day / 3600, 2);
    put_number(text, of_day / 60 % 60, 2);
    put_number(text, of_day % 60, 2);
}

static void put_letter(struct text *text, char letter, const struct f4p_names_facts *facts)
{
    switch (letter) {
    case 'p':
        put_number(text, facts->pid, 1);
        break;
    case 'h':
        put_name(text, facts->host);
        break;
    case 't':
        put_time(text, facts->start_s);
        break;
    case 'c':
        put_name(text, f4p_names_base(facts->command));
        break;
    default:
        put(text, letter);
    }
}

int f4p_names_expand(char *to, size_t room, const char *pattern, const struct f4p_names_facts *facts)
{
    struct text text = {to, to + room, false};

    if (!f4p_names_valid(pattern))
        return -EINVAL;
    for (; *pattern; pattern++)
        if (*pattern == '%')
            put_letter(&text, *++pattern, facts);
        else
            put(&text, *pattern);
    *text.at = 0;
    return text.full ? -ENAMETOOLONG : 0;
}

int f4p_names_absolute(char *to, size_t room, const char *pattern)
{
    struct text text = {to, to + room, false};

    if (*pattern != '/') {
        /* The directory stands at the end of `to` first, and moves to its start while it grows. */
        if (!getcwd(to, room))
            return errno == ERANGE ? -ENAMETOOLONG : -errno;
        size_t bytes = strlen(to);
        char *from = to + room - bytes - 1;
        memmove(from, to, bytes + 1);
        for (; *from; from++) {
            if (*from == '%')
                put(&text, '%');
            if (text.at > from)
                return -ENAMETOOLONG;
            put(&text, *from);
        }
        if (text.at > to && text.at[-1] != '/')
            put(&text, '/');
    }
    for (; *pattern; pattern++)
        put(&text, *pattern);
    *text.at = 0;
    return text.full ? -ENAMETOOLONG : 0;
}

int f4p_names_literal(char *to, size_t room, const char *name)
{
    struct text text = {to, to + room, false};

    for (; *name; name++) {
        if (*name == '%')
            put(&text, '%');
        put(&text, *name);
    }
    *text.at = 0;
    return text.full ? -ENAMETOOLONG : 0;
}

int f4p_names_append(char *path, size_t room, uint32_t number)
{
    struct text text = {path + strlen(path), path + room, false};
    char *end = text.at;

    put(&text, '.');
    put_number(&text, number, 1);
    *text.at = 0;
    if (text.full)
        *end = 0;
    return text.full ? -ENAMETOOLONG : 0;
}

/* ---- matching ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool fits(char letter, char c)
{
    return letter == 'p' ? is_digit(c) : letter == 't' ? is_digit(c) || c == 'T' : true;
}

/* (".DIGITS")* up to the end */
static bool only_suffixes(const char *text)
{
    while (*text == '.' && is_digit(text[1]))
        for (text++; is_digit(*text);)
            text++;
    return !*text;
}

/* All places of the pattern that the text so far may have led to, side by side: no name takes more than pattern x name
 * steps. A place is the index of a character; that of a % letter also stands for having seen some of its text. */
bool f4p_names_family(const char *pattern, const char *name)
{
    bool places[2][NAME_MAX + 2];
    size_t bytes = strlen(pattern = f4p_names_base(pattern));
    unsigned now = 0;

    if (!*pattern || bytes > NAME_MAX || !f4p_names_valid(pattern))
        return false;
    memset(places[now], 0, sizeof(places[now]));
    places[now][0] = true;
    for (;; name++, now = !now) {
        if (places[now][bytes] && only_suffixes(name))
            return true;
        if (!*name)
            return false;
        memset(places[!now], 0, sizeof(places[0]));
        for (size_t at = 0; at < bytes; at++) {
            bool letter = pattern[at] == '%' && pattern[at + 1] != '%';
            size_t width = pattern[at] == '%' ? 2 : 1;
            if (places[now][at] && (letter ? fits(pattern[at + 1], *name) : *name == pattern[at])) {
                places[!now][at + width] = true;
                places[!now][at] |= letter;
            }
            at += width - 1;
        }
    }
}

static char alike_form(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c == '_' || c == '.' ? '-' : c;
}

static bool same(char a, char b, bool alike)
{
    return a == '?' || a == b || (alike && alike_form(a) == alike_form(b));
}

/* One word of a list; after a * that did not fit, the last one takes one character more. */
static bool matches(const char *glob, size_t glob_bytes, const char *word, size_t bytes, bool alike)
{
    size_t g = 0, w = 0, star = SIZE_MAX, star_word = 0;

    while (w < bytes) {
        if (g < glob_bytes && glob[g] == '*') {
            star = g++;
            star_word = w;
        } else if (g < glob_bytes && same(glob[g], word[w], alike)) {
            g++;
            w++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            w = ++star_word;
        } else {
            return false;
        }
    }
    while (g < glob_bytes && glob[g] == '*')
        g++;
    return g == glob_bytes;
}

bool f4p_names_listed(const char *list, const char *word, size_t bytes, bool alike)
{
    while (*list) {
        size_t glob_bytes = strcspn(list, ",");
        if (glob_bytes && matches(list, glob_bytes, word, bytes, alike))
            return true;
        list += glob_bytes;
        list += *list == ',';
    }
    return false;
}
