/* What the parts of the reader share. Everything points into `file`, the private copy, or into memory freed by close.
 */
#ifndef FIL4PROD_READER_PRIVATE_H
#define FIL4PROD_READER_PRIVATE_H

#include "reader.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a trace is read in place: little-endian machines only"
#endif

#define F4P_FACT_SLOTS 64u
#define F4P_INTERVAL_LIMIT (1ull << 63) /* intervals stay below */
#define F4P_RAW_LIMIT (2u * F4P_OPEN_BYTES)
#define F4P_RUN_LIMIT 256u /* runs kept, the newest; an undamaged trace has a few */

/* What the file has of a section: `bytes` may be less than the header declares. `data` is 8-byte aligned. */
struct f4p_area {
    uint8_t *data;
    uint64_t bytes, declared;
};

struct f4p_fact_value {
    uint16_t kind; /* enum f4p_fact_kind; 0: absent */
    uint64_t number;
    const char *text;
    const char **list;
};

/* A block of history whose checks are right, or the deltas in OPEN (number = UINT64_MAX). */
struct f4p_block_ref {
    uint64_t number, seq, t_first, t_last;
    const uint8_t *payload;
    uint64_t offset; /* of the header in its ring */
    size_t rank;     /* place among all blocks of HISTORY, by number */
    uint32_t stored_bytes, raw_bytes, events, keyframe, part;
    uint16_t type, flags, level;
};

/* Consecutive delta blocks [first, end) without a gap: ops first_op .. last_op. */
struct f4p_run {
    size_t first, end;
    uint64_t first_op, last_op, from_ns, to_ns;
    bool to_end; /* reaches the state */
};

/* A moment whose sums per site are kept. */
enum f4p_base_kind { F4P_BASE_START, F4P_BASE_KEYFRAME, F4P_BASE_PEAK, F4P_BASE_END };
struct f4p_base {
    enum f4p_base_kind kind;
    uint64_t op, t_ns;
    size_t first, parts; /* KEYFRAME: where its parts stand in keyframe_blocks */
};

struct f4p_history {
    struct f4p_block_ref *deltas, *keyframes;
    size_t delta_count, keyframe_count, next_rank;
    struct f4p_run *runs;
    size_t run_count;
    struct f4p_base *bases; /* ascending op */
    size_t base_count;
    struct f4p_stretch *stretches;
    size_t stretch_count;
};

struct f4p_chunk;

struct f4p_trace_private {
    uint8_t *file;
    size_t file_bytes;
    int fd; /* -1: from memory, or nothing left to read */
    struct f4p_area area[F4P_SECTION_MAX + 1];
    bool have_state;
    uint32_t site_limit; /* sites that entries may refer to */
    struct f4p_sums end_total, peak_total;
    uint32_t *live_map; /* LIVE index -> index in trace->live + 1; only while opening */
    struct f4p_request requests[F4P_REQUESTS];
    struct f4p_chunk *chunks; /* text and tables made while opening */
    struct f4p_fact_value facts[F4P_FACT_SLOTS];
    const char **strings;
    size_t string_count;
    struct f4p_point points[F4P_BUCKETS];
    struct f4p_history history;
};

/** Zeroed memory, 8-byte aligned, that lives until close; NULL without memory. */
void *f4p_reader_alloc(struct f4p_trace *trace, size_t bytes);

/* Each step returns 0, or -1 without memory; damage is counted, never an error. */

/** Chooses the state, rolls an op in flight back, says whether the live set's hash is right. Repeatable. */
bool f4p_reader_settle(struct f4p_trace *trace);
/** After settle: whether OPEN is what the state says of it. */
bool f4p_reader_open_sound(const struct f4p_trace *trace);
/** The valid state copy of CONTROL with the higher commit; NULL: none. */
const struct f4p_state *f4p_reader_state(const struct f4p_trace *trace);
/** The last failed request that has no record; NULL: none. */
const struct f4p_failure *f4p_reader_last_failure(const struct f4p_trace *trace);
/** Live set, sites, peak, nodes, vitals, requests, launcher. After settle; counts damage. */
int f4p_reader_tables(struct f4p_trace *trace);
int f4p_reader_records(struct f4p_trace *trace);
/** Ledgers and what was resident at the largest RSS. After tables. */
int f4p_reader_residency(struct f4p_trace *trace);
/** The mark of LIVE entry `index`, which `entry` stands at; false: none, or of another block. */
bool f4p_reader_mark(const struct f4p_trace *trace, uint32_t index, const struct f4p_live *entry, struct f4p_mark *out);
void f4p_reader_resolve(struct f4p_trace *trace);
void f4p_reader_timeline(struct f4p_trace *trace);
int f4p_reader_history(struct f4p_trace *trace);

/* ---- replay ---- */

/** Whether the deltas of `block` (stored, its bytes in bounds) have the check `expected`, as state.open_check. */
bool f4p_replay_checked(const struct f4p_block_ref *block, uint64_t expected);

/** One pass over the events of `block`, each with its op and time, until `visit` returns false. false: damaged. */
bool f4p_replay_block(const struct f4p_block_ref *block, bool (*visit)(void *context, const struct f4p_event *event),
                      void *context);

/** Adds (or with `undo` takes away) the ops from+1 .. to of `run`. -1 no memory, 0 damaged or incomplete, 1 right. */
int f4p_replay_ops(const struct f4p_trace *trace, const struct f4p_run *run, uint64_t from, uint64_t to, bool undo,
                   struct f4p_sums *sums);

/** The sums kept at `base` into sums[site_count]. -1 no memory, 0 damaged, 1 right. */
int f4p_replay_base(const struct f4p_trace *trace, const struct f4p_base *base, struct f4p_sums *sums);

/** Bytes of ring `level` of KEYFRAMES that may be in use. */
uint64_t f4p_reader_level_bytes(const struct f4p_trace *trace, unsigned level);

/** true where all bytes are zero. */
bool f4p_reader_zero(const void *data, uint64_t bytes);

#endif
