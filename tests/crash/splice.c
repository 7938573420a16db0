/*
 * Power loss: files whose 4 KiB pages or 512 B sectors come from different moments of one trace, or were never written.
 * Also every length a file can be cut to, and flipped bits. The reader must not crash, and what it calls sound must be
 * what some moment's whole file says.
 *
 * usage: crash_splice [--files N] [--seed N]
 * Exit status 0: nothing wrong was called sound; 1: something was, and is described.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "format/layout.h"
#include "format/reader.h"
#include "small.h"

#define SHOTS 16
#define SECTOR 512u
#define LIVE_ROOM 1024

/* A moment: the whole file, and what the reader makes of it. */
struct shot {
    uint8_t *bytes;
    uint64_t seq, live_hash, peak_hash;
    size_t live_count;
};

/* What was true after a call into the writer: a file that has lost its newest state may still prove the one before. */
struct truth {
    uint64_t seq, live_hash, peak_hash;
};
#define TRUTHS 65536u

static struct small small;
static struct truth truths[TRUTHS]; /* by seq % TRUTHS */
static struct small_oracle oracle;
static struct f4p_header header;
static uint8_t *base, *file;
static struct shot shots[SHOTS];
static unsigned shot_count;
static uint64_t rng, countdown;
static bool noting;

#define COVERED(X)      \
    X(files)            \
    X(refused)          \
    X(live_sound)       \
    X(live_unsound)     \
    X(live_differs)     \
    X(peak_sound)       \
    X(peak_unsound)     \
    X(peak_differs)     \
    X(instants)         \
    X(instants_unsound) \
    X(cuts)             \
    X(flips)
static struct {
#define X(name) uint64_t name;
    COVERED(X)
#undef X
} covered;

static uint64_t next(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return rng;
}

static void die(const char *what, const char *how)
{
    FILE *out = fopen("crash_splice.trace", "wb");
    if (out) {
        fwrite(file, 1, header.file_bytes, out);
        fclose(out);
    }
    printf("WRONG after %llu files (%s): %s; kept as crash_splice.trace\n", (unsigned long long)covered.files, how,
           what);
    exit(1);
}

/* ---- moments ---- */

/* Independent of order and of how the reader keeps them. */
static uint64_t live_set(const struct f4p_trace *trace)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < trace->live_count; i++)
        sum += f4p_hash(&trace->live[i], offsetof(struct f4p_live, check), 12345);
    return sum;
}

static uint64_t peak_set(const struct f4p_trace *trace)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < trace->site_count; i++)
        if (trace->sites[i].peak.samples)
            sum += f4p_hash(&trace->sites[i].peak, sizeof trace->sites[i].peak, 777 + i);
    return sum;
}

/* The same from the writer's tables, whenever it commits. */
uint64_t __real_f4p_hash(const void *data, size_t bytes, uint64_t seed);
uint64_t __wrap_f4p_hash(const void *data, size_t bytes, uint64_t seed);

static void note_truth(void)
{
    const struct f4p_writer *w = &small.w;
    struct truth truth = {.seq = w->state.seq};
    for (uint32_t i = 0; i < w->state.live_high; i++)
        if (w->live[i].kind)
            truth.live_hash += __real_f4p_hash(&w->live[i], offsetof(struct f4p_live, check), 12345);
    for (uint32_t i = 0; i < w->state.sites; i++) {
        const struct f4p_site *site = &w->sites[i];
        const struct f4p_sums *peak = site->epoch == w->state.peak_epoch ? &site->peak : &site->now;
        if (peak->samples)
            truth.peak_hash += __real_f4p_hash(peak, sizeof *peak, 777 + i);
    }
    truths[truth.seq % TRUTHS] = truth;
}

static const struct truth *truth_of(uint64_t seq)
{
    const struct truth *truth = &truths[seq % TRUTHS];
    return truth->seq == seq && seq ? truth : NULL;
}

static struct f4p_trace *open_file(size_t bytes, struct f4p_error *error)
{
    struct f4p_trace *trace;
    return f4p_trace_open_memory(file, bytes, &trace, error) == 0 ? trace : NULL;
}

static void take_shot(void)
{
    struct shot *shot = &shots[shot_count++];
    struct f4p_error error;
    shot->bytes = malloc(header.file_bytes);
    if (!shot->bytes)
        abort();
    memcpy(shot->bytes, base, header.file_bytes);
    memcpy(file, base, header.file_bytes);
    struct f4p_trace *trace = open_file(header.file_bytes, &error);
    if (!trace || !trace->damage.live_sound || !trace->damage.peak_sound)
        die("a whole file is not sound", "no splice");
    *shot = (struct shot){shot->bytes, trace->state.seq, live_set(trace), peak_set(trace), trace->live_count};
    f4p_trace_close(trace);
}

