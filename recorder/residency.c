#include "residency.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "format/hash.h"
#include "format/random.h"
#include "format/weight.h"

#define CALL_UNITS 64
#define PROBE_PAGES 64u            /* looked at together where not all are */
#define MAX_PAGES (1u << 22)       /* looked at of one stretch */
#define MAX_GUARD (1u << 20)       /* bytes; below a thread's stack */
#define ARENA_BYTES (64u << 20)    /* of the C library's arenas, which begin at multiples of it */
#define RESERVED_BYTES (64u << 20) /* without access and larger: not looked at */

/* pagemap(5) of the kernel's documentation */
#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define FILE_PAGE (1ull << 61) /* or shared memory */
#define EXCLUSIVE (1ull << 56)

/* ioctl_fs of PAGEMAP_SCAN, from Linux 6.7 on: lists what is present, and skips what is not at no cost. */
struct scan {
    uint64_t size, flags, start, end, walk_end, vector, vector_length, max_pages;
    uint64_t inverted, all_of, any_of, returned; /* categories */
};
struct scan_range {
    uint64_t start, end, categories;
};
#define SCAN _IOWR('f', 16, struct scan)
#define SCAN_PRESENT (1u << 3)
#define SCAN_SWAPPED (1u << 4)
#define SCAN_ZERO (1u << 5)
#define SCAN_SPAN (64ull << 20)     /* bytes under the lock at once, */
#define SCAN_MAX_SPAN (16ull << 30) /* where nothing is present */

enum category {
    ANONYMOUS,
    ALLOCATOR,
    STACK,
    FILES,
    FILE_DATA /* behind a file's: its .bss */,
    SHARED,
    RECORDER,
    SKIPPED
};

/* ---- files ---- */

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void set_process(struct f4p_residency *r, uint32_t pid)
{
    char digits[11], *digit = digits + sizeof(digits) - 1;

    if (pid == 0) {
        strcpy(r->process, "/proc/self");
        return;
    }
    *digit = 0;
    for (; pid; pid /= 10)
        *--digit = (char)('0' + pid % 10);
    strcpy(r->process, "/proc/");
    strcat(r->process, digit);
}

