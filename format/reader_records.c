/* Append-only records: finding them, indexing them by id, and their texts as UTF-8. */
#include <string.h>

#include "hash.h"
#include "reader.h"
#include "reader_private.h"

#define TYPES (F4P_RECORD_NOTE + 1)
#define SKIP_CREDIT (64u << 10) /* ids that damage may have swallowed, at most */
#define LIST_LIMIT 65536u       /* strings of a LIST fact */

/* Which sections may hold what. */
enum source { FROM_RECORDER = 1, FROM_LAUNCHER = 2, FROM_SYMBOLS = 4 };

struct item {
    struct f4p_record head;
    const uint8_t *payload;
};

/* A pass over one section. */
struct walk {
    struct f4p_trace *trace;
    const uint8_t *data;
    uint64_t at, bytes;
    uint64_t budget; /* bytes that may still be hashed in search of the next record behind damage */
    enum source source;
    uint64_t filled; /* what is no record below it is damage, else the end */
};

struct tally {
    size_t count[TYPES]; /* of all sections */
    size_t room[TYPES];  /* elements of the array indexed by id */
};

/* ---- finding records ---- */

static bool record_at(struct walk *walk, struct item *item)
{
    if (walk->bytes - walk->at < sizeof item->head)
        return false;
    memcpy(&item->head, walk->data + walk->at, sizeof item->head);
    item->payload = walk->data + walk->at + sizeof item->head;
    if (item->head.bytes > walk->bytes - walk->at - sizeof item->head || item->head.type == 0)
        return false;
    uint64_t seed = f4p_hash(&item->head, offsetof(struct f4p_record, check), 0);
    return item->head.check == (uint32_t)f4p_hash(item->payload, item->head.bytes, seed);
}

/* Behind a damaged record the next one is searched for at every 8 bytes, within a budget that keeps this linear. */
static bool next_record(struct walk *walk, struct item *item, bool counting)
{
    bool damaged = false;
    while (walk->at + sizeof item->head <= walk->bytes) {
        if (record_at(walk, item)) {
            walk->at += (sizeof item->head + item->head.bytes + 7ull) & ~7ull;
            if (walk->at > walk->bytes)
                walk->at = walk->bytes;
            return true;
        }
        if (walk->at >= walk->filled)
            return false;
        if (counting && !damaged)
            walk->trace->damage.bad_records++;
        damaged = true;
        uint64_t cost = item->head.bytes < walk->bytes - walk->at ? item->head.bytes : 0;
        if (walk->budget < cost + 8)
            break;
        walk->budget -= cost + 8;
        walk->at += 8;
        if (counting)
            walk->trace->damage.torn_bytes += 8;
    }
    return false;
}

static struct walk walk_begin(struct f4p_trace *trace, enum source source)
{
    enum f4p_section_kind kind = source == FROM_RECORDER   ? F4P_SECTION_RECORDS
                                 : source == FROM_LAUNCHER ? F4P_SECTION_LAUNCH_RECORDS
                                                           : F4P_SECTION_SYMBOLS;
    const struct f4p_area *area = &trace->private->area[kind];
    struct walk walk = {.trace = trace, .data = area->data, .bytes = area->bytes, .source = source};
    uint64_t used = source == FROM_RECORDER ? trace->state.records : trace->launch.records;
    if (source == FROM_SYMBOLS) {
        walk.filled = walk.bytes;
        while (walk.filled && !walk.data[walk.filled - 1])
            walk.filled--;
    } else if (source == FROM_RECORDER ? trace->private->have_state : trace->has_launch) {
        walk.bytes = used < walk.bytes ? used : walk.bytes;
        walk.filled = walk.bytes;
    } /* else the first that is no record is the end */
    walk.budget = walk.bytes;
    return walk;
}

static bool belongs(const struct item *item, enum source source)
{
    switch (item->head.type) {
    case F4P_RECORD_STRING:
    case F4P_RECORD_CODE:
    case F4P_RECORD_THREAD:
    case F4P_RECORD_MODULE:
    case F4P_RECORD_FAILURE:
        return source == FROM_RECORDER;
    case F4P_RECORD_SYMBOL:
        return true;
    case F4P_RECORD_PROCESS:
        return source == FROM_LAUNCHER;
    default:
        return item->head.type < TYPES && source != FROM_SYMBOLS;
    }
}

