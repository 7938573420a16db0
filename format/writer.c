/* Set-up, interning, records and commits of the writer; ops are in writer_ops.c, history in writer_history.c. */
#include "writer.h"

#include <lz4.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "barrier.h"
#include "hash.h"
#include "layout.h"
#include "writer_private.h"

/* ---- set-up ---- */

static uint64_t capacity(const struct f4p_header *header, enum f4p_section_kind kind, size_t record)
{
    const struct f4p_section *section = f4p_layout_find(header, kind);
    return section ? section->bytes / record : 0;
}

#define FIRST_BUCKETS 64u

static uint32_t buckets_for(uint64_t records)
{
    uint32_t n = FIRST_BUCKETS;
    while (n < records && n < 1u << 30)
        n *= 2;
    return n;
}

/* ---- index ---- */

static void index_split(struct f4p_writer *w, struct f4p_index *index)
{
    uint32_t round = index->mask + 1, wide = index->mask << 1 | 1;
    uint32_t *from = &index->bucket[index->split], *to = &index->bucket[index->split + round];
    while (*from) {
        uint32_t id = *from - 1;
        if ((index->hash(w, id) & wide) == index->split) {
            from = &index->next[id];
            continue;
        }
        *from = index->next[id];
        index->next[id] = *to;
        *to = id + 1;
    }
    if (++index->split == round) {
        index->mask = wide;
        index->split = 0;
    }
}

void f4p_index_insert(struct f4p_writer *w, struct f4p_index *index, uint32_t id)
{
    uint32_t buckets = index->mask + 1 + index->split;
    if (++index->count > buckets && buckets < index->limit)
        index_split(w, index);
    uint32_t *bucket = f4p_index_bucket(index, index->hash(w, id));
    index->next[id] = *bucket;
    *bucket = id + 1;
}

void f4p_index_remove(struct f4p_writer *w, struct f4p_index *index, uint32_t id)
{
    uint32_t *link = f4p_index_bucket(index, index->hash(w, id));
    while (*link && *link != id + 1)
        link = &index->next[*link - 1];
    if (*link) {
        *link = index->next[id];
        index->count--;
    }
}

static uint64_t node_hash(uint32_t parent, uint32_t object, uint32_t offset)
{
    return f4p_mix(f4p_mix((uint64_t)parent << 32 | object) + offset);
}

static uint64_t site_hash(uint32_t stack, uint32_t thread)
{
    return f4p_mix((uint64_t)thread << 32 | stack);
}

static uint64_t live_hash_of(const struct f4p_writer *w, uint32_t id)
{
    return f4p_mix(w->live[id].address);
}

static uint64_t site_hash_of(const struct f4p_writer *w, uint32_t id)
{
    return site_hash(w->sites[id].stack, w->sites[id].thread);
}

static uint64_t node_hash_of(const struct f4p_writer *w, uint32_t id)
{
    return node_hash(w->nodes[id].parent, w->nodes[id].object, w->nodes[id].offset);
}

static uint64_t record_hash_of(const struct f4p_writer *w, uint32_t slot)
{
    return w->record_key[slot];
}

/* ---- index memory ---- */

/* Walks the index memory; with base NULL it only counts. */
struct carver {
    uint8_t *base;
    size_t used;
};

static void *carve(struct carver *carver, size_t bytes)
{
    void *p = carver->base ? carver->base + carver->used : NULL;
    carver->used += (bytes + 63) / 64 * 64;
    return p;
}

static void carve_index(struct carver *carver, struct f4p_index *index, uint64_t records,
                        uint64_t (*hash)(const struct f4p_writer *, uint32_t))
{
    index->limit = buckets_for(records);
    index->bucket = carve(carver, index->limit * sizeof(uint32_t));
    index->next = carve(carver, records * sizeof(uint32_t));
    index->mask = FIRST_BUCKETS - 1;
    index->hash = hash;
}

