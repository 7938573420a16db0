/* Opening a trace: the file, its header, its sections, a consistent copy. */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "layout.h"
#include "reader_private.h"

#define SNAPSHOT_TRIES 6

struct f4p_chunk {
    struct f4p_chunk *next;
    size_t used, bytes;
    uint64_t data[];
};

struct whole {
    struct f4p_trace trace;
    struct f4p_trace_private private;
    char path[];
};

static int fail(struct f4p_error *error, enum f4p_read_error code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct f4p_error *error, enum f4p_read_error code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    error->code = code;
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return -1;
}

void *f4p_reader_alloc(struct f4p_trace *trace, size_t bytes)
{
    struct f4p_trace_private *p = trace->private;
    bytes = (bytes + 7) & ~(size_t)7;
    if (!p->chunks || p->chunks->bytes - p->chunks->used < bytes) {
        /* a chunk that suits one large table is not opened for small ones: it goes behind the current one */
        size_t room = bytes > 65536 ? bytes : 262144;
        struct f4p_chunk *chunk = calloc(1, sizeof *chunk + room);
        if (!chunk)
            return NULL;
        chunk->bytes = room;
        if (room == bytes && p->chunks) {
            chunk->next = p->chunks->next;
            p->chunks->next = chunk;
            chunk->used = bytes;
            return chunk->data;
        }
        chunk->next = p->chunks;
        p->chunks = chunk;
    }
    void *at = (char *)p->chunks->data + p->chunks->used;
    p->chunks->used += bytes;
    return at;
}

bool f4p_reader_zero(const void *data, uint64_t bytes)
{
    const unsigned char *p = data;
    return bytes == 0 || (p[0] == 0 && memcmp(p, p + 1, bytes - 1) == 0);
}

/* ---- the header ---- */

static int refuse_foreign(const uint8_t *data, size_t bytes, const char *path, struct f4p_error *error)
{
    static const struct {
        const char *magic, *program;
        size_t bytes;
    } packers[] = {{"\x1f\x8b", "gunzip", 2},
                   {"\x28\xb5\x2f\xfd", "unzstd", 4},
                   {"\xfd\x37\x7a\x58\x5a", "unxz", 5},
                   {"BZh", "bunzip2", 3},
                   {"\x04\x22\x4d\x18", "unlz4", 4}};
    for (size_t i = 0; i < sizeof packers / sizeof *packers; i++)
        if (bytes >= packers[i].bytes && memcmp(data, packers[i].magic, packers[i].bytes) == 0)
            return fail(error, F4P_READ_NOT_TRACE, "%s: compressed; unpack it first with %s", path, packers[i].program);
    if (bytes < 8 && memcmp(data, F4P_MAGIC, bytes) == 0)
        return fail(error, F4P_READ_HEADER, "%s: cut off after %zu bytes; copy the trace again", path, bytes);
    if (f4p_reader_zero(data, bytes))
        return fail(error, F4P_READ_NOT_TRACE, "%s: holds only zero bytes where a fil4prod trace has its header", path);
    return fail(error, F4P_READ_NOT_TRACE, "%s: not a fil4prod trace", path);
}

static bool ours(uint32_t kind)
{
    return kind >= 1 && kind <= F4P_SECTION_MAX;
}

/* Sections of known kinds lie inside the file, on pages, apart from each other, each kind once. */
static bool sections_fit(const struct f4p_header *header)
{
    if (header->section_count > F4P_MAX_SECTIONS)
        return false;
    for (uint32_t i = 0; i < header->section_count; i++) {
        const struct f4p_section *a = &header->sections[i];
        if (!ours(a->kind))
            continue;
        if (a->offset % F4P_PAGE || a->offset < F4P_PAGE || a->offset > header->file_bytes ||
            a->bytes > header->file_bytes - a->offset)
            return false;
        for (uint32_t j = 0; j < i; j++) {
            const struct f4p_section *b = &header->sections[j];
            if (!ours(b->kind))
                continue;
            if (b->kind == a->kind || (a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes))
                return false;
        }
    }
    return true;
}

