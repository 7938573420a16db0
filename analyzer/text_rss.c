/* The ledger of the process's resident memory. */
#include <stdlib.h>

#include "text_private.h"

static void print_term(const struct f4p_page *page, const char *sign, uint64_t bytes, double largest, const char *words)
{
    char number[F4P_NUMBER_BYTES];
    fprintf(page->out, "   %s %9s  %s", sign,
            f4p_text_bytes_like(number, (double)bytes, largest, page->r->options->units), words);
}

static void print_terms(const struct f4p_page *page, const struct f4p_rss_ledger *ledger, double largest)
{
    char number[F4P_NUMBER_BYTES];
    for (int i = 0; i < F4P_RSS_TERM_COUNT; i++) {
        enum f4p_rss_term term = (enum f4p_rss_term)i;
        if (!ledger->term[i] && term != F4P_RSS_HEAP)
            continue;
        print_term(page,
                   term == F4P_RSS_HEAP          ? " "
                   : f4p_rss_term_sign(term) < 0 ? "-"
                                                 : "+",
                   ledger->term[i], largest, f4p_rss_term_words(term));
        if (term == F4P_RSS_HEAP && ledger->heap_error)
            fprintf(page->out, " %s%s", f4p_page_plus_minus(page),
                    f4p_page_bytes(page, number, (double)ledger->heap_error));
        fputc('\n', page->out);
    }
}

/* What is left: nothing, the estimate's error, or all that was not told apart. */
static void print_rest(const struct f4p_page *page, const struct f4p_rss_ledger *ledger, double largest)
{
    uint64_t rest = (uint64_t)llabs(ledger->unexplained);
    bool luck = rest <= ledger->heap_error;
    if (rest * 1000 < ledger->rss)
        return;
    print_term(page, ledger->unexplained < 0 ? "-" : "+", rest, largest,
               !ledger->classes ? "everything else: too many mappings to tell apart"
               : luck           ? "not explained, within the heap's error"
                                : "not explained");
    fprintf(page->out, " (%.1f%%)\n", 100 * (double)rest / (double)ledger->rss);
}

/* ---- several processes ---- */

#define PROCESSES 8u /* of which a line of their own is worth while */
#define COLUMNS 7u

struct line {
    const struct f4p_model_process *process;
    uint64_t bytes[COLUMNS]; /* RSS, then what it is made of */
};

static const char *const columns[COLUMNS] = {"RSS", "heap", "untouched", "slack", "arenas", "files", "other"};

static bool fill_line(struct line *line, const struct f4p_model_process *process)
{
    struct f4p_rss_ledger ledger = f4p_rss_ledger_make(process->trace->ledger);
    const uint64_t *term = ledger.term;
    uint64_t rss;
    if (process->base)
        return false;
    if (!ledger.known) { /* too few samples to look behind */
        *line = (struct line){.process = process};
        line->bytes[0] = f4p_verdict_vital(process->trace, F4P_VITAL_rss, &rss) ? rss : 0;
        line->bytes[1] = process->trace->state.live.bytes / F4P_Q8;
        return line->bytes[0] > 0;
    }
    uint64_t gone = term[F4P_RSS_UNTOUCHED] + term[F4P_RSS_SWAPPED], known = term[F4P_RSS_HEAP];
    known += term[F4P_RSS_SLACK] + term[F4P_RSS_ARENAS] + term[F4P_RSS_FILES];
    uint64_t other = ledger.rss + gone > known ? ledger.rss + gone - known : 0;
    *line = (struct line){
        process,
        {ledger.rss, term[F4P_RSS_HEAP], gone, term[F4P_RSS_SLACK], term[F4P_RSS_ARENAS], term[F4P_RSS_FILES], other}};
    return true;
}

static int by_rss(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    if (a->process->gone != b->process->gone)
        return a->process->gone - b->process->gone;
    return a->bytes[0] == b->bytes[0] ? 0 : a->bytes[0] > b->bytes[0] ? -1 : 1;
}

