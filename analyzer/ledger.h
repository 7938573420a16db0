/*
 * What a process's resident memory consists of: the heap, less what of it was never touched or is swapped out, plus
 * what allocators hold beyond it, other arenas, files, shared memory, stacks and the recorder. Each term is measured
 * by a look from outside or by the process itself, but for the heap, which is estimated; what is left over is said.
 */
#ifndef FIL4PROD_LEDGER_H
#define FIL4PROD_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "format/reader.h"

/* X(NAME, key in JSON, sign, words). The signed sum of all of them and `unexplained` is rss. */
#define F4P_RSS_TERMS(X)                                                   \
    X(HEAP, "heap_bytes", 1, "heap")                                       \
    X(UNTOUCHED, "untouched_bytes", -1, "asked for, never touched")        \
    X(SWAPPED, "swapped_bytes", -1, "swapped out")                         \
    X(SLACK, "slack_bytes", 1, "allocator slack, freed and fragmented")    \
    X(ARENAS, "arenas_bytes", 1, "other anonymous memory, bundled arenas") \
    X(FILES, "files_bytes", 1, "files mapped, code and data")              \
    X(SHARED, "shared_bytes", 1, "shared memory")                          \
    X(STACKS, "stacks_bytes", 1, "stacks")                                 \
    X(RECORDER, "recorder_bytes", 1, "the recorder itself")

enum f4p_rss_term {
#define X(name, key, sign, words) F4P_RSS_##name,
    F4P_RSS_TERMS(X)
#undef X
        F4P_RSS_TERM_COUNT
};

struct f4p_rss_ledger {
    bool known;
    bool classes;  /* terms after SWAPPED are known; else what they would be is in `unexplained` */
    uint64_t t_ns; /* of the process's run: when the look ended; it began at from_ns */
    uint64_t from_ns;
    uint64_t rss;
    uint64_t term[F4P_RSS_TERM_COUNT]; /* bytes, positive */
    int64_t unexplained;
    uint64_t heap_error; /* 95 % half-width of HEAP, and so of SLACK or `unexplained` */
    uint64_t probed;     /* bytes of which only a part was looked at */
    uint64_t cost_ns;    /* CPU time the look took; without a launcher, of the job */
};

/** Works a trace's ledger out. `ledger` may be NULL: then it is not known. */
struct f4p_rss_ledger f4p_rss_ledger_make(const struct f4p_ledger *ledger);

/** Sign (1 or -1), words and JSON key of a term. */
int f4p_rss_term_sign(enum f4p_rss_term term);
const char *f4p_rss_term_words(enum f4p_rss_term term);
const char *f4p_rss_term_key(enum f4p_rss_term term);

/**
 * Resident bytes (Q8) by site: at the end, where `sums` are those of the end, or at the peak. Blocks that were not
 * looked at count like the others of their site, or of the process. false: no look, `resident` is not touched.
 */
bool f4p_rss_sites_end(const struct f4p_trace *trace, const struct f4p_sums *sums, uint64_t *resident);
bool f4p_rss_sites_peak(const struct f4p_trace *trace, const struct f4p_sums *sums, uint64_t *resident);

#endif
