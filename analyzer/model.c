#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"
#include "model_private.h"
#include "symbols.h"

#define MAX_INLINE 64u
#define CODE_NAMES 5u

/* How good a frame is as "your line"; the innermost of the best level counts. */
enum level { LEVEL_NONE, LEVEL_ANY, LEVEL_PACKAGE, LEVEL_USER };

/* What is known of a node's stack while its process is taken in. */
struct walk {
    uint32_t stack; /* id, F4P_NONE: all of it is hidden */
    uint32_t user, via;
    uint8_t level;
    uint8_t match; /* union over its frames */
    bool internal; /* it has frames that are hidden because they are the interpreter's */
};

struct builder {
    struct f4p_model *model;
    struct f4p_matcher matcher;
    bool internals;       /* shown */
    uint8_t *frame_match; /* by frame id */
    uint32_t frame_room;
    struct f4p_model_process *process;
    uint32_t process_id;
    const char *const *prefixes;
    const char *exe;
    struct walk *walks;       /* by node */
    uint32_t *lines;          /* by node; Python nodes only */
    uint32_t *module_library; /* by module: string id */
    uint32_t *module_build_id;
    uint8_t *module_origin;
    uint32_t *code_names; /* CODE_NAMES by code: function, file, library, origin, scope */
    struct f4p_keys symbol_keys;
    uint32_t *symbol_head, *symbol_next; /* by key; by symbol; index + 1 */
    bool failed;
};

const struct f4p_frame *f4p_model_frame(const struct f4p_model *model, uint32_t id)
{
    return &((const struct f4p_frame *)(const void *)model->frames.data)[id];
}

const struct f4p_stack *f4p_model_stack(const struct f4p_model *model, uint32_t id)
{
    return &((const struct f4p_stack *)(const void *)model->stacks.data)[id];
}

uint32_t f4p_process_entry(const struct f4p_model_process *process, uint32_t site)
{
    return site < process->trace->site_count ? process->entry_of[site] : F4P_NONE;
}

const struct f4p_entry *f4p_model_entry(const struct f4p_model *model, uint32_t id)
{
    return &((const struct f4p_entry *)(const void *)model->entries.data)[id];
}

const char *f4p_model_string(const struct f4p_model *model, uint32_t id)
{
    return id < model->strings.count ? model->strings.text[id] : "";
}

const char *f4p_model_thread(const struct f4p_model *model, const struct f4p_entry *entry)
{
    const struct f4p_model_process *process = &model->processes[entry->process];
    if (entry->thread >= process->trace->thread_count)
        return "";
    const struct f4p_thread_view *thread = &process->trace->threads[entry->thread];
    if (thread->flags & F4P_THREAD_OVERFLOW)
        return "[other threads]";
    return process->python && thread->flags & F4P_THREAD_MAIN ? "MainThread" : thread->name;
}

/* ---- frames ---- */

static uint32_t put_string(struct builder *b, const char *text)
{
    uint32_t id = f4p_strings_put(&b->model->strings, text);
    b->failed |= id == F4P_NONE;
    return id;
}

static uint32_t put_frame(struct builder *b, const struct f4p_frame *frame)
{
    struct f4p_model *m = b->model;
    uint32_t before = m->frames.count;
    uint32_t id = f4p_keys_put(&m->frames, frame);
    if (id == F4P_NONE) {
        b->failed = true;
        return id;
    }
    if (id < before)
        return id;
    if (id >= b->frame_room) {
        uint32_t room = b->frame_room ? b->frame_room * 2 : 1024;
        uint8_t *bigger = realloc(b->frame_match, room);
        if (!bigger) {
            b->failed = true;
            return F4P_NONE;
        }
        b->frame_match = bigger;
        b->frame_room = room;
    }
    b->frame_match[id] =
        (uint8_t)f4p_matcher_frame(&b->matcher, f4p_model_string(m, frame->function), f4p_model_string(m, frame->file),
                                   frame->line, f4p_model_string(m, frame->library));
    return id;
}

static uint32_t put_special(struct builder *b, const char *text, enum f4p_language language)
{
    struct f4p_frame frame = {
        .function = put_string(b, text), .language = (uint16_t)language, .origin = F4P_ORIGIN_SPECIAL};
    frame.scope = frame.function;
    return put_frame(b, &frame);
}

