/*
 * What of the process's memory is resident, found out by the process itself where no launcher does it from outside
 * (recorder/residency.h): in slices of about a quarter of a millisecond, behind samples, as its allowance permits
 * (recorder/allowance.h). Of one thread at a time (recorder/look.h); the others go on.
 */
#ifndef FIL4PROD_RSS_H
#define FIL4PROD_RSS_H

#include <stdint.h>

#include "format/writer.h"

/** A trace begins at `base`, or moves there: notes where the recorder's own memory is, forgets what was found. While
 * nobody looks. */
void f4p_rss_attach(struct f4p_writer *w, const void *base, const void *memory, uint64_t memory_bytes);

/** Copies of what the recorder's lock guards. */
struct f4p_view {
    uint64_t live_bytes, arena_bytes; /* live_bytes: Q8 */
    uint32_t live_high, sites;
};

/** A slice, if one is due. Returns what the CPU budget owes for it, ns. */
uint64_t f4p_rss_step(const struct f4p_view *view, uint64_t now_ns);

/** The look that was being made is none. */
void f4p_rss_drop(void);

#endif
