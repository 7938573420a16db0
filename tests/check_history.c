/* History, timeline and records as the reader gives them back, against the real writer and its oracle. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "format/layout.h"
#include "format/reader.h"
#include "format/weight.h"
#include "tests/support_run.h"
#include "tests/support_trace.h"

#define SMALL (1u << 20)
#define MEDIUM (4u << 20)

static struct f4p_trace *open_fixture(const struct f4p_fixture *f)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_msg(f4p_trace_open_memory(f->base, f->header.file_bytes, &trace, &error) == 0, "%s", error.text);
    return trace;
}

static void finish(struct f4p_fixture *f)
{
    free(f->base);
    f4p_fixture_free(f);
}

/* Asks at `count` random times; every answer is what the oracle saw then. Returns how many were exact. */
static unsigned ask(const struct f4p_trace *trace, struct f4p_fixture *f, unsigned count)
{
    static const struct f4p_sums none;
    struct f4p_sums *sums = malloc(trace->site_count * sizeof *sums);
    unsigned exact = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t t = f4p_fixture_random(f) % (f->t_ns + 1000);
        struct f4p_instant got;
        struct f4p_sums total = {0};
        ck_assert_int_eq(f4p_trace_heap_at(trace, t, sums, &got), 0);
        ck_assert(got.sound);
        exact += got.kind == F4P_INSTANT_EXACT;
        if (got.kind == F4P_INSTANT_EXACT)
            ck_assert_uint_eq(got.t_ns, t < trace->state.t_ns ? t : trace->state.t_ns);
        const struct f4p_fixture_moment *moment = f4p_fixture_at(f, got.t_ns);
        ck_assert_mem_eq(&got.total, moment ? &moment->live : &none, sizeof none);
        for (size_t site = 0; site < trace->site_count; site++)
            f4p_sums_add(&total, &sums[site]);
        ck_assert_mem_eq(&total, &got.total, sizeof total);
    }
    free(sums);
    return exact;
}

/* Nothing was overwritten: every time is known. */
START_TEST(test_history_whole)
{
    struct f4p_fixture f;
    size_t count;
    f4p_fixture_make(&f, NULL, MEDIUM, 16384, 120, 3);
    for (int round = 0; round < 5; round++) {
        f4p_fixture_churn(&f, round == 0 ? 10 : 12000, 900);
        struct f4p_trace *trace = open_fixture(&f);
        const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
        ck_assert_uint_eq(count, 1);
        ck_assert_uint_eq(stretches[0].from_ns, 0);
        ck_assert_uint_eq(stretches[0].to_ns, trace->state.t_ns);
        ck_assert_uint_eq(ask(trace, &f, 100), 100);
        f4p_trace_close(trace);
    }
    finish(&f);
}
END_TEST

/* The ring has wrapped many times; what is left is right, old moments are kept ones. */
START_TEST(test_history_wrapped)
{
    struct f4p_fixture f;
    size_t count;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 60, 5);
    for (int round = 0; round < 4; round++) {
        f4p_fixture_churn(&f, 250000, 500);
        struct f4p_trace *trace = open_fixture(&f);
        const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
        ck_assert_uint_gt(count, 3);
        ck_assert_uint_gt(stretches[count - 1].from_ns, 0);
        ck_assert_uint_lt(stretches[count - 1].from_ns, stretches[count - 1].to_ns);
        ck_assert_uint_eq(stretches[count - 1].to_ns, trace->state.t_ns);
        ck_assert_uint_eq(trace->damage.bad_blocks + trace->damage.torn_bytes, 0);
        unsigned exact = ask(trace, &f, 200);
        ck_assert_uint_gt(exact, 0);
        ck_assert_uint_lt(exact, 200);
        f4p_trace_close(trace);
    }
    finish(&f);
}
END_TEST

START_TEST(test_history_thinned)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, MEDIUM, 1024, 60, 7);
    f4p_fixture_churn(&f, 90000, 40000);
    ck_assert_uint_gt(f.w.state.thinned, 0);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_gt(ask(trace, &f, 100), 0);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

