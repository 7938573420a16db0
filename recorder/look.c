#include "look.h"

#include <string.h>
#include <time.h>

#include "allowance.h"
#include "attributes.h"
#include "clock.h"
#include "sample_private.h"
#include "session.h"
#include "vitals.h"

#define VITALS_PERIOD_NS 250000000u /* and only if samples come */
#define SPARSE 4u                   /* every so many vitals the machine's: three files */
#define SCARCE_PART 8               /* of its memory: from there on each time */

static uint32_t looker; /* tid; 0: nobody looks, and all below is free */
static uint64_t owed_ns;

static struct {
    struct f4p_vitals_source source;
    struct f4p_vitals facts; /* what was not read anew stays */
    bool resolved;
    bool told; /* the trace knows the cgroup's name */
    uint32_t count;
    uint64_t next_ns;
    struct f4p_allowance allowance;
} vitals;

bool f4p_look_begin(uint32_t tid)
{
    uint32_t nobody = 0;
    return __atomic_compare_exchange_n(&looker, &nobody, tid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void f4p_look_end(void)
{
    __atomic_store_n(&looker, 0, __ATOMIC_RELEASE);
}

bool f4p_look_is_mine(uint32_t tid)
{
    return __atomic_load_n(&looker, __ATOMIC_RELAXED) == tid;
}

void f4p_look_abandon(void)
{
    f4p_rss_drop();
    f4p_look_end();
}

void f4p_look_reset(void)
{
    vitals.resolved = vitals.told = false;
    vitals.next_ns = vitals.count = 0;
    __atomic_store_n(&owed_ns, 0, __ATOMIC_RELAXED);
    f4p_look_end();
}

uint64_t f4p_look_pay(uint64_t most_ns)
{
    uint64_t owed = __atomic_load_n(&owed_ns, __ATOMIC_RELAXED), pays = owed < most_ns ? owed : most_ns;
    __atomic_sub_fetch(&owed_ns, pays, __ATOMIC_RELAXED);
    return pays;
}

/* ---- vitals ---- */

static void read_vitals(unsigned groups)
{
    if (!vitals.resolved) {
        f4p_vitals_resolve(&vitals.source, "", 0);
        memset(&vitals.facts, 0, sizeof(vitals.facts));
        vitals.resolved = true;
    }
    f4p_vitals_read(&vitals.source, groups, &vitals.facts);
}

void f4p_look_last(void)
{
    read_vitals(F4P_VITALS_ALL);
}

static void tell_cgroup(struct f4p_writer *w)
{
    uint64_t version = vitals.source.version;
    if (vitals.told || !version)
        return;
    f4p_writer_fact(w, F4P_FACT_ID_CGROUP, F4P_FACT_TEXT, vitals.source.cgroup, strlen(vitals.source.cgroup));
    f4p_writer_fact(w, F4P_FACT_ID_CGROUP_VERSION, F4P_FACT_U64, &version, sizeof(version));
    vitals.told = true;
}

void f4p_look_publish(uint64_t now_ns)
{
    struct f4p_writer *w = &f4p_session.writer;
    struct f4p_control *control = w->control;
    struct f4p_vitals *facts = &vitals.facts;

    tell_cgroup(w);
    uint64_t seq = 1 + (control->last[0].seq > control->last[1].seq ? control->last[0].seq : control->last[1].seq);
    if (!control->first.seq)
        f4p_vitals_publish(&control->first, facts, 1, now_ns);
    f4p_vitals_publish(&control->last[seq & 1], facts, seq, now_ns);
    f4p_writer_usage(w, now_ns, facts->value[F4P_VITAL_rss], facts->value[F4P_VITAL_cgroup_usage]);
}

static unsigned due_groups(void)
{
    const uint64_t *value = vitals.facts.value;
    bool scarce = value[F4P_VITAL_mem_available] < value[F4P_VITAL_mem_total] / SCARCE_PART;

    if (vitals.count == 0)
        return F4P_VITALS_ALL;
    return F4P_VITALS_PROCESS | F4P_VITALS_CGROUP | (scarce || vitals.count % SPARSE == 0 ? F4P_VITALS_MACHINE : 0);
}

static uint64_t look_at_vitals(struct f4p_thread_state *t, uint64_t now_ns)
{
    uint64_t before = f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID);

    vitals.next_ns = now_ns + VITALS_PERIOD_NS;
    read_vitals(due_groups());
    vitals.count++;
    if (f4p_sample_enter(t, f4p_session_now())) {
        f4p_look_publish(f4p_session_now());
        f4p_sample_leave();
    }
    return f4p_allowance_spend(&vitals.allowance, f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID) - before);
}

/* One malloc has taken long enough with the file; only where the heap came in one block there may be none after it. */
static bool looks_at_once(const struct f4p_view *view)
{
    return view->live_bytes / F4P_Q8 >= 2 * f4p_session.config.min_heap;
}

/* Which is made if there is none yet. */
static bool has_file(struct f4p_thread_state *t, const struct f4p_view *view)
{
    if (__atomic_load_n(&f4p_session.has_file, __ATOMIC_ACQUIRE))
        return true;
    f4p_session_make_file(t);
    return f4p_session.has_file && !f4p_session_forked() && looks_at_once(view);
}

/* A handler may fork, and the child comes back into the look: from its begin on session.c sees to that. */
COLD void f4p_look(struct f4p_thread_state *t, const struct f4p_view *view, uint64_t now_ns)
{
    if (!f4p_look_begin(t->tid))
        return;
    if (!f4p_session_forked() && !f4p_session.stopped && has_file(t, view)) {
        bool due = now_ns >= vitals.next_ns && f4p_allowance_left(&vitals.allowance, 0, now_ns);
        uint64_t owes = due ? look_at_vitals(t, now_ns) : f4p_rss_step(view, now_ns);
        __atomic_add_fetch(&owed_ns, owes, __ATOMIC_RELAXED);
    }
    f4p_look_end();
}
