/* What was resident: kept in a trace, read from it, and worked out. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzer/ledger.h"
#include "format/hash.h"
#include "format/layout.h"
#include "format/weight.h"
#include "recorder/residency.h"
#include "tests/support_run.h"
#include "tests/support_trace.h"

#define MIB (1ull << 20)
#define FILE_BYTES (4 * MIB)
#define INTERVAL 65536u
#define BLOCK (512u << 10)

/* ---- the equation ---- */

static struct f4p_ledger ledger_of(uint64_t heap, uint64_t resident, uint64_t allocators, uint64_t anonymous,
                                   uint64_t rss)
{
    struct f4p_ledger ledger = {.seq = 1, .t_ns = 5, .from_ns = 3};
    ledger.value[F4P_LEDGER_rss] = rss;
    ledger.value[F4P_LEDGER_heap] = heap;
    ledger.value[F4P_LEDGER_heap_resident] = resident;
    ledger.value[F4P_LEDGER_allocators] = allocators;
    ledger.value[F4P_LEDGER_anonymous] = anonymous;
    ledger.value[F4P_LEDGER_files] = 7;
    ledger.valid = (1ull << F4P_LEDGER_COUNT) - 1;
    return ledger;
}

static int64_t sum(const struct f4p_rss_ledger *ledger)
{
    int64_t total = ledger->unexplained;
    for (int i = 0; i < F4P_RSS_TERM_COUNT; i++)
        total += f4p_rss_term_sign((enum f4p_rss_term)i) * (int64_t)ledger->term[i];
    return total;
}

START_TEST(test_ledger_adds_up)
{
    struct f4p_ledger found = ledger_of(1000, 600, 700, 50, 757);
    struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&found);
    ck_assert(ledger.known && ledger.classes);
    ck_assert_uint_eq(ledger.term[F4P_RSS_UNTOUCHED], 400);
    ck_assert_uint_eq(ledger.term[F4P_RSS_SLACK], 100);
    ck_assert_uint_eq(ledger.term[F4P_RSS_ARENAS], 50);
    ck_assert_int_eq(ledger.unexplained, 0);
    ck_assert_int_eq(sum(&ledger), 757);
}
END_TEST

/* Control: a figure that is wrong by as little as it likes shows. */
START_TEST(test_ledger_shows_what_is_wrong)
{
    struct f4p_ledger found = ledger_of(1000, 600, 700, 50, 857);
    ck_assert_int_eq(f4p_rss_ledger_make(&found).unexplained, 100);
    found = ledger_of(1000, 600, 400, 50, 457);
    struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&found); /* more heap than there is anonymous memory */
    ck_assert_int_eq(ledger.unexplained, -150);
    ck_assert_uint_eq(ledger.term[F4P_RSS_ARENAS], 0);
    ck_assert_int_eq(sum(&ledger), 457);
}
END_TEST

START_TEST(test_ledger_takes_heap_from_other_mappings)
{
    struct f4p_ledger found = ledger_of(600, 600, 500, 300, 807);
    struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&found);
    ck_assert_uint_eq(ledger.term[F4P_RSS_SLACK], 0);
    ck_assert_uint_eq(ledger.term[F4P_RSS_ARENAS], 200);
    ck_assert_int_eq(ledger.unexplained, 0);
    found.value[F4P_LEDGER_object_arenas] = 250; /* pymalloc's are the heap's, but only as far as they are there */
    ledger = f4p_rss_ledger_make(&found);
    ck_assert_uint_eq(ledger.term[F4P_RSS_SLACK], 150);
    ck_assert_uint_eq(ledger.term[F4P_RSS_ARENAS], 50);
    found.value[F4P_LEDGER_object_arenas] = 5000;
    ledger = f4p_rss_ledger_make(&found);
    ck_assert_uint_eq(ledger.term[F4P_RSS_ARENAS], 0);
    ck_assert_int_eq(ledger.unexplained, 0);
}
END_TEST

START_TEST(test_ledger_without_classes)
{
    struct f4p_ledger found = ledger_of(1000, 600, 700, 50, 757);
    found.valid &= ~(1ull << F4P_LEDGER_allocators);
    struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&found);
    ck_assert(ledger.known && !ledger.classes);
    ck_assert_int_eq(ledger.unexplained, 157);
    found.valid = 0;
    ck_assert(!f4p_rss_ledger_make(&found).known);
    ck_assert(!f4p_rss_ledger_make(NULL).known);
}
END_TEST

