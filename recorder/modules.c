#include "modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attributes.h"
#include "clock.h"
#include "python_late.h"
#include "real.h"

#define MAX_MODULES 2048
#define MAX_SPANS 4096
#define PATH_ARENA (512u << 10)
#define MAX_PATH 4096
#define MAX_PHDRS 32
#define MAX_STAYING 128
#define MAX_NOTES 4096     /* bytes of a note segment that are looked at */
#define BURST_NS 100000000 /* of processor time for reading the map at once, as while a program loads what it needs */
#define COST_STALE 5       /* beyond it: at most one part in this of the time after a dlclose, */
#define COST_FRUITFUL 20   /* if the address was found the last time, */
#define COST_FRUITLESS 500 /* and if not: a stack that is no stack */
#define PAGE 4096u

struct span {
    uintptr_t start, end;
    const struct f4p_code_module *module;
};

/* Two tables; readers use the one of `version`, the writer fills the other. */
struct table {
    uint32_t count;
    struct span spans[MAX_SPANS];
};

static struct {
    uint32_t count;
    struct {
        uintptr_t start, end; /* a segment that holds .eh_frame_hdr */
    } segment[MAX_STAYING];
} staying;

static struct {
    uint32_t version;
    uint32_t busy; /* a thread is reading the map */
    uint32_t stale;
    uint32_t generation;
    uint32_t closing; /* threads in dlclose */
    const struct f4p_code_module *python;
    uint64_t end_ns;   /* of the last reading */
    uint64_t spent_ns; /* of the burst, processor time */
    bool fruitful;
    uint32_t module_count;
    uint32_t path_used;
    struct table tables[2];
    struct f4p_code_module modules[MAX_MODULES];
    uint32_t records[MAX_MODULES]; /* id + 1 */
    char paths[PATH_ARENA];
} here;

/* ---- memory that may not be there ---- */

/* The kernel copies the set in before it looks at `how`: EFAULT or EINVAL tell. errno stays as it is. */
static bool page_readable(uintptr_t address)
{
    long result;
#ifdef __x86_64__
    register long size __asm__("r10") = 8;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_rt_sigprocmask), "D"(-1l), "S"(address & ~(uintptr_t)7), "d"(0l), "r"(size)
                     : "rcx", "r11", "memory");
#else
    int saved = errno;
    result = syscall(SYS_rt_sigprocmask, -1, address & ~(uintptr_t)7, NULL, 8) == 0 ? 0 : -errno;
    errno = saved;
#endif
    return result == -EINVAL;
}

bool f4p_memory_readable(uintptr_t address, size_t bytes)
{
    uintptr_t end;
    if (__builtin_add_overflow(address, bytes, &end))
        return false;
    for (uintptr_t page = address & ~(uintptr_t)(PAGE - 1); page < end; page += PAGE)
        if (!page_readable(page))
            return false;
    return true;
}

/* Where a sandbox forbids the call, what is there a moment before is taken to be there still. */
bool f4p_memory_read(void *to, uintptr_t address, size_t bytes)
{
    struct iovec mine = {to, bytes}, theirs = {(void *)address, bytes};
    int saved = errno;
    long got = syscall(SYS_process_vm_readv, syscall(SYS_getpid), &mine, 1ul, &theirs, 1ul, 0ul);
    bool refused = got < 0 && (errno == EPERM || errno == ENOSYS);
    errno = saved;
    if (!refused)
        return got == (long)bytes;
    if (!f4p_memory_readable(address, bytes))
        return false;
    memcpy(to, (const void *)address, bytes);
    return true;
}

/* ---- looking up ---- */

static const struct span *search(const struct table *table, uintptr_t address)
{
    uint32_t low = 0, high = __atomic_load_n(&table->count, __ATOMIC_RELAXED);
    if (high > MAX_SPANS)
        return NULL;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table->spans[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const struct span *span = &table->spans[low];
    return low < MAX_SPANS && low < table->count && address >= span->start ? span : NULL;
}

static inline bool is_stale(void)
{
    return __atomic_load_n(&here.stale, __ATOMIC_RELAXED);
}

const struct f4p_code_module *f4p_modules_known(uintptr_t address)
{
    for (int attempt = 0; attempt < 3 && LIKELY(!is_stale()); attempt++) {
        uint32_t version = __atomic_load_n(&here.version, __ATOMIC_ACQUIRE);
        const struct span *span = search(&here.tables[version & 1], address);
        const struct f4p_code_module *module = span ? span->module : NULL;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&here.version, __ATOMIC_RELAXED) == version)
            return module;
    }
    return NULL;
}

