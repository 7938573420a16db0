/*
 * A long run: EVENTS allocations and frees through the writer into a trace of a few MiB, with the peak at its
 * beginning.
 *
 * usage: crash_long EVENTS [FILE_BYTES]
 * Exit status 0: the live set at the end, the heap at the peak and the timeline are right, however often the rings
 * wrapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/layout.h"
#include "format/reader.h"
#include "format/writer.h"

#define BLOCKS 512u
#define SITES 200u

static uint64_t address[BLOCKS], size[BLOCKS], site[BLOCKS];
static uint64_t rng = 88172645463325252u;

static uint64_t next(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static void die(const char *what)
{
    printf("WRONG: %s\n", what);
    exit(1);
}

static void check_live(const struct f4p_trace *trace)
{
    uint64_t there = 0;
    for (size_t i = 0; i < trace->live_count; i++) {
        const struct f4p_live *entry = &trace->live[i];
        unsigned slot = (unsigned)(entry->address >> 6) % BLOCKS;
        if (address[slot] != entry->address || size[slot] != entry->size || site[slot] != entry->site)
            die("the trace has a block that is not live");
        there++;
    }
    for (unsigned i = 0; i < BLOCKS; i++)
        there -= address[i] != 0;
    if (there)
        die("live blocks are missing");
}

/* Key frames thin out: some moment of the first half must still be known. */
static void check_history(const struct f4p_trace *trace)
{
    size_t count;
    const struct f4p_stretch *stretch = f4p_trace_history(trace, &count);
    size_t early = 0, late = 0;
    for (size_t i = 0; i < count; i++) {
        early += stretch[i].from_ns > 0 && stretch[i].from_ns < trace->state.t_ns / 2;
        late += stretch[i].from_ns >= trace->state.t_ns / 2;
    }
    printf("moments and stretches known: %zu in the first half, %zu in the second\n", early, late);
    if (early < 2 || late < 2)
        die("the first half of the run is forgotten");
}

static void check(const uint8_t *base, const struct f4p_writer *w, uint64_t peak, uint64_t peak_t)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    if (f4p_trace_open_memory(base, w->header.file_bytes, &trace, &error))
        die(error.text);
    if (!trace->damage.live_sound || !trace->damage.peak_sound || trace->damage.bad_blocks)
        die("not sound");
    check_live(trace);
    if (trace->state.peak.sums.bytes / F4P_Q8 != peak || trace->state.peak.t_ns != peak_t)
        die("the peak moved");
    if (trace->timeline_count < F4P_BUCKETS / 2 || trace->timeline[0].heap == 0)
        die("the timeline does not cover the run");
    check_history(trace);
    printf("ops %llu, laps of the history ring %llu, key frames %u\n", (unsigned long long)trace->state.seq,
           (unsigned long long)(trace->state.history_pos / w->history.bytes), trace->state.keyframe);
    f4p_trace_close(trace);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "usage: crash_long EVENTS [FILE_BYTES]\n"), 2;
    uint64_t events = strtoull(argv[1], NULL, 10);
    struct f4p_layout layout = {.file_bytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 4 << 20, .base_interval = 1};
    struct f4p_header header;
    static struct f4p_writer w;
    if (f4p_layout_header(&header, &layout))
        return fprintf(stderr, "crash_long: bad size\n"), 2;
    uint8_t *base = calloc(1, header.file_bytes);
    void *memory = calloc(1, f4p_writer_memory(&header));
    if (!base || !memory)
        return 2;
    memcpy(base, &header, sizeof header);
    f4p_writer_init(&w, base, &header, memory, 1);
    uint32_t root = f4p_writer_node(&w, F4P_NONE, 0, 2);
    for (uint32_t i = 1; i < SITES; i++)
        f4p_writer_site(&w, f4p_writer_node(&w, root, 0, 2 * i), i % 3);

    uint64_t t = 0, heap = 0, peak = 0, peak_t = 0;
    for (uint64_t i = 0; i < events; i++) {
        uint64_t r = next();
        unsigned slot = (unsigned)(r % BLOCKS);
        t += 100 + (r >> 50);
        if (address[slot]) {
            f4p_writer_free(&w, f4p_writer_find(&w, address[slot]), t);
            heap -= size[slot];
            address[slot] = 0;
            continue;
        }
        /* only the first 10,000 events have large blocks */
        size[slot] = 1 + (r >> 20) % (i < 10000 ? 1 << 20 : 4096);
        site[slot] = 1 + (r >> 40) % (SITES - 2);
        address[slot] = (1 + (r >> 12) % 100000) * 64 * BLOCKS + slot * 64;
        struct f4p_block_facts block = {address[slot], size[slot], (uint32_t)site[slot], 0, F4P_KIND_MALLOC};
        f4p_writer_alloc(&w, &block, t);
        heap += size[slot];
        if (heap > peak) {
            peak = heap;
            peak_t = t;
        }
    }
    check(base, &w, peak, peak_t);
    free(base);
    free(memory);
    return 0;
}
