#include "tui_tree.h"

#include <stdlib.h>
#include <string.h>

#include "format/weight.h"

static int grow(struct f4p_tree *tree, uint32_t more)
{
    if (tree->count + more <= tree->room)
        return 0;
    uint32_t room = tree->room * 2 > tree->count + more ? tree->room * 2 : tree->count + more + 1024;
    struct f4p_tree_node *bigger = realloc(tree->nodes, room * sizeof *bigger);
    if (!bigger)
        return -1;
    tree->nodes = bigger;
    tree->room = room;
    return 0;
}

static int by_bytes(const void *left, const void *right)
{
    const struct f4p_tree_node *a = left, *b = right;
    if (a->sums.bytes != b->sums.bytes)
        return a->sums.bytes > b->sums.bytes ? -1 : 1;
    return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* ---- leaves ---- */

static int book_leaves(struct f4p_tree *tree, const struct f4p_heap *heap)
{
    const struct f4p_model *m = tree->model;
    tree->leaf = calloc(m->stacks.count + 1ul, sizeof *tree->leaf);
    if (!tree->leaf)
        return -1;
    for (uint32_t i = 0; i < m->entries.count; i++)
        if (heap->sums[i].samples)
            f4p_sums_add(&tree->leaf[f4p_model_entry(m, i)->stack], &heap->sums[i]);
    return 0;
}

static bool is_visible(const struct f4p_tree *tree, uint32_t stack)
{
    return tree->visible[f4p_model_stack(tree->model, stack)->frame];
}

/* ---- top-down: members are the stacks whose next visible frame is below the node ---- */

/* The child of every stack's nearest visible ancestor: stacks ordered by id have parents first, so that one pass from
 * the end sums subtrees. */
static int total_stacks(struct f4p_tree *tree, struct f4p_sums **out)
{
    const struct f4p_model *m = tree->model;
    struct f4p_sums *sums = malloc((m->stacks.count + 1ul) * sizeof *sums);
    if (!sums)
        return -1;
    memcpy(sums, tree->leaf, m->stacks.count * sizeof *sums);
    for (uint32_t i = m->stacks.count; i-- > 0;) {
        uint32_t parent = f4p_model_stack(m, i)->parent;
        if (parent != F4P_NONE && sums[i].samples)
            f4p_sums_add(&sums[parent], &sums[i]);
    }
    *out = sums;
    return 0;
}

struct merge_key {
    uint32_t parent, frame;
};

/* Gives every stack with bytes its node; equal frames below one node are one. Nodes come parents first. */
static int merge_stacks(struct f4p_tree *tree, const struct f4p_sums *sums)
{
    const struct f4p_model *m = tree->model;
    struct f4p_keys keys = {.bytes = sizeof(struct merge_key)};
    int result = -1;
    tree->node_of = malloc((m->stacks.count + 1ul) * sizeof *tree->node_of);
    if (grow(tree, m->stacks.count)) /* at once: growing step by step would copy it all again and again */
        goto out;
    for (uint32_t i = 0; tree->node_of && i < m->stacks.count; i++) {
        const struct f4p_stack *stack = f4p_model_stack(m, i);
        uint32_t above = stack->parent == F4P_NONE ? 0 : tree->node_of[stack->parent];
        tree->node_of[i] = above;
        if (!sums[i].samples)
            continue;
        if (is_visible(tree, i)) {
            struct merge_key key = {above, stack->frame};
            uint32_t known = keys.count, id = f4p_keys_put(&keys, &key);
            if (id == F4P_NONE)
                goto out;
            if (id == known)
                tree->nodes[tree->count++] = (struct f4p_tree_node){
                    .frame = stack->frame, .parent = above, .depth = tree->nodes[above].depth + 1};
            tree->node_of[i] = id + 1;
            f4p_sums_add(&tree->nodes[id + 1].sums, &sums[i]);
        }
        if (tree->leaf[i].samples)
            f4p_sums_add(&tree->nodes[tree->node_of[i]].self, &tree->leaf[i]);
    }
    result = tree->node_of ? 0 : -1;
out:
    f4p_keys_free(&keys);
    return result;
}

/* Puts siblings side by side, largest first. The order of nodes changes: parents stay before children. */
static int order_siblings(struct f4p_tree *tree)
{
    uint32_t count = tree->count;
    uint32_t *start = calloc(count + 2ul, sizeof *start), *child = malloc((count + 1ul) * sizeof *child);
    struct f4p_tree_node *sorted = malloc((count + 1ul) * sizeof *sorted);
    int result = -1;
    if (!start || !child || !sorted)
        goto out;
    for (uint32_t i = 1; i < count; i++)
        start[tree->nodes[i].parent + 2]++;
    for (uint32_t i = 2; i < count + 2; i++)
        start[i] += start[i - 1];
    for (uint32_t i = 1; i < count; i++)
        child[start[tree->nodes[i].parent + 1]++] = i;
    /* breadth first; `parent` of a copied node holds its old index until its own turn */
    uint32_t made = 1;
    sorted[0] = tree->nodes[0];
    sorted[0].parent = 0;
    for (uint32_t i = 0; i < made; i++) {
        uint32_t old = sorted[i].parent, from = old ? start[old] : 0, to = start[old + 1];
        sorted[i].first = made;
        sorted[i].count = to - from;
        sorted[i].made = true;
        for (uint32_t j = from; j < to; j++) {
            sorted[made] = tree->nodes[child[j]];
            sorted[made++].parent = child[j];
        }
        qsort(sorted + sorted[i].first, sorted[i].count, sizeof *sorted, by_bytes);
    }
    for (uint32_t i = 0; i < made; i++)
        for (uint32_t j = 0; j < sorted[i].count; j++)
            sorted[sorted[i].first + j].parent = i;
    sorted[0].parent = F4P_NONE;
    free(tree->nodes);
    tree->nodes = sorted;
    tree->room = count + 1;
    sorted = NULL;
    result = 0;
out:
    free(start);
    free(child);
    free(sorted);
    return result;
}

static int build_down(struct f4p_tree *tree)
{
    struct f4p_sums *sums = NULL;
    int result = total_stacks(tree, &sums) || merge_stacks(tree, sums) ? -1 : order_siblings(tree);
    free(sums);
    return result;
}

/* ---- bottom-up ---- */

/* The next visible stack at or outside of `at`. */
static uint32_t visible_from(const struct f4p_tree *tree, uint32_t at)
{
    while (at != F4P_NONE && !is_visible(tree, at))
        at = f4p_model_stack(tree->model, at)->parent;
    return at;
}

static int build_up(struct f4p_tree *tree)
{
    const struct f4p_model *m = tree->model;
    tree->members = malloc((m->stacks.count + 1ul) * sizeof *tree->members);
    if (!tree->members)
        return -1;
    tree->member_room = m->stacks.count + 1ul;
    for (uint32_t i = 0; i < m->stacks.count; i++)
        if (tree->leaf[i].samples)
            tree->members[tree->member_count++] = (struct f4p_tree_member){i, visible_from(tree, i)};
    tree->nodes[0].member_count = (uint32_t)tree->member_count;
    return f4p_tree_open(tree, 0);
}

/* Reorders the members of `node` by child: their frames are numbered in order of appearance. */
static int group_members(struct f4p_tree *tree, uint32_t node, struct f4p_keys *keys)
{
    uint32_t from = tree->nodes[node].member_from, count = tree->nodes[node].member_count;
    struct f4p_tree_member *copy = malloc((count + 1ul) * sizeof *copy);
    uint32_t *child = malloc((count + 1ul) * sizeof *child), *start = NULL;
    int result = -1;
    if (!copy || !child)
        goto out;
    memcpy(copy, tree->members + from, count * sizeof *copy);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t frame = copy[i].at == F4P_NONE ? F4P_NONE : f4p_model_stack(tree->model, copy[i].at)->frame;
        child[i] = f4p_keys_put(keys, &frame);
        if (child[i] == F4P_NONE)
            goto out;
    }
    start = calloc(keys->count + 1ul, sizeof *start);
    if (!start)
        goto out;
    for (uint32_t i = 0; i < count; i++)
        start[child[i] + 1]++;
    for (uint32_t i = 1; i <= keys->count; i++)
        start[i] += start[i - 1];
    for (uint32_t i = 0; i < count; i++)
        tree->members[from + start[child[i]]++] = copy[i];
    result = 0;
out:
    free(copy);
    free(child);
    free(start);
    return result;
}

