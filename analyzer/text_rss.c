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

void f4p_page_rss(const struct f4p_page *page)
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
