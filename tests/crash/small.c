#include "small.h"

#include <stdlib.h>
#include <string.h>

#include "format/layout.h"
#include "format/weight.h"

static void place(struct f4p_header *header, uint64_t *at, enum f4p_section_kind kind, uint64_t bytes)
{
    bytes = (bytes + F4P_PAGE - 1) / F4P_PAGE * F4P_PAGE;
    header->sections[header->section_count++] = (struct f4p_section){kind, 0, *at, bytes};
    *at += bytes;
}

void small_header(struct f4p_header *header, const struct small_sizes *sizes, uint64_t interval)
{
    struct f4p_layout layout = {.file_bytes = F4P_MIN_FILE_BYTES, .base_interval = interval};
    uint64_t at = F4P_PAGE, level = (sizes->level + F4P_PAGE - 1) / F4P_PAGE * F4P_PAGE;

    if (f4p_layout_header(header, &layout))
        abort();
    memset(header->sections, 0, sizeof header->sections);
    header->section_count = 0;
    place(header, &at, F4P_SECTION_CONTROL, sizeof(struct f4p_control));
    place(header, &at, F4P_SECTION_OPEN, F4P_OPEN_BYTES);
    place(header, &at, F4P_SECTION_LIVE, sizes->live * sizeof(struct f4p_live));
    place(header, &at, F4P_SECTION_SITES, sizes->sites * sizeof(struct f4p_site));
    place(header, &at, F4P_SECTION_NODES, sizes->nodes * sizeof(struct f4p_node));
    place(header, &at, F4P_SECTION_RECORDS, sizes->records);
    place(header, &at, F4P_SECTION_TIMELINE, 2 * (uint64_t)F4P_BUCKETS * sizeof(struct f4p_bucket));
    place(header, &at, F4P_SECTION_KEYFRAMES, F4P_LEVELS * level);
    place(header, &at, F4P_SECTION_HISTORY, sizes->history);
    header->file_bytes = at;
    f4p_layout_seal(header);
}

uint64_t small_random(struct small *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random;
}

void small_begin(struct small *s, void *base, const struct f4p_header *header, struct small_oracle *oracle,
                 uint64_t seed)
{
    memset(s, 0, sizeof *s);
    void *memory = calloc(1, f4p_writer_memory(header));
    if (!memory)
        abort();
    memcpy(base, header, sizeof *header);
    f4p_writer_init(&s->w, base, header, memory, seed);
    s->oracle = oracle;
    s->memory = memory;
    s->random = seed * 2 + 1;
    s->next_address = 0x7f0000000000;
    s->t_ns = 1000;
    s->step_ns = 20000;
    s->target = 64;
    s->request = F4P_NONE;
    s->w.state.pid = 4711;
    f4p_writer_fact(&s->w, F4P_FACT_ID_COMMAND, F4P_FACT_LIST, "job\0", 4);
    f4p_writer_commit(&s->w, s->t_ns);
}

/* ---- calls into the writer ---- */

static void begin(struct small *s)
{
    if (s->before)
        s->before(s);
    s->oracle->busy = 1;
}

static void end(struct small *s)
{
    struct small_oracle *o = s->oracle;
    o->moments[o->moment_count % SMALL_MOMENTS] =
        (struct small_moment){s->w.state.t_ns, s->w.state.seq, s->w.state.live.bytes};
    o->moment_count++;
    if (s->w.state.live.bytes > o->max_heap)
        o->max_heap = s->w.state.live.bytes;
    o->calls++;
    o->busy = 0;
    if (s->after)
        s->after(s);
}

static void tick(struct small *s)
{
    s->t_ns += 1 + small_random(s) % (2 * s->step_ns);
}

/* One of four functions; now and then by asking whether it is there already. */
static uint32_t some_code(struct small *s, uint32_t which, bool ask)
{
    static const char *const names[] = {"main", "load", "parse", "put"};
    if (!ask && s->codes[which])
        return s->codes[which] - 1;
    struct f4p_writer *w = &s->w;
    uint32_t name =
        f4p_writer_intern(w, 100 + which, F4P_RECORD_STRING, 1, names[which], strlen(names[which]), NULL, 0);
    struct f4p_code code = {name, name, name, 1 + which, F4P_LINES_NONE, 0};
    uint32_t id = f4p_writer_intern(w, 200 + which, F4P_RECORD_CODE, 0, &code, sizeof code, NULL, 0);
    s->codes[which] = id + 1;
    return id;
}

/* A site on a stack of one to four frames, on one of three threads. */
static uint32_t some_site(struct small *s)
{
    uint64_t r = small_random(s);
    uint32_t node = F4P_NONE;
    for (uint64_t depth = 1 + r % 4; depth; depth--, r >>= 8) {
        uint32_t id = some_code(s, r >> 8 & 3, r % 61 == 0);
        uint32_t next = f4p_writer_node(&s->w, node, id, 2 * (uint32_t)(r >> 16 & 3));
        if (next == F4P_NONE)
            break;
        node = next;
    }
    return f4p_writer_site(&s->w, node, (uint32_t)(r % 3));
}

