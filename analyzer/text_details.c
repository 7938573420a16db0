/* Below the first screen: stacks, processes, evidence, memory, the trace itself, gates. */
#include <stdlib.h>
#include <string.h>

#include "text_private.h"

#define STACKS 3u
#define MAX_DEPTH 4096u
#define SHOWN_DEPTH 24u
#define NAMELESS 6u /* modules */

/* ---- stacks ---- */

static void print_source(const struct f4p_page *page, const struct f4p_frame *frame)
{
    char text[512];
    bool changed;
    if (!f4p_page_source(page, frame, text, sizeof text, &changed))
        return;
    fputs("           ", page->out);
    f4p_page_paint(page, F4P_PAINT_DIM);
    f4p_page_cell(page, text + strspn(text, " \t"), page->style.columns - (changed ? 36 : 12), false, false);
    if (changed)
        fputs("  (changed since the run)", page->out);
    f4p_page_paint(page, F4P_PAINT_PLAIN);
    fputc('\n', page->out);
}

static void print_frame(const struct f4p_page *page, const struct f4p_frame *frame, bool user)
{
    char place[F4P_CELL_BYTES];
    char nameless[F4P_BUILD_ID_TEXT + 32];
    const char *function = f4p_model_string(page->r->model, frame->function);
    const char *build_id = f4p_model_string(page->r->model, frame->build_id);
    if (frame->offset && *build_id) {
        snprintf(nameless, sizeof nameless, "[no symbol, build-id %.16s]", build_id);
        function = nameless;
    }
    f4p_page_place(page, frame, place, sizeof place);
    fprintf(page->out, "      %c ", user ? '>' : ' ');
    if (user)
        f4p_page_paint(page, F4P_PAINT_BOLD);
    size_t columns = page->style.columns - 9, least = columns / 3, wide = f4p_page_width(page, place);
    if (wide > columns - least)
        wide = columns - least;
    f4p_page_cell(page, place, wide, true, false);
    fputs(*place ? " " : "", page->out);
    f4p_page_cell(page, function, columns - wide, false, false);
    if (user)
        f4p_page_paint(page, F4P_PAINT_PLAIN);
    fputc('\n', page->out);
    if (user)
        print_source(page, frame);
}

/* Outermost first, like a traceback. Of a deep stack the middle is left out, never your line. */
static void print_stack(const struct f4p_page *page, uint32_t stack)
{
    const struct f4p_model *m = page->r->model;
    uint32_t frames[MAX_DEPTH], user = f4p_model_stack(m, stack)->user;
    size_t count = 0, mine = MAX_DEPTH;
    for (; stack != F4P_NONE && count < MAX_DEPTH; stack = f4p_model_stack(m, stack)->parent) {
        if (f4p_model_stack(m, stack)->frame == user && mine == MAX_DEPTH)
            mine = count;
        frames[count++] = f4p_model_stack(m, stack)->frame;
    }
    size_t skipped = 0;
    for (size_t i = count; i-- > 0;) {
        bool keep = page->r->options->verbose || count <= SHOWN_DEPTH || i >= count - 4 ||
                    (mine < MAX_DEPTH ? i <= mine + 6 && i + 12 >= mine : i < 16);
        if (!keep) {
            skipped++;
            continue;
        }
        if (skipped)
            fprintf(page->out, "        ... %zu frames\n", skipped);
        skipped = 0;
        print_frame(page, f4p_model_frame(m, frames[i]), i == mine);
    }
    if (skipped)
        fprintf(page->out, "        ... %zu frames\n", skipped);
}

static void print_stacks(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_model *m = r->model;
    size_t count;
    size_t shown = r->options->top < 0 ? STACKS : r->options->top == 0 ? SIZE_MAX : (size_t)r->options->top;
    const struct f4p_heap *heap = f4p_page_moment(page);
    /* An end that has little to show freed what mattered. */
    if (r->verdict.kind == F4P_DEATH_EXITED && r->end.total.bytes < r->peak.total.bytes / 2)
        heap = &r->peak;
    struct f4p_group *groups = f4p_model_group(m, r->options->group_by, heap, NULL, r->options->by_blocks, &count);
    if (count)
        f4p_page_heading(page, "STACKS %s, outermost first, > your code\n",
                         heap == &r->peak ? "at the peak" : f4p_page_end_words(page));
    for (size_t i = 0; i < count && i < shown; i++) {
        const struct f4p_group *group = &groups[i];
        const struct f4p_entry *entry = f4p_model_entry(m, group->entry);
        char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES], blocks[F4P_NUMBER_BYTES];
        char thread[128];
        uint64_t bytes = heap->sums[group->entry].bytes;
        fprintf(page->out, " %3zu  %s in %s block%s", i + 1,
                f4p_page_bytes(page, a, (double)group->sums.bytes / F4P_Q8),
                f4p_text_count(blocks, group->sums.blocks / F4P_Q8), group->sums.blocks / F4P_Q8 == 1 ? "" : "s");
        if (bytes + F4P_Q8 < group->sums.bytes)
            fprintf(page->out, ", %s of it here", f4p_page_bytes(page, b, (double)bytes / F4P_Q8));
        f4p_page_thread(page, entry, thread, sizeof thread);
        fputs(", ", page->out);
        f4p_page_cell(page, thread, 40, false, false);
        if (m->process_count > 1)
            fprintf(page->out, " of pid %u", m->processes[entry->process].pid);
        fputc('\n', page->out);
        print_stack(page, entry->stack);
    }
    free(groups);
}