static uint32_t special_frame(struct builder *b, uint32_t special)
{
    switch (special) {
#define X(name, number, text) \
    case number:              \
        return put_special(b, text, number == F4P_SPECIAL_UNKNOWN_CODE ? F4P_LANGUAGE_PYTHON : F4P_LANGUAGE_NATIVE);
        F4P_SPECIALS(X)
#undef X
    default:
        return put_special(b, "[unknown frame]", F4P_LANGUAGE_NATIVE);
    }
}

static uint32_t python_frame(struct builder *b, uint32_t code, uint32_t line)
{
    if (code >= b->process->trace->code_count)
        return special_frame(b, F4P_SPECIAL_UNKNOWN_CODE);
    const uint32_t *names = &b->code_names[(size_t)code * CODE_NAMES];
    struct f4p_frame frame = {.function = names[0],
                              .file = names[1],
                              .library = names[2],
                              .line = line,
                              .language = F4P_LANGUAGE_PYTHON,
                              .origin = (uint16_t)names[3],
                              .scope = names[4]};
    return put_frame(b, &frame);
}

struct symbol_key {
    uint64_t offset;
    uint64_t module;
};

/* Frames of a native node, outermost first: inlined functions make several. */
static size_t native_frames(struct builder *b, const struct f4p_node *node, uint32_t frames[MAX_INLINE])
{
    const struct f4p_trace *trace = b->process->trace;
    uint32_t module = node->object & ~F4P_NODE_NATIVE;
    if (module >= trace->module_count) {
        frames[0] = special_frame(b, F4P_SPECIAL_UNKNOWN_NATIVE);
        return 1;
    }
    struct f4p_frame frame = {.file = put_string(b, trace->modules[module].path),
                              .library = b->module_library[module],
                              .offset = node->offset + 1ull,
                              .language = F4P_LANGUAGE_NATIVE,
                              .origin = b->module_origin[module],
                              .build_id = b->module_build_id[module]};
    size_t count = 0;
    struct symbol_key key = {node->offset, module};
    uint32_t id = f4p_keys_find(&b->symbol_keys, &key);
    if (id != F4P_NONE) {
        frame.offset = frame.build_id = 0;
        for (uint32_t at = b->symbol_head[id]; at && count < MAX_INLINE; at = b->symbol_next[at - 1]) {
            const struct f4p_symbol_view *symbol = &trace->symbols[at - 1];
            frame.function = frame.scope = put_string(b, symbol->function);
            frame.file = put_string(b, *symbol->file ? symbol->file : trace->modules[module].path);
            frame.line = symbol->line;
            frames[count++] = put_frame(b, &frame);
        }
        return count;
    }
    frames[0] = put_frame(b, &frame);
    return 1;
}

/* ---- tables of a trace ---- */

static int by_depth(const void *a, const void *b)
{
    const struct f4p_symbol_view *const *x = a, *const *y = b;
    return (*x)->depth < (*y)->depth ? -1 : (*x)->depth > (*y)->depth;
}

/* Chains the symbols of an address, deepest (outermost) first. */
static int index_symbols(struct builder *b)
{
    const struct f4p_trace *trace = b->process->trace;
    size_t count = trace->symbol_count;
    if (!count)
        return 0;
    const struct f4p_symbol_view **order = malloc(count * sizeof(void *));
    b->symbol_next = calloc(count, sizeof *b->symbol_next);
    b->symbol_head = calloc(count, sizeof *b->symbol_head);
    if (!order || !b->symbol_next || !b->symbol_head) {
        free(order);
        return -1;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = &trace->symbols[i];
    qsort(order, count, sizeof(void *), by_depth);
    for (size_t i = 0; i < count; i++) {
        size_t at = (size_t)(order[i] - trace->symbols);
        struct symbol_key key = {order[i]->offset, order[i]->module};
        uint32_t id = f4p_keys_put(&b->symbol_keys, &key);
        if (id == F4P_NONE)
            break;
        b->symbol_next[at] = b->symbol_head[id];
        b->symbol_head[id] = (uint32_t)at + 1;
    }
    free(order);
    return 0;
}

/* Comprehensions and generator expressions are functions of their own (comprehensions before 3.12), but not to whom
 * they belong to. They nest. */
static uint32_t put_scope(struct builder *b, const char *function)
{
    static const char *const inner[] = {".<locals>.<listcomp>", ".<locals>.<genexpr>", ".<locals>.<dictcomp>",
                                        ".<locals>.<setcomp>"};
    size_t bytes = strlen(function), before;
    do {
        before = bytes;
        for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++) {
            size_t tail = strlen(inner[i]);
            if (bytes > tail && !memcmp(function + bytes - tail, inner[i], tail))
                bytes -= tail;
        }
    } while (bytes < before);
    char *scope = strndup(function, bytes);
    uint32_t id = scope ? put_string(b, scope) : F4P_NONE;
    b->failed |= id == F4P_NONE;
    free(scope);
    return id;
}

