/* The reader against the real writer: what was written is what is read, and damage is never shown as sound. */
#include "format/reader.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/hash.h"
#include "format/layout.h"
#include "format/weight.h"
#include "tests/support_run.h"
#include "tests/support_trace.h"

#define SMALL (1u << 20)
#define MEDIUM (4u << 20)

static struct f4p_trace *open_bytes(const void *data, size_t bytes)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_msg(f4p_trace_open_memory(data, bytes, &trace, &error) == 0, "%s", error.text);
    return trace;
}

static struct f4p_trace *open_fixture(const struct f4p_fixture *f)
{
    return open_bytes(f->base, f->header.file_bytes);
}

static void finish(struct f4p_fixture *f)
{
    free(f->base);
    f4p_fixture_free(f);
}

/* Same samples as the oracle, whatever their order. */
static bool same_live(const struct f4p_trace *trace, const struct f4p_fixture_block *blocks, size_t count)
{
    if (trace->live_count != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t j = 0;
        while (j < count && trace->live[j].address != blocks[i].address)
            j++;
        if (j == count || trace->live[j].size != blocks[i].size)
            return false;
    }
    return true;
}

/* ---- opening ---- */

static enum f4p_read_error error_of(const void *data, size_t bytes, const char *word)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_int_eq(f4p_trace_open_memory(data, bytes, &trace, &error), -1);
    ck_assert_ptr_null(trace);
    ck_assert_msg(strstr(error.text, word) != NULL, "\"%s\" lacks \"%s\"", error.text, word);
    ck_assert(strchr(error.text, '\n') == NULL);
    return error.code;
}

START_TEST(test_reader_open_foreign)
{
    static const uint8_t gzip[64] = {0x1f, 0x8b, 8}, zero[64];
    ck_assert_int_eq(error_of("", 0, "empty"), F4P_READ_EMPTY);
    ck_assert_int_eq(error_of("#!/bin/sh\nexit 0\n", 17, "not a fil4prod trace"), F4P_READ_NOT_TRACE);
    ck_assert_int_eq(error_of(gzip, sizeof gzip, "gunzip"), F4P_READ_NOT_TRACE);
    ck_assert_int_eq(error_of(zero, sizeof zero, "zero"), F4P_READ_NOT_TRACE);
    ck_assert_int_eq(error_of("FIL4", 4, "cut off"), F4P_READ_HEADER);
    ck_assert_int_eq(error_of("FIL4PROD", 8, "cut off"), F4P_READ_HEADER);
}
END_TEST

START_TEST(test_reader_open_header)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 4096, 4, 1);
    struct f4p_header *header = (struct f4p_header *)f.base;

    header->version_major = 7;
    f4p_layout_seal(header);
    ck_assert_int_eq(error_of(f.base, SMALL, "7.0"), F4P_READ_VERSION);
    *header = f.header;
    header->incompatible = 0x40;
    f4p_layout_seal(header);
    ck_assert_int_eq(error_of(f.base, SMALL, "0x40"), F4P_READ_VERSION);
    *header = f.header;
    header->sections[3].offset ^= 4096;
    ck_assert_int_eq(error_of(f.base, SMALL, "check"), F4P_READ_HEADER);
    header->sections[3].offset = header->sections[2].offset;
    f4p_layout_seal(header);
    ck_assert_int_eq(error_of(f.base, SMALL, "contradicts"), F4P_READ_HEADER);
    *header = f.header;
    header->sections[1].bytes = UINT64_MAX - 100;
    f4p_layout_seal(header);
    ck_assert_int_eq(error_of(f.base, SMALL, "contradicts"), F4P_READ_HEADER);
    *header = f.header;
    header->base_interval = 0;
    f4p_layout_seal(header);
    ck_assert_int_eq(error_of(f.base, SMALL, "contradicts"), F4P_READ_HEADER);
    /* compatible flags, a higher minor and unknown sections change nothing */
    *header = f.header;
    header->compatible = 0xff00;
    header->version_minor = 9;
    header->sections[header->section_count++] = (struct f4p_section){.kind = 99, .offset = 3, .bytes = UINT64_MAX};
    f4p_layout_seal(header);
    f4p_trace_close(open_fixture(&f));
    finish(&f);
}
END_TEST