uint32_t f4p_modules_generation(void)
{
    return __atomic_load_n(&here.generation, __ATOMIC_RELAXED);
}

void f4p_modules_stale(void)
{
    __atomic_store_n(&here.stale, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&here.generation, 1, __ATOMIC_RELAXED);
}

int f4p_modules_close(void *handle)
{
    static int (*real)(void *handle);
    if (!real) {
        void *found = f4p_symbol("dlclose");
        memcpy(&real, &found, sizeof(real));
    }
    __atomic_add_fetch(&here.closing, 1, __ATOMIC_SEQ_CST);
    int result = real ? real(handle) : -1;
    f4p_modules_stale();
    __atomic_sub_fetch(&here.closing, 1, __ATOMIC_SEQ_CST);
    return result;
}

/* ---- what was loaded at the start ---- */

static int note_staying(struct dl_phdr_info *info, size_t size, void *data)
{
    ElfW(Addr) header = 0;
    (void)size, (void)data;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
            header = info->dlpi_phdr[i].p_vaddr;
    for (int i = 0; i < info->dlpi_phnum && header; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || header < p->p_vaddr || header - p->p_vaddr >= p->p_filesz)
            continue;
        uintptr_t start = info->dlpi_addr + p->p_vaddr;
        staying.segment[staying.count].start = start;
        staying.segment[staying.count].end = start + p->p_filesz;
        return ++staying.count == MAX_STAYING;
    }
    return 0;
}

void f4p_modules_start(void)
{
    dl_iterate_phdr(note_staying, NULL);
}

static bool stays(uintptr_t start, uintptr_t end)
{
    for (uint32_t i = 0; i < staying.count; i++)
        if (start >= staying.segment[i].start && end <= staying.segment[i].end)
            return true;
    return false;
}

/* ---- ELF images in memory ---- */

static void take_build_id(struct f4p_code_module *m, uintptr_t address, size_t bytes)
{
    static uint8_t notes[MAX_NOTES];
    size_t end = bytes < MAX_NOTES ? bytes : MAX_NOTES;
    if (!f4p_memory_read(notes, address, end))
        return;
    for (size_t at = 0; end - at >= sizeof(ElfW(Nhdr));) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof(note));
        at += sizeof(note);
        uint64_t name = (note.n_namesz + 3ull) & ~3ull, value = (note.n_descsz + 3ull) & ~3ull;
        if (name + value > end - at)
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + at, "GNU", 4) == 0) {
            m->build_id_bytes = note.n_descsz < F4P_BUILD_ID_MAX ? note.n_descsz : F4P_BUILD_ID_MAX;
            memcpy(m->build_id, notes + at + name, m->build_id_bytes);
            return;
        }
        at += name + value;
    }
}

static void take_eh_header(struct f4p_code_module *m, const ElfW(Phdr) * headers, unsigned count, uintptr_t vaddr)
{
    for (unsigned i = 0; i < count; i++) {
        const ElfW(Phdr) *p = &headers[i];
        if (p->p_type != PT_LOAD || vaddr < p->p_vaddr || vaddr - p->p_vaddr + 12 > p->p_filesz)
            continue;
        if (!f4p_memory_read(&m->eh_look, m->bias + vaddr, sizeof(m->eh_look)))
            return;
        m->eh_header = m->bias + vaddr;
        m->eh_low = m->bias + p->p_vaddr;
        m->eh_high = m->eh_low + p->p_filesz;
        m->stays = stays(m->eh_low, m->eh_high);
        return;
    }
}

