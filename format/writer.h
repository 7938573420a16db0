/*
 * Writes a trace into mapped memory. Allocates nothing, takes no lock, makes no system call: the caller hands over the
 * mapping and index memory, and sees to it that one thread at a time is inside (see recorder/lock.h).
 *
 * Crash safety in one paragraph: an op first writes an intent that holds the old contents of all it will change, then
 * changes them, then publishes the next state in the copy that is not the newest. Wherever the process dies, the reader
 * finds state n and, if op n + 1 had begun, the means to undo it. Everything else is append-only below a limit in the
 * state, or checked by itself.
 */
#ifndef FIL4PROD_WRITER_H
#define FIL4PROD_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format.h"

struct f4p_writer;

/* Linear hashing (Litwin 1980) over dense ids: grows by one bucket per insertion, so that memory is touched as it is
 * needed and no insertion stalls. bucket and next hold id + 1. */
struct f4p_index {
    uint32_t *bucket;
    uint32_t *next;
    uint32_t mask;  /* buckets of the current round - 1 */
    uint32_t split; /* buckets below it are split already, their halves stand behind the round's */
    uint32_t count; /* ids in it */
    uint32_t limit; /* buckets there is room for */
    uint64_t (*hash)(const struct f4p_writer *w, uint32_t id);
};

struct f4p_ring {
    uint8_t *base;
    uint64_t bytes;
    uint64_t pos; /* bytes ever appended, padding included */
};

/* A key frame being written: spread over many ops, a few sites each. */
struct f4p_keyframe_writer {
    bool active;
    bool failed;     /* a part did not fit its level ring */
    uint32_t cursor; /* sites below it are done */
    uint32_t limit;  /* sites that existed when it began */
    uint32_t part;
    uint32_t entries;
    uint32_t bytes;                   /* in buffer */
    uint64_t raw_bytes, stored_bytes; /* of the frame so far */
    uint64_t seq, t_ns;
    uint64_t last_raw_bytes, last_t_ns, last_seq; /* of the previous frame */
    uint64_t deltas;                              /* bytes of deltas since its start */
    struct f4p_keyframe_end end;
    uint64_t *early; /* bit per site: written ahead of the cursor */
    uint8_t *buffer; /* F4P_OPEN_BYTES */
};

/* Private to writer*.c, but for `state`, which others may read under the lock. */
struct f4p_writer {
    struct f4p_state state; /* working copy; published by commits */
    uint64_t base_interval;
    uint8_t *base;
    struct f4p_header header;
    struct f4p_control *control;
    struct f4p_bucket *timeline;
    struct f4p_live *live;
    struct f4p_site *sites;
    struct f4p_node *nodes;
    uint8_t *records;
    uint8_t *open;
    uint32_t live_capacity, site_capacity, node_capacity, record_capacity;
    uint64_t record_bytes;
    struct f4p_index live_index, site_index, node_index, record_index;
    uint64_t *record_key;
    uint32_t *record_id;
    uint32_t record_count;
    uint32_t next_id[16];   /* by record type */
    uint32_t last_failures; /* written to CONTROL */
    uint32_t live_free;     /* head of the free list, id + 1; linked through live_index.next */
    struct f4p_ring history;
    struct f4p_ring levels[F4P_LEVELS];
    struct f4p_keyframe_writer keyframe;
    bool peak_shared; /* some site has saved its sums under the current peak epoch */
    bool thinning;
    uint32_t thin_cursor;
    uint64_t random;
    uint64_t last_delta_t;
    void (*gone)(uint64_t address, uint8_t kind); /* a sample ended without a free; may be NULL */
    void *lz4_state;
    uint8_t *lz4_out;
};

/** Bytes of zeroed, lazily committed memory that f4p_writer_init() wants for a trace with this header. */
size_t f4p_writer_memory(const struct f4p_header *header);

/**
 * Starts a trace in `base` (header->file_bytes bytes, zeroed but for the LAUNCH sections; the header itself is not
 * touched). `memory` is f4p_writer_memory() zeroed bytes. Both stay the caller's and must outlive the writer.
 */
void f4p_writer_init(struct f4p_writer *w, void *base, const struct f4p_header *header, void *memory, uint64_t seed);

/**
 * Copies all that is in use to another mapping of the same layout and goes on there. `fd`, if not -1, is the file that
 * is mapped there, open for writing: the first store to each page of a mapped file costs five times as much as a write.
 */