START_TEST(test_ledger_survives_any_figures)
{
    uint64_t random = 1;
    for (int i = 0; i < 20000; i++) {
        struct f4p_ledger found = {.seq = 1};
        for (unsigned k = 0; k < F4P_LEDGER_SLOTS; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            found.value[k] = i % 3 ? random >> (random >> 58) : UINT64_MAX;
        }
        found.valid = random | 1;
        found.t_ns = random;
        struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&found);
        ck_assert_int_eq(sum(&ledger), (int64_t)ledger.rss);
        ck_assert_uint_le(ledger.from_ns, ledger.t_ns);
    }
}
END_TEST

/* ---- in the file ---- */

static struct f4p_resident *head_of(struct f4p_fixture *f)
{
    return f4p_fixture_section(f, F4P_SECTION_RESIDENT);
}

static struct f4p_trace *open_trace(struct f4p_fixture *f)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_int_eq(f4p_trace_open_memory(f->base, f->header.file_bytes, &trace, &error), 0);
    return trace;
}

static void put_ledger(struct f4p_ledger *slot, uint64_t seq, uint64_t rss)
{
    *slot = ledger_of(1000, 500, 600, 0, rss);
    slot->seq = seq;
    f4p_residency_seal(slot);
}

START_TEST(test_file_newest_ledger_counts)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, FILE_BYTES, INTERVAL, 3, 1);
    f4p_fixture_churn(&f, 50, 10);
    struct f4p_trace *trace = open_trace(&f);
    ck_assert_ptr_null(trace->ledger);
    f4p_trace_close(trace);
    put_ledger(&head_of(&f)->last[0], 4, 400);
    put_ledger(&head_of(&f)->last[1], 5, 500);
    trace = open_trace(&f);
    ck_assert_uint_eq(trace->ledger->value[F4P_LEDGER_rss], 500);
    ck_assert_ptr_null(trace->ledger_peak);
    f4p_trace_close(trace);
    /* one torn: the older one, and nothing is damaged, for it may have been half written */
    head_of(&f)->last[1].value[F4P_LEDGER_files]++;
    trace = open_trace(&f);
    ck_assert_uint_eq(trace->ledger->value[F4P_LEDGER_rss], 400);
    ck_assert_uint_eq(trace->damage.torn_bytes, 0);
    f4p_trace_close(trace);
    /* both torn: none, and it is said */
    head_of(&f)->last[0].value[F4P_LEDGER_files]++;
    trace = open_trace(&f);
    ck_assert_ptr_null(trace->ledger);
    ck_assert_uint_eq(trace->damage.torn_bytes, 2 * sizeof(struct f4p_ledger));
    ck_assert(trace->damage.live_sound);
    f4p_trace_close(trace);
    f4p_fixture_free(&f);
    free(f.base);
}
END_TEST

/* Memory of which every second page was touched, as LIVE entry 0 .. of a trace. */
struct memory {
    struct f4p_fixture f;
    char *blocks[4];
    uint32_t page;
};

static void touch(char *block, size_t from, size_t to, size_t step)
{
    for (size_t at = from; at < to; at += step)
        block[at] = 1;
}

static void add_block(struct memory *m, uint32_t site, char *block, uint64_t size)
{
    f4p_writer_alloc(&m->f.w, &(struct f4p_block_facts){(uintptr_t)block, size, site, 0, F4P_KIND_MALLOC}, 1000);
}

static void make_memory(struct memory *m)
{
    f4p_fixture_make(&m->f, NULL, FILE_BYTES, INTERVAL, 3, 1);
    m->page = (uint32_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < 4; i++) {
        m->blocks[i] = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ck_assert_ptr_ne(m->blocks[i], MAP_FAILED);
        madvise(m->blocks[i], BLOCK, MADV_NOHUGEPAGE);
    }
    touch(m->blocks[1], 0, BLOCK, m->page);
    touch(m->blocks[2], 0, BLOCK, 2ul * m->page);
    for (uint32_t i = 0; i < 4; i++)
        add_block(m, i % 3, m->blocks[i], BLOCK);
}

