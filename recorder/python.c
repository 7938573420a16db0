#include "python.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"
#include "format/hash.h"
#include "modules.h"
#include "native.h"
#include "python_late.h"
#include "python_layout.h"
#include "python_prefix.h"
#include "real.h"
#include "session.h"

#define MAX_VISITED 4096
#define MAX_TEXT 4096         /* units of a name */
#define MAX_TABLE (32u << 10) /* bytes of a line table */
#define FAULT_COST 16         /* a stack that fails a check; each good one makes up for one */
#define MAX_FAULTS 1024       /* then Python stacks are off */
#define PAGE_SHIFT 12
#define FIRST_LOOKS 256 /* stacks whose memory the kernel is asked about before it is read */
#define CACHE_SIZE 8192 /* code objects; a power of two */

#define CFRAME_AT 56
#define FRAME_BYTES 112 /* of a frame that are read at most */
#define CODE_BYTES 216
#define LOOK_EVERY 64 /* samples, for a CPython that comes late, where native stacks do not show it */
#define OWNER_MAX 2   /* thread, generator, frame object; above: the interpreter's own */

struct cached {
    const uint8_t *code;
    uint64_t look; /* hash of what tells one code object at this address from another */
    uint32_t id;
};

static struct {
    struct f4p_python_layout layout;
    bool known; /* `layout` holds */
    void *(*thread_state)(void);
    int (*finalizing)(void);
    const void *code_type;
    char version[32];
    const char *status;
    unsigned number;
    unsigned faults, looks;
    struct cached cache[CACHE_SIZE];
    uintptr_t seen[128]; /* page numbers; under the lock */
} python;

/* One that was loaded after the start. */
static struct {
    bool awaited;                         /* there was none then */
    bool news;                            /* for the trace, and what was cached is of another one */
    uint32_t busy;                        /* a thread is examining one */
    uint32_t generation;                  /* of the modules, when it was last known to be the same */
    uint32_t count;                       /* samples that could have looked */
    const struct f4p_code_module *module; /* the one that `python` is about, or is to be about */
    const struct f4p_code_module *ready;  /* the same once it is; NULL: it is gone */
} late;

void *f4p_python_symbol(const char *name, size_t *bytes)
{
    return late.module ? f4p_python_late_symbol(late.module, name, bytes) : f4p_symbol_sized(name, bytes);
}

void f4p_python_function(void *to, const char *name)
{
    size_t bytes;
    void *found = f4p_python_symbol(name, &bytes);
    memcpy(to, &found, sizeof(found));
}

/* "3.11.2 (main, ...) [GCC ...]" */
static bool parse_version(const char *text)
{
    size_t n = strcspn(text, " ");
    if (n >= sizeof(python.version))
        n = sizeof(python.version) - 1;
    memcpy(python.version, text, n);
    python.version[n] = 0;
    if (text[0] != '3' || text[1] != '.')
        return false;
    unsigned minor = 0;
    for (text += 2; *text >= '0' && *text <= '9' && minor < 100; text++)
        minor = minor * 10 + (unsigned)(*text - '0');
    python.number = 3u << 8 | minor;
    return true;
}

/* Any type's type is `type`: it stands where the layout says, if objects begin as they should. */
static bool objects_begin_right(void)
{
    size_t bytes;
    const uint8_t *code_type = python.code_type, *type = f4p_python_symbol("PyType_Type", &bytes);
    const uint8_t *found;
    memcpy(&found, code_type + python.layout.type, sizeof(found));
    return found == type;
}

static const char *examine(const char *version)
{
    const char *status;
    size_t bytes = 0;
    if (strstr(version, "free-threading"))
        return "off: free-threaded builds are not supported yet";
    if (!parse_version(version))
        return "off: this Python release is not known";
    const uint8_t *runtime = f4p_python_symbol("_PyRuntime", &bytes);
    if (!f4p_python_layout_find(&python.layout, python.number & 0xff, runtime, bytes, &status))
        return status;
    f4p_python_function(&python.thread_state, "PyGILState_GetThisThreadState");
    f4p_python_function(&python.finalizing, python.number >= 0x30d ? "Py_IsFinalizing" : "_Py_IsFinalizing");
    python.code_type = f4p_python_symbol("PyCode_Type", &bytes);
    if (!python.thread_state || !python.finalizing || !python.code_type)
        return "off: the interpreter does not export what is needed";
    if (!objects_begin_right())
        return "off: objects do not begin as those of a release build";
    python.known = true;
    return status;
}

