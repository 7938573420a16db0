/* Trees of stacks, and the widths of their boxes. */
#include "analyzer/tui_tree.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "format/hash.h"
#include "tests/support_run.h"
#include "tests/support_trace.h"

#define FILE_BYTES (4u << 20)

struct tree_fixture {
    struct f4p_fixture f;
    struct f4p_trace *trace;
    struct f4p_model *model;
    struct f4p_heap heap;
    uint8_t *visible;
};

static void make(struct tree_fixture *t)
{
    struct f4p_error error;
    char why[256];
    f4p_fixture_make(&t->f, NULL, FILE_BYTES, 4096, 200, 5);
    f4p_fixture_churn(&t->f, 20000, 3000);
    ck_assert_int_eq(f4p_trace_open_memory(t->f.base, t->f.header.file_bytes, &t->trace, &error), 0);
    ck_assert_int_eq(f4p_model_build(&t->trace, 1, 1, NULL, &t->model, why, sizeof why), 0);
    ck_assert_int_eq(f4p_heap_end(t->model, false, &t->heap), 0);
    t->visible = malloc(t->model->frames.count);
    memset(t->visible, 1, t->model->frames.count);
}

static void unmake(struct tree_fixture *t)
{
    free(t->visible);
    f4p_heap_free(&t->heap);
    f4p_model_free(t->model);
    f4p_trace_close(t->trace);
    free(t->f.base);
    f4p_fixture_free(&t->f);
}

/* Every node holds what its children and itself hold; siblings are of different frames, the largest first. */
static uint32_t check_below(struct f4p_tree *tree, uint32_t node)
{
    ck_assert_int_eq(f4p_tree_open(tree, node), 0);
    uint64_t sum = tree->nodes[node].self.bytes;
    uint32_t seen = 1, first = tree->nodes[node].first, count = tree->nodes[node].count;
    for (uint32_t i = first; i < first + count; i++) {
        ck_assert_uint_eq(tree->nodes[i].parent, node);
        ck_assert_uint_eq(tree->nodes[i].depth, tree->nodes[node].depth + 1);
        for (uint32_t j = first; j < i; j++) {
            ck_assert_uint_ne(tree->nodes[i].frame, tree->nodes[j].frame);
            ck_assert_uint_ge(tree->nodes[j].sums.bytes, tree->nodes[i].sums.bytes);
        }
        sum += tree->nodes[i].sums.bytes;
    }
    if (!tree->bottom_up || !node) /* bottom-up, a path may end at any node */
        ck_assert_uint_eq(sum, tree->nodes[node].sums.bytes);
    ck_assert_uint_le(sum, tree->nodes[node].sums.bytes);
    for (uint32_t i = first; i < first + count; i++)
        seen += check_below(tree, i);
    return seen;
}

START_TEST(test_tree_adds_up_in_both_directions)
{
    struct tree_fixture t;
    struct f4p_tree tree;
    make(&t);
    for (int bottom_up = 0; bottom_up < 2; bottom_up++) {
        ck_assert_int_eq(f4p_tree_build(&tree, t.model, &t.heap, bottom_up, t.visible), 0);
        ck_assert_uint_eq(tree.nodes[0].sums.bytes, t.heap.total.bytes);
        ck_assert_uint_gt(check_below(&tree, 0), 20);
        f4p_tree_free(&tree);
    }
    unmake(&t);
}
END_TEST

START_TEST(test_tree_without_some_frames_loses_no_bytes)
{
    struct tree_fixture t;
    struct f4p_tree tree;
    make(&t);
    for (uint32_t mask = 0; mask < 8; mask++)
        for (int bottom_up = 0; bottom_up < 2; bottom_up++) {
            for (uint32_t i = 0; i < t.model->frames.count; i++)
                t.visible[i] = !((i * 2654435761u >> 13) & mask);
            ck_assert_int_eq(f4p_tree_build(&tree, t.model, &t.heap, bottom_up, t.visible), 0);
            check_below(&tree, 0);
            for (uint32_t i = 1; i < tree.count; i++)
                ck_assert(tree.nodes[i].frame == F4P_NONE || t.visible[tree.nodes[i].frame]);
            f4p_tree_free(&tree);
        }
    unmake(&t);
}
END_TEST

START_TEST(test_tree_with_nothing_visible_is_one_box)
{
    struct tree_fixture t;
    struct f4p_tree tree;
    make(&t);
    memset(t.visible, 0, t.model->frames.count);
    ck_assert_int_eq(f4p_tree_build(&tree, t.model, &t.heap, false, t.visible), 0);
    ck_assert_uint_eq(tree.nodes[0].self.bytes, t.heap.total.bytes);
    f4p_tree_free(&tree);
    ck_assert_int_eq(f4p_tree_build(&tree, t.model, &t.heap, true, t.visible), 0);
    ck_assert_uint_eq(tree.nodes[0].count, 1);
    ck_assert_uint_eq(tree.nodes[1].frame, F4P_NONE);
    f4p_tree_free(&tree);
    unmake(&t);
}
END_TEST

/* ---- finding ---- */

#define MAX_FOUND 20000u

static uint64_t path_of(const struct f4p_tree *tree, uint32_t node)
{
    uint64_t path = 0;
    for (; node; node = tree->nodes[node].parent)
        path = f4p_hash(&tree->nodes[node].frame, sizeof(uint32_t), path);
    return path;
}

