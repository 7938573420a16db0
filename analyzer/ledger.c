#include "ledger.h"

#include <math.h>
#include <stdlib.h>

#include "format/weight.h"

#define SIGMAS_95 1.959964

static const struct {
    int sign;
    const char *key, *words;
} terms[] = {
#define X(name, key, sign, words) {sign, key, words},
    F4P_RSS_TERMS(X)
#undef X
};

int f4p_rss_term_sign(enum f4p_rss_term term)
{
    return terms[term].sign;
}

const char *f4p_rss_term_words(enum f4p_rss_term term)
{
    return terms[term].words;
}

const char *f4p_rss_term_key(enum f4p_rss_term term)
{
    return terms[term].key;
}

static uint64_t value(const struct f4p_ledger *ledger, enum f4p_ledger_term term)
{
    /* no process has an exabyte; sums below stay in range */
    uint64_t n = ledger->valid >> term & 1 ? ledger->value[term] : 0;
    return n < 1ull << 60 ? n : 1ull << 60;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * Allocators' mappings hold the resident heap and their slack. pymalloc's arenas are theirs too, though no sampled
 * block lies in one. Blocks in mappings that no sample happened to fall into make the heap larger than those that one
 * did: then part of the other mappings is heap. What then is still too much is the estimate's error: unexplained,
 * negative.
 */
static void divide_anonymous(const struct f4p_ledger *ledger, struct f4p_rss_ledger *out)
{
    uint64_t other = value(ledger, F4P_LEDGER_anonymous), heap = value(ledger, F4P_LEDGER_heap_resident);
    uint64_t objects = least(value(ledger, F4P_LEDGER_object_arenas), other);
    uint64_t room = value(ledger, F4P_LEDGER_allocators) + objects;

    other -= objects;
    if (heap > room) {
        uint64_t more = least(heap - room, other);
        other -= more;
        room += more;
    }
    out->term[F4P_RSS_SLACK] = room > heap ? room - heap : 0;
    out->term[F4P_RSS_ARENAS] = other;
}

struct f4p_rss_ledger f4p_rss_ledger_make(const struct f4p_ledger *ledger)
{
    struct f4p_rss_ledger out = {0};
    int64_t sum = 0;

    if (!ledger || !(ledger->valid >> F4P_LEDGER_rss & 1))
        return out;
    uint64_t heap = value(ledger, F4P_LEDGER_heap), resident = least(value(ledger, F4P_LEDGER_heap_resident), heap);
    uint64_t swapped = least(value(ledger, F4P_LEDGER_heap_swapped), heap - resident);
    out.known = true;
    out.classes = ledger->valid >> F4P_LEDGER_allocators & 1;
    out.t_ns = ledger->t_ns;
    out.from_ns = least(ledger->from_ns, ledger->t_ns);
    out.rss = value(ledger, F4P_LEDGER_rss);
    out.probed = value(ledger, F4P_LEDGER_probed);
    out.cost_ns = value(ledger, F4P_LEDGER_cost_ns);
    out.heap_error = (uint64_t)(SIGMAS_95 * 16 * sqrt((double)value(ledger, F4P_LEDGER_heap_variance)));
    out.term[F4P_RSS_HEAP] = heap;
    out.term[F4P_RSS_SWAPPED] = swapped;
    out.term[F4P_RSS_UNTOUCHED] = heap - resident - swapped;
    if (out.classes) {
        divide_anonymous(ledger, &out);
        out.term[F4P_RSS_FILES] = value(ledger, F4P_LEDGER_files);
        out.term[F4P_RSS_SHARED] = value(ledger, F4P_LEDGER_shared);
        out.term[F4P_RSS_STACKS] = value(ledger, F4P_LEDGER_stacks);
        out.term[F4P_RSS_RECORDER] = value(ledger, F4P_LEDGER_recorder);
    }
    for (int i = 0; i < F4P_RSS_TERM_COUNT; i++)
        sum += terms[i].sign * (int64_t)out.term[i];
    out.unexplained = (int64_t)out.rss - sum;
    return out;
}

/* ---- by site ---- */

static double share_of_all(const struct f4p_ledger *ledger)
{
    uint64_t heap = value(ledger, F4P_LEDGER_heap), resident = value(ledger, F4P_LEDGER_heap_resident);
    return heap && resident < heap ? (double)resident / (double)heap : 1;
}

static uint64_t part(uint64_t bytes, double share)
{
    return share >= 1 ? bytes : share <= 0 ? 0 : (uint64_t)((double)bytes * share);
}

bool f4p_rss_sites_end(const struct f4p_trace *trace, const struct f4p_sums *sums, uint64_t *resident)
{
    double *seen = trace->ledger ? calloc(2 * trace->site_count + 1, sizeof *seen) : NULL;
    double *found = seen ? seen + trace->site_count : NULL;

    if (!seen)
        return false;
    for (size_t i = 0; i < trace->live_count; i++) {
        const struct f4p_live *entry = &trace->live[i];
        if (!(trace->resident[i] >= 0))
            continue;
        double bytes = (double)f4p_sample_weight(entry->size, f4p_trace_interval(trace, entry->shift)).bytes;
        seen[entry->site] += bytes;
        found[entry->site] += bytes * (double)trace->resident[i];
    }
    double all = share_of_all(trace->ledger);
    for (size_t i = 0; i < trace->site_count; i++)
        resident[i] = part(sums[i].bytes, seen[i] > 0 ? found[i] / seen[i] : all);
    free(seen);
    return true;
}

bool f4p_rss_sites_peak(const struct f4p_trace *trace, const struct f4p_sums *sums, uint64_t *resident)
{
    if (!trace->ledger_peak || !trace->resident_at_peak)
        return false;
    double all = share_of_all(trace->ledger_peak);
    for (size_t i = 0; i < trace->site_count; i++) {
        double share = (double)trace->resident_at_peak[i];
        resident[i] = part(sums[i].bytes, share >= 0 ? share : all);
    }
    return true;
}