static void free_memory(struct memory *m)
{
    for (int i = 0; i < 4; i++)
        munmap(m->blocks[i], BLOCK);
    f4p_fixture_free(&m->f);
    free(m->f.base);
}

static struct f4p_region regions[4096];
static struct f4p_residency look;
static struct f4p_residency_site site_sums[3];

/* In slices of `budget` units. Returns how many it took, 0: pagemap cannot be read here. */
static unsigned look_as(struct memory *m, uint32_t pid, int64_t budget, uint32_t room)
{
    struct f4p_mark *marks = (void *)(head_of(&m->f) + 1);
    static const struct f4p_range none[F4P_RESIDENCY_RANGES];
    uint32_t done = 0, count = m->f.w.state.live_high;
    unsigned slices = 0;

    memset(site_sums, 0, sizeof site_sums);
    f4p_residency_begin(&look, pid, regions, room, none, INT64_MAX, 1);
    look.sites = site_sums;
    look.site_room = 3;
    for (bool scanned = false; done < count; slices++) {
        int64_t left = budget;
        if (!f4p_residency_open(&look))
            return 0;
        scanned = scanned || f4p_residency_scan(&look, &left);
        if (scanned)
            done += f4p_residency_blocks(&look, m->f.w.live + done, marks + done, done, count - done, INTERVAL, &left);
        f4p_residency_close(&look);
    }
    f4p_residency_finish(&look);
    return look.failed ? 0 : slices;
}

static unsigned look_at(struct memory *m, int64_t budget, uint32_t room)
{
    return look_as(m, 0, budget, room);
}

static void check_shares(const struct f4p_trace *trace, const struct memory *m)
{
    static const float expected[] = {0, 1, 0.5f, 0};
    ck_assert_uint_eq(trace->live_count, 4);
    for (size_t i = 0; i < trace->live_count; i++)
        for (int k = 0; k < 4; k++)
            if (trace->live[i].address == (uintptr_t)m->blocks[k])
                ck_assert_float_eq_tol(trace->resident[i], expected[k], 0.02f);
}

START_TEST(test_look_finds_what_was_touched)
{
    struct memory m;
    make_memory(&m);
    if (look_at(&m, INT64_MAX, 4096)) {
        struct f4p_trace *trace = open_trace(&m.f);
        check_shares(trace, &m);
        f4p_trace_close(trace);
        struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&look.found);
        uint64_t heap = f4p_sample_weight(BLOCK, INTERVAL).bytes / F4P_Q8;
        ck_assert_int_le(llabs((long long)ledger.term[F4P_RSS_HEAP] - 4 * (long long)heap), 4);
        ck_assert_int_le(llabs((long long)ledger.term[F4P_RSS_UNTOUCHED] - 5 * (long long)heap / 2),
                         (long long)heap / 50);
        ck_assert_int_le(llabs(ledger.unexplained), (long long)ledger.rss / 20);
    }
    free_memory(&m);
}
END_TEST

/* As the launcher looks: where the kernel can list pages, the zero page is told from memory. */
START_TEST(test_look_from_outside)
{
    struct memory m;
    make_memory(&m);
    volatile char read_only = 0;
    for (size_t at = 0; at < BLOCK; at += m.page)
        read_only = (char)(read_only + m.blocks[3][at]);
    if (look_as(&m, (uint32_t)getpid(), INT64_MAX, 4096) && look.ranges) {
        struct f4p_trace *trace = open_trace(&m.f);
        check_shares(trace, &m);
        f4p_trace_close(trace);
        struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&look.found);
        ck_assert_int_le(llabs(ledger.unexplained), (long long)ledger.rss / 20);
        uint64_t resident = look.found.value[F4P_LEDGER_heap_resident];
        ck_assert_uint_gt(look_as(&m, (uint32_t)getpid(), 1, 4096), 20);
        ck_assert_uint_eq(look.found.value[F4P_LEDGER_heap_resident], resident);
    }
    free_memory(&m);
}
END_TEST

/* The smallest slices give the same as one. */
START_TEST(test_look_in_slices)
{
    struct memory m;
    make_memory(&m);
    if (look_at(&m, INT64_MAX, 4096)) {
        uint64_t resident = look.found.value[F4P_LEDGER_heap_resident];
        ck_assert_uint_gt(look_at(&m, 1, 4096), 20);
        ck_assert_uint_eq(look.found.value[F4P_LEDGER_heap_resident], resident);
        ck_assert_uint_gt(site_sums[1].bytes, 0);
        ck_assert_uint_eq(site_sums[0].resident, 0);
    }
    free_memory(&m);
}
END_TEST

