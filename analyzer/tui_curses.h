/* The one way to curses: wide characters, no macros that take common names. Only tui_screen.c and tui_keys.c need it.
 */
#ifndef FIL4PROD_TUI_CURSES_H
#define FIL4PROD_TUI_CURSES_H

#ifndef _XOPEN_SOURCE_EXTENDED
#define _XOPEN_SOURCE_EXTENDED 1
#endif
#define NCURSES_NOMACROS 1
#include <curses.h>
#include <term.h>

/* term.h defines every capability as a macro; these would hit our own names. */
#undef columns
#undef lines
#undef buttons
#undef tab
#undef bell

#endif
