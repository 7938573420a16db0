/* The writer where its tables are full, its rings wrap, its samples are thinned and sixteen threads want it; the reader
 * judges. */
#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/layout.h"
#include "format/reader.h"
#include "format/weight.h"
#include "recorder/lock.h"
#include "tests/crash/small.h"
#include "tests/support_run.h"

static void *zeroed(size_t bytes)
{
    void *p = calloc(1, bytes);
    ck_assert_ptr_nonnull(p);
    return p;
}

struct traced {
    struct f4p_header header;
    uint8_t *base;
    void *memory;
    struct f4p_writer w;
};

static void begin(struct traced *t, const struct small_sizes *sizes, uint64_t interval)
{
    small_header(&t->header, sizes, interval);
    t->base = zeroed(t->header.file_bytes);
    t->memory = zeroed(f4p_writer_memory(&t->header));
    memcpy(t->base, &t->header, sizeof t->header);
    f4p_writer_init(&t->w, t->base, &t->header, t->memory, 1);
}

static void end(struct traced *t)
{
    free(t->base);
    free(t->memory);
}

static struct f4p_trace *read_back(const void *base, const struct f4p_header *header)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_msg(f4p_trace_open_memory(base, header->file_bytes, &trace, &error) == 0, "%s", error.text);
    ck_assert(trace->damage.live_sound);
    ck_assert(trace->damage.peak_sound);
    ck_assert_uint_eq(trace->damage.bad_blocks, 0);
    return trace;
}

static bool holds(const struct f4p_trace *trace, uint64_t address, uint64_t size)
{
    for (size_t i = 0; i < trace->live_count; i++)
        if (trace->live[i].address == address)
            return trace->live[i].size == size;
    return false;
}

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* ---- wrapping ---- */

START_TEST(test_writer_wraps)
{
    static struct small_oracle oracle;
    static struct small small;
    struct small_sizes sizes = {256, 128, 512, 12288, 40960, 16384};
    struct f4p_header header;
    small_header(&header, &sizes, 1);
    uint8_t *base = zeroed(header.file_bytes);
    small_begin(&small, base, &header, &oracle, 7);
    for (unsigned i = 0; i < 400000; i++)
        small_step(&small);
    struct f4p_trace *trace = read_back(base, &header);
    ck_assert_uint_gt(trace->state.history_pos / 40960, 20);
    ck_assert_uint_eq(trace->live_count, oracle.count);
    for (uint32_t i = 0; i < oracle.count; i++)
        ck_assert(holds(trace, oracle.blocks[i].address, oracle.blocks[i].size));
    ck_assert(!holds(trace, oracle.blocks[0].address, oracle.blocks[0].size + 1)); /* control */
    ck_assert_uint_eq(trace->state.peak.sums.bytes, oracle.max_heap);
    f4p_trace_close(trace);
    free(small.memory);
    free(base);
}
END_TEST

/* ---- tables that are full ---- */

START_TEST(test_writer_stacks_overflow)
{
    struct small_sizes sizes = {256, 96, 512, 4096, 40960, 4096};
    static struct traced t;
    begin(&t, &sizes, 1);
    uint64_t sites = 0, heap = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        uint32_t caller = f4p_writer_node(&t.w, F4P_NONE, 0, i % 1000);
        uint32_t site = f4p_writer_site(&t.w, f4p_writer_node(&t.w, caller, 1, i), i % 7);
        ck_assert_uint_lt(site, t.w.state.sites);
        sites += site == 0;
        struct f4p_block_facts block = {64 + i * 64ull, 1000 + i % 100, site, 0, F4P_KIND_MALLOC};
        f4p_writer_alloc(&t.w, &block, i + 1);
        heap += block.size;
        if (i >= 100) {
            uint32_t old = i - 100;
            f4p_writer_free(&t.w, f4p_writer_find(&t.w, 64 + old * 64ull), i + 1);
            heap -= 1000 + old % 100;
        }
    }
    struct f4p_trace *trace = read_back(t.base, &t.header);
    ck_assert_uint_eq(trace->state.lost[F4P_LOSS_sites_full], sites);
    ck_assert_uint_gt(trace->state.lost[F4P_LOSS_nodes_full], 900000);
    ck_assert_uint_eq(trace->live_count, 100);
    ck_assert_uint_eq(trace->state.live.bytes / F4P_Q8, heap);
    ck_assert_uint_eq(trace->node_count, 512);
    ck_assert_uint_eq(trace->site_count, 96);
    f4p_trace_close(trace);
    end(&t);
}
END_TEST

