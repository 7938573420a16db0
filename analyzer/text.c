#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "plot.h"
#include "text_private.h"

#define MIN_COLUMNS 40u
#define MAX_COLUMNS 160u
#define PLOT_ROWS 6u
#define AXIS 7u /* columns left of the plot */

struct f4p_text_style f4p_text_style_for(FILE *out, const struct f4p_options *options)
{
    struct f4p_text_style style = {.columns = 80};
    const char *columns = getenv("COLUMNS"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    struct winsize size;
    bool terminal = isatty(fileno(out));
    long asked = columns ? strtol(columns, NULL, 10) : 0;
    if (asked > 0 && asked < 10000)
        style.columns = (unsigned)asked;
    else if (terminal && !ioctl(fileno(out), TIOCGWINSZ, &size) && size.ws_col)
        style.columns = size.ws_col;
    if (style.columns < MIN_COLUMNS)
        style.columns = MIN_COLUMNS;
    if (style.columns > MAX_COLUMNS)
        style.columns = MAX_COLUMNS;

    setlocale(LC_CTYPE, "");
    bool utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
    style.ascii = options->charset == F4P_CHARSET_ASCII || (options->charset == F4P_CHARSET_AUTO && !utf8) ||
                  (options->charset == F4P_CHARSET_AUTO && terminal && term && !strcmp(term, "linux"));
    if (!utf8 && !style.ascii)
        setlocale(LC_CTYPE, "C.UTF-8"); /* for the widths of characters */
    style.color = options->color == F4P_COLOR_ALWAYS || (options->color == F4P_COLOR_AUTO && terminal &&
                                                         !(no_color && *no_color) && term && strcmp(term, "dumb"));
    return style;
}

/* ---- pieces ---- */

void f4p_page_paint(const struct f4p_page *page, enum f4p_paint paint)
{
    static const char *const codes[] = {"0", "1", "2", "1;31", "33", "32"};
    if (page->style.color)
        fprintf(page->out, "\033[%sm", codes[paint]);
}

void f4p_page_heading(const struct f4p_page *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputc('\n', page->out);
    fputc(' ', page->out);
    f4p_page_paint(page, F4P_PAINT_BOLD);
    vfprintf(page->out, format, arguments);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
    va_end(arguments);
}

void f4p_page_cell(const struct f4p_page *page, const char *text, size_t columns, bool keep_end, bool pad)
{
    char safe[F4P_CELL_BYTES];
    size_t used = f4p_text_safe(safe, sizeof safe, text, columns, keep_end, page->style.ascii);
    fputs(safe, page->out);
    if (pad && used < columns)
        fprintf(page->out, "%*s", (int)(columns - used), "");
}

size_t f4p_page_width(const struct f4p_page *page, const char *text)
{
    char safe[F4P_CELL_BYTES * 4];
    return f4p_text_safe(safe, sizeof safe, text, sizeof safe, false, page->style.ascii);
}

char *f4p_page_bytes(const struct f4p_page *page, char out[F4P_NUMBER_BYTES], double bytes)
{
    return f4p_text_bytes(out, bytes, page->r->options->units);
}

const char *f4p_page_plus_minus(const struct f4p_page *page)
{
    return page->style.ascii ? "+-" : "±";
}

const char *f4p_page_end_words(const struct f4p_page *page)
{
    switch (page->r->verdict.kind) {
    case F4P_DEATH_RUNNING:
        return "now";
    case F4P_DEATH_ALLOCATION_FAILED:
        return page->r->refused.sums ? "at the failure" : "at the end";
    case F4P_DEATH_EXITED:
        return "at the end";
    case F4P_DEATH_UNKNOWN:
        return "when last heard of";
    default:
        return "at death";
    }
}

static void label(const struct f4p_page *page, const char *name)
{
    fputc(' ', page->out);
    f4p_page_paint(page, F4P_PAINT_BOLD);
    fprintf(page->out, "%-8s", name);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- the lines of the first screen ---- */

static void print_title(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const char *const *command = f4p_trace_fact_list(r->trace, F4P_FACT_ID_COMMAND);
    char text[F4P_CELL_BYTES] = "", pid[64], more[32] = "";
    size_t used = 0, others = 0;
    for (size_t i = 0; command[i] && used < sizeof text - 1; i++) {
        int wrote =
            snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", i ? command[i] : base_name(command[i]));
        used += wrote < 0 ? 0 : (size_t)wrote;
    }
    for (size_t i = 1; i < r->model->process_count; i++)
        others += !r->model->processes[i].base;
    if (others)
        snprintf(more, sizeof more, " +%zu", others);
    snprintf(pid, sizeof pid, "  pid %u%s", r->model->processes[0].pid, more);
    const char *file = base_name(r->job->paths[0]);
    size_t left = page->style.columns - 1 - strlen(pid);
    size_t name = strlen(file) < left / 3 ? strlen(file) : left / 3;
    fputc(' ', page->out);
    f4p_page_paint(page, F4P_PAINT_BOLD);
    f4p_page_cell(page, file, name, true, false);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
    fputs("  ", page->out);
    f4p_page_cell(page, text, left - name - 2, false, false);
    fprintf(page->out, "%s\n", pid);
}

static enum f4p_paint verdict_paint(const struct f4p_verdict *v)
{
    if (v->kind == F4P_DEATH_EXITED || v->kind == F4P_DEATH_RUNNING)
        return v->exit_code > 0 ? F4P_PAINT_WARN : F4P_PAINT_GOOD;
    return v->confidence == F4P_CERTAIN ? F4P_PAINT_BAD : F4P_PAINT_WARN;
}

static void print_end(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    label(page, "END");
    f4p_page_paint(page, verdict_paint(&r->verdict));
    f4p_page_cell(page, r->verdict.end, page->style.columns, false, false);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
    if (r->damaged)
        fputs("; trace DAMAGED, see below", page->out);
    else if (!r->whole)
        fputs("; trace usable, its tail torn", page->out);
    else
        fputs("; trace whole", page->out);
    if (r->trace->op_in_flight)
        fputs("; 1 op in flight, undone", page->out);
    fputc('\n', page->out);
    if (f4p_report_passive(r)) {
        char at[F4P_NUMBER_BYTES];
        fprintf(page->out, "         RECORDING ENDED at %s: %s; what came after is not known\n",
                f4p_text_clock(at, r->trace->state.t_ns, true), f4p_report_passive(r));
    }
}

/* Its entry, if a line of the user's stands for it. */
static uint32_t entry_with_line(const struct f4p_report *r, uint32_t site)
{
    uint32_t entry = f4p_process_entry(&r->model->processes[0], site);
    bool named = entry != F4P_NONE && f4p_group_frame(r->model, &(struct f4p_group){.entry = entry});
    return named ? entry : F4P_NONE;
}

/* Whose line wanted the memory that there was none of. */
static void print_asker(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_trace *t = r->trace;
    uint32_t entry = F4P_NONE;
    uint64_t size = 0;
    char place[1024];
    for (size_t i = r->refused.sums ? t->failure_count : 0; i-- && entry == F4P_NONE;)
        entry = entry_with_line(r, t->failures[i].site);
    for (size_t i = 0; i < t->request_count && !r->refused.sums; i++)
        if (t->requests[i].size >= size) {
            size = t->requests[i].size;
            entry = entry_with_line(r, t->requests[i].site);
        }
    if (entry == F4P_NONE)
        return;
    f4p_page_label(page, F4P_BY_LINE, &(struct f4p_group){.entry = entry}, place, sizeof place);
    fputs("         asked for by ", page->out);
    f4p_page_paint(page, F4P_PAINT_BOLD);
    f4p_page_cell(page, place, page->style.columns - 22, true, false);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
    fputc('\n', page->out);
}

static void print_cause(const struct f4p_page *page)
{
    const struct f4p_verdict *v = &page->r->verdict;
    bool plain = v->kind == F4P_DEATH_EXITED || v->kind == F4P_DEATH_RUNNING || v->confidence == F4P_UNSURE;
    label(page, "CAUSE");
    f4p_page_cell(page, v->cause, page->style.columns * 2, false, false);
    if (!plain) {
        f4p_page_paint(page, F4P_PAINT_DIM);
        fprintf(page->out, " (%s)", f4p_confidence_name(v->confidence));
        f4p_page_paint(page, F4P_PAINT_PLAIN);
    }
    fputc('\n', page->out);
    for (unsigned i = 0; i < v->evidence_count; i++)
        if (!strncmp(v->evidence[i], "in flight: ", 11)) {
            fputs("         ", page->out);
            f4p_page_cell(page, v->evidence[i], page->style.columns - 9, false, false);
            fputc('\n', page->out);
            break;
        }
    print_asker(page);
}

const struct f4p_heap *f4p_page_moment(const struct f4p_page *page)
{
    return page->r->refused.sums ? &page->r->refused : &page->r->end;
}

static void print_heap(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_heap *heap = f4p_page_moment(page);
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    double all = (double)heap->whole.bytes / F4P_Q8, rss = (double)heap->rss;
    double error = f4p_sums_error(&heap->total, r->interval).half;
    bool same = f4p_report_same(heap, &r->peak);
    label(page, "HEAP");
    fputs(f4p_page_bytes(page, a, (double)heap->total.bytes / F4P_Q8), page->out);
    if (error > 0)
        fprintf(page->out, " %s%s", f4p_page_plus_minus(page), f4p_page_bytes(page, b, error));
    fprintf(page->out, " %s%s", f4p_page_end_words(page), same ? " (= peak)" : "");
    if (r->model->filtered)
        fprintf(page->out, " in view, of %s", f4p_page_bytes(page, a, all));
    if (!same)
        fprintf(page->out, ", peak %s at %s", f4p_page_bytes(page, a, (double)r->peak.total.bytes / F4P_Q8),
                f4p_text_clock(b, r->peak.t_ns, true));
    if (rss > 0)
        fprintf(page->out, "   RSS %s", f4p_page_bytes(page, a, rss));
    double resident = heap->resident ? (double)heap->resident_whole / F4P_Q8 : all;
    if (rss > 0 && resident < 0.98 * all)
        fprintf(page->out, "   untouched %s", f4p_page_bytes(page, b, all - resident));
    all = resident;
    /* A process that has freed its heap has not given the memory back: nothing to explain. */
    if (rss >= all && 2 * all > rss)
        fprintf(page->out, "   not heap %s (%.0f%%)", f4p_page_bytes(page, b, rss - all), 100 * (rss - all) / rss);
    else if (rss > 0 && rss < all)
        fprintf(page->out, "   not resident %s", f4p_page_bytes(page, b, all - rss));
    if (r->limit && r->verdict.kind != F4P_DEATH_OOM_CGROUP)
        fprintf(page->out, "   limit %s", f4p_page_bytes(page, a, (double)r->limit));
    fputc('\n', page->out);
}

/* "92% of it at etl.py:88" */
static void print_growth(const struct f4p_page *page, const char *words)
{
    const struct f4p_report *r = page->r;
    size_t count;
    if (!r->shape_start.sums)
        return;
    double all = (double)r->end.total.bytes - (double)r->shape_start.total.bytes;
    struct f4p_group *groups = f4p_model_group(r->model, F4P_BY_LINE, &r->end, &r->shape_start, false, &count);
    for (size_t i = 0; i < count && all > 0; i++) {
        double change = (double)groups[i].sums.bytes - (double)groups[i].before.bytes;
        if (change <= 0)
            continue;
        char place[F4P_CELL_BYTES];
        const struct f4p_frame *frame = f4p_group_frame(r->model, &groups[i]);
        if (frame)
            f4p_page_place(page, frame, place, sizeof place);
        else
            f4p_page_label(page, F4P_BY_LINE, &groups[i], place, sizeof place);
        double share = 100 * change / all;
        fprintf(page->out, ", %.0f%% %s", share > 100 ? 100 : share, words);
        f4p_page_cell(page, place, 40, true, false);
        break;
    }
    free(groups);
}

static void print_shape(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_shape *s = &r->shape;
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES], c[F4P_NUMBER_BYTES];
    double end = (double)r->end.whole.bytes / F4P_Q8;
    label(page, "SHAPE");
    switch (s->kind) {
    case F4P_SHAPE_NONE:
        fputs("too little recorded to say", page->out);
        break;
    case F4P_SHAPE_FLAT:
        fprintf(page->out, "plateau: about %s since %s", f4p_page_bytes(page, a, s->level),
                f4p_text_clock(b, s->from_ns, true));
        break;
    case F4P_SHAPE_RAMP:
        fprintf(page->out, "ramp: +%s in the last %s", f4p_page_bytes(page, a, s->change),
                f4p_text_span(b, s->to_ns - s->from_ns));
        if (s->to_ns > s->from_ns)
            fprintf(page->out, " (%s/s)", f4p_page_bytes(page, c, s->change * 1e9 / (double)(s->to_ns - s->from_ns)));
        print_growth(page, "of it at ");
        break;
    case F4P_SHAPE_STEP:
        fprintf(page->out, "step: +%s within %s at %s", f4p_page_bytes(page, a, s->change),
                f4p_text_span(b, s->to_ns - s->from_ns), f4p_text_clock(c, s->from_ns, true));
        print_growth(page, "of it at ");
        break;
    case F4P_SHAPE_SPIKE:
        fprintf(page->out, "spike: %s for %s at %s", f4p_page_bytes(page, a, s->level),
                f4p_text_span(b, s->to_ns - s->from_ns), f4p_text_clock(c, s->from_ns, true));
        break;
    case F4P_SHAPE_FALL:
        fprintf(page->out, "fall: up to %s between %s and %s", f4p_page_bytes(page, a, s->level),
                f4p_text_clock(b, s->from_ns, true), f4p_text_clock(c, s->to_ns, true));
        break;
    }
    if (s->kind == F4P_SHAPE_FALL || s->kind == F4P_SHAPE_SPIKE)
        fprintf(page->out, ", then down to %s", f4p_page_bytes(page, a, end));
    fputc('\n', page->out);
}

/* ---- the plot ---- */

static void print_axis(const struct f4p_page *page, unsigned columns, uint64_t end_ns)
{
    char line[F4P_PLOT_MAX_COLUMNS + 64], clock[F4P_NUMBER_BYTES];
    memset(line, ' ', sizeof line);
    unsigned ticks = columns / 20 + 1;
    size_t free_from = 0;
    f4p_text_clock(clock, end_ns, true);
    size_t last = columns > strlen(clock) ? columns - strlen(clock) : 0;
    memcpy(line + last, clock, strlen(clock));
    for (unsigned i = 0; i < ticks; i++) {
        f4p_text_clock(clock, end_ns / ticks * i, end_ns < 60000000000ull);
        size_t at = (size_t)columns * i / ticks, bytes = strlen(clock);
        if (at < free_from || at + bytes + 2 > last)
            continue;
        memcpy(line + at, clock, bytes);
        free_from = at + bytes + 2;
    }
    line[columns] = '\0';
    fprintf(page->out, "%*s%s\n", (int)AXIS + 1, "", line);
}

static void print_plot(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    double top = (double)r->peak.whole.bytes / F4P_Q8;
    char row[F4P_PLOT_MAX_COLUMNS * 4 + 1], number[F4P_NUMBER_BYTES];
    for (size_t i = 0; i < r->timeline_count; i++)
        if ((double)r->timeline[i].heap > top)
            top = (double)r->timeline[i].heap;
    if (r->timeline_count < 2 || top <= 0 || !r->model->end_ns)
        return;
    bool with_limit = r->limit && (double)r->limit > 0.999 * top && (double)r->limit < 3 * top;
    if (with_limit)
        top = (double)r->limit;
    bool died = r->verdict.kind <= F4P_DEATH_CRASHED;
    struct f4p_plot plot = {.columns = page->style.columns - AXIS - 3,
                            .rows = PLOT_ROWS,
                            .end_ns = r->model->end_ns,
                            .top = top,
                            .limit = with_limit ? (double)r->limit : 0,
                            .limit_name = with_limit ? "limit" : NULL,
                            .death = died && with_limit,
                            .ascii = page->style.ascii};
    fputc('\n', page->out);
    for (unsigned i = 0; i < PLOT_ROWS; i++) {
        number[0] = '\0';
        if (i == 0 || i == PLOT_ROWS / 2)
            f4p_page_bytes(page, number, i ? top * (PLOT_ROWS - i) / PLOT_ROWS : top);
        f4p_plot_row(&plot, r->timeline, r->timeline_count, i, row);
        fprintf(page->out, " %*s|%s\n", (int)AXIS - 1, number, row);
    }
    print_axis(page, plot.columns, r->model->end_ns);
}

/* ---- who, how sure ---- */

static void print_who(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_heap *heap = f4p_page_moment(page);
    const struct f4p_model *m = r->model;
    size_t count;
    bool processes = m->process_count > 1;
    struct f4p_group *groups = f4p_model_group(m, F4P_BY_THREAD, heap, NULL, false, &count);
    if (!groups)
        return;
    label(page, "WHO");
    for (size_t i = 0; i < count && i < 3; i++) {
        const struct f4p_entry *entry = f4p_model_entry(m, groups[i].entry);
        char name[128];
        f4p_page_thread(page, entry, name, sizeof name);
        double share = heap->total.bytes ? 100.0 * (double)groups[i].sums.bytes / (double)heap->total.bytes : 0;
        fputs(i ? ", " : "", page->out);
        if (processes)
            fprintf(page->out, "pid %u ", m->processes[entry->process].pid);
        f4p_page_cell(page, name, 36, false, false);
        fprintf(page->out, " %.0f%%", share);
    }
    if (count > 3)
        fprintf(page->out, ", %zu more threads", count - 3);
    fputc('\n', page->out);
    free(groups);
}

static void print_sure(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_heap *heap = f4p_page_moment(page);
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    double bytes = (double)heap->total.bytes / F4P_Q8;
    label(page, "SURE");
    if (f4p_model_exact(r->model)) {
        fputs("exact: every allocation was recorded", page->out);
    } else {
        uint64_t base = r->trace->header->base_interval;
        fprintf(page->out, "%s live samples, one per ", f4p_text_count(a, heap->total.samples));
        if (base != r->interval)
            fprintf(page->out, "%s to ", f4p_page_bytes(page, b, (double)base));
        fputs(f4p_page_bytes(page, b, (double)r->interval), page->out);
        if (bytes > 0)
            fprintf(page->out, ", %s%.1f%%", f4p_page_plus_minus(page),
                    100 * f4p_sums_error(&heap->total, r->interval).half / bytes);
    }
    uint64_t bare = f4p_report_lost(r, F4P_LOSS_sites_full);
    if (r->lost)
        fprintf(page->out, "; %s samples or records lost, see below", f4p_text_count(a, r->lost));
    else if (bare)
        fprintf(page->out, "; %s have no stack: --size was too small", f4p_text_count(a, bare));
    else
        fputs("; nothing lost", page->out);
    if (!heap->sound)
        fputs("; NOT SOUND: damage", page->out);
    if (r->trace->moving)
        fprintf(page->out, "; still being written, off by up to %s ops", f4p_text_count(a, r->trace->moving));
    fputc('\n', page->out);
}

void f4p_page_summary(const struct f4p_page *page)
{
    print_end(page);
    print_cause(page);
    print_heap(page);
    print_shape(page);
}

void f4p_page_trust(const struct f4p_page *page)
{
    print_who(page);
    print_sure(page);
}

static const char *held_title(const struct f4p_report *r)
{
    switch (r->verdict.kind) {
    case F4P_DEATH_RUNNING:
        return "HELD NOW";
    case F4P_DEATH_EXITED:
        return "HELD AT END";
    case F4P_DEATH_ALLOCATION_FAILED:
        return r->refused.sums ? "HELD AT FAIL" : "HELD AT END";
    case F4P_DEATH_UNKNOWN:
        return "HELD AT LAST";
    default:
        return "HELD AT DEATH";
    }
}

void f4p_text_report(const struct f4p_report *report, const struct f4p_text_style *style, FILE *out)
{
    struct f4p_page page = {report, *style, out};
    size_t rows = report->options->top < 0 ? 6 : report->options->top == 0 ? SIZE_MAX : (size_t)report->options->top;
    char title[96], clock[F4P_NUMBER_BYTES];
    print_title(&page);
    f4p_page_summary(&page);
    print_plot(&page);
    f4p_page_held(&page, held_title(report), f4p_page_moment(&page), rows);
    print_who(&page);
    print_sure(&page);
    for (size_t i = 0; i < report->options->at_count; i++)
        if (report->at[i].known) {
            snprintf(title, sizeof title, "AT %s", f4p_text_clock(clock, report->at[i].heap.t_ns, true));
            f4p_page_held(&page, title, &report->at[i].heap, rows);
        }
    if (report->compared)
        f4p_page_diff(&page, report->options->top < 0 ? 10 : rows);
    if (!f4p_report_same(f4p_page_moment(&page), &report->peak)) {
        snprintf(title, sizeof title, "PEAK %s", f4p_text_clock(clock, report->peak.t_ns, true));
        f4p_page_held(&page, title, &report->peak, rows);
    }
    f4p_page_details(&page);
}