static long open_file(const struct f4p_residency *r, const char *name)
{
    char path[48];
    strcpy(path, r->process);
    strcat(path, name);
    return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

static long read_some(long fd, void *to, size_t bytes)
{
    long got;
    do
        got = syscall(SYS_read, fd, to, bytes);
    while (got < 0 && errno == EINTR);
    return got;
}

/* ---- mappings ---- */

struct mapping {
    uint64_t start, end;
    char access[5]; /* rwxp */
    const char *path;
};

static bool parse_hex(const char **text, uint64_t *value)
{
    const char *start = *text;
    for (*value = 0;; ++*text) {
        char c = **text;
        if (c >= '0' && c <= '9')
            *value = *value << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            *value = *value << 4 | (uint64_t)(c - 'a' + 10);
        else
            return *text != start;
    }
}

/* "start-end rwxp offset device inode   path" */
static bool parse_mapping(const char *line, struct mapping *m)
{
    if (!parse_hex(&line, &m->start) || *line++ != '-' || !parse_hex(&line, &m->end) || *line++ != ' ' ||
        strnlen(line, 5) < 5 || m->end <= m->start)
        return false;
    memcpy(m->access, line, 4);
    m->access[4] = 0;
    for (int words = 0; words < 4 && *line; words++) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    m->path = line;
    return true;
}

static enum category category_of_name(const char *path)
{
    if (starts(path, "[heap]"))
        return ALLOCATOR;
    if (starts(path, "[stack"))
        return STACK;
    if (starts(path, "[anon:"))
        return ANONYMOUS;
    if (starts(path, "[anon_shmem:") || starts(path, "/dev/zero") || starts(path, "/memfd:") || starts(path, "/SYSV") ||
        starts(path, "/dev/shm/"))
        return SHARED;
    if (*path == '[' || starts(path, "/dev/") || starts(path, "/anon_hugepage"))
        return SKIPPED;
    return strstr(path, "/libfil4prod.so") ? RECORDER : FILES;
}

static bool is_own(const struct f4p_range *own, uint64_t address)
{
    for (unsigned i = 0; i < F4P_RESIDENCY_RANGES; i++)
        if (own[i].address && address >= own[i].address && address - own[i].address < own[i].bytes)
            return true;
    return false;
}

/* What the mapping before, if it ends where the next one starts, says of that. */
struct before {
    struct f4p_region *region; /* NULL: there is none */
    bool guard;                /* small and without access, as below a thread's stack; not the rest of an arena */
    bool data;                 /* a file's, private and writable: its .bss follows */
};

static enum category category_of(const struct mapping *m, const struct before *before, const struct f4p_range *own)
{
    struct f4p_region *last = before->region;

    if (is_own(own, m->start))
        return RECORDER;
    if (*m->path)
        return category_of_name(m->path);
    if (starts(m->access, "---")) {
        /* the unused rest of an arena; of a larger reservation any part may lie on a multiple by chance */
        if (last && last->category == ANONYMOUS && last->start % ARENA_BYTES == 0 &&
            m->end - last->start == ARENA_BYTES)
            last->category = ALLOCATOR;
        return m->end - m->start > RESERVED_BYTES ? SKIPPED : ANONYMOUS;
    }
    if (before->data)
        return last->category == RECORDER ? RECORDER : FILE_DATA;
    return before->guard ? STACK : ANONYMOUS;
}

static void add_region(struct f4p_residency *r, const char *line, struct before *before, const struct f4p_range *own)
{
    struct mapping m;

    if (!parse_mapping(line, &m))
        return;
    if (r->region_count == r->region_room) {
        r->coarse = true;
        return;
    }
    if (before->region && before->region->end != m.start)
        *before = (struct before){0};
    enum category category = category_of(&m, before, own);
    if (category == SKIPPED)
        r->skipped += m.end - m.start;
    bool rest = before->region && before->region->category == ALLOCATOR;
    before->region = &r->regions[r->region_count++];
    *before->region = (struct f4p_region){m.start, m.end, 0, 0, category};
    before->guard = !*m.path && starts(m.access, "---") && m.end - m.start <= MAX_GUARD && !rest;
    before->data = *m.path == '/' && starts(m.access, "rw-p");
}

static void read_mappings(struct f4p_residency *r, const struct f4p_range *own, uint64_t patience_ns)
{
    uint64_t start_ns = f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    char *text = (char *)r->window;
    size_t used = 0, room = sizeof(r->window) - 1;
    struct before before = {0};
    bool skipping = false;
    long fd = open_file(r, "/maps"), got;

    if (fd < 0) {
        r->coarse = true;
        return;
    }
    while (!r->coarse && (got = read_some(fd, text + used, room - used)) > 0) {
        used += (size_t)got;
        r->coarse |= f4p_clock_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns > patience_ns;
        char *line = text, *end;
        while ((end = memchr(line, '\n', used - (size_t)(line - text)))) {
            *end = 0;
            if (!skipping)
                add_region(r, line, &before, own);
            skipping = false;
            line = end + 1;
        }
        used -= (size_t)(line - text);
        memmove(text, line, used);
        if (used == room) { /* its beginning has all that counts, but no mapping has a name of 16 KiB */
            skipping = true;
            used = 0;
        }
    }
    syscall(SYS_close, fd);
    if (r->region_count == 0)
        r->coarse = true;
}

void f4p_residency_begin(struct f4p_residency *r, uint32_t pid, struct f4p_region *regions, uint32_t room,
                         const struct f4p_range *own, uint64_t patience_ns, uint64_t seed)
{
    int saved = errno;

    memset(r, 0, offsetof(struct f4p_residency, window));
    set_process(r, pid);
    r->page = getauxval(AT_PAGESZ);
    r->regions = regions;
    r->region_room = room;
    r->random = seed;
    r->keep = 1;
    r->around = 1;
    r->ranges = true;
    r->span = SCAN_SPAN;
    if (room)
        read_mappings(r, own, patience_ns);
    else
        r->coarse = true;
    if (r->coarse)
        r->region_count = 0;
    errno = saved;
}

/* ---- pages ---- */

bool f4p_residency_open(struct f4p_residency *r)
{
    int saved = errno;
    r->pagemap = open_file(r, "/pagemap");
    r->window_count = 0;
    if (r->pagemap < 0)
        r->failed = true;
    errno = saved;
    return r->pagemap >= 0;
}

void f4p_residency_close(struct f4p_residency *r)
{
    int saved = errno;
    syscall(SYS_close, r->pagemap);
    errno = saved;
}

/* Small blocks may stand close to each other; where they do not, the kernel would touch what is known of all these
 * pages for nothing, and push the job's data out of the caches. */
static void adapt_around(struct f4p_residency *r, uint64_t first)
{
    if (r->again || first / PROBE_PAGES == r->window_first / PROBE_PAGES)
        r->around = r->around < PROBE_PAGES ? 2 * r->around : PROBE_PAGES;
    else
        r->around = r->around > 1 ? r->around / 2 : 1;
    r->again = false;
}

/* Makes pages first .. first+count-1 stand in the window. false: they cannot be read. */
static bool fetch(struct f4p_residency *r, uint64_t first, uint64_t count, int64_t *budget)
{
    if (first >= r->window_first && first + count <= r->window_first + r->window_count) {
        *budget -= (int64_t)count;
        r->again = true;
        return true;
    }
    adapt_around(r, first);
    uint64_t at = first / r->around * r->around;
    if (first + count <= at + r->around) {
        first = at;
        count = r->around;
    }
    int saved = errno;
    long got;
    do
        got =
            syscall(SYS_pread64, r->pagemap, r->window, count * sizeof(*r->window), (long)(first * sizeof(*r->window)));
    while (got < 0 && errno == EINTR);
    errno = saved;
    r->window_first = first;
    r->window_count = got > 0 ? (uint64_t)got / sizeof(*r->window) : 0;
    *budget -= CALL_UNITS + (int64_t)count;
    return r->window_count > 0;
}

static enum f4p_residency_state state_of(uint64_t entry)
{
    if (entry & PRESENT)
        return entry & FILE_PAGE ? F4P_PAGE_FILE : entry & EXCLUSIVE ? F4P_PAGE_OWN : F4P_PAGE_SHARED;
    return entry & SWAPPED ? F4P_PAGE_SWAPPED : F4P_PAGE_STATES;
}

static void walk_start(struct f4p_residency *r, uint64_t start, uint64_t end)
{
    uint64_t pages = (end - start) / r->page;

    r->walk = (struct f4p_walk){.start = start, .end = end, .at = start, .stride = 1};
    if (!r->ranges)
        r->walk.stride += pages / MAX_PAGES;
    r->walking = true;
    if (r->walk.stride > 1)
        r->probed += end - start;
}

/* Page and number of pages of the next window. */
static uint64_t walk_window(struct f4p_residency *r, uint64_t *count, int64_t budget)
{
    struct f4p_walk *w = &r->walk;
    uint64_t first = w->at / r->page, left = (w->end - 1) / r->page - first + 1;
    uint64_t most = w->stride > 1 || budget < PROBE_PAGES ? PROBE_PAGES : F4P_RESIDENCY_WINDOW;

    most = most > PROBE_PAGES && budget < F4P_RESIDENCY_WINDOW ? (uint64_t)budget : most;
    if (w->stride > 1 && left > PROBE_PAGES * w->stride) /* anywhere in its stratum */
        first += f4p_random_next(&r->random) % (PROBE_PAGES * (w->stride - 1) + 1);
    *count = left < most ? left : most;
    w->at = w->stride > 1 ? w->at / r->page * r->page + PROBE_PAGES * w->stride * r->page : (first + *count) * r->page;
    return first;
}

static bool walk(struct f4p_residency *r, int64_t *budget);

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* What the kernel lists between `from` and `to`. Returns where it stopped, 0: it does not know how, or nobody may. */
static uint64_t scan_ranges(struct f4p_residency *r, uint64_t from, uint64_t to, int64_t *budget)
{
    struct scan_range *found = (void *)r->window;
    struct scan scan = {.size = sizeof(scan), .start = from, .end = to, .vector = (uintptr_t)found};
    struct f4p_walk *w = &r->walk;
    uint64_t before = w->bytes[F4P_PAGE_OWN] + w->bytes[F4P_PAGE_SWAPPED];
    int saved = errno;

    size_t room = sizeof(r->window);
    scan.vector_length = room / sizeof(*found);
    scan.any_of = SCAN_PRESENT | SCAN_SWAPPED;
    scan.returned = SCAN_PRESENT | SCAN_SWAPPED | SCAN_ZERO;
    r->window_count = 0;
    long count = syscall(SYS_ioctl, r->pagemap, SCAN, &scan);
    errno = saved;
    if (count < 0 || scan.walk_end <= from)
        return 0;
    for (long i = 0; i < count; i++) {
        uint64_t start = found[i].start < w->start ? w->start : found[i].start;
        uint64_t end = found[i].end > w->end ? w->end : found[i].end;
        if (found[i].categories & SCAN_SWAPPED)
            w->bytes[F4P_PAGE_SWAPPED] += end - start;
        else if (!(found[i].categories & SCAN_ZERO))
            w->bytes[F4P_PAGE_OWN] += end - start;
    }
    uint64_t there = w->bytes[F4P_PAGE_OWN] + w->bytes[F4P_PAGE_SWAPPED] - before;
    *budget -= CALL_UNITS + (int64_t)(there / r->page / 2); /* half the work of reading it */
    r->span = there ? SCAN_SPAN : r->span < SCAN_MAX_SPAN ? 2 * r->span : r->span;
    return scan.walk_end;
}

static bool walk_ranges(struct f4p_residency *r, int64_t *budget)
{
    struct f4p_walk *w = &r->walk;
    uint64_t last = (w->end + r->page - 1) / r->page * r->page;

    while (w->at < w->end) {
        if (*budget <= 0)
            return false;
        /* what is all there costs a unit for two pages */
        uint64_t span =
            r->span > SCAN_SPAN ? r->span : least(SCAN_SPAN, ((uint64_t)*budget * 2 + PROBE_PAGES) * r->page);
        uint64_t from = w->at / r->page * r->page, to = last - from > span ? from + span : last;
        uint64_t next = scan_ranges(r, from, to, budget);
        if (!next) { /* an older kernel: page by page */
            r->ranges = false;
            walk_start(r, w->start, w->end);
            return walk(r, budget);
        }
        w->at = next;
    }
    w->seen = w->end - w->start;
    r->walking = false;
    return true;
}

/* true: done. */
static bool walk(struct f4p_residency *r, int64_t *budget)
{
    if (r->ranges && r->walk.end - r->walk.start > PROBE_PAGES * r->page)
        return walk_ranges(r, budget);

    struct f4p_walk *w = &r->walk;

    while (w->at < w->end) {
        if (*budget <= 0)
            return false;
        uint64_t count, first = walk_window(r, &count, *budget);
        if (!fetch(r, first, count, budget)) {
            r->failed = true;
            break;
        }
        const uint64_t *entry = r->window + (first - r->window_first);
        uint64_t there = r->window_count - (first - r->window_first);
        for (uint64_t i = 0; i < count && i < there; i++) {
            uint64_t from = (first + i) * r->page, to = from + r->page;
            from = from < w->start ? w->start : from;
            to = to > w->end ? w->end : to;
            enum f4p_residency_state state = state_of(entry[i]);
            w->seen += to - from;
            if (state < F4P_PAGE_STATES)
                w->bytes[state] += to - from;
        }
    }
    r->walking = false;
    return true;
}

/* What the part that was seen says of all. */
static uint64_t walk_bytes(const struct f4p_walk *w, uint64_t seen)
{
    return w->stride == 1 || !w->seen ? seen : (uint64_t)((double)seen / (double)w->seen * (double)(w->end - w->start));
}

/* ---- the kernel's own count ---- */

static bool find_number(const char *text, const char *key, uint64_t *bytes)
{
    const char *at = strstr(text, key);
    uint64_t n = 0;

    if (!at)
        return false;
    at += strlen(key);
    at += strspn(at, " \t");
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    *bytes = n * 1024;
    return true;
}

static bool read_status(struct f4p_residency *r, uint64_t *rss, uint64_t *anonymous)
{
    char *text = (char *)r->window;
    size_t used = 0, room = sizeof(r->window) - 1;
    long fd = open_file(r, "/status"), got;

    if (fd < 0)
        return false;
    while (used < room && (got = read_some(fd, text + used, room - used)) > 0)
        used += (size_t)got;
    syscall(SYS_close, fd);
    text[used] = 0;
    r->window_count = 0;
    return find_number(text, "\nVmRSS:", rss) && find_number(text, "\nRssAnon:", anonymous);
}

/* ---- a look ---- */

static void settle_shared(struct f4p_residency *r)
{
    uint64_t rss, anonymous;
    int saved = errno;

    /* where the kernel lists pages, zero ones are left out but in small mappings */
    if (r->shared_anonymous && !r->ranges && read_status(r, &rss, &anonymous)) {
        double left = (double)anonymous - (double)r->own_anonymous;
        r->keep = left <= 0 ? 0 : left >= (double)r->shared_anonymous ? 1 : left / (double)r->shared_anonymous;
    }
    errno = saved;
}

bool f4p_residency_scan(struct f4p_residency *r, int64_t *budget)
{
    if (r->region == r->region_count)
        return true;
    for (; r->region < r->region_count; r->region++) {
        struct f4p_region *region = &r->regions[r->region];
        if (region->category == SKIPPED)
            continue;
        if (!r->walking)
            walk_start(r, region->start, region->end);
        if (!walk(r, budget))
            return false;
        region->own = walk_bytes(&r->walk, r->walk.bytes[F4P_PAGE_FILE] + r->walk.bytes[F4P_PAGE_OWN]);
        region->shared = walk_bytes(&r->walk, r->walk.bytes[F4P_PAGE_SHARED]);
        r->own_anonymous += walk_bytes(&r->walk, r->walk.bytes[F4P_PAGE_OWN]);
        r->shared_anonymous += region->shared;
    }
    settle_shared(r);
    return true;
}

/* A mapping that a sampled block lies in is an allocator's; shared memory is where it is the block itself. */
static void claim_region(struct f4p_residency *r, uint64_t address, unsigned kind)
{
    uint32_t low = 0, high = r->region_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->regions[middle].end > address)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == r->region_count || r->regions[low].start > address)
        return;
    uint32_t category = r->regions[low].category;
    if (category == ANONYMOUS || category == STACK || category == FILE_DATA ||
        (category == SHARED && kind == F4P_KIND_MMAP))
        r->regions[low].category = ALLOCATOR;
}

