#include "format_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#define SECOND 1000000000ull

static const char UNITS[] = "\0KMGTPE";

/* Index of the unit in which `bytes` reads well; 0: bytes. */
static unsigned unit_of(double bytes, double base)
{
    unsigned unit = 0;
    /* 1023.96 would print as 1024.0: it is one of the next unit */
    while (unit < 6 && fabs(bytes) >= base - (unit ? 0.05 : 0.5)) {
        bytes /= base;
        unit++;
    }
    return unit;
}

static char *write_bytes(char out[F4P_NUMBER_BYTES], double bytes, unsigned unit, double base)
{
    for (unsigned i = 0; i < unit; i++)
        bytes /= base;
    if (unit && fabs(bytes) < 99.95)
        snprintf(out, F4P_NUMBER_BYTES, "%.1f%c", bytes, UNITS[unit]);
    else if (unit)
        snprintf(out, F4P_NUMBER_BYTES, "%.0f%c", bytes, UNITS[unit]);
    else
        snprintf(out, F4P_NUMBER_BYTES, "%.0f", bytes);
    return out;
}

static double base_of(enum f4p_units units)
{
    return units == F4P_UNITS_SI ? 1000.0 : 1024.0;
}

char *f4p_text_bytes(char out[F4P_NUMBER_BYTES], double bytes, enum f4p_units units)
{
    double base = base_of(units);
    return write_bytes(out, bytes, units == F4P_UNITS_BYTES ? 0 : unit_of(bytes, base), base);
}

char *f4p_text_bytes_like(char out[F4P_NUMBER_BYTES], double bytes, double like, enum f4p_units units)
{
    double base = base_of(units), scale = 1;
    unsigned unit = units == F4P_UNITS_BYTES ? 0 : unit_of(like, base);
    for (unsigned i = 0; i < unit; i++)
        scale *= base;
    if (fabs(bytes) > 0 && fabs(bytes) < 0.05 * scale)
        return f4p_text_bytes(out, bytes, units);
    return write_bytes(out, bytes, unit, base);
}

char *f4p_text_clock(char out[F4P_NUMBER_BYTES], uint64_t ns, bool fine)
{
    uint64_t s = ns / SECOND;
    if (fine && s < 60)
        snprintf(out, F4P_NUMBER_BYTES, "0:%02u.%u", (unsigned)s, (unsigned)(ns / (SECOND / 10) % 10));
    else if (s < 3600)
        snprintf(out, F4P_NUMBER_BYTES, "%u:%02u", (unsigned)(s / 60), (unsigned)(s % 60));
    else
        snprintf(out, F4P_NUMBER_BYTES, "%llu:%02u:%02u", (unsigned long long)(s / 3600), (unsigned)(s / 60 % 60),
                 (unsigned)(s % 60));
    return out;
}

char *f4p_text_span(char out[F4P_NUMBER_BYTES], uint64_t ns)
{
    uint64_t s = ns / SECOND;
    if (ns < 1000000)
        snprintf(out, F4P_NUMBER_BYTES, "%uus", (unsigned)(ns / 1000));
    else if (ns < SECOND)
        snprintf(out, F4P_NUMBER_BYTES, "%ums", (unsigned)(ns / 1000000));
    else if (s < 60)
        snprintf(out, F4P_NUMBER_BYTES, "%u.%us", (unsigned)s, (unsigned)(ns / (SECOND / 10) % 10));
    else if (s < 3600)
        snprintf(out, F4P_NUMBER_BYTES, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
    else if (s < 86400)
        snprintf(out, F4P_NUMBER_BYTES, "%uh%02um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
    else
        snprintf(out, F4P_NUMBER_BYTES, "%llud%02uh", (unsigned long long)(s / 86400), (unsigned)(s / 3600 % 24));
    return out;
}

char *f4p_text_time(char out[F4P_NUMBER_BYTES], uint64_t unix_ns)
{
    time_t seconds = (time_t)(unix_ns / SECOND);
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || !strftime(out, F4P_NUMBER_BYTES, "%Y-%m-%dT%H:%M:%SZ", &tm))
        out[0] = '\0';
    return out;
}

char *f4p_text_count(char out[F4P_NUMBER_BYTES], uint64_t count)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = out;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return out;
}

int f4p_parse_bytes(const char *text, size_t length, double *bytes)
{
    char copy[64];
    if (!length || length >= sizeof copy || !isdigit((unsigned char)*text))
        return -1;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end;
    double value = strtod(copy, &end), base = 1024;
    const char *unit = *end ? strchr(UNITS + 1, toupper((unsigned char)*end)) : NULL;
    if (*end && unit) {
        end++;
        if (!strcasecmp(end, "B"))
            base = 1000;
        else if (*end && strcasecmp(end, "iB"))
            return -1;
        for (const char *u = UNITS + 1; u <= unit; u++)
            value *= base;
    } else if (*end && strcasecmp(end, "B")) {
        return -1;
    }
    *bytes = value;
    return isfinite(value) ? 0 : -1;
}