START_TEST(test_look_with_too_many_mappings)
{
    struct memory m;
    make_memory(&m);
    if (look_at(&m, INT64_MAX, 3)) {
        struct f4p_rss_ledger ledger = f4p_rss_ledger_make(&look.found);
        ck_assert(ledger.known && !ledger.classes);
        ck_assert_uint_gt(ledger.rss, 0);
    }
    free_memory(&m);
}
END_TEST

/* A mark speaks of the block it was made for. */
START_TEST(test_mark_of_another_block)
{
    struct memory m;
    make_memory(&m);
    if (look_at(&m, INT64_MAX, 4096)) {
        uint32_t index = f4p_writer_find(&m.f.w, (uintptr_t)m.blocks[1]);
        f4p_writer_free(&m.f.w, index, 2000);
        add_block(&m, 0, m.blocks[1], BLOCK - 1);
        ck_assert_uint_eq(f4p_writer_find(&m.f.w, (uintptr_t)m.blocks[1]), index);
        struct f4p_trace *trace = open_trace(&m.f);
        for (size_t i = 0; i < trace->live_count; i++)
            ck_assert(trace->live[i].address == (uintptr_t)m.blocks[1] ? trace->resident[i] < 0
                                                                       : trace->resident[i] >= 0);
        f4p_trace_close(trace);
    }
    free_memory(&m);
}
END_TEST

/* ---- by site ---- */

START_TEST(test_sites_at_the_peak)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, FILE_BYTES, INTERVAL, 3, 1);
    for (uint32_t site = 0; site < 3; site++)
        f4p_fixture_alloc(&f, site, 10 * MIB);
    put_ledger(&head_of(&f)->peak[0], 7, 100);
    struct f4p_site_mark *marks =
        (void *)((struct f4p_mark *)(void *)(head_of(&f) + 1) +
                 f4p_layout_find(&f.header, F4P_SECTION_LIVE)->bytes / sizeof(struct f4p_live));
    marks[1] = f4p_residency_site_mark(1, 7, &(struct f4p_residency_site){1000, 250});
    marks[2] = f4p_residency_site_mark(2, 6, &(struct f4p_residency_site){1000, 250}); /* of an earlier look */

    struct f4p_trace *trace = open_trace(&f);
    struct f4p_sums *sums = calloc(trace->site_count, sizeof *sums);
    uint64_t *resident = calloc(trace->site_count, sizeof *resident);
    struct f4p_instant got;
    f4p_trace_heap_peak(trace, sums, &got);
    ck_assert(f4p_rss_sites_peak(trace, sums, resident));
    ck_assert_uint_eq(trace->site_count, 3);
    ck_assert_float_lt(trace->resident_at_peak[2], 0);
    ck_assert_double_eq_tol((double)resident[1], (double)sums[1].bytes / 4, (double)sums[1].bytes / 1000);
    ck_assert_double_eq_tol((double)resident[2], (double)sums[2].bytes / 2, (double)sums[2].bytes / 1000);
    ck_assert(!f4p_rss_sites_end(trace, sums, resident));
    free(sums);
    free(resident);
    f4p_trace_close(trace);
    f4p_fixture_free(&f);
    free(f.base);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *t = tcase_create("ledger");
    tcase_add_test(t, test_ledger_adds_up);
    tcase_add_test(t, test_ledger_shows_what_is_wrong);
    tcase_add_test(t, test_ledger_takes_heap_from_other_mappings);
    tcase_add_test(t, test_ledger_without_classes);
    tcase_add_test(t, test_ledger_survives_any_figures);
    tcase_add_test(t, test_file_newest_ledger_counts);
    tcase_add_test(t, test_look_finds_what_was_touched);
    tcase_add_test(t, test_look_from_outside);
    tcase_add_test(t, test_look_in_slices);
    tcase_add_test(t, test_look_with_too_many_mappings);
    tcase_add_test(t, test_mark_of_another_block);
    tcase_add_test(t, test_sites_at_the_peak);
    suite_add_tcase(suite, t);
    return support_run(suite);
}
