/* Words and numbers of the terminal face: labels of frames, cells of tables, lines of the text face. */
#include <ctype.h>
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

void f4p_tui_frame_file(const struct f4p_tui *tui, uint32_t frame, char *out, size_t bytes)
{
    struct f4p_frame file = {.line = 0};
    if (frame != F4P_NONE)
        file = *f4p_model_frame(tui->report->model, frame);
    file.line = 0;
    file.offset = 0;
    f4p_page_place(&tui->page, &file, out, bytes);
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

void f4p_tui_draw_line(const struct f4p_tui *tui, uint32_t frame, int row)
{
    char line[F4P_TUI_CELL_BYTES], text[F4P_TUI_CELL_BYTES + 32];
    bool newer = false;
    const struct f4p_frame *f = frame == F4P_NONE ? NULL : f4p_model_frame(tui->report->model, frame);
    if (!f || !f4p_page_source(&tui->page, f, line, sizeof line, &newer))
        return;
    const char *at = line;
    while (isspace((unsigned char)*at))
        at++;
    snprintf(text, sizeof text, "%u%s %s", f->line, newer ? " (file is newer than the run)" : "", at);
    f4p_screen_cell(&tui->screen, row, 2, tui->screen.columns - 3, F4P_STYLE_GOOD, text, false);
}

const char *f4p_tui_nothing(const struct f4p_tui *tui)
{
    return *tui->filter.text ? "nothing matches the filter; Esc shows all" : "nothing that was sampled";
}

/* ---- look-ups ---- */

uint32_t f4p_tui_string(const struct f4p_tui *tui, const char *text)
{
    const struct f4p_strings *strings = &tui->report->model->strings;
    for (uint32_t i = 0; text && i < strings->count; i++)
        if (!strcmp(strings->text[i], text))
            return i;
    return F4P_NONE;
}

static uint32_t frame_of(const struct f4p_tui *tui, const char *module, const struct f4p_symbol_view *symbol)
{
    const struct f4p_model *m = tui->report->model;
    uint32_t function = f4p_tui_string(tui, symbol->function);
    uint32_t file = f4p_tui_string(tui, *symbol->file ? symbol->file : module);
    for (uint32_t i = 0; i < m->frames.count; i++) {
        const struct f4p_frame *frame = f4p_model_frame(m, i);
        if (frame->language == F4P_LANGUAGE_NATIVE && frame->function == function && frame->file == file &&
            frame->line == symbol->line && !frame->offset)
            return i;
    }
    return F4P_NONE;
}

uint32_t f4p_tui_named(const struct f4p_tui *tui, const char *file, uint64_t offset)
{
    for (size_t i = 0; i < tui->job->count; i++) {
        const struct f4p_trace *trace = tui->job->traces[i];
        for (size_t k = 0; k < trace->symbol_count; k++) {
            const struct f4p_symbol_view *symbol = &trace->symbols[k];
            if (symbol->offset == offset && !symbol->depth && symbol->module < trace->module_count &&
                !strcmp(trace->modules[symbol->module].path, file))
                return frame_of(tui, file, symbol);
        }
    }
    return F4P_NONE;
}

uint8_t *f4p_tui_frames_with(const struct f4p_tui *tui, const char *text)
{
    const struct f4p_model *m = tui->report->model;
    char label[F4P_TUI_CELL_BYTES];
    uint8_t *has = calloc(m->frames.count + 1ul, 1);
    for (uint32_t i = 0; has && i < m->frames.count; i++) {
        f4p_tui_frame_label(tui, i, label, sizeof label);
        has[i] = f4p_text_has(label, text) || f4p_text_has(f4p_model_string(m, f4p_model_frame(m, i)->library), text);
    }
    return has;
}

uint8_t *f4p_tui_stacks_with(const struct f4p_tui *tui, uint32_t frame)
{
    const struct f4p_model *m = tui->report->model;
    uint8_t *has = frame == F4P_NONE ? NULL : calloc(m->stacks.count + 1ul, 1);
    for (uint32_t i = 0; has && i < m->stacks.count; i++) {
        const struct f4p_stack *stack = f4p_model_stack(m, i);
        has[i] = stack->frame == frame || (stack->parent != F4P_NONE && has[stack->parent]);
    }
    return has;
}

/* ---- cells ---- */

void f4p_tui_cell_bytes(const struct f4p_tui *tui, struct f4p_cell *cell, double bytes, double like)
{
    char number[F4P_NUMBER_BYTES];
    f4p_text_bytes_like(number, bytes, like, tui->options->units);
    snprintf(cell->text, sizeof cell->text, "%s", bytes > 0 ? number : "0");
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