static enum f4p_read_error error_of_path(const char *path)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_int_eq(f4p_trace_open(path, &trace, &error), -1);
    ck_assert_msg(strstr(error.text, path) != NULL, "%s", error.text);
    return error.code;
}

START_TEST(test_reader_open_file)
{
    char dir[] = "/tmp/check_reader.XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(error_of_path(dir), F4P_READ_NOT_REGULAR);
    ck_assert_int_eq(error_of_path("/dev/zero"), F4P_READ_NOT_REGULAR);
    snprintf(path, sizeof path, "%s/t", dir);
    ck_assert_int_eq(error_of_path(path), F4P_READ_IO);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(error_of_path(path), F4P_READ_NOT_REGULAR); /* and does not wait for a writer */
    unlink(path);

    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 4096, 40, 1);
    f4p_fixture_churn(&f, 3000, 200);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(f.base, 1, SMALL, file), SMALL);
    fclose(file);
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_int_eq(f4p_trace_open(path, &trace, &error), 0);
    ck_assert(trace->damage.live_sound);
    ck_assert(same_live(trace, f.blocks, f.block_count));
    f4p_trace_close(trace);

    /* a sparse giant costs neither memory nor time */
    ck_assert_int_eq(truncate(path, 1l << 40), 0);
    ck_assert_int_eq(f4p_trace_open(path, &trace, &error), 0);
    ck_assert_uint_eq(trace->damage.missing_bytes, 0);
    f4p_trace_close(trace);
    unlink(path);
    rmdir(dir);
    finish(&f);
}
END_TEST

START_TEST(test_reader_untouched)
{
    struct f4p_header header;
    uint8_t *base = calloc(1, SMALL);
    ck_assert_int_eq(f4p_layout_header(&header, &(struct f4p_layout){.file_bytes = SMALL, .base_interval = 1}), 0);
    memcpy(base, &header, sizeof header);
    struct f4p_trace *trace = open_bytes(base, SMALL);
    ck_assert_uint_eq(trace->state.status, F4P_STATUS_EMPTY);
    ck_assert_uint_eq(trace->damage.bad_states + trace->damage.torn_bytes + trace->damage.bad_blocks, 0);
    ck_assert(trace->damage.live_sound && trace->damage.peak_sound);
    f4p_trace_close(trace);
    base[f4p_layout_find(&header, F4P_SECTION_LIVE)->offset] = 1; /* control: something was written after all */
    trace = open_bytes(base, SMALL);
    ck_assert_uint_eq(trace->damage.bad_states, 2);
    ck_assert(!trace->damage.live_sound);
    f4p_trace_close(trace);
    free(base);
}
END_TEST

/* ---- the live set ---- */

START_TEST(test_reader_live_exact)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, MEDIUM, 16384, 120, 3);
    for (int round = 0; round < 10; round++) {
        f4p_fixture_churn(&f, 2000, 900);
        struct f4p_trace *trace = open_fixture(&f);
        struct f4p_sums total = {0};
        ck_assert(trace->damage.live_sound && trace->damage.peak_sound);
        ck_assert_uint_eq(trace->damage.torn_bytes + trace->damage.bad_blocks + trace->damage.bad_live, 0);
        ck_assert(!trace->op_in_flight);
        ck_assert(same_live(trace, f.blocks, f.block_count));
        ck_assert_uint_eq(trace->site_count, f.w.state.sites);
        for (size_t i = 0; i < trace->site_count; i++) {
            ck_assert_mem_eq(&trace->sites[i].now, &f.w.sites[i].now, sizeof(struct f4p_sums));
            struct f4p_sums peak = i < f.peak_sites ? f.peak[i] : (struct f4p_sums){0};
            ck_assert_mem_eq(&trace->sites[i].peak, &peak, sizeof peak);
            f4p_sums_add(&total, &trace->sites[i].now);
        }
        ck_assert_mem_eq(&total, &trace->state.live, sizeof total);
        f4p_trace_close(trace);
    }
    finish(&f);
}
END_TEST

START_TEST(test_reader_live_thinned)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 1024, 50, 5);
    f4p_fixture_churn(&f, 60000, 20000); /* far more than the table takes */
    ck_assert_uint_gt(f.w.state.thinned, 0);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert(trace->damage.live_sound && trace->damage.peak_sound);
    ck_assert_uint_eq(trace->live_count, f.w.state.live.samples);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* Everything of the op is there but its commit: the reader undoes it. */