/* ---- processes, evidence ---- */

static void print_processes(const struct f4p_page *page)
{
    static const char *const states[] = {"empty", "no exit seen", "passive", "exited", "exec"};
    const struct f4p_model *m = page->r->model;
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES], c[F4P_NUMBER_BYTES], d[F4P_NUMBER_BYTES];
    if (m->process_count < 2)
        return;
    f4p_page_heading(page, "PROCESSES\n");
    fprintf(page->out, " %8s %9s %9s %9s %8s %8s  %s\n", "pid", "heap", "peak", "inherited", "from", "to", "state");
    for (size_t i = 0; i < m->process_count; i++) {
        const struct f4p_model_process *process = &m->processes[i];
        const struct f4p_state *state = &process->trace->state;
        double heap = process->gone ? 0 : (double)state->live.bytes / F4P_Q8;
        fprintf(page->out, " %8u %9s %9s %9s", process->pid, f4p_page_bytes(page, a, heap),
                f4p_page_bytes(page, b, (double)state->peak.sums.bytes / F4P_Q8),
                f4p_page_bytes(page, c, (double)state->inherited_bytes / F4P_Q8));
        fprintf(page->out, " %8s", f4p_text_clock(a, process->start_ns, true));
        const struct f4p_ending *ending = process->trace->ending;
        fprintf(page->out, " %8s  %s", f4p_text_clock(d, process->end_ns, true),
                ending              ? "exit"
                : state->status < 5 ? states[state->status]
                                    : "?");
        if (ending)
            fprintf(page->out, " %u", ending->status & 0xff);
        fprintf(page->out, "%s\n", process->base ? ", compared with" : "");
    }
}

static void print_list(const struct f4p_page *page, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fputs("   ", page->out);
        f4p_page_cell(page, texts[i], 400, false, false);
        fputc('\n', page->out);
    }
}

static void print_evidence(const struct f4p_page *page)
{
    const struct f4p_verdict *v = &page->r->verdict;
    if (!v->evidence_count)
        return;
    f4p_page_heading(page, "EVIDENCE for %s (%s)\n", f4p_death_key(v->kind), f4p_confidence_name(v->confidence));
    for (unsigned i = 0; i < v->evidence_count; i++) {
        const char *text = v->evidence[i];
        print_list(page, &text, 1);
    }
}

/* ---- memory ---- */

static void print_vital(const struct f4p_page *page, const char *name, enum f4p_vital which, bool *any)
{
    char number[F4P_NUMBER_BYTES];
    uint64_t value;
    if (!f4p_verdict_vital(page->r->trace, which, &value))
        return;
    fprintf(page->out, "%s%s %s", *any ? ", " : "", name, f4p_page_bytes(page, number, (double)value));
    *any = true;
}

static void print_memory(const struct f4p_page *page)
{
    uint64_t value;
    bool any = false;
    if (!f4p_verdict_vital(page->r->trace, F4P_VITAL_rss, &value))
        return;
    f4p_page_heading(page, "MEMORY when last looked at\n");
    fputs("   process: ", page->out);
    print_vital(page, "RSS", F4P_VITAL_rss, &any);
    print_vital(page, "anonymous", F4P_VITAL_rss_anon, &any);
    print_vital(page, "files", F4P_VITAL_rss_file, &any);
    print_vital(page, "shared", F4P_VITAL_rss_shmem, &any);
    print_vital(page, "swap", F4P_VITAL_swap, &any);
    print_vital(page, "highest RSS", F4P_VITAL_rss_peak, &any);
    fputc('\n', page->out);
    if (!f4p_verdict_vital(page->r->trace, F4P_VITAL_cgroup_usage, &value))
        return;
    any = false;
    fputs("   cgroup:  ", page->out);
    print_vital(page, "usage", F4P_VITAL_cgroup_usage, &any);
    print_vital(page, "limit", F4P_VITAL_cgroup_limit, &any);
    print_vital(page, "highest", F4P_VITAL_cgroup_peak, &any);
    print_vital(page, "anonymous", F4P_VITAL_cgroup_anon, &any);
    print_vital(page, "page cache", F4P_VITAL_cgroup_file, &any);
    fputc('\n', page->out);
}