/* A child takes the members from `from` on that have its frame, and lets them step outwards. */
static uint32_t adopt(struct f4p_tree *tree, struct f4p_tree_node *child, uint32_t from, uint32_t to)
{
    const struct f4p_model *m = tree->model;
    child->member_from = from;
    for (; from < to; from++) {
        struct f4p_tree_member *member = &tree->members[from];
        uint32_t frame = member->at == F4P_NONE ? F4P_NONE : f4p_model_stack(m, member->at)->frame;
        if (frame != child->frame)
            break;
        f4p_sums_add(&child->sums, &tree->leaf[member->leaf]);
        if (member->at != F4P_NONE)
            member->at = visible_from(tree, f4p_model_stack(m, member->at)->parent);
    }
    child->member_count = from - child->member_from;
    return from;
}

static int open_up(struct f4p_tree *tree, uint32_t node)
{
    struct f4p_keys keys = {.bytes = sizeof(uint32_t)};
    uint32_t at = tree->nodes[node].member_from, to = at + tree->nodes[node].member_count, made = 0;
    int result = -1;
    bool ended = node && tree->nodes[node].frame == F4P_NONE;
    if (ended) {
        tree->nodes[node].made = true;
        return 0;
    }
    if (group_members(tree, node, &keys) || grow(tree, keys.count))
        goto out;
    tree->nodes[node].first = tree->count;
    for (uint32_t i = 0; i < keys.count; i++) {
        uint32_t frame = ((const uint32_t *)(const void *)keys.data)[i];
        struct f4p_tree_node child = {.frame = frame, .parent = node, .depth = tree->nodes[node].depth + 1};
        at = adopt(tree, &child, at, to);
        if (frame != F4P_NONE || !node) /* paths that end here are no caller; at the root they have no visible frame */
            tree->nodes[tree->count + made++] = child;
    }
    tree->count += made;
    tree->nodes[node].count = made;
    tree->nodes[node].made = true;
    qsort(tree->nodes + tree->nodes[node].first, made, sizeof *tree->nodes, by_bytes);
    result = 0;
out:
    f4p_keys_free(&keys);
    return result;
}

