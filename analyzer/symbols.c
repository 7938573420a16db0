#include "symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "intern.h"
#include "symbols_private.h"

#define MAX_SYMBOLS (16u << 20)
#define INPUT_BYTES (64u << 10)
#define PATIENCE_MS 60000
#define TICK_MS 1000
#define PIPE_BYTES (1 << 20) /* what the child may be ahead by */

/* A module whose file told nothing. */
struct miss {
    uint32_t module;
    enum f4p_symbol_why why;
};

struct f4p_symbols {
    struct f4p_trace *trace;
    const struct f4p_symbol_options *options;
    struct f4p_symbol_view *views; /* the trace's own first */
    size_t count, room, own_count;
    struct f4p_strings strings;
    struct miss *missing;
    size_t missing_count;

    struct f4p_symbol_address *list; /* all that were or will be looked up, modules in one piece each */
    size_t list_count;
    size_t front;    /* what is wanted first: so many of them */
    size_t position; /* those before it are done with */

    pid_t child;        /* 0: none runs */
    size_t child_to;    /* it goes so far */
    uint32_t module;    /* it is at; F4P_NONE: it has not begun */
    uint64_t looked_ms; /* when its pipe was looked at last */
    unsigned silent_ms; /* nothing came for so long, while somebody looked */
    unsigned patience_ms;
    int fd;
    uint8_t *input;
    size_t input_bytes;
};

/* ---- what was found ---- */

static int add(struct f4p_symbols *s, const struct f4p_symbol_message *m, const char *function, const char *file)
{
    if (s->count >= MAX_SYMBOLS)
        return 0;
    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 256;
        struct f4p_symbol_view *views = realloc(s->views, room * sizeof *views);
        if (!views)
            return -1;
        s->views = views;
        s->trace->symbols = views;
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
    struct miss *missing = realloc(s->missing, (s->missing_count + 1) * sizeof *missing);
    if (!missing)
        return -1;
    s->missing = missing;
    missing[s->missing_count++] = (struct miss){module, why};
    return 0;
}

/* An address's inlined functions come one by one: only whole modules are shown. */
static void settle(struct f4p_symbols *s, size_t position)
{
    s->position = position;
    s->trace->symbol_count = s->count;
}

/* Where `module` begins in what the child has before it, or the end of that. */
static size_t find_module(const struct f4p_symbols *s, uint32_t module)
{
    size_t at = s->position;
    while (at < s->child_to && s->list[at].module != module)
        at++;
    return at;
}

/* ---- the child's messages ---- */

static int take_message(struct f4p_symbols *s, const struct f4p_symbol_message *m, const uint8_t *names)
{
    static char function[F4P_SYMBOL_MAX_NAME + 1], file[F4P_SYMBOL_MAX_NAME + 1];
    if (m->kind == F4P_SYMBOL_MESSAGE_BEGIN) {
        size_t at = find_module(s, m->module);
        if (at < s->child_to) {
            s->module = m->module;
            settle(s, at);
        }
        return 0;
    }
    if (m->module != s->module)
        return 0;
    if (m->kind == F4P_SYMBOL_MESSAGE_STATUS)
        return add_missing(s, m->module,
                           m->function_bytes == F4P_SYMBOL_OTHER_BUILD ? F4P_SYMBOL_WHY_OTHER_BUILD
                                                                       : F4P_SYMBOL_WHY_NO_FILE);
    memcpy(function, names, m->function_bytes);
    function[m->function_bytes] = '\0';
    memcpy(file, names + m->function_bytes, m->file_bytes);
    file[m->file_bytes] = '\0';
    return add(s, m, function, file);
}

