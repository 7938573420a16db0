/* What was resident: of the process, of each live block, of each site at the largest RSS. */
#include <string.h>

#include "hash.h"
#include "reader.h"
#include "reader_private.h"

static const struct f4p_ledger *newest(struct f4p_trace *trace, const struct f4p_ledger pair[2], unsigned *which)
{
    const struct f4p_ledger *best = NULL;
    for (unsigned i = 0; i < 2; i++) {
        if (!pair[i].seq || pair[i].check != f4p_hash(&pair[i], offsetof(struct f4p_ledger, check), 0))
            continue;
        if (!best || pair[i].seq > best->seq) {
            best = &pair[i];
            *which = i;
        }
    }
    if (!best && !f4p_reader_zero(pair, 2 * sizeof *pair))
        trace->damage.torn_bytes += 2 * sizeof *pair;
    return best;
}

static const struct f4p_resident *head_of(const struct f4p_trace *trace)
{
    const struct f4p_area *a = &trace->private->area[F4P_SECTION_RESIDENT];
    return a->bytes >= sizeof(struct f4p_resident) ? (const struct f4p_resident *)a->data : NULL;
}

bool f4p_reader_mark(const struct f4p_trace *trace, uint32_t index, const struct f4p_live *entry, struct f4p_mark *out)
{
    const struct f4p_area *a = &trace->private->area[F4P_SECTION_RESIDENT];
    uint64_t at = sizeof(struct f4p_resident) + index * sizeof(struct f4p_mark);
    uint32_t words[2];

    if (at + sizeof *out > a->bytes)
        return false;
    memcpy(out, a->data + at, sizeof *out);
    memcpy(words, out, 4);
    words[1] = entry->check;
    return out->check == (uint32_t)f4p_hash(words, sizeof words, index);
}

/* The site marks that belong to ledger `peak`. */
static int take_sites(struct f4p_trace *trace, const struct f4p_ledger *peak, unsigned half)
{
    const struct f4p_area *a = &trace->private->area[F4P_SECTION_RESIDENT];
    uint64_t live = trace->private->area[F4P_SECTION_LIVE].declared / sizeof(struct f4p_live),
             sites = trace->private->area[F4P_SECTION_SITES].declared / sizeof(struct f4p_site);
    uint64_t at =
        sizeof(struct f4p_resident) + live * sizeof(struct f4p_mark) + half * sites * sizeof(struct f4p_site_mark);
    float *share = f4p_reader_alloc(trace, (trace->site_count + 1) * sizeof *share);

    if (!share)
        return -1;
    for (size_t i = 0; i < trace->site_count; i++, at += sizeof(struct f4p_site_mark)) {
        struct f4p_site_mark mark;
        share[i] = -1;
        if (i >= sites || at + sizeof mark > a->bytes)
            continue;
        memcpy(&mark, a->data + at, sizeof mark);
        if (mark.look == (uint16_t)peak->seq && mark.check == (uint32_t)f4p_hash(&mark, 4, i))
            share[i] = (float)mark.resident / 65535;
    }
    trace->resident_at_peak = share;
    return 0;
}

int f4p_reader_residency(struct f4p_trace *trace)
{
    const struct f4p_resident *head = head_of(trace);
    unsigned half = 0;

    if (!head)
        return 0;
    trace->ledger = newest(trace, head->last, &half);
    trace->ledger_peak = newest(trace, head->peak, &half);
    return trace->ledger_peak ? take_sites(trace, trace->ledger_peak, half) : 0;
}
