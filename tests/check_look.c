/* Who looks: one thread at a time, nobody waits, and one that left by a jump is found out. What waiting for the lock
 * costs is known. */
#include <check.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/lock.h"
#include "recorder/look.h"
#include "recorder/sample_private.h"
#include "recorder/session.h"
#include "tests/support_run.h"

START_TEST(test_look_one)
{
    ck_assert(!f4p_look_is_mine(7));
    ck_assert(f4p_look_begin(7));
    ck_assert(f4p_look_is_mine(7));
    ck_assert(!f4p_look_begin(8));
    ck_assert(!f4p_look_begin(7)); /* a handler that interrupted it */
    f4p_look_end();
    ck_assert(f4p_look_begin(8));
    f4p_look_reset();
    ck_assert(f4p_look_begin(7));
    f4p_look_end();
}
END_TEST

/* A hook is called from a frame that lies above that of the slow path: that one was left. */
START_TEST(test_look_abandoned)
{
    struct f4p_thread_state *t = &f4p_thread;
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);

    t->tid = (uint32_t)syscall(SYS_gettid);
    f4p_thread_enter(t, frame);
    ck_assert(f4p_look_begin(t->tid));
    ck_assert(f4p_sample_nested(t, frame - 64)); /* control: a handler, below it */
    ck_assert(f4p_look_is_mine(t->tid));
    ck_assert(!f4p_sample_nested(t, frame + 64));
    ck_assert(!f4p_look_is_mine(t->tid));
    ck_assert(!f4p_session.stopped); /* as it is after a jump out of the lock */
    f4p_thread_enter(t, frame);
    ck_assert(f4p_lock_try(t->tid));
    ck_assert(!f4p_sample_nested(t, frame + 64));
    ck_assert(f4p_session.stopped);
}
END_TEST

static void *enter(void *waited)
{
    struct f4p_thread_state *t = &f4p_thread;

    t->tid = (uint32_t)syscall(SYS_gettid);
    f4p_thread_enter(t, (uintptr_t)__builtin_frame_address(0));
    f4p_sample_enter(t, 0);
    *(uint64_t *)waited = t->waited_ns;
    return NULL;
}

START_TEST(test_lock_wait)
{
    uint32_t tid = (uint32_t)syscall(SYS_gettid);
    uint64_t waited = 0;
    pthread_t thread;

    f4p_session.stopped = true; /* so that entering ends with the lock */
    enter(&waited);
    ck_assert_uint_eq(waited, 0);
    ck_assert(f4p_lock(tid));
    ck_assert_int_eq(pthread_create(&thread, NULL, enter, &waited), 0);
    usleep(50000);
    f4p_unlock();
    pthread_join(thread, NULL);
    ck_assert_uint_gt(waited, 0);
    ck_assert_uint_lt(waited, 1000000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("look");
    TCase *tests = tcase_create("look");
    tcase_add_test(tests, test_look_one);
    tcase_add_test(tests, test_look_abandoned);
    tcase_add_test(tests, test_lock_wait);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