static uint32_t mark_check(const struct f4p_mark *mark, uint32_t entry_check, uint32_t index)
{
    uint32_t words[2];
    memcpy(words, mark, 4);
    words[1] = entry_check;
    return (uint32_t)f4p_hash(words, sizeof(words), index);
}

static uint16_t in_65535(double share)
{
    return share >= 1 ? 65535 : share <= 0 ? 0 : (uint16_t)(((uint32_t)(share * 131070) + 1) / 2);
}

static struct f4p_mark take_block(struct f4p_residency *r, const struct f4p_live *entry, uint32_t index,
                                  uint64_t base_interval)
{
    const struct f4p_walk *w = &r->walk;
    struct f4p_sums sums = f4p_sample_weight(entry->size, base_interval << entry->shift);
    double seen = w->seen ? (double)w->seen : 1, bytes = (double)sums.bytes;
    double present = (double)(w->bytes[F4P_PAGE_FILE] + w->bytes[F4P_PAGE_OWN]);
    double resident = (present + (double)w->bytes[F4P_PAGE_SHARED] * r->keep) / seen;
    double swapped = (double)w->bytes[F4P_PAGE_SWAPPED] / seen;
    struct f4p_mark mark = {in_65535(resident), in_65535(swapped), 0};

    mark.check = mark_check(&mark, entry->check, index);
    r->heap += bytes;
    r->heap_resident += bytes * resident;
    r->heap_swapped += bytes * swapped;
    r->variance += (double)sums.variance;
    if (r->sites && entry->site < r->site_room) {
        r->sites[entry->site].bytes += sums.bytes;
        r->sites[entry->site].resident += (uint64_t)(bytes * resident);
    }
    claim_region(r, entry->address, entry->kind);
    return mark;
}

