/*
 * What the parts of the terminal face share.
 *
 * Vocabulary
 *   view     one of the six numbered screens; an overlay is a view on top of it until Esc.
 *   instant  the moment whose heap all views show.
 *   filter   which entries count and which frames are shown; asked for with \, on top of the command line's.
 */
#ifndef FIL4PROD_TUI_PRIVATE_H
#define FIL4PROD_TUI_PRIVATE_H

#include "text_private.h"
#include "tui_browser.h"

/* ---- instants ---- */

enum f4p_moment_kind { F4P_MOMENT_END, F4P_MOMENT_PEAK, F4P_MOMENT_TIME };

struct f4p_moment {
    enum f4p_moment_kind kind;
    uint64_t t_ns; /* of the job; of END and PEAK too */
};

#define F4P_TUI_HEAPS 12u

struct f4p_tui_heap {
    struct f4p_moment moment;
    bool known;
    uint64_t used;
    struct f4p_heap heap; /* filtered; sums is NULL if the slot is free */
};

/* ---- filter ---- */

#define F4P_TUI_TEXT_BYTES 256u

struct f4p_tui_filter {
    char text[F4P_TUI_TEXT_BYTES]; /* as typed; "" shows all */
    uint8_t *in;                   /* by entry: counts; NULL: all do */
    uint8_t *hidden;               /* by frame; NULL: none */
};

/** Compiles `text` for `model`: focus=RE ignore=RE hide=RE thread=RE pid=N lib=RE, quoted with "" where it has spaces;
 * a bare word is a focus. 0, or -1 with a word on what is wrong; `filter` is unchanged then. */
int f4p_tui_filter_set(struct f4p_tui_filter *filter, const struct f4p_model *model, const char *text, char *error,
                       size_t bytes);
void f4p_tui_filter_free(struct f4p_tui_filter *filter);

/* ---- views ---- */

struct f4p_tui;

enum f4p_view_id {
    F4P_VIEW_VERDICT,
    F4P_VIEW_TIME,
    F4P_VIEW_TREE,
    F4P_VIEW_TOP,
    F4P_VIEW_SOURCE,
    F4P_VIEW_DIFF,
    F4P_VIEW_TABS, /* those before it have a number */
    F4P_VIEW_FLAME = F4P_VIEW_TABS,
    F4P_VIEW_CALLERS,
    F4P_VIEW_SIZES,
    F4P_VIEW_FACTS,
    F4P_VIEW_HELP,
    F4P_VIEW_COUNT
};

struct f4p_view_ops {
    const char *name;
    size_t state_bytes;
    /** Model, instant, filter or order are others: forgets what was computed from them. */
    void (*changed)(struct f4p_tui *tui, void *state);
    void (*draw)(struct f4p_tui *tui, void *state, struct f4p_area area);
    /** Before the common meaning of an action; true: done. May be NULL. */
    bool (*act)(struct f4p_tui *tui, void *state, enum f4p_action action);
    /** The rows that moving, searching and exporting are about, up to date; NULL: none. May be NULL. */
    struct f4p_browser *(*browser)(struct f4p_tui *tui, void *state);
    /** The frame that e, y, c and Enter are about; F4P_NONE: none. May be NULL. */
    uint32_t (*frame)(struct f4p_tui *tui, void *state);
    /** A click outside of the browser's rows. May be NULL. */
    bool (*click)(struct f4p_tui *tui, void *state, struct f4p_click click);
    /** Selects the next (or previous) place that has `text`, folded or not, the selected one itself only if `here`;
     * false: none. NULL: the browser's rows are searched. */
    bool (*find)(struct f4p_tui *tui, void *state, const char *text, bool down, bool here);
    /** Remembers what is selected and unfolded when a search begins, and goes `back` to it. NULL: the browser's row. */
    void (*anchor)(struct f4p_tui *tui, void *state, bool back);
    void (*close)(void *state);
    const char *hint; /* keys worth knowing here, for the footer */
};