void f4p_python_find(void)
{
    const char *(*get_version)(void);
    f4p_python_prefix_start();
    f4p_symbol_function(&get_version, "Py_GetVersion");
    if (!get_version) {
        late.awaited = true;
        f4p_python_late_start();
        return;
    }
    python.status = examine(get_version());
    void *address;
    memcpy(&address, &get_version, sizeof(address));
    f4p_python_prefix_find(python.number & 0xff, address);
}

/* ---- one that came after the start ---- */

/* `module` is one that this thread runs in: it stays until we are through. Another one that `python` was about is not
 * there any more, so nobody reads any of this. */
static void adopt(const struct f4p_code_module *module)
{
    const char *(*get_version)(void);
    size_t bytes = 0;

    python.known = false;
    late.module = module;
    f4p_python_function(&get_version, "Py_GetVersion");
    python.status = get_version ? examine(get_version()) : "off: the interpreter does not export what is needed";
    if (python.known && strcmp(python.status, "on") == 0)
        python.status = "on: from when it was loaded, after the start";
    f4p_python_prefix_find_file(python.number & 0xff, module->path, module->path_bytes);
    uintptr_t eval = (uintptr_t)f4p_python_symbol("_PyEval_EvalFrameDefault", &bytes);
    f4p_native_eval(eval, bytes);
    f4p_python_objects_await();
    __atomic_store_n(&late.news, true, __ATOMIC_RELEASE);
}

/* Without native stacks nobody meets new code by himself. */
static COLD void look(void)
{
    uint32_t count = __atomic_load_n(&late.count, __ATOMIC_RELAXED);
    __atomic_store_n(&late.count, count + 1, __ATOMIC_RELAXED);
    if (count % LOOK_EVERY == 0)
        f4p_native_runs_in(0, 0);
}

/* Whether this thread runs in a CPython that came after the start, which `python` is about. errno is kept. */
static bool runs_late(void)
{
    const struct f4p_code_module *module = f4p_modules_python();
    if (LIKELY(!module)) {
        if (f4p_session.config.native == F4P_NATIVE_OFF)
            look();
        return false;
    }
    if (!f4p_native_runs_in(module->start, module->end))
        return false;
    uint32_t generation = f4p_modules_generation();
    if (LIKELY(__atomic_load_n(&late.ready, __ATOMIC_ACQUIRE) == module && late.generation == generation))
        return true;
    if (__atomic_exchange_n(&late.busy, 1, __ATOMIC_ACQUIRE))
        return false;
    int saved = errno;
    if (late.ready == module)
        __atomic_store_n(&late.news, true,
                         __ATOMIC_RELEASE); /* another one from the same file at the same place, maybe */
    else
        adopt(module);
    late.generation = generation;
    __atomic_store_n(&late.ready, module, __ATOMIC_RELEASE);
    errno = saved;
    __atomic_store_n(&late.busy, 0, __ATOMIC_RELEASE);
    return true;
}

void f4p_python_late_gone(void)
{
    __atomic_store_n(&late.ready, NULL, __ATOMIC_RELEASE);
    f4p_native_eval(0, 0);
}

/* Under the recorder's lock. */
static COLD void take_news(struct f4p_writer *w)
{
    __atomic_store_n(&late.news, false, __ATOMIC_RELAXED);
    python.faults = python.looks = 0;
    memset(python.seen, 0, sizeof(python.seen));
    memset(python.cache, 0, sizeof(python.cache));
    f4p_python_facts(w);
}

bool f4p_python_readable(void)
{
    return python.known && python.faults < MAX_FAULTS;
}