int f4p_tree_open(struct f4p_tree *tree, uint32_t node)
{
    return tree->nodes[node].made ? 0 : open_up(tree, node);
}

/* ---- */

int f4p_tree_build(struct f4p_tree *tree, const struct f4p_model *model, const struct f4p_heap *heap, bool bottom_up,
                   const uint8_t *visible)
{
    *tree = (struct f4p_tree){.model = model, .bottom_up = bottom_up, .visible = visible};
    if (grow(tree, 1) || book_leaves(tree, heap))
        return -1;
    tree->nodes[tree->count++] = (struct f4p_tree_node){.frame = F4P_NONE, .parent = F4P_NONE, .sums = heap->total};
    return bottom_up ? build_up(tree) : build_down(tree);
}

void f4p_tree_free(struct f4p_tree *tree)
{
    free(tree->nodes);
    free(tree->leaf);
    free(tree->members);
    free(tree->node_of);
    *tree = (struct f4p_tree){0};
}

/* ---- finding ---- */

struct search {
    struct f4p_tree *tree;
    const uint8_t *wanted;
    uint8_t *leads; /* top-down by node: a wanted one is below it; bottom-up by stack: at or outside of it */
};

static bool is_wanted(const struct search *s, uint32_t node)
{
    uint32_t frame = s->tree->nodes[node].frame;
    return frame != F4P_NONE && s->wanted[frame];
}

static int find_leads(struct search *s)
{
    const struct f4p_tree *tree = s->tree;
    const struct f4p_model *m = tree->model;
    s->leads = calloc((tree->bottom_up ? m->stacks.count : tree->count) + 1ul, 1);
    if (!s->leads)
        return -1;
    for (uint32_t i = tree->bottom_up ? 0 : tree->count; i-- > 1;) /* children stand behind their parents */
        s->leads[tree->nodes[i].parent] |= s->leads[i] || is_wanted(s, i);
    for (uint32_t i = 0; tree->bottom_up && i < m->stacks.count; i++) {
        const struct f4p_stack *stack = f4p_model_stack(m, i);
        s->leads[i] =
            (is_visible(tree, i) && s->wanted[stack->frame]) || (stack->parent != F4P_NONE && s->leads[stack->parent]);
    }
    return 0;
}