static void for_all(struct f4p_trace *trace, void (*visit)(void *context, struct item *item, enum source source),
                    void *context, bool counting)
{
    static const enum source sources[] = {FROM_LAUNCHER, FROM_RECORDER, FROM_SYMBOLS}; /* the recorder's facts win */
    for (int i = 0; i < 3; i++) {
        struct walk walk = walk_begin(trace, sources[i]);
        struct item item;
        while (next_record(&walk, &item, counting))
            if (belongs(&item, walk.source))
                visit(context, &item, walk.source);
    }
}

/* ---- text ---- */

static size_t put_utf8(char *out, uint32_t c)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 63));
        out[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63));
    out[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* Decodes one UTF-8 sequence; an invalid byte counts as one U+FFFD. Returns the bytes taken. */
static size_t get_utf8(const uint8_t *p, size_t left, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
    *c = 0xfffd;
    if (n == 0 || n > left)
        return 1;
    uint32_t value = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (p[i] & 63);
    }
    if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 1;
    *c = value;
    return n;
}

/* Decodes one character of a string with `unit` bytes per unit. Returns the bytes taken. */
static size_t get_char(const uint8_t *p, size_t left, unsigned unit, uint32_t *c)
{
    uint16_t high, low;
    switch (unit) {
    case 1:
        *c = p[0];
        return 1;
    case 2:
        memcpy(&high, p, 2);
        *c = high;
        if (high >= 0xd800 && high < 0xdc00 && left >= 4) {
            memcpy(&low, p + 2, 2);
            if (low >= 0xdc00 && low < 0xe000) {
                *c = 0x10000 + ((high - 0xd800u) << 10) + (low - 0xdc00u);
                return 4;
            }
        }
        return 2;
    case 4:
        memcpy(c, p, 4);
        return 4;
    default:
        return get_utf8(p, left, c);
    }
}

/* unit: 1 Latin-1, 2 UCS-2 or UTF-16, 4 UCS-4, else UTF-8. NULL without memory. */
static const char *text(struct f4p_trace *trace, const uint8_t *data, size_t bytes, unsigned unit)
{
    char scratch[4];
    uint32_t c;
    size_t length = 0;

    if (unit == 2 || unit == 4)
        bytes -= bytes % unit;
    if (bytes == 0)
        return "";
    for (size_t i = 0; i < bytes;) {
        i += get_char(data + i, bytes - i, unit, &c);
        length += put_utf8(scratch, c);
    }
    char *out = f4p_reader_alloc(trace, length + 1);
    if (!out)
        return NULL;
    char *at = out;
    for (size_t i = 0; i < bytes;) {
        i += get_char(data + i, bytes - i, unit, &c);
        at += put_utf8(at, c);
    }
    *at = 0;
    return out;
}

/* ---- facts ---- */

/* NUL-terminated strings; the last one may lack its NUL. */
static bool take_list(struct f4p_trace *trace, struct f4p_fact_value *fact, const uint8_t *data, size_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += data[i] == 0 || i + 1 == bytes;
    if (count > LIST_LIMIT)
        count = LIST_LIMIT;
    fact->list = f4p_reader_alloc(trace, (count + 1) * sizeof *fact->list);
    if (!fact->list)
        return false;
    for (size_t i = 0, start = 0; i < count; i++) {
        const uint8_t *nul = memchr(data + start, 0, bytes - start);
        size_t end = nul ? (size_t)(nul - data) : bytes;
        fact->list[i] = text(trace, data + start, end - start, 8);
        if (!fact->list[i])
            return false;
        start = end + 1;
    }
    return true;
}

static bool take_fact(struct f4p_trace *trace, const struct item *item)
{
    if (item->head.id >= F4P_FACT_SLOTS)
        return true;
    struct f4p_fact_value *fact = &trace->private->facts[item->head.id];
    *fact = (struct f4p_fact_value){.kind = item->head.flags};
    switch (item->head.flags) {
    case F4P_FACT_U64:
        if (item->head.bytes < 8)
            fact->kind = 0;
        else
            memcpy(&fact->number, item->payload, 8);
        return true;
    case F4P_FACT_TEXT:
        fact->text = text(trace, item->payload, item->head.bytes, 8);
        return fact->text != NULL;
    case F4P_FACT_LIST:
        return take_list(trace, fact, item->payload, item->head.bytes);
    default:
        fact->kind = 0;
        return true;
    }
}

static const struct f4p_fact_value *fact_of(const struct f4p_trace *trace, enum f4p_fact fact, uint16_t kind)
{
    static const struct f4p_fact_value none;
    if ((unsigned)fact >= F4P_FACT_SLOTS || trace->private->facts[fact].kind != kind)
        return &none;
    return &trace->private->facts[fact];
}

