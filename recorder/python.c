#include "python.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"
#include "format/hash.h"
#include "real.h"

#define MAX_VISITED 4096
#define MAX_TEXT 4096         /* units of a name */
#define MAX_TABLE (32u << 10) /* bytes of a line table */
#define MAX_FAULTS 64         /* then Python stacks are off */
#define CACHE_SIZE 8192       /* code objects; a power of two */

/* ---- versions ---- */

enum top { TOP_TSTATE /* tstate[at] */, TOP_CFRAME /* tstate[56][at] */ };
enum position { POSITION_BYTES /* int, bytes */, POSITION_UNITS /* int, 2-byte units */, POSITION_POINTER };

/* Offsets in bytes, 64-bit GIL builds. Sources: CPython's headers of each release, checked by running them. */
struct layout {
    uint8_t minor;
    uint8_t top;
    uint8_t top_at;
    uint8_t previous, code, position;
    uint8_t position_kind;
    uint8_t owner; /* 0: frames have none */
    uint8_t entry; /* 3.11: is_entry */
    bool tagged;   /* low bits of the code pointer are flags */
    uint8_t file, name, qualname, table, first_line;
    uint8_t bytecode; /* POSITION_POINTER: start of the instructions in the code object */
    uint8_t ascii_data, compact_data;
    uint8_t lines; /* enum f4p_lines */
};

static const struct layout layouts[] = {
    {9, TOP_TSTATE, 24, 24, 32, 104, POSITION_BYTES, 0, 0, false, 104, 112, 0, 120, 40, 0, 48, 72, F4P_LINES_LNOTAB},
    {10, TOP_TSTATE, 24, 24, 32, 96, POSITION_UNITS, 0, 0, false, 104, 112, 0, 120, 40, 0, 48, 72, F4P_LINES_310},
    {11, TOP_CFRAME, 8, 48, 32, 56, POSITION_POINTER, 69, 68, false, 112, 120, 128, 136, 72, 184, 48, 72,
     F4P_LINES_311},
    {12, TOP_CFRAME, 0, 8, 0, 56, POSITION_POINTER, 70, 0, false, 112, 120, 128, 136, 68, 192, 40, 56, F4P_LINES_311},
    {13, TOP_TSTATE, 72, 8, 0, 56, POSITION_POINTER, 70, 0, false, 112, 120, 128, 136, 68, 200, 40, 56, F4P_LINES_311},
    {14, TOP_TSTATE, 72, 8, 0, 56, POSITION_POINTER, 74, 0, true, 112, 120, 128, 136, 68, 208, 40, 56, F4P_LINES_311},
    {15, TOP_TSTATE, 72, 8, 0, 56, POSITION_POINTER, 74, 0, true, 112, 120, 128, 136, 68, 208, 40, 56, F4P_LINES_311},
};

#define OB_TYPE 8
#define CFRAME_AT 56
#define BYTES_SIZE 16
#define BYTES_DATA 32
#define STR_LENGTH 16
#define STR_STATE 32
#define OWNER_MAX 2 /* thread, generator, frame object; above: the interpreter's own */

struct cached {
    const uint8_t *code;
    uint64_t look; /* hash of what tells one code object at this address from another */
    uint32_t id;
};

static struct {
    const struct layout *layout;
    void *(*thread_state)(void);
    int (*finalizing)(void);
    const void *code_type;
    char version[32];
    const char *status;
    unsigned number;
    unsigned faults;
    struct cached cache[CACHE_SIZE];
} python;

static void set_function(void *to, const char *name)
{
    void *found = f4p_symbol(name);
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
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
        if (layouts[i].minor == minor)
            python.layout = &layouts[i];
    return python.layout != NULL;
}

void f4p_python_find(void)
{
    const char *(*get_version)(void);
    set_function(&get_version, "Py_GetVersion");
    if (!get_version) {
        python.status = NULL;
        return;
    }
    const char *version = get_version();
    bool known = parse_version(version);
    set_function(&python.thread_state, "PyGILState_GetThisThreadState");
    set_function(&python.finalizing, python.number >= 0x30d ? "Py_IsFinalizing" : "_Py_IsFinalizing");
    python.code_type = f4p_symbol("PyCode_Type");
    if (strstr(version, "free-threading")) {
        python.layout = NULL;
        python.status = "off: free-threaded builds are not supported yet";
    } else if (!known) {
        python.status = "off: this Python release is not known";
    } else if (!python.thread_state || !python.code_type) {
        python.layout = NULL;
        python.status = "off: the interpreter does not export what is needed";
    } else {
        python.status = "on";
    }
}