/* What there is to find, by looking at every node in order. */
static void list_wanted(struct f4p_tree *tree, const uint8_t *wanted, uint32_t node, uint64_t *paths, size_t *count)
{
    ck_assert_int_eq(f4p_tree_open(tree, node), 0);
    for (uint32_t i = 0; i < tree->nodes[node].count; i++) {
        uint32_t child = tree->nodes[node].first + i, frame = tree->nodes[child].frame;
        if (frame != F4P_NONE && wanted[frame]) {
            ck_assert_uint_lt(*count, MAX_FOUND);
            paths[(*count)++] = path_of(tree, child);
        }
        list_wanted(tree, wanted, child, paths, count);
    }
}

static void check_finding(const struct tree_fixture *t, bool bottom_up, const uint8_t *wanted)
{
    static uint64_t paths[MAX_FOUND];
    struct f4p_tree all, tree;
    size_t count = 0;
    ck_assert_int_eq(f4p_tree_build(&all, t->model, &t->heap, bottom_up, t->visible), 0);
    list_wanted(&all, wanted, 0, paths, &count);
    for (int down = 0; down < 2; down++) {
        uint32_t at = 0;
        ck_assert_int_eq(f4p_tree_build(&tree, t->model, &t->heap, bottom_up, t->visible), 0);
        for (size_t i = 0; count && i < count + 1; i++) { /* and around the end */
            size_t expected = down ? i % count : count - 1 - i % count;
            at = f4p_tree_find(&tree, wanted, at, down);
            ck_assert_uint_ne(at, F4P_NONE);
            ck_assert_uint_eq(path_of(&tree, at), paths[expected]);
        }
        ck_assert(count || f4p_tree_find(&tree, wanted, 0, down) == F4P_NONE);
        f4p_tree_free(&tree);
    }
    f4p_tree_free(&all);
}

START_TEST(test_tree_finds_everything_in_order_folded_or_not)
{
    struct tree_fixture t;
    make(&t);
    uint8_t *wanted = malloc(t.model->frames.count);
    for (uint32_t round = 0; round < 6; round++)
        for (int bottom_up = 0; bottom_up < 2; bottom_up++) {
            for (uint32_t i = 0; i < t.model->frames.count; i++) {
                wanted[i] = round < 5 && (i * 2654435761u >> 16) % (1 + 3 * round) == 0;
                t.visible[i] = round % 2 || (i * 2246822519u >> 16) % 4;
            }
            check_finding(&t, bottom_up, wanted);
        }
    free(wanted);
    unmake(&t);
}
END_TEST

START_TEST(test_tree_search_opens_only_the_way)
{
    struct tree_fixture t;
    struct f4p_tree tree;
    make(&t);
    uint8_t *wanted = calloc(t.model->frames.count, 1);
    ck_assert_int_eq(f4p_tree_build(&tree, t.model, &t.heap, true, t.visible), 0);
    uint32_t opened = tree.count, frame = tree.nodes[tree.nodes[0].first].frame;
    ck_assert_uint_eq(f4p_tree_find(&tree, wanted, 0, true), F4P_NONE);
    wanted[frame] = 1;
    ck_assert_uint_eq(f4p_tree_find(&tree, wanted, 0, true), tree.nodes[0].first);
    ck_assert_uint_eq(tree.count, opened);
    f4p_tree_free(&tree);
    free(wanted);
    unmake(&t);
}
END_TEST

/* ---- widths ---- */

static unsigned sum_of(const unsigned *widths, size_t count)
{
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += widths[i];
    return sum;
}

START_TEST(test_widths_add_up_and_are_off_by_less_than_one)
{
    uint64_t random = 88172645463325252ull, values[50];
    unsigned widths[50];
    for (unsigned round = 0; round < 2000; round++) {
        size_t count = 1 + round % 50;
        unsigned columns = 1 + round % 317;
        uint64_t total = 0;
        for (size_t i = 0; i < count; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            total += values[i] = random >> (24 + random % 30);
        }
        f4p_tree_widths(values, count, total, columns, widths);
        ck_assert_uint_eq(sum_of(widths, count), columns);
        for (size_t i = 0; i < count; i++) {
            double exact = (double)values[i] / (double)total * columns;
            ck_assert_double_lt(exact - widths[i], 1);
            ck_assert_double_lt(widths[i] - exact, 1);
        }
    }
}
END_TEST

START_TEST(test_widths_go_to_the_largest_remainder)
{
    unsigned widths[3];
    f4p_tree_widths((uint64_t[]){50, 30, 20}, 3, 100, 4, widths); /* 2, 1.2, 0.8 */
    ck_assert_uint_eq(widths[0], 2);
    ck_assert_uint_eq(widths[1], 1);
    ck_assert_uint_eq(widths[2], 1);
    f4p_tree_widths((uint64_t[]){25, 25, 0}, 3, 100, 10, widths); /* the rest is the parent's own */
    ck_assert_uint_eq(sum_of(widths, 3), 5);
    f4p_tree_widths((uint64_t[]){0, 0, 0}, 3, 0, 10, widths);
    ck_assert_uint_eq(sum_of(widths, 3), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tui_tree");
    TCase *tests = tcase_create("tree");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, test_tree_adds_up_in_both_directions);
    tcase_add_test(tests, test_tree_without_some_frames_loses_no_bytes);
    tcase_add_test(tests, test_tree_with_nothing_visible_is_one_box);
    tcase_add_test(tests, test_tree_finds_everything_in_order_folded_or_not);
    tcase_add_test(tests, test_tree_search_opens_only_the_way);
    tcase_add_test(tests, test_widths_add_up_and_are_off_by_less_than_one);
    tcase_add_test(tests, test_widths_go_to_the_largest_remainder);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