/* `base`: where the file's first bytes are mapped. Without a readable ELF header the module has no more than a name. */
static void read_image(struct f4p_code_module *m, uintptr_t base)
{
    static ElfW(Ehdr) header; /* one reader at a time, and its stack may be small */
    static ElfW(Phdr) headers[MAX_PHDRS];
    bool biased = false;

    if (!f4p_memory_read(&header, base, sizeof(header)))
        return;
    unsigned count = header.e_phnum;
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(*headers) ||
        header.e_phoff > 4 * PAGE)
        return;
    if (count > MAX_PHDRS)
        count = MAX_PHDRS;
    if (!f4p_memory_read(headers, base + header.e_phoff, count * sizeof(*headers)))
        return;
    for (unsigned i = 0; i < count && !biased; i++)
        if (headers[i].p_type == PT_LOAD && headers[i].p_offset < PAGE) {
            m->bias = base - (headers[i].p_vaddr - headers[i].p_offset);
            biased = true;
        }
    for (unsigned i = 0; i < count && biased; i++) {
        const ElfW(Phdr) *p = &headers[i];
        if (p->p_type == PT_NOTE && !m->build_id_bytes)
            take_build_id(m, m->bias + p->p_vaddr, p->p_filesz);
        else if (p->p_type == PT_GNU_EH_FRAME)
            take_eh_header(m, headers, count, p->p_vaddr);
    }
}

/* ---- /proc/self/maps ---- */

struct line {
    uintptr_t start, end;
    uint64_t offset, device, inode;
    bool read, execute;
    const char *path;
    size_t path_bytes;
};

static const char *parse_number(const char *p, unsigned base, uint64_t *value)
{
    for (*value = 0;; p++) {
        unsigned digit = *p >= '0' && *p <= '9'   ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10
                                                  : 16;
        if (digit >= base)
            return p;
        *value = *value * base + digit;
    }
}

/* "start-end rwxp offset major:minor inode   path", NUL-terminated. */
static bool parse_line(const char *p, struct line *line)
{
    static const char deleted[] = " (deleted)";
    uint64_t start, end, major, minor;
    p = parse_number(p, 16, &start);
    if (*p++ != '-')
        return false;
    p = parse_number(p, 16, &end);
    if (*p++ != ' ' || strnlen(p, 5) < 5)
        return false;
    line->read = p[0] == 'r';
    line->execute = p[2] == 'x';
    p = parse_number(p + 5, 16, &line->offset);
    if (*p++ != ' ')
        return false;
    p = parse_number(p, 16, &major);
    if (*p++ != ':')
        return false;
    p = parse_number(p, 16, &minor);
    if (*p++ != ' ')
        return false;
    p = parse_number(p, 10, &line->inode);
    while (*p == ' ')
        p++;
    line->start = start;
    line->end = end;
    line->device = major << 32 | minor;
    line->path = p;
    line->path_bytes = strlen(p);
    size_t tail = sizeof(deleted) - 1;
    if (line->path_bytes > tail && memcmp(p + line->path_bytes - tail, deleted, tail) == 0)
        line->path_bytes -= tail;
    return start < end;
}

/* What a reading of the map goes along with. */
struct reading {
    struct table *table;
    const struct table *before; /* NULL: what stood there may have gone */
    struct line first;          /* mapping of a file's first bytes, and what of that file followed */
    uintptr_t file_end;
    const struct f4p_code_module *python;
};

static bool same_module(const struct f4p_code_module *a, const struct f4p_code_module *b)
{
    return a->start == b->start && a->bias == b->bias && a->path_bytes == b->path_bytes &&
           a->build_id_bytes == b->build_id_bytes && a->eh_header == b->eh_header && a->eh_look == b->eh_look &&
           memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0 && memcmp(a->path, b->path, a->path_bytes) == 0;
}

/* The entry that equals `module`, or a new one; NULL: no room. The latest first: it is what stands there, if anything.
 */