START_TEST(test_reader_op_in_flight)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 30, 7);
    f4p_fixture_churn(&f, 500, 100);
    struct f4p_control *control = f4p_fixture_section(&f, F4P_SECTION_CONTROL);
    for (int i = 0; i < 300; i++) {
        struct f4p_state before[2] = {control->state[0], control->state[1]};
        struct f4p_fixture_block *blocks = malloc((f.block_count + 1) * sizeof *blocks);
        size_t count = f.block_count;
        memcpy(blocks, f.blocks, count * sizeof *blocks);
        uint64_t seq = f.w.state.seq, commit = f.w.state.commit, peak_seq = f.w.state.peak.seq;
        f4p_fixture_churn(&f, 1, 100);
        if (f.w.state.seq != seq + 1 || f.w.state.commit != commit + 1) {
            free(blocks);
            continue; /* more than one commit */
        }
        struct f4p_state after[2] = {control->state[0], control->state[1]};
        memcpy(control->state, before, sizeof before);
        struct f4p_trace *trace = open_fixture(&f);
        ck_assert(trace->op_in_flight);
        ck_assert_uint_eq(trace->intent.seq, seq + 1);
        ck_assert(trace->damage.live_sound && trace->damage.peak_sound);
        ck_assert_uint_eq(trace->state.peak.seq, peak_seq);
        ck_assert(same_live(trace, blocks, count));
        f4p_trace_close(trace);

        control->intent.check ^= 1; /* control: without the intent the same bytes are not sound */
        trace = open_fixture(&f);
        ck_assert(!trace->op_in_flight && !trace->damage.live_sound);
        f4p_trace_close(trace);
        control->intent.check ^= 1;
        memcpy(control->state, after, sizeof after);
        free(blocks);
    }
    finish(&f);
}
END_TEST

START_TEST(test_reader_states)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 30, 7);
    f4p_fixture_churn(&f, 500, 100);
    struct f4p_control *control = f4p_fixture_section(&f, F4P_SECTION_CONTROL);
    struct f4p_state *newest = &control->state[f.w.state.commit & 1];
    control->state[(f.w.state.commit + 1) & 1].seq++; /* the other copy half written */
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert(trace->damage.live_sound);
    ck_assert_uint_eq(trace->damage.bad_states, 0);
    f4p_trace_close(trace);

    newest->seq++; /* both: what is there is shown, nothing as sound */
    trace = open_fixture(&f);
    ck_assert_uint_eq(trace->damage.bad_states, 2);
    ck_assert(!trace->damage.live_sound && !trace->damage.peak_sound);
    ck_assert(same_live(trace, f.blocks, f.block_count));
    ck_assert_uint_eq(trace->site_count, f.w.state.sites);
    ck_assert_str_eq(trace->codes[1].name, "load");
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* ---- damage ---- */

/* Nothing in it may crash whoever follows its references, and what it calls sound is what the oracle says. */
static void use(const struct f4p_trace *trace)
{
    struct f4p_sums *sums = malloc((trace->site_count + 1) * sizeof *sums);
    struct f4p_instant got;
    size_t count, length = 0;
    const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_le(stretches[i].from_ns, stretches[i].to_ns);
        f4p_trace_heap_at(trace, stretches[i].from_ns + (stretches[i].to_ns - stretches[i].from_ns) / 2, sums, &got);
    }
    f4p_trace_heap_at(trace, trace->state.t_ns / 2, sums, &got);
    for (size_t i = 0; i < trace->live_count; i++)
        ck_assert_uint_lt(trace->live[i].site, trace->site_count);
    for (size_t i = 0; i < trace->site_count; i++) {
        uint32_t node = trace->sites[i].stack;
        for (uint32_t depth = 0; node != F4P_NONE; depth++, node = trace->nodes[node].parent) {
            ck_assert_uint_lt(node, trace->node_count);
            uint32_t object = trace->nodes[node].object;
            if (object < F4P_NODE_NATIVE)
                length += strlen(trace->codes[object].name) + trace->codes[object].table_bytes;
            else if (object < F4P_NODE_SPECIAL)
                length += strlen(trace->modules[object - F4P_NODE_NATIVE].path);
        }
        ck_assert(trace->sites[i].thread == F4P_NONE || trace->sites[i].thread < trace->thread_count);
    }
    ck_assert_uint_ne(length, 1);
    free(sums);
}