unsigned f4p_python_version(void)
{
    return python.number;
}

static void status_fact(struct f4p_writer *w)
{
    f4p_writer_fact(w, F4P_FACT_ID_PYTHON_STATUS, F4P_FACT_TEXT, python.status, strlen(python.status));
}

void f4p_python_facts(struct f4p_writer *w)
{
    if (!python.status)
        return;
    f4p_writer_fact(w, F4P_FACT_ID_PYTHON, F4P_FACT_TEXT, python.version, strlen(python.version));
    status_fact(w);
    f4p_python_prefix_fact(w);
}

void f4p_python_forget(void)
{
    memset(python.cache, 0, sizeof(python.cache));
    late.busy = 0; /* a thread that the child does not have */
}

void *f4p_python_thread_state(void)
{
    if (late.awaited && !runs_late())
        return NULL;
    if (!f4p_python_readable())
        return NULL;
    /* While the interpreter shuts down, thread states of other threads are freed under them. */
    if (python.finalizing() && syscall(SYS_gettid) != getpid())
        return NULL;
    void *state = python.thread_state();
    if (state)
        f4p_python_objects_check(state);
    return state;
}

/* ---- reading objects ---- */

static inline const uint8_t *pointer_at(const uint8_t *p, unsigned at)
{
    const uint8_t *value;
    memcpy(&value, p + at, sizeof(value));
    return value;
}

static inline int32_t int_at(const uint8_t *p, unsigned at)
{
    int32_t value;
    memcpy(&value, p + at, sizeof(value));
    return value;
}

static inline uint64_t word_at(const uint8_t *p, unsigned at)
{
    uint64_t value;
    memcpy(&value, p + at, sizeof(value));
    return value;
}

static inline bool plausible(const void *p)
{
    return (uintptr_t)p >= 4096 && (uintptr_t)p % 8 == 0 && (uintptr_t)p >> 47 == 0;
}

struct text {
    const uint8_t *data;
    size_t bytes;
    uint16_t unit; /* bytes per character */
};

/* A str object's characters as they stand; empty for NULL and for what is not a compact str. */
static struct text read_text(const uint8_t *str)
{
    struct text none = {NULL, 0, 1};
    if (!plausible(str))
        return none;
    uint32_t state = (uint32_t)int_at(str, python.layout.str_state);
    unsigned unit = state >> 2 & 7;
    uint64_t length = word_at(str, python.layout.str_length);
    if (!(state & 1 << 5) || (unit != 1 && unit != 2 && unit != 4))
        return none;
    if (length > MAX_TEXT)
        length = MAX_TEXT;
    bool ascii = state & 1 << 6;
    return (struct text){str + (ascii ? python.layout.ascii_data : python.layout.compact_data), length * unit,
                         (uint16_t)unit};
}

static struct text read_bytes(const uint8_t *bytes)
{
    if (!plausible(bytes))
        return (struct text){NULL, 0, 1};
    return (struct text){bytes + python.layout.bytes_data, word_at(bytes, python.layout.bytes_size), 1};
}

static const uint8_t *code_text(const uint8_t *code, unsigned at)
{
    return at ? pointer_at(code, at) : NULL;
}

/* ---- code objects ---- */

static inline uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* The first `most` bytes and the last eight. */
static uint64_t mix_ends(uint64_t hash, const uint8_t *data, uint64_t bytes, uint64_t most)
{
    uint64_t word = 0;
    if (!data || !bytes)
        return hash;
    if (bytes < 8) {
        memcpy(&word, data, bytes);
        return mix(hash, word);
    }
    for (uint64_t at = 0; at + 8 <= bytes && at < most; at += 8)
        hash = mix(hash, word_at(data + at, 0));
    return mix(hash, word_at(data + bytes - 8, 0));
}

/*
 * An address is reused by another code object all the time. Equal pointers to name, file and line table are not enough
 * (they are reused together); the table's ends and the qualified name's text added, what still looks alike is the same
 * function compiled again. This is done for each frame of each sample, so it is not XXH64.
 */