/* Moments are taken where the writer computes a check: in the middle of ops, of seals, of key frames. */
uint64_t __wrap_f4p_hash(const void *data, size_t bytes, uint64_t seed)
{
    if (noting && data == &small.w.state)
        note_truth();
    if (countdown && --countdown == 0 && shot_count < SHOTS)
        take_shot();
    return __real_f4p_hash(data, bytes, seed);
}

static void free_shots(void)
{
    while (shot_count)
        free(shots[--shot_count].bytes);
}

static void make_shots(uint64_t seed)
{
    /* Every third trace is thinned; in every third the rings wrap. */
    struct small_sizes sizes = {seed % 3 ? 256 : 128, 128, 512, 12288, 81920, 8192};
    small_header(&header, &sizes, seed % 2 ? 512 : 1);
    free(base);
    free(file);
    base = calloc(1, header.file_bytes);
    file = calloc(1, header.file_bytes);
    if (!base || !file)
        abort();
    memset(&oracle, 0, sizeof oracle);
    small_begin(&small, base, &header, &oracle, seed);
    small.target = 40 + (uint32_t)(next() % 60);
    small.step_ns = next() % 2 ? 20000 : 2000000;
    uint64_t calls = 50 + next() % (seed % 3 == 1 ? 40000 : 6000);
    for (uint64_t i = 0; i < calls; i++)
        small_step(&small);
    memset(truths, 0, sizeof truths);
    noting = true;
    while (shot_count < SHOTS) {
        for (uint64_t i = next() % (next() % 4 ? 12 : 3000); i; i--)
            small_step(&small);
        countdown = 1 + next() % 40;
        while (countdown)
            small_step(&small);
    }
    noting = false;
    free(small.memory);
}

/* ---- splices ---- */

enum strategy { PREFIX, PAGES, SECTORS, TWO_SECTORS, NEVER_WRITTEN, SECTIONS, ONLY_ONE_SECTION, STRATEGIES };
static const char *const strategy_names[] = {
    "prefix", "pages", "sectors", "sectors of two moments", "pages never written", "sections", "one section"};

static void copy(const struct shot *from, uint64_t at, uint64_t bytes)
{
    memcpy(file + at, from->bytes + at, bytes);
}

static const struct shot *any(void)
{
    return &shots[next() % SHOTS];
}

/* Returns the kind of the only section that is from elsewhere, or 0. */
static uint32_t splice(enum strategy strategy)
{
    const struct shot *one = any(), *two = any();
    const struct f4p_section *section = &header.sections[next() % header.section_count];
    uint64_t unit =
        strategy == PAGES || strategy == NEVER_WRITTEN || (strategy == PREFIX && next() % 2) ? F4P_PAGE : SECTOR;
    uint64_t share = 1 + next() % 99, cut = next() % (header.file_bytes / unit) * unit;

    copy(one, 0, header.file_bytes);
    switch (strategy) {
    case PREFIX:
        copy(two, cut, header.file_bytes - cut);
        break;
    case SECTIONS:
        for (uint32_t i = 0; i < header.section_count; i++)
            copy(any(), header.sections[i].offset, header.sections[i].bytes);
        break;
    case ONLY_ONE_SECTION:
        copy(two, section->offset, section->bytes);
        return section->kind;
    default:
        for (uint64_t at = F4P_PAGE; at < header.file_bytes; at += unit) {
            if (next() % 100 >= share)
                continue;
            if (strategy == NEVER_WRITTEN)
                memset(file + at, 0, unit);
            else
                copy(strategy == TWO_SECTORS ? two : any(), at, unit);
        }
    }
    return 0;
}

/* ---- the verdict ---- */

static void check_live(const struct f4p_trace *trace, const char *how)
{
    uint64_t hash = live_set(trace);
    bool same = false, known = false;
    for (unsigned i = 0; i < shot_count; i++) {
        known |= shots[i].live_hash == hash && shots[i].live_count == trace->live_count;
        same |=
            shots[i].live_hash == hash && shots[i].live_count == trace->live_count && shots[i].seq == trace->state.seq;
    }
    const struct truth *truth = truth_of(trace->state.seq);
    same |= truth && truth->live_hash == hash;
    bool empty = trace->state.seq == 0 && trace->live_count == 0; /* CONTROL was never written */
    if (trace->damage.live_sound && !same && !empty)
        die("a live set that never was is called sound", how);
    covered.live_sound += trace->damage.live_sound;
    covered.live_unsound += !trace->damage.live_sound;
    covered.live_differs += !known;
}

static void check_peak(const struct f4p_trace *trace, const char *how)
{
    uint64_t hash = peak_set(trace);
    bool known = trace->state.seq == 0;
    for (unsigned i = 0; i < shot_count; i++)
        known |= shots[i].peak_hash == hash;
    const struct truth *truth = truth_of(trace->state.seq);
    known |= truth && truth->peak_hash == hash;
    if (trace->damage.peak_sound && !known)
        die("a peak that never was is called sound", how);
    covered.peak_sound += trace->damage.peak_sound;
    covered.peak_unsound += !trace->damage.peak_sound;
    covered.peak_differs += !known;
}