/* Whether a wanted node is, or would be, below this one. Recursion is as deep as the tree was opened. */
static bool has_below(const struct search *s, uint32_t node)
{
    const struct f4p_tree_node *n = &s->tree->nodes[node];
    if (!s->tree->bottom_up)
        return s->leads[node];
    for (uint32_t i = 0; !n->made && i < n->member_count; i++) {
        uint32_t at = s->tree->members[n->member_from + i].at;
        if (at != F4P_NONE && s->leads[at])
            return true;
    }
    for (uint32_t i = 0; n->made && i < n->count; i++)
        if (is_wanted(s, n->first + i) || has_below(s, n->first + i))
            return true;
    return false;
}

/* The first, or last, wanted node below one that has some. */
static uint32_t end_below(struct search *s, uint32_t node, bool first)
{
    while (!f4p_tree_open(s->tree, node)) {
        uint32_t count = s->tree->nodes[node].count, from = s->tree->nodes[node].first, next = F4P_NONE;
        for (uint32_t i = 0; i < count && next == F4P_NONE; i++) {
            uint32_t child = from + (first ? i : count - 1 - i);
            if (first && is_wanted(s, child))
                return child;
            if (has_below(s, child))
                next = child;
            else if (is_wanted(s, child))
                return child;
        }
        if (next == F4P_NONE)
            break;
        node = next;
    }
    return F4P_NONE;
}

static uint32_t find_on(struct search *s, uint32_t at)
{
    if (has_below(s, at))
        return end_below(s, at, true);
    for (; at; at = s->tree->nodes[at].parent) {
        const struct f4p_tree_node *parent = &s->tree->nodes[s->tree->nodes[at].parent];
        for (uint32_t next = at + 1; next < parent->first + parent->count; next++) {
            if (is_wanted(s, next))
                return next;
            if (has_below(s, next))
                return end_below(s, next, true);
        }
    }
    return has_below(s, 0) ? end_below(s, 0, true) : F4P_NONE;
}

static uint32_t find_back(struct search *s, uint32_t at)
{
    for (; at; at = s->tree->nodes[at].parent) {
        uint32_t parent = s->tree->nodes[at].parent;
        for (uint32_t before = at; before-- > s->tree->nodes[parent].first;) {
            if (has_below(s, before))
                return end_below(s, before, false);
            if (is_wanted(s, before))
                return before;
        }
        if (parent && is_wanted(s, parent))
            return parent;
    }
    return has_below(s, 0) ? end_below(s, 0, false) : F4P_NONE;
}

uint32_t f4p_tree_find(struct f4p_tree *tree, const uint8_t *wanted, uint32_t from, bool down)
{
    struct search s = {.tree = tree, .wanted = wanted};
    uint32_t found = F4P_NONE;
    if (!find_leads(&s))
        found = down ? find_on(&s, from) : find_back(&s, from);
    free(s.leads);
    return found;
}

/* ---- widths ---- */

void f4p_tree_widths(const uint64_t *values, size_t count, uint64_t total, unsigned columns, unsigned *widths)
{
    uint64_t sum = 0;
    unsigned used = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        widths[i] = total ? (unsigned)((double)values[i] / (double)total * columns) : 0;
        used += widths[i];
    }
    unsigned all = total ? (unsigned)((double)sum / (double)total * columns + 1e-9) : 0;
    while (used < all) { /* the largest remainder next, of equals the first; each once */
        size_t best = count;
        double most = -1;
        for (size_t i = 0; i < count; i++) {
            double exact = (double)values[i] / (double)total * columns, left = exact - widths[i];
            if (left > most + 1e-9 && left < 1) {
                most = left;
                best = i;
            }
        }
        if (best == count || most <= 0)
            break;
        widths[best]++;
        used++;
    }
}
