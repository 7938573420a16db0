/*
 * libFuzzer target for the reader and the whole analyzer (model, text and JSON faces).
 *
 * An input is not a trace but a recipe: which of a few traces made by the real writer to start from, what to change in
 * which structure, and whether to repair the checks and sums afterwards. So mutations get behind the checksums, and the
 * corpus stays small. An input that begins with 0xff is a trace itself.
 *
 *   byte 0      trace to start from
 *   byte 1      bit 0: repair checks; bit 1: repair the state's hashes and sums; bits 2-7: cut the file to n/64
 *   then changes of 8 bytes: structure, index (2), field, how, value (3); RAW_PAYLOAD is followed by its bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/json.h"
#include "analyzer/options.h"
#include "analyzer/report.h"
#include "analyzer/text.h"
#include "format/hash.h"
#include "format/layout.h"
#include "format/reader.h"
#include "format/weight.h"
#include "tests/crash/small.h"

#define BASES 6
#define MAX_RECORDS 256
#define CHECK(object) ((object)->check = f4p_hash((object), offsetof(__typeof__(*(object)), check), 0))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct base {
    struct f4p_header header;
    uint8_t *bytes;
    uint32_t record_at[MAX_RECORDS]; /* offsets in RECORDS */
    uint32_t record_count;
    uint32_t block_at[MAX_RECORDS]; /* offsets in the file */
    uint32_t block_count;
};

static struct base bases[BASES];
static uint8_t *file;
static FILE *sink;
static struct f4p_options options;

/* ---- traces to start from ---- */

static uint64_t offset_of(const struct f4p_header *header, enum f4p_section_kind kind)
{
    return f4p_layout_find(header, kind)->offset;
}

static void find_parts(struct base *b, uint64_t records)
{
    const uint8_t *at = b->bytes + offset_of(&b->header, F4P_SECTION_RECORDS);
    for (uint64_t i = 0; i < records && b->record_count < MAX_RECORDS;) {
        struct f4p_record record;
        memcpy(&record, at + i, sizeof record);
        b->record_at[b->record_count++] = (uint32_t)i;
        i += (sizeof record + record.bytes + 7) & ~7ull;
    }
    for (uint64_t i = offset_of(&b->header, F4P_SECTION_KEYFRAMES); i < b->header.file_bytes; i += F4P_LINE) {
        uint32_t magic;
        memcpy(&magic, b->bytes + i, sizeof magic);
        if (magic == F4P_BLOCK_MAGIC && b->block_count < MAX_RECORDS)
            b->block_at[b->block_count++] = (uint32_t)i;
    }
}

/* Records of the kinds that small.c does not write. */
static void more_records(struct f4p_writer *w)
{
    struct f4p_thread thread = {100, F4P_THREAD_MAIN, 0};
    struct f4p_module module = {0x1000, 0x9000, 0x1000, 0, 4, 9};
    struct f4p_source source = {0, 1};
    struct f4p_process process = {4712, 4711, 5, 1 << 20, 9, 0};
    uint64_t pid = 4711;
    f4p_writer_record(w, F4P_RECORD_THREAD, 0, &thread, sizeof thread, "main", 4);
    f4p_writer_record(w, F4P_RECORD_MODULE, 0, &module, sizeof module, "\1\2\3\4/lib/x.so", 13);
    f4p_writer_record(w, F4P_RECORD_SOURCE, 0, &source, sizeof source, "a = 1\nb = 2\n", 12);
    f4p_writer_record(w, F4P_RECORD_PROCESS, 0, &process, sizeof process, "job", 3);
    f4p_writer_record(w, F4P_RECORD_LOG, 0, "killed", 6, NULL, 0);
    f4p_writer_record(w, F4P_RECORD_NOTE, 0, "\xff\xfe\x1b[2J", 6, NULL, 0);
    f4p_writer_record(w, F4P_RECORD_STRING, 2, "a\0\xac\x20", 4, NULL, 0);
    struct f4p_code code = {0, 0, 0, 7, F4P_LINES_311, 8};
    f4p_writer_record(w, F4P_RECORD_CODE, 0, &code, sizeof code, "\xf0\x03\x01\x01\xe8\x7f\x00\x81", 8);
    f4p_writer_fact(w, F4P_FACT_ID_PID, F4P_FACT_U64, &pid, sizeof pid);
    f4p_writer_fact(w, F4P_FACT_ID_CGROUP, F4P_FACT_TEXT, "/job", 4);
}

