/* Tables: who holds a heap, and what changed between two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/weight.h"
#include "text_private.h"

#define VIA_COLUMNS 17u
#define RESIDENT_COLUMNS 10

/* Drops the directory that the reader knows anyway: the working directory, the packages', the standard library's. */
static const char *shorten(const struct f4p_page *page, const struct f4p_frame *frame)
{
    static const char *const marks[] = {"/site-packages/", "/dist-packages/"};
    const char *file = f4p_model_string(page->r->model, frame->file), *found;
    const char *cwd = f4p_trace_fact_text(page->r->trace, F4P_FACT_ID_CWD);
    size_t bytes = strlen(cwd);
    if (bytes > 1 && !strncmp(file, cwd, bytes) && file[bytes] == '/')
        return file + bytes + 1;
    for (size_t i = 0; i < 2; i++)
        if ((found = strstr(file, marks[i])))
            return found + strlen(marks[i]);
    if (frame->origin == F4P_ORIGIN_STDLIB && (found = strstr(file, "/lib/python")) &&
        (found = strchr(found + 11, '/')))
        return found + 1;
    if (!strncmp(file, "./", 2))
        return file + 2;
    if (frame->language == F4P_LANGUAGE_NATIVE && (found = strrchr(file, '/')))
        return found + 1;
    return file;
}

void f4p_page_place(const struct f4p_page *page, const struct f4p_frame *frame, char *out, size_t bytes)
{
    const char *file = shorten(page, frame);
    if (frame->line)
        snprintf(out, bytes, "%.700s:%u", file, frame->line);
    else if (frame->offset)
        snprintf(out, bytes, "%.700s+0x%llx", file, (unsigned long long)frame->offset - 1);
    else
        snprintf(out, bytes, "%.700s", file);
}

void f4p_page_thread(const struct f4p_page *page, const struct f4p_entry *entry, char *out, size_t bytes)
{
    const struct f4p_model *m = page->r->model;
    const struct f4p_model_process *process = &m->processes[entry->process];
    const char *name = f4p_model_thread(m, entry), *function = "";
    if (!process->python || entry->thread >= process->trace->thread_count ||
        process->trace->threads[entry->thread].flags || (*name && strncmp(name, "python", 6))) {
        snprintf(out, bytes, "%.60s", *name ? name : "[thread not known]");
        return;
    }
    /* Before 3.14 a thread's name is not the system's: the outermost function of it that is not Python's own says more.
     */
    for (uint32_t at = entry->stack; at != F4P_NONE; at = f4p_model_stack(m, at)->parent) {
        const struct f4p_frame *frame = f4p_model_frame(m, f4p_model_stack(m, at)->frame);
        if (frame->language == F4P_LANGUAGE_PYTHON &&
            (frame->origin == F4P_ORIGIN_USER || frame->origin == F4P_ORIGIN_PACKAGE))
            function = f4p_model_string(m, frame->function);
    }
    snprintf(out, bytes, "thread %u%s%.60s%s", process->trace->threads[entry->thread].tid, *function ? " (" : "",
             function, *function ? ")" : "");
}

static void label_frame(const struct f4p_page *page, const struct f4p_frame *frame, char *out, size_t bytes)
{
    char place[F4P_CELL_BYTES];
    const char *function = f4p_model_string(page->r->model, frame->scope);
    f4p_page_place(page, frame, place, sizeof place);
    snprintf(out, bytes, "%.700s%s%.255s", place, *place && *function ? " " : "", function);
}

static void label_none(const struct f4p_page *page, char *out, size_t bytes)
{
    snprintf(out, bytes, "%s", page->r->model->python ? "[no Python frame]" : "[no stack]");
}

