#include "tui_browser.h"

#include <ctype.h>
#include <string.h>

void f4p_browser_select(struct f4p_browser *b, size_t row)
{
    b->cursor = b->table.rows && row >= b->table.rows ? b->table.rows - 1 : row;
    if (!b->table.rows)
        b->cursor = 0;
    b->has_id = b->table.id && b->table.rows;
    if (b->has_id)
        b->id = b->table.id(b->table.context, b->cursor);
}

void f4p_browser_changed(struct f4p_browser *b)
{
    const struct f4p_table *table = &b->table;
    if (b->has_id && table->id && !(b->cursor < table->rows && table->id(table->context, b->cursor) == b->id))
        for (size_t i = 0; i < table->rows; i++)
            if (table->id(table->context, i) == b->id) {
                b->cursor = i;
                return;
            }
    f4p_browser_select(b, b->cursor);
}

/* ---- drawing ---- */

/* Widths of this screen's columns; 0: left out. The flexible one gets the rest, and columns go until it has enough. */
static void lay_out(const struct f4p_table *table, int columns, unsigned widths[F4P_TUI_MAX_COLUMNS])
{
    size_t flexible = table->column_count;
    int used = 2;
    for (size_t i = 0; i < table->column_count; i++) {
        widths[i] = (int)table->columns[i].from > columns ? 0 : table->columns[i].width;
        if (!table->columns[i].width)
            flexible = i;
        else
            used += widths[i] ? (int)widths[i] + 1 : 0;
    }
    for (size_t i = table->column_count; i-- > 0 && columns - used < 12;)
        if (i != flexible && widths[i]) {
            used -= (int)widths[i] + 1;
            widths[i] = 0;
        }
    if (flexible < table->column_count)
        widths[flexible] = columns > used ? (unsigned)(columns - used) : 1;
}

static void draw_text(const struct f4p_screen *screen, int row, int column, const struct f4p_column *spec,
                      unsigned width, unsigned style, const char *text)
{
    int used = (int)strlen(text); /* numbers and headings are ASCII */
    int skip = spec->right && used < (int)width ? (int)width - used : 0;
    if (skip)
        f4p_screen_fill(screen, row, column, skip, style, ' ');
    f4p_screen_cell(screen, row, column + skip, (int)width - skip, style, text, spec->keep_end);
}

/* "~ 3.1" */
static void put_mark(struct f4p_cell *cell, unsigned width)
{
    size_t used = strlen(cell->text);
    if (!cell->mark || used >= width || width >= sizeof cell->text)
        return;
    memmove(cell->text + width - used, cell->text, used + 1);
    memset(cell->text, ' ', width - used);
    cell->text[0] = cell->mark;
}

static void draw_row(struct f4p_browser *b, const struct f4p_screen *screen, struct f4p_area area, size_t row,
                     const unsigned *widths, bool selected)
{
    struct f4p_cell cell;
    unsigned flag = selected ? F4P_STYLE_REVERSED : 0;
    int column = area.column + 2;
    f4p_screen_fill(screen, area.row, area.column, area.columns, flag, ' ');
    f4p_screen_put(screen, area.row, area.column, flag, selected ? ">" : " ");
    for (size_t i = 0; i < b->table.column_count; i++) {
        if (!widths[i])
            continue;
        cell = (struct f4p_cell){.style = F4P_STYLE_PLAIN};
        b->table.cell(b->table.context, row, i, &cell);
        if (selected) /* one bar over the row; colours say nothing that words do not */
            cell.style = F4P_STYLE_REVERSED | (cell.style == F4P_STYLE_BOLD ? F4P_STYLE_STRONG : 0);
        put_mark(&cell, widths[i]);
        draw_text(screen, area.row, column, &b->table.columns[i], widths[i], cell.style, cell.text);
        column += (int)widths[i] + 1;
    }
}

static void scroll_to_cursor(struct f4p_browser *b, size_t rows)
{
    size_t most = b->table.rows > rows ? b->table.rows - rows : 0;
    if (b->cursor < b->top)
        b->top = b->cursor;
    if (rows && b->cursor >= b->top + rows)
        b->top = b->cursor - rows + 1;
    if (b->top > most)
        b->top = most;
}

