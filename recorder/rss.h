/*
 * What of the process's memory is resident, found out by the process itself where no launcher does it from outside
 * (recorder/residency.h): in slices of about a quarter of a millisecond, behind samples, as its allowance permits
 * (recorder/allowance.h). Under the recorder's lock.
 */
#ifndef FIL4PROD_RSS_H
#define FIL4PROD_RSS_H

#include <stdint.h>

#include "format/writer.h"

/** A trace begins at `base`, or moves there: notes where the recorder's own memory is, forgets what was found. */
void f4p_rss_attach(struct f4p_writer *w, const void *base, const void *memory, uint64_t memory_bytes);

/** After a sample: a slice, if one is due. Returns what the CPU budget owes for it, ns. */
uint64_t f4p_rss_step(struct f4p_writer *w, uint64_t now_ns);

#endif