static const struct small_moment *moment_at(uint64_t t_ns)
{
    uint64_t high = oracle.moment_count, low = high > SMALL_MOMENTS ? high - SMALL_MOMENTS : 0, first = low;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (oracle.moments[middle % SMALL_MOMENTS].t_ns <= t_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > first ? &oracle.moments[(low - 1) % SMALL_MOMENTS] : NULL;
}

static void check_instants(const struct f4p_trace *trace, const char *how)
{
    static struct f4p_sums sums[4096];
    if (trace->site_count > sizeof sums / sizeof *sums)
        die("more sites than there can be", how);
    for (int i = 0; i < 8; i++) {
        struct f4p_instant got;
        uint64_t t = trace->state.t_ns ? next() % trace->state.t_ns : 0;
        if (f4p_trace_heap_at(trace, t, sums, &got) || got.kind != F4P_INSTANT_EXACT)
            continue;
        covered.instants += got.sound;
        covered.instants_unsound += !got.sound;
        const struct small_moment *truth = moment_at(t), *last = moment_at(trace->state.t_ns - 1);
        /* the last call's ops have one time; a state between them knows some of them */
        if (got.sound && truth && truth != last && truth->heap != got.total.bytes)
            die("a heap that never was is called sound", how);
    }
}

static bool visit(void *context, const struct f4p_event *event)
{
    *(uint64_t *)context += event->size;
    return true;
}

static void judge(size_t bytes, uint32_t only, const char *how)
{
    struct f4p_error error;
    struct f4p_trace *trace = open_file(bytes, &error);
    covered.files++;
    if (!trace) {
        covered.refused++;
        if (!error.text[0])
            die("refused without saying why", how);
        return;
    }
    check_live(trace, how);
    check_peak(trace, how);
    check_instants(trace, how);
    uint64_t sum = 0;
    f4p_trace_events(trace, 0, UINT64_MAX, visit, &sum);
    /* what is whole is used */
    bool spares_live = only && only != F4P_SECTION_CONTROL && only != F4P_SECTION_LIVE && only != F4P_SECTION_SITES;
    if (spares_live && (!trace->damage.live_sound || !trace->damage.peak_sound))
        die("damage elsewhere made the live set or the peak unsound", how);
    if (only == F4P_SECTION_LIVE && !trace->damage.peak_sound)
        die("damage of the live set made the peak unsound", how);
    f4p_trace_close(trace);
}

/* ---- cuts and flips ---- */

/* At every byte of header and state, and at every `step`th behind them. */
static void cut_everywhere(uint64_t step)
{
    copy(&shots[0], 0, header.file_bytes);
    for (uint64_t bytes = 0; bytes < header.file_bytes; bytes += bytes < 2 * F4P_PAGE + 8192 ? 1 : step, covered.cuts++)
        judge(bytes, 0, "cut");
}

static void flip(void)
{
    copy(any(), 0, header.file_bytes);
    /* every other time where the newest deltas stand, which is a small part of the file */
    const struct f4p_section *open = f4p_layout_find(&header, F4P_SECTION_OPEN);
    uint64_t first = covered.flips % 2 ? open->offset : F4P_PAGE;
    uint64_t bytes = covered.flips % 2 ? 1024 : header.file_bytes - F4P_PAGE;
    for (uint64_t i = 1 + next() % 8; i; i--)
        file[first + next() % bytes] ^= (uint8_t)(1u << next() % 8);
    covered.flips++;
    judge(header.file_bytes, 0, "flipped bits");
}

int main(int argc, char **argv)
{
    uint64_t files = 2000, seed = 1;
    for (int i = 1; i + 1 < argc; i += 2)
        *(strcmp(argv[i], "--files") == 0 ? &files : &seed) = strtoull(argv[i + 1], NULL, 10);
    rng = seed * 2654435761u + 1;
    uint64_t spliced = 0;
    for (uint64_t run = seed; spliced < files; run++) {
        free_shots();
        make_shots(run);
        for (int i = 0; i < 250 && spliced < files; i++, spliced++) {
            enum strategy strategy = (enum strategy)(next() % STRATEGIES);
            uint32_t only = splice(strategy);
            judge(header.file_bytes, only, strategy_names[strategy]);
        }
        for (int i = 0; i < 50; i++)
            flip();
        if (run == seed)
            cut_everywhere(files >= 10000 ? 1 : 97);
    }
    free_shots();
    printf("spliced %llu\n", (unsigned long long)spliced);
#define X(name) printf("%s %llu\n", #name, (unsigned long long)covered.name);
    COVERED(X)
#undef X
    if (covered.live_differs < files / 10 || covered.peak_differs < files / 100)
        die("too few files differ from all moments: nothing is shown", "all");
    return 0;
}