/* All messages that have come whole. 0, 1: the child speaks nonsense, -1: no memory. */
static int take_messages(struct f4p_symbols *s)
{
    size_t at = 0;
    int status = 0;
    while (status == 0 && s->input_bytes - at >= sizeof(struct f4p_symbol_message)) {
        struct f4p_symbol_message m;
        memcpy(&m, s->input + at, sizeof m);
        bool named = m.kind == F4P_SYMBOL_MESSAGE_SYMBOL;
        if (named && (m.function_bytes > F4P_SYMBOL_MAX_NAME || m.file_bytes > F4P_SYMBOL_MAX_NAME))
            return 1;
        size_t bytes = sizeof m + (named ? (size_t)m.function_bytes + m.file_bytes : 0);
        if (s->input_bytes - at < bytes)
            break;
        status = take_message(s, &m, s->input + at + sizeof m);
        at += bytes;
    }
    s->input_bytes -= at;
    memmove(s->input, s->input + at, s->input_bytes);
    return status;
}

/* ---- the child ---- */

static uint64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* What is wanted first has one of its own. false: none could be started. */
static bool start_child(struct f4p_symbols *s)
{
    int ends[2];
    s->child_to = s->position < s->front ? s->front : s->list_count;
    s->module = F4P_NONE;
    s->input_bytes = 0;
    s->silent_ms = 0;
    s->looked_ms = now_ms();
    if (pipe2(ends, O_CLOEXEC))
        return false;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        f4p_symbols_work(ends[1], s->trace, s->options, s->list + s->position, s->child_to - s->position);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return false;
    }
    fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    s->child = child;
    s->fd = ends[0];
    return true;
}

/* Its wait status. */
static int end_child(struct f4p_symbols *s)
{
    int status = 0;
    close(s->fd);
    while (waitpid(s->child, &status, 0) < 0 && errno == EINTR)
        ;
    s->child = 0;
    return status;
}

static void kill_child(struct f4p_symbols *s)
{
    if (s->child) {
        kill(s->child, SIGKILL);
        end_child(s);
    }
}

static void give_up(struct f4p_symbols *s)
{
    kill_child(s);
    settle(s, s->position);
    s->list_count = s->position;
}

/* The pipe has ended. After a crash: on behind the module it was at. */
static void take_end(struct f4p_symbols *s)
{
    int status = end_child(s);
    size_t at = s->child_to;
    if (!WIFEXITED(status) && s->module == F4P_NONE) {
        give_up(s);
        return;
    }
    if (!WIFEXITED(status)) {
        add_missing(s, s->module, F4P_SYMBOL_WHY_UNREADABLE);
        for (at = s->position; at < s->child_to && s->list[at].module == s->module;)
            at++;
    }
    settle(s, at);
}

int f4p_symbols_fd(struct f4p_symbols *s)
{
    if (!s || s->position >= s->list_count)
        return -1;
    if (!s->child && !start_child(s))
        give_up(s);
    return s->child ? s->fd : -1;
}

/* A debug file may be a FIFO, or on a server that does not answer. Time in which nobody looks (an editor has the
 * terminal) is not the child's. */
static void mind_silence(struct f4p_symbols *s)
{
    uint64_t now = now_ms(), passed = now - s->looked_ms;
    s->silent_ms += passed < TICK_MS ? (unsigned)passed : TICK_MS;
    s->looked_ms = now;
    if (s->silent_ms < s->patience_ms)
        return;
    kill(s->child, SIGKILL); /* its pipe ends */
    s->silent_ms = 0;
    if (s->patience_ms > TICK_MS)
        s->patience_ms /= 2; /* many such files shall not take hours */
}

bool f4p_symbols_take(struct f4p_symbols *s, int timeout_ms)
{
    struct pollfd input = {.fd = f4p_symbols_fd(s), .events = POLLIN};
    if (input.fd < 0)
        return false;
    if (poll(&input, 1, timeout_ms < 0 || timeout_ms > TICK_MS ? TICK_MS : timeout_ms) <= 0) {
        mind_silence(s);
        return true;
    }
    s->looked_ms = now_ms();
    s->silent_ms = 0;
    ssize_t got = read(s->fd, s->input + s->input_bytes, INPUT_BYTES - s->input_bytes);
    if (got < 0 && errno == EINTR)
        return true;
    if (got <= 0) {
        take_end(s);
        return f4p_symbols_fd(s) >= 0;
    }
    s->input_bytes += (size_t)got;
    if (take_messages(s))
        give_up(s);
    return s->position < s->list_count;
}