bool f4p_trace_fact_u64(const struct f4p_trace *trace, enum f4p_fact fact, uint64_t *value)
{
    const struct f4p_fact_value *v = fact_of(trace, fact, F4P_FACT_U64);
    if (v->kind)
        *value = v->number;
    return v->kind != 0;
}

const char *f4p_trace_fact_text(const struct f4p_trace *trace, enum f4p_fact fact)
{
    const struct f4p_fact_value *v = fact_of(trace, fact, F4P_FACT_TEXT);
    return v->kind ? v->text : "";
}

const char *const *f4p_trace_fact_list(const struct f4p_trace *trace, enum f4p_fact fact)
{
    static const char *const none[] = {NULL};
    const struct f4p_fact_value *v = fact_of(trace, fact, F4P_FACT_LIST);
    return v->kind ? v->list : none;
}

/* ---- the arrays ---- */

/* Mutable twins of the arrays that struct f4p_trace shows. */
struct fill {
    struct f4p_trace *trace;
    struct tally tally;
    struct f4p_fact_at {
        const uint8_t *payload;
        struct f4p_record head;
    } facts[F4P_FACT_SLOTS]; /* the one that counts */
    struct f4p_code_view *codes;
    struct f4p_thread_view *threads;
    struct f4p_module_view *modules;
    struct f4p_symbol_view *symbols;
    struct f4p_failure *failures;
    struct f4p_process_view *processes;
    struct f4p_source_view *sources;
    const char **logs, **notes;
    bool no_memory;
};

static void count_item(void *context, struct item *item, enum source source)
{
    struct fill *fill = context;
    fill->tally.count[item->head.type]++;
    if (item->head.type == F4P_RECORD_FACT && item->head.id < F4P_FACT_SLOTS) {
        fill->facts[item->head.id].payload = item->payload;
        fill->facts[item->head.id].head = item->head;
    }
    (void)source;
}

/* Ids are dense, so an array needs as many elements as there are records, and room for those lost to damage. */
static void size_arrays(struct fill *fill, uint64_t torn)
{
    uint64_t lost = torn / sizeof(struct f4p_record);
    if (lost > SKIP_CREDIT)
        lost = SKIP_CREDIT;
    for (unsigned i = 0; i < TYPES; i++)
        fill->tally.room[i] = fill->tally.count[i] + (fill->tally.count[i] ? lost : 0);
    fill->tally.room[F4P_RECORD_FAILURE]++; /* CONTROL's */
}

static bool id_fits(struct fill *fill, const struct item *item, size_t *count)
{
    if (item->head.id >= fill->tally.room[item->head.type]) {
        fill->trace->damage.bad_records++;
        return false;
    }
    if (item->head.id >= *count)
        *count = item->head.id + 1;
    return true;
}

static const char *text_of(struct fill *fill, const uint8_t *data, size_t bytes, unsigned unit)
{
    const char *s = text(fill->trace, data, bytes, unit);
    if (s)
        return s;
    fill->no_memory = true;
    return "";
}

static const char *string_of(const struct fill *fill, uint32_t id)
{
    const struct f4p_trace_private *p = fill->trace->private;
    return id < p->string_count && p->strings[id] ? p->strings[id] : "";
}

/* Copies the struct at the front of the payload; false if it is not there in full. */
static bool front(struct fill *fill, const struct item *item, void *to, size_t bytes)
{
    if (item->head.bytes < bytes) {
        fill->trace->damage.bad_records++;
        return false;
    }
    memcpy(to, item->payload, bytes);
    return true;
}

/* Cuts the next `want` bytes off what is left of a payload. */
static const uint8_t *cut(const uint8_t **p, size_t *left, uint32_t want, size_t *got)
{
    const uint8_t *at = *p;
    *got = want < *left ? want : *left;
    *p += *got;
    *left -= *got;
    return at;
}

static void take_code(struct fill *fill, const struct item *item)
{
    struct f4p_code code;
    if (!id_fits(fill, item, &fill->trace->code_count) || !front(fill, item, &code, sizeof code))
        return;
    size_t left = item->head.bytes - sizeof code;
    fill->codes[item->head.id] = (struct f4p_code_view){
        .name = string_of(fill, code.name),
        .qualname = string_of(fill, code.qualname),
        .file = string_of(fill, code.file),
        .first_line = code.first_line,
        .lines = code.lines,
        .table = item->payload + sizeof code,
        .table_bytes = code.table_bytes < left ? code.table_bytes : (uint32_t)left,
    };
}