static void print_line(const struct f4p_page *page, const char *name, const struct line *line)
{
    char number[F4P_NUMBER_BYTES];
    fprintf(page->out, " %10s", name);
    for (unsigned i = 0; i < COLUMNS; i++)
        fprintf(page->out, " %9s", line->bytes[i] ? f4p_page_bytes(page, number, (double)line->bytes[i]) : "-");
    fprintf(page->out, "%s\n", line->process && line->process->gone ? "  ended" : "");
}

/* RSS counts a page that processes share in each of them, so the sum is said to be at most. */
static void print_processes(const struct f4p_page *page, struct line *lines, size_t count)
{
    struct line all = {0}, rest = {0};
    char name[32];
    size_t left = 0;
    qsort(lines, count, sizeof *lines, by_rss);
    f4p_page_heading(page, "RSS OF EACH PROCESS at its last look\n");
    fprintf(page->out, " %10s", "pid");
    for (unsigned i = 0; i < COLUMNS; i++)
        fprintf(page->out, " %9s", columns[i]);
    fputc('\n', page->out);
    for (size_t i = 0; i < count; i++) {
        bool own = i < PROCESSES || page->r->options->top == 0;
        for (unsigned k = 0; k < COLUMNS; k++) {
            all.bytes[k] += lines[i].process->gone ? 0 : lines[i].bytes[k];
            rest.bytes[k] += own ? 0 : lines[i].bytes[k];
        }
        left += !own;
        snprintf(name, sizeof name, "%u", lines[i].process->pid);
        if (own)
            print_line(page, name, &lines[i]);
    }
    snprintf(name, sizeof name, "%zu others", left);
    if (left)
        print_line(page, name, &rest);
    print_line(page, "at the end", &all);
    fputs("   pages that processes share, files above all, count in each of them\n", page->out);
}

static void find_processes(const struct f4p_page *page)
{
    const struct f4p_model *m = page->r->model;
    struct line *lines = malloc((m->process_count + 1) * sizeof *lines);
    size_t count = 0;
    for (size_t i = 0; lines && i < m->process_count; i++)
        count += fill_line(&lines[count], &m->processes[i]);
    if (count > 1)
        print_processes(page, lines, count);
    free(lines);
}

static void print_target(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_rss_ledger *last = &r->rss, *peak = &r->rss_peak;
    const struct f4p_model_process *target = &r->model->processes[0];
    uint64_t end = target->end_ns - target->start_ns;
    char span[F4P_NUMBER_BYTES], number[F4P_NUMBER_BYTES];
    /* What had a size worth explaining, unless it is still there. */
    bool past = peak->known && last->known && peak->rss / 4 * 3 > last->rss;
    const struct f4p_rss_ledger *shown = past ? peak : last;

    if (!shown->known)
        return;
    double largest = (double)(shown->term[F4P_RSS_HEAP] > shown->rss ? shown->term[F4P_RSS_HEAP] : shown->rss);
    if (past)
        f4p_page_heading(page, "RSS EXPLAINED at its largest, %s\n", f4p_text_clock(span, shown->t_ns, true));
    else if (end > shown->t_ns)
        f4p_page_heading(page, "RSS EXPLAINED as of %s before the end\n", f4p_text_span(span, end - shown->t_ns));
    else
        f4p_page_heading(page, "RSS EXPLAINED\n");
    print_terms(page, shown, largest);
    print_rest(page, shown, largest);
    print_term(page, "=", shown->rss, largest, "RSS");
    fputc('\n', page->out);
    if (shown->probed)
        fprintf(page->out, "   %s of it looked at in samples of pages\n",
                f4p_page_bytes(page, number, (double)shown->probed));
}

void f4p_page_rss(const struct f4p_page *page)
{
    print_target(page);
    find_processes(page);
}