void f4p_page_label(const struct f4p_page *page, enum f4p_grouping by, const struct f4p_group *group, char *out,
                    size_t bytes)
{
    const struct f4p_model *m = page->r->model;
    const struct f4p_entry *entry = f4p_model_entry(m, group->entry);
    const struct f4p_frame *frame = f4p_group_frame(m, group);
    const char *name;
    char thread[128];
    switch (by) {
    case F4P_BY_LIBRARY:
        name = group->key < m->strings.count ? f4p_model_string(m, (uint32_t)group->key) : "[system]";
        snprintf(out, bytes, "%.200s", *name ? name : "[your code]");
        return;
    case F4P_BY_THREAD:
        f4p_page_thread(page, entry, thread, sizeof thread);
        snprintf(out, bytes, "pid %u %s", m->processes[entry->process].pid, thread);
        return;
    case F4P_BY_PROCESS:
        snprintf(out, bytes, "pid %u", m->processes[entry->process].pid);
        return;
    case F4P_BY_STACK:
        label_frame(page, f4p_model_frame(m, f4p_model_stack(m, entry->stack)->frame), out, bytes);
        return;
    case F4P_BY_FUNCTION:
        if (frame)
            snprintf(out, bytes, "%.200s %.700s", f4p_model_string(m, frame->scope), shorten(page, frame));
        else
            label_none(page, out, bytes);
        return;
    case F4P_BY_FILE:
        if (frame)
            snprintf(out, bytes, "%.900s", shorten(page, frame));
        else
            label_none(page, out, bytes);
        return;
    default:
        if (frame)
            label_frame(page, frame, out, bytes);
        else
            label_none(page, out, bytes);
    }
}

static const char *heading_of(const struct f4p_page *page, enum f4p_grouping by)
{
    static const char *const headings[F4P_BY_COUNT] = {
        [F4P_BY_LINE] = "your code",       [F4P_BY_FUNCTION] = "your function", [F4P_BY_FILE] = "your file",
        [F4P_BY_LIBRARY] = "library",      [F4P_BY_THREAD] = "thread",          [F4P_BY_PROCESS] = "process",
        [F4P_BY_STACK] = "innermost frame"};
    (void)page;
    return headings[by];
}

/* The place is what must survive: a label that is too long loses directories before the function's end. */
static void print_label(const struct f4p_page *page, const char *text, size_t columns, bool pad)
{
    size_t width = f4p_page_width(page, text);
    const char *space = strchr(text, ' ');
    size_t place = space ? (size_t)(space - text) : width;
    bool in_the_way = width > columns && place + 12 > columns;
    f4p_page_cell(page, text, columns, in_the_way, pad);
}

static void print_via(const struct f4p_page *page, const struct f4p_group *group)
{
    char bytes[F4P_NUMBER_BYTES];
    const char *via = f4p_model_string(page->r->model, group->via);
    fputc(' ', page->out);
    f4p_page_cell(page, via, VIA_COLUMNS - 8, false, false);
    if ((double)group->via_bytes < 0.95 * (double)group->sums.bytes)
        fprintf(page->out, " %s", f4p_page_bytes(page, bytes, (double)group->via_bytes / F4P_Q8));
}

struct table {
    double whole, largest;
    size_t label_columns;
    enum f4p_grouping by;
    bool via, resident; /* there is a column for it */
    bool ties;
};

static void print_row(const struct f4p_page *page, struct table *table, const struct f4p_group *group,
                      const struct f4p_group *above, size_t rank)
{
    const struct f4p_report *r = page->r;
    char label[F4P_CELL_BYTES], number[F4P_NUMBER_BYTES];
    double bytes = (double)group->sums.bytes / F4P_Q8;
    struct f4p_error_bars bars = f4p_sums_error(&group->sums, r->interval);
    bool tie = above && !r->options->by_blocks && f4p_sums_tied(&group->sums, &above->sums, r->interval);
    table->ties |= tie;
    fprintf(page->out, " %c%2zu ", tie ? '~' : ' ', rank);
    f4p_page_paint(page, rank == 1 ? F4P_PAINT_BOLD : F4P_PAINT_PLAIN);
    if (r->options->by_blocks)
        fprintf(page->out, "%16s", f4p_text_count(number, group->sums.blocks / F4P_Q8));
    else
        fprintf(page->out, "%16s", f4p_text_bytes_like(number, bytes, table->largest, r->options->units));
    double measure = r->options->by_blocks ? (double)group->sums.blocks / F4P_Q8 : bytes;
    fprintf(page->out, " %6.1f", table->whole > 0 ? 100 * measure / table->whole : 0);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
    if (r->options->by_blocks) /* the error of counts is not recorded */
        fprintf(page->out, " %5s  ", "");
    else
        fprintf(page->out, " %5.1f  ", bytes > 0 ? 100 * bars.half / bytes : 0);
    if (table->resident)
        fprintf(page->out, "%*s  ", RESIDENT_COLUMNS - 2,
                f4p_text_bytes_like(number, (double)group->resident / F4P_Q8, table->largest, r->options->units));
    f4p_page_label(page, table->by, group, label, sizeof label);
    bool via = table->via && group->via;
    print_label(page, label, table->label_columns, via);
    if (via)
        print_via(page, group);
    fputc('\n', page->out);
}

