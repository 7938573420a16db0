/* Embedding symbols: the trace's file, with a section of SYMBOL records behind all others. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/hash.h"
#include "format/layout.h"
#include "output.h"
#include "symbols.h"

#define MAX_NAME 4096u

struct buffer {
    uint8_t *data;
    size_t bytes, room;
};

static int fail(char *error, size_t error_bytes, const char *path, const char *why)
{
    snprintf(error, error_bytes, "%s: cannot pack: %s", path, why);
    return -1;
}

static bool append(struct buffer *b, const void *data, size_t bytes)
{
    if (b->room - b->bytes < bytes + 8) {
        size_t room = (b->room + bytes + 8) * 2;
        uint8_t *bigger = realloc(b->data, room);
        if (!bigger)
            return false;
        b->data = bigger;
        b->room = room;
    }
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
    return true;
}

static bool append_symbol(struct buffer *b, const struct f4p_symbol_view *view, uint32_t id)
{
    static uint8_t payload[sizeof(struct f4p_symbol) + 2 * MAX_NAME];
    static const uint8_t padding[8];
    size_t function = strnlen(view->function, MAX_NAME), file = strnlen(view->file, MAX_NAME);
    struct f4p_symbol symbol = {.module = view->module,
                                .depth = view->depth,
                                .offset = view->offset,
                                .line = view->line,
                                .function_bytes = (uint32_t)function,
                                .file_bytes = (uint32_t)file};
    struct f4p_record head = {
        .type = F4P_RECORD_SYMBOL, .bytes = (uint32_t)(sizeof symbol + function + file), .id = id};
    memcpy(payload, &symbol, sizeof symbol);
    memcpy(payload + sizeof symbol, view->function, function);
    memcpy(payload + sizeof symbol + function, view->file, file);
    uint64_t seed = f4p_hash(&head, offsetof(struct f4p_record, check), 0);
    head.check = (uint32_t)f4p_hash(payload, head.bytes, seed);
    return append(b, &head, sizeof head) && append(b, payload, head.bytes) &&
           append(b, padding, (8 - b->bytes % 8) % 8);
}

/* The header with the section in it; false: no place for one more. */
static bool add_section(struct f4p_header *header, uint64_t offset, uint64_t bytes)
{
    uint32_t at = 0;
    while (at < header->section_count && header->sections[at].kind != F4P_SECTION_SYMBOLS)
        at++;
    if (at == F4P_MAX_SECTIONS)
        return false;
    if (at == header->section_count)
        header->section_count++;
    header->sections[at] = (struct f4p_section){.kind = F4P_SECTION_SYMBOLS, .offset = offset, .bytes = bytes};
    header->compatible |= F4P_COMPAT_PACKED;
    header->file_bytes = offset + bytes;
    f4p_layout_seal(header);
    return true;
}

static bool write_all(int fd, const void *data, size_t bytes, uint64_t at)
{
    const uint8_t *p = data;
    while (bytes) {
        ssize_t wrote = pwrite(fd, p, bytes, (off_t)at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return false;
        p += wrote;
        at += (uint64_t)wrote;
        bytes -= (size_t)wrote;
    }
    return true;
}

/* The section first, the header that tells of it last: a kill in between leaves a trace with a tail that nobody reads.
 */
static int pack_in_place(const char *path, const struct f4p_header *header, const struct buffer *section,
                         uint64_t old_bytes, char *error, size_t error_bytes)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return fail(error, error_bytes, path, strerror(errno));
    uint64_t at = header->file_bytes - section->bytes;
    int status = 0;
    if (!write_all(fd, section->data, section->bytes, at) || fdatasync(fd) ||
        !write_all(fd, header, sizeof *header, 0)) {
        status = fail(error, error_bytes, path, strerror(errno));
        if (ftruncate(fd, (off_t)old_bytes))
            status = -1;
    }
    close(fd);
    return status;
}

static int copy_packed(const char *from, const char *to, bool force, const struct f4p_header *header,
                       const struct buffer *section, char *error, size_t error_bytes)
{
    static uint8_t block[1 << 16];
    struct f4p_output output;
    uint64_t at = sizeof *header, end = header->file_bytes - section->bytes;
    int fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(error, error_bytes, from, strerror(errno));
    if (f4p_output_open(&output, to, force, error, error_bytes)) {
        close(fd);
        return -1;
    }
    fwrite(header, sizeof *header, 1, output.stream);
    while (at < end) {
        size_t want = end - at < sizeof block ? (size_t)(end - at) : sizeof block;
        ssize_t got = pread(fd, block, want, (off_t)at);
        if (got <= 0) { /* shorter than it was, or padding before the section */
            memset(block, 0, want);
            got = (ssize_t)want;
        }
        fwrite(block, 1, (size_t)got, output.stream);
        at += (uint64_t)got;
    }
    fwrite(section->data, 1, section->bytes, output.stream);
    close(fd);
    return f4p_output_close(&output, error, error_bytes);
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int f4p_symbols_pack(const struct f4p_trace *trace, const char *out, bool force, char *error, size_t error_bytes)
{
    struct f4p_header header = *trace->header;
    struct buffer section = {0};
    int status = -1;
    if (trace->damage.missing_bytes || header.header_bytes != sizeof header)
        return fail(error, error_bytes, trace->path, "the trace is cut short");
    for (size_t i = 0; i < trace->symbol_count; i++)
        if (!append_symbol(&section, &trace->symbols[i], (uint32_t)i)) {
            fail(error, error_bytes, out, "out of memory");
            goto out;
        }
    uint64_t offset = (header.file_bytes + F4P_PAGE - 1) & ~(uint64_t)(F4P_PAGE - 1);
    if (section.bytes && !add_section(&header, offset, section.bytes)) {
        fail(error, error_bytes, out, "the trace has no place for one more section");
        goto out;
    }
    if (!same_file(trace->path, out))
        status = copy_packed(trace->path, out, force, &header, &section, error, error_bytes);
    else if (section.bytes)
        status = pack_in_place(out, &header, &section, trace->header->file_bytes, error, error_bytes);
    else
        status = 0;
out:
    free(section.data);
    return status;
}
