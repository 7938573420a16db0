/*
 * A table and the browser on it. A view describes what it shows as a table: columns, rows, one function that fills a
 * cell. The browser owns cursor and scroll, draws, searches, keeps the selected row through sorting, filters and
 * resizes by its id; the exporter writes the same table.
 */
#ifndef FIL4PROD_TUI_BROWSER_H
#define FIL4PROD_TUI_BROWSER_H

#include "tui_keys.h"
#include "tui_screen.h"

#define F4P_TUI_CELL_BYTES 600u
#define F4P_TUI_MAX_COLUMNS 12u

struct f4p_column {
    const char *title;
    const char *key; /* its name in exports */
    unsigned width;  /* in columns; 0: takes what is left (one column of a table does) */
    unsigned from;   /* left out on screens narrower than this */
    bool right;      /* aligned */
    bool keep_end;   /* cut at the beginning */
};

struct f4p_cell {
    char text[F4P_TUI_CELL_BYTES]; /* as shown; foreign text is made harmless when drawn */
    double number;                 /* for exports, in plain units */
    bool has_number;
    char mark; /* shown before the text of an aligned cell, if there is room, and not exported; 0: none */
    unsigned style;
};

struct f4p_table {
    const char *name; /* for exports */
    const struct f4p_column *columns;
    size_t column_count;
    size_t rows;
    size_t sorted_by; /* that column's number + 1; 0: none is marked */
    void *context;
    void (*cell)(void *context, size_t row, size_t column, struct f4p_cell *cell);
    uint64_t (*id)(void *context, size_t row); /* the same row after anything changed; NULL: rows stay where they are */
};

/* Zero-initialised: at the first row. */
struct f4p_browser {
    struct f4p_table table;
    size_t cursor, top;
    uint64_t id; /* of the selected row */
    bool has_id;
    struct f4p_area rows; /* where rows were drawn */
};

/** The rows are others now: looks for the selected one. */
void f4p_browser_changed(struct f4p_browser *browser);

/** Draws heading and rows. `active`: shows the selection. */
void f4p_browser_draw(struct f4p_browser *browser, const struct f4p_screen *screen, struct f4p_area area, bool active);

/** The moving actions; false: not one of them. */
bool f4p_browser_act(struct f4p_browser *browser, enum f4p_action action);

void f4p_browser_select(struct f4p_browser *browser, size_t row);

/** Selects the row at a place of the screen; false: there is none. */
bool f4p_browser_click(struct f4p_browser *browser, int row);

/** Selects the next row that has `text`, going down (or up) from the selected one (itself only if `here`), around the
 * end. Letter case counts if `text` has capitals. false: none. */
bool f4p_browser_find(struct f4p_browser *browser, const char *text, bool down, bool here);

/** Whether `text` has `part`, letter case as above. */
bool f4p_text_has(const char *text, const char *part);

#endif