static int check_header(const uint8_t *data, size_t bytes, const char *path, struct f4p_error *error)
{
    struct f4p_header header;
    if (bytes == 0)
        return fail(error, F4P_READ_EMPTY, "%s: empty file; the recorder was stopped before it wrote anything", path);
    if (bytes < 8 || memcmp(data, F4P_MAGIC, 8) != 0)
        return refuse_foreign(data, bytes, path, error);
    if (bytes < sizeof header)
        return fail(error, F4P_READ_HEADER, "%s: cut off inside its header (%zu of %zu bytes); copy the trace again",
                    path, bytes, sizeof header);
    memcpy(&header, data, sizeof header);
    if (header.version_major != F4P_VERSION_MAJOR)
        return fail(error, F4P_READ_VERSION,
                    "%s: trace format %u.%u, but this program reads %u.x; use the fil4prod that recorded it", path,
                    header.version_major, header.version_minor, F4P_VERSION_MAJOR);
    if (header.check != f4p_hash(&header, offsetof(struct f4p_header, check), 0))
        return fail(error, F4P_READ_HEADER, "%s: header damaged (check differs); nothing in it can be located", path);
    if (header.incompatible)
        return fail(
            error, F4P_READ_VERSION,
            "%s: trace format %u.%u uses features (0x%llx) that this program, format %u.%u, does not know; use a "
            "newer fil4prod",
            path, header.version_major, header.version_minor, (unsigned long long)header.incompatible,
            F4P_VERSION_MAJOR, F4P_VERSION_MINOR);
    if (header.base_interval < 1 || header.base_interval >= F4P_INTERVAL_LIMIT ||
        header.file_bytes > F4P_MAX_FILE_BYTES || header.file_bytes < sizeof header || !sections_fit(&header))
        return fail(error, F4P_READ_HEADER, "%s: header contradicts itself; not written by fil4prod", path);
    return 0;
}

/* ---- the copy ---- */