static const struct f4p_block *nth_block(const struct f4p_fixture *f, enum f4p_block_type type, unsigned n)
{
    uint8_t *ring = f4p_fixture_section(f, F4P_SECTION_HISTORY);
    uint64_t bytes = f4p_layout_find(&f->header, F4P_SECTION_HISTORY)->bytes;
    for (uint64_t at = 0; at < bytes; at += F4P_LINE) {
        const struct f4p_block *block = (const struct f4p_block *)(ring + at);
        if (block->magic == F4P_BLOCK_MAGIC && block->type == type && n-- == 0)
            return block;
    }
    return NULL;
}

/* A block in the middle is lost: two stretches, the gap is known as one, nothing false is said. */
START_TEST(test_history_gap)
{
    struct f4p_fixture f;
    size_t count;
    f4p_fixture_make(&f, NULL, MEDIUM, 16384, 120, 9);
    f4p_fixture_churn(&f, 90000, 900);
    const struct f4p_block *lost = nth_block(&f, F4P_BLOCK_DELTAS, 12);
    ck_assert_ptr_nonnull(lost);
    ((uint8_t *)(lost + 1))[lost->stored_bytes / 2] ^= 1;
    struct f4p_trace *trace = open_fixture(&f);
    const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
    ck_assert_uint_ge(count, 2);
    ck_assert_uint_eq(trace->damage.bad_blocks, 1);
    ck_assert_uint_lt(stretches[0].to_ns, lost->t_first);
    ck_assert_uint_lt(ask(trace, &f, 300), 300);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* Key frames lost: the deltas still lead anywhere, from farther away. */
START_TEST(test_history_without_keyframes)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, MEDIUM, 16384, 120, 9);
    f4p_fixture_churn(&f, 60000, 900);
    const struct f4p_block *block;
    unsigned lost = 0;
    while ((block = nth_block(&f, F4P_BLOCK_KEYFRAME, 0))) {
        ((struct f4p_block *)block)->magic = 0;
        lost++;
    }
    memset(f4p_fixture_section(&f, F4P_SECTION_KEYFRAMES), 0, f4p_layout_find(&f.header, F4P_SECTION_KEYFRAMES)->bytes);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_gt(lost, 0);
    ck_assert_uint_eq(trace->damage.bad_blocks, lost);
    ck_assert_uint_eq(ask(trace, &f, 50), 50);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* OPEN has no check: deltas that do not lead to the live set are not believed. */
START_TEST(test_history_open_torn)
{
    struct f4p_fixture f;
    struct f4p_instant got;
    size_t count;
    f4p_fixture_make(&f, NULL, MEDIUM, 16384, 120, 9);
    f4p_fixture_churn(&f, 30000, 900);
    ck_assert_uint_gt(f.w.state.open_events, 2);
    uint8_t *open = f4p_fixture_section(&f, F4P_SECTION_OPEN);
    open[0] ^= F4P_DELTA_ALLOC ^ F4P_DELTA_FREE; /* still decodes, says something else */
    struct f4p_trace *trace = open_fixture(&f);
    struct f4p_sums *sums = malloc(trace->site_count * sizeof *sums);
    ck_assert(trace->damage.live_sound);
    ck_assert_uint_ge(trace->damage.torn_bytes, f.w.state.open_bytes);
    f4p_trace_history(trace, &count);
    ck_assert_uint_eq(count, 2);
    ask(trace, &f, 200);
    ck_assert_int_eq(f4p_trace_heap_at(trace, f.w.state.t_ns - 1, sums, &got), 0);
    ck_assert_int_eq(got.kind, F4P_INSTANT_NEAREST);
    f4p_trace_close(trace);
    open[0] ^= F4P_DELTA_ALLOC ^ F4P_DELTA_FREE; /* control */
    trace = open_fixture(&f);
    ck_assert_int_eq(f4p_trace_heap_at(trace, f.w.state.t_ns - 1, sums, &got), 0);
    ck_assert_int_eq(got.kind, F4P_INSTANT_EXACT);
    f4p_trace_close(trace);
    free(sums);
    finish(&f);
}
END_TEST

struct seen {
    uint64_t count, last_t, last_seq, stop;
};

