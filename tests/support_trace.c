#include "tests/support_trace.h"

#include <stdlib.h>
#include <string.h>

#include "format/layout.h"

#define BYTES(text) (text), sizeof(text) - 1

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

uint64_t f4p_fixture_random(struct f4p_fixture *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}

static void make_stacks(struct f4p_fixture *f, uint32_t sites)
{
    struct f4p_writer *w = &f->w;
    static const char *const names[] = {"<module>", "load", "Cache.put", "parse"};
    uint32_t file = f4p_writer_record(w, F4P_RECORD_STRING, 1, BYTES("/job/etl.py"), NULL, 0);
    for (uint32_t i = 0; i < 4; i++) {
        struct f4p_code code = {.file = file, .first_line = 10 * i + 1, .lines = F4P_LINES_311, .table_bytes = 4};
        code.name = code.qualname = f4p_writer_record(w, F4P_RECORD_STRING, 1, names[i], strlen(names[i]), NULL, 0);
        f4p_writer_record(w, F4P_RECORD_CODE, 0, &code, sizeof code, "\xf0\x03\x01\x01", 4);
    }
    struct f4p_module module = {.start = 0x1000, .end = 0x9000, .bias = 0x1000, .build_id_bytes = 4, .path_bytes = 9};
    f4p_writer_record(w, F4P_RECORD_MODULE, 0, &module, sizeof module, "\x01\x02\x03\x04/lib/x.so", 13);
    for (uint32_t i = 0; i < 2; i++) {
        struct f4p_thread thread = {.tid = 100 + i, .flags = i == 0 ? F4P_THREAD_MAIN : 0};
        f4p_writer_record(w, F4P_RECORD_THREAD, 0, &thread, sizeof thread, BYTES("worker"));
    }
    uint32_t root = f4p_writer_node(w, F4P_NONE, 0, 2);
    for (uint32_t i = 1; i < sites; i++) {
        uint32_t caller = f4p_writer_node(w, root, 1 + i % 3, 2 * (i / 16));
        uint32_t leaf = i % 5 ? caller : f4p_writer_node(w, caller, F4P_NODE_NATIVE + 0, i);
        f4p_writer_site(w, f4p_writer_node(w, leaf, 1 + i % 2, 2 * i), i % 2);
    }
}

void f4p_fixture_make(struct f4p_fixture *f, void *base, uint64_t file_bytes, uint64_t interval, uint32_t sites,
                      uint64_t seed)
{
    struct f4p_layout layout = {.file_bytes = file_bytes, .base_interval = interval};
    uint64_t pid = 4711;

    memset(f, 0, sizeof *f);
    if (f4p_layout_header(&f->header, &layout))
        abort();
    f->base = base ? base : must(calloc(1, f->header.file_bytes));
    f->memory = must(calloc(1, f4p_writer_memory(&f->header)));
    f->random = seed * 2 + 1;
    f->next_address = 0x7f0000000000;
    f->t_ns = 1000;
    memcpy(f->base, &f->header, sizeof f->header);
    f4p_writer_init(&f->w, f->base, &f->header, f->memory, seed);
    f->w.state.pid = 4711;
    f4p_writer_fact(&f->w, F4P_FACT_ID_PID, F4P_FACT_U64, &pid, sizeof pid);
    f4p_writer_fact(&f->w, F4P_FACT_ID_COMMAND, F4P_FACT_LIST, BYTES("python\0etl.py\0"));
    f4p_writer_fact(&f->w, F4P_FACT_ID_HOST, F4P_FACT_TEXT, BYTES("node7"));
    make_stacks(f, sites);
    f4p_writer_commit(&f->w, f->t_ns);
}

void f4p_fixture_free(struct f4p_fixture *f)
{
    free(f->memory);
    free(f->blocks);
    free(f->moments);
    free(f->peak);
}

