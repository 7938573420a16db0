/* The filter never says "no" of a sampled block, and seldom "maybe" of another. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "format/random.h"
#include "recorder/filter.h"
#include "recorder/session.h"
#include "tests/support_run.h"

#define MANY 200000

static struct f4p_live live[MANY];
static uint32_t next[MANY];

static const void *block(uint64_t i, uint64_t stride)
{
    return (const void *)(uintptr_t)(0x7f1200000010 + i * stride);
}

static void begin(void)
{
    struct f4p_writer *w = &f4p_session.writer;
    w->live = live;
    w->live_index.next = next;
    memset(&w->state, 0, sizeof(w->state));
    f4p_filter_reset();
}

/* As a sample's alloc does it. */
static void add_at(uint32_t i, const void *pointer)
{
    struct f4p_writer *w = &f4p_session.writer;
    f4p_filter_add(pointer);
    live[i] = (struct f4p_live){.address = (uintptr_t)pointer, .kind = F4P_KIND_MALLOC};
    next[i] = 0;
    w->state.live.samples++;
    w->state.live_high = i + 1;
}

static void add(uint32_t i, uint64_t stride)
{
    add_at(i, block(i, stride));
}

static bool sampled(const void *pointer)
{
    return f4p_filter_maybe(pointer) && f4p_filter_likely(pointer);
}

static const uint64_t strides[] = {16, 80, 608, 4112, 262160, 266240, 1u << 20};

/* A thread may still read the mask of before. */
static unsigned missed(uint32_t count, uint64_t stride, uint32_t older_mask)
{
    unsigned wrong = 0;
    for (uint32_t i = 0; i < count; i++)
        wrong += !sampled(block(i, stride)) || !f4p_filter_likely_under(older_mask, block(i, stride));
    return wrong;
}

/* Added before and after each growth of the filter; every other one removed; all of them looked at. */
START_TEST(test_filter_never_misses)
{
    uint64_t stride = strides[_i];
    unsigned wrong = 0, gone = 0, growths = 0;
    begin();
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t mask = f4p_filter_mask;
        add(i, stride);
        if (f4p_filter_mask != mask) {
            growths++;
            wrong += missed(i, stride, mask);
        }
    }
    ck_assert_uint_eq(growths, (F4P_FILTER_BITS - F4P_FILTER_LEAST_BITS) / F4P_FILTER_STEP_BITS);
    wrong += missed(MANY, stride, f4p_filter_mask);
    ck_assert_uint_eq(wrong, 0);
    for (uint32_t i = 0; i < MANY; i += 2)
        f4p_filter_remove(block(i, stride));
    for (uint32_t i = 1; i < MANY; i += 2)
        wrong += !sampled(block(i, stride));
    ck_assert_uint_eq(wrong, 0);
    for (uint32_t i = 0; i < MANY; i += 2) /* control: what was removed is forgotten */
        gone += !sampled(block(i, stride));
    ck_assert_uint_gt(gone, MANY / 2 - MANY / 100);
}
END_TEST

static uint64_t random_multiple(uint64_t *state)
{
    return (f4p_random_next(state) & 0xffffff) * 16; /* in 256 MiB */
}

/* What a job frees beside its samples. Rates of chance: 1 - exp(-live / slots). */
START_TEST(test_filter_false_alarms)
{
    unsigned first = 0, both = 0;
    bool many = _i == (F4P_FILTER_BITS - F4P_FILTER_LEAST_BITS) / F4P_FILTER_STEP_BITS;
    uint32_t slots = 1u << (F4P_FILTER_LEAST_BITS + _i * F4P_FILTER_STEP_BITS);
    uint32_t count = many ? MANY : slots / F4P_FILTER_SHARE;
    uint64_t state = 1;
    begin();
    for (uint32_t i = 0; i < count; i++)
        add_at(i, block(1, random_multiple(&state)));
    for (uint32_t i = 0; i < 1000000; i++) {
        const void *other = (const void *)(uintptr_t)(0x55aa00000020 + random_multiple(&state));
        first += f4p_filter_maybe(other);
        both += sampled(other);
    }
    ck_assert_uint_eq(f4p_filter_mask, slots - 1);
    ck_assert_uint_lt(first, many ? 190000 : 140000);
    ck_assert_uint_lt(both, many ? 7000 : 300);
    ck_assert_uint_gt(first, 10000); /* control: they are counted */
}
END_TEST

/* Pages of a pool lie where samples of it lie: the first filter is of no use, the second is. */
START_TEST(test_filter_equal_distances)
{
    unsigned first = 0, both = 0;
    uint32_t slots = 1u << F4P_FILTER_LEAST_BITS;
    begin();
    for (uint32_t i = 0; i < slots / F4P_FILTER_SHARE; i++)
        add(i, (uint64_t)100 * 4096);
    for (uint32_t i = 0; i < 100000; i++) {
        if (i % 100 == 0)
            continue;
        first += f4p_filter_maybe(block(i, 4096));
        both += sampled(block(i, 4096));
    }
    ck_assert_uint_gt(first, 20000);
    ck_assert_uint_lt(both, first / 50);
}
END_TEST

/* Counters stop at their end and stay: rather "maybe" for ever than a miss. */
START_TEST(test_filter_full_slot)
{
    const void *pointer = block(7, 80);
    begin();
    for (int i = 0; i < 40; i++)
        f4p_filter_add(pointer);
    for (int i = 0; i < 39; i++)
        f4p_filter_remove(pointer);
    ck_assert(sampled(pointer));
    f4p_filter_reset();
    ck_assert(!sampled(pointer));
    f4p_filter_remove(pointer); /* a free that was missed at the end of a fork */
    f4p_filter_add(pointer);
    ck_assert(sampled(pointer));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filter");
    TCase *tests = tcase_create("filter");
    tcase_add_loop_test(tests, test_filter_never_misses, 0, sizeof(strides) / sizeof(*strides));
    tcase_add_loop_test(tests, test_filter_false_alarms, 0,
                        (F4P_FILTER_BITS - F4P_FILTER_LEAST_BITS) / F4P_FILTER_STEP_BITS + 1);
    tcase_add_test(tests, test_filter_equal_distances);
    tcase_add_test(tests, test_filter_full_slot);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