START_TEST(test_writer_records_overflow)
{
    struct small_sizes sizes = {128, 32, 256, 4096, 40960, 4096};
    static struct traced t;
    begin(&t, &sizes, 1);
    uint64_t refused = 0, kept = 0;
    char text[100];
    memset(text, 'x', sizeof text);
    for (uint64_t i = 0; i < 1000; i++) {
        uint32_t id = f4p_writer_intern(&t.w, i + 1, F4P_RECORD_STRING, 1, text, i % sizeof text, NULL, 0);
        refused += id == F4P_NONE;
        kept += id != F4P_NONE;
        ck_assert_uint_eq(f4p_writer_lookup(&t.w, i + 1), id);
    }
    f4p_writer_commit(&t.w, 1);
    struct f4p_trace *trace = read_back(t.base, &t.header);
    ck_assert_uint_gt(kept, 10);
    ck_assert_uint_eq(trace->state.lost[F4P_LOSS_records_full], refused);
    ck_assert_uint_eq(trace->damage.bad_records, 0);
    f4p_trace_close(trace);
    end(&t);
}
END_TEST

/* In exact mode a table that is too small is thinned like any other: nothing is lost without being counted. */
START_TEST(test_writer_live_overflow)
{
    struct small_sizes sizes = {128, 32, 256, 4096, 40960, 4096};
    static struct traced t;
    begin(&t, &sizes, 1);
    for (uint64_t i = 1; i <= 2000; i++) {
        struct f4p_block_facts block = {i * 64, 1ull << 40, 0, (uint8_t)t.w.state.shift, F4P_KIND_MALLOC};
        f4p_writer_alloc(&t.w, &block, i);
    }
    struct f4p_trace *trace = read_back(t.base, &t.header);
    const struct f4p_state *s = &trace->state;
    ck_assert_uint_le(trace->live_count, 128);
    ck_assert_uint_gt(s->lost[F4P_LOSS_live_full], 0); /* blocks far above any interval cannot be thinned */
    ck_assert_uint_eq(trace->live_count + s->thinned + s->lost[F4P_LOSS_live_full], 2000);
    f4p_trace_close(trace);
    end(&t);
}
END_TEST

/* A heap that outgrows the table by far: bounded, nothing dropped, and the estimate right within its own error. */
START_TEST(test_writer_thinning_unbiased)
{
    struct small_sizes sizes = {1024, 32, 256, 4096, 81920, 4096};
    double off = 0;
    for (uint64_t run = 1; run <= 40; run++) {
        static struct traced t;
        uint64_t random = run * 7919, heap = 0, last_peak = 0;
        begin(&t, &sizes, 256);
        t.w.random = run * 104729;
        for (uint64_t i = 1; i <= 20000; i++) {
            uint64_t r = next(&random), bytes = 1 + r % 4096;
            double p = f4p_sample_probability(bytes, 256ull << t.w.state.shift);
            heap += bytes;
            if ((double)(next(&random) >> 11) * 0x1p-53 >= p)
                continue;
            struct f4p_block_facts block = {i * 64, bytes, 0, (uint8_t)t.w.state.shift, F4P_KIND_MALLOC};
            f4p_writer_alloc(&t.w, &block, i);
            ck_assert_uint_ge(t.w.state.peak.seq, last_peak);
            last_peak = t.w.state.peak.seq;
        }
        struct f4p_trace *trace = read_back(t.base, &t.header);
        ck_assert_uint_eq(trace->state.lost[F4P_LOSS_live_full], 0);
        ck_assert_uint_gt(trace->state.thinned, 100);
        double sigma = sqrt((double)trace->state.live.variance * 256);
        double error = ((double)trace->state.live.bytes / F4P_Q8 - (double)heap) / sigma;
        ck_assert_double_lt(fabs(error), 6);
        off += error;
        f4p_trace_close(trace);
        end(&t);
    }
    /* the mean of 40 standard errors: 5 of its own are 0.8; a bias of one sigma would be seen */
    ck_assert_double_lt(fabs(off / 40), 0.8);
}
END_TEST

/* ---- requests that fail ---- */

START_TEST(test_writer_last_failure)
{
    struct small_sizes sizes = {256, 128, 512, 12288, 40960, 16384};
    static struct traced t;
    begin(&t, &sizes, 1);
    for (uint64_t i = 1; i <= 200; i++) {
        f4p_writer_failure(&t.w, &(struct f4p_failure){.size = i, .t_ns = 1000 * i, .site = F4P_NONE});
        if (i != F4P_MAX_FAILURES && i != 150 && i != 200)
            continue;
        struct f4p_trace *trace = read_back(t.base, &t.header);
        uint64_t listed = i < 65 ? i : 65;
        ck_assert_uint_eq(trace->failure_count, listed);
        ck_assert_uint_eq(trace->failures[63].size, 64);
        ck_assert_uint_eq(trace->failures[listed - 1].size, i);
        ck_assert_uint_eq(trace->state.lost[F4P_LOSS_failed], i - listed);
        f4p_trace_close(trace);
    }
    /* Killed while it wrote the last: the one before stands. */
    struct f4p_control *control = t.w.control;
    control->failed[control->failed[0].failure.size == 200 ? 0 : 1].check++;
    struct f4p_trace *trace = read_back(t.base, &t.header);
    ck_assert_uint_eq(trace->failures[64].size, 199);
    f4p_trace_close(trace);
    end(&t);
}
END_TEST

