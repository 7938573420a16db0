/*
 * Names of native addresses: this program's own file as the module, the right build and a wrong one, files moved,
 * broken and hostile; packing; C++ and Rust names.
 */
#include "analyzer/symbols.h"

#include <check.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/symbols_private.h"
#include "recorder/modules.h"
#include "tests/support_run.h"
#include "tests/support_sketch.h"

static struct f4p_sketch sketch;
static struct f4p_symbols *symbols;
static char exe[PATH_MAX], directory[] = "/tmp/fil4prod-symbols.XXXXXX";

__attribute__((noinline)) static int known_function(int x)
{
    return x * 3 + 1;
}

/* A trace with one node in known_function() and one in main(), of a module at `path`. */
static struct f4p_trace *make(const char *path, int change_build)
{
    const struct f4p_code_module *us = f4p_modules_find((uintptr_t)&known_function);
    ck_assert_ptr_nonnull(us);
    struct {
        struct f4p_module head;
        uint8_t build_id[F4P_BUILD_ID_MAX];
    } record = {.head = {.start = us->start,
                         .end = us->end,
                         .bias = us->bias,
                         .build_id_bytes = us->build_id_bytes,
                         .path_bytes = (uint32_t)strlen(path)}};
    memcpy(record.build_id, us->build_id, us->build_id_bytes);
    record.build_id[0] ^= (uint8_t)change_build;
    f4p_sketch_start(&sketch, 1, 0);
    struct f4p_writer *w = &sketch.f.w;
    uint32_t module = f4p_writer_record(w, F4P_RECORD_MODULE, 0, &record, sizeof record.head + us->build_id_bytes, path,
                                        strlen(path));
    uint32_t node =
        f4p_writer_node(w, F4P_NONE, F4P_NODE_NATIVE + module, (uint32_t)((uintptr_t)&known_function + 4 - us->bias));
    uint32_t site = f4p_writer_site(w, node, 0);
    f4p_writer_alloc(w, &(struct f4p_block_facts){4096, 100, site, 0, F4P_KIND_MALLOC}, 1);
    return (struct f4p_trace *)f4p_sketch_open(&sketch, F4P_STATUS_EXITED);
}

static void resolve(struct f4p_trace *trace, const char *map, bool none)
{
    struct f4p_symbol_options options = {.none = none, .path_maps = {map}, .path_map_count = map ? 1 : 0};
    ck_assert_int_eq(f4p_symbols_resolve(trace, &options, &symbols), 0);
}

static void drop(void)
{
    f4p_symbols_free(symbols);
    symbols = NULL;
    f4p_sketch_free(&sketch);
}

static void expect_name(const struct f4p_trace *trace)
{
    ck_assert_uint_ge(trace->symbol_count, 1);
    ck_assert_str_eq(trace->symbols[0].function, "known_function");
    ck_assert_uint_eq(trace->symbols[0].depth, 0);
#ifdef HAVE_LIBDW
    ck_assert_msg(strstr(trace->symbols[0].file, "check_symbols.c"), "%s", trace->symbols[0].file);
    ck_assert_uint_ge(trace->symbols[0].line, 24);
    ck_assert_uint_le(trace->symbols[0].line, 34);
#endif
}

static void copy_file(const char *to, size_t most, uint64_t seed)
{
    static uint8_t data[32 << 20];
    FILE *in = fopen(exe, "re"), *out = fopen(to, "we");
    size_t bytes = fread(data, 1, sizeof data, in);
    if (bytes > most)
        bytes = most;
    for (unsigned i = 0; seed && i < 400; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        /* Half of the damage where the tables are: the head, and the end. */
        size_t range = i % 2 ? bytes : 4096 < bytes ? 4096 : bytes, at = (seed >> 20) % (range ? range : 1);
        if (i % 4 == 2)
            at = bytes - 1 - at;
        if (bytes && at > 0x400)
            data[at] = (uint8_t)(seed >> 56);
    }
    fwrite(data, 1, bytes, out);
    fclose(in);
    fclose(out);
}

START_TEST(test_symbols_of_our_own_file)
{
    struct f4p_trace *trace = make(exe, 0);
    resolve(trace, NULL, false);
    expect_name(trace);
    drop();
}
END_TEST

START_TEST(test_symbols_none_looks_at_no_file)
{
    struct f4p_trace *trace = make(exe, 0);
    resolve(trace, NULL, true);
    ck_assert_uint_eq(trace->symbol_count, 0);
    drop();
}
END_TEST

