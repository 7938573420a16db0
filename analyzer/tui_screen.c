#include "tui_screen.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "format/hash.h"
#include "tui_curses.h"

#define ESCAPE_MS 25
#define MAX_PALETTE 12u
#define CELL_BYTES 2048u

static SCREEN *terminal;
static bool paused;
static volatile sig_atomic_t leave;

static void asked_to_leave(int signal)
{
    (void)signal;
    leave = 1;
}

/* ---- opening and closing ---- */

static bool has_utf8(void)
{
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static void choose_glyphs(struct f4p_screen *screen, const struct f4p_options *options)
{
    const char *term = getenv("TERM");
    setlocale(LC_CTYPE, "");
    enum f4p_charset set = options->charset;
    if (set == F4P_CHARSET_AUTO)
        set = has_utf8() && !(term && !strcmp(term, "linux")) ? F4P_CHARSET_UTF8 : F4P_CHARSET_ASCII;
    else if (set != F4P_CHARSET_ASCII && !has_utf8() && !setlocale(LC_CTYPE, "C.UTF-8"))
        set = F4P_CHARSET_ASCII;
    screen->ascii = set == F4P_CHARSET_ASCII;
    screen->glyphs = set == F4P_CHARSET_ASCII    ? F4P_GLYPHS_ASCII
                     : set == F4P_CHARSET_BLOCKS ? F4P_GLYPHS_BLOCKS
                                                 : F4P_GLYPHS_BRAILLE;
}

static void choose_colors(struct f4p_screen *screen, const struct f4p_options *options)
{
    static const short fixed[] = {-1,          -1, -1, COLOR_RED, COLOR_YELLOW, COLOR_GREEN, COLOR_CYAN, COLOR_MAGENTA,
                                  COLOR_YELLOW};
    static const short eight[] = {COLOR_GREEN, COLOR_YELLOW, COLOR_BLUE, COLOR_MAGENTA, COLOR_CYAN, COLOR_RED};
    static const short many[MAX_PALETTE] = {71, 179, 68, 133, 73, 167, 107, 173, 104, 139, 66, 137};
    const char *no_color = getenv("NO_COLOR");
    bool wanted = options->color == F4P_COLOR_ALWAYS || (options->color == F4P_COLOR_AUTO && !(no_color && *no_color));
    screen->colored = wanted && has_colors() && start_color() == OK && COLORS >= 8;
    screen->palette = COLORS >= 256 ? MAX_PALETTE : 6;
    if (!screen->colored)
        return;
    use_default_colors();
    for (short i = 0; i < (short)(sizeof fixed / sizeof fixed[0]); i++)
        init_pair((short)(i + 1), fixed[i], -1);
    for (short i = 0; i < (short)screen->palette; i++)
        init_pair((short)(F4P_STYLE_LIBRARY + 1 + i), screen->palette == MAX_PALETTE ? many[i] : eight[i], -1);
}

/* Terminals whose clipboard is known to follow OSC 52 without being asked to. */
static bool knows_osc_52(void)
{
    static const char *const terms[] = {"xterm-kitty", "foot", "alacritty", "wezterm", "xterm-ghostty"};
    const char *term = getenv("TERM");
    for (size_t i = 0; term && i < sizeof terms / sizeof terms[0]; i++)
        if (!strncmp(term, terms[i], strlen(terms[i])))
            return true;
    return false;
}

/* SIGTSTP and SIGWINCH are curses' own. No SA_RESTART: the wait for a key shall end. */
static void catch_signals(void)
{
    static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction action = {.sa_handler = asked_to_leave};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        sigaction(all[i], &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

/* Asked before newterm(), which does not free what it took when it fails. */
static bool can_place_cursor(void)
{
    int error;
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return false;
    bool can = cursor_address && *cursor_address;
    del_curterm(cur_term);
    return can;
}

int f4p_screen_open(struct f4p_screen *screen, const struct f4p_options *options)
{
    memset(screen, 0, sizeof *screen);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return -1;
    choose_glyphs(screen, options);
    if (!can_place_cursor())
        return -1;
    terminal = newterm(NULL, stdout, stdin);
    if (!terminal)
        return -1;
    catch_signals();
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(ESCAPE_MS);
    curs_set(0);
    mouseinterval(0);
    mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    choose_colors(screen, options);
    screen->takes_osc_52 = knows_osc_52();
    getmaxyx(stdscr, screen->rows, screen->columns);
    atexit(f4p_screen_close);
    return 0;
}

void f4p_screen_close(void)
{
    if (!terminal)
        return;
    if (!paused) {
        curs_set(1);
        endwin();
    }
    delscreen(terminal);
    terminal = NULL;
}

void f4p_screen_pause(void)
{
    def_prog_mode();
    curs_set(1);
    endwin();
    paused = true;
}

/* The size may have changed meanwhile, with the signal gone to the other program. */
static bool fit(struct f4p_screen *screen)
{
    struct winsize size;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col &&
        (size.ws_row != LINES || size.ws_col != COLS))
        resizeterm(size.ws_row, size.ws_col);
    int rows = screen->rows, columns = screen->columns;
    getmaxyx(stdscr, screen->rows, screen->columns);
    return rows != screen->rows || columns != screen->columns;
}

void f4p_screen_resume(struct f4p_screen *screen)
{
    reset_prog_mode();
    paused = false;
    curs_set(0);
    fit(screen);
    redrawwin(stdscr);
    refresh();
}

/* ---- drawing ---- */

void f4p_screen_clear(void)
{
    erase();
}

void f4p_screen_redraw(void)
{
    clearok(stdscr, TRUE);
}

void f4p_screen_show(void)
{
    refresh();
}

static attr_t attributes(const struct f4p_screen *screen, unsigned style)
{
    static const attr_t plain[] = {A_NORMAL, A_BOLD,   A_DIM,    A_BOLD,   A_BOLD,
                                   A_NORMAL, A_NORMAL, A_NORMAL, A_NORMAL, A_REVERSE};
    unsigned base = style & F4P_STYLE_MASK;
    attr_t attribute = base < F4P_STYLE_LIBRARY ? plain[base] : A_NORMAL;
    if (screen->colored && base >= F4P_STYLE_BAD && base != F4P_STYLE_BAR)
        attribute |= (attr_t)COLOR_PAIR((int)base + 1);
    if (style & F4P_STYLE_REVERSED)
        attribute |= A_REVERSE;
    if (style & F4P_STYLE_STRONG)
        attribute |= A_BOLD;
    return attribute;
}

int f4p_screen_put(const struct f4p_screen *screen, int row, int column, unsigned style, const char *text)
{
    char safe[CELL_BYTES];
    if (row < 0 || row >= screen->rows || column < 0 || column >= screen->columns)
        return 0;
    size_t used = f4p_text_safe(safe, sizeof safe, text, (size_t)(screen->columns - column), false, screen->ascii);
    attrset((int)attributes(screen, style));
    mvaddstr(row, column, safe);
    attrset(A_NORMAL);
    return (int)used;
}

void f4p_screen_cell(const struct f4p_screen *screen, int row, int column, int columns, unsigned style,
                     const char *text, bool keep_end)
{
    char safe[CELL_BYTES];
    if (columns > screen->columns - column)
        columns = screen->columns - column;
    if (row < 0 || row >= screen->rows || column < 0 || columns <= 0)
        return;
    int used = (int)f4p_text_safe(safe, sizeof safe, text, (size_t)columns, keep_end, screen->ascii);
    attrset((int)attributes(screen, style));
    mvaddstr(row, column, safe);
    for (; used < columns; used++)
        addch(' ');
    attrset(A_NORMAL);
}

void f4p_screen_fill(const struct f4p_screen *screen, int row, int column, int columns, unsigned style, uint32_t code)
{
    char one[8];
    if (columns > screen->columns - column)
        columns = screen->columns - column;
    if (row < 0 || row >= screen->rows || column < 0 || columns <= 0)
        return;
    one[f4p_utf8_put(one, screen->ascii && code > 126 ? '?' : code)] = '\0';
    attrset((int)attributes(screen, style));
    move(row, column);
    for (int i = 0; i < columns; i++)
        addstr(one);
    attrset(A_NORMAL);
}

void f4p_screen_cursor(int row, int column)
{
    curs_set(row >= 0);
    if (row >= 0)
        move(row, column);
}

unsigned f4p_screen_library(const struct f4p_screen *screen, const char *library)
{
    if (!*library)
        return F4P_STYLE_LIBRARY;
    return F4P_STYLE_LIBRARY + 1 + (unsigned)(f4p_hash(library, strlen(library), 0) % (screen->palette - 1));
}

/* ---- keys ---- */

static int take_mouse(struct f4p_click *click)
{
    static struct f4p_click before = {.row = -1};
    MEVENT event;
    if (getmouse(&event) != OK)
        return F4P_KEY_NONE;
    if (event.bstate & BUTTON4_PRESSED)
        return F4P_KEY_WHEEL_UP;
    if (event.bstate & BUTTON5_PRESSED)
        return F4P_KEY_WHEEL_DOWN;
    *click = (struct f4p_click){event.y, event.x, before.row == event.y && before.column == event.x};
    before = *click;
    if (click->twice)
        before.row = -1;
    return F4P_KEY_CLICK;
}

int f4p_screen_key(struct f4p_screen *screen, int timeout_ms, int other, struct f4p_click *click)
{
    struct pollfd inputs[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    bool others = false;
    if (leave)
        return F4P_KEY_GONE;
    int key = getch(); /* what curses has read already */
    if (key == ERR) {
        int ready = poll(inputs, 2, timeout_ms);
        short terminal_has = ready > 0 ? inputs[0].revents : 0;
        others = ready > 0 && inputs[1].revents;
        if (leave || terminal_has & (POLLERR | POLLNVAL))
            return F4P_KEY_GONE;
        key = getch();
        if (key == ERR && terminal_has) /* readable, and nothing to read: the terminal is gone */
            return terminal_has & POLLHUP ? F4P_KEY_GONE : F4P_KEY_NONE;
    }
    if (fit(screen) || key == KEY_RESIZE)
        return F4P_KEY_RESIZED;
    if (key == KEY_MOUSE)
        return take_mouse(click);
    if (key == ERR)
        return others ? F4P_KEY_OTHER : F4P_KEY_NONE;
    return key;
}

void f4p_screen_copy(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t bytes = strlen(text);
    fputs("\033]52;c;", stdout);
    for (size_t i = 0; i < bytes; i += 3) {
        unsigned group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (i + j < bytes ? (unsigned char)text[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            fputc(i + j > bytes ? '=' : digits[group >> (18 - 6 * j) & 63], stdout);
    }
    fputs("\a", stdout);
    fflush(stdout);
}
