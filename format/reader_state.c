/* Recovery: the state after the last complete op, the live set, and what every site holds now and held at the peak. */
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "reader.h"
#include "reader_private.h"
#include "weight.h"

#define CHECKED(object) ((object)->check == f4p_hash((object), offsetof(__typeof__(*(object)), check), 0))

static struct f4p_control *control_of(const struct f4p_trace *trace)
{
    const struct f4p_area *a = &trace->private->area[F4P_SECTION_CONTROL];
    return a->bytes >= sizeof(struct f4p_control) ? (struct f4p_control *)a->data : NULL;
}

const struct f4p_failure *f4p_reader_last_failure(const struct f4p_trace *trace)
{
    const struct f4p_control *control = control_of(trace);
    const struct f4p_failure *last = NULL;
    for (int i = 0; control && i < 2; i++) {
        const struct f4p_last_failure *slot = &control->failed[i];
        if (CHECKED(slot) && (!last || slot->failure.t_ns >= last->t_ns))
            last = &slot->failure;
    }
    return last;
}

/* How many entries of `size` bytes the file has of a section. Indices are 32 bits wide. */
static uint32_t capacity(const struct f4p_trace *trace, enum f4p_section_kind kind, size_t size)
{
    uint64_t n = trace->private->area[kind].bytes / size;
    return n < F4P_NONE ? (uint32_t)n : F4P_NONE - 1;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- state and intent ---- */

const struct f4p_state *f4p_reader_state(const struct f4p_trace *trace)
{
    const struct f4p_control *control = control_of(trace);
    const struct f4p_state *best = NULL;
    for (int i = 0; control && i < 2; i++) {
        const struct f4p_state *state = &control->state[i];
        if (CHECKED(state) && (!best || state->commit > best->commit))
            best = state;
    }
    return best;
}

static void roll_back(struct f4p_trace *trace, const struct f4p_intent *intent)
{
    struct f4p_live *live = (struct f4p_live *)trace->private->area[F4P_SECTION_LIVE].data;
    struct f4p_site *sites = (struct f4p_site *)trace->private->area[F4P_SECTION_SITES].data;
    uint32_t live_room = capacity(trace, F4P_SECTION_LIVE, sizeof *live);
    uint32_t site_room = capacity(trace, F4P_SECTION_SITES, sizeof *sites);

    for (uint32_t i = 0; i < least(intent->live_count, 2); i++)
        if (intent->live_index[i] < live_room)
            live[intent->live_index[i]] = intent->live[i];
    for (uint32_t i = 0; i < least(intent->site_count, 2); i++)
        if (intent->site_index[i] < site_room)
            sites[intent->site_index[i]] = intent->site[i];
}

static bool live_valid(const struct f4p_trace *trace, const struct f4p_live *entry, uint64_t *hash)
{
    *hash = f4p_hash(entry, offsetof(struct f4p_live, check), 0);
    return entry->check == (uint32_t)*hash && f4p_trace_interval(trace, entry->shift) < F4P_INTERVAL_LIMIT &&
           entry->site < trace->private->site_limit;
}

/* Entries that may be in use. */
static uint32_t live_reach(const struct f4p_trace *trace)
{
    uint32_t room = capacity(trace, F4P_SECTION_LIVE, sizeof(struct f4p_live));
    return trace->private->have_state ? least(trace->state.live_high, room) : room;
}

static bool live_hash_right(const struct f4p_trace *trace)
{
    const struct f4p_live *live = (const struct f4p_live *)trace->private->area[F4P_SECTION_LIVE].data;
    uint32_t reach = live_reach(trace);
    uint64_t sum = 0, count = 0, hash;
    if (reach < trace->state.live_high)
        return false;
    for (uint32_t i = 0; i < reach; i++) {
        if (live[i].kind && live_valid(trace, &live[i], &hash)) {
            sum += hash;
            count++;
        }
    }
    return sum == trace->state.live_hash && count == trace->state.live.samples;
}

bool f4p_reader_settle(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    const struct f4p_state *state = f4p_reader_state(trace);

    p->have_state = state != NULL;
    p->site_limit = capacity(trace, F4P_SECTION_SITES, sizeof(struct f4p_site));
    trace->op_in_flight = false;
    memset(&trace->state, 0, sizeof trace->state);
    if (!state)
        return false;
    trace->state = *state;
    p->site_limit = least(p->site_limit, state->sites);

    const struct f4p_intent *intent = &control_of(trace)->intent;
    if (CHECKED(intent) && intent->seq == state->seq + 1) {
        trace->intent = *intent;
        trace->op_in_flight = true;
        roll_back(trace, intent);
    }
    return live_hash_right(trace);
}

/* ---- the live set ---- */

/* Valid entries are moved together at the front of the private copy; live_map keeps where they went. */
static int gather_live(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    struct f4p_live *live = (struct f4p_live *)p->area[F4P_SECTION_LIVE].data;
    uint32_t reach = live_reach(trace), count = 0;
    uint64_t hash;

    p->live_map = calloc(reach + 1ull, sizeof *p->live_map);
    float *resident = f4p_reader_alloc(trace, (reach + 1ull) * 2 * sizeof *resident);
    if (!p->live_map || !resident)
        return -1;
    for (uint32_t i = 0; i < reach; i++) {
        if (live[i].kind == 0 && f4p_reader_zero(&live[i], sizeof *live))
            continue;
        if (live[i].kind == 0 || !live_valid(trace, &live[i], &hash)) {
            trace->damage.bad_live++;
            trace->damage.torn_bytes += sizeof *live;
            continue;
        }
        struct f4p_mark mark;
        bool known = f4p_reader_mark(trace, i, &live[i], &mark);
        resident[count] = known ? (float)mark.resident / 65535 : -1;
        resident[reach + count] = known ? (float)mark.swapped / 65535 : 0;
        live[count] = live[i];
        p->live_map[i] = ++count;
    }
    trace->resident = resident;
    trace->swapped = resident + reach;
    trace->live = live;
    trace->live_count = count;
    return 0;
}

/* ---- sites ---- */

static bool site_valid(const struct f4p_site *site, uint32_t index)
{
    return site->check == f4p_hash(site, offsetof(struct f4p_site, check), index);
}

/* Without a state: the table ends behind its last valid entry. */
static uint32_t sites_found(const struct f4p_site *sites, uint32_t n)
{
    while (n > 0 && !site_valid(&sites[n - 1], n - 1))
        n--;
    return n;
}

static void check_sites(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    struct f4p_site *sites = (struct f4p_site *)p->area[F4P_SECTION_SITES].data;
    uint32_t count = p->have_state ? p->site_limit : sites_found(sites, p->site_limit);

    p->site_limit = count;
    trace->sites = sites;
    trace->site_count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (site_valid(&sites[i], i)) {
            if (p->have_state && sites[i].epoch != trace->state.peak_epoch)
                sites[i].peak = sites[i].now;
            continue;
        }
        memset(&sites[i], 0, sizeof sites[i]);
        sites[i].stack = sites[i].thread = F4P_NONE;
        trace->damage.bad_sites++;
        trace->damage.torn_bytes += sizeof *sites;
    }
}

