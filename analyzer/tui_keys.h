/*
 * Every action of the terminal face with its keys and its help: one list. The parser of keys, the help screen and the
 * key table of fil4prod-analyze(1) come from it.
 */
#ifndef FIL4PROD_TUI_KEYS_H
#define FIL4PROD_TUI_KEYS_H

#include <stddef.h>

/* X(ACTION, "keys", "help"), G("heading"). Keys are separated by spaces: a character, ^X, or a name of tui_keys.c. */
#define F4P_TUI_KEYS(X, G)                                                                 \
    G("Moving")                                                                            \
    X(UP, "Up k", "a line up")                                                             \
    X(DOWN, "Down j", "a line down")                                                       \
    X(LEFT, "Left h", "fold; in Time: back; in Top: the grouping before")                  \
    X(RIGHT, "Right l", "unfold; in Time: on; in Top: the next grouping")                  \
    X(PAGE_UP, "PgUp ^B", "a page up")                                                     \
    X(PAGE_DOWN, "PgDn Space", "a page down")                                              \
    X(HALF_UP, "^U", "half a page up")                                                     \
    X(HALF_DOWN, "^D", "half a page down")                                                 \
    X(FIRST, "g Home", "to the first line; in Time: to the start")                         \
    X(LAST, "G End", "to the last line; in Time: to the end")                              \
    X(ENTER, "Enter", "zoom: the source of a line, the tree or flame below it")            \
    X(BACK, "Backspace Esc", "back: zoom, overlay, filter, view")                          \
    G("Views")                                                                             \
    X(VIEW_1, "1", "Verdict: how it ended and who held the memory")                        \
    X(VIEW_2, "2", "Time: heap, RSS, cgroup and limit; chooses the instant")               \
    X(VIEW_3, "3", "Tree: stacks, from the outermost or the innermost frame")              \
    X(VIEW_4, "4", "Top: by line, function, file, library, thread, process")               \
    X(VIEW_5, "5", "Source: the file with bytes beside its lines")                         \
    X(VIEW_6, "6 d", "Diff: what changed from A to B")                                     \
    X(PANE, "Tab", "the other pane, else the next view")                                   \
    X(PREVIOUS, "BackTab", "the view before")                                              \
    G("Overlays")                                                                          \
    X(FLAME, "f", "flame graph, the whole screen")                                         \
    X(CALLERS, "c", "callers and callees of the function")                                 \
    X(SIZES, "z", "sizes of the live blocks")                                              \
    X(FACTS, "i", "evidence, memory facts, losses and facts of the trace")                 \
    X(HELP, "? F1", "this help")                                                           \
    G("Finding")                                                                           \
    X(SEARCH, "/", "search; lower case finds both")                                        \
    X(NEXT, "n F3", "the next match; in Source without search: the next hot line")         \
    X(BEFORE, "N", "the match before")                                                     \
    X(FILTER, "\\ F4 :", "filter: focus= ignore= hide= thread= pid= lib=")                 \
    X(SORT, "s", "sort by the next column")                                                \
    X(REVERSE, "I", "sort the other way")                                                  \
    X(GROUP, "t", "group by the next: line, function, file, ...")                          \
    X(BOTTOM_UP, "b", "tree and flame bottom-up or top-down")                              \
    X(LIBRARIES, "w", "frames: with libraries, your code only, all the interpreter's too") \
    G("Time")                                                                              \
    X(STEP_BACK, "[", "the instant before")                                                \
    X(STEP_ON, "]", "the next instant")                                                    \
    X(JUMP_BACK, "{", "ten instants back")                                                 \
    X(JUMP_ON, "}", "ten instants on")                                                     \
    X(PEAK, "p", "peak, end")                                                              \
    X(MARK, "m", "mark the instant: A, then B")                                            \
    X(ZOOM_IN, "+ =", "zoom in: time or flame")                                            \
    X(ZOOM_OUT, "-", "zoom out")                                                           \
    X(ZOOM_RESET, "0", "zoom off")                                                         \
    G("Doing")                                                                             \
    X(EXPORT, "x", "export what is shown: .txt, .json or .csv")                            \
    X(EDIT, "e", "open the line in $EDITOR")                                               \
    X(COPY, "y", "copy the location")                                                      \
    X(REDRAW, "^L", "redraw")                                                              \
    X(QUIT, "q F10", "quit")

enum f4p_action {
    F4P_ACT_NONE,
#define X(name, keys, help) F4P_ACT_##name,
#define G(heading)
    F4P_TUI_KEYS(X, G)
#undef X
#undef G
        F4P_ACT_COUNT
};

struct f4p_key_line {
    enum f4p_action action; /* NONE: a heading */
    const char *keys, *help;
};

/** The list, as it stands above. */
const struct f4p_key_line *f4p_tui_key_lines(size_t *count);

/** The action of a key as f4p_screen_key() gives it; NONE: none. */
enum f4p_action f4p_tui_action(int key);

/** Writes the list as mdoc for fil4prod-analyze(1). `out` has `bytes` bytes; returns what was needed without the NUL.
 */
size_t f4p_tui_keys_mdoc(char *out, size_t bytes);

#endif
