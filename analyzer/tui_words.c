/* Words and numbers of the terminal face: labels of frames, cells of tables, lines of the text face. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "tui_private.h"

double f4p_tui_q8(uint64_t q8)
{
    return (double)q8 / F4P_Q8;
}

void f4p_tui_frame_label(const struct f4p_tui *tui, uint32_t frame, char *out, size_t bytes)
{
    const struct f4p_model *m = tui->report->model;
    char place[F4P_CELL_BYTES] = "";
    if (frame == F4P_NONE) {
        snprintf(out, bytes, "[library code only]");
        return;
    }
    const struct f4p_frame *f = f4p_model_frame(m, frame);
    const char *function = f4p_model_string(m, f->function);
    if (f->file)
        f4p_page_place(&tui->page, f, place, sizeof place);
    snprintf(out, bytes, "%.300s%s%.200s", place, *place && *function ? " " : "", function);
}

uint64_t f4p_tui_frame_id(const struct f4p_tui *tui, uint32_t frame)
{
    const struct f4p_model *m = tui->report->model;
    if (frame == F4P_NONE)
        return 1;
    const struct f4p_frame *f = f4p_model_frame(m, frame);
    const char *function = f4p_model_string(m, f->function), *file = f4p_model_string(m, f->file);
    uint64_t id = f4p_hash(function, strlen(function), f->line);
    return f4p_hash(file, strlen(file), id ^ f->offset);
}

void f4p_tui_frame_path(const struct f4p_tui *tui, uint32_t frame, char *out, size_t bytes)
{
    const struct f4p_model *m = tui->report->model;
    const char *file = frame == F4P_NONE ? "" : f4p_model_string(m, f4p_model_frame(m, frame)->file);
    const char *cwd = f4p_trace_fact_text(tui->report->trace, F4P_FACT_ID_CWD);
    if (!strncmp(file, "./", 2))
        file += 2;
    snprintf(out, bytes, "%s%s%s", *file == '/' || !*file || *file == '<' ? "" : cwd,
             *file == '/' || !*file || *file == '<' ? "" : "/", file);
}

unsigned f4p_tui_frame_style(const struct f4p_tui *tui, uint32_t frame)
{
    const struct f4p_model *m = tui->report->model;
    if (frame == F4P_NONE)
        return F4P_STYLE_PLAIN;
    return f4p_screen_library(&tui->screen, f4p_model_string(m, f4p_model_frame(m, frame)->library));
}

/* ---- cells ---- */

void f4p_tui_cell_bytes(const struct f4p_tui *tui, struct f4p_cell *cell, double bytes, double like)
{
    char number[F4P_NUMBER_BYTES];
    f4p_text_bytes_like(number, bytes, like, tui->options->units);
    snprintf(cell->text, sizeof cell->text, "%s", number);
    cell->number = bytes;
    cell->has_number = true;
}

void f4p_tui_cell_percent(struct f4p_cell *cell, double part, double whole)
{
    snprintf(cell->text, sizeof cell->text, "%.1f", whole > 0 ? 100 * part / whole : 0.0);
}

void f4p_tui_cell_error(const struct f4p_tui *tui, struct f4p_cell *cell, const struct f4p_sums *sums)
{
    double half = f4p_sums_error(sums, tui->report->interval).half, bytes = f4p_tui_q8(sums->bytes);
    f4p_tui_cell_percent(cell, half, bytes);
}

/* ---- lines of the text face ---- */

char **f4p_tui_lines(const struct f4p_tui *tui, void (*write)(const struct f4p_page *page), unsigned columns,
                     size_t *count)
{
    struct f4p_page page = tui->page;
    char *text = NULL, **lines = NULL;
    size_t bytes = 0, room = 1;
    *count = 0;
    page.style.columns = columns < 40 ? 40 : columns;
    page.out = open_memstream(&text, &bytes);
    if (!page.out)
        return NULL;
    write(&page);
    if (fclose(page.out) || !text)
        goto out;
    for (const char *at = text; *at; at++)
        room += *at == '\n';
    lines = malloc((room + 1) * sizeof *lines);
    for (char *at = text; lines && at && *at;) {
        char *end = strchr(at, '\n');
        lines[(*count)++] = at;
        if (end)
            *end++ = '\0';
        at = end;
    }
out:
    if (!lines || !*count) {
        free(text);
        free(lines);
        *count = 0;
        return NULL;
    }
    return lines;
}