struct copy {
    uint8_t *bytes;
    struct f4p_fixture_block *blocks;
    size_t count;
    struct f4p_sums peak;
};

static struct copy copy_of(const struct f4p_fixture *f)
{
    struct copy copy = {malloc(f->header.file_bytes), malloc((f->block_count + 1) * sizeof *copy.blocks),
                        f->block_count, f->w.state.peak.sums};
    memcpy(copy.bytes, f->base, f->header.file_bytes);
    memcpy(copy.blocks, f->blocks, f->block_count * sizeof *copy.blocks);
    return copy;
}

static void drop(struct copy *copy)
{
    free(copy->bytes);
    free(copy->blocks);
}

/* Power loss: sectors of several moments in one file. */
START_TEST(test_reader_splice)
{
    enum { MOMENTS = 4 };
    struct f4p_fixture f;
    struct copy moments[MOMENTS];
    unsigned sound = 0, unsound = 0;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 60, 11);
    f4p_fixture_churn(&f, 4000, 300);
    for (int i = 0; i < MOMENTS; i++) {
        f4p_fixture_churn(&f, i == 2 ? 1 : 40, 300);
        moments[i] = copy_of(&f);
    }
    uint8_t *bytes = malloc(SMALL);
    for (int round = 0; round < 400; round++) {
        size_t sector = round % 2 ? 512 : 4096;
        memcpy(bytes, moments[round % MOMENTS].bytes, SMALL);
        unsigned rate = 1 + (unsigned)(f4p_fixture_random(&f) % 40);
        for (size_t at = 4096; at < SMALL; at += sector)
            if (f4p_fixture_random(&f) % 40 < rate)
                memcpy(bytes + at, moments[f4p_fixture_random(&f) % MOMENTS].bytes + at, sector);
        struct f4p_trace *trace = open_bytes(bytes, SMALL);
        bool live_known = false, peak_known = false;
        for (int i = 0; i < MOMENTS; i++) {
            live_known = live_known || same_live(trace, moments[i].blocks, moments[i].count);
            peak_known = peak_known || memcmp(&trace->state.peak.sums, &moments[i].peak, sizeof moments[i].peak) == 0;
        }
        ck_assert(!trace->damage.live_sound || live_known);
        ck_assert(!trace->damage.peak_sound || peak_known);
        sound += trace->damage.live_sound;
        unsound += !trace->damage.live_sound;
        use(trace);
        f4p_trace_close(trace);
    }
    ck_assert_uint_gt(sound, 0);
    ck_assert_uint_gt(unsound, 0);
    for (int i = 0; i < MOMENTS; i++)
        drop(&moments[i]);
    free(bytes);
    finish(&f);
}
END_TEST

/* Changed bytes everywhere but in the header; with some checks made right again, as an attacker would. */
START_TEST(test_reader_noise)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 60, 13);
    f4p_fixture_churn(&f, 8000, 300);
    struct copy clean = copy_of(&f);
    uint8_t *bytes = malloc(SMALL);
    const struct f4p_section *control = f4p_layout_find(&f.header, F4P_SECTION_CONTROL);
    for (int round = 0; round < 400; round++) {
        memcpy(bytes, clean.bytes, SMALL);
        for (uint64_t n = 1 + f4p_fixture_random(&f) % 200; n > 0; n--) {
            const struct f4p_section *s = &f.header.sections[f4p_fixture_random(&f) % f.header.section_count];
            bytes[s->offset + f4p_fixture_random(&f) % s->bytes] = (uint8_t)f4p_fixture_random(&f);
        }
        struct f4p_control *c = (struct f4p_control *)(bytes + control->offset);
        for (int i = 0; i < 2; i++) {
            uint8_t *state = (uint8_t *)&c->state[i];
            for (int n = round % 4; n > 0; n--)
                state[f4p_fixture_random(&f) % sizeof c->state[i]] = (uint8_t)f4p_fixture_random(&f);
            c->state[i].check = f4p_hash(&c->state[i], offsetof(struct f4p_state, check), 0);
        }
        c->intent.seq = c->state[round & 1].seq + (uint64_t)(round % 3);
        c->intent.live_index[0] = (uint32_t)f4p_fixture_random(&f);
        c->intent.site_count = (uint32_t)f4p_fixture_random(&f);
        c->intent.check = f4p_hash(&c->intent, offsetof(struct f4p_intent, check), 0);
        struct f4p_trace *trace = open_bytes(bytes, SMALL);
        use(trace);
        f4p_trace_close(trace);
    }
    free(bytes);
    drop(&clean);
    finish(&f);
}
END_TEST