/* ---- moving ---- */

enum { NO_FILE, READ_ONLY, WRITABLE, WAYS }; /* what the new place says to be a mapping of */

START_TEST(test_writer_moves)
{
    static struct small_oracle oracle;
    static struct small small;
    struct small_sizes sizes = {256, 128, 512, 12288, 40960, 16384};
    struct f4p_header header;
    small_header(&header, &sizes, 512);
    uint8_t *base = zeroed(header.file_bytes);
    FILE *stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    ck_assert_int_eq(ftruncate(fileno(stream), (off_t)header.file_bytes), 0);
    uint8_t *file = mmap(NULL, header.file_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(stream), 0);
    ck_assert_ptr_ne(file, MAP_FAILED);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fileno(stream));
    int fd = _i == NO_FILE ? -1 : open(name, _i == WRITABLE ? O_RDWR : O_RDONLY);
    ck_assert(_i == NO_FILE || fd >= 0);
    small_begin(&small, base, &header, &oracle, 3);
    for (unsigned i = 0; i < 60000; i++) {
        if (i == 30000) {
            memcpy(file, base, sizeof header);
            f4p_writer_move(&small.w, file, fd);
            memset(base, 0xee, header.file_bytes);
            f4p_trace_close(read_back(file, &header));
        }
        small_step(&small);
    }
    struct f4p_trace *trace = read_back(file, &header);
    ck_assert_uint_eq(trace->live_count, oracle.count - (trace->state.thinned - oracle.thinned_freed));
    f4p_trace_close(trace);
    free(small.memory);
    free(base);
    munmap(file, header.file_bytes);
    if (fd >= 0)
        close(fd);
    fclose(stream);
}
END_TEST

/* ---- sixteen threads ---- */

#define THREADS 16
#define OWN 32

struct worker {
    pthread_t thread;
    struct traced *t;
    uint64_t random;
    unsigned number;
    uint64_t address[OWN], size[OWN];
};

static void change(struct worker *worker, uint32_t tid)
{
    struct f4p_writer *w = &worker->t->w;
    uint64_t r = next(&worker->random);
    unsigned slot = (unsigned)(r % OWN);
    ck_assert(f4p_lock(tid));
    uint32_t site = f4p_writer_site(w, f4p_writer_node(w, F4P_NONE, 0, (uint32_t)(r >> 8 & 15)), worker->number);
    uint64_t t_ns = w->state.t_ns + 100;
    if (worker->address[slot] && r >> 16 & 1) {
        f4p_writer_free(w, f4p_writer_find(w, worker->address[slot]), t_ns);
        worker->address[slot] = 0;
    } else {
        uint32_t old = worker->address[slot] ? f4p_writer_find(w, worker->address[slot]) : F4P_NONE;
        worker->size[slot] = 1 + (r >> 20) % 100000;
        worker->address[slot] = (worker->number * OWN + slot + 1) * 4096ull + (r >> 40 & 63) * 64;
        struct f4p_block_facts block = {worker->address[slot], worker->size[slot], site, 0, F4P_KIND_MALLOC};
        if (old == F4P_NONE) {
            f4p_writer_alloc(w, &block, t_ns);
        } else {
            f4p_writer_unlink(w, old);
            f4p_unlock(); /* as around the real realloc */
            ck_assert(f4p_lock(tid));
            f4p_writer_replace(w, old, &block, w->state.t_ns + 100);
        }
    }
    f4p_unlock();
}

static void *work(void *context)
{
    struct worker *worker = context;
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    for (unsigned i = 0; i < 3000; i++)
        change(worker, tid);
    return NULL;
}

START_TEST(test_writer_threads)
{
    struct small_sizes sizes = {1024, 512, 512, 4096, 40960, 4096};
    static struct traced t;
    static struct worker workers[THREADS];
    begin(&t, &sizes, 1);
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.t = &t, .random = i * 2654435761u + 1, .number = i};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    uint64_t live = 0;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    struct f4p_trace *trace = read_back(t.base, &t.header);
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned j = 0; j < OWN; j++) {
            if (!workers[i].address[j])
                continue;
            live++;
            ck_assert(holds(trace, workers[i].address[j], workers[i].size[j]));
        }
    }
    ck_assert_uint_eq(trace->live_count, live);
    f4p_trace_close(trace);
    end(&t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writer");
    TCase *tests = tcase_create("writer");
    tcase_add_test(tests, test_writer_wraps);
    tcase_add_test(tests, test_writer_stacks_overflow);
    tcase_add_test(tests, test_writer_records_overflow);
    tcase_add_test(tests, test_writer_live_overflow);
    tcase_add_test(tests, test_writer_thinning_unbiased);
    tcase_add_test(tests, test_writer_last_failure);
    tcase_add_loop_test(tests, test_writer_moves, 0, WAYS);
    tcase_add_test(tests, test_writer_threads);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