void f4p_page_held(const struct f4p_page *page, const char *title, const struct f4p_heap *heap, size_t rows)
{
    const struct f4p_report *r = page->r;
    size_t count, shown;
    enum f4p_grouping by = r->options->group_by;
    struct f4p_group *groups = f4p_model_group(r->model, by, heap, NULL, r->options->by_blocks, &count);
    struct f4p_sums rest = {0};
    bool via = false;
    for (size_t i = 0; i < count && i < rows; i++)
        via |= groups[i].via != 0 && (by == F4P_BY_LINE || by == F4P_BY_FUNCTION || by == F4P_BY_FILE);
    struct table table = {.by = by,
                          .whole = (double)(r->options->by_blocks ? heap->total.blocks : heap->total.bytes) / F4P_Q8};
    /* Where much was never touched, what is there and what was asked for are two things. */
    table.resident = heap->resident && (double)heap->resident_total < 0.95 * (double)heap->total.bytes;
    const size_t fixed = 5 + 16 + 7 + 8 + (table.resident ? RESIDENT_COLUMNS : 0);
    table.label_columns = page->style.columns - fixed - (via ? VIA_COLUMNS : 0) - 1;
    if (via && page->style.columns < fixed + VIA_COLUMNS + 20) { /* too narrow for the last column */
        via = false;
        table.label_columns = page->style.columns - fixed - 1;
    }
    table.via = via;
    f4p_page_heading(page, "%s", title);
    fprintf(page->out, "%*s %6s %5s  %*s%-*s%s\n", (int)(20 - (strlen(title) < 13 ? strlen(title) : 13)),
            r->options->by_blocks ? "blocks" : "bytes", "%", r->options->by_blocks ? "" : "+/-%",
            table.resident ? RESIDENT_COLUMNS : 0, table.resident ? "resident  " : "",
            via ? (int)table.label_columns : 0, heading_of(page, by), via ? " via" : "");
    shown = count < rows ? count : rows;
    table.largest = count ? (double)groups[0].sums.bytes / F4P_Q8 : 0;
    for (size_t i = 0; i < shown; i++)
        print_row(page, &table, &groups[i], i ? &groups[i - 1] : NULL, i + 1);
    for (size_t i = shown; i < count; i++)
        f4p_sums_add(&rest, &groups[i].sums);
    if (shown < count) {
        char number[F4P_NUMBER_BYTES];
        double bytes = (double)rest.bytes / F4P_Q8;
        if (r->options->by_blocks)
            f4p_text_count(number, rest.blocks / F4P_Q8);
        else
            f4p_text_bytes_like(number, bytes, table.largest, r->options->units);
        double measure = r->options->by_blocks ? (double)rest.blocks / F4P_Q8 : bytes;
        fprintf(page->out, "   %-7s%11s %6.1f\n", "others", number, table.whole > 0 ? 100 * measure / table.whole : 0);
    }
    if (!count)
        fputs("      nothing that was sampled\n", page->out);
    if (table.ties)
        fputs("   ~ not distinguishable from the line above\n", page->out);
    if (!heap->exact)
        fputs("   the nearest moment that was kept\n", page->out);
    free(groups);
}

/* ---- what changed ---- */