static struct f4p_code_module *keep(const struct f4p_code_module *module)
{
    for (uint32_t i = here.module_count; i-- > 0;)
        if (same_module(&here.modules[i], module))
            return &here.modules[i];
    if (here.module_count == MAX_MODULES || module->path_bytes > PATH_ARENA - here.path_used)
        return NULL;
    struct f4p_code_module *kept = &here.modules[here.module_count];
    *kept = *module;
    kept->path = memcpy(here.paths + here.path_used, module->path, module->path_bytes);
    here.path_used += module->path_bytes;
    here.module_count++;
    kept->python = !kept->stays && f4p_python_late_is(kept);
    return kept;
}

static void add_span(struct reading *r, const struct line *line, struct f4p_code_module *module)
{
    if (r->table->count == MAX_SPANS)
        return;
    if (module->end < line->end)
        module->end = line->end;
    if (UNLIKELY(module->python) && (!r->python || module == here.python))
        r->python = module;
    r->table->spans[r->table->count++] = (struct span){line->start, line->end, module};
}

/* The module that this line was the code of in the reading before: nothing of it need be looked at again. */
static struct f4p_code_module *as_before(const struct reading *r, const struct line *line)
{
    const struct span *span = r->before && line->inode ? search(r->before, line->start) : NULL;
    const struct f4p_code_module *m = span ? span->module : NULL;
    bool same = m && span->start == line->start && span->end == line->end && m->inode == line->inode &&
                m->device == line->device && m->path_bytes == line->path_bytes &&
                memcmp(m->path, line->path, m->path_bytes) == 0;
    return same ? (struct f4p_code_module *)m : NULL;
}

static void add_code(struct reading *r, const struct line *line)
{
    static const char generated[] = "[generated code]";
    struct f4p_code_module module = {.start = line->start,
                                     .end = line->end,
                                     .bias = line->start - line->offset,
                                     .device = line->device,
                                     .inode = line->inode,
                                     .path = line->path,
                                     .path_bytes = (uint32_t)line->path_bytes};
    bool same_file = line->inode && line->inode == r->first.inode && line->device == r->first.device;

    if (line->path_bytes == 10 && memcmp(line->path, "[vsyscall]", 10) == 0)
        return;
    struct f4p_code_module *kept = as_before(r, line);
    if (kept) {
        add_span(r, line, kept);
        return;
    }
    if (!line->path_bytes || (!line->inode && line->path[0] != '[')) {
        module.path = generated;
        module.path_bytes = sizeof(generated) - 1;
    }
    if (!line->inode)
        module.bias = line->start;
    if (same_file)
        module.start = r->first.start;
    if (same_file || (!line->offset && line->read && line->path_bytes))
        read_image(&module, module.start);
    kept = keep(&module);
    if (kept)
        add_span(r, line, kept);
}

static void take_line(struct reading *r, const char *text)
{
    struct line line;
    if (!parse_line(text, &line))
        return;
    if (line.inode && !line.offset && line.read)
        r->first = line;
    if (line.execute)
        add_code(r, &line);
    else if (line.inode && r->table->count && line.inode == r->first.inode && line.device == r->first.device) {
        struct f4p_code_module *last = (struct f4p_code_module *)r->table->spans[r->table->count - 1].module;
        if (last->start == r->first.start && last->end < line.end)
            last->end = line.end;
    }
}

static bool read_maps(struct reading *r)
{
    static char buffer[MAX_PATH + 256]; /* one reader at a time */
    size_t used = 0;
    ssize_t got;
    bool skip = false; /* the rest of a line that is too long */

    r->table->count = 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((got = syscall(SYS_read, fd, buffer + used, sizeof(buffer) - 1 - used)) > 0) {
        used += (size_t)got;
        char *line = buffer, *end;
        while ((end = memchr(line, '\n', used - (size_t)(line - buffer)))) {
            *end = 0;
            if (!skip)
                take_line(r, line);
            skip = false;
            line = end + 1;
        }
        used -= (size_t)(line - buffer);
        memmove(buffer, line, used);
        if (used == sizeof(buffer) - 1) {
            used = 0;
            skip = true;
        }
    }
    syscall(SYS_close, fd);
    return got == 0;
}

static bool gone(const struct table *old, const struct table *new)
{
    for (uint32_t i = 0; i < old->count; i++) {
        const struct span *span = search(new, old->spans[i].start);
        if (!span || span->module != old->spans[i].module)
            return true;
    }
    return false;
}