static uint64_t code_look(const uint8_t *code)
{
    const struct f4p_python_layout *l = &python.layout;
    uint32_t version = l->version ? (uint32_t)int_at(code, l->version) : 0;
    if (version)
        return (uint64_t)version << 32 | (uint32_t)(uintptr_t)pointer_at(code, l->table);
    struct text table = read_bytes(pointer_at(code, l->table));
    struct text name = read_text(code_text(code, l->qualname ? l->qualname : l->name));
    uint64_t hash = mix((uintptr_t)pointer_at(code, l->file), (uintptr_t)name.data);
    hash = mix(mix(hash, (uintptr_t)table.data), table.bytes << 32 ^ (uint32_t)int_at(code, l->first_line));
    hash = mix_ends(hash, name.data, name.bytes, 24);
    return mix_ends(hash, table.data, table.bytes, 56);
}

static uint32_t intern_text(struct f4p_writer *w, struct text text)
{
    if (!text.data)
        return F4P_NONE;
    uint64_t key = f4p_hash(text.data, text.bytes, F4P_RECORD_STRING << 8 | text.unit);
    return f4p_writer_intern(w, key, F4P_RECORD_STRING, text.unit, text.data, text.bytes, NULL, 0);
}

static uint32_t intern_code(struct f4p_writer *w, const uint8_t *code)
{
    const struct f4p_python_layout *l = &python.layout;
    struct text file = read_text(pointer_at(code, l->file)), name = read_text(pointer_at(code, l->name));
    struct text qualname = read_text(code_text(code, l->qualname)), table = read_bytes(pointer_at(code, l->table));
    struct f4p_code record = {.first_line = (uint32_t)int_at(code, l->first_line), .lines = l->lines};

    uint64_t key = f4p_hash(file.data, file.bytes, F4P_RECORD_CODE);
    key = f4p_hash(name.data, name.bytes, key);
    key = f4p_hash(qualname.data, qualname.bytes, key);
    if (table.bytes > MAX_TABLE)
        table.bytes = 0;
    key = f4p_hash(table.data, table.bytes, key + record.first_line);
    uint32_t id = f4p_writer_lookup(w, key);
    if (id != F4P_NONE)
        return id;
    record.file = intern_text(w, file);
    record.name = intern_text(w, name);
    record.qualname = intern_text(w, qualname);
    record.table_bytes = (uint32_t)table.bytes;
    return f4p_writer_intern(w, key, F4P_RECORD_CODE, 0, &record, sizeof(record), table.data, table.bytes);
}

uint32_t f4p_python_object(struct f4p_writer *w, const struct f4p_python_frame *frame)
{
    const uint8_t *code = frame->code;
    uint64_t look = code_look(code);
    struct cached *cached = &python.cache[((uintptr_t)code >> 4) % CACHE_SIZE];
    if (cached->code != code || cached->look != look) {
        uint32_t id = intern_code(w, code);
        if (id == F4P_NONE)
            return F4P_NODE_SPECIAL + F4P_SPECIAL_UNKNOWN_CODE;
        *cached = (struct cached){code, look, id};
    }
    return cached->id;
}

/* ---- frames ---- */

static uint32_t frame_offset(const uint8_t *frame, const uint8_t *code)
{
    const struct f4p_python_layout *l = &python.layout;
    if (l->position_kind == F4P_POSITION_POINTER) {
        ptrdiff_t offset = pointer_at(frame, l->position) - (code + l->bytecode);
        return offset < 0 || offset > INT32_MAX ? F4P_NONE : (uint32_t)offset;
    }
    int32_t last = int_at(frame, l->position);
    if (last < 0)
        return F4P_NONE;
    return (uint32_t)last * (l->position_kind == F4P_POSITION_UNITS ? 2 : 1);
}

static const uint8_t *top_frame(const uint8_t *thread_state)
{
    const struct f4p_python_layout *l = &python.layout;
    if (l->top == F4P_TOP_CFRAME) {
        thread_state = pointer_at(thread_state, CFRAME_AT);
        if (!plausible(thread_state)) /* a thread that is just starting */
            return NULL;
    }
    return pointer_at(thread_state, l->top_at);
}