static enum f4p_symbol_why why_nameless(const struct f4p_trace *trace)
{
    size_t count;
    struct f4p_symbol_gap *gaps = f4p_symbols_gaps(trace, symbols, &count);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(gaps[0].module, trace->module_count - 1);
    ck_assert_uint_eq(gaps[0].addresses, 1);
    ck_assert_uint_eq(gaps[0].nameless, 1);
    enum f4p_symbol_why why = gaps[0].why;
    free(gaps);
    return why;
}

START_TEST(test_symbols_refuse_another_build)
{
    struct f4p_trace *trace = make(exe, 1);
    resolve(trace, NULL, false);
    ck_assert_uint_eq(trace->symbol_count, 0);
    ck_assert_int_eq(why_nameless(trace), F4P_SYMBOL_WHY_OTHER_BUILD);
    drop();
}
END_TEST

START_TEST(test_symbols_say_what_has_no_name)
{
    char build_id[F4P_BUILD_ID_TEXT];
    size_t count;
    struct f4p_trace *trace = make("/nowhere/at/all", 0);
    resolve(trace, NULL, false);
    ck_assert_int_eq(why_nameless(trace), F4P_SYMBOL_WHY_NO_FILE);
    ck_assert_uint_eq(strlen(f4p_symbols_build_id(build_id, &trace->modules[trace->module_count - 1])), 40);
    drop();
    trace = make("[generated code]", 0);
    resolve(trace, NULL, false);
    ck_assert_int_eq(why_nameless(trace), F4P_SYMBOL_WHY_NO_PATH);
    drop();
    trace = make(exe, 0);
    resolve(trace, NULL, true);
    ck_assert_int_eq(why_nameless(trace), F4P_SYMBOL_WHY_NOT_ASKED);
    drop();
    trace = make(exe, 0);
    resolve(trace, NULL, false);
    ck_assert_ptr_null(f4p_symbols_gaps(trace, symbols, &count));
    ck_assert_uint_eq(count, 0);
    drop();
}
END_TEST

/* A trace may claim any length. */
START_TEST(test_symbols_bound_build_ids)
{
    static uint8_t bits[1 << 16];
    char build_id[F4P_BUILD_ID_TEXT];
    struct f4p_trace *trace = make("/nowhere/at/all", 0);
    struct f4p_module_view *module = (struct f4p_module_view *)&trace->modules[trace->module_count - 1];
    memset(bits, 0xab, sizeof bits);
    module->build_id = bits;
    module->build_id_bytes = sizeof bits;
    ck_assert_uint_eq(strlen(f4p_symbols_build_id(build_id, module)), F4P_BUILD_ID_TEXT - 1);
    resolve(trace, NULL, false);
    ck_assert_int_eq(why_nameless(trace), F4P_SYMBOL_WHY_NO_FILE);
    drop();
}
END_TEST

START_TEST(test_symbols_follow_path_maps)
{
    char map[2 * PATH_MAX];
    struct f4p_trace *trace = make("/in/the/container/program", 0);
    snprintf(map, sizeof map, "/in/the/container/program=%s", exe);
    resolve(trace, map, false);
    expect_name(trace);
    drop();
}
END_TEST

START_TEST(test_symbols_survive_hostile_files)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/hostile", directory);
    ck_assert_int_eq(stat(exe, &st), 0);
    for (uint64_t seed = 1; seed <= 24; seed++) {
        copy_file(path, seed % 3 ? SIZE_MAX : (size_t)st.st_size * seed / 25, seed);
        struct f4p_trace *trace = make(path, 0);
        resolve(trace, NULL, false);
        drop();
    }
    ck_assert_int_eq(truncate(path, 0), 0);
    struct f4p_trace *trace = make(path, 0);
    resolve(trace, NULL, false);
    ck_assert_uint_eq(trace->symbol_count, 0);
    drop();
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    trace = make(path, 0);
    resolve(trace, NULL, false);
    ck_assert_uint_eq(trace->symbol_count, 0);
    drop();
    unlink(path);
}
END_TEST

