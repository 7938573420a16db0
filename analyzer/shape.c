#include "shape.h"

const char *f4p_shape_name(enum f4p_shape_kind kind)
{
    static const char *const names[] = {
#define X(name, text) text,
        F4P_SHAPES(X)
#undef X
    };
    return names[kind];
}

static double heap_of(const struct f4p_point *point)
{
    return (double)point->heap;
}

/* The last climb: walking back from the end, the lowest point before the heap had been clearly above it. */
static size_t find_climb(const struct f4p_point *points, size_t count)
{
    double end = heap_of(&points[count - 1]), lowest = end;
    size_t at = count - 1;
    for (size_t i = count; i-- > 0;) {
        double heap = heap_of(&points[i]);
        double slack = 0.2 * (end - lowest);
        if (heap > lowest + (slack > 0.05 * end ? slack : 0.05 * end) && lowest < 0.95 * end)
            break;
        if (heap > end * 1.05)
            break;
        if (heap < lowest) {
            lowest = heap;
            at = i;
        }
    }
    return at;
}

/* The shortest time in which most of the climb from `from` on took place. */
static void narrow_step(const struct f4p_point *points, size_t from, size_t count, struct f4p_shape *shape)
{
    double climb = heap_of(&points[count - 1]) - heap_of(&points[from]);
    uint64_t shortest = UINT64_MAX;
    size_t low = from;
    for (size_t high = from; high < count; high++) {
        while (low < high && heap_of(&points[high]) - heap_of(&points[low + 1]) >= 0.7 * climb)
            low++;
        uint64_t span = points[high].t_ns - points[low].t_ns;
        if (heap_of(&points[high]) - heap_of(&points[low]) >= 0.7 * climb && span < shortest) {
            shortest = span;
            shape->from_ns = points[low].t_ns;
            shape->to_ns = points[high].t_ns;
            shape->change = heap_of(&points[high]) - heap_of(&points[low]);
        }
    }
}

static struct f4p_shape find_peak(const struct f4p_point *points, size_t count, double peak, uint64_t end_ns)
{
    struct f4p_shape shape = {.kind = F4P_SHAPE_FALL, .level = peak};
    uint64_t high = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t next = i + 1 < count ? points[i + 1].t_ns : end_ns;
        if (heap_of(&points[i]) < 0.8 * peak)
            continue;
        if (!high)
            shape.from_ns = points[i].t_ns;
        shape.to_ns = next;
        high += next > points[i].t_ns ? next - points[i].t_ns : 0;
    }
    if ((double)high < 0.15 * (double)end_ns)
        shape.kind = F4P_SHAPE_SPIKE;
    shape.change = heap_of(&points[count - 1]) - peak;
    return shape;
}

struct f4p_shape f4p_shape_find(const struct f4p_point *points, size_t count, uint64_t end_ns)
{
    struct f4p_shape shape = {0};
    double peak = 0;
    if (count < 4)
        return shape;
    for (size_t i = 0; i < count; i++)
        peak = heap_of(&points[i]) > peak ? heap_of(&points[i]) : peak;
    double end = heap_of(&points[count - 1]);
    if (peak <= 0)
        return shape;
    if (end < 0.7 * peak)
        return find_peak(points, count, peak, end_ns);

    size_t level = count - 1; /* since when the heap has been where it ended */
    while (level > 0 && heap_of(&points[level - 1]) > 0.9 * end && heap_of(&points[level - 1]) < 1.1 * end)
        level--;
    shape.to_ns = end_ns;
    uint64_t flat = end_ns - points[level].t_ns, run = end_ns - points[0].t_ns;
    if ((double)flat > 0.25 * (double)run) {
        shape.kind = F4P_SHAPE_FLAT;
        shape.from_ns = points[level].t_ns;
        shape.level = end;
        shape.change = end - heap_of(&points[level]);
        return shape;
    }
    size_t climb = find_climb(points, count);
    shape.kind = F4P_SHAPE_RAMP;
    shape.from_ns = points[climb].t_ns;
    shape.change = end - heap_of(&points[climb]);
    struct f4p_shape step = shape;
    narrow_step(points, climb, count, &step);
    uint64_t quick = step.to_ns - step.from_ns, whole = shape.to_ns - shape.from_ns;
    if ((double)quick < 0.05 * (double)run || (double)quick < 0.2 * (double)whole) {
        shape = step;
        shape.kind = F4P_SHAPE_STEP;
    }
    return shape;
}
