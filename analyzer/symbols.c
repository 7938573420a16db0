#include "symbols.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "intern.h"
#include "symbols_private.h"

#define MAX_FUNCTION 4096u
#define MAX_FILE 4096u
#define CPU_SECONDS 60
#define MEMORY_BYTES (8ull << 30) /* of address space: debug files are mapped */
#define DEBUG "/usr/lib/debug"
#define MAX_SYMBOLS (16u << 20)

struct f4p_symbols {
    struct f4p_symbol_view *views; /* the trace's own first */
    size_t count, room;
    struct f4p_strings strings;
    struct f4p_symbol_miss *missing;
    size_t missing_count;
};

/* What goes through the pipe, each followed by its names. */
enum message_kind { MESSAGE_BEGIN = 1, MESSAGE_SYMBOL = 2, MESSAGE_STATUS = 3 };

struct message {
    uint32_t kind, module;
    uint64_t offset;
    uint32_t depth, line;
    uint32_t function_bytes, file_bytes; /* STATUS: function_bytes is enum f4p_symbol_status */
};

/* ---- what is to be looked up ---- */

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

struct f4p_symbol_address *f4p_symbols_addresses(const struct f4p_trace *trace, bool nameless, size_t *count)
{
    struct f4p_symbol_address *known = malloc((trace->symbol_count + 1) * sizeof *known);
    struct f4p_symbol_address *list = malloc((trace->node_count + 1) * sizeof *list);
    *count = 0;
    if (!known || !list) {
        free(known);
        free(list);
        return NULL;
    }
    for (size_t i = 0; i < trace->symbol_count; i++)
        known[i] = (struct f4p_symbol_address){trace->symbols[i].module, trace->symbols[i].offset};
    size_t known_count = nameless ? distinct(known, trace->symbol_count) : 0, used = 0;
    for (size_t i = 0; i < trace->node_count; i++) {
        uint32_t object = trace->nodes[i].object;
        struct f4p_symbol_address address = {object - F4P_NODE_NATIVE, trace->nodes[i].offset};
        if (object >= F4P_NODE_NATIVE && object < F4P_NODE_SPECIAL && address.module < trace->module_count &&
            !has(known, known_count, &address))
            list[used++] = address;
    }
    free(known);
    *count = distinct(list, used);
    return list;
}

/* ---- the child ---- */

struct worker {
    FILE *out;
    uint32_t module;
};

static void send(struct worker *worker, struct message *message, const char *function, const char *file)
{
    message->module = worker->module;
    fwrite(message, sizeof *message, 1, worker->out);
    if (message->kind == MESSAGE_SYMBOL) {
        fwrite(function, 1, message->function_bytes, worker->out);
        fwrite(file, 1, message->file_bytes, worker->out);
    }
}

static void send_symbol(void *context, const struct f4p_symbol_found *found)
{
    char *readable = f4p_symbols_demangle(found->function);
    const char *function = readable ? readable : found->function;
    struct message message = {.kind = MESSAGE_SYMBOL,
                              .offset = found->offset,
                              .depth = found->depth,
                              .line = found->line,
                              .function_bytes = (uint32_t)strnlen(function, MAX_FUNCTION),
                              .file_bytes = (uint32_t)strnlen(found->file, MAX_FILE)};
    send(context, &message, function, found->file);
    free(readable);
}

/* The path under which a module's file is looked for. false: too long. */
static bool map_path(const struct f4p_symbol_options *options, const char *path, char to[PATH_MAX])
{
    for (size_t i = 0; i < options->path_map_count; i++) {
        const char *map = options->path_maps[i], *equals = strchr(map, '=');
        size_t from = (size_t)(equals - map);
        if (strncmp(path, map, from) == 0)
            return snprintf(to, PATH_MAX, "%s%s", equals + 1, path + from) < PATH_MAX;
    }
    return snprintf(to, PATH_MAX, "%s", path) < PATH_MAX;
}