static void take_thread(struct fill *fill, const struct item *item)
{
    struct f4p_thread thread;
    if (!id_fits(fill, item, &fill->trace->thread_count) || !front(fill, item, &thread, sizeof thread))
        return;
    const char *name = text_of(fill, item->payload + sizeof thread, item->head.bytes - sizeof thread, 8);
    fill->threads[item->head.id] = (struct f4p_thread_view){thread.tid, thread.flags, thread.t_ns, name};
}

static void take_module(struct fill *fill, const struct item *item)
{
    struct f4p_module module;
    if (!id_fits(fill, item, &fill->trace->module_count) || !front(fill, item, &module, sizeof module))
        return;
    const uint8_t *p = item->payload + sizeof module;
    size_t left = item->head.bytes - sizeof module, id_bytes, path_bytes;
    const uint8_t *build_id = cut(&p, &left, module.build_id_bytes, &id_bytes);
    const uint8_t *path = cut(&p, &left, module.path_bytes, &path_bytes);
    fill->modules[item->head.id] = (struct f4p_module_view){
        .start = module.start,
        .end = module.end,
        .bias = module.bias,
        .t_ns = module.t_ns,
        .build_id = build_id,
        .build_id_bytes = (uint32_t)id_bytes,
        .path = text_of(fill, path, path_bytes, 8),
    };
}

static void take_symbol(struct fill *fill, const struct item *item)
{
    struct f4p_symbol symbol;
    if (!front(fill, item, &symbol, sizeof symbol))
        return;
    const uint8_t *p = item->payload + sizeof symbol;
    size_t left = item->head.bytes - sizeof symbol, function_bytes, file_bytes;
    const uint8_t *function = cut(&p, &left, symbol.function_bytes, &function_bytes);
    const uint8_t *file = cut(&p, &left, symbol.file_bytes, &file_bytes);
    fill->symbols[fill->trace->symbol_count++] = (struct f4p_symbol_view){
        .module = symbol.module,
        .depth = symbol.depth,
        .line = symbol.line,
        .offset = symbol.offset,
        .function = text_of(fill, function, function_bytes, 8),
        .file = text_of(fill, file, file_bytes, 8),
    };
}

static void add_failure(struct fill *fill, const struct f4p_failure *failure)
{
    struct f4p_failure *added = &fill->failures[fill->trace->failure_count++];
    *added = *failure;
    if (added->site >= fill->trace->site_count)
        added->site = F4P_NONE;
}

static void take_failure(struct fill *fill, const struct item *item)
{
    struct f4p_failure failure;
    if (front(fill, item, &failure, sizeof failure))
        add_failure(fill, &failure);
}

static void take_process(struct fill *fill, const struct item *item)
{
    struct f4p_process process;
    if (!id_fits(fill, item, &fill->trace->process_count) || !front(fill, item, &process, sizeof process))
        return;
    fill->processes[item->head.id] = (struct f4p_process_view){
        .pid = process.pid,
        .ppid = process.ppid,
        .t_ns = process.t_ns,
        .max_rss = process.max_rss,
        .wait_status = process.wait_status,
        .command = text_of(fill, item->payload + sizeof process, item->head.bytes - sizeof process, 8),
    };
}

static void take_source(struct fill *fill, const struct item *item)
{
    struct f4p_source source;
    if (!front(fill, item, &source, sizeof source))
        return;
    fill->sources[fill->trace->source_count++] = (struct f4p_source_view){
        .file = string_of(fill, source.file),
        .first_line = source.first_line,
        .text = text_of(fill, item->payload + sizeof source, item->head.bytes - sizeof source, 8),
    };
}

static void take_string(void *context, struct item *item, enum source source)
{
    struct fill *fill = context;
    (void)source;
    if (item->head.type == F4P_RECORD_STRING && id_fits(fill, item, &fill->trace->private->string_count))
        fill->trace->private->strings[item->head.id] = text_of(fill, item->payload, item->head.bytes, item->head.flags);
}

static void take_item(void *context, struct item *item, enum source source)
{
    struct fill *fill = context;
    (void)source;
    switch (item->head.type) {
    case F4P_RECORD_CODE:
        take_code(fill, item);
        break;
    case F4P_RECORD_THREAD:
        take_thread(fill, item);
        break;
    case F4P_RECORD_MODULE:
        take_module(fill, item);
        break;
    case F4P_RECORD_FAILURE:
        take_failure(fill, item);
        break;
    case F4P_RECORD_SOURCE:
        take_source(fill, item);
        break;
    case F4P_RECORD_SYMBOL:
        take_symbol(fill, item);
        break;
    case F4P_RECORD_PROCESS:
        take_process(fill, item);
        break;
    case F4P_RECORD_LOG:
        fill->logs[fill->trace->log_count++] = text_of(fill, item->payload, item->head.bytes, 8);
        break;
    case F4P_RECORD_NOTE:
        fill->notes[fill->trace->note_count++] = text_of(fill, item->payload, item->head.bytes, 8);
        break;
    default:
        break;
    }
}

