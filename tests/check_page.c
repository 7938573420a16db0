/* fil4prod-trace(5) is enough to write a reader: tests/trace_from_page.py was, and says the same as ours. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/reader.h"
#include "tests/support_run.h"
#include "tests/support_trace.h"

#define MOMENTS 3

static void put_sums(FILE *out, const struct f4p_sums *sums, size_t stride, size_t count)
{
    const char *comma = "";
    fputc('[', out);
    for (size_t i = 0; i < count; i++) {
        const struct f4p_sums *s = (const struct f4p_sums *)((const char *)sums + i * stride);
        if (!s->samples)
            continue;
        fprintf(out, "%s[%zu,%llu,%llu,%llu,%llu]", comma, i, (unsigned long long)s->bytes,
                (unsigned long long)s->variance, (unsigned long long)s->blocks, (unsigned long long)s->samples);
        comma = ",";
    }
    fputc(']', out);
}

static void put_frame(FILE *out, const struct f4p_trace *trace, const struct f4p_node *node)
{
    if (node->object >= F4P_NODE_SPECIAL)
        fprintf(out, ",\"special %u\"", node->object - F4P_NODE_SPECIAL);
    else if (node->object >= F4P_NODE_NATIVE)
        fprintf(out, ",\"%s+%u\"", trace->modules[node->object - F4P_NODE_NATIVE].path, node->offset);
    else
        fprintf(out, ",\"%s %s:%u+%u\"", trace->codes[node->object].name, trace->codes[node->object].file,
                trace->codes[node->object].first_line, node->offset);
}

static void put_stack(FILE *out, const struct f4p_trace *trace, uint32_t node)
{
    if (node == F4P_NONE)
        return;
    put_stack(out, trace, trace->nodes[node].parent);
    put_frame(out, trace, &trace->nodes[node]);
}

/* What trace_from_page.py prints, from our reader. */
static char *summary(const struct f4p_trace *trace, const uint64_t *times)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    struct f4p_sums *sums = malloc(trace->site_count * sizeof *sums);
    struct f4p_instant got;
    fprintf(out, "{\"seq\":%llu,\"status\":%u,\"wait_status\":", (unsigned long long)trace->state.seq,
            trace->state.status);
    if (trace->has_launch && trace->launch.status == F4P_LAUNCH_ENDED)
        fprintf(out, "%d", trace->launch.wait_status);
    else
        fputs("null", out);
    if (trace->ending)
        fprintf(out, ",\"ending\":[%u,%u]", trace->ending->how, trace->ending->status);
    fprintf(out,
            ",\"in_flight\":%s,\"live_sound\":%s,\"peak_sound\":%s,\"live\":", trace->op_in_flight ? "true" : "false",
            trace->damage.live_sound ? "true" : "false", trace->damage.peak_sound ? "true" : "false");
    put_sums(out, &trace->sites->now, sizeof *trace->sites, trace->site_count);
    fprintf(out, ",\"peak\":");
    put_sums(out, &trace->sites->peak, sizeof *trace->sites, trace->site_count);
    fprintf(out, ",\"stacks\":[");
    for (size_t i = 0; i < trace->site_count; i++) {
        uint32_t thread = trace->sites[i].thread;
        fprintf(out, "%s[\"%s\"", i ? "," : "", thread == F4P_NONE ? "" : trace->threads[thread].name);
        put_stack(out, trace, trace->sites[i].stack);
        fputc(']', out);
    }
    fprintf(out, "],\"at\":[");
    for (int i = 0; i < MOMENTS; i++) {
        fputs(i ? "," : "", out);
        ck_assert_int_eq(f4p_trace_heap_at(trace, times[i], sums, &got), 0);
        if (got.kind == F4P_INSTANT_EXACT)
            put_sums(out, sums, sizeof *sums, trace->site_count);
        else
            fputs("null", out);
    }
    fprintf(out, "]}\n");
    fclose(out);
    free(sums);
    return text;
}

static char *ask_python(const char *path, const uint64_t *times)
{
    char command[512], *text = NULL;
    size_t room = 0;
    snprintf(command, sizeof command, "python3 tests/trace_from_page.py %s %llu %llu %llu", path,
             (unsigned long long)times[0], (unsigned long long)times[1], (unsigned long long)times[2]);
    FILE *in = popen(command, "r");
    ck_assert_ptr_nonnull(in);
    if (getline(&text, &room, in) < 0)
        text[0] = 0;
    ck_assert_int_eq(pclose(in), 0);
    return text;
}

static void compare(struct f4p_fixture *f)
{
    char path[] = "/tmp/check_page.XXXXXX";
    uint64_t times[MOMENTS] = {f->t_ns / 7, f->t_ns / 2, f->t_ns - 1};
    struct f4p_trace *trace;
    struct f4p_error error;
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, f->base, f->header.file_bytes), (ssize_t)f->header.file_bytes);
    close(fd);
    ck_assert_int_eq(f4p_trace_open(path, &trace, &error), 0);
    char *ours = summary(trace, times), *theirs = ask_python(path, times);
    unlink(path);
    ck_assert_uint_gt(strlen(ours), 1000);
    ck_assert_str_eq(ours, theirs);
    free(ours);
    free(theirs);
    f4p_trace_close(trace);
}

static bool no_python(const char *name)
{
    if (system("python3 -c '' 2>/dev/null") == 0)
        return false;
    printf("SKIP %s: no python3\n", name);
    return true;
}

START_TEST(test_page_reader)
{
    struct f4p_fixture f;
    if (no_python("test_page_reader"))
        return;
    f4p_fixture_make(&f, NULL, 1 << 20, 16384, 60, 3);
    f4p_fixture_churn(&f, 9000, 300);
    ck_assert_uint_gt(f.w.state.next_block, 1);
    compare(&f);

    struct f4p_control *control = f4p_fixture_section(&f, F4P_SECTION_CONTROL);
    struct f4p_state before[2] = {control->state[0], control->state[1]};
    uint64_t commit = f.w.state.commit;
    f4p_fixture_alloc(&f, 3, 12345);
    ck_assert_uint_eq(f.w.state.commit, commit + 1);
    memcpy(control->state, before, sizeof before); /* killed before the commit */
    f4p_writer_end(&f.w, F4P_ENDING_AT_ONCE, 4, f.t_ns);
    compare(&f);
    control->ending.status++; /* torn */
    compare(&f);

    struct f4p_live *live = f4p_fixture_section(&f, F4P_SECTION_LIVE);
    while (!live->kind)
        live++;
    live->size++; /* damage */
    struct f4p_trace *trace;
    struct f4p_error error;
    ck_assert_int_eq(f4p_trace_open_memory(f.base, f.header.file_bytes, &trace, &error), 0);
    ck_assert(!trace->damage.live_sound);
    f4p_trace_close(trace);
    free(f.base);
    f4p_fixture_free(&f);
}
END_TEST

START_TEST(test_page_reader_thinned)
{
    struct f4p_fixture f;
    if (no_python("test_page_reader_thinned"))
        return;
    f4p_fixture_make(&f, NULL, 1 << 20, 1024, 60, 5);
    f4p_fixture_churn(&f, 16000, 20000);
    ck_assert_uint_gt(f.w.state.thinned, 0);
    compare(&f);
    free(f.base);
    f4p_fixture_free(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page");
    TCase *tests = tcase_create("page");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, test_page_reader);
    tcase_add_test(tests, test_page_reader_thinned);
    suite_add_tcase(suite, tests);
    return support_run(suite);
}