extern const struct f4p_view_ops f4p_view_verdict, f4p_view_time, f4p_view_tree, f4p_view_top, f4p_view_source,
    f4p_view_diff, f4p_view_flame, f4p_view_callers, f4p_view_sizes, f4p_view_facts, f4p_view_help;

/** What the tab of a view says. */
const char *f4p_tui_view_name(enum f4p_view_id view);

/* ---- all of it ---- */

enum f4p_prompt { F4P_PROMPT_NONE, F4P_PROMPT_SEARCH, F4P_PROMPT_FILTER, F4P_PROMPT_EXPORT };

/* Which frames stacks are shown with. */
enum f4p_detail { F4P_DETAIL_LIBRARIES, F4P_DETAIL_OWN, F4P_DETAIL_ALL };

struct f4p_tui {
    struct f4p_options own; /* `options` point here: the caller's, with the frames asked for by w */
    const struct f4p_options *options;
    struct f4p_job *job;
    struct f4p_report *report;
    struct f4p_screen screen;
    struct f4p_page page; /* for the text face's words; its stream is NULL */

    struct f4p_moment instant;
    struct f4p_moment marks[2];
    bool marked[2];
    struct f4p_tui_heap heaps[F4P_TUI_HEAPS];
    uint64_t clock; /* of the heaps' use */
    struct f4p_tui_filter filter;
    enum f4p_detail detail;
    bool internals; /* the interpreter's frames were asked for on the command line */
    bool bottom_up;
    uint8_t *visible; /* by frame, from filter and detail; NULL: not computed */

    enum f4p_view_id view, over, back; /* `over`: COUNT if there is no overlay; `back`: where Esc leads from Source */
    void *state[F4P_VIEW_COUNT];
    bool stale[F4P_VIEW_COUNT]; /* changed() is due */

    struct {              /* of native frames; they come while keys are answered */
        size_t shown;     /* in the model */
        uint64_t next_ms; /* when it may be built anew for some more */
        uint64_t drawn_ms;
        unsigned percent; /* found; 100: all */
    } names;

    uint32_t picked; /* frame that was selected when an overlay was opened */

    enum f4p_prompt prompt;
    char input[F4P_TUI_TEXT_BYTES];
    char search[F4P_TUI_TEXT_BYTES];
    size_t search_from; /* the browser's row when searching began */
    char filter_before[F4P_TUI_TEXT_BYTES];
    void (*later)(struct f4p_tui *tui); /* what takes long: done once, after the screen is drawn; NULL: nothing */
    bool rebuild_due;                   /* the same: the model is to be built as `own` has it */
    bool filter_due;
    char message[512]; /* shown until the next key */
    bool message_bad;
    bool touched; /* a key was pressed */
    bool ended;   /* --follow: the job is over */
    bool done;
};

/** The heap at a moment, filtered; NULL: not known. Valid until the moment, filter or model change. */
const struct f4p_heap *f4p_tui_heap_at(struct f4p_tui *tui, struct f4p_moment moment);
/** At the chosen instant. */
const struct f4p_heap *f4p_tui_heap(struct f4p_tui *tui);
void f4p_tui_heaps_forget(struct f4p_tui *tui);

/** By frame id: nonzero if it is shown in trees. NULL: no memory. */
const uint8_t *f4p_tui_visible(struct f4p_tui *tui);

/** All views are to compute anew. */
void f4p_tui_changed(struct f4p_tui *tui);

void f4p_tui_go(struct f4p_tui *tui, enum f4p_view_id view);
void f4p_tui_set_instant(struct f4p_tui *tui, struct f4p_moment moment);
/** Adds a word to the filter, as Enter on a thread, process or library does. */
void f4p_tui_narrow(struct f4p_tui *tui, const char *term);
/** Shows `frame` (F4P_NONE: says that there is none) in Source; Esc leads back. `stack`: whose frames the stack pane
 * shows; F4P_NONE: the largest. */
