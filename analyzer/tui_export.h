/* Exporters: a table, as it is shown, written to a file. Each format is one entry of a list. */
#ifndef FIL4PROD_TUI_EXPORT_H
#define FIL4PROD_TUI_EXPORT_H

#include <stdio.h>

#include "tui_browser.h"

struct f4p_exporter {
    const char *ending; /* of the file's name, with the dot */
    void (*write)(const struct f4p_table *table, const char *title, FILE *out);
};

/** The exporter for a file's name; NULL: no ending of ours. */
const struct f4p_exporter *f4p_exporter_for(const char *path);

/** Writes `path`, never over an existing file. 0, or -1; either way one line for the user in `said`. */
int f4p_export_table(const struct f4p_table *table, const char *title, const char *path, char *said, size_t bytes);

#endif
