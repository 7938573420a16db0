/* The child that looks names up: what it reads is not trusted, so it has limits, and tells through a pipe. */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "symbols_private.h"

#define CPU_SECONDS 60
#define MEMORY_BYTES (8ull << 30) /* of address space: debug files are mapped */
#define DEBUG "/usr/lib/debug"

struct worker {
    FILE *out;
    uint32_t module;
};

static void send(struct worker *worker, struct f4p_symbol_message *message, const char *function, const char *file)
{
    message->module = worker->module;
    fwrite(message, sizeof *message, 1, worker->out);
    if (message->kind == F4P_SYMBOL_MESSAGE_SYMBOL) {
        fwrite(function, 1, message->function_bytes, worker->out);
        fwrite(file, 1, message->file_bytes, worker->out);
    }
}

static void send_symbol(void *context, const struct f4p_symbol_found *found)
{
    char *readable = f4p_symbols_demangle(found->function);
    const char *function = readable ? readable : found->function;
    struct f4p_symbol_message message = {.kind = F4P_SYMBOL_MESSAGE_SYMBOL,
                                         .offset = found->offset,
                                         .depth = found->depth,
                                         .line = found->line,
                                         .function_bytes = (uint32_t)strnlen(function, F4P_SYMBOL_MAX_NAME),
                                         .file_bytes = (uint32_t)strnlen(found->file, F4P_SYMBOL_MAX_NAME)};
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
    struct f4p_symbol_message message = {.kind = F4P_SYMBOL_MESSAGE_BEGIN};
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
        message.kind = F4P_SYMBOL_MESSAGE_STATUS;
        message.function_bytes = status;
        send(worker, &message, "", "");
    }
    free(offsets);
}

void f4p_symbols_work(int fd, const struct f4p_trace *trace, const struct f4p_symbol_options *options,
                      const struct f4p_symbol_address *list, size_t count)
{
    struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, core = {0, 0};
    struct worker worker = {.out = fdopen(fd, "w")};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CPU, &cpu);
    setrlimit(RLIMIT_CORE, &core);
#ifndef __SANITIZE_ADDRESS__
    struct rlimit memory = {MEMORY_BYTES, MEMORY_BYTES};
    setrlimit(RLIMIT_AS, &memory);
#endif
    static const int changed[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGABRT, SIGILL,  SIGINT,
                                  SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGTSTP, SIGWINCH};
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        signal(changed[i], SIG_DFL);
    unsetenv("DEBUGINFOD_URLS"); /* no network unless asked */
    for (size_t from = 0, to; worker.out && from < count; from = to) {
        for (to = from + 1; to < count && list[to].module == list[from].module;)
            to++;
        look_up(&worker, trace, options, list + from, to - from);
    }
    bool failed = !worker.out || fflush(worker.out);
    _exit(failed);
}
