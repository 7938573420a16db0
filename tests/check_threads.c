/* The recorder's slow paths, without its hooks, from sixteen threads at once: what the trace says must be what they
 * did. Under ThreadSanitizer it shows that nothing but the filter is read without the lock. */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/reader.h"
#include "recorder/filter.h"
#include "recorder/real.h"
#include "recorder/sample.h"
#include "recorder/session.h"
#include "tests/support_run.h"

#define THREADS 16
#define OWN 32
#define STEPS 1500
#define MARK 0x35bu /* sizes of the test's own blocks end in it */

struct worker {
    pthread_t thread;
    uint64_t random;
    void *block[OWN];
    uint64_t size[OWN];
};

static struct worker workers[THREADS];

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static void release(void *block)
{
    if (f4p_filter_maybe(block))
        f4p_sample_free(block, CALLERS_FRAME());
    else
        f4p_real.free(block);
}

static void *work(void *context)
{
    struct worker *w = context;
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t r = next(&w->random);
        unsigned slot = (unsigned)(r % OWN);
        uint64_t size = MARK + 0x1000 * (r >> 20 & 15);
        if (!w->block[slot]) {
            w->block[slot] = f4p_sample_call(r & 64 ? F4P_CALL_MALLOC : F4P_CALL_CALLOC, 1, size, CALLERS_FRAME());
        } else if (r & 128) {
            release(w->block[slot]);
            w->block[slot] = NULL;
            continue;
        } else {
            w->block[slot] = f4p_sample_realloc(w->block[slot], size, CALLERS_FRAME());
        }
        ck_assert_ptr_nonnull(w->block[slot]);
        w->size[slot] = size;
    }
    return NULL;
}

static size_t marked(const struct f4p_trace *trace)
{
    size_t count = 0;
    for (size_t i = 0; i < trace->live_count; i++)
        count += (trace->live[i].size & 0xfff) == MARK;
    return count;
}

static bool holds(const struct f4p_trace *trace, const void *block, uint64_t size)
{
    for (size_t i = 0; i < trace->live_count; i++)
        if (trace->live[i].address == (uintptr_t)block)
            return trace->live[i].size == size;
    return false;
}

START_TEST(test_threads_exact)
{
    char path[] = "/tmp/fil4prod-threads.XXXXXX";
    struct f4p_trace *trace;
    struct f4p_error error;
    size_t live = 0;
    close(mkstemp(path));
    unlink(path);
    setenv("FIL4PROD_OUTPUT", path, 1);
    setenv("FIL4PROD_INTERVAL", "1", 1);
    setenv("FIL4PROD_MIN_HEAP", "0", 1);
    setenv("FIL4PROD_SIZE", "1M", 1);
    f4p_session_start();
    /* in a process the loader and libc have called malloc long before there is a second thread */
    f4p_real.free(f4p_real.realloc(f4p_real.calloc(1, 1), 2));
    f4p_real.free(f4p_real.malloc(1));
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].random = i * 2654435761u + 1;
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);
    ck_assert_msg(f4p_trace_open(path, &trace, &error) == 0, "%s", error.text);
    unlink(path);
    ck_assert(trace->damage.live_sound);
    ck_assert(trace->damage.peak_sound);
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned j = 0; j < OWN; j++) {
            if (!workers[i].block[j])
                continue;
            live++;
            ck_assert(holds(trace, workers[i].block[j], workers[i].size[j]));
            ck_assert(!holds(trace, workers[i].block[j], workers[i].size[j] + 1)); /* control */
        }
    }
    ck_assert_uint_gt(live, THREADS);
    ck_assert_uint_eq(marked(trace), live);
    ck_assert_uint_eq(trace->state.lost[F4P_LOSS_busy], 0);
    ck_assert_uint_eq(trace->state.lost[F4P_LOSS_missed_free], 0);
    ck_assert_uint_ge(trace->thread_count, THREADS);
    f4p_trace_close(trace);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, test_threads_exact);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
