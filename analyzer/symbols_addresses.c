/* Which addresses of a trace are to be looked up, and in which order. */
#include <stdlib.h>
#include <string.h>

#include "symbols_private.h"

#define FRONT_LINES 40u /* as many as a screen shows */

static int by_address(const void *a, const void *b)
{
    const struct f4p_symbol_address *x = a, *y = b;
    if (x->module != y->module)
        return x->module < y->module ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static bool has(const struct f4p_symbol_address *sorted, size_t count, const struct f4p_symbol_address *wanted)
{
    return count && bsearch(wanted, sorted, count, sizeof *sorted, by_address);
}

static size_t distinct(struct f4p_symbol_address *list, size_t count)
{
    size_t kept = 0;
    qsort(list, count, sizeof *list, by_address);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_address(&list[kept - 1], &list[i]))
            list[kept++] = list[i];
    return kept;
}

static bool address_of(const struct f4p_trace *trace, size_t node, struct f4p_symbol_address *address)
{
    uint32_t object = trace->nodes[node].object;
    *address = (struct f4p_symbol_address){object - F4P_NODE_NATIVE, trace->nodes[node].offset};
    return object >= F4P_NODE_NATIVE && object < F4P_NODE_SPECIAL && address->module < trace->module_count;
}

struct f4p_symbol_address *f4p_symbols_addresses(const struct f4p_trace *trace, bool nameless, size_t *count)
{
    struct f4p_symbol_address *known = malloc((trace->symbol_count + 1) * sizeof *known);
    struct f4p_symbol_address *list = malloc((trace->node_count + 1) * sizeof *list), address;
    *count = 0;
    if (!known || !list) {
        free(known);
        free(list);
        return NULL;
    }
    for (size_t i = 0; i < trace->symbol_count; i++)
        known[i] = (struct f4p_symbol_address){trace->symbols[i].module, trace->symbols[i].offset};
    size_t known_count = nameless ? distinct(known, trace->symbol_count) : 0, used = 0;
    for (size_t i = 0; i < trace->node_count; i++)
        if (address_of(trace, i, &address) && !has(known, known_count, &address))
            list[used++] = address;
    free(known);
    *count = distinct(list, used);
    return list;
}

size_t f4p_symbols_without(struct f4p_symbol_address *list, size_t count, const struct f4p_symbol_address *tried,
                           size_t tried_count)
{
    struct f4p_symbol_address *sorted = malloc((tried_count + 1) * sizeof *sorted);
    size_t kept = 0;
    if (!sorted)
        return 0;
    memcpy(sorted, tried, tried_count * sizeof *sorted);
    qsort(sorted, tried_count, sizeof *sorted, by_address);
    for (size_t i = 0; i < count; i++)
        if (!has(sorted, tried_count, &list[i]))
            list[kept++] = list[i];
    free(sorted);
    return kept;
}

/* ---- order ---- */

/* Whose line a stack is; the innermost of the best counts. */
enum level { LEVEL_NONE, LEVEL_LIBRARY, LEVEL_EXECUTABLE, LEVEL_PYTHON };

static enum level level_of(const struct f4p_trace *trace, size_t node, const char *exe)
{
    struct f4p_symbol_address address;
    if (trace->nodes[node].object < F4P_NODE_NATIVE)
        return LEVEL_PYTHON;
    if (!address_of(trace, node, &address))
        return LEVEL_NONE;
    return strcmp(trace->modules[address.module].path, exe) == 0 ? LEVEL_EXECUTABLE : LEVEL_LIBRARY;
}

/* By node: the node of its stack's line as the model has it; F4P_NONE: none, or Python's. NULL: no memory. */
static uint32_t *find_lines(const struct f4p_trace *trace)
{
    const char *exe = f4p_trace_fact_text(trace, F4P_FACT_ID_EXE);
    uint32_t *line = malloc((trace->node_count + 1) * sizeof *line);
    uint8_t *best = calloc(trace->node_count + 1, sizeof *best);
    for (size_t i = 0; line && best && i < trace->node_count; i++) {
        uint32_t parent = trace->nodes[i].parent;
        enum level level = level_of(trace, i, exe), above = parent < i ? (enum level)best[parent] : LEVEL_NONE;
        line[i] = parent < i ? line[parent] : F4P_NONE;
        if (level >= above && level != LEVEL_NONE)
            line[i] = level == LEVEL_PYTHON ? F4P_NONE : (uint32_t)i;
        best[i] = (uint8_t)(level > above ? level : above);
    }
    if (!best) {
        free(line);
        line = NULL;
    }
    free(best);
    return line;
}

static int by_value_down(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

struct module_rank {
    uint64_t bytes; /* of its heaviest line */
    uint32_t module;
    size_t from, count; /* of the list */
};

static int by_rank(const void *a, const void *b)
{
    const struct module_rank *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    return x->module < y->module ? -1 : x->module > y->module;
}

/* Bytes at the end by index of `list`. false: no memory. */
static bool weigh(const struct f4p_trace *trace, const struct f4p_symbol_address *list, size_t count, uint64_t *bytes)
{
    uint32_t *line = find_lines(trace);
    for (size_t i = 0; line && i < trace->site_count; i++) {
        struct f4p_symbol_address address;
        uint32_t node = trace->sites[i].stack;
        if (!trace->sites[i].now.bytes || node >= trace->node_count || line[node] == F4P_NONE)
            continue;
        address_of(trace, line[node], &address);
        const struct f4p_symbol_address *at = bsearch(&address, list, count, sizeof *list, by_address);
        if (at)
            bytes[at - list] += trace->sites[i].now.bytes;
    }
    free(line);
    return line != NULL;
}

static size_t rank_modules(const struct f4p_symbol_address *list, size_t count, const uint64_t *bytes,
                           struct module_rank *ranks)
{
    size_t modules = 0;
    for (size_t i = 0; i < count; i++) {
        if (!modules || ranks[modules - 1].module != list[i].module)
            ranks[modules++] = (struct module_rank){.module = list[i].module, .from = i};
        struct module_rank *rank = &ranks[modules - 1];
        rank->count++;
        rank->bytes = bytes[i] > rank->bytes ? bytes[i] : rank->bytes;
    }
    qsort(ranks, modules, sizeof *ranks, by_rank);
    return modules;
}

size_t f4p_symbols_order(const struct f4p_trace *trace, struct f4p_symbol_address *list, size_t count)
{
    uint64_t *bytes = calloc(count + 1, sizeof *bytes);
    struct module_rank *ranks = malloc((trace->module_count + 1) * sizeof *ranks);
    struct f4p_symbol_address *sorted = malloc((count + 1) * sizeof *sorted);
    size_t front = 0, at = 0;
    bool python = *f4p_trace_fact_text(trace, F4P_FACT_ID_PYTHON); /* whose first screen has no native names */
    if (python || !bytes || !ranks || !sorted || !weigh(trace, list, count, bytes))
        goto out;
    size_t modules = rank_modules(list, count, bytes, ranks);
    qsort(bytes, count, sizeof *bytes, by_value_down);
    uint64_t least = count > FRONT_LINES ? bytes[FRONT_LINES - 1] : 1;
    for (size_t i = 0; i < modules; i++) {
        memcpy(sorted + at, list + ranks[i].from, ranks[i].count * sizeof *list);
        at += ranks[i].count;
        if (ranks[i].bytes && ranks[i].bytes >= least)
            front = at;
    }
    memcpy(list, sorted, count * sizeof *list);
out:
    free(bytes);
    free(ranks);
    free(sorted);
    return front;
}