START_TEST(test_reader_cut)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 60, 17);
    f4p_fixture_churn(&f, 8000, 300);
    for (size_t bytes = sizeof f.header; bytes < SMALL; bytes += bytes < 20000 ? 97 : 4999) {
        uint8_t *exact = malloc(bytes); /* so that a sanitizer sees every byte too far */
        memcpy(exact, f.base, bytes);
        struct f4p_trace *trace = open_bytes(exact, bytes);
        free(exact);
        ck_assert_uint_eq(trace->damage.missing_bytes, SMALL - bytes);
        ck_assert(!trace->damage.live_sound || same_live(trace, f.blocks, f.block_count));
        use(trace);
        f4p_trace_close(trace);
    }
    finish(&f);
}
END_TEST

START_TEST(test_reader_damaged_tables)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 60, 19);
    f4p_fixture_churn(&f, 1000, 300);
    struct f4p_node *nodes = f4p_fixture_section(&f, F4P_SECTION_NODES);
    struct f4p_site *sites = f4p_fixture_section(&f, F4P_SECTION_SITES);
    struct f4p_live *live = f4p_fixture_section(&f, F4P_SECTION_LIVE);
    uint32_t used = 0;
    while (!live[used].kind)
        used++;
    nodes[3].offset ^= 1;
    nodes[5].parent = 9; /* a cycle, with a right check */
    nodes[5].check = (uint32_t)f4p_hash(&nodes[5], 12, 5);
    sites[2].last_t_ns ^= 1;
    live[used].size ^= 1;
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_eq(trace->damage.bad_nodes, 2);
    ck_assert_uint_eq(trace->nodes[5].parent, F4P_NONE);
    ck_assert_uint_eq(trace->nodes[3].object, F4P_NODE_SPECIAL + F4P_SPECIAL_UNKNOWN_CODE);
    ck_assert_uint_eq(trace->damage.bad_sites, 1);
    ck_assert_uint_eq(trace->sites[2].stack, F4P_NONE);
    ck_assert_uint_eq(trace->damage.bad_live, 1);
    ck_assert(!trace->damage.live_sound && !trace->damage.peak_sound);
    ck_assert_uint_eq(trace->live_count, f.block_count - 1);
    ck_assert_uint_eq(trace->damage.torn_bytes,
                      2 * sizeof(struct f4p_node) + sizeof(struct f4p_site) + sizeof(struct f4p_live));
    use(trace);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* ---- requests, vitals ---- */

START_TEST(test_reader_requests)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 20, 23);
    f4p_fixture_churn(&f, 400, 100);
    uint32_t index = f4p_writer_find(&f.w, f.blocks[0].address);
    struct f4p_request ask = {.tid = 7,
                              .kind = F4P_REQUEST_REALLOC,
                              .size = 1 << 30,
                              .old_size = f.blocks[0].size,
                              .address = f.blocks[0].address,
                              .live = index,
                              .site = 3};
    uint32_t slot = f4p_writer_request_begin(&f.w, &ask);
    ask.tid = 8;
    ask.address ^= 64; /* the entry is another block's by now */
    f4p_writer_request_begin(&f.w, &ask);
    ask.tid = 9;
    uint32_t torn = f4p_writer_request_begin(&f.w, &ask);
    struct f4p_control *control = f4p_fixture_section(&f, F4P_SECTION_CONTROL);
    control->requests[torn].size++;

    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_eq(trace->request_count, 2);
    ck_assert_uint_eq(trace->requests_torn, 1);
    ck_assert_uint_lt(trace->requests[0].live, trace->live_count);
    ck_assert_uint_eq(trace->live[trace->requests[0].live].address, f.blocks[0].address);
    ck_assert_uint_eq(trace->requests[1].live, F4P_NONE);
    f4p_trace_close(trace);
    f4p_writer_request_end(&f.w, slot);
    trace = open_fixture(&f);
    ck_assert_uint_eq(trace->request_count, 1);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