static void take_vitals(struct f4p_writer *w)
{
    struct f4p_vitals *v[] = {&w->control->first, &w->control->last[1]};
    for (unsigned i = 0; i < 2; i++) {
        v[i]->seq = i + 1;
        v[i]->t_ns = w->state.t_ns;
        v[i]->valid = (1ull << F4P_VITAL_COUNT) - 1;
        for (unsigned j = 0; j < F4P_VITAL_COUNT; j++)
            v[i]->value[j] = (64ull << 20) + (j << 16);
        CHECK(v[i]);
    }
}

static void make_base(struct base *b, unsigned which)
{
    static struct small_oracle oracle;
    static struct small small;
    struct small_sizes sizes = {128, 64, 256, 8192, 40960, 4096};
    memset(&oracle, 0, sizeof oracle);
    small_header(&b->header, &sizes, which % 2 ? 512 : 1);
    b->bytes = calloc(1, b->header.file_bytes);
    if (!b->bytes)
        abort();
    small_begin(&small, b->bytes, &b->header, &oracle, which + 1);
    more_records(&small.w);
    small.target = which == 3 ? 120 : 50;
    small.step_ns = which == 4 ? 20000000 : 20000;
    for (unsigned i = 0; i < (unsigned[]){0, 60, 4000, 800, 6000, 30000}[which]; i++)
        small_step(&small);
    take_vitals(&small.w);
    if (which == 5)
        f4p_writer_finish(&small.w, F4P_STATUS_EXITED, F4P_PASSIVE_NONE, small.t_ns);
    find_parts(b, small.w.state.records);
    free(small.memory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char *arguments[] = {"fil4prod-analyze",
                                "--source=none",
                                "--text",
                                "--color=never",
                                "--charset=utf-8",
                                "--verbose",
                                "--at=50%",
                                "--at=peak",
                                "x",
                                NULL};
    (void)argc;
    (void)argv;
    size_t room = 0;
    for (unsigned i = 0; i < BASES; i++) {
        make_base(&bases[i], i);
        room = bases[i].header.file_bytes > room ? bases[i].header.file_bytes : room;
    }
    file = malloc(room);
    sink = fopen("/dev/null", "w");
    if (!file || !sink || f4p_options_parse(&options, 9, arguments))
        abort();
    return 0;
}

/* ---- changing ---- */

enum part {
    HEADER,
    SECTION,
    STATE0,
    STATE1,
    INTENT,
    REQUEST,
    VITALS,
    LIVE,
    SITE,
    NODE,
    RECORD,
    RECORD_BODY,
    BLOCK,
    PAYLOAD,
    RAW_PAYLOAD,
    OPEN,
    BUCKET,
    ANYWHERE,
    PARTS
};

/* Where structure `index` of that kind stands, and its size. */
static uint8_t *part_at(const struct base *b, enum part part, unsigned index, size_t *size)
{
    const struct f4p_header *h = &b->header;
    struct f4p_control *control = (struct f4p_control *)(file + offset_of(h, F4P_SECTION_CONTROL));
    switch (part) {
    case HEADER:
        return *size = sizeof *h - 8, file;
    case SECTION:
        return *size = sizeof(struct f4p_section),
               file + offsetof(struct f4p_header, sections) + index % h->section_count * *size;
    case STATE0:
    case STATE1:
        return *size = sizeof(struct f4p_state), (uint8_t *)&control->state[part - STATE0];
    case INTENT:
        return *size = sizeof control->intent, (uint8_t *)&control->intent;
    case REQUEST:
        return *size = sizeof *control->requests, (uint8_t *)&control->requests[index % F4P_REQUESTS];
    case VITALS:
        return *size = sizeof control->first, (uint8_t *)(&control->first + index % 3);
    case LIVE:
        return *size = sizeof(struct f4p_live), file + offset_of(h, F4P_SECTION_LIVE) + index % 128 * *size;
    case SITE:
        return *size = sizeof(struct f4p_site), file + offset_of(h, F4P_SECTION_SITES) + index % 64 * *size;
    case NODE:
        return *size = sizeof(struct f4p_node), file + offset_of(h, F4P_SECTION_NODES) + index % 256 * *size;
    case RECORD:
    case RECORD_BODY:
        return *size = part == RECORD ? sizeof(struct f4p_record) : 64,
               file + offset_of(h, F4P_SECTION_RECORDS) + b->record_at[index % b->record_count] +
                   (part == RECORD ? 0 : sizeof(struct f4p_record));
    case BLOCK:
    case PAYLOAD:
        if (b->block_count)
            return *size = part == BLOCK ? sizeof(struct f4p_block) : 256,
                   file + b->block_at[index % b->block_count] + (part == BLOCK ? 0 : sizeof(struct f4p_block));
        break;
    case OPEN:
        return *size = 256, file + offset_of(h, F4P_SECTION_OPEN) + index % (F4P_OPEN_BYTES - 256);
    case BUCKET:
        return *size = sizeof(struct f4p_bucket), file + offset_of(h, F4P_SECTION_TIMELINE) + index % 2048 * *size;
    default:
        break;
    }
    return *size = 256, file + F4P_PAGE + index * 8ull % (h->file_bytes - F4P_PAGE - 256);
}

static uint64_t new_value(uint64_t old, unsigned how, uint32_t value)
{
    static const uint64_t special[] = {0,          1,           0xff,       0x7fff,     0xffff,
                                       0x7fffffff, 0x80000000u, 0xfffffffe, 0xffffffff, 0x7fffffffffffffff,
                                       1ull << 63, UINT64_MAX,  1ull << 40, 1ull << 32, 4096};
    switch (how % 6) {
    case 0:
        return value;
    case 1:
        return special[value % (sizeof special / sizeof *special)];
    case 2:
        return old + value;
    case 3:
        return old - value;
    case 4:
        return old ^ (1ull << value % 64);
    default:
        return (uint64_t)value << (value % 41);
    }
}

static void change(const struct base *b, const uint8_t c[8])
{
    size_t size;
    enum part part = (enum part)(c[0] % PARTS);
    uint8_t *at = part_at(b, part, (unsigned)(c[1] | c[2] << 8), &size);
    size_t width = c[4] & 0x80 ? 8 : c[4] & 0x40 ? 4 : c[4] & 0x20 ? 2 : 1, field = c[3] * width % size;
    uint64_t old = 0;
    if (at + field + width > file + b->header.file_bytes)
        return;
    memcpy(&old, at + field, width);
    old = new_value(old, c[4] & 0x1f, (uint32_t)(c[5] | c[6] << 8 | c[7] << 16));
    memcpy(at + field, &old, width);
}

/* A block whose payload is what the input says, not compressed. Returns how many bytes of the input it took. */
static size_t raw_payload(const struct base *b, unsigned index, const uint8_t *data, size_t bytes)
{
    if (!b->block_count)
        return 0;
    uint8_t *at = file + b->block_at[index % b->block_count];
    size_t n = bytes < 64 ? bytes : 64;
    struct f4p_block *block = (struct f4p_block *)at;
    if (at + sizeof *block + n > file + b->header.file_bytes)
        return 0;
    memcpy(at + sizeof *block, data, n);
    block->flags |= F4P_BLOCK_STORED;
    block->raw_bytes = block->stored_bytes = (uint32_t)n;
    return n;
}

/* ---- repairing ---- */

static void repair_tables(const struct base *b)
{
    struct f4p_live *live = (struct f4p_live *)(file + offset_of(&b->header, F4P_SECTION_LIVE));
    struct f4p_site *sites = (struct f4p_site *)(file + offset_of(&b->header, F4P_SECTION_SITES));
    struct f4p_node *nodes = (struct f4p_node *)(file + offset_of(&b->header, F4P_SECTION_NODES));
    for (uint32_t i = 0; i < 128; i++)
        if (live[i].kind)
            live[i].check = (uint32_t)f4p_hash(&live[i], offsetof(struct f4p_live, check), 0);
    for (uint32_t i = 0; i < 64; i++)
        sites[i].check = f4p_hash(&sites[i], offsetof(struct f4p_site, check), i);
    for (uint32_t i = 0; i < 256; i++)
        nodes[i].check = (uint32_t)f4p_hash(&nodes[i], offsetof(struct f4p_node, check), i);
}

static void repair_pieces(const struct base *b)
{
    uint8_t *records = file + offset_of(&b->header, F4P_SECTION_RECORDS);
    for (uint32_t i = 0; i < b->record_count; i++) {
        struct f4p_record *record = (struct f4p_record *)(records + b->record_at[i]);
        if (record->bytes > 8192 - b->record_at[i] - sizeof *record)
            continue;
        uint64_t seed = f4p_hash(record, offsetof(struct f4p_record, check), 0);
        record->check = (uint32_t)f4p_hash(record + 1, record->bytes, seed);
    }
    for (uint32_t i = 0; i < b->block_count; i++) {
        struct f4p_block *block = (struct f4p_block *)(file + b->block_at[i]);
        if (block->stored_bytes <= b->header.file_bytes - b->block_at[i] - sizeof *block)
            block->payload_check = f4p_hash(block + 1, block->stored_bytes, 0);
        CHECK(block);
    }
}

static void repair_sums(const struct base *b, struct f4p_state *state)
{
    const struct f4p_live *live = (struct f4p_live *)(file + offset_of(&b->header, F4P_SECTION_LIVE));
    const struct f4p_site *sites = (struct f4p_site *)(file + offset_of(&b->header, F4P_SECTION_SITES));
    struct f4p_sums peak = {0};
    state->live = (struct f4p_sums){0};
    state->live_hash = state->peak.site_hash = 0;
    for (uint32_t i = 0; i < 128 && i < state->live_high; i++) {
        if (!live[i].kind || live[i].shift > 35 || live[i].site >= state->sites)
            continue;
        struct f4p_sums sums = f4p_sample_weight(live[i].size, b->header.base_interval << live[i].shift);
        f4p_sums_add(&state->live, &sums);
        state->live_hash += f4p_hash(&live[i], offsetof(struct f4p_live, check), 0);
    }
    for (uint32_t i = 0; i < 64 && i < state->sites; i++) {
        const struct f4p_sums *sums = sites[i].epoch == state->peak_epoch ? &sites[i].peak : &sites[i].now;
        if (sums->samples)
            state->peak.site_hash += f4p_hash(sums, sizeof *sums, i);
        f4p_sums_add(&peak, sums);
    }
    state->peak.sums = peak;
}

static void repair(const struct base *b, bool sums)
{
    struct f4p_control *control = (struct f4p_control *)(file + offset_of(&b->header, F4P_SECTION_CONTROL));
    repair_tables(b);
    repair_pieces(b);
    for (unsigned i = 0; i < 2; i++) {
        if (sums)
            repair_sums(b, &control->state[i]);
        CHECK(&control->state[i]);
        CHECK(&control->last[i]);
    }
    CHECK(&control->first);
    CHECK(&control->intent);
    for (unsigned i = 0; i < F4P_REQUESTS; i++)
        CHECK(&control->requests[i]);
    f4p_layout_seal((struct f4p_header *)file);
}

static size_t cook(const uint8_t *data, size_t bytes)
{
    const struct base *b = &bases[data[0] % BASES];
    memcpy(file, b->bytes, b->header.file_bytes);
    for (size_t i = 2; i + 8 <= bytes;) {
        if (data[i] % PARTS == RAW_PAYLOAD) {
            i += 8 + raw_payload(b, (unsigned)(data[i + 1] | data[i + 2] << 8), data + i + 8, bytes - i - 8);
        } else {
            change(b, data + i);
            i += 8;
        }
    }
    if (data[1] & 1)
        repair(b, data[1] & 2);
    unsigned part = data[1] >> 2;
    return part ? b->header.file_bytes * part / 64 : b->header.file_bytes;
}

/* ---- using ---- */

static bool visit(void *context, const struct f4p_event *event)
{
    return ++*(uint64_t *)context < 100000 && event != NULL;
}

static void use_reader(const struct f4p_trace *trace)
{
    struct f4p_sums *sums = calloc(trace->site_count + 1, sizeof *sums);
    struct f4p_instant got;
    size_t count;
    uint64_t events = 0;
    const struct f4p_stretch *stretch = f4p_trace_history(trace, &count);
    if (!sums)
        abort();
    for (size_t i = 0; i < count && i < 8; i++) {
        if (stretch[i].from_ns > stretch[i].to_ns)
            __builtin_trap();
        f4p_trace_heap_at(trace, stretch[i].from_ns + (stretch[i].to_ns - stretch[i].from_ns) / 2, sums, &got);
    }
    for (size_t i = 0; i < trace->live_count; i++)
        if (trace->live[i].site >= trace->site_count)
            __builtin_trap();
    f4p_trace_events(trace, 0, UINT64_MAX, visit, &events);
    free(sums);
}

/* Takes the trace. */
static void use_analyzer(struct f4p_trace *trace)
{
    struct f4p_job job = {0};
    struct f4p_report report = {0};
    char error[512];
    job.traces[0] = trace;
    job.paths[0] = strdup("x");
    job.count = 1;
    if (f4p_report_make(&report, &options, &job, job.count, error, sizeof error) == 0) {
        struct f4p_text_style style = f4p_text_style_for(sink, &options);
        f4p_text_report(&report, &style, sink);
        f4p_json_report(&report, sink);
    }
    f4p_report_free(&report);
    f4p_job_close(&job);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct f4p_trace *trace;
    struct f4p_error error;
    if (bytes < 2)
        return 0;
    const uint8_t *from = data[0] == 0xff ? data + 1 : file;
    size_t length = data[0] == 0xff ? bytes - 1 : cook(data, bytes);
    if (f4p_trace_open_memory(from, length, &trace, &error))
        return 0;
    use_reader(trace);
    use_analyzer(trace);
    return 0;
}