static bool see(void *context, const struct f4p_event *event)
{
    struct seen *seen = context;
    ck_assert_uint_ge(event->t_ns, seen->last_t);
    ck_assert_uint_ge(event->seq, seen->last_seq);
    seen->last_t = event->t_ns;
    seen->last_seq = event->seq;
    return ++seen->count != seen->stop;
}

START_TEST(test_history_events)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, MEDIUM, 16384, 120, 11);
    f4p_fixture_churn(&f, 20000, 900);
    struct f4p_trace *trace = open_fixture(&f);
    struct seen all = {0}, part = {0}, few = {.stop = 5};
    f4p_trace_events(trace, 0, UINT64_MAX, see, &all);
    ck_assert_uint_eq(all.count, f.w.state.sampled + f.w.state.freed); /* a realloc is one of each */
    ck_assert_uint_eq(all.last_seq, f.w.state.seq);
    uint64_t from = f.moments[5000].t_ns, to = f.moments[6000].t_ns;
    f4p_trace_events(trace, from, to, see, &part);
    ck_assert_uint_ge(part.count, 1001);
    ck_assert_uint_eq(part.last_seq, f.moments[6000].seq);
    f4p_trace_events(trace, 0, UINT64_MAX, see, &few);
    ck_assert_uint_eq(few.count, 5);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

START_TEST(test_history_peak)
{
    struct f4p_fixture f;
    struct f4p_instant got;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 60, 13);
    f4p_fixture_churn(&f, 3000, 800);
    while (f.block_count > 20)
        f4p_fixture_release(&f, 0);
    struct f4p_sums *peak = malloc(f.w.state.sites * sizeof *peak);
    memcpy(peak, f.peak, f.w.state.sites * sizeof *peak);
    uint64_t t = f.w.state.peak.t_ns;
    f4p_fixture_churn(&f, 300000, 20); /* long gone from the ring */
    struct f4p_trace *trace = open_fixture(&f);
    struct f4p_sums *sums = malloc(trace->site_count * sizeof *sums);
    f4p_trace_heap_peak(trace, sums, &got);
    ck_assert(got.sound);
    ck_assert_uint_eq(got.t_ns, t);
    ck_assert_mem_eq(sums, peak, trace->site_count * sizeof *sums);
    ck_assert_int_eq(f4p_trace_heap_at(trace, t, sums, &got), 0);
    ck_assert_uint_eq(got.t_ns, t);
    ck_assert_mem_eq(sums, peak, trace->site_count * sizeof *sums);
    f4p_trace_heap_end(trace, sums, &got);
    ck_assert(got.sound);
    ck_assert_mem_eq(&got.total, &f.w.state.live, sizeof got.total);
    f4p_trace_close(trace);
    free(sums);
    free(peak);
    finish(&f);
}
END_TEST

/* ---- timeline ---- */

START_TEST(test_timeline_maxima)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 60, 15);
    for (int round = 0; round < 3; round++) {
        f4p_fixture_churn(&f, 100000, round == 1 ? 900 : 50);
        f.t_ns += 1ull << 31; /* a pause: the heap stays what it was */
    }
    f4p_fixture_churn(&f, 100, 50);
    struct f4p_trace *trace = open_fixture(&f);
    uint64_t step = trace->timeline_step_ns, highest = 0;
    ck_assert_uint_gt(trace->timeline_count, 100);
    ck_assert_uint_eq(trace->timeline_count, f.w.state.t_ns / step + 1);
    uint64_t heap = 0;
    for (size_t i = 0, m = 0; i < trace->timeline_count; i++) {
        const struct f4p_point *point = &trace->timeline[i];
        uint64_t most = heap;
        for (; m < f.moment_count && f.moments[m].t_ns < (i + 1) * step; m++) {
            heap = f.moments[m].live.bytes / F4P_Q8;
            most = heap > most ? heap : most;
        }
        ck_assert_uint_eq(point->t_ns, i * step);
        ck_assert_uint_ge(point->heap, most);
        highest = point->heap > highest ? point->heap : highest;
    }
    ck_assert_uint_eq(highest, f.w.state.peak.sums.bytes / F4P_Q8);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