static void carve_all(struct carver *carver, struct f4p_writer *w, const struct f4p_header *header)
{
    w->live_capacity = (uint32_t)capacity(header, F4P_SECTION_LIVE, sizeof(struct f4p_live));
    w->site_capacity = (uint32_t)capacity(header, F4P_SECTION_SITES, sizeof(struct f4p_site));
    w->node_capacity = (uint32_t)capacity(header, F4P_SECTION_NODES, sizeof(struct f4p_node));
    w->record_capacity = (uint32_t)(capacity(header, F4P_SECTION_RECORDS, 1) / 64);
    carve_index(carver, &w->live_index, w->live_capacity, live_hash_of);
    carve_index(carver, &w->site_index, w->site_capacity, site_hash_of);
    carve_index(carver, &w->node_index, w->node_capacity, node_hash_of);
    carve_index(carver, &w->record_index, w->record_capacity, record_hash_of);
    w->record_key = carve(carver, w->record_capacity * sizeof(uint64_t));
    w->record_id = carve(carver, w->record_capacity * sizeof(uint32_t));
    w->keyframe.early = carve(carver, (w->site_capacity / 64 + 1) * sizeof(uint64_t));
    w->keyframe.buffer = carve(carver, F4P_OPEN_BYTES);
    w->lz4_state = carve(carver, (size_t)LZ4_sizeofState());
    w->lz4_out = carve(carver, LZ4_COMPRESSBOUND(F4P_OPEN_BYTES));
}

size_t f4p_writer_memory(const struct f4p_header *header)
{
    struct carver carver = {NULL, 0};
    static struct f4p_writer scratch; /* nobody reads it */
    carve_all(&carver, &scratch, header);
    return carver.used;
}

static void *section(const struct f4p_writer *w, enum f4p_section_kind kind)
{
    return w->base + f4p_layout_find(&w->header, kind)->offset;
}

static void bind(struct f4p_writer *w, void *base)
{
    w->base = base;
    w->control = section(w, F4P_SECTION_CONTROL);
    w->timeline = section(w, F4P_SECTION_TIMELINE);
    w->live = section(w, F4P_SECTION_LIVE);
    w->sites = section(w, F4P_SECTION_SITES);
    w->nodes = section(w, F4P_SECTION_NODES);
    w->records = section(w, F4P_SECTION_RECORDS);
    w->open = section(w, F4P_SECTION_OPEN);
    w->history.base = section(w, F4P_SECTION_HISTORY);
    uint8_t *levels = section(w, F4P_SECTION_KEYFRAMES);
    for (unsigned i = 0; i < F4P_LEVELS; i++)
        w->levels[i].base = levels + i * w->levels[i].bytes;
}

void f4p_writer_init(struct f4p_writer *w, void *base, const struct f4p_header *header, void *memory, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->header = *header;
    w->base_interval = header->base_interval;
    carve_all(&(struct carver){memory, 0}, w, header);
    w->record_bytes = f4p_layout_find(header, F4P_SECTION_RECORDS)->bytes;
    w->history.bytes = f4p_layout_find(header, F4P_SECTION_HISTORY)->bytes;
    for (unsigned i = 0; i < F4P_LEVELS; i++)
        w->levels[i].bytes = f4p_layout_find(header, F4P_SECTION_KEYFRAMES)->bytes / F4P_LEVELS;
    bind(w, base);
    w->random = seed;

    w->state.status = F4P_STATUS_RECORDING;
    w->state.peak_epoch = 1;
    w->state.timeline_shift = F4P_TIMELINE_SHIFT;
    /* node 0 and site 0 take what does not fit */
    f4p_writer_site(w, f4p_writer_node(w, F4P_NONE, F4P_NODE_SPECIAL + F4P_SPECIAL_OVERFLOW, 0), F4P_NONE);
}

struct move {
    const uint8_t *from; /* the old base */
    uint8_t *to;
    int fd; /* of `to`; -1: none */
};

/* Fills `part`, which lies in the new place, from where it stood in the old one. */
static void bring(const struct move *move, void *part, size_t bytes)
{
    size_t at = (size_t)((uint8_t *)part - move->to);
    if (move->fd < 0 || syscall(SYS_pwrite64, move->fd, move->from + at, bytes, (long)at) != (long)bytes)
        memcpy(part, move->from + at, bytes);
}

static void bring_ring(const struct move *move, const struct f4p_ring *ring)
{
    bring(move, ring->base, ring->pos < ring->bytes ? ring->pos : ring->bytes);
}