static bool valid(const struct f4p_live *entry, uint64_t base_interval)
{
    return entry->kind && entry->size && entry->shift < 36 &&
           base_interval << entry->shift >> entry->shift == base_interval &&
           entry->address + entry->size > entry->address &&
           entry->check == (uint32_t)f4p_hash(entry, offsetof(struct f4p_live, check), 0);
}

/* The job's threads go on meanwhile: an entry that changes under our eyes fails its check. */
__attribute__((no_sanitize("thread"))) static struct f4p_live read_entry(const struct f4p_live *entry)
{
    return *(const volatile struct f4p_live *)entry;
}

uint32_t f4p_residency_blocks(struct f4p_residency *r, const struct f4p_live *live, struct f4p_mark *marks,
                              uint32_t index, uint32_t count, uint64_t base_interval, int64_t *budget)
{
    for (uint32_t i = 0; i < count; i++) {
        if (*budget <= 0)
            return i;
        struct f4p_live entry = read_entry(&live[i]);
        if (!valid(&entry, base_interval)) {
            marks[i] = (struct f4p_mark){0};
            r->walking = false;
            *budget -= 1;
            continue;
        }
        if (!r->walking || r->walk.start != entry.address || r->walk.end != entry.address + entry.size)
            walk_start(r, entry.address, entry.address + entry.size);
        if (!walk(r, budget))
            return i;
        marks[i] = take_block(r, &entry, index + i, base_interval);
    }
    return count;
}