void f4p_browser_draw(struct f4p_browser *b, const struct f4p_screen *screen, struct f4p_area area, bool active)
{
    unsigned widths[F4P_TUI_MAX_COLUMNS];
    int column = area.column + 2;
    if (area.rows < 1)
        return;
    lay_out(&b->table, area.columns, widths);
    for (size_t i = 0; i < b->table.column_count; i++) {
        if (!widths[i])
            continue;
        draw_text(screen, area.row, column, &b->table.columns[i], widths[i],
                  F4P_STYLE_BOLD | (b->table.sorted_by == i + 1 ? F4P_STYLE_REVERSED : 0), b->table.columns[i].title);
        column += (int)widths[i] + 1;
    }
    b->rows = (struct f4p_area){area.row + 1, area.column, area.rows - 1, area.columns};
    scroll_to_cursor(b, (size_t)b->rows.rows);
    for (int i = 0; i < b->rows.rows && b->top + (size_t)i < b->table.rows; i++) {
        size_t row = b->top + (size_t)i;
        draw_row(b, screen, (struct f4p_area){b->rows.row + i, area.column, 1, area.columns}, row, widths,
                 active && row == b->cursor);
    }
}

/* ---- moving ---- */

bool f4p_browser_act(struct f4p_browser *b, enum f4p_action action)
{
    size_t rows = b->table.rows, page = b->rows.rows > 1 ? (size_t)b->rows.rows - 1 : 1, half = page / 2 + 1;
    size_t at = b->cursor, step = 0;
    bool up = false;
    switch (action) {
    case F4P_ACT_UP:
    case F4P_ACT_DOWN:
        step = 1;
        up = action == F4P_ACT_UP;
        break;
    case F4P_ACT_PAGE_UP:
    case F4P_ACT_PAGE_DOWN:
        step = page;
        up = action == F4P_ACT_PAGE_UP;
        break;
    case F4P_ACT_HALF_UP:
    case F4P_ACT_HALF_DOWN:
        step = half;
        up = action == F4P_ACT_HALF_UP;
        break;
    case F4P_ACT_FIRST:
        at = 0;
        break;
    case F4P_ACT_LAST:
        at = rows ? rows - 1 : 0;
        break;
    default:
        return false;
    }
    at = up ? (at > step ? at - step : 0) : at + step;
    f4p_browser_select(b, at);
    return true;
}

bool f4p_browser_click(struct f4p_browser *b, int row)
{
    if (row < b->rows.row || row >= b->rows.row + b->rows.rows)
        return false;
    size_t at = b->top + (size_t)(row - b->rows.row);
    if (at >= b->table.rows)
        return false;
    f4p_browser_select(b, at);
    return true;
}

/* ---- finding ---- */

bool f4p_text_has(const char *text, const char *part)
{
    for (const char *at = part; *at; at++)
        if (isupper((unsigned char)*at))
            return strstr(text, part);
    return strcasestr(text, part);
}

static bool row_has(const struct f4p_browser *b, size_t row, const char *text)
{
    struct f4p_cell cell;
    for (size_t i = 0; i < b->table.column_count; i++) {
        cell = (struct f4p_cell){.style = F4P_STYLE_PLAIN};
        if (b->table.columns[i].right)
            continue; /* numbers */
        b->table.cell(b->table.context, row, i, &cell);
        if (f4p_text_has(cell.text, text))
            return true;
    }
    return false;
}

bool f4p_browser_find(struct f4p_browser *b, const char *text, bool down, bool here)
{
    size_t rows = b->table.rows;
    if (!*text || !rows)
        return false;
    for (size_t i = here ? 0 : 1; i <= rows; i++) {
        size_t step = i % rows;
        size_t row = down ? (b->cursor + step) % rows : (b->cursor + rows - step) % rows;
        if (row_has(b, row, text)) {
            f4p_browser_select(b, row);
            return true;
        }
    }
    return false;
}