START_TEST(test_symbols_pack)
{
    char from[PATH_MAX], to[PATH_MAX], text[512];
    struct f4p_trace *again;
    struct f4p_error error;
    make(exe, 0);
    snprintf(from, sizeof from, "%s/from", directory);
    snprintf(to, sizeof to, "%s/to", directory);
    FILE *file = fopen(from, "we");
    fwrite(sketch.f.base, 1, sketch.f.header.file_bytes, file);
    fclose(file);
    drop();
    ck_assert_msg(!f4p_trace_open(from, &again, &error), "%s", error.text);
    resolve(again, NULL, false);
    ck_assert_msg(!f4p_symbols_pack(again, to, false, text, sizeof text), "%s", text);
    ck_assert_int_ne(f4p_symbols_pack(again, to, false, text, sizeof text), 0); /* it exists */
    ck_assert_int_eq(f4p_symbols_pack(again, from, false, text, sizeof text), 0);
    uint64_t live = again->state.live_hash;
    f4p_symbols_free(symbols);
    symbols = NULL;
    f4p_trace_close(again);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(!f4p_trace_open(i ? from : to, &again, &error), "%s", error.text);
        ck_assert(again->header->compatible & F4P_COMPAT_PACKED);
        ck_assert_uint_eq(again->state.live_hash, live);
        ck_assert(again->damage.live_sound);
        ck_assert_uint_eq(again->damage.torn_bytes + again->damage.missing_bytes, 0);
        expect_name(again);
        /* Nothing is left to look up, and packing again changes no names. */
        ck_assert_int_eq(f4p_symbols_pack(again, i ? from : to, false, text, sizeof text), 0);
        f4p_trace_close(again);
    }
    unlink(from);
    unlink(to);
}
END_TEST

/* ---- names that come later ---- */

static struct f4p_symbol_progress progress_now(void)
{
    struct f4p_symbol_progress progress = {0};
    f4p_symbols_progress(symbols, &progress);
    return progress;
}

START_TEST(test_symbols_come_later)
{
    const struct f4p_symbol_options options = {0};
    struct f4p_trace *trace = make(exe, 0);
    ck_assert_int_eq(f4p_symbols_start(trace, &options, &symbols), 0);
    ck_assert_uint_eq(trace->symbol_count, 0);
    ck_assert_int_eq(why_nameless(trace), F4P_SYMBOL_WHY_PENDING);
    ck_assert_uint_eq(progress_now().done, 0);
    ck_assert_uint_eq(progress_now().all, 1);
    ck_assert(progress_now().front);
    struct pollfd input = {.fd = f4p_symbols_fd(symbols), .events = POLLIN};
    ck_assert_int_ge(input.fd, 0);
    ck_assert_int_eq(poll(&input, 1, 60000), 1);
    while (f4p_symbols_take(symbols, 60000))
        ;
    expect_name(trace);
    ck_assert_int_eq(f4p_symbols_fd(symbols), -1);
    ck_assert_uint_eq(progress_now().done, 1);
    ck_assert(!progress_now().front);
    ck_assert_uint_eq(progress_now().names, trace->symbol_count);
    drop();
}
END_TEST

