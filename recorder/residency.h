/*
 * Finds out what a process's resident memory consists of, and what is resident of each sampled block, from
 * /proc/PID/maps, pagemap and status. Shared by the launcher, for which it costs the job nothing but its page-table
 * lock, for 2 MiB of pages at a time, and the preload library, which does it in slices inside somebody's malloc: plain
 * system calls, no allocation, no descriptor kept beyond a slice, errno kept.
 *
 * smaps has most of it, but walks a whole mapping under the lock: with 10 GiB in one mapping the job's next mmap waits
 * that long. mincore does not tell the zero page from memory. Where the kernel has PAGEMAP_SCAN (6.7) that is used:
 * cheaper, exact about the zero page, and address space that is reserved costs nothing.
 *
 * One look: begin (the mappings); then slices, each between open and close, of scan until it is done and then of
 * blocks until all are done; finish.
 *
 * Vocabulary
 *   unit  of a slice's budget: one page looked at; a system call counts as 64.
 *   own   a page present that is a file's or mapped by this process alone. Others are the zero page or shared with a
 *         relative by fork: how many of them count as resident follows from the kernel's count of anonymous memory.
 */
#ifndef FIL4PROD_RESIDENCY_H
#define FIL4PROD_RESIDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"

#define F4P_RESIDENCY_WINDOW 2048u /* pages read at once */
#define F4P_RESIDENCY_RANGES 4u    /* of the recorder's own */

enum f4p_residency_state { F4P_PAGE_FILE, F4P_PAGE_OWN, F4P_PAGE_SHARED, F4P_PAGE_SWAPPED, F4P_PAGE_STATES };

struct f4p_region {
    uint64_t start, end;
    uint64_t own, shared; /* bytes present */
    uint32_t category;    /* private to residency.c */
};

struct f4p_residency_site {
    uint64_t bytes, resident; /* weighted, Q8 */
};

/* A stretch of memory being looked at; where it is huge, a part of it that stands for all. */
struct f4p_walk {
    uint64_t start, end, at; /* addresses */
    uint64_t stride;         /* of this many windows one is looked at */
    uint64_t seen;           /* bytes */
    uint64_t bytes[F4P_PAGE_STATES];
};

/* Private to residency.c but for the marked members. The caller owns the memory, 17 KiB. */
struct f4p_residency {
    struct f4p_ledger found;          /* public after _finish: `valid` and `value`; the rest is the caller's */
    struct f4p_residency_site *sites; /* public: set after _begin; `site_room` of them, zero; may be NULL */
    uint32_t site_room;               /* public */
    bool failed;                      /* public: pagemap could not be read; the look is worth nothing */
    char process[24];
    struct f4p_region *regions;
    uint32_t region_count, region_room, region;
    bool ranges;   /* the kernel can list what is present */
    uint64_t span; /* bytes to list at once */
    bool coarse;   /* more mappings than there is room for: no classes */
    long pagemap;
    uint64_t page; /* bytes */
    uint64_t own_anonymous, shared_anonymous;
    double keep; /* share of SHARED that is resident */
    double heap, heap_resident, heap_swapped, variance;
    uint64_t probed, skipped;
    uint64_t random;
    struct f4p_walk walk;
    bool walking;
    uint64_t window_first, window_count; /* pages in `window` */
    uint64_t around;                     /* pages to read around a small block: a power of 2 */
    bool again;                          /* `window` served more than the block it was read for */
    uint64_t window[F4P_RESIDENCY_WINDOW];
};

/**
 * Lists the mappings of `pid` (0: of the calling process) in `regions`. If there are more than `room`, or listing them
 * takes more CPU time than `patience_ns`, the look goes on, but tells no mappings apart. `own`: where the recorder's
 * memory stands, F4P_RESIDENCY_RANGES of them. `seed`: for probes.
 */
void f4p_residency_begin(struct f4p_residency *r, uint32_t pid, struct f4p_region *regions, uint32_t room,
                         const struct f4p_range *own, uint64_t patience_ns, uint64_t seed);

/** Begins and ends a slice. false: pagemap cannot be opened, there is nothing to end. */
bool f4p_residency_open(struct f4p_residency *r);
void f4p_residency_close(struct f4p_residency *r);

/** Looks at mappings until they are done (true) or the budget, in units, is used up. */
bool f4p_residency_scan(struct f4p_residency *r, int64_t *budget);

/**
 * Looks at the blocks of LIVE entries index .. index+count-1, which stand at `live`, and fills their marks. Entries
 * that are not valid get a mark of zeroes. Returns how many are done; the next call goes on with the first that is not.
 */
uint32_t f4p_residency_blocks(struct f4p_residency *r, const struct f4p_live *live, struct f4p_mark *marks,
                              uint32_t index, uint32_t count, uint64_t base_interval, int64_t *budget);

/** Sums up: found.valid and found.value, but for object_arenas and cost_ns. */
void f4p_residency_finish(struct f4p_residency *r);

/** Sets the check of a ledger, and makes the mark of site `index`. */
void f4p_residency_seal(struct f4p_ledger *ledger);
struct f4p_site_mark f4p_residency_site_mark(uint32_t index, uint64_t look, const struct f4p_residency_site *site);

/** Adds a value to `found`. */
void f4p_residency_set(struct f4p_residency *r, enum f4p_ledger_term term, uint64_t value);

#endif