void f4p_residency_set(struct f4p_residency *r, enum f4p_ledger_term term, uint64_t value)
{
    r->found.value[term] = value;
    r->found.valid |= 1ull << term;
}

static void sum_regions(struct f4p_residency *r)
{
    static const enum f4p_ledger_term terms[] = {
        [ANONYMOUS] = F4P_LEDGER_anonymous, [ALLOCATOR] = F4P_LEDGER_allocators, [STACK] = F4P_LEDGER_stacks,
        [FILES] = F4P_LEDGER_files,         [FILE_DATA] = F4P_LEDGER_files,      [SHARED] = F4P_LEDGER_shared,
        [RECORDER] = F4P_LEDGER_recorder};

    if (r->coarse)
        return;
    for (unsigned i = 0; i < sizeof(terms) / sizeof(*terms); i++)
        f4p_residency_set(r, terms[i], 0);
    for (uint32_t i = 0; i < r->region_count; i++) {
        const struct f4p_region *region = &r->regions[i];
        if (region->category != SKIPPED)
            r->found.value[terms[region->category]] += region->own + (uint64_t)((double)region->shared * r->keep);
    }
    f4p_residency_set(r, F4P_LEDGER_mappings, r->region_count);
    f4p_residency_set(r, F4P_LEDGER_probed, r->probed);
    f4p_residency_set(r, F4P_LEDGER_skipped, r->skipped);
}

