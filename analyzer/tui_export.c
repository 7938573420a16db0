#include "tui_export.h"

#include <string.h>
#include <unistd.h>

#include "json_write.h"
#include "output.h"

#define TEXT_COLUMNS 60 /* of the flexible column */

static void get(const struct f4p_table *table, size_t row, size_t column, struct f4p_cell *cell)
{
    *cell = (struct f4p_cell){.style = F4P_STYLE_PLAIN};
    table->cell(table->context, row, column, cell);
}

/* ---- text ---- */

static void write_padded(const struct f4p_column *column, const char *text, bool last, FILE *out)
{
    char safe[F4P_TUI_CELL_BYTES * 2];
    int width = column->width ? (int)column->width : TEXT_COLUMNS;
    int used = (int)f4p_text_safe(safe, sizeof safe, text, last || !column->width ? 1000 : (size_t)width,
                                  column->keep_end, false);
    int pad = width > used ? width - used : 0;
    fprintf(out, "%*s%s%*s", column->right ? pad : 0, "", safe, column->right || last ? 0 : pad, "");
    fputs(last ? "\n" : " ", out);
}

static void write_text(const struct f4p_table *table, const char *title, FILE *out)
{
    struct f4p_cell cell;
    fprintf(out, "%s\n\n", title);
    for (size_t i = 0; i < table->column_count; i++)
        write_padded(&table->columns[i], table->columns[i].title, i + 1 == table->column_count, out);
    for (size_t row = 0; row < table->rows; row++)
        for (size_t i = 0; i < table->column_count; i++) {
            get(table, row, i, &cell);
            write_padded(&table->columns[i], cell.text, i + 1 == table->column_count, out);
        }
}

/* ---- JSON, schema fil4prod.view/1 ---- */

static void write_json(const struct f4p_table *table, const char *title, FILE *out)
{
    struct f4p_json json = {.out = out};
    struct f4p_cell cell;
    f4p_json_open(&json, NULL, '{');
    f4p_json_text(&json, "schema", "fil4prod.view/1");
    f4p_json_text(&json, "view", table->name);
    f4p_json_text(&json, "title", title);
    f4p_json_open(&json, "rows", '[');
    for (size_t row = 0; row < table->rows; row++) {
        f4p_json_open(&json, NULL, '{');
        for (size_t i = 0; i < table->column_count; i++) {
            get(table, row, i, &cell);
            if (cell.has_number)
                f4p_json_signed(&json, table->columns[i].key, (int64_t)cell.number);
            else
                f4p_json_text(&json, table->columns[i].key, cell.text);
        }
        f4p_json_close(&json, '}');
    }
    f4p_json_close(&json, ']');
    f4p_json_close(&json, '}');
    fputc('\n', out);
}

/* ---- CSV, RFC 4180 ---- */

static void write_quoted(const char *text, FILE *out)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static void write_csv(const struct f4p_table *table, const char *title, FILE *out)
{
    struct f4p_cell cell;
    char safe[F4P_TUI_CELL_BYTES * 2];
    (void)title;
    for (size_t i = 0; i < table->column_count; i++)
        fprintf(out, "%s%s", i ? "," : "", table->columns[i].key);
    fputs("\r\n", out);
    for (size_t row = 0; row < table->rows; row++) {
        for (size_t i = 0; i < table->column_count; i++) {
            get(table, row, i, &cell);
            fputs(i ? "," : "", out);
            if (cell.has_number) {
                fprintf(out, "%.0f", cell.number);
                continue;
            }
            f4p_text_safe(safe, sizeof safe, cell.text, sizeof safe, false, false);
            write_quoted(safe, out);
        }
        fputs("\r\n", out);
    }
}

static const struct f4p_exporter exporters[] = {{".txt", write_text}, {".json", write_json}, {".csv", write_csv}};

const struct f4p_exporter *f4p_exporter_for(const char *path)
{
    size_t bytes = strlen(path);
    for (size_t i = 0; i < sizeof exporters / sizeof exporters[0]; i++) {
        size_t ending = strlen(exporters[i].ending);
        if (bytes > ending && !strcmp(path + bytes - ending, exporters[i].ending))
            return &exporters[i];
    }
    return NULL;
}

int f4p_export_table(const struct f4p_table *table, const char *title, const char *path, char *said, size_t bytes)
{
    const struct f4p_exporter *exporter = f4p_exporter_for(path);
    struct f4p_output output;
    if (!exporter) {
        snprintf(said, bytes, "%.200s: give it an ending: .txt, .json or .csv", path);
        return -1;
    }
    if (!access(path, F_OK)) {
        snprintf(said, bytes, "%.200s exists and was left as it is: choose another name", path);
        return -1;
    }
    if (f4p_output_open(&output, path, false, said, bytes))
        return -1;
    exporter->write(table, title, output.stream);
    if (f4p_output_close(&output, said, bytes))
        return -1;
    snprintf(said, bytes, "written: %.200s, %zu rows", path, table->rows);
    return 0;
}
