#include "lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAITED_FOR 0x80000000u
#define SLICES 50u

static uint32_t word; /* 0 free; else the owner's tid, with WAITED_FOR if someone sleeps on it */

static bool swap(uint32_t expected, uint32_t desired)
{
    return __atomic_compare_exchange_n(&word, &expected, desired, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* In slices: the clock goes on while the process is stopped (by a terminal, a debugger, a freezer), but then only one
 * slice is lost to that. */
static bool wait_for(uint32_t tid)
{
    struct timespec slice = {0, F4P_LOCK_PATIENCE_NS / SLICES};
    for (unsigned waited = 0; waited < SLICES;) {
        uint32_t value = __atomic_load_n(&word, __ATOMIC_RELAXED);
        if (!value) {
            if (swap(0, tid | WAITED_FOR)) /* others may still sleep */
                return true;
        } else if (value & WAITED_FOR || swap(value, value | WAITED_FOR)) {
            if (syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value | WAITED_FOR, &slice, NULL, 0) == -1 &&
                errno == ETIMEDOUT)
                waited++;
        }
    }
    return false;
}

bool f4p_lock(uint32_t tid)
{
    return swap(0, tid) || wait_for(tid);
}

bool f4p_lock_try(uint32_t tid)
{
    return swap(0, tid);
}

void f4p_unlock(void)
{
    if (__atomic_exchange_n(&word, 0, __ATOMIC_RELEASE) & WAITED_FOR)
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

bool f4p_lock_is_mine(uint32_t tid)
{
    return (__atomic_load_n(&word, __ATOMIC_RELAXED) & ~WAITED_FOR) == tid;
}

void f4p_lock_reset(void)
{
    __atomic_store_n(&word, 0, __ATOMIC_RELEASE);
}