void f4p_writer_move(struct f4p_writer *w, void *base, int fd);

/** Publishes the state without an op; `t_ns` is the heartbeat. */
void f4p_writer_commit(struct f4p_writer *w, uint64_t t_ns);

/** Marks the end (EXITED, PASSIVE, ...) and publishes. */
void f4p_writer_finish(struct f4p_writer *w, enum f4p_status status, enum f4p_passive_reason reason, uint64_t t_ns);

/** The process's last word, `status` as its parent will see it. Touches nothing else: needs no lock, and may interrupt
 * anything but itself. */
void f4p_writer_end(struct f4p_writer *w, enum f4p_ending_how how, uint32_t status, uint64_t t_ns);

/* ---- what samples refer to: interning; published with the next commit ---- */

/** Node of (parent, object, offset); F4P_NONE and a counted loss when the table is full. */
uint32_t f4p_writer_node(struct f4p_writer *w, uint32_t parent, uint32_t object, uint32_t offset);

/** Site of (stack, thread); 0, the overflow site, and a counted loss when the table is full. */
uint32_t f4p_writer_site(struct f4p_writer *w, uint32_t stack, uint32_t thread);

/** Appends a record with the type's next id. The payload is in two parts, the second may be NULL. F4P_NONE: full. */
uint32_t f4p_writer_record(struct f4p_writer *w, enum f4p_record_type type, uint16_t flags, const void *head,
                           size_t head_bytes, const void *tail, size_t tail_bytes);

/** Like f4p_writer_record(), but equal `key`s (64-bit hashes of what the record is about) share one record. */
uint32_t f4p_writer_intern(struct f4p_writer *w, uint64_t key, enum f4p_record_type type, uint16_t flags,
                           const void *head, size_t head_bytes, const void *tail, size_t tail_bytes);

/** The id under which `key` was interned, or F4P_NONE. */
uint32_t f4p_writer_lookup(const struct f4p_writer *w, uint64_t key);

/** Facts: id is the fact. */
void f4p_writer_fact(struct f4p_writer *w, enum f4p_fact fact, enum f4p_fact_kind kind, const void *data, size_t bytes);

/* ---- ops ---- */

struct f4p_block_facts {
    uint64_t address, size;
    uint32_t site;
    uint8_t shift; /* interval it was sampled under */
    uint8_t kind;  /* enum f4p_block_kind */
};

/** Index of the live entry of `address`, or F4P_NONE. */
uint32_t f4p_writer_find(const struct f4p_writer *w, uint64_t address);

/** A new live sample. An entry that already has the address is freed first and counted as missed_free. */
void f4p_writer_alloc(struct f4p_writer *w, const struct f4p_block_facts *block, uint64_t t_ns);

/** Ends the live entry `index`. */
void f4p_writer_free(struct f4p_writer *w, uint32_t index, uint64_t t_ns);

/** Forgets the address of entry `index`, which stays live: its block is being moved by realloc. */
void f4p_writer_unlink(struct f4p_writer *w, uint32_t index);

/** The move failed: `index` is found by its address again. */
void f4p_writer_relink(struct f4p_writer *w, uint32_t index);

/** The move succeeded: entry `index` (unlinked) ends and `block` begins, in one op. */
void f4p_writer_replace(struct f4p_writer *w, uint32_t index, const struct f4p_block_facts *block, uint64_t t_ns);

/** Lists a call that is about to be made; returns its slot or F4P_NONE if all are taken. */
uint32_t f4p_writer_request_begin(struct f4p_writer *w, const struct f4p_request *request);
void f4p_writer_request_end(struct f4p_writer *w, uint32_t slot);

/** Records a request that failed; beyond F4P_MAX_FAILURES only counted. */
void f4p_writer_failure(struct f4p_writer *w, const struct f4p_failure *failure);

/** Puts resident and charged bytes (0: not known) into the timeline. */
void f4p_writer_usage(struct f4p_writer *w, uint64_t t_ns, uint64_t rss, uint64_t cgroup);

/** Changes the interval of gaps drawn from now on. */
void f4p_writer_set_shift(struct f4p_writer *w, uint32_t shift);

static inline void f4p_writer_lost(struct f4p_writer *w, enum f4p_loss loss)
{
    w->state.lost[loss]++;
}

#endif