/* The debug file of a build-id below `debug`. false: it has none. */
static bool debug_file(const struct f4p_module_view *module, const char *debug, char to[PATH_MAX])
{
    char id[F4P_BUILD_ID_TEXT];
    f4p_symbols_build_id(id, module);
    return module->build_id_bytes >= 2 &&
           snprintf(to, PATH_MAX, "%s/.build-id/%.2s/%s.debug", debug, id, id + 2) < PATH_MAX;
}

static void look_up(struct worker *worker, const struct f4p_trace *trace, const struct f4p_symbol_options *options,
                    const struct f4p_symbol_address *list, size_t count)
{
    const struct f4p_module_view *module = &trace->modules[list->module];
    struct message message = {.kind = MESSAGE_BEGIN};
    enum f4p_symbol_status status = F4P_SYMBOL_NO_FILE;
    char path[PATH_MAX], mapped[PATH_MAX];
    const char *const directories[] = {DEBUG, mapped};
    uint64_t *offsets = malloc(count * sizeof *offsets);
    if (!offsets)
        return;
    worker->module = list->module;
    for (size_t i = 0; i < count; i++)
        offsets[i] = list[i].offset;
    send(worker, &message, "", "");
    fflush(worker->out); /* if this one crashes, the parent knows which it was */
    if (!map_path(options, DEBUG, mapped))
        strcpy(mapped, DEBUG);
    if (module->path[0] == '/' && map_path(options, module->path, path))
        status = f4p_symbols_read_file(path, mapped, module, offsets, count, send_symbol, worker);
    for (int i = 0; i < 2 && status != F4P_SYMBOL_READ; i++)
        if (debug_file(module, directories[i], path) &&
            f4p_symbols_read_file(path, mapped, module, offsets, count, send_symbol, worker) == F4P_SYMBOL_READ)
            status = F4P_SYMBOL_READ;
    if (status != F4P_SYMBOL_READ && module->path[0] == '/') {
        message.kind = MESSAGE_STATUS;
        message.function_bytes = status;
        send(worker, &message, "", "");
    }
    free(offsets);
}

static void work(int fd, const struct f4p_trace *trace, const struct f4p_symbol_options *options,
                 const struct f4p_symbol_address *list, size_t count)
{
    struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, core = {0, 0};
    struct worker worker = {.out = fdopen(fd, "w")};
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
#ifndef __SANITIZE_ADDRESS__
    struct rlimit memory = {MEMORY_BYTES, MEMORY_BYTES};
    setrlimit(RLIMIT_AS, &memory);
#endif
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGILL, SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], SIG_DFL);
    unsetenv("DEBUGINFOD_URLS"); /* no network unless asked */
    for (size_t from = 0, to; worker.out && from < count; from = to) {
        for (to = from + 1; to < count && list[to].module == list[from].module;)
            to++;
        look_up(&worker, trace, options, list + from, to - from);
    }
    bool failed = !worker.out || fflush(worker.out);
    _exit(failed);
}

/* ---- the parent ---- */

static bool receive(FILE *in, char *text, uint32_t bytes, uint32_t most)
{
    if (bytes > most || fread(text, 1, bytes, in) != bytes)
        return false;
    text[bytes] = '\0';
    return true;
}

static int add(struct f4p_symbols *s, const struct message *m, const char *function, const char *file)
{
    if (s->count >= MAX_SYMBOLS)
        return 0;
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 256;
        struct f4p_symbol_view *views = realloc(s->views, room * sizeof *views);
        if (!views)
            return -1;
        s->views = views;
        s->room = room;
    }
    uint32_t function_id = f4p_strings_put(&s->strings, function), file_id = f4p_strings_put(&s->strings, file);
    if (function_id == F4P_NONE || file_id == F4P_NONE)
        return -1;
    s->views[s->count++] = (struct f4p_symbol_view){.module = m->module,
                                                    .depth = m->depth,
                                                    .line = m->line,
                                                    .offset = m->offset,
                                                    .function = s->strings.text[function_id],
                                                    .file = s->strings.text[file_id]};
    return 0;
}