void f4p_tui_show_source(struct f4p_tui *tui, uint32_t frame, uint32_t stack);
/** The stack with most bytes at the instant among those with `frame` in them; F4P_NONE: none. */
uint32_t f4p_tui_heaviest(struct f4p_tui *tui, uint32_t frame);
/** Opens the flame graph (or closes it) with `frame` selected, if that is not F4P_NONE and wide enough. */
void f4p_tui_show_flame(struct f4p_tui *tui, uint32_t frame);
/** Shows `frame`'s callers and callees. */
void f4p_tui_show_callers(struct f4p_tui *tui, uint32_t frame);

__attribute__((format(printf, 3, 4))) void f4p_tui_say(struct f4p_tui *tui, bool bad, const char *format, ...);

/* ---- words and numbers ---- */

/** "at death", "now", "at the end": of the trace, not of a request that failed before it. */
const char *f4p_tui_end_words(const struct f4p_tui *tui);

/** "0:21.8 (death)", "0:12.3": a moment in words. */
void f4p_tui_moment_words(const struct f4p_tui *tui, struct f4p_moment moment, char *out, size_t bytes);
/** "etl.py:88 load". */
void f4p_tui_frame_label(const struct f4p_tui *tui, uint32_t frame, char *out, size_t bytes);
/** A frame's identity over filters and reloads. */
uint64_t f4p_tui_frame_id(const struct f4p_tui *tui, uint32_t frame);
/** A frame's file as the labels have it, "" if it has none. */
void f4p_tui_frame_file(const struct f4p_tui *tui, uint32_t frame, char *out, size_t bytes);
/** The full path of a frame's file, "" if it has none. */
void f4p_tui_frame_path(const struct f4p_tui *tui, uint32_t frame, char *out, size_t bytes);
/** The style of a frame's library. */
unsigned f4p_tui_frame_style(const struct f4p_tui *tui, uint32_t frame);
/** A cell with bytes, or blocks if that is the metric. `like`: the column's largest. */
void f4p_tui_cell_bytes(const struct f4p_tui *tui, struct f4p_cell *cell, double bytes, double like);
void f4p_tui_cell_percent(struct f4p_cell *cell, double part, double whole);
/** The 95 % half-width of `sums` in percent of its bytes. */
void f4p_tui_cell_error(const struct f4p_tui *tui, struct f4p_cell *cell, const struct f4p_sums *sums);
/** Bytes of Q8 fixed point. */
double f4p_tui_q8(uint64_t q8);

/** The source line of a frame, on a row of its own; nothing where it is not to be had. */
void f4p_tui_draw_line(const struct f4p_tui *tui, uint32_t frame, int row);
/** Why a table is empty. */
const char *f4p_tui_nothing(const struct f4p_tui *tui);
/** The id of a string in the model of now, or F4P_NONE. `text` may be NULL. */
uint32_t f4p_tui_string(const struct f4p_tui *tui, const char *text);
/** The innermost frame that the address `offset` of the ELF file `file` has been given a name as; F4P_NONE: none. */
uint32_t f4p_tui_named(const struct f4p_tui *tui, const char *file, uint64_t offset);
/** By frame: nonzero if its label or library has `text`, as f4p_browser_find() has it; free() it. NULL: no memory. */
uint8_t *f4p_tui_frames_with(const struct f4p_tui *tui, const char *text);
/** By stack: nonzero if `frame` is in it; free() it. NULL: no frame, or no memory. */
uint8_t *f4p_tui_stacks_with(const struct f4p_tui *tui, uint32_t frame);

/** Opens the frame's line in $VISUAL or $EDITOR; says what is wrong. */
void f4p_tui_edit(struct f4p_tui *tui, uint32_t frame);
/** Copies the frame's location, or shows it. */
void f4p_tui_copy(struct f4p_tui *tui, uint32_t frame);

/** Reads the trace again. 0, or -1: what was shown stays. */
int f4p_tui_reload(struct f4p_tui *tui);
/** Adds the traces up again, as `tui->own` has it now. 0, or -1: what was shown stays. */
int f4p_tui_rebuild(struct f4p_tui *tui);

/** Lines of the text face, written by `write`: count lines in *lines, free() both lines[0] and lines. */
char **f4p_tui_lines(const struct f4p_tui *tui, void (*write)(const struct f4p_page *page), unsigned columns,
                     size_t *count);

#endif
