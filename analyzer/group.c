/* Groupings: who holds the bytes, by line, function, file, library, thread or process. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "format/weight.h"
#include "model.h"

#define NO_FRAME ((uint64_t)1 << 63)
#define ADDRESS ((uint64_t)1 << 62)

static uint64_t key_of(const struct f4p_model *model, enum f4p_grouping by, const struct f4p_entry *entry)
{
    const struct f4p_stack *stack = f4p_model_stack(model, entry->stack);
    const struct f4p_frame *frame = stack->user == F4P_NONE ? NULL : f4p_model_frame(model, stack->user);
    switch (by) {
    case F4P_BY_FUNCTION:
        return frame ? (uint64_t)frame->scope << 32 | frame->file : NO_FRAME | stack->via;
    case F4P_BY_FILE:
        return frame ? frame->file : NO_FRAME | stack->via;
    case F4P_BY_LIBRARY:
        for (uint32_t at = entry->stack; at != F4P_NONE; at = f4p_model_stack(model, at)->parent) {
            const struct f4p_frame *inner = f4p_model_frame(model, f4p_model_stack(model, at)->frame);
            if (inner->origin != F4P_ORIGIN_SYSTEM && inner->origin != F4P_ORIGIN_SPECIAL)
                return inner->library;
        }
        return NO_FRAME;
    case F4P_BY_THREAD:
        return (uint64_t)entry->process << 32 | entry->thread;
    case F4P_BY_PROCESS:
        return entry->process;
    case F4P_BY_STACK:
        return entry->stack;
    case F4P_BY_LINE:
    default:
        if (frame && !frame->line) /* an address without a line stands for itself */
            return ADDRESS | stack->user;
        return frame ? (uint64_t)frame->file << 32 | frame->line : NO_FRAME | stack->via;
    }
}

const struct f4p_frame *f4p_group_frame(const struct f4p_model *model, const struct f4p_group *group)
{
    const struct f4p_stack *stack = f4p_model_stack(model, f4p_model_entry(model, group->entry)->stack);
    return stack->user == F4P_NONE ? NULL : f4p_model_frame(model, stack->user);
}

double f4p_group_change_error(const struct f4p_group *group)
{
    return 1.959964 * sqrt(group->change_variance);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t apart(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Ties are broken by the order of appearance, so that a report is the same each time. */
#define ORDER(name, rank)                                      \
    static int name(const void *left, const void *right)       \
    {                                                          \
        const struct f4p_group *a = left, *b = right;          \
        uint64_t x = rank(a), y = rank(b);                     \
        if (x != y)                                            \
            return x > y ? -1 : 1;                             \
        return a->entry < b->entry ? -1 : a->entry > b->entry; \
    }
#define RANK_BYTES(g) ((g)->sums.bytes)
#define RANK_BLOCKS(g) ((g)->sums.blocks)
#define RANK_CHANGE(g) apart((g)->sums.bytes, (g)->before.bytes)
#define RANK_BLOCK_CHANGE(g) apart((g)->sums.blocks, (g)->before.blocks)
ORDER(by_bytes, RANK_BYTES)
ORDER(by_block_count, RANK_BLOCKS)
ORDER(by_change, RANK_CHANGE)
ORDER(by_block_change, RANK_BLOCK_CHANGE)

struct via_key {
    uint32_t group, via;
};

/* The library most of a group's bytes come through. */
static int find_vias(const struct f4p_model *model, const struct f4p_heap *heap, const uint32_t *group_of,
                     struct f4p_group *groups)
{
    struct f4p_keys keys = {.bytes = sizeof(struct via_key)};
    uint64_t *bytes = calloc(model->entries.count + 1ul, sizeof *bytes);
    int result = -1;
    for (uint32_t i = 0; bytes && i < model->entries.count; i++) {
        if (group_of[i] == F4P_NONE)
            continue;
        struct via_key key = {group_of[i], f4p_model_stack(model, f4p_model_entry(model, i)->stack)->via};
        uint32_t id = f4p_keys_put(&keys, &key);
        if (id == F4P_NONE)
            goto out;
        bytes[id] += heap->sums[i].bytes;
    }
    for (uint32_t id = 0; bytes && id < keys.count; id++) {
        const struct via_key *key = &((const struct via_key *)(const void *)keys.data)[id];
        struct f4p_group *group = &groups[key->group];
        if (bytes[id] > group->via_bytes) {
            group->via = key->via;
            group->via_bytes = bytes[id];
        }
    }
    result = bytes ? 0 : -1;
out:
    free(bytes);
    f4p_keys_free(&keys);
    return result;
}

static void put_entry(struct f4p_group *group, uint32_t entry, const struct f4p_sums *now,
                      const struct f4p_sums *before)
{
    uint64_t weight = larger(now->bytes, before ? before->bytes : 0);
    if (weight > group->entry_bytes || group->entry == F4P_NONE) {
        group->entry = entry;
        group->entry_bytes = weight;
    }
    f4p_sums_add(&group->sums, now);
    if (before)
        f4p_sums_add(&group->before, before);
}

struct f4p_group *f4p_model_group(const struct f4p_model *model, enum f4p_grouping by, const struct f4p_heap *heap,
                                  const struct f4p_heap *before, bool by_blocks, size_t *count)
{
    struct f4p_keys keys = {.bytes = sizeof(uint64_t)};
    struct f4p_group *groups = calloc(model->entries.count + 1ul, sizeof *groups);
    uint32_t *group_of = malloc((model->entries.count + 1ul) * sizeof *group_of);
    double *variances = before ? f4p_diff_variances(model, before, heap) : NULL;
    bool failed = !groups || !group_of || (before && !variances);
    *count = 0;
    for (uint32_t i = 0; !failed && i < model->entries.count; i++) {
        const struct f4p_sums *old = before ? &before->sums[i] : NULL;
        group_of[i] = F4P_NONE;
        if (!heap->sums[i].samples && !(old && old->samples))
            continue;
        uint64_t key = key_of(model, by, f4p_model_entry(model, i));
        uint32_t known = keys.count;
        uint32_t id = group_of[i] = f4p_keys_put(&keys, &key);
        failed = id == F4P_NONE;
        if (failed)
            break;
        if (id == known)
            groups[id] = (struct f4p_group){.key = key, .entry = F4P_NONE};
        put_entry(&groups[id], i, &heap->sums[i], old);
        groups[id].change_variance += old ? variances[i] : 0;
        groups[id].resident += heap->resident ? heap->resident[i] : 0;
    }
    failed = failed || find_vias(model, heap, group_of, groups);
    free(group_of);
    free(variances);
    *count = keys.count;
    f4p_keys_free(&keys);
    if (failed || !*count) {
        *count = 0;
        free(groups);
        return NULL;
    }
    qsort(groups, *count, sizeof *groups,
          before ? (by_blocks ? by_block_change : by_change) : (by_blocks ? by_block_count : by_bytes));
    return groups;
}