START_TEST(test_symbols_given_up_leave_no_child)
{
    const struct f4p_symbol_options options = {0};
    struct f4p_trace *trace = make(exe, 0);
    ck_assert_int_eq(f4p_symbols_start(trace, &options, &symbols), 0);
    ck_assert_int_ge(f4p_symbols_fd(symbols), 0);
    ck_assert_int_ge(waitpid(-1, NULL, WNOHANG), 0); /* there is one */
    drop();
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(test_symbols_go_on_with_a_newer_trace)
{
    const struct f4p_symbol_options options = {0};
    struct f4p_trace *trace = make(exe, 0);
    struct f4p_sketch old = sketch;
    struct f4p_symbols *found;
    ck_assert_int_eq(f4p_symbols_start(trace, &options, &symbols), 0);
    while (f4p_symbols_take(symbols, -1))
        ;
    found = symbols;
    struct f4p_trace *newer = make("/nowhere/at/all", 0);
    ck_assert(!f4p_symbols_lend(found, newer)); /* another program */
    f4p_sketch_free(&sketch);
    newer = make(exe, 0);
    ck_assert(f4p_symbols_lend(found, newer));
    expect_name(newer);
    struct f4p_node *node = (struct f4p_node *)&newer->nodes[newer->node_count - 1];
    node->offset--; /* an address that the older one had not */
    f4p_symbols_move(found, newer);
    f4p_sketch_free(&old);
    ck_assert_uint_eq(progress_now().done, 1);
    ck_assert_uint_eq(progress_now().all, 2);
    size_t count = newer->symbol_count;
    while (f4p_symbols_take(found, -1))
        ;
    ck_assert_uint_gt(newer->symbol_count, count);
    ck_assert_uint_eq(newer->symbols[count].offset, node->offset);
    ck_assert_str_eq(newer->symbols[count].function, "known_function");
    drop();
}
END_TEST

/* 60 modules with one address each; the 50th holds most, those behind it nothing. */
START_TEST(test_symbols_of_the_heaviest_lines_are_first)
{
    size_t count;
    f4p_sketch_start(&sketch, 1, 0);
    for (uint32_t i = 0; i < 60; i++) {
        char path[32];
        snprintf(path, sizeof path, "/job/module%u.so", i);
        uint32_t object = f4p_sketch_module(&sketch, path), site = f4p_sketch_site(&sketch, 0, 64, 1, &object);
        if (i < 50)
            f4p_writer_alloc(&sketch.f.w, &(struct f4p_block_facts){4096 * (i + 1), 100 + i, site, 0, F4P_KIND_MALLOC},
                             1);
    }
    const struct f4p_trace *trace = f4p_sketch_open(&sketch, F4P_STATUS_EXITED);
    struct f4p_symbol_address *list = f4p_symbols_addresses(trace, true, &count);
    ck_assert_uint_eq(count, 60);
    uint32_t first = list[0].module;
    ck_assert_uint_eq(f4p_symbols_order(trace, list, count), 40);
    for (uint32_t i = 0; i < 60; i++)
        ck_assert_uint_eq(list[i].module, first + (i < 50 ? 49 - i : i));
    free(list);
    drop();
}
END_TEST

static void check_name(const char *name, const char *want)
{
    char *got = f4p_symbols_demangle(name);
    if (want)
        ck_assert_str_eq(got ? got : "(none)", want);
    else
        ck_assert_ptr_null(got);
    free(got);
}

START_TEST(test_names_of_rust)
{
    check_name("_RNvCs1234_7mycrate3foo", "mycrate::foo");
    check_name("_RNCNvCs1234_7mycrate3foo0", "mycrate::foo::{closure#0}");
    check_name("_RINvNtC3std3mem8align_ofjdE", "std::mem::align_of::<usize, f64>");
    check_name("_RNvMs_NtC5alloc3vecINtB4_3VechE4push", "<alloc::vec::Vec<u8>>::push");
    check_name("_RNvXs_C1aNtB4_1bNtB4_1c1d", "<a::b as a::c>::d");
    check_name("_RIC3fooRShTjjEFUKC_EuAcj10_E", NULL); /* K C takes no "_" */
    check_name("_RIC3fooRShTjjEFUKCEuAcj10_E", "foo::<&[u8], (usize, usize), unsafe fn(), [char; 16]>");
    check_name("_RB_", NULL);
    check_name("_RNvB_1a", NULL);
    check_name("_R", NULL);
    check_name("_RNvC3foo99999999999999999999bar", NULL);
    char deep[10000] = "_RIC3foo";
    memset(deep + 8, 'S', sizeof deep - 9);
    check_name(deep, NULL);
}
END_TEST

START_TEST(test_names_of_cxx)
{
    char *runtime = f4p_symbols_demangle("_Z1fi");
    if (!runtime)
        printf("SKIP names of C++: no C++ runtime on this machine\n");
    free(runtime);
    if (!runtime)
        return;
    check_name("_ZN4shop5shelfIlE7restockEm", "shop::shelf<long>::restock(unsigned long)");
    check_name("_ZN5alloc3vec12Vec$LT$T$GT$4push17h0123456789abcdefE", "alloc::vec::Vec<T>::push");
    check_name("_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE",
               "core::ptr::drop_in_place<alloc::string::String>");
    check_name("main", NULL);
    check_name("_Zgarbage", NULL);
}
END_TEST

int main(void)
{
    ssize_t bytes = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[bytes > 0 ? bytes : 0] = '\0';
    if (known_function(2) != 7 || !mkdtemp(directory))
        return 1;
    Suite *suite = suite_create("symbols");
    TCase *tc = tcase_create("symbols");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, test_symbols_of_our_own_file);
    tcase_add_test(tc, test_symbols_none_looks_at_no_file);
    tcase_add_test(tc, test_symbols_refuse_another_build);
    tcase_add_test(tc, test_symbols_say_what_has_no_name);
    tcase_add_test(tc, test_symbols_bound_build_ids);
    tcase_add_test(tc, test_symbols_follow_path_maps);
    tcase_add_test(tc, test_symbols_survive_hostile_files);
    tcase_add_test(tc, test_symbols_pack);
    tcase_add_test(tc, test_symbols_come_later);
    tcase_add_test(tc, test_symbols_given_up_leave_no_child);
    tcase_add_test(tc, test_symbols_go_on_with_a_newer_trace);
    tcase_add_test(tc, test_symbols_of_the_heaviest_lines_are_first);
    tcase_add_test(tc, test_names_of_rust);
    tcase_add_test(tc, test_names_of_cxx);
    suite_add_tcase(suite, tc);
    int status = support_run(suite);
    rmdir(directory);
    return status;
}