/* ---- the trace ---- */

static void print_damage(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    char count[F4P_NUMBER_BYTES];
#define X(name, text)                        \
    if (f4p_report_lost(r, F4P_LOSS_##name)) \
        fprintf(page->out, "   %s: %s\n", text, f4p_text_count(count, f4p_report_lost(r, F4P_LOSS_##name)));
    F4P_LOSSES(X)
#undef X
    for (size_t i = 0; i < r->job->count; i++) {
        const struct f4p_damage *d = &r->job->traces[i]->damage;
        const char *file = r->job->count > 1 ? r->job->paths[i] : "";
#define SAY(field, text) \
    if (d->field)        \
    fprintf(page->out, "   %s%s" text ": %s\n", file, *file ? ": " : "", f4p_text_count(count, d->field))
        SAY(missing_bytes, "DAMAGED, the file is short by bytes");
        SAY(torn_bytes, "torn, bytes");
        SAY(bad_live, "DAMAGED live entries");
        SAY(bad_sites, "DAMAGED stacks");
        SAY(bad_nodes, "DAMAGED frames");
        SAY(bad_records, "DAMAGED records");
        SAY(bad_blocks, "DAMAGED blocks of history");
#undef SAY
        if (!d->live_sound)
            fprintf(page->out, "   the live set does not add up: the heap at the end is not exact\n");
        if (!d->peak_sound)
            fprintf(page->out, "   the sums at the peak do not add up: the peak is not exact\n");
    }
}

static void print_history(const struct f4p_page *page)
{
    const struct f4p_trace *trace = page->r->trace;
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES];
    size_t count, moments = 0;
    const struct f4p_stretch *stretches = f4p_trace_history(trace, &count);
    if (!count)
        return;
    const struct f4p_stretch *last = &stretches[count - 1];
    for (size_t i = 0; i < count; i++)
        moments += stretches[i].from_ns == stretches[i].to_ns;
    fprintf(page->out, "   history: every moment from %s to %s", f4p_text_clock(a, last->from_ns, true),
            f4p_text_clock(b, last->to_ns, true));
    if (moments)
        fprintf(page->out, ", and %zu moments before", moments);
    fputc('\n', page->out);
}

static void print_facts(const struct f4p_page *page)
{
    const struct f4p_trace *trace = page->r->trace;
    uint64_t value;
#define X(name, number, key, kind)                                                                         \
    if (F4P_FACT_##kind == F4P_FACT_TEXT && *f4p_trace_fact_text(trace, F4P_FACT_ID_##name)) {             \
        fprintf(page->out, "   %s: ", key);                                                                \
        f4p_page_cell(page, f4p_trace_fact_text(trace, F4P_FACT_ID_##name), 200, false, false);            \
        fputc('\n', page->out);                                                                            \
    } else if (F4P_FACT_##kind == F4P_FACT_U64 && f4p_trace_fact_u64(trace, F4P_FACT_ID_##name, &value)) { \
        fprintf(page->out, "   %s: %llu\n", key, (unsigned long long)value);                               \
    }
    F4P_FACTS(X)
#undef X
}

static bool has_mangled(const struct f4p_report *r)
{
    for (size_t i = 0; i < r->job->count; i++)
        for (size_t k = 0; k < r->job->traces[i]->symbol_count; k++)
            if (!strncmp(r->job->traces[i]->symbols[k].function, "_Z", 2))
                return true;
    return false;
}

static void print_mangled(const struct f4p_page *page)
{
    bool readable;
    const char *why = f4p_symbols_cxx(&readable);
    if (!readable && has_mangled(page->r))
        fprintf(page->out, "   C++ names: %s\n", why);
}

/* Native code without names: which, why, and what to do. */
static void print_nameless(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    size_t shown = 0, left = 0;
    bool files = false, stripped = false;
    for (size_t i = 0; i < r->job->count; i++) {
        const struct f4p_trace *trace = r->job->traces[i];
        char build_id[F4P_BUILD_ID_TEXT];
        size_t count;
        struct f4p_symbol_gap *gaps = f4p_symbols_gaps(trace, r->job->symbols[i], &count);
        for (size_t k = 0; k < count; k++) {
            const struct f4p_module_view *module = &trace->modules[gaps[k].module];
            files |= gaps[k].why == F4P_SYMBOL_WHY_NO_FILE || gaps[k].why == F4P_SYMBOL_WHY_OTHER_BUILD;
            stripped |= gaps[k].why == F4P_SYMBOL_WHY_STRIPPED;
            if (shown >= NAMELESS && !r->options->verbose) {
                left++;
                continue;
            }
            shown++;
            fputs("   ", page->out);
            f4p_page_cell(page, module->path, 200, true, false);
            fprintf(page->out, ": %u of %u addresses without name: %s", gaps[k].nameless, gaps[k].addresses,
                    f4p_symbols_why(gaps[k].why));
            if (module->build_id_bytes)
                fprintf(page->out, "; build-id %s", f4p_symbols_build_id(build_id, module));
            fputc('\n', page->out);
        }
        free(gaps);
    }
    if (left)
        fprintf(page->out, "   ... and %zu modules more, see --verbose\n", left);
    if (files)
        fputs("   names: --path-map=DIR=COPY with the same files, or --pack where the job ran; nothing is downloaded\n",
              page->out);
    else if (stripped)
        fputs("   names: install their debug symbols, found by build-id under /usr/lib/debug\n", page->out);
}

static void print_trace(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    const struct f4p_trace *t = r->trace;
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES], c[F4P_NUMBER_BYTES];
    f4p_page_heading(page, "TRACE\n");
    const char *python = f4p_trace_fact_text(t, F4P_FACT_ID_PYTHON);
    fprintf(page->out, "   a file of %s, begun %s%s", f4p_page_bytes(page, a, (double)t->header->file_bytes),
            f4p_text_time(b, t->header->start_realtime_ns), *python ? ", Python " : "");
    f4p_page_cell(page, python, 20, false, false);
    fputc('\n', page->out);
    const char *status = f4p_trace_fact_text(t, F4P_FACT_ID_PYTHON_STATUS);
    if (*status && strcmp(status, "on") != 0) {
        fputs("   Python stacks ", page->out);
        f4p_page_cell(page, status, 120, false, false);
        fputc('\n', page->out);
    }
    if (f4p_model_exact(r->model))
        fprintf(page->out, "   %s allocations recorded\n", f4p_text_count(a, t->state.sampled));
    else
        fprintf(page->out, "   %s samples taken, %s freed, %s thinned out; interval %s, first %s\n",
                f4p_text_count(a, t->state.sampled), f4p_text_count(b, t->state.freed),
                f4p_text_count(c, t->state.thinned),
                f4p_page_bytes(page, (char[F4P_NUMBER_BYTES]){0}, (double)r->interval),
                f4p_page_bytes(page, (char[F4P_NUMBER_BYTES]){0}, (double)t->header->base_interval));
    fprintf(page->out, "   allocated over the run: %s in %s blocks\n",
            f4p_page_bytes(page, a, (double)t->state.allocated_bytes / F4P_Q8),
            f4p_text_count(b, t->state.allocated_blocks / F4P_Q8));
    print_history(page);
    print_damage(page);
    print_list(page, t->notes, t->note_count);
    print_nameless(page);
    print_mangled(page);
    if (r->options->verbose)
        print_list(page, t->logs, t->log_count);
    if (r->options->verbose)
        print_facts(page);
}

static void print_gates(const struct f4p_page *page)
{
    const struct f4p_report *r = page->r;
    char a[F4P_NUMBER_BYTES], b[F4P_NUMBER_BYTES], c[F4P_NUMBER_BYTES];
    if (r->options->gate_count)
        f4p_page_heading(page, "GATES (estimate less two standard errors against the limit)\n");
    for (size_t i = 0; i < r->options->gate_count; i++) {
        const struct f4p_gate *gate = &r->gates[i];
        f4p_page_paint(page, gate->ok ? F4P_PAINT_GOOD : F4P_PAINT_BAD);
        fprintf(page->out, "   %s  ", gate->ok ? "ok    " : "FAILED");
        f4p_page_paint(page, F4P_PAINT_PLAIN);
        f4p_page_cell(page, gate->name, 40, false, false);
        if (gate->known)
            fprintf(page->out, ": %s, less %s, against %s%s\n", f4p_page_bytes(page, a, gate->actual),
                    f4p_page_bytes(page, b, 2 * gate->sigma), f4p_page_bytes(page, c, gate->limit),
                    gate->option->kind == F4P_GATE_GROWTH ? " an hour" : "");
        else
            fputs(": the trace does not say\n", page->out);
    }
}

void f4p_page_facts(const struct f4p_page *page)
{
    print_processes(page);
    print_evidence(page);
    print_memory(page);
    f4p_page_rss(page);
    print_trace(page);
    print_gates(page);
}

void f4p_page_details(const struct f4p_page *page)
{
    print_stacks(page);
    f4p_page_facts(page);
}