/* Whether `frame` was entered from C: every frame before 3.11, those so marked in 3.11; from 3.12 on the interpreter's
 * own frame beyond it says so. */
static bool is_entry(const uint8_t *frame)
{
    const struct f4p_python_layout *l = &python.layout;
    return l->minor < 11 || (l->entry && frame[l->entry]);
}

/*
 * The first stacks of a process show whether the layout is right: what they lead to might not be memory at all. A page
 * that was there is taken to be there still.
 */
static bool page_present(uintptr_t address)
{
    uintptr_t page = address >> PAGE_SHIFT, *slot = &python.seen[page % 128];
    if (*slot != page && f4p_memory_readable(address, 1))
        *slot = page;
    return *slot == page;
}

static bool present(const uint8_t *object, size_t bytes)
{
    return python.looks >= FIRST_LOOKS ||
           (page_present((uintptr_t)object) && page_present((uintptr_t)object + bytes - 1));
}

/*
 * From 3.13 on a class that is called often has its __init__ run above a frame of the interpreter's own, which checks
 * what it returned. That frame says it is a function's; but file and name of its code, three instructions, are one str.
 */
static bool is_init_check(const uint8_t *code, uint32_t offset)
{
    const struct f4p_python_layout *l = &python.layout;
    return UNLIKELY(offset <= 4) && l->minor >= 13 && !int_at(code, l->first_line) &&
           pointer_at(code, l->file) == pointer_at(code, l->name);
}

/* Collects frames innermost first, at most F4P_PYTHON_FRAMES; *more if there were further ones. */
static unsigned walk(const uint8_t *frame, struct f4p_python_frame *frames, bool *more, bool *fault)
{
    const struct f4p_python_layout *l = &python.layout;
    unsigned count = 0;

    for (unsigned visited = 0; frame && visited < MAX_VISITED; visited++, frame = pointer_at(frame, l->previous)) {
        if (!plausible(frame) || !present(frame, FRAME_BYTES)) {
            *fault = true;
            return count;
        }
        if (l->owner && frame[l->owner] > OWNER_MAX) {
            if (count)
                frames[count - 1].entry = true;
            continue;
        }
        const uint8_t *code = pointer_at(frame, l->code);
        if (l->tagged)
            code = (const uint8_t *)((uintptr_t)code & ~(uintptr_t)3);
        if (!plausible(code) || !present(code, CODE_BYTES) || pointer_at(code, l->type) != python.code_type) {
            *fault = true;
            return count;
        }
        uint32_t offset = frame_offset(frame, code);
        if (is_init_check(code, offset))
            continue;
        if (count == F4P_PYTHON_FRAMES) {
            *more = true;
            return count;
        }
        frames[count++] = (struct f4p_python_frame){code, offset, is_entry(frame)};
    }
    return count;
}

static void judge(struct f4p_writer *w, bool fault)
{
    if (python.looks < FIRST_LOOKS)
        python.looks++;
    if (LIKELY(!fault)) {
        python.faults -= python.faults > 0;
        return;
    }
    f4p_writer_lost(w, F4P_LOSS_python);
    python.faults += FAULT_COST;
    if (python.faults >= MAX_FAULTS) {
        python.status = "off: too many stacks failed a check";
        status_fact(w);
    }
}

unsigned f4p_python_frames(struct f4p_writer *w, void *thread_state, const struct f4p_python_frame **frames, bool *cut)
{
    static struct f4p_python_frame found[F4P_PYTHON_FRAMES]; /* under the lock; the job's stack may be small */
    bool more = false, fault = false;

    *frames = found;
    if (UNLIKELY(late.news))
        take_news(w);
    if (!thread_state || !f4p_python_readable())
        return 0;
    unsigned count = walk(top_frame(thread_state), found, &more, &fault);
    judge(w, fault);
    if (more)
        f4p_writer_lost(w, F4P_LOSS_depth);
    *cut = more || fault;
    return count;
}