/* ---- all of it ---- */

int f4p_symbols_start(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out)
{
    *out = NULL;
    if (options->none || !trace->module_count)
        return 0;
    struct f4p_symbols *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    *s = (struct f4p_symbols){
        .trace = trace, .options = options, .own_count = trace->symbol_count, .patience_ms = PATIENCE_MS};
    s->room = trace->symbol_count + 256;
    s->views = malloc(s->room * sizeof *s->views);
    s->input = malloc(INPUT_BYTES);
    s->list = f4p_symbols_addresses(trace, true, &s->list_count);
    if (!s->views || !s->input || !s->list) {
        f4p_symbols_free(s);
        return -1;
    }
    s->front = f4p_symbols_order(trace, s->list, s->list_count);
    if (trace->symbol_count)
        memcpy(s->views, trace->symbols, trace->symbol_count * sizeof *s->views);
    s->count = trace->symbol_count;
    trace->symbols = s->views;
    *out = s;
    return 0;
}

int f4p_symbols_resolve(struct f4p_trace *trace, const struct f4p_symbol_options *options, struct f4p_symbols **out)
{
    if (f4p_symbols_start(trace, options, out))
        return -1;
    while (f4p_symbols_take(*out, -1))
        ;
    return 0;
}

bool f4p_symbols_lend(const struct f4p_symbols *s, struct f4p_trace *trace)
{
    if (s->own_count || trace->symbol_count || trace->module_count < s->trace->module_count)
        return false;
    for (size_t i = 0; i < s->trace->module_count; i++) {
        const struct f4p_module_view *a = &s->trace->modules[i], *b = &trace->modules[i];
        if (strcmp(a->path, b->path) != 0 || a->build_id_bytes != b->build_id_bytes ||
            (a->build_id_bytes && memcmp(a->build_id, b->build_id, a->build_id_bytes) != 0))
            return false;
    }
    trace->symbols = s->views;
    trace->symbol_count = s->trace->symbol_count;
    return true;
}

void f4p_symbols_move(struct f4p_symbols *s, struct f4p_trace *trace)
{
    size_t count;
    struct f4p_symbol_address *more = f4p_symbols_addresses(trace, false, &count);
    s->trace = trace;
    if (more)
        count = f4p_symbols_without(more, count, s->list, s->list_count);
    struct f4p_symbol_address *list = more ? realloc(s->list, (s->list_count + count + 1) * sizeof *list) : NULL;
    if (list) {
        memcpy(list + s->list_count, more, count * sizeof *list);
        s->list = list;
        s->list_count += count;
    }
    free(more);
}

void f4p_symbols_progress(const struct f4p_symbols *s, struct f4p_symbol_progress *p)
{
    if (!s)
        return;
    p->all += s->list_count;
    p->done += s->position;
    p->names += s->trace->symbol_count;
    p->front |= s->position < s->front && s->position < s->list_count;
}

enum f4p_symbol_why f4p_symbols_nothing(const struct f4p_symbols *s, uint32_t module)
{
    size_t at = 0;
    if (!s)
        return F4P_SYMBOL_WHY_NOT_ASKED;
    for (size_t i = 0; i < s->missing_count; i++)
        if (s->missing[i].module == module)
            return s->missing[i].why;
    while (at < s->list_count && s->list[at].module != module)
        at++;
    return at == s->list_count ? F4P_SYMBOL_WHY_NOT_ASKED
           : at < s->position  ? F4P_SYMBOL_WHY_STRIPPED
                               : F4P_SYMBOL_WHY_PENDING;
}

void f4p_symbols_free(struct f4p_symbols *symbols)
{
    if (!symbols)
        return;
    kill_child(symbols);
    free(symbols->views);
    free(symbols->missing);
    free(symbols->list);
    free(symbols->input);
    f4p_strings_free(&symbols->strings);
    free(symbols);
}