/* No copy of the writer: the job's stack may be small. */
void f4p_writer_move(struct f4p_writer *w, void *base, int fd)
{
    const struct move move = {w->base, base, fd};

    bind(w, base);
    bring(&move, w->timeline, 2 * (size_t)F4P_BUCKETS * sizeof(*w->timeline));
    bring(&move, w->open, w->state.open_bytes);
    bring(&move, w->live, w->state.live_high * sizeof(*w->live));
    bring(&move, w->sites, w->state.sites * sizeof(*w->sites));
    bring(&move, w->nodes, w->state.nodes * sizeof(*w->nodes));
    bring(&move, w->records, w->state.records);
    bring_ring(&move, &w->history);
    for (unsigned i = 0; i < F4P_LEVELS; i++)
        bring_ring(&move, &w->levels[i]);
    bring(&move, &w->control->intent, sizeof(*w->control) - offsetof(struct f4p_control, intent));
    /* Last, and the newest alone: a state without what it speaks of would be taken for damage. */
    f4p_release();
    bring(&move, &w->control->state[w->state.commit & 1], sizeof(*w->control->state));
    f4p_release();
}

/* ---- commits ---- */

void f4p_writer_commit(struct f4p_writer *w, uint64_t t_ns)
{
    struct f4p_state *s = &w->state;

    if (t_ns > s->t_ns)
        s->t_ns = t_ns;
    s->commit++;
    s->check = f4p_hash(s, offsetof(struct f4p_state, check), 0);
    f4p_release();
    w->control->state[s->commit & 1] = *s;
    f4p_release();
}

void f4p_writer_finish(struct f4p_writer *w, enum f4p_status status, enum f4p_passive_reason reason, uint64_t t_ns)
{
    w->state.status = status;
    w->state.passive_reason = reason;
    f4p_writer_commit(w, t_ns);
}

void f4p_writer_end(struct f4p_writer *w, enum f4p_ending_how how, uint32_t status, uint64_t t_ns)
{
    struct f4p_ending ending = {.t_ns = t_ns, .how = how, .status = status};

    ending.check = f4p_hash(&ending, offsetof(struct f4p_ending, check), 0);
    w->control->ending = ending;
    f4p_release();
}

void f4p_writer_set_shift(struct f4p_writer *w, uint32_t shift)
{
    w->state.shift = shift < w->state.thin_floor ? w->state.thin_floor : shift;
}

/* ---- nodes and sites ---- */

uint32_t f4p_writer_node(struct f4p_writer *w, uint32_t parent, uint32_t object, uint32_t offset)
{
    uint64_t hash = node_hash(parent, object, offset);
    for (uint32_t i = f4p_index_first(&w->node_index, hash); i; i = w->node_index.next[i - 1]) {
        const struct f4p_node *node = &w->nodes[i - 1];
        if (node->parent == parent && node->object == object && node->offset == offset)
            return i - 1;
    }
    uint32_t id = w->state.nodes;
    if (id >= w->node_capacity) {
        f4p_writer_lost(w, F4P_LOSS_nodes_full);
        return F4P_NONE;
    }
    struct f4p_node node = {parent, object, offset, 0};
    node.check = (uint32_t)f4p_hash(&node, offsetof(struct f4p_node, check), id);
    w->nodes[id] = node;
    f4p_index_insert(w, &w->node_index, id);
    w->state.nodes++;
    return id;
}

uint32_t f4p_writer_site(struct f4p_writer *w, uint32_t stack, uint32_t thread)
{
    uint64_t hash = site_hash(stack, thread);
    for (uint32_t i = f4p_index_first(&w->site_index, hash); i; i = w->site_index.next[i - 1])
        if (w->sites[i - 1].stack == stack && w->sites[i - 1].thread == thread)
            return i - 1;

    uint32_t id = w->state.sites;
    if (id >= w->site_capacity) {
        f4p_writer_lost(w, F4P_LOSS_sites_full);
        return 0;
    }
    struct f4p_site site = {.stack = stack, .thread = thread};
    site.check = f4p_hash(&site, offsetof(struct f4p_site, check), id);
    w->sites[id] = site;
    f4p_index_insert(w, &w->site_index, id);
    w->state.sites++;
    return id;
}

/* ---- records ---- */

