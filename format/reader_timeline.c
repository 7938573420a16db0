/* The recorder's and the launcher's timeline as one, in the coarser of their resolutions. */
#include <string.h>

#include "reader.h"
#include "reader_private.h"

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The valid half of a section, or NULL. */
static const struct f4p_bucket *half_of(const struct f4p_area *area, uint32_t half, uint32_t shift)
{
    const uint64_t bytes = F4P_BUCKETS * sizeof(struct f4p_bucket);
    if (half > 1 || shift < 1 || shift > 63 || area->bytes < (half + 1) * bytes)
        return NULL;
    return (const struct f4p_bucket *)area->data + half * F4P_BUCKETS;
}

/* heap_last of each point, +1; point.heap is +1 until carry(). */
static void fold(struct f4p_point *points, uint64_t *last, const struct f4p_bucket *from, unsigned by)
{
    for (unsigned i = 0; from && i < F4P_BUCKETS; i++) {
        unsigned to = by < 10 ? i >> by : 0;
        points[to].heap = max(points[to].heap, from[i].heap_max);
        points[to].rss = max(points[to].rss, from[i].rss_max);
        points[to].cgroup = max(points[to].cgroup, from[i].cgroup_max);
        if (from[i].heap_last)
            last[to] = from[i].heap_last;
    }
}

/* A bucket's highest is at least what the heap was when it began. */
static void carry(struct f4p_point *points, const uint64_t *last, size_t count, unsigned shift)
{
    uint64_t heap = 0;
    for (size_t i = 0; i < count; i++) {
        points[i].t_ns = (uint64_t)i << shift;
        points[i].heap = max(points[i].heap ? points[i].heap - 1 : 0, heap);
        if (last[i])
            heap = last[i] - 1;
    }
}

void f4p_reader_timeline(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    const struct f4p_state *state = &trace->state;
    const struct f4p_launch_state *launch = &trace->launch;
    const struct f4p_bucket *own = NULL, *other = NULL;
    uint64_t last[F4P_BUCKETS] = {0}, end = 0;

    if (p->have_state && state->seq + state->commit) {
        own = half_of(&p->area[F4P_SECTION_TIMELINE], state->timeline_half, state->timeline_shift);
        end = state->t_ns;
    }
    if (trace->has_launch) {
        other = half_of(&p->area[F4P_SECTION_LAUNCH_TIMELINE], launch->timeline_half, launch->timeline_shift);
        end = max(end, launch->t_ns);
    }
    if (!own && !other)
        return;
    unsigned own_shift = own ? state->timeline_shift : 0, other_shift = other ? launch->timeline_shift : 0;
    unsigned shift = own_shift > other_shift ? own_shift : other_shift;
    fold(p->points, last, own, shift - own_shift);
    fold(p->points, last, other, shift - other_shift);

    size_t count = end >> shift < F4P_BUCKETS ? (size_t)(end >> shift) + 1 : F4P_BUCKETS;
    for (size_t i = count; i < F4P_BUCKETS; i++)
        if (p->points[i].heap || p->points[i].rss || p->points[i].cgroup)
            count = i + 1;
    carry(p->points, last, count, shift);
    trace->timeline = p->points;
    trace->timeline_count = count;
    trace->timeline_step_ns = 1ull << shift;
}