static void *array(struct fill *fill, enum f4p_record_type type, size_t element)
{
    void *p = f4p_reader_alloc(fill->trace, fill->tally.room[type] * element);
    if (!p)
        fill->no_memory = true;
    return p;
}

static void make_arrays(struct fill *fill)
{
    struct f4p_trace *trace = fill->trace;
    trace->private->strings = array(fill, F4P_RECORD_STRING, sizeof *trace->private->strings);
    trace->codes = fill->codes = array(fill, F4P_RECORD_CODE, sizeof *fill->codes);
    trace->threads = fill->threads = array(fill, F4P_RECORD_THREAD, sizeof *fill->threads);
    trace->modules = fill->modules = array(fill, F4P_RECORD_MODULE, sizeof *fill->modules);
    trace->symbols = fill->symbols = array(fill, F4P_RECORD_SYMBOL, sizeof *fill->symbols);
    trace->failures = fill->failures = array(fill, F4P_RECORD_FAILURE, sizeof *fill->failures);
    trace->processes = fill->processes = array(fill, F4P_RECORD_PROCESS, sizeof *fill->processes);
    trace->sources = fill->sources = array(fill, F4P_RECORD_SOURCE, sizeof *fill->sources);
    fill->logs = array(fill, F4P_RECORD_LOG, sizeof *fill->logs);
    fill->notes = array(fill, F4P_RECORD_NOTE, sizeof *fill->notes);
    trace->logs = fill->logs;
    trace->notes = fill->notes;
}

/* Ids that no record came for: nothing known of them, but every text is there. */
static void fill_gaps(struct fill *fill)
{
    for (size_t i = 0; i < fill->trace->code_count; i++) {
        struct f4p_code_view *code = &fill->codes[i];
        if (!code->name)
            code->name = code->qualname = code->file = "";
    }
    for (size_t i = 0; i < fill->trace->thread_count; i++)
        if (!fill->threads[i].name)
            fill->threads[i].name = "";
    for (size_t i = 0; i < fill->trace->module_count; i++)
        if (!fill->modules[i].path)
            fill->modules[i].path = "";
    for (size_t i = 0; i < fill->trace->process_count; i++)
        if (!fill->processes[i].command)
            fill->processes[i].command = "";
}

int f4p_reader_records(struct f4p_trace *trace)
{
    struct fill fill = {.trace = trace};
    uint64_t torn = trace->damage.torn_bytes;

    for_all(trace, count_item, &fill, true);
    size_arrays(&fill, trace->damage.torn_bytes - torn);
    make_arrays(&fill);
    if (fill.no_memory)
        return -1;
    for (unsigned i = 0; i < F4P_FACT_SLOTS; i++)
        if (fill.facts[i].payload && !take_fact(trace, &(struct item){fill.facts[i].head, fill.facts[i].payload}))
            return -1;
    for_all(trace, take_string, &fill, false);
    for_all(trace, take_item, &fill, false);
    const struct f4p_failure *last = f4p_reader_last_failure(trace);
    if (last)
        add_failure(&fill, last);
    fill_gaps(&fill);
    return fill.no_memory ? -1 : 0;
}

/* What refers to a record that is not there refers to nothing. */
void f4p_reader_resolve(struct f4p_trace *trace)
{
    struct f4p_node *nodes = (struct f4p_node *)trace->nodes;
    for (size_t i = 0; i < trace->node_count; i++) {
        uint32_t object = nodes[i].object;
        if (object >= F4P_NODE_SPECIAL)
            continue;
        if (object < F4P_NODE_NATIVE && object >= trace->code_count)
            nodes[i].object = F4P_NODE_SPECIAL + F4P_SPECIAL_UNKNOWN_CODE;
        else if (object >= F4P_NODE_NATIVE && object - F4P_NODE_NATIVE >= trace->module_count)
            nodes[i].object = F4P_NODE_SPECIAL + F4P_SPECIAL_UNKNOWN_NATIVE;
    }
    struct f4p_site *sites = (struct f4p_site *)trace->sites;
    for (size_t i = 0; i < trace->site_count; i++) {
        if (sites[i].stack >= trace->node_count)
            sites[i].stack = F4P_NONE;
        if (sites[i].thread >= trace->thread_count)
            sites[i].thread = F4P_NONE;
    }
}