static struct f4p_block_facts some_block(struct small *s)
{
    uint64_t r = small_random(s);
    uint64_t size = r % 64 == 0 ? 100000 + r % 1000000 : 1 + r % (1ull << (4 + r / 64 % 12));
    s->next_address += 64;
    return (struct f4p_block_facts){s->next_address, size, some_site(s), (uint8_t)s->w.state.shift, F4P_KIND_MALLOC};
}

static struct small_block block_of(const struct f4p_block_facts *facts)
{
    return (struct small_block){facts->address, facts->size, facts->site, facts->shift};
}

static void forget(struct small_oracle *o, uint32_t at)
{
    o->blocks[at] = o->blocks[--o->count];
}

/* A new block; now and then at the address of a live one, whose free was missed. */
static void add(struct small *s)
{
    struct small_oracle *o = s->oracle;
    tick(s);
    begin(s);
    struct f4p_block_facts facts = some_block(s);
    if (o->count && small_random(s) % 32 == 0) {
        uint32_t at = (uint32_t)(small_random(s) % o->count);
        facts.address = o->blocks[at].address;
        o->thinned_freed += f4p_writer_find(&s->w, facts.address) == F4P_NONE;
        forget(o, at);
    }
    uint64_t dropped = s->w.state.lost[F4P_LOSS_live_full];
    f4p_writer_alloc(&s->w, &facts, s->t_ns);
    if (s->w.state.lost[F4P_LOSS_live_full] == dropped)
        o->blocks[o->count++] = block_of(&facts);
    end(s);
}

/* Where the program's block `at` stands in the trace; a block that was thinned out leaves the oracle. */
static uint32_t find(struct small *s, uint32_t at)
{
    struct small_oracle *o = s->oracle;
    uint32_t index = f4p_writer_find(&s->w, o->blocks[at].address);
    if (index == F4P_NONE) {
        forget(o, at);
        o->thinned_freed++;
    }
    return index;
}

static void release(struct small *s, uint32_t at)
{
    struct small_oracle *o = s->oracle;
    tick(s);
    begin(s);
    uint32_t index = find(s, at);
    if (index != F4P_NONE) {
        f4p_writer_free(&s->w, index, s->t_ns);
        forget(o, at);
    }
    end(s);
}

static uint32_t ask(struct small *s, uint32_t kind, const struct f4p_block_facts *facts, uint32_t live)
{
    struct f4p_request request = {.tid = 100, .kind = kind, .size = facts->size, .t_ns = s->t_ns, .site = facts->site};
    request.live = live;
    if (live != F4P_NONE) {
        request.address = s->w.live[live].address;
        request.old_size = s->w.live[live].size;
    }
    f4p_writer_commit(&s->w, s->t_ns);
    return f4p_writer_request_begin(&s->w, &request);
}

/* realloc in its two halves; every fourth fails. */
static void move(struct small *s, uint32_t at)
{
    struct small_oracle *o = s->oracle;
    tick(s);
    begin(s);
    uint32_t index = find(s, at);
    if (index == F4P_NONE) {
        end(s);
        return;
    }
    bool fails = small_random(s) % 4 == 0;
    struct f4p_block_facts facts = some_block(s);
    o->from = o->blocks[at];
    o->to = block_of(&facts);
    o->thinned_before = s->w.state.thinned;
    o->moving = 1;
    if (s->free_before_realloc)
        f4p_writer_free(&s->w, index, s->t_ns);
    else
        f4p_writer_unlink(&s->w, index);
    uint32_t slot = ask(s, F4P_REQUEST_REALLOC, &facts, s->free_before_realloc ? F4P_NONE : index);
    f4p_writer_request_end(&s->w, slot);
    o->moving = 2;
    if (s->free_before_realloc) {
        f4p_writer_alloc(&s->w, &facts, s->t_ns);
        o->blocks[at] = o->to;
    } else if (fails) {
        f4p_writer_relink(&s->w, index);
        f4p_writer_failure(&s->w, &(struct f4p_failure){facts.size, s->t_ns, facts.site, 12});
    } else {
        f4p_writer_replace(&s->w, index, &facts, s->t_ns);
        o->blocks[at] = o->to;
    }
    o->moving = 0;
    end(s);
}

/* A large request that is listed before it is made, vitals, a heartbeat. */
static void other(struct small *s)
{
    tick(s);
    begin(s);
    struct f4p_block_facts facts = some_block(s);
    if (s->request == F4P_NONE) {
        s->request = ask(s, F4P_REQUEST_ALLOC, &facts, F4P_NONE);
    } else {
        f4p_writer_request_end(&s->w, s->request);
        s->request = F4P_NONE;
    }
    f4p_writer_usage(&s->w, s->t_ns, 4096 * (small_random(s) % 100000), 0);
    f4p_writer_commit(&s->w, s->t_ns);
    end(s);
}

void small_step(struct small *s)
{
    struct small_oracle *o = s->oracle;
    uint64_t r = small_random(s);
    uint32_t at = o->count ? (uint32_t)(r / 64 % o->count) : 0;
    if (r % 64 == 0)
        other(s);
    else if (o->count && r % 8 == 1)
        move(s, at);
    else if (o->count && (o->count >= s->target || o->count == SMALL_BLOCKS || r % 8 < 4))
        release(s, at);
    else
        add(s);
}
