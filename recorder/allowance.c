#include "allowance.h"

#include <string.h>

#include "attributes.h"
#include "clock.h"
#include "session.h"
#include "slurp.h"

#define SHARE 400u           /* one part in this */
#define ASK_PERIOD 20000000u /* ns; an answer takes 0.05 ms where the kernel's paths are cold */

static struct {
    uint64_t ns;           /* that the process ran or slept, as of the last answer */
    uint64_t delay_before; /* before the first look; exec keeps a thread's */
    uint32_t generation;
} own;

/* How long this thread was ready to run since it began, and others ran; 0 where the kernel does not say. */
static uint64_t run_delay(void)
{
    char text[64]; /* "ns on a CPU, ns ready, turns" */
    uint64_t ns = 0;
    text[f4p_slurp("/proc/thread-self/schedstat", text, sizeof(text) - 1)] = 0;
    const char *at = strchr(text, ' ');
    while (at && *++at >= '0' && *at <= '9')
        ns = ns * 10 + (uint64_t)(*at - '0');
    return ns;
}

static void bring_up_to_date(struct f4p_allowance *a)
{
    if (own.generation != f4p_session.generation) {
        own.generation = f4p_session.generation;
        own.ns = 0;
        own.delay_before = run_delay();
    }
    if (a->generation != f4p_session.generation) {
        a->generation = f4p_session.generation;
        a->spent_ns = a->ask_ns = 0;
    }
}

/* When the process will have had `due_ns` at the rate so far. */
static uint64_t ask_again(uint64_t due_ns, uint64_t now_ns)
{
    uint64_t missing = due_ns > own.ns ? due_ns - own.ns : 0;
    double wait = (double)missing * (double)now_ns / (double)(own.ns + 1);
    return now_ns + (wait > ASK_PERIOD ? (uint64_t)wait : ASK_PERIOD);
}

/* What it pushes out of the caches is about as much again. */
static uint64_t charge_of(uint64_t cpu_ns)
{
    return 2 * cpu_ns;
}

COLD bool f4p_allowance_left(struct f4p_allowance *a, uint64_t cpu_ns, uint64_t now_ns)
{
    bring_up_to_date(a);
    uint64_t due = (a->spent_ns + charge_of(cpu_ns)) * SHARE;

    if (own.ns < due && now_ns >= a->ask_ns) {
        uint64_t cpu = f4p_clock_ns(CLOCK_PROCESS_CPUTIME_ID), delay = run_delay() - own.delay_before;
        uint64_t ns = now_ns > delay ? now_ns - delay : 0; /* another thread's delay may be anything */
        if (ns < cpu)                                      /* other threads do not stand in that line */
            ns = cpu < now_ns ? cpu : now_ns;
        own.ns = ns > own.ns ? ns : own.ns;
        a->ask_ns = ask_again(due, now_ns);
    }
    return own.ns >= due;
}

COLD uint64_t f4p_allowance_spend(struct f4p_allowance *a, uint64_t cpu_ns)
{
    uint64_t charge = charge_of(cpu_ns);
    a->spent_ns += charge;
    return charge;
}