bool f4p_python_readable(void)
{
    return python.layout && python.faults < MAX_FAULTS;
}

unsigned f4p_python_version(void)
{
    return python.number;
}

void f4p_python_facts(struct f4p_writer *w)
{
    if (!python.status)
        return;
    f4p_writer_fact(w, F4P_FACT_ID_PYTHON, F4P_FACT_TEXT, python.version, strlen(python.version));
    f4p_writer_fact(w, F4P_FACT_ID_PYTHON_STATUS, F4P_FACT_TEXT, python.status, strlen(python.status));
}

void f4p_python_forget(void)
{
    memset(python.cache, 0, sizeof(python.cache));
}

void *f4p_python_thread_state(void)
{
    if (!f4p_python_readable())
        return NULL;
    /* While the interpreter shuts down, thread states of other threads are freed under them. */
    if (python.finalizing && python.finalizing() && syscall(SYS_gettid) != getpid())
        return NULL;
    return python.thread_state();
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
    uint32_t state = (uint32_t)int_at(str, STR_STATE);
    unsigned unit = state >> 2 & 7;
    uint64_t length = word_at(str, STR_LENGTH);
    if (!(state & 1 << 5) || (unit != 1 && unit != 2 && unit != 4))
        return none;
    if (length > MAX_TEXT)
        length = MAX_TEXT;
    bool ascii = state & 1 << 6;
    return (struct text){str + (ascii ? python.layout->ascii_data : python.layout->compact_data), length * unit,
                         (uint16_t)unit};
}

static struct text read_bytes(const uint8_t *bytes)
{
    if (!plausible(bytes))
        return (struct text){NULL, 0, 1};
    return (struct text){bytes + BYTES_DATA, word_at(bytes, BYTES_SIZE), 1};
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
    const struct layout *l = python.layout;
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
    const struct layout *l = python.layout;
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

static uint32_t code_id(struct f4p_writer *w, const uint8_t *code)
{
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
    const struct layout *l = python.layout;
    if (l->position_kind == POSITION_POINTER) {
        ptrdiff_t offset = pointer_at(frame, l->position) - (code + l->bytecode);
        return offset < 0 || offset > INT32_MAX ? F4P_NONE : (uint32_t)offset;
    }
    int32_t last = int_at(frame, l->position);
    if (last < 0)
        return F4P_NONE;
    return (uint32_t)last * (l->position_kind == POSITION_UNITS ? 2 : 1);
}

static const uint8_t *top_frame(const uint8_t *thread_state)
{
    const struct layout *l = python.layout;
    if (l->top == TOP_CFRAME) {
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
    const struct layout *l = python.layout;
    return l->minor < 11 || (l->entry && frame[l->entry]);
}

/* Collects frames innermost first, at most F4P_PYTHON_FRAMES; *more if there were further ones. */
static unsigned walk(const uint8_t *frame, struct f4p_python_frame *frames, bool *more, bool *fault)
{
    const struct layout *l = python.layout;
    unsigned count = 0;

    for (unsigned visited = 0; frame && visited < MAX_VISITED; visited++, frame = pointer_at(frame, l->previous)) {
        if (!plausible(frame)) {
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
        if (!plausible(code) || pointer_at(code, OB_TYPE) != python.code_type) {
            if (l->minor >= 12) /* a shim between C and Python holds something else */
                continue;
            *fault = true;
            return count;
        }
        if (count == F4P_PYTHON_FRAMES) {
            *more = true;
            return count;
        }
        frames[count++] = (struct f4p_python_frame){code, frame_offset(frame, code), is_entry(frame)};
    }
    return count;
}

unsigned f4p_python_frames(struct f4p_writer *w, void *thread_state, const struct f4p_python_frame **frames, bool *cut)
{
    static struct f4p_python_frame found[F4P_PYTHON_FRAMES]; /* under the lock; the job's stack may be small */
    bool more = false, fault = false;

    *frames = found;
    if (!thread_state || !f4p_python_readable())
        return 0;
    unsigned count = walk(top_frame(thread_state), found, &more, &fault);
    if (fault) {
        f4p_writer_lost(w, F4P_LOSS_python);
        python.faults++;
    }
    if (more)
        f4p_writer_lost(w, F4P_LOSS_depth);
    *cut = more || fault;
    return count;
}

uint32_t f4p_python_node(struct f4p_writer *w, uint32_t parent, const struct f4p_python_frame *frame)
{
    return f4p_writer_node(w, parent, code_id(w, frame->code), frame->offset);
}
