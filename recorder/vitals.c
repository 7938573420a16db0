#include "recorder/vitals.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "format/barrier.h"
#include "format/hash.h"

/* cgroup v1 writes "no limit" as the largest multiple of a page below 2^63 */
#define NO_LIMIT (1ull << 62)

/* memory.stat's limit passes through a slot of its own on its way to cgroup_limit */
#define HIERARCHICAL ((enum f4p_vital)(F4P_VITAL_SLOTS - 1))

/* ---- text ---- */

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* A decimal number, blanks before it skipped. false: none, or it does not fit. */
static bool parse_number(const char *text, uint64_t *value)
{
    uint64_t n = 0;

    while (*text == ' ' || *text == '\t')
        text++;
    if (*text < '0' || *text > '9')
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *value = n;
    return true;
}

/* Ends the word at `text` and returns what follows the blank; NULL at the end of the line. */
static char *cut_word(char *text)
{
    char *blank = strchr(text, ' ');
    if (!blank)
        return NULL;
    *blank = 0;
    return blank + 1;
}

/* Undoes mountinfo's octal escapes in place. */
static void unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' && text[2] <= '7' && text[3] >= '0' &&
            text[3] <= '7') {
            *to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 3;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
}

/* Whether the comma-separated `list` has `item`. */
static bool list_has(const char *list, const char *item)
{
    size_t bytes = strlen(item);

    while (list) {
        if (strncmp(list, item, bytes) == 0 && (list[bytes] == ',' || list[bytes] == 0))
            return true;
        list = strchr(list, ',');
        list = list ? list + 1 : NULL;
    }
    return false;
}

/* Appends to the string `to` of `room` bytes; false if it does not fit. */
static bool append(char *to, size_t room, const char *text, size_t bytes)
{
    size_t used = strlen(to);

    if (bytes >= room - used)
        return false;
    memcpy(to + used, text, bytes);
    to[used + bytes] = 0;
    return true;
}

/* ---- files ---- */

/* source->path = root, directory (its first `bytes` bytes), "/", name */
static bool set_path(struct f4p_vitals_source *source, const char *directory, size_t bytes, const char *name)
{
    source->path[0] = 0;
    return append(source->path, sizeof(source->path), source->root, strlen(source->root)) &&
           append(source->path, sizeof(source->path), directory, bytes) &&
           append(source->path, sizeof(source->path), "/", 1) &&
           append(source->path, sizeof(source->path), name, strlen(name));
}