/* The oracle after an op: what the sums were, and where each site stood at the peak. */
static void note(struct f4p_fixture *f)
{
    const struct f4p_state *s = &f->w.state;
    if (f->moment_count == f->moment_room) {
        f->moment_room = 2 * f->moment_room + 1024;
        f->moments = must(realloc(f->moments, f->moment_room * sizeof *f->moments));
    }
    f->moments[f->moment_count++] = (struct f4p_fixture_moment){s->t_ns, s->seq, s->live};
    if (s->peak.seq == f->peak_seq)
        return;
    f->peak_seq = s->peak.seq;
    f->peak_sites = s->sites;
    f->peak = must(realloc(f->peak, s->sites * sizeof *f->peak));
    for (uint32_t i = 0; i < s->sites; i++)
        f->peak[i] = f->w.sites[i].now;
}

void f4p_fixture_alloc(struct f4p_fixture *f, uint32_t site, uint64_t size)
{
    struct f4p_block_facts block = {f->next_address, size, site, (uint8_t)f->w.state.shift, F4P_KIND_MALLOC};
    f->next_address += 64;
    f->t_ns += 1 + f4p_fixture_random(f) % 20000;
    f4p_writer_alloc(&f->w, &block, f->t_ns);
    if (f->block_count == f->block_room) {
        f->block_room = 2 * f->block_room + 64;
        f->blocks = must(realloc(f->blocks, f->block_room * sizeof *f->blocks));
    }
    f->blocks[f->block_count++] = (struct f4p_fixture_block){block.address, size};
    note(f);
}

void f4p_fixture_release(struct f4p_fixture *f, size_t block)
{
    uint32_t index = f4p_writer_find(&f->w, f->blocks[block].address);
    f->blocks[block] = f->blocks[--f->block_count];
    if (index == F4P_NONE)
        return; /* thinned */
    f->t_ns += 1 + f4p_fixture_random(f) % 20000;
    f4p_writer_free(&f->w, index, f->t_ns);
    note(f);
}

static void move(struct f4p_fixture *f, size_t block)
{
    uint32_t index = f4p_writer_find(&f->w, f->blocks[block].address);
    if (index == F4P_NONE)
        return;
    uint32_t site = 1 + (uint32_t)(f4p_fixture_random(f) % (f->w.state.sites - 1));
    struct f4p_block_facts facts = {f->next_address, 2 * f->blocks[block].size, site, (uint8_t)f->w.state.shift,
                                    F4P_KIND_MALLOC};
    f->next_address += 64;
    f->t_ns += 1 + f4p_fixture_random(f) % 20000;
    f4p_writer_unlink(&f->w, index);
    f4p_writer_replace(&f->w, index, &facts, f->t_ns);
    f->blocks[block] = (struct f4p_fixture_block){facts.address, facts.size};
    note(f);
}

void f4p_fixture_churn(struct f4p_fixture *f, size_t ops, size_t blocks)
{
    for (size_t i = 0; i < ops; i++) {
        uint64_t r = f4p_fixture_random(f);
        uint64_t size = 1 + r % (1ull << (6 + r / 7 % 12));
        size_t any = f->block_count ? (size_t)(r / 5 % f->block_count) : 0;
        if (f->block_count && r % 16 == 0)
            move(f, any);
        else if (f->block_count >= blocks || (f->block_count && r % 16 < 6))
            f4p_fixture_release(f, any);
        else
            f4p_fixture_alloc(f, 1 + (uint32_t)(f4p_fixture_random(f) % (f->w.state.sites - 1)), size);
    }
}

void *f4p_fixture_section(const struct f4p_fixture *f, enum f4p_section_kind kind)
{
    const struct f4p_section *section = f4p_layout_find(&f->header, kind);
    return section ? f->base + section->offset : NULL;
}

const struct f4p_fixture_moment *f4p_fixture_at(const struct f4p_fixture *f, uint64_t t_ns)
{
    size_t low = 0, high = f->moment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->moments[middle].t_ns <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &f->moments[low - 1] : NULL;
}