void f4p_residency_finish(struct f4p_residency *r)
{
    uint64_t rss, anonymous;
    int saved = errno;

    sum_regions(r);
    f4p_residency_set(r, F4P_LEDGER_heap, (uint64_t)(r->heap / F4P_Q8));
    f4p_residency_set(r, F4P_LEDGER_heap_variance, (uint64_t)r->variance);
    f4p_residency_set(r, F4P_LEDGER_heap_resident, (uint64_t)(r->heap_resident / F4P_Q8));
    f4p_residency_set(r, F4P_LEDGER_heap_swapped, (uint64_t)(r->heap_swapped / F4P_Q8));
    if (read_status(r, &rss, &anonymous))
        f4p_residency_set(r, F4P_LEDGER_rss, rss);
    errno = saved;
}

void f4p_residency_seal(struct f4p_ledger *ledger)
{
    ledger->check = f4p_hash(ledger, offsetof(struct f4p_ledger, check), 0);
}

struct f4p_site_mark f4p_residency_site_mark(uint32_t index, uint64_t look, const struct f4p_residency_site *site)
{
    double share = site->bytes ? (double)site->resident / (double)site->bytes : 0;
    struct f4p_site_mark mark = {in_65535(share), (uint16_t)look, 0};

    if (!site->bytes)
        return (struct f4p_site_mark){0};
    mark.check = (uint32_t)f4p_hash(&mark, 4, index);
    return mark;
}
