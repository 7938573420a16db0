#include "when.h"

#include <stdlib.h>
#include <string.h>

#include "format_text.h"

enum kind { PEAK, END, PERCENT, SINCE_START, BEFORE_END, CLOCK };

struct when {
    enum kind kind;
    double percent;
    uint64_t ns;
};

static int parse(const char *text, size_t length, struct when *when)
{
    char copy[64], *end;
    if (!length || length >= sizeof copy)
        return -1;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *when = (struct when){.kind = END};
    if (!strcmp(copy, "end"))
        return 0;
    when->kind = PEAK;
    if (!strcmp(copy, "peak"))
        return 0;
    when->kind = BEFORE_END;
    if (!strncmp(copy, "end-", 4))
        return f4p_parse_span(copy + 4, &when->ns);
    when->kind = PERCENT;
    when->percent = strtod(copy, &end);
    if (end != copy && !strcmp(end, "%"))
        return when->percent >= 0 && when->percent <= 100 ? 0 : -1;
    when->kind = CLOCK;
    if (!f4p_parse_time(copy, &when->ns))
        return 0;
    when->kind = SINCE_START;
    return f4p_parse_span(copy, &when->ns);
}

bool f4p_when_valid(const char *text, size_t length)
{
    struct when when;
    return parse(text, length, &when) == 0;
}

int f4p_when_heap(const struct f4p_model *model, bool base, const char *text, size_t length, struct f4p_heap *heap)
{
    struct when when;
    uint64_t end = 0, t = 0;
    if (parse(text, length, &when))
        return -1;
    for (size_t i = 0; i < model->process_count; i++)
        if (model->processes[i].base == base && model->processes[i].end_ns > end)
            end = model->processes[i].end_ns;
    switch (when.kind) {
    case PEAK:
        return f4p_heap_peak(model, base, heap);
    case END:
        return f4p_heap_end(model, base, heap);
    case PERCENT:
        t = when.percent >= 100 ? end : (uint64_t)((double)end * when.percent / 100);
        break;
    case BEFORE_END:
        t = when.ns < end ? end - when.ns : 0;
        break;
    case SINCE_START:
        t = when.ns;
        break;
    case CLOCK:
        t = when.ns > model->start_realtime_ns ? when.ns - model->start_realtime_ns : 0;
        break;
    }
    return t >= end ? f4p_heap_end(model, base, heap) : f4p_heap_at(model, base, t, heap);
}