START_TEST(test_timeline_merged)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 20, 17);
    f4p_fixture_churn(&f, 100, 50);
    struct f4p_launch *launch = f4p_fixture_section(&f, F4P_SECTION_LAUNCH);
    struct f4p_bucket *buckets = f4p_fixture_section(&f, F4P_SECTION_LAUNCH_TIMELINE);
    buckets[F4P_BUCKETS + 2].rss_max = 777;
    buckets[F4P_BUCKETS + 9].cgroup_max = 999;
    launch->state[1] = (struct f4p_launch_state){
        .seq = 1, .t_ns = 12ull << 24, .status = F4P_LAUNCH_RUNNING, .timeline_half = 1, .timeline_shift = 24};
    launch->state[1].check = f4p_hash(&launch->state[1], offsetof(struct f4p_launch_state, check), 0);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert(trace->has_launch);
    ck_assert_uint_eq(trace->timeline_step_ns, 1 << 24);
    ck_assert_uint_eq(trace->timeline_count, 13);
    ck_assert_uint_eq(trace->timeline[2].rss, 777);
    ck_assert_uint_eq(trace->timeline[9].cgroup, 999);
    ck_assert_uint_eq(trace->timeline[12].heap, f.w.state.live.bytes / F4P_Q8);
    ck_assert_uint_eq(trace->timeline[0].heap, f.w.state.peak.sums.bytes / F4P_Q8);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* ---- records ---- */

START_TEST(test_records_text)
{
    static const struct {
        uint16_t unit;
        const char *bytes;
        size_t size;
        const char *utf8;
    } cases[] = {
        {1, "caf\xe9", 4, "caf\xc3\xa9"},
        {2, "a\0\x3d\xd8\x00\xde\x3d\xd8", 8, "a\xf0\x9f\x98\x80\xef\xbf\xbd"}, /* a pair, then half of one */
        {4, "\x00\xf6\x01\x00\xff\xff\xff\xff", 8, "\xf0\x9f\x98\x80\xef\xbf\xbd"},
        {8, "ok \xc3\xa9 \xff\xc3 \xed\xa0\x80|", 13,
         "ok \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"},
        {8, "a\0b", 3,
         "a\xef\xbf\xbd"
         "b"},
        {8, "\xc0\x80\xf4\x90\x80\x80", 6, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {2, "ab\xff", 3, "\xe6\x89\xa1"}, /* an odd byte at the end */
        {1, "", 0, ""},
    };
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 2, 19);
    uint32_t first = 0, count = sizeof cases / sizeof *cases;
    for (uint32_t i = 0; i < count; i++) {
        struct f4p_code code = {.first_line = 1};
        code.name = code.qualname = code.file =
            f4p_writer_record(&f.w, F4P_RECORD_STRING, cases[i].unit, cases[i].bytes, cases[i].size, NULL, 0);
        uint32_t id = f4p_writer_record(&f.w, F4P_RECORD_CODE, 0, &code, sizeof code, NULL, 0);
        first = i == 0 ? id : first;
    }
    struct f4p_code strange = {.name = 0xfffffff0, .file = F4P_NONE, .qualname = F4P_NONE, .table_bytes = 99};
    f4p_writer_record(&f.w, F4P_RECORD_CODE, 0, &strange, sizeof strange, NULL, 0);
    f4p_writer_commit(&f.w, 1);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_eq(trace->code_count, first + count + 1);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_str_eq(trace->codes[first + i].name, cases[i].utf8);
    ck_assert_str_eq(trace->codes[first + count].name, "");
    ck_assert_uint_eq(trace->codes[first + count].table_bytes, 0);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

START_TEST(test_records_facts)
{
    struct f4p_fixture f;
    uint64_t pid;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 2, 21);
    f4p_writer_fact(&f.w, F4P_FACT_ID_HOST, F4P_FACT_TEXT, "later", 5);
    f4p_writer_commit(&f.w, 1);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert(f4p_trace_fact_u64(trace, F4P_FACT_ID_PID, &pid) && pid == 4711);
    ck_assert(!f4p_trace_fact_u64(trace, F4P_FACT_ID_HOST, &pid));
    ck_assert_str_eq(f4p_trace_fact_text(trace, F4P_FACT_ID_HOST), "later");
    ck_assert_str_eq(f4p_trace_fact_text(trace, F4P_FACT_ID_LIBC), "");
    const char *const *command = f4p_trace_fact_list(trace, F4P_FACT_ID_COMMAND);
    ck_assert_str_eq(command[0], "python");
    ck_assert_str_eq(command[1], "etl.py");
    ck_assert_ptr_null(command[2]);
    ck_assert_ptr_null(f4p_trace_fact_list(trace, F4P_FACT_ID_PYTHON_PREFIX)[0]);
    ck_assert_str_eq(trace->threads[0].name, "worker");
    ck_assert_uint_eq(trace->threads[1].tid, 101);
    ck_assert_str_eq(trace->modules[0].path, "/lib/x.so");
    ck_assert_uint_eq(trace->modules[0].build_id_bytes, 4);
    ck_assert_mem_eq(trace->modules[0].build_id, "\x01\x02\x03\x04", 4);
    ck_assert_str_eq(trace->codes[2].file, "/job/etl.py");
    ck_assert_uint_eq(trace->codes[2].first_line, 21);
    ck_assert_uint_eq(trace->codes[2].table_bytes, 4);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* One damaged record: it is missing, those behind it are not, ids stay what they were. */
START_TEST(test_records_damaged)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 2, 23);
    uint8_t *records = f4p_fixture_section(&f, F4P_SECTION_RECORDS), *at = records;
    struct f4p_record head;
    memcpy(&head, at, sizeof head);
    while (head.type != F4P_RECORD_CODE || head.id != 1) {
        at += (sizeof head + head.bytes + 7) & ~7u;
        memcpy(&head, at, sizeof head);
    }
    at[sizeof head + 3] ^= 1;
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_eq(trace->damage.bad_records, 1);
    ck_assert_uint_eq(trace->code_count, 4);
    ck_assert_str_eq(trace->codes[0].name, "<module>");
    ck_assert_str_eq(trace->codes[1].name, "");
    ck_assert_str_eq(trace->codes[2].name, "Cache.put");
    ck_assert_str_eq(trace->codes[3].name, "parse");
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