static void print_change(const struct f4p_page *page, const struct f4p_group *group, enum f4p_grouping by,
                         double largest, size_t columns)
{
    const struct f4p_report *r = page->r;
    char label[F4P_CELL_BYTES], number[F4P_NUMBER_BYTES], cell[F4P_NUMBER_BYTES + 4];
    enum f4p_units units = r->options->units;
    double change = ((double)group->sums.bytes - (double)group->before.bytes) / F4P_Q8;
    double error = f4p_group_change_error(group);
    const char *mark = fabs(change) < error     ? "noise"
                       : !group->before.samples ? "new"
                       : !group->sums.samples   ? "gone"
                                                : "";
    snprintf(cell, sizeof cell, "%s%s", change >= 0 ? "+" : "-",
             f4p_text_bytes_like(number, fabs(change), largest, units));
    fprintf(page->out, " %9s", cell);
    fprintf(page->out, " %8s", error > 0 ? f4p_text_bytes_like(number, error, largest, units) : "0");
    fprintf(page->out, " %9s", f4p_text_bytes_like(number, (double)group->before.bytes / F4P_Q8, largest, units));
    fprintf(page->out, " %9s %-5s  ", f4p_text_bytes_like(number, (double)group->sums.bytes / F4P_Q8, largest, units),
            mark);
    f4p_page_label(page, by, group, label, sizeof label);
    print_label(page, label, columns, false);
    fputc('\n', page->out);
}

/* " +1.2G +-31M, 20M a second" */
static void print_total_change(const struct f4p_page *page, const struct f4p_group *groups, size_t count)
{
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    struct f4p_change change = f4p_report_change(page->r, groups, count);
    fprintf(page->out, "   %s%s", change.bytes < 0 ? "-" : "+", f4p_page_bytes(page, a, fabs(change.bytes)));
    if (change.error > 0)
        fprintf(page->out, " %s%s", f4p_page_plus_minus(page), f4p_page_bytes(page, b, change.error));
    if (fabs(change.bytes) < change.error)
        fputs(", noise", page->out);
    else if (change.seconds > 0)
        fprintf(page->out, ", %s%s a second", change.bytes < 0 ? "-" : "",
                f4p_page_bytes(page, a, fabs(change.bytes) / change.seconds));
    fputc('\n', page->out);
}

void f4p_page_diff(const struct f4p_page *page, size_t rows)
{
    const struct f4p_report *r = page->r;
    size_t count;
    enum f4p_grouping by = r->options->group_by;
    struct f4p_group *groups = f4p_model_group(r->model, by, &r->after, &r->before, false, &count);
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    double largest = 0;
    for (size_t i = 0; i < count; i++) {
        double bytes = fabs((double)groups[i].sums.bytes - (double)groups[i].before.bytes) / F4P_Q8;
        largest = bytes > largest ? bytes : largest;
    }
    size_t columns = page->style.columns > 70 ? page->style.columns - 47 : 24;
    f4p_page_heading(page, "CHANGED ");
    f4p_page_cell(page, r->before_name, 24, false, false);
    fprintf(page->out, " (%s) -> ", f4p_page_bytes(page, a, (double)r->before.total.bytes / F4P_Q8));
    f4p_page_cell(page, r->after_name, 24, false, false);
    fprintf(page->out, " (%s)\n", f4p_page_bytes(page, b, (double)r->after.total.bytes / F4P_Q8));
    print_total_change(page, groups, count);
    fprintf(page->out, " %9s %8s %9s %9s        %s\n", "change", "+/-", "before", "after", heading_of(page, by));
    size_t changed = 0;
    while (changed < count && groups[changed].sums.bytes != groups[changed].before.bytes)
        changed++; /* the unchanged ones stand last */
    for (size_t i = 0; i < changed && i < rows; i++)
        print_change(page, &groups[i], by, largest, columns);
    if (changed > rows)
        fprintf(page->out, "   and %zu more\n", changed - rows);
    if (count > changed)
        fprintf(page->out, "   %zu did not change\n", count - changed);
    if (!r->before.exact || !r->after.exact)
        fputs("   compared at the nearest moments that were kept\n", page->out);
    free(groups);
}
