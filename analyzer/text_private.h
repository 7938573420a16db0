/* What the parts of the text face share: text.c the first screen, text_tables.c tables, text_details.c the rest. */
#ifndef FIL4PROD_TEXT_PRIVATE_H
#define FIL4PROD_TEXT_PRIVATE_H

#include "text.h"

#define F4P_CELL_BYTES 1024u

struct f4p_page {
    const struct f4p_report *r;
    struct f4p_text_style style;
    FILE *out;
};

enum f4p_paint { F4P_PAINT_PLAIN, F4P_PAINT_BOLD, F4P_PAINT_DIM, F4P_PAINT_BAD, F4P_PAINT_WARN, F4P_PAINT_GOOD };

/** Starts and (PLAIN) ends a colour; nothing without colours. */
void f4p_page_paint(const struct f4p_page *page, enum f4p_paint paint);

/** A heading of a section after an empty line. */
__attribute__((format(printf, 2, 3))) void f4p_page_heading(const struct f4p_page *page, const char *format, ...);

/** Foreign text, harmless, at most `columns` wide, padded to it on the right if `pad`. */
void f4p_page_cell(const struct f4p_page *page, const char *text, size_t columns, bool keep_end, bool pad);

/** Columns of foreign text once it is harmless. */
size_t f4p_page_width(const struct f4p_page *page, const char *text);

/** Bytes in the report's units. */
char *f4p_page_bytes(const struct f4p_page *page, char out[F4P_NUMBER_BYTES], double bytes);

/** "+-" or the sign for it. */
const char *f4p_page_plus_minus(const struct f4p_page *page);

/** "etl.py:88": the file as short as its origin allows. */
void f4p_page_place(const struct f4p_page *page, const struct f4p_frame *frame, char *out, size_t bytes);

/** "etl.py:88 load_all". `group` may have no frame. */
void f4p_page_label(const struct f4p_page *page, enum f4p_grouping by, const struct f4p_group *group, char *out,
                    size_t bytes);

/** A thread's name, or its id and function where Python threads have none. */
void f4p_page_thread(const struct f4p_page *page, const struct f4p_entry *entry, char *out, size_t bytes);

/** "at death", "now" or "at the end". */
const char *f4p_page_end_words(const struct f4p_page *page);

/** The heap that the first screen is about: when the request failed that ended the job, else at the end. */
const struct f4p_heap *f4p_page_moment(const struct f4p_page *page);

/** Who holds `heap`, at most `rows` lines. */
void f4p_page_held(const struct f4p_page *page, const char *title, const struct f4p_heap *heap, size_t rows);

/** What changed from `before` to `after`. */
void f4p_page_diff(const struct f4p_page *page, size_t rows);

/** How it ended and what of the heap: the lines END, CAUSE, HEAP and SHAPE. */
void f4p_page_summary(const struct f4p_page *page);

/** The lines WHO and SURE. */
void f4p_page_trust(const struct f4p_page *page);

/** What the process's resident memory consists of, where that is known. */
void f4p_page_rss(const struct f4p_page *page);

/** The full stacks of the largest entries, then f4p_page_facts(). */
void f4p_page_details(const struct f4p_page *page);

/** Processes, evidence, memory, trace, gates. */
void f4p_page_facts(const struct f4p_page *page);

/** The source line of a frame, from the trace or from this machine; false: not to be had. `changed`: the file on disk
 * is newer than the trace. */
bool f4p_page_source(const struct f4p_page *page, const struct f4p_frame *frame, char *out, size_t bytes,
                     bool *changed);

/** A trace may name any file: only what looks like source, and is a regular file, may be opened. */
bool f4p_page_looks_like_source(const char *file);

#endif