/* Reads [at, end) of the file; what cannot be read stays as it is. Returns how much that was. */
static uint64_t read_range(struct f4p_trace_private *p, uint64_t at, uint64_t end)
{
    while (at < end) {
        ssize_t n = pread(p->fd, p->file + at, end - at, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        at += (uint64_t)n;
    }
    return end - at;
}

/* The same without reading holes: a sparse file costs no memory. */
static uint64_t read_data(struct f4p_trace_private *p, uint64_t at, uint64_t end)
{
    uint64_t unread = 0;
    while (at < end) {
        off_t data = lseek(p->fd, (off_t)at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t hole = data < 0 ? -1 : lseek(p->fd, data, SEEK_HOLE);
        if (data < 0 || hole <= data || (uint64_t)data < at)
            return unread + read_range(p, at, end);
        if ((uint64_t)data >= end)
            break;
        uint64_t to = (uint64_t)hole < end ? (uint64_t)hole : end;
        unread += read_range(p, (uint64_t)data, to);
        at = to;
    }
    return unread;
}

static void find_areas(struct f4p_trace_private *p)
{
    const struct f4p_header *header = (const struct f4p_header *)p->file;
    memset(p->area, 0, sizeof p->area);
    for (uint32_t i = 0; i < header->section_count; i++) {
        const struct f4p_section *s = &header->sections[i];
        if (!ours(s->kind) || s->offset >= p->file_bytes)
            continue;
        uint64_t there = p->file_bytes - s->offset;
        p->area[s->kind] = (struct f4p_area){p->file + s->offset, s->bytes < there ? s->bytes : there, s->bytes};
    }
}

/* Reads [from, to) of a section, as far as the file has it. */
static void read_area(struct f4p_trace *trace, enum f4p_section_kind kind, uint64_t from, uint64_t to)
{
    struct f4p_trace_private *p = trace->private;
    const struct f4p_area *a = &p->area[kind];
    to = to < a->bytes ? to : a->bytes;
    if (from >= to)
        return;
    uint64_t start = (uint64_t)(a->data - p->file);
    trace->damage.missing_bytes += read_data(p, start + from, start + to);
}

struct bounds {
    bool known; /* else all of every section counts */
    uint64_t commit, seq, live, sites, nodes, records, history, keyframe;
};

/* What CONTROL, as it was read last, says is in use. */
static struct bounds bounds_of(const struct f4p_trace *trace)
{
    const struct f4p_state *s = f4p_reader_state(trace);
    if (!s)
        return (struct bounds){.live = UINT64_MAX,
                               .sites = UINT64_MAX,
                               .nodes = UINT64_MAX,
                               .records = UINT64_MAX,
                               .history = UINT64_MAX,
                               .keyframe = UINT64_MAX};
    return (struct bounds){.known = true,
                           .commit = s->commit,
                           .seq = s->seq,
                           .live = s->live_high * (uint64_t)sizeof(struct f4p_live),
                           .sites = s->sites * (uint64_t)sizeof(struct f4p_site),
                           .nodes = s->nodes * (uint64_t)sizeof(struct f4p_node),
                           .records = s->records,
                           .history = s->history_pos,
                           .keyframe = s->keyframe};
}

/* No ring of KEYFRAMES took more than HISTORY did, and ring i nothing before key frame 4^i. */
uint64_t f4p_reader_level_bytes(const struct f4p_trace *trace, unsigned level)
{
    uint64_t ring = trace->private->area[F4P_SECTION_KEYFRAMES].declared / F4P_LEVELS / F4P_LINE * F4P_LINE;
    struct bounds b = bounds_of(trace);
    if (b.keyframe >> 2 * level == 0)
        return 0;
    return b.history < ring ? b.history : ring;
}

static void read_levels(struct f4p_trace *trace)
{
    uint64_t ring = trace->private->area[F4P_SECTION_KEYFRAMES].declared / F4P_LEVELS / F4P_LINE * F4P_LINE;
    for (unsigned i = 0; i < F4P_LEVELS; i++)
        read_area(trace, F4P_SECTION_KEYFRAMES, i * ring, i * ring + f4p_reader_level_bytes(trace, i));
}

/* What grows at its end or stands apart. */
static void read_slow(struct f4p_trace *trace, const struct bounds *b)
{
    read_area(trace, F4P_SECTION_LAUNCH, 0, UINT64_MAX);
    read_area(trace, F4P_SECTION_LAUNCH_RECORDS, 0, UINT64_MAX);
    read_area(trace, F4P_SECTION_LAUNCH_TIMELINE, 0, UINT64_MAX);
    read_area(trace, F4P_SECTION_SYMBOLS, 0, UINT64_MAX);
    read_area(trace, F4P_SECTION_RESIDENT, 0, UINT64_MAX);
    read_area(trace, F4P_SECTION_HISTORY, 0, b->history);
    read_levels(trace);
    read_area(trace, F4P_SECTION_NODES, 0, b->nodes);
    read_area(trace, F4P_SECTION_RECORDS, 0, b->records);
}

/* What every op changes, and CONTROL last, so that its intent covers an op that ran meanwhile. */
static void read_fast(struct f4p_trace *trace, const struct bounds *b)
{
    read_area(trace, F4P_SECTION_LIVE, 0, b->live);
    read_area(trace, F4P_SECTION_SITES, 0, b->sites);
    read_area(trace, F4P_SECTION_OPEN, 0, UINT64_MAX);
    read_area(trace, F4P_SECTION_CONTROL, 0, UINT64_MAX);
}

/* What came in since `old`: behind the ends, and where HISTORY goes round. */
static void read_news(struct f4p_trace *trace, const struct bounds *old, const struct bounds *b)
{
    uint64_t ring = trace->private->area[F4P_SECTION_HISTORY].declared;
    read_area(trace, F4P_SECTION_LIVE, old->live, b->live);
    read_area(trace, F4P_SECTION_SITES, old->sites, b->sites);
    read_area(trace, F4P_SECTION_NODES, old->nodes, b->nodes);
    read_area(trace, F4P_SECTION_RECORDS, old->records, b->records);
    read_area(trace, F4P_SECTION_TIMELINE, 0, UINT64_MAX);
    if (b->history != old->history && ring) {
        uint64_t from = old->history % ring, to = b->history % ring;
        bool round = b->history - old->history >= ring || to < from;
        read_area(trace, F4P_SECTION_HISTORY, round ? 0 : from, to);
        if (round)
            read_area(trace, F4P_SECTION_HISTORY, b->history - old->history >= ring ? 0 : from, UINT64_MAX);
    }
    if (b->keyframe != old->keyframe)
        read_levels(trace);
}

/* Fills the private copy. A trace in motion: where ops came in while the fast parts were read, and the live set's hash
 * or OPEN's check is wrong, they are read again. */
static void take(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    find_areas(p);
    if (p->fd < 0) {
        f4p_reader_settle(trace);
        return;
    }
    read_area(trace, F4P_SECTION_CONTROL, 0, UINT64_MAX);
    struct bounds before = bounds_of(trace), after;
    read_slow(trace, &before);
    for (int i = 0; i < SNAPSHOT_TRIES; i++) {
        uint64_t missing = trace->damage.missing_bytes;
        read_fast(trace, &before);
        after = bounds_of(trace);
        read_news(trace, &before, &after);
        bool sound = f4p_reader_settle(trace) && f4p_reader_open_sound(trace);
        trace->moving = sound || !before.known ? 0 : after.seq - before.seq;
        if (sound || (after.known && before.known && after.commit == before.commit))
            break;
        if (i + 1 < SNAPSHOT_TRIES)
            trace->damage.missing_bytes = missing; /* the same bytes are asked for again */
        before = after;
    }
    p->fd = -1;
}

/* ---- open and close ---- */

static struct f4p_trace *make(const char *path, size_t bytes)
{
    size_t length = strlen(path) + 1;
    struct whole *whole = calloc(1, sizeof *whole + length);
    if (!whole)
        return NULL;
    memcpy(whole->path, path, length);
    whole->trace.path = whole->path;
    whole->trace.private = &whole->private;
    whole->private.fd = -1;
    whole->private.file_bytes = bytes;
    whole->private.file = calloc(1, bytes);
    if (!whole->private.file) {
        free(whole);
        return NULL;
    }
    return &whole->trace;
}

static int finish(struct f4p_trace *trace)
{
    struct f4p_trace_private *p = trace->private;
    trace->header = (const struct f4p_header *)p->file;
    take(trace);
    if (trace->header->file_bytes > p->file_bytes)
        trace->damage.missing_bytes += trace->header->file_bytes - p->file_bytes;
    if (f4p_reader_tables(trace) || f4p_reader_records(trace))
        return -1;
    if (f4p_reader_residency(trace))
        return -1;
    f4p_reader_resolve(trace);
    f4p_reader_timeline(trace);
    return f4p_reader_history(trace);
}

static int out_of_memory(const char *path, uint64_t bytes, struct f4p_error *error)
{
    return fail(error, F4P_READ_MEMORY, "%s: not enough memory to read %llu bytes; try a machine with more", path,
                (unsigned long long)bytes);
}

int f4p_trace_open_memory(const void *data, size_t bytes, struct f4p_trace **out, struct f4p_error *error)
{
    static const char name[] = "[memory]";
    *out = NULL;
    *error = (struct f4p_error){0};
    if (check_header(data, bytes, name, error))
        return -1;
    struct f4p_header header;
    memcpy(&header, data, sizeof header);
    struct f4p_trace *trace = make(name, bytes < header.file_bytes ? bytes : header.file_bytes);
    if (!trace)
        return out_of_memory(name, bytes, error);
    memcpy(trace->private->file, data, trace->private->file_bytes);
    if (finish(trace)) {
        f4p_trace_close(trace);
        return out_of_memory(name, bytes, error);
    }
    *out = trace;
    return 0;
}

/* The header may be rewritten (trimming, packing) while it is read. */
static int read_header(int fd, const char *path, struct f4p_header *header, struct f4p_error *error)
{
    for (int i = 0;; i++) {
        ssize_t n;
        do
            n = pread(fd, header, sizeof *header, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return fail(error, F4P_READ_IO, "%s: cannot read: %s", path, strerror(errno));
        if (check_header((const uint8_t *)header, (size_t)n, path, error) == 0)
            return 0;
        if (error->code != F4P_READ_HEADER || i == 3)
            return -1;
    }
}

static int read_file(int fd, const char *path, struct f4p_trace **out, struct f4p_error *error)
{
    struct stat st;
    struct f4p_header header;
    if (fstat(fd, &st))
        return fail(error, F4P_READ_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(error, F4P_READ_NOT_REGULAR, "%s: %s; a trace is a regular file", path,
                    S_ISDIR(st.st_mode)    ? "a directory"
                    : S_ISFIFO(st.st_mode) ? "a FIFO"
                                           : "a device or socket");
    if (read_header(fd, path, &header, error))
        return -1;

    uint64_t there = (uint64_t)st.st_size < header.file_bytes ? (uint64_t)st.st_size : header.file_bytes;
    if (there < sizeof header)
        there = sizeof header;
    struct f4p_trace *trace = make(path, there);
    if (!trace)
        return out_of_memory(path, there, error);
    trace->private->fd = fd;
    memcpy(trace->private->file, &header, sizeof header);
    if (finish(trace)) {
        f4p_trace_close(trace);
        return out_of_memory(path, there, error);
    }
    *out = trace;
    return 0;
}

int f4p_trace_open(const char *path, struct f4p_trace **out, struct f4p_error *error)
{
    *out = NULL;
    *error = (struct f4p_error){0};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return fail(error, F4P_READ_IO, "%s: cannot open: %s", path, strerror(errno));
    int result = read_file(fd, path, out, error);
    close(fd);
    if (result == 0)
        *error = (struct f4p_error){0};
    return result;
}

void f4p_trace_close(struct f4p_trace *trace)
{
    if (!trace)
        return;
    struct f4p_trace_private *p = trace->private;
    while (p->chunks) {
        struct f4p_chunk *next = p->chunks->next;
        free(p->chunks);
        p->chunks = next;
    }
    free(p->live_map);
    free(p->history.deltas);
    free(p->history.keyframes);
    free(p->history.runs);
    free(p->history.bases);
    free(p->history.stretches);
    free(p->file);
    free(trace); /* the first member of struct whole */
}

uint64_t f4p_trace_interval(const struct f4p_trace *trace, unsigned shift)
{
    uint64_t base = trace->header->base_interval;
    return shift < 36 && base << shift < F4P_INTERVAL_LIMIT ? base << shift : F4P_INTERVAL_LIMIT;
}

bool f4p_vitals_get(const struct f4p_vitals *vitals, enum f4p_vital which, uint64_t *value)
{
    if (!vitals || which >= F4P_VITAL_SLOTS || !(vitals->valid >> which & 1))
        return false;
    *value = vitals->value[which];
    return true;
}