static struct f4p_vitals rss_of(uint64_t seq, uint64_t rss)
{
    struct f4p_vitals vitals = {.seq = seq, .valid = 1 << F4P_VITAL_rss};
    vitals.value[F4P_VITAL_rss] = rss;
    vitals.check = f4p_hash(&vitals, offsetof(struct f4p_vitals, check), 0);
    return vitals;
}

START_TEST(test_reader_vitals)
{
    struct f4p_fixture f;
    uint64_t value;
    f4p_fixture_make(&f, NULL, SMALL, 8192, 20, 29);
    struct f4p_control *control = f4p_fixture_section(&f, F4P_SECTION_CONTROL);
    control->first = rss_of(1, 1000);
    control->last[0] = rss_of(4, 4000);
    control->last[1] = rss_of(3, 3000);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert(f4p_vitals_get(trace->first, F4P_VITAL_rss, &value) && value == 1000);
    ck_assert(f4p_vitals_get(trace->last, F4P_VITAL_rss, &value) && value == 4000);
    ck_assert(!f4p_vitals_get(trace->last, F4P_VITAL_swap, &value));
    ck_assert(!f4p_vitals_get(NULL, F4P_VITAL_rss, &value));
    ck_assert(!trace->has_launch && !trace->launch_first);
    f4p_trace_close(trace);
    control->last[0].value[0]++; /* torn: the older one counts */
    trace = open_fixture(&f);
    ck_assert(f4p_vitals_get(trace->last, F4P_VITAL_rss, &value) && value == 3000);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* ---- a trace that is being written ---- */

static void write_until_killed(uint8_t *base, long pause_ns)
{
    struct f4p_fixture f;
    struct timespec pause = {0, pause_ns};
    f4p_fixture_make(&f, base, SMALL, 8192, 60, 31);
    for (;;) {
        f4p_fixture_churn(&f, pause_ns ? 4 : 50, 400);
        if (pause_ns)
            nanosleep(&pause, NULL);
    }
}

static const long pauses[] = {0, 1000, 100000}; /* ns; with few ops to a look it is mostly exact */

START_TEST(test_reader_moving)
{
    char path[] = "/tmp/check_reader.XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, SMALL), 0);
    uint8_t *base = mmap(NULL, SMALL, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(base, MAP_FAILED);
    pid_t child = fork();
    if (child == 0)
        write_until_killed(base, pauses[_i]);

    struct f4p_trace *trace;
    struct f4p_error error;
    unsigned opened = 0, complained = 0;
    while (opened < (pauses[_i] ? 500 : 50)) {
        if (f4p_trace_open(path, &trace, &error) == 0) {
            opened += trace->state.seq > 0;
            complained += (!trace->damage.live_sound || trace->damage.torn_bytes) && !trace->moving && trace->state.seq;
            use(trace);
            f4p_trace_close(trace);
        }
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    ck_assert_uint_eq(complained, 0); /* unsound only because it moves, and then it says so */
    ck_assert_int_eq(f4p_trace_open(path, &trace, &error), 0);
    ck_assert(trace->damage.live_sound && trace->damage.peak_sound && trace->moving == 0);
    f4p_trace_close(trace);
    munmap(base, SMALL);
    close(fd);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reader");
    TCase *tests = tcase_create("reader");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_reader_open_foreign);
    tcase_add_test(tests, test_reader_open_header);
    tcase_add_test(tests, test_reader_open_file);
    tcase_add_test(tests, test_reader_untouched);
    tcase_add_test(tests, test_reader_live_exact);
    tcase_add_test(tests, test_reader_live_thinned);
    tcase_add_test(tests, test_reader_op_in_flight);
    tcase_add_test(tests, test_reader_states);
    tcase_add_test(tests, test_reader_splice);
    tcase_add_test(tests, test_reader_noise);
    tcase_add_test(tests, test_reader_cut);
    tcase_add_test(tests, test_reader_damaged_tables);
    tcase_add_test(tests, test_reader_requests);
    tcase_add_test(tests, test_reader_vitals);
    tcase_add_loop_test(tests, test_reader_moving, 0, sizeof pauses / sizeof *pauses);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