static bool sums_equal(const struct f4p_sums *a, const struct f4p_sums *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* `now` from the live set, which is the truth; what the site says of itself is only used for the peak. */
static void sum_sites(struct f4p_trace *trace)
{
    struct f4p_site *sites = (struct f4p_site *)trace->sites;
    struct f4p_sums total = {0};
    uint64_t hash, sum = 0;

    for (size_t i = 0; i < trace->site_count; i++)
        sites[i].now = (struct f4p_sums){0};
    for (size_t i = 0; i < trace->live_count; i++) {
        const struct f4p_live *entry = &trace->live[i];
        struct f4p_sums w = f4p_sample_weight(entry->size, f4p_trace_interval(trace, entry->shift));
        f4p_sums_add(&sites[entry->site].now, &w);
        f4p_sums_add(&total, &w);
        hash = f4p_hash(entry, offsetof(struct f4p_live, check), 0);
        sum += hash;
    }
    trace->damage.live_sound = trace->private->have_state && sum == trace->state.live_hash &&
                               sums_equal(&total, &trace->state.live) && live_reach(trace) >= trace->state.live_high;
    trace->private->end_total = total;
}

static void sum_peak(struct f4p_trace *trace)
{
    struct f4p_sums total = {0};
    uint64_t hash = 0;
    for (size_t i = 0; i < trace->site_count; i++) {
        const struct f4p_sums *peak = &trace->sites[i].peak;
        if (peak->samples)
            hash += f4p_hash(peak, sizeof *peak, i);
        f4p_sums_add(&total, peak);
    }
    trace->damage.peak_sound = trace->private->have_state && hash == trace->state.peak.site_hash &&
                               sums_equal(&total, &trace->state.peak.sums) &&
                               trace->private->site_limit == trace->state.sites;
    trace->private->peak_total = total;
}

/* ---- nodes ---- */

static bool node_valid(const struct f4p_node *node, uint32_t index)
{
    return node->check == (uint32_t)f4p_hash(node, offsetof(struct f4p_node, check), index) &&
           (node->parent == F4P_NONE || node->parent < index);
}

static void check_nodes(struct f4p_trace *trace)
{
    struct f4p_node *nodes = (struct f4p_node *)trace->private->area[F4P_SECTION_NODES].data;
    uint32_t count = capacity(trace, F4P_SECTION_NODES, sizeof *nodes);
    if (trace->private->have_state)
        count = least(count, trace->state.nodes);
    else
        while (count > 0 && !node_valid(&nodes[count - 1], count - 1))
            count--;
    for (uint32_t i = 0; i < count; i++) {
        if (node_valid(&nodes[i], i))
            continue;
        nodes[i] = (struct f4p_node){F4P_NONE, F4P_NODE_SPECIAL + F4P_SPECIAL_UNKNOWN_CODE, 0, 0};
        trace->damage.bad_nodes++;
        trace->damage.torn_bytes += sizeof *nodes;
    }
    trace->nodes = nodes;
    trace->node_count = count;
}

/* ---- vitals, requests, launcher ---- */

static const struct f4p_vitals *vitals_valid(const struct f4p_vitals *v)
{
    return CHECKED(v) && v->seq ? v : NULL;
}

/* One of the pair may be half written: that is no damage. */
static const struct f4p_vitals *vitals_newest(struct f4p_trace *trace, const struct f4p_vitals pair[2])
{
    const struct f4p_vitals *best = NULL;
    for (int i = 0; i < 2; i++)
        if (CHECKED(&pair[i]) && pair[i].seq && (!best || pair[i].seq > best->seq))
            best = &pair[i];
    if (!best && !f4p_reader_zero(pair, 2 * sizeof *pair))
        trace->damage.torn_bytes += 2 * sizeof *pair;
    return best;
}

/* `live` of a request becomes an index of trace->live, if the entry there is still the block asked about. */
static void take_requests(struct f4p_trace *trace, const struct f4p_control *control)
{
    struct f4p_trace_private *p = trace->private;
    uint32_t reach = live_reach(trace);
    for (unsigned i = 0; i < F4P_REQUESTS; i++) {
        struct f4p_request request = control->requests[i];
        if (request.tid == 0)
            continue;
        if (!CHECKED(&request)) {
            trace->requests_torn++;
            continue;
        }
        uint32_t at = request.live < reach ? p->live_map[request.live] : 0;
        request.live = at && trace->live[at - 1].address == request.address ? at - 1 : F4P_NONE;
        if (request.site >= trace->site_count)
            request.site = F4P_NONE;
        p->requests[trace->request_count++] = request;
    }
    trace->requests = p->requests;
}

static void take_launch(struct f4p_trace *trace)
{
    const struct f4p_area *a = &trace->private->area[F4P_SECTION_LAUNCH];
    if (a->bytes < sizeof(struct f4p_launch))
        return;
    const struct f4p_launch *launch = (const struct f4p_launch *)a->data;
    const struct f4p_launch_state *best = NULL;
    for (int i = 0; i < 2; i++) {
        const struct f4p_launch_state *state = &launch->state[i];
        if (CHECKED(state) && (!best || state->seq > best->seq))
            best = state;
    }
    if (best) {
        trace->has_launch = true;
        trace->launch = *best;
    } else if (!f4p_reader_zero(launch->state, sizeof launch->state)) {
        trace->damage.bad_states += 2;
        trace->damage.torn_bytes += sizeof launch->state;
    }
    trace->launch_first = vitals_valid(&launch->first);
    trace->launch_last = vitals_newest(trace, launch->last);
    trace->launch_end = vitals_valid(&launch->end);
}

/* ---- all of it ---- */

/* Nothing was ever committed: no process has attached, or one only just began. */
static bool untouched(const struct f4p_trace *trace)
{
    static const enum f4p_section_kind kinds[] = {F4P_SECTION_CONTROL, F4P_SECTION_OPEN, F4P_SECTION_LIVE,
                                                  F4P_SECTION_HISTORY};
    const struct f4p_header *header = trace->header;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct f4p_area *a = &trace->private->area[kinds[i]];
        if (!f4p_reader_zero(a->data, a->bytes))
            return false;
    }
    return trace->private->file_bytes >= header->file_bytes;
}

int f4p_reader_tables(struct f4p_trace *trace)
{
    const struct f4p_control *control = control_of(trace);
    if (!trace->private->have_state && untouched(trace)) {
        trace->private->have_state = true;
        trace->private->site_limit = 0;
    }
    if (!trace->private->have_state) {
        trace->damage.bad_states += 2;
        trace->damage.torn_bytes += 2 * sizeof(struct f4p_state);
    }
    check_sites(trace);
    if (gather_live(trace))
        return -1;
    sum_sites(trace);
    sum_peak(trace);
    check_nodes(trace);
    if (control) {
        trace->first = vitals_valid(&control->first);
        trace->last = vitals_newest(trace, control->last);
        trace->ending = CHECKED(&control->ending) ? &control->ending : NULL;
        take_requests(trace, control);
    }
    take_launch(trace);
    free(trace->private->live_map);
    trace->private->live_map = NULL;
    return 0;
}