static long open_path(const struct f4p_vitals_source *source)
{
    return syscall(SYS_openat, AT_FDCWD, source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

static long read_some(long fd, char *to, size_t bytes)
{
    long got;
    do
        got = syscall(SYS_read, fd, to, bytes);
    while (got < 0 && errno == EINTR);
    return got;
}

/* The first bytes of source->path, into source->buffer as a string; false if there are none. */
static bool read_start(struct f4p_vitals_source *source)
{
    size_t used = 0;
    long fd = open_path(source), got;

    if (fd < 0)
        return false;
    while (used < sizeof(source->buffer) - 1 &&
           (got = read_some(fd, source->buffer + used, sizeof(source->buffer) - 1 - used)) > 0)
        used += (size_t)got;
    syscall(SYS_close, fd);
    source->buffer[used] = 0;
    return used > 0;
}

/* Returns false to stop. The line is the callee's to cut up, without its newline. */
typedef bool line_visitor(void *context, char *line);

/* Hands out every complete line in buffer[0 .. used) and returns how many bytes are left, moved to the front. */
static size_t visit_buffer(char *buffer, size_t used, bool *skipping, bool *stop, line_visitor *visit, void *context)
{
    size_t start = 0;
    char *newline;

    while (!*stop && (newline = memchr(buffer + start, '\n', used - start))) {
        *newline = 0;
        if (!*skipping && !visit(context, buffer + start))
            *stop = true;
        *skipping = false;
        start = (size_t)(newline - buffer) + 1;
    }
    memmove(buffer, buffer + start, used - start);
    return used - start;
}

/* Visits each line of source->path; lines longer than the buffer are left out. */
static void visit_lines(struct f4p_vitals_source *source, line_visitor *visit, void *context)
{
    char *buffer = source->buffer;
    size_t used = 0, room = sizeof(source->buffer) - 1;
    bool skipping = false, stop = false;
    long fd = open_path(source), got;

    if (fd < 0)
        return;
    while (!stop && (got = read_some(fd, buffer + used, room - used)) > 0) {
        used = visit_buffer(buffer, used + (size_t)got, &skipping, &stop, visit, context);
        if (used == room) {
            skipping = true;
            used = 0;
        }
    }
    syscall(SYS_close, fd);
    buffer[used] = 0;
    if (!stop && used && !skipping)
        visit(context, buffer);
}

static bool read_own_number(struct f4p_vitals_source *source, size_t bytes, const char *name, uint64_t *value)
{
    return set_path(source, source->own, bytes, name) && read_start(source) && parse_number(source->buffer, value);
}

/* ---- finding the cgroup ---- */

/* Line of /proc/PID/cgroup: "hierarchy:controllers:path". */
struct membership {
    struct f4p_vitals_source *source;
    uint64_t hash;
    bool keep; /* take the name over, not only the hash */
};

static bool visit_membership(void *context, char *line)
{
    struct membership *m = context;
    char *controllers = strchr(line, ':'), *path;

    m->hash = f4p_hash(line, strlen(line), m->hash);
    if (!m->keep || !controllers || !(path = strchr(controllers + 1, ':')))
        return true;
    *controllers++ = 0;
    *path++ = 0;
    unsigned version = list_has(controllers, "memory") ? 1 : strcmp(line, "0") == 0 && !*controllers ? 2 : 0;
    if (version == 0 || m->source->version == 1)
        return true;
    m->source->cgroup[0] = 0;
    if (append(m->source->cgroup, sizeof(m->source->cgroup), path, strlen(path)))
        m->source->version = version;
    return true;
}

static uint64_t read_membership(struct f4p_vitals_source *source, bool keep)
{
    struct membership m = {source, 0, keep};

    if (set_path(source, source->process, strlen(source->process), "cgroup"))
        visit_lines(source, visit_membership, &m);
    return m.hash;
}

/* How well a mount shows a cgroup. */
enum { NOT_SHOWN, RENAMED, BELOW, WHOLE };

/* What of the cgroup's name lies below a mount whose root is `mount_root`. Names that begin with "/.." are outside of
 * our cgroup namespace: what is mounted there may be anybody's. */
static int below_mount(const char *name, const char *mount_root, const char **below)
{
    size_t name_bytes = strlen(name), bytes = strlen(mount_root);

    *below = "";
    if (starts(name, "/..") || starts(mount_root, "/.."))
        return NOT_SHOWN;
    if (strcmp(mount_root, "/") == 0) {
        *below = strcmp(name, "/") == 0 ? "" : name;
        return WHOLE;
    }
    if (strncmp(name, mount_root, bytes) == 0 && (name[bytes] == '/' || name[bytes] == 0)) {
        *below = name + bytes;
        return BELOW;
    }
    /* containers in containers: the outer one's name comes first */
    if (bytes > name_bytes && strcmp(mount_root + bytes - name_bytes, name) == 0)
        return RENAMED;
    return NOT_SHOWN;
}

struct mount {
    struct f4p_vitals_source *source;
    int shown; /* by the best mount so far */
};

/* Line of mountinfo: "id parent dev root mount_point options [optional ...] - type source super_options". */
static bool visit_mount(void *context, char *line)
{
    struct mount *mount = context;
    struct f4p_vitals_source *source = mount->source;
    char *tail = strstr(line, " - "), *field = line, *mount_root, *options;
    const char *below;
    int shown;

    if (!tail)
        return true;
    *tail = 0;
    tail += 3;
    options = cut_word(tail);
    if (strcmp(tail, source->version == 2 ? "cgroup2" : "cgroup") != 0 || !options)
        return true;
    options = cut_word(options); /* past the mount's source */
    if (source->version == 1 && !(options && list_has(options, "memory")))
        return true;
    for (int i = 0; i < 3 && field; i++)
        field = cut_word(field);
    if (!(mount_root = field) || !(field = cut_word(field)))
        return true;
    cut_word(field);
    unescape(mount_root);
    unescape(field);
    shown = below_mount(source->cgroup, mount_root, &below);
    if (shown <= mount->shown)
        return true;

    size_t mount_bytes = strcmp(field, "/") == 0 ? 0 : strlen(field);
    source->own[0] = 0;
    source->own_bytes = 0;
    if (!append(source->own, sizeof(source->own), field, mount_bytes) ||
        !append(source->own, sizeof(source->own), below, strlen(below)))
        return true;
    source->own_bytes = (uint32_t)strlen(source->own);
    source->mount_bytes = (uint32_t)mount_bytes;
    mount->shown = shown;
    return shown != WHOLE;
}

/* Length of the parent's name of own[0 .. bytes). */
static uint32_t parent_bytes(const struct f4p_vitals_source *source, uint32_t bytes)
{
    while (bytes > source->mount_bytes && source->own[bytes - 1] != '/')
        bytes--;
    return bytes > source->mount_bytes ? bytes - 1 : bytes;
}

static const char *const limit_names[] = {"", "memory.limit_in_bytes", "memory.max"};
static const char *const usage_names[] = {"", "memory.usage_in_bytes", "memory.current"};

static bool read_limit(struct f4p_vitals_source *source, uint32_t bytes, uint64_t *limit)
{
    return read_own_number(source, bytes, limit_names[source->version], limit) && *limit < NO_LIMIT;
}

/* The name may be one we cannot see (another namespace's), and on v2 a cgroup need not have the memory controller: go
 * up to one that has. */
static void find_own(struct f4p_vitals_source *source)
{
    uint64_t usage;

    while (!read_own_number(source, source->own_bytes, usage_names[source->version], &usage)) {
        if (source->own_bytes <= source->mount_bytes) {
            source->own_bytes = 0; /* v2's root accounts for nothing */
            break;
        }
        source->own_bytes = parent_bytes(source, source->own_bytes);
    }
    source->own[source->own_bytes] = 0;
}

static void find_tightest(struct f4p_vitals_source *source)
{
    uint64_t limit, lowest = UINT64_MAX;

    source->tightest_bytes = 0;
    for (uint32_t bytes = source->own_bytes; bytes > source->mount_bytes;) {
        bytes = parent_bytes(source, bytes);
        if (read_limit(source, bytes, &limit) && limit < lowest) {
            lowest = limit;
            source->tightest_bytes = bytes;
        }
    }
}

static void set_process(struct f4p_vitals_source *source, uint32_t pid)
{
    char digits[11], *digit = digits + sizeof(digits) - 1;

    source->process[0] = 0;
    append(source->process, sizeof(source->process), "/proc/", 6);
    if (pid == 0) {
        append(source->process, sizeof(source->process), "self", 4);
        return;
    }
    *digit = 0;
    for (; pid; pid /= 10)
        *--digit = (char)('0' + pid % 10);
    append(source->process, sizeof(source->process), digit, strlen(digit));
}

void f4p_vitals_resolve(struct f4p_vitals_source *source, const char *root, uint32_t pid)
{
    struct mount mount = {source, NOT_SHOWN};
    int saved = errno;

    memset(source, 0, offsetof(struct f4p_vitals_source, path));
    append(source->root, sizeof(source->root), root, strlen(root));
    set_process(source, pid);
    source->membership = read_membership(source, true);
    if (source->version && set_path(source, "/proc/self", 10, "mountinfo"))
        visit_lines(source, visit_mount, &mount);
    if (source->own_bytes)
        find_own(source);
    if (source->own_bytes)
        find_tightest(source);
    errno = saved;
}

bool f4p_vitals_moved(struct f4p_vitals_source *source)
{
    int saved = errno;
    uint64_t now = read_membership(source, false);

    errno = saved;
    return now != 0 && now != source->membership; /* 0: the process is gone */
}

/* ---- reading ---- */

void f4p_vitals_set(struct f4p_vitals *facts, enum f4p_vital which, uint64_t value)
{
    facts->value[which] = value;
    facts->valid |= 1ull << which;
}

/* Lines of the form "key number". */
struct key {
    const char *name; /* with the blank or colon that ends it */
    enum f4p_vital which;
    unsigned unit;
};

struct lookup {
    const struct key *keys;
    struct f4p_vitals *facts;
};

static bool visit_key(void *context, char *line)
{
    const struct lookup *lookup = context;
    uint64_t value;

    for (const struct key *key = lookup->keys; key->name; key++)
        if (starts(line, key->name) && parse_number(line + strlen(key->name), &value))
            f4p_vitals_set(lookup->facts, key->which, value * key->unit);
    return true;
}

static void read_keys(struct f4p_vitals_source *source, const char *directory, size_t bytes, const char *name,
                      const struct key *keys, struct f4p_vitals *facts)
{
    struct lookup lookup = {keys, facts};

    if (set_path(source, directory, bytes, name))
        visit_lines(source, visit_key, &lookup);
}

/* Of the status file: whether it says that the process lives. One that is exiting has no memory any more, one that is
 * about to has SIGKILL (bit 8 of the mask) pending. */
struct status {
    struct lookup lookup;
    bool memory, doomed;
};

static bool visit_status(void *context, char *line)
{
    struct status *status = context;
    size_t bytes = strlen(line);

    if (starts(line, "VmRSS:"))
        status->memory = true;
    if (starts(line, "SigPnd:") && bytes > 10) {
        char digit = line[bytes - 3];
        status->doomed = digit >= '0' && (digit <= '9' ? digit - '0' : digit - 'a' + 10) & 1;
    }
    return visit_key(&status->lookup, line);
}

/* Whether the process lives on. */
static bool read_process(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    static const struct key keys[] = {{"VmRSS:", F4P_VITAL_rss, 1024},
                                      {"RssAnon:", F4P_VITAL_rss_anon, 1024},
                                      {"RssFile:", F4P_VITAL_rss_file, 1024},
                                      {"RssShmem:", F4P_VITAL_rss_shmem, 1024},
                                      {"VmSwap:", F4P_VITAL_swap, 1024},
                                      {"VmHWM:", F4P_VITAL_rss_peak, 1024},
                                      {"VmSize:", F4P_VITAL_vm_size, 1024},
                                      {"Threads:", F4P_VITAL_threads, 1},
                                      {0}};
    struct status status = {{keys, facts}, false, false};

    if (set_path(source, source->process, strlen(source->process), "status"))
        visit_lines(source, visit_status, &status);
    return status.memory && !status.doomed;
}

static void read_oom_score(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    size_t bytes = strlen(source->process);
    uint64_t value;

    if (set_path(source, source->process, bytes, "oom_score") && read_start(source) &&
        parse_number(source->buffer, &value))
        f4p_vitals_set(facts, F4P_VITAL_oom_score, value);
    if (set_path(source, source->process, bytes, "oom_score_adj") && read_start(source)) {
        bool negative = source->buffer[0] == '-';
        if (parse_number(source->buffer + negative, &value))
            f4p_vitals_set(facts, F4P_VITAL_oom_score_adj, negative ? 0 - value : value);
    }
}

static void read_own(struct f4p_vitals_source *source, const char *name, enum f4p_vital which, struct f4p_vitals *facts)
{
    uint64_t value;

    if (read_own_number(source, source->own_bytes, name, &value))
        f4p_vitals_set(facts, which, value);
}

static void lower_limit(struct f4p_vitals *facts, uint64_t limit)
{
    uint64_t known = facts->valid >> F4P_VITAL_cgroup_limit & 1 ? facts->value[F4P_VITAL_cgroup_limit] : NO_LIMIT;

    if (limit < known)
        f4p_vitals_set(facts, F4P_VITAL_cgroup_limit, limit);
}

static void read_v2(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    uint64_t high, group = 0, parents = 0;

    if (read_own_number(source, source->own_bytes, "memory.high", &high))
        f4p_vitals_set(facts, F4P_VITAL_cgroup_high, high);
    bool known = read_own_number(source, source->own_bytes, "memory.oom.group", &group);
    if (source->tightest_bytes)
        known |= read_own_number(source, source->tightest_bytes, "memory.oom.group", &parents);
    if (known)
        f4p_vitals_set(facts, F4P_VITAL_oom_group, group | parents);
}

static void read_events(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    static const struct key v1[] = {
        {"under_oom ", F4P_VITAL_cgroup_oom, 1}, {"oom_kill ", F4P_VITAL_cgroup_oom_kill, 1}, {0}};
    static const struct key v2[] = {{"high ", F4P_VITAL_cgroup_high_events, 1},
                                    {"max ", F4P_VITAL_cgroup_failcnt, 1},
                                    {"oom ", F4P_VITAL_cgroup_oom, 1},
                                    {"oom_kill ", F4P_VITAL_cgroup_oom_kill, 1},
                                    {0}};
    static const struct key ancestor[] = {
        {"oom ", F4P_VITAL_ancestor_oom, 1}, {"oom_kill ", F4P_VITAL_ancestor_oom_kill, 1}, {0}};
    const char *name = source->version == 1 ? "memory.oom_control" : "memory.events";

    read_keys(source, source->own, source->own_bytes, name, source->version == 1 ? v1 : v2, facts);
    if (source->tightest_bytes)
        read_keys(source, source->own, source->tightest_bytes, name, ancestor, facts);
    if (source->version == 1)
        read_own(source, "memory.failcnt", F4P_VITAL_cgroup_failcnt, facts);
}

/* The ancestor whose limit is the tightest: its limit may be hit while the cgroup's own is far. */
static void read_ancestor(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    uint64_t limit, usage;

    if (!read_limit(source, source->tightest_bytes, &limit))
        return;
    lower_limit(facts, limit);
    f4p_vitals_set(facts, F4P_VITAL_ancestor_limit, limit);
    if (read_own_number(source, source->tightest_bytes, usage_names[source->version], &usage))
        f4p_vitals_set(facts, F4P_VITAL_ancestor_usage, usage);
}

static void read_cgroup(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    const uint64_t limits =
        1ull << F4P_VITAL_cgroup_limit | 1ull << F4P_VITAL_cgroup_own_limit | 1ull << F4P_VITAL_ancestor_limit;
    uint64_t limit;

    facts->valid &= ~limits;
    read_own(source, usage_names[source->version], F4P_VITAL_cgroup_usage, facts);
    read_own(source, source->version == 1 ? "memory.max_usage_in_bytes" : "memory.peak", F4P_VITAL_cgroup_peak, facts);
    if (read_limit(source, source->own_bytes, &limit)) {
        lower_limit(facts, limit);
        f4p_vitals_set(facts, F4P_VITAL_cgroup_own_limit, limit);
    }
    if (source->tightest_bytes)
        read_ancestor(source, facts);
    if (source->hierarchical)
        lower_limit(facts, source->hierarchical);
    if (source->version == 2)
        read_v2(source, facts);
    read_events(source, facts);
}

/* Whether what is charged is so near to a limit that it matters what it is. */
static bool near_limit(const struct f4p_vitals *facts)
{
    static const enum f4p_vital pairs[][2] = {{F4P_VITAL_cgroup_usage, F4P_VITAL_cgroup_own_limit},
                                              {F4P_VITAL_ancestor_usage, F4P_VITAL_ancestor_limit},
                                              {F4P_VITAL_cgroup_usage, F4P_VITAL_cgroup_limit}};

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        uint64_t both = 1ull << pairs[i][0] | 1ull << pairs[i][1];
        if ((facts->valid & both) == both && facts->value[pairs[i][0]] >= facts->value[pairs[i][1]] / 4 * 3)
            return true;
    }
    return false;
}

static void read_cgroup_stat(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    /* v1's hierarchical limit knows of ancestors that are not mounted here, too */
    static const struct key v1[] = {{"hierarchical_memory_limit ", HIERARCHICAL, 1},
                                    {"total_rss ", F4P_VITAL_cgroup_anon, 1},
                                    {"total_cache ", F4P_VITAL_cgroup_file, 1},
                                    {0}};
    static const struct key v2[] = {{"anon ", F4P_VITAL_cgroup_anon, 1}, {"file ", F4P_VITAL_cgroup_file, 1}, {0}};
    static const struct key ancestor[][2] = {{{"total_rss ", F4P_VITAL_ancestor_anon, 1}, {0}},
                                             {{"anon ", F4P_VITAL_ancestor_anon, 1}, {0}}};

    facts->value[HIERARCHICAL] = NO_LIMIT;
    read_keys(source, source->own, source->own_bytes, "memory.stat", source->version == 1 ? v1 : v2, facts);
    if (facts->valid >> HIERARCHICAL & 1)
        source->hierarchical = facts->value[HIERARCHICAL];
    lower_limit(facts, facts->value[HIERARCHICAL]);
    if (source->tightest_bytes)
        read_keys(source, source->own, source->tightest_bytes, "memory.stat", ancestor[source->version - 1], facts);
    facts->value[HIERARCHICAL] = 0;
    facts->valid &= ~(1ull << HIERARCHICAL);
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=12" */
static bool visit_pressure(void *context, char *line)
{
    struct f4p_vitals *facts = context;
    const char *total = strstr(line, "total=");
    uint64_t value;

    if (total && parse_number(total + 6, &value))
        f4p_vitals_set(facts, starts(line, "full ") ? F4P_VITAL_psi_full_us : F4P_VITAL_psi_some_us, value);
    return true;
}

static void read_machine(struct f4p_vitals_source *source, struct f4p_vitals *facts)
{
    static const struct key meminfo[] = {
        {"MemTotal:", F4P_VITAL_mem_total, 1024}, {"MemAvailable:", F4P_VITAL_mem_available, 1024}, {0}};
    static const struct key vmstat[] = {{"oom_kill ", F4P_VITAL_system_oom_kill, 1}, {0}};

    read_keys(source, "/proc", 5, "meminfo", meminfo, facts);
    read_keys(source, "/proc", 5, "vmstat", vmstat, facts);
    if (set_path(source, "/proc/pressure", 14, "memory"))
        visit_lines(source, visit_pressure, facts);
    if (source->version == 2 && set_path(source, source->own, source->own_bytes, "memory.pressure"))
        visit_lines(source, visit_pressure, facts); /* the cgroup's own says more */
}

void f4p_vitals_read(struct f4p_vitals_source *source, unsigned groups, struct f4p_vitals *facts)
{
    int saved = errno;
    bool counted = groups & F4P_VITALS_CGROUP && source->own_bytes;

    if (counted)
        read_cgroup(source, facts);
    if (source->own_bytes && (groups & F4P_VITALS_CGROUP_STAT || (counted && near_limit(facts))))
        read_cgroup_stat(source, facts);
    /* After the count of kills: a process that lives now was not among those. */
    bool alive = groups & F4P_VITALS_PROCESS && read_process(source, facts);
    if (alive && counted && facts->valid >> F4P_VITAL_cgroup_oom_kill & 1)
        f4p_vitals_set(facts, F4P_VITAL_survived_oom_kill, facts->value[F4P_VITAL_cgroup_oom_kill]);
    if (groups & F4P_VITALS_OOM_SCORE)
        read_oom_score(source, facts);
    if (groups & F4P_VITALS_MACHINE)
        read_machine(source, facts);
    errno = saved;
}

void f4p_vitals_publish(struct f4p_vitals *slot, struct f4p_vitals *facts, uint64_t seq, uint64_t t_ns)
{
    facts->seq = seq;
    facts->t_ns = t_ns;
    facts->check = f4p_hash(facts, offsetof(struct f4p_vitals, check), 0);
    __atomic_store_n(&slot->check, ~facts->check, __ATOMIC_RELAXED);
    f4p_release();
    memcpy(slot, facts, offsetof(struct f4p_vitals, check));
    f4p_release();
    __atomic_store_n(&slot->check, facts->check, __ATOMIC_RELAXED);
}