static int add_missing(struct f4p_symbols *s, uint32_t module, enum f4p_symbol_why why)
{
    struct f4p_symbol_miss *missing = realloc(s->missing, (s->missing_count + 1) * sizeof *missing);
    if (!missing)
        return -1;
    s->missing = missing;
    missing[s->missing_count++] = (struct f4p_symbol_miss){module, why};
    return 0;
}

/* Reads until the child is done or gone; *last is the module it began last. */
static int take_all(struct f4p_symbols *s, FILE *in, uint32_t *last)
{
    static char function[MAX_FUNCTION + 1], file[MAX_FILE + 1];
    struct message m;
    while (fread(&m, sizeof m, 1, in) == 1) {
        if (m.kind == MESSAGE_BEGIN) {
            *last = m.module;
        } else if (m.kind == MESSAGE_STATUS) {
            if (add_missing(s, m.module,
                            m.function_bytes == F4P_SYMBOL_OTHER_BUILD ? F4P_SYMBOL_WHY_OTHER_BUILD
                                                                       : F4P_SYMBOL_WHY_NO_FILE))
                return -1;
        } else if (!receive(in, function, m.function_bytes, MAX_FUNCTION) ||
                   !receive(in, file, m.file_bytes, MAX_FILE)) {
            break;
        } else if (add(s, &m, function, file)) {
            return -1;
        }
    }
    return 0;
}

/* One child; returns how many of the addresses are done with. 0: none could be started. */
static size_t run_child(struct f4p_symbols *s, const struct f4p_trace *trace, const struct f4p_symbol_options *options,
                        const struct f4p_symbol_address *list, size_t count, bool *failed)
{
    int ends[2], status = 0;
    uint32_t last = F4P_NONE;
    if (pipe(ends))
        return 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        work(ends[1], trace, options, list, count);
    }
    close(ends[1]);
    FILE *in = child > 0 ? fdopen(ends[0], "r") : NULL;
    if (in) {
        *failed |= take_all(s, in, &last) != 0;
        fclose(in);
    } else {
        close(ends[0]);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!in || *failed)
        return 0;
    if (WIFEXITED(status) || last == F4P_NONE)
        return count;
    *failed |= add_missing(s, last, F4P_SYMBOL_WHY_UNREADABLE) != 0;
    size_t done = 0; /* it crashed: go on behind the module it was at */
    while (done < count && list[done].module <= last)
        done++;
    return done;
}

int f4p_symbols_resolve(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out)
{
    size_t count, done = 0;
    bool failed = false;
    *out = NULL;
    if (options->none || !trace->module_count)
        return 0;
    struct f4p_symbol_address *list = f4p_symbols_addresses(trace, true, &count);
    struct f4p_symbols *s = calloc(1, sizeof *s);
    if (!list || !s) {
        free(list);
        free(s);
        return -1;
    }
    s->room = trace->symbol_count + 256;
    s->views = malloc(s->room * sizeof *s->views);
    failed = !s->views;
    if (!failed && trace->symbol_count)
        memcpy(s->views, trace->symbols, trace->symbol_count * sizeof *s->views);
    s->count = trace->symbol_count;
    for (size_t step; !failed && done < count; done += step)
        if (!(step = run_child(s, trace, options, list + done, count - done, &failed)))
            break;
    free(list);
    if (failed) {
        f4p_symbols_free(s);
        return -1;
    }
    trace->symbols = s->views;
    trace->symbol_count = s->count;
    *out = s;
    return 0;
}

const struct f4p_symbol_miss *f4p_symbols_missing(const struct f4p_symbols *symbols, size_t *count)
{
    *count = symbols ? symbols->missing_count : 0;
    return symbols ? symbols->missing : NULL;
}

void f4p_symbols_free(struct f4p_symbols *symbols)
{
    if (!symbols)
        return;
    free(symbols->views);
    free(symbols->missing);
    f4p_strings_free(&symbols->strings);
    free(symbols);
}
