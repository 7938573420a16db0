/*
 * The terminal: opened, drawn on by rows and styles, read key by key, and given back as it was. Views draw with this
 * and never see curses. Coordinates are (row, column) from 0; everything is clipped to the screen.
 */
#ifndef FIL4PROD_TUI_SCREEN_H
#define FIL4PROD_TUI_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

enum f4p_style {
    F4P_STYLE_PLAIN,
    F4P_STYLE_BOLD,
    F4P_STYLE_DIM,
    F4P_STYLE_BAD,
    F4P_STYLE_WARN,
    F4P_STYLE_GOOD,
    F4P_STYLE_HEAP,
    F4P_STYLE_RSS,
    F4P_STYLE_CGROUP,
    F4P_STYLE_BAR,    /* reversed: title and footer */
    F4P_STYLE_LIBRARY /* + n: the n-th colour for libraries */
};
#define F4P_STYLE_MASK 0xffu
#define F4P_STYLE_REVERSED 0x100u /* flag: the selection */
#define F4P_STYLE_STRONG 0x200u   /* flag: bold */

struct f4p_area {
    int row, column, rows, columns;
};

enum f4p_glyphs { F4P_GLYPHS_BRAILLE, F4P_GLYPHS_BLOCKS, F4P_GLYPHS_ASCII };

struct f4p_screen {
    int rows, columns;
    enum f4p_glyphs glyphs;
    bool ascii;        /* nothing beyond ASCII is sent */
    bool colored;      /* by colour, not only by attributes */
    unsigned palette;  /* colours for libraries */
    bool takes_osc_52; /* the terminal is known to have a clipboard that escapes reach */
};

struct f4p_click {
    int row, column;
    bool twice;
};

/* What f4p_screen_key() returns beside characters and curses' key codes. */
enum f4p_key {
    F4P_KEY_NONE = -1,
    F4P_KEY_GONE = -2,
    F4P_KEY_RESIZED = -3,
    F4P_KEY_CLICK = -4,
    F4P_KEY_WHEEL_UP = -5,
    F4P_KEY_WHEEL_DOWN = -6,
    F4P_KEY_OTHER = -7
};

/** Takes the terminal. 0, or -1: standard input or output is none, or it cannot place a cursor. */
int f4p_screen_open(struct f4p_screen *screen, const struct f4p_options *options);

/** Gives it back; may be called twice. */
void f4p_screen_close(void);

/** Leaves the terminal to another program until f4p_screen_resume(). */
void f4p_screen_pause(void);
void f4p_screen_resume(struct f4p_screen *screen);

void f4p_screen_clear(void);
void f4p_screen_redraw(void); /* everything is sent again */
void f4p_screen_show(void);

/** Text that is harmless already; columns it took. */
int f4p_screen_put(const struct f4p_screen *screen, int row, int column, unsigned style, const char *text);

/** Foreign text, made harmless, in exactly `columns` columns. `keep_end`: cut at its beginning. */
void f4p_screen_cell(const struct f4p_screen *screen, int row, int column, int columns, unsigned style,
                     const char *text, bool keep_end);

/** `columns` times the character `code`. */
void f4p_screen_fill(const struct f4p_screen *screen, int row, int column, int columns, unsigned style, uint32_t code);

/** Where the cursor shall stand; row -1: nowhere. */
void f4p_screen_cursor(int row, int column);

/** The next key; waits `timeout_ms` at most, -1: for ever. GONE: a signal or the terminal's end asks to leave. OTHER:
 * no key, but the file descriptor `other` (-1: none) became readable. A printable character beyond ASCII comes as its
 * bytes. */
int f4p_screen_key(struct f4p_screen *screen, int timeout_ms, int other, struct f4p_click *click);

/** Sends `text` to the terminal's clipboard. Only where takes_osc_52. */
void f4p_screen_copy(const char *text);

/** Style of a library, the same each time; "" is the user's own code. */
unsigned f4p_screen_library(const struct f4p_screen *screen, const char *library);

#endif
