/* The text of a source file: the copy in the trace first, then this machine's file, if the two do not differ. */
#ifndef FIL4PROD_TUI_SOURCE_H
#define FIL4PROD_TUI_SOURCE_H

#include "tui_private.h"

/* Zero-initialised is empty. */
struct f4p_source_text {
    char **lines; /* by line number - 1; NULL: not to be had */
    uint32_t count;
    char **owned; /* what the lines point into */
    size_t owned_count;
    char note[160]; /* where the text is from, and what is wrong with it */
    bool doubtful;  /* the note is a warning */
};

/** Finds the text of `file`, named as in the trace. */
void f4p_source_load(struct f4p_source_text *source, const struct f4p_tui *tui, const char *file);
void f4p_source_free(struct f4p_source_text *source);

#endif
