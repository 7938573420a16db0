#include "tui_keys.h"

#include <stdio.h>
#include <string.h>

#include "tui_curses.h"

static const struct f4p_key_line key_lines[] = {
#define X(name, keys, help) {F4P_ACT_##name, keys, help},
#define G(heading) {F4P_ACT_NONE, "", heading},
    F4P_TUI_KEYS(X, G)
#undef X
#undef G
};

enum { LINES_OF_KEYS = sizeof key_lines / sizeof key_lines[0] };

const struct f4p_key_line *f4p_tui_key_lines(size_t *count)
{
    *count = LINES_OF_KEYS;
    return key_lines;
}

static const struct {
    const char *name;
    int codes[3]; /* terminals differ; 0: none */
} names[] = {
    {"Up", {KEY_UP}},
    {"Down", {KEY_DOWN}},
    {"Left", {KEY_LEFT}},
    {"Right", {KEY_RIGHT}},
    {"PgUp", {KEY_PPAGE}},
    {"PgDn", {KEY_NPAGE}},
    {"Home", {KEY_HOME}},
    {"End", {KEY_END}},
    {"Enter", {'\n', '\r', KEY_ENTER}},
    {"Backspace", {KEY_BACKSPACE, 127, '\b'}},
    {"Esc", {27}},
    {"Tab", {'\t'}},
    {"BackTab", {KEY_BTAB}},
    {"Space", {' '}},
    {"F1", {KEY_F(1)}},
    {"F3", {KEY_F(3)}},
    {"F4", {KEY_F(4)}},
    {"F10", {KEY_F(10)}},
};

/* Whether `key` is the one named by the `bytes` bytes at `name`. */
static int is_key(const char *name, size_t bytes, int key)
{
    if (bytes == 1)
        return key == (unsigned char)*name;
    if (bytes == 2 && *name == '^')
        return key == (name[1] & 31);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) != bytes || memcmp(names[i].name, name, bytes))
            continue;
        for (size_t j = 0; j < 3; j++)
            if (names[i].codes[j] && names[i].codes[j] == key)
                return 1;
    }
    return 0;
}

enum f4p_action f4p_tui_action(int key)
{
    for (size_t i = 0; i < LINES_OF_KEYS; i++) {
        const char *at = key_lines[i].keys;
        while (*at) {
            size_t bytes = strcspn(at, " ");
            if (is_key(at, bytes, key))
                return key_lines[i].action;
            at += bytes;
            at += *at == ' ';
        }
    }
    return F4P_ACT_NONE;
}

/* Appends like snprintf(), counting on beyond the end. */
static void append(char *out, size_t bytes, size_t *at, const char *text)
{
    for (; *text; text++, (*at)++)
        if (*at + 1 < bytes)
            out[*at] = *text;
    if (bytes)
        out[*at < bytes ? *at : bytes - 1] = '\0';
}

size_t f4p_tui_keys_mdoc(char *out, size_t bytes)
{
    size_t at = 0;
    append(out, bytes, &at, "");
    for (size_t i = 0; i < LINES_OF_KEYS; i++) {
        const struct f4p_key_line *line = &key_lines[i];
        if (line->action == F4P_ACT_NONE) {
            append(out, bytes, &at, i ? ".El\n" : "");
            append(out, bytes, &at, ".Ss ");
            append(out, bytes, &at, line->help);
            append(out, bytes, &at, "\n.Bl -tag -width Backspace -compact\n");
            continue;
        }
        append(out, bytes, &at, ".It Ic ");
        for (const char *key = line->keys; *key; key++) {
            char one[2] = {*key, '\0'};
            /* A lone period, comma, bracket, ... would be taken as punctuation by mdoc, a backslash by roff. */
            append(out, bytes, &at, *key == '\\' ? "\\e" : strchr("[]().,:;?!|", *key) ? "\\&" : "");
            append(out, bytes, &at, *key == '\\' ? "" : one);
        }
        append(out, bytes, &at, "\n");
        append(out, bytes, &at, line->help);
        append(out, bytes, &at, "\n");
    }
    append(out, bytes, &at, ".El\n");
    return at;
}