static uint32_t record_append(struct f4p_writer *w, struct f4p_record record, const void *head, size_t head_bytes,
                              const void *tail, size_t tail_bytes)
{
    size_t bytes = head_bytes + tail_bytes, padded = (bytes + 7) & ~(size_t)7;
    if (bytes > UINT32_MAX / 2 || w->state.records + sizeof(record) + padded > w->record_bytes) {
        f4p_writer_lost(w, F4P_LOSS_records_full);
        return F4P_NONE;
    }
    uint8_t *at = w->records + w->state.records, *payload = at + sizeof(record);
    if (head_bytes)
        memcpy(payload, head, head_bytes);
    if (tail_bytes)
        memcpy(payload + head_bytes, tail, tail_bytes);
    memset(payload + bytes, 0, padded - bytes);
    record.bytes = (uint32_t)bytes;
    uint64_t seed = f4p_hash(&record, offsetof(struct f4p_record, check), 0);
    record.check = (uint32_t)f4p_hash(payload, bytes, seed);
    memcpy(at, &record, sizeof(record));
    w->state.records += sizeof(record) + padded;
    return record.id;
}

uint32_t f4p_writer_record(struct f4p_writer *w, enum f4p_record_type type, uint16_t flags, const void *head,
                           size_t head_bytes, const void *tail, size_t tail_bytes)
{
    struct f4p_record record = {.type = (uint16_t)type, .flags = flags, .id = w->next_id[type]};
    uint32_t id = record_append(w, record, head, head_bytes, tail, tail_bytes);
    if (id != F4P_NONE)
        w->next_id[type]++;
    return id;
}

uint32_t f4p_writer_lookup(const struct f4p_writer *w, uint64_t key)
{
    for (uint32_t i = f4p_index_first(&w->record_index, key); i; i = w->record_index.next[i - 1])
        if (w->record_key[i - 1] == key)
            return w->record_id[i - 1];
    return F4P_NONE;
}

uint32_t f4p_writer_intern(struct f4p_writer *w, uint64_t key, enum f4p_record_type type, uint16_t flags,
                           const void *head, size_t head_bytes, const void *tail, size_t tail_bytes)
{
    uint32_t id = f4p_writer_lookup(w, key);
    if (id != F4P_NONE)
        return id;
    if (w->record_count >= w->record_capacity) {
        f4p_writer_lost(w, F4P_LOSS_records_full);
        return F4P_NONE;
    }
    id = f4p_writer_record(w, type, flags, head, head_bytes, tail, tail_bytes);
    if (id == F4P_NONE)
        return F4P_NONE;
    uint32_t slot = w->record_count++;
    w->record_key[slot] = key;
    w->record_id[slot] = id;
    f4p_index_insert(w, &w->record_index, slot);
    return id;
}

void f4p_writer_fact(struct f4p_writer *w, enum f4p_fact fact, enum f4p_fact_kind kind, const void *data, size_t bytes)
{
    record_append(w, (struct f4p_record){.type = F4P_RECORD_FACT, .flags = (uint16_t)kind, .id = fact}, data, bytes,
                  NULL, 0);
}

void f4p_writer_failure(struct f4p_writer *w, const struct f4p_failure *failure)
{
    if (w->next_id[F4P_RECORD_FAILURE] < F4P_MAX_FAILURES) {
        f4p_writer_record(w, F4P_RECORD_FAILURE, 0, failure, sizeof(*failure), NULL, 0);
    } else {
        struct f4p_last_failure last = {.failure = *failure};
        last.check = f4p_hash(&last, offsetof(struct f4p_last_failure, check), 0);
        if (w->last_failures)
            f4p_writer_lost(w, F4P_LOSS_failed);
        w->control->failed[w->last_failures++ & 1] = last;
        f4p_release();
    }
    f4p_writer_commit(w, failure->t_ns);
}

/* ---- requests ---- */

uint32_t f4p_writer_request_begin(struct f4p_writer *w, const struct f4p_request *request)
{
    for (uint32_t i = 0; i < F4P_REQUESTS; i++) {
        struct f4p_request *slot = &w->control->requests[i];
        if (slot->tid)
            continue;
        struct f4p_request filled = *request;
        filled.check = f4p_hash(&filled, offsetof(struct f4p_request, check), 0);
        slot->check = 0;
        slot->tid = filled.tid;
        f4p_release();
        memcpy((uint8_t *)slot + sizeof(slot->tid), (uint8_t *)&filled + sizeof(slot->tid),
               sizeof(filled) - sizeof(slot->tid));
        f4p_release();
        return i;
    }
    return F4P_NONE;
}

void f4p_writer_request_end(struct f4p_writer *w, uint32_t slot)
{
    if (slot < F4P_REQUESTS) {
        w->control->requests[slot].tid = 0;
        f4p_release();
    }
}