/* Whether the map may be read now. */
static bool has_time(uint64_t now, bool stale)
{
    uint64_t ration = stale ? COST_STALE : here.fruitful ? COST_FRUITFUL : COST_FRUITLESS;
    uint64_t regained = (now - here.end_ns) / ration;
    if (here.spent_ns >= BURST_NS + regained)
        return false;
    here.spent_ns = here.spent_ns > regained ? here.spent_ns - regained : 0;
    return true;
}

/* Alone: `busy` is ours. */
static void read_again(uintptr_t wanted)
{
    uint64_t start = f4p_clock_ns(CLOCK_MONOTONIC);
    uint32_t version = here.version;
    struct table *old = &here.tables[version & 1], *new = &here.tables[(version + 1) & 1];

    bool stale = is_stale();
    if (!has_time(start, stale))
        return;
    uint64_t cpu =
        f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID); /* on a busy machine a reading takes long, and costs no more */
    __atomic_store_n(&here.stale, 0, __ATOMIC_RELAXED);
    struct reading r = {.table = new, .before = stale ? NULL : old};
    if (read_maps(&r)) {
        if (gone(old, new))
            __atomic_add_fetch(&here.generation, 1, __ATOMIC_RELAXED);
        if (here.python && here.python != r.python)
            f4p_python_late_gone();
        __atomic_store_n(&here.python, r.python, __ATOMIC_RELEASE);
        __atomic_store_n(&here.version, version + 1, __ATOMIC_RELEASE);
    }
    here.end_ns = f4p_clock_ns(CLOCK_MONOTONIC);
    here.spent_ns += f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    here.fruitful = f4p_modules_known(wanted);
}

const struct f4p_code_module *f4p_modules_find(uintptr_t address)
{
    const struct f4p_code_module *module = f4p_modules_known(address);
    if (module)
        return module;
    if (__atomic_exchange_n(&here.busy, 1, __ATOMIC_ACQUIRE))
        return NULL; /* another thread, or this one below a signal handler */
    int saved = errno;
    read_again(address);
    errno = saved;
    __atomic_store_n(&here.busy, 0, __ATOMIC_RELEASE);
    return f4p_modules_known(address);
}

void f4p_modules_refresh(void)
{
    if (UNLIKELY(is_stale()))
        f4p_modules_find((uintptr_t)&f4p_modules_refresh);
}

const struct f4p_code_module *f4p_modules_python(void)
{
    if (LIKELY(!__atomic_load_n(&here.python, __ATOMIC_RELAXED)))
        return NULL;
    f4p_modules_refresh();
    const struct f4p_code_module *python = __atomic_load_n(&here.python, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&here.closing, __ATOMIC_SEQ_CST) || is_stale() ? NULL : python;
}

/* ---- records ---- */

uint32_t f4p_modules_record(struct f4p_writer *w, const struct f4p_code_module *module)
{
    uint32_t *cached = &here.records[module - here.modules];
    if (*cached)
        return *cached - 1;
    struct {
        struct f4p_module head;
        uint8_t build_id[F4P_BUILD_ID_MAX];
    } record = {.head = {.start = module->start,
                         .end = module->end,
                         .bias = module->bias,
                         .t_ns = w->state.t_ns,
                         .build_id_bytes = module->build_id_bytes,
                         .path_bytes = module->path_bytes}};
    memcpy(record.build_id, module->build_id, module->build_id_bytes);
    uint32_t id = f4p_writer_record(w, F4P_RECORD_MODULE, 0, &record, sizeof(record.head) + module->build_id_bytes,
                                    module->path, module->path_bytes);
    if (id != F4P_NONE)
        *cached = id + 1;
    return id;
}

void f4p_modules_forget(void)
{
    memset(here.records, 0, here.module_count * sizeof(*here.records));
}

void f4p_modules_reset(void)
{
    /* Entries made in a reading that was cut short are whole or not counted; the table in use was not touched. */
    here.busy = 0;
    here.closing = 0;
    f4p_modules_forget();
}