int f4p_parse_span(const char *text, uint64_t *ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ms", 1e6}, {"us", 1e3}, {"d", 86400e9}, {"h", 3600e9}, {"m", 60e9}, {"s", 1e9}};
    double sum = 0;
    bool any = false;
    if (!*text)
        return -1;
    while (*text) {
        char *end;
        size_t i = 0, count = sizeof units / sizeof units[0];
        if (!isdigit((unsigned char)*text))
            return -1;
        double value = strtod(text, &end);
        while (i < count && strncmp(end, units[i].unit, strlen(units[i].unit)))
            i++;
        if (i == count && (*end || any)) /* a number without a unit stands alone: seconds */
            return -1;
        any = true;
        sum += value * (i == count ? 1e9 : units[i].ns);
        text = i == count ? end : end + strlen(units[i].unit);
    }
    if (!(sum < 1.8e19))
        return -1;
    *ns = (uint64_t)sum;
    return 0;
}

int f4p_parse_time(const char *text, uint64_t *unix_ns)
{
    struct tm tm = {0};
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (!rest || (*rest != 'T' && *rest != 't' && *rest != ' '))
        return -1;
    rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (!rest)
        return -1;
    double fraction = 0;
    if (*rest == '.') {
        char *end;
        fraction = strtod(rest, &end);
        rest = end;
    }
    long zone = 0;
    int hours, minutes, used = 0;
    if (*rest == '+' || *rest == '-') {
        if (sscanf(rest + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || rest[1 + used])
            return -1;
        zone = (hours * 60L + minutes) * 60 * (*rest == '-' ? -1 : 1);
    } else if (strcmp(rest, "Z") && strcmp(rest, "z")) {
        return -1;
    }
    time_t seconds = timegm(&tm) - zone;
    if (seconds < 0)
        return -1;
    *unix_ns = (uint64_t)seconds * SECOND + (uint64_t)(fraction * 1e9);
    return 0;
}

/* ---- foreign text ---- */

size_t f4p_utf8_next(const char *text, uint32_t *code)
{
    const uint8_t *s = (const uint8_t *)text;
    *code = 0xfffd;
    if (!s[0])
        return 0;
    if (s[0] < 0x80) {
        *code = s[0];
        return 1;
    }
    unsigned more = s[0] >= 0xf0 && s[0] < 0xf5   ? 3
                    : s[0] >= 0xe0 && s[0] < 0xf0 ? 2
                    : s[0] >= 0xc2 && s[0] < 0xe0 ? 1
                                                  : 0;
    if (!more)
        return 1;
    uint32_t value = s[0] & (0x3fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return i;
        value = value << 6 | (s[i] & 0x3f);
    }
    bool bad = (more == 2 && (value < 0x800 || (value >= 0xd800 && value < 0xe000))) ||
               (more == 3 && (value < 0x10000 || value > 0x10ffff));
    if (!bad)
        *code = value;
    return more + 1;
}

size_t f4p_utf8_put(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 63));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 63));
        out[2] = (char)(0x80 | (code & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 63));
    out[2] = (char)(0x80 | (code >> 6 & 63));
    out[3] = (char)(0x80 | (code & 63));
    return 4;
}

/* Characters that move the cursor, turn the direction of writing, or cannot be seen. */
static bool is_unsafe(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c || code == 0x180e ||
           (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
           (code >= 0xe000 && code <= 0xf8ff) || code >= 0xe0000;
}

/* One character as it is shown; its columns. */
static size_t show(char out[16], uint32_t code, bool ascii)
{
    if (is_unsafe(code) || (ascii && code >= 0x80)) {
        int length = snprintf(out, 16,
                              code < 0x100     ? "\\x%02x"
                              : code < 0x10000 ? "\\u%04x"
                                               : "\\U%08x",
                              (unsigned)code);
        return (size_t)length;
    }
    out[f4p_utf8_put(out, code)] = '\0';
    int width = code < 0x80 ? 1 : wcwidth((wchar_t)code);
    return width < 0 ? 1 : (size_t)width;
}

static size_t width_of(const char *text, bool ascii)
{
    size_t width = 0;
    uint32_t code;
    char shown[16];
    for (size_t used; (used = f4p_utf8_next(text, &code)); text += used)
        width += show(shown, code, ascii);
    return width;
}

size_t f4p_text_safe(char *out, size_t out_bytes, const char *text, size_t columns, bool keep_end, bool ascii)
{
    const char *mark = ascii ? "~" : "…";
    size_t total = width_of(text, ascii), used_columns = 0, at = 0;
    uint32_t code;
    char shown[16];
    bool cut = total > columns;
    size_t skip = cut && keep_end ? total - columns + 1 : 0, seen = 0;
    if (!out_bytes)
        return 0;
    if (cut && keep_end && columns) {
        at += (size_t)snprintf(out, out_bytes, "%s", mark);
        used_columns = 1;
    }
    for (size_t used; (used = f4p_utf8_next(text, &code)); text += used) {
        size_t width = show(shown, code, ascii), length = strlen(shown);
        seen += width;
        if (seen <= skip)
            continue;
        if (at + length + 4 > out_bytes || used_columns + width > columns - (cut && !keep_end && columns))
            break;
        memcpy(out + at, shown, length);
        at += length;
        used_columns += width;
    }
    if (cut && !keep_end && columns) {
        at += (size_t)snprintf(out + at, out_bytes - at, "%s", mark);
        used_columns++;
    }
    out[at < out_bytes ? at : out_bytes - 1] = '\0';
    return used_columns;
}