static int name_codes(struct builder *b)
{
    const struct f4p_trace *trace = b->process->trace;
    char library[F4P_LIBRARY_BYTES];
    b->code_names = malloc((trace->code_count + 1) * CODE_NAMES * sizeof(uint32_t));
    if (!b->code_names)
        return -1;
    for (size_t i = 0; i < trace->code_count; i++) {
        const struct f4p_code_view *code = &trace->codes[i];
        uint32_t *names = &b->code_names[i * CODE_NAMES];
        names[0] = put_string(b, *code->qualname ? code->qualname : code->name);
        names[1] = put_string(b, code->file);
        names[4] = put_scope(b, f4p_model_string(b->model, names[0]));
        names[3] = f4p_origin_python(code->file, b->prefixes, library);
        names[2] = put_string(b, library);
    }
    return 0;
}

static int name_modules(struct builder *b)
{
    const struct f4p_trace *trace = b->process->trace;
    char library[F4P_LIBRARY_BYTES], build_id[F4P_BUILD_ID_TEXT];
    b->module_library = malloc((trace->module_count + 1) * sizeof(uint32_t));
    b->module_build_id = malloc((trace->module_count + 1) * sizeof(uint32_t));
    b->module_origin = malloc(trace->module_count + 1);
    if (!b->module_library || !b->module_build_id || !b->module_origin)
        return -1;
    for (size_t i = 0; i < trace->module_count; i++) {
        b->module_origin[i] = (uint8_t)f4p_origin_native(trace->modules[i].path, b->exe, b->process->python, library);
        b->module_library[i] = put_string(b, library);
        b->module_build_id[i] = put_string(b, f4p_symbols_build_id(build_id, &trace->modules[i]));
    }
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool is_python(const struct f4p_trace *trace, uint32_t node)
{
    return trace->nodes[node].object < trace->code_count;
}

/* Lines of the nodes order[0 .. count), all of one code: (offset << 32 | node), sorted here. */
static void decode_code(struct builder *b, const struct f4p_code_view *code, uint64_t *order, size_t count)
{
    enum { BATCH = 512 };
    uint32_t offsets[BATCH], lines[BATCH];
    qsort(order, count, sizeof *order, by_offset);
    for (size_t from = 0; from < count; from += BATCH) {
        size_t n = count - from < BATCH ? count - from : BATCH;
        for (size_t i = 0; i < n; i++)
            offsets[i] = (uint32_t)(order[from + i] >> 32);
        f4p_line_decode_many(code->table, code->table_bytes, code->lines, code->first_line, offsets, n, lines);
        for (size_t i = 0; i < n; i++)
            b->lines[(uint32_t)order[from + i]] = lines[i];
    }
}

/* Each code's table is walked once per batch, whatever the number of nodes: nodes are sorted by code (counting sort)
 * and offset first. */
static int decode_lines(struct builder *b)
{
    const struct f4p_trace *trace = b->process->trace;
    size_t python = 0;
    uint32_t *start = calloc(trace->code_count + 2, sizeof *start);
    uint64_t *order = NULL;
    int result = -1;
    b->lines = calloc(trace->node_count + 1, sizeof *b->lines);
    for (uint32_t i = 0; start && i < trace->node_count; i++)
        if (is_python(trace, i)) {
            start[trace->nodes[i].object + 2]++;
            python++;
        }
    order = malloc((python + 1) * sizeof *order);
    if (!start || !order || !b->lines)
        goto out;
    for (size_t i = 2; i < trace->code_count + 2; i++)
        start[i] += start[i - 1];
    for (uint32_t i = 0; i < trace->node_count; i++)
        if (is_python(trace, i))
            order[start[trace->nodes[i].object + 1]++] = (uint64_t)trace->nodes[i].offset << 32 | i;
    for (size_t code = 0; code < trace->code_count; code++)
        if (start[code + 1] > start[code])
            decode_code(b, &trace->codes[code], order + start[code], start[code + 1] - start[code]);
    result = 0;
out:
    free(start);
    free(order);
    return result;
}

/* ---- stacks ---- */

static enum level level_of(const struct f4p_frame *frame, bool python)
{
    if (frame->origin == F4P_ORIGIN_SPECIAL)
        return LEVEL_NONE;
    if (python) {
        if (frame->language != F4P_LANGUAGE_PYTHON)
            return LEVEL_NONE;
        return frame->origin == F4P_ORIGIN_USER      ? LEVEL_USER
               : frame->origin == F4P_ORIGIN_PACKAGE ? LEVEL_PACKAGE
                                                     : LEVEL_ANY;
    }
    return frame->origin == F4P_ORIGIN_EXECUTABLE ? LEVEL_USER
           : frame->origin == F4P_ORIGIN_LIBRARY  ? LEVEL_PACKAGE
                                                  : LEVEL_ANY;
}

/* The interpreter at work, and what starts threads and programs: never what somebody wants to know in a Python job. */
static bool is_internal(const struct f4p_frame *frame, bool python)
{
    return python && frame->language == F4P_LANGUAGE_NATIVE && frame->origin == F4P_ORIGIN_SYSTEM;
}

static void push_frame(struct builder *b, struct walk *walk, uint32_t id)
{
    struct f4p_model *m = b->model;
    if (b->failed)
        return;
    const struct f4p_frame *frame = f4p_model_frame(m, id);
    unsigned match = b->frame_match[id];
    enum level level = level_of(frame, b->process->python);
    bool library = frame->library && frame->origin != F4P_ORIGIN_SYSTEM;
    if (level != LEVEL_NONE && level >= walk->level) {
        walk->user = id;
        walk->level = (uint8_t)level;
        walk->via = 0;
    } else if (library && (!walk->via || walk->user == F4P_NONE)) {
        walk->via = frame->library;
    }
    walk->match |= (uint8_t)match;
    bool hidden = match & F4P_MATCH_HIDE || (is_internal(frame, b->process->python) && !b->internals);
    if (b->matcher.compiled & F4P_MATCH_SHOW_FROM && !(walk->match & F4P_MATCH_SHOW_FROM))
        hidden = true;
    struct f4p_stack stack = {.parent = walk->stack, .frame = id, .user = walk->user, .via = walk->via};
    walk->internal |= hidden && !(match & F4P_MATCH_HIDE);
    if (hidden && walk->stack == F4P_NONE)
        return;
    if (hidden) { /* the same frames as above, but what is known of the user's line may have changed */
        stack.parent = f4p_model_stack(m, walk->stack)->parent;
        stack.frame = f4p_model_stack(m, walk->stack)->frame;
    }
    walk->stack = f4p_keys_put(&m->stacks, &stack);
    b->failed |= walk->stack == F4P_NONE;
}

static void take_node(struct builder *b, uint32_t index)
{
    const struct f4p_trace *trace = b->process->trace;
    const struct f4p_node *node = &trace->nodes[index];
    struct walk *walk = &b->walks[index];
    uint32_t frames[MAX_INLINE];
    size_t count = 1;
    *walk = node->parent < index ? b->walks[node->parent]
                                 : (struct walk){.stack = F4P_NONE, .user = F4P_NONE, .level = LEVEL_NONE};
    if (node->object >= F4P_NODE_SPECIAL)
        frames[0] = special_frame(b, node->object - F4P_NODE_SPECIAL);
    else if (node->object >= F4P_NODE_NATIVE)
        count = native_frames(b, node, frames);
    else
        frames[0] = python_frame(b, node->object, b->lines[index]);
    for (size_t i = 0; i < count; i++)
        push_frame(b, walk, frames[i]);
}

static bool in_view(const struct builder *b, const struct f4p_entry *entry, unsigned match)
{
    const struct f4p_matcher *m = &b->matcher;
    const struct f4p_trace *trace = b->process->trace;
    if (m->compiled & F4P_MATCH_FOCUS && !(match & F4P_MATCH_FOCUS))
        return false;
    if (match & F4P_MATCH_IGNORE)
        return false;
    if (m->compiled & F4P_MATCH_SHOW_FROM && !(match & F4P_MATCH_SHOW_FROM))
        return false;
    if (m->pid && m->pid != b->process->pid)
        return false;
    uint32_t tid = entry->thread < trace->thread_count ? trace->threads[entry->thread].tid : 0;
    return f4p_matcher_thread(m, f4p_model_thread(b->model, entry), tid);
}

static void take_sites(struct builder *b)
{
    const struct f4p_trace *trace = b->process->trace;
    struct f4p_model *m = b->model;
    struct walk empty = {.stack = F4P_NONE, .user = F4P_NONE, .level = LEVEL_NONE};
    push_frame(b, &empty, put_special(b, "[no stack]", F4P_LANGUAGE_NATIVE));
    for (size_t site = 0; site < trace->site_count && !b->failed; site++) {
        uint32_t node = trace->sites[site].stack;
        struct walk walk = node < trace->node_count ? b->walks[node] : empty;
        if (walk.stack == F4P_NONE) {
            struct f4p_stack stack = {
                .parent = F4P_NONE,
                .frame = put_special(b, walk.internal ? "[Python runtime]" : "[hidden]", F4P_LANGUAGE_NATIVE),
                .user = walk.user,
                .via = walk.via};
            walk.stack = f4p_keys_put(&m->stacks, &stack);
        }
        struct f4p_entry entry = {.stack = walk.stack, .process = b->process_id, .thread = trace->sites[site].thread};
        b->process->entry_of[site] = in_view(b, &entry, walk.match) ? f4p_keys_put(&m->entries, &entry) : F4P_NONE;
        b->failed |= walk.stack == F4P_NONE;
    }
}

/* ---- processes ---- */

static uint32_t pid_of(const struct f4p_trace *trace)
{
    uint64_t pid = 0;
    if (trace->state.pid)
        return trace->state.pid;
    if (f4p_trace_fact_u64(trace, F4P_FACT_ID_PID, &pid) && pid <= UINT32_MAX)
        return (uint32_t)pid;
    return trace->has_launch ? trace->launch.pid : 0;
}

static uint64_t last_heard(const struct f4p_trace *trace)
{
    uint64_t end = trace->state.t_ns;
    if (trace->has_launch && trace->launch.status == F4P_LAUNCH_ENDED)
        return trace->launch.end_t_ns;
    if (trace->has_launch && trace->launch.t_ns > end)
        end = trace->launch.t_ns;
    if (trace->last && trace->last->t_ns > end)
        end = trace->last->t_ns;
    return end;
}

static int take_process(struct builder *b)
{
    const struct f4p_trace *trace = b->process->trace;
    int result = -1;
    b->process->python = trace->code_count > 0 || *f4p_trace_fact_text(trace, F4P_FACT_ID_PYTHON);
    b->prefixes = f4p_trace_fact_list(trace, F4P_FACT_ID_PYTHON_PREFIX);
    b->exe = f4p_trace_fact_text(trace, F4P_FACT_ID_EXE);
    b->symbol_keys.bytes = sizeof(struct symbol_key);
    b->walks = malloc((trace->node_count + 1) * sizeof *b->walks);
    b->process->entry_of = malloc((trace->site_count + 1) * sizeof(uint32_t));
    if (!b->walks || !b->process->entry_of || name_codes(b) || name_modules(b) || index_symbols(b) || decode_lines(b))
        goto out;
    for (uint32_t i = 0; i < trace->node_count && !b->failed; i++)
        take_node(b, i);
    take_sites(b);
    result = b->failed ? -1 : 0;
out:
    free(b->walks);
    free(b->lines);
    free(b->module_library);
    free(b->module_build_id);
    free(b->module_origin);
    free(b->code_names);
    free(b->symbol_head);
    free(b->symbol_next);
    f4p_keys_free(&b->symbol_keys);
    b->walks = NULL;
    b->lines = b->module_library = b->module_build_id = b->code_names = b->symbol_head = b->symbol_next = NULL;
    b->module_origin = NULL;
    return result;
}

/* Times are comparable inside one job only; other traces are laid side by side, each from its own start. */
static void align_processes(struct f4p_model *model, size_t base_from)
{
    for (size_t i = 0; i < model->process_count; i++) {
        struct f4p_model_process *process = &model->processes[i];
        const struct f4p_header *first = model->processes[i < base_from ? 0 : base_from].trace->header;
        const struct f4p_header *mine = process->trace->header;
        bool same_job = !memcmp(mine->job_id, first->job_id, sizeof mine->job_id);
        uint64_t earliest = first->start_monotonic_ns;
        for (size_t j = 0; j < model->process_count; j++) {
            const struct f4p_header *other = model->processes[j].trace->header;
            if (same_job && !memcmp(mine->job_id, other->job_id, sizeof mine->job_id) &&
                (j < base_from) == (i < base_from) && other->start_monotonic_ns < earliest)
                earliest = other->start_monotonic_ns;
        }
        process->start_ns = same_job ? mine->start_monotonic_ns - earliest : 0;
        process->end_ns = process->start_ns + last_heard(process->trace);
        if (i == 0)
            model->start_realtime_ns = mine->start_realtime_ns - process->start_ns;
        if (!process->base && process->end_ns > model->end_ns)
            model->end_ns = process->end_ns;
    }
    for (size_t i = 0; i < model->process_count; i++) {
        struct f4p_model_process *process = &model->processes[i];
        const uint64_t slack = 1000000000;
        bool same_job = !memcmp(process->trace->header->job_id, model->processes[0].trace->header->job_id, 16);
        process->gone =
            !process->base && i > 0 && same_job && f4p_process_left(process) && process->end_ns + slack < model->end_ns;
    }
}

int f4p_model_build(struct f4p_trace *const *traces, size_t count, size_t base_from, const struct f4p_filter *filter,
                    struct f4p_model **out, char *error, size_t error_bytes)
{
    struct builder b = {.model = calloc(1, sizeof *b.model)};
    snprintf(error, error_bytes, "out of memory");
    if (!b.model || f4p_matcher_compile(&b.matcher, filter, error, error_bytes))
        goto failed;
    b.internals = filter && (filter->internals || filter->show_from);
    b.model->frames.bytes = sizeof(struct f4p_frame);
    b.model->stacks.bytes = sizeof(struct f4p_stack);
    b.model->entries.bytes = sizeof(struct f4p_entry);
    b.model->filtered = b.matcher.compiled & ~(unsigned)F4P_MATCH_HIDE || b.matcher.has_thread || b.matcher.pid;
    b.model->processes = calloc(count + 1, sizeof *b.model->processes);
    if (!b.model->processes || f4p_strings_put(&b.model->strings, "") == F4P_NONE)
        goto failed;
    b.model->process_count = count;
    for (size_t i = 0; i < count; i++) {
        b.process = &b.model->processes[i];
        b.process_id = (uint32_t)i;
        *b.process = (struct f4p_model_process){.trace = traces[i], .pid = pid_of(traces[i]), .base = i >= base_from};
        if (take_process(&b))
            goto failed;
        b.model->python |= b.process->python;
    }
    align_processes(b.model, base_from);
    f4p_matcher_free(&b.matcher);
    free(b.frame_match);
    *out = b.model;
    return 0;
failed:
    f4p_matcher_free(&b.matcher);
    free(b.frame_match);
    f4p_model_free(b.model);
    return -1;
}

void f4p_model_free(struct f4p_model *model)
{
    if (!model)
        return;
    for (size_t i = 0; model->processes && i < model->process_count; i++)
        free(model->processes[i].entry_of);
    free(model->processes);
    f4p_strings_free(&model->strings);
    f4p_keys_free(&model->frames);
    f4p_keys_free(&model->stacks);
    f4p_keys_free(&model->entries);
    free(model);
}