/* Made by hand: a huge id, a record longer than the section, unknown types. */
START_TEST(test_records_hostile)
{
    struct f4p_fixture f;
    f4p_fixture_make(&f, NULL, SMALL, 16384, 2, 25);
    uint8_t *records = f4p_fixture_section(&f, F4P_SECTION_RECORDS);
    struct f4p_record unknown = {.type = 900, .id = 5},
                      huge = {.type = F4P_RECORD_STRING, .flags = 8, .id = 0xfffffff0},
                      longer = {.type = F4P_RECORD_NOTE, .bytes = 0xfffffff0};
    unknown.check = (uint32_t)f4p_hash(NULL, 0, f4p_hash(&unknown, 12, 0));
    huge.check = (uint32_t)f4p_hash(NULL, 0, f4p_hash(&huge, 12, 0));
    memcpy(records + f.w.state.records, &unknown, 16);
    memcpy(records + f.w.state.records + 16, &huge, 16);
    memcpy(records + f.w.state.records + 32, &longer, 16);
    f.w.state.records += 48;
    f4p_writer_commit(&f.w, 1);
    struct f4p_trace *trace = open_fixture(&f);
    ck_assert_uint_eq(trace->damage.bad_records, 2); /* the id, the length; not the type */
    ck_assert_uint_eq(trace->code_count, 4);
    ck_assert_uint_eq(trace->note_count, 0);
    f4p_trace_close(trace);
    finish(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("history");
    TCase *tests = tcase_create("history");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_history_whole);
    tcase_add_test(tests, test_history_wrapped);
    tcase_add_test(tests, test_history_thinned);
    tcase_add_test(tests, test_history_gap);
    tcase_add_test(tests, test_history_without_keyframes);
    tcase_add_test(tests, test_history_open_torn);
    tcase_add_test(tests, test_history_events);
    tcase_add_test(tests, test_history_peak);
    tcase_add_test(tests, test_timeline_maxima);
    tcase_add_test(tests, test_timeline_merged);
    tcase_add_test(tests, test_records_text);
    tcase_add_test(tests, test_records_facts);
    tcase_add_test(tests, test_records_damaged);
    tcase_add_test(tests, test_records_hostile);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
