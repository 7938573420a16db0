/* usage: crash_probe TRACE: what tests ask about a trace, a line each: "key value". */
#include <stdio.h>

#include "format/layout.h"
#include "format/reader.h"
#include "victim.h"

#define LARGE (1u << 20)

static void print(const char *key, uint64_t value)
{
    printf("%s %llu\n", key, (unsigned long long)value);
}

int main(int argc, char **argv)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    if (argc != 2)
        return fprintf(stderr, "usage: crash_probe TRACE\n"), 2;
    if (f4p_trace_open(argv[1], &trace, &error))
        return fprintf(stderr, "%s\n", error.text), 1;
    const struct f4p_section *history = f4p_layout_find(trace->header, F4P_SECTION_HISTORY);
    print("live_sound", trace->damage.live_sound);
    print("peak_sound", trace->damage.peak_sound);
    print("bad_blocks", trace->damage.bad_blocks);
    print("ops", trace->state.seq);
    print("laps", history && history->bytes ? trace->state.history_pos / history->bytes : 0);
    print("live", trace->live_count);
    print("op_in_flight", trace->op_in_flight);
    uint64_t marked = 0, overflow = 0;
    for (size_t i = 0; i < trace->live_count; i++)
        marked += VICTIM_MARKED(trace->live[i].size);
    for (size_t i = 0; i < trace->thread_count; i++)
        overflow += trace->threads[i].flags == F4P_THREAD_OVERFLOW;
    print("marked", marked);
    print("threads", trace->thread_count);
    print("overflow_threads", overflow);
    for (size_t i = 0; i < trace->live_count; i++)
        if (trace->live[i].size >= LARGE)
            print("large", trace->live[i].size);
    for (size_t i = 0; i < trace->request_count; i++)
        print(trace->requests[i].kind == F4P_REQUEST_REALLOC ? "reallocating" : "requested", trace->requests[i].size);
    f4p_trace_close(trace);
    return 0;
}
