#include "recorder/record_trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "format/hash.h"
#include "format/layout.h"
#include "recorder/clock.h"
#include "recorder/names.h"
#include "recorder/redact.h"
#include "recorder/retain.h"

#define MAX_SUFFIX 9999u

static uint64_t section_offset(const struct f4p_launch_trace *trace, enum f4p_section_kind kind)
{
    return f4p_layout_find(&trace->header, kind)->offset;
}

static void put(const struct f4p_launch_trace *trace, uint64_t offset, const void *data, size_t bytes)
{
    const char *from = data;

    while (bytes) {
        ssize_t got = pwrite(trace->fd, from, bytes, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        from += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
}

static void put_launch(const struct f4p_launch_trace *trace, size_t member, const void *data, size_t bytes)
{
    put(trace, section_offset(trace, F4P_SECTION_LAUNCH) + member, data, bytes);
}

/* ---- making it ---- */

static int absolute(char to[PATH_MAX], const char *path)
{
    size_t bytes = 0;

    if (*path != '/') {
        if (!getcwd(to, PATH_MAX - 1))
            return -errno;
        bytes = strlen(to);
        if (bytes > 1)
            to[bytes++] = '/';
    }
    if (bytes + strlen(path) >= PATH_MAX)
        return -ENAMETOOLONG;
    strcpy(to + bytes, path);
    return 0;
}

/* The name for the command's process `pid`. */
static int expand(char to[PATH_MAX], const struct f4p_launch_trace *trace, pid_t pid)
{
    struct utsname host;
    const struct f4p_names_facts facts = {(uint32_t)pid, trace->header.start_realtime_ns / 1000000000u,
                                          uname(&host) == 0 ? host.nodename : "localhost", trace->command};
    return f4p_names_expand(to, PATH_MAX, trace->pattern, &facts);
}

static int make(struct f4p_launch_trace *trace, const struct f4p_config *config, const char **warning)
{
    uint8_t job[16];
    char path[PATH_MAX];
    trace->outer_job = f4p_config_job(job);
    struct f4p_layout layout = {.file_bytes = config->size,
                                .base_interval = config->interval,
                                .flags = F4P_HEADER_LAUNCHER | (config->automatic ? F4P_HEADER_AUTO_INTERVAL : 0),
                                .job_id = trace->outer_job ? job : NULL};
    int result = f4p_layout_header(&trace->header, &layout);

    if (result == 0)
        result = f4p_names_absolute(trace->named, sizeof(trace->named), config->output);
    if (result == 0)
        result = expand(path, trace, getpid()); /* the command's process is not there yet */
    if (result < 0)
        return result;
    f4p_retain_make_room(path, config->output, config->size, config->max_traces, config->max_total);
    int fd = f4p_layout_create(path, &trace->header, trace->used, sizeof(trace->used), warning);
    if (fd < 0)
        return fd;
    f4p_retain_hold(fd);
    trace->fd = fd;
    result = absolute(trace->file, trace->used);
    if (result < 0)
        f4p_launch_trace_remove(trace);
    return result;
}

int f4p_launch_trace_create(struct f4p_launch_trace *trace, const struct f4p_launch_options *options,
                            const char **warning)
{
    memset(trace, 0, sizeof(*trace));
    trace->fd = -1;
    *warning = NULL;
    trace->pattern = options->config.output;
    trace->command = options->command ? options->command[0] : "";
    trace->redact = options->config.redact;
    int result = make(trace, &options->config, warning);
    if (result < 0)
        return result;
    trace->state.status = F4P_LAUNCH_RUNNING;
    trace->state.timeline_shift = F4P_TIMELINE_SHIFT;
    return 0;
}

static bool is_ours(const struct f4p_launch_trace *trace, const char *path)
{
    struct stat there, ours;
    return lstat(path, &there) == 0 && fstat(trace->fd, &ours) == 0 && there.st_dev == ours.st_dev &&
           there.st_ino == ours.st_ino;
}

/* RENAME_NOREPLACE by hand where a file system does not know it: link(2) never replaces. */
static bool move(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    return errno == EINVAL && link(from, to) == 0 && unlink(from) == 0;
}

void f4p_launch_trace_settle(struct f4p_launch_trace *trace, pid_t pid, bool rename)
{
    char path[PATH_MAX];

    if (trace->fd < 0 || !f4p_names_has(trace->pattern, 'p') || expand(path, trace, pid) < 0)
        return;
    size_t bytes = strlen(path);
    for (uint32_t suffix = 0; suffix < MAX_SUFFIX; suffix++) {
        path[bytes] = 0;
        if (suffix && f4p_names_append(path, sizeof(path), suffix) < 0)
            return;
        if (is_ours(trace, path) || (rename && move(trace->used, path))) {
            strcpy(trace->used, path);
            absolute(trace->file, path);
            return;
        }
        if (access(path, F_OK) != 0)
            return;
    }
}

void f4p_launch_trace_remove(struct f4p_launch_trace *trace)
{
    if (trace->fd < 0)
        return;
    unlink(trace->used);
    close(trace->fd);
    trace->fd = -1;
}

uint64_t f4p_launch_trace_now(const struct f4p_launch_trace *trace)
{
    uint64_t ns = f4p_clock_ns(CLOCK_MONOTONIC);
    return ns > trace->header.start_monotonic_ns ? ns - trace->header.start_monotonic_ns : 0;
}

/* ---- records ---- */

/* Appends the record whose payload of `bytes` bytes stands in trace->record already. */
static void append(struct f4p_launch_trace *trace, unsigned type, unsigned flags, uint32_t id, size_t bytes)
{
    const struct f4p_section *section = f4p_layout_find(&trace->header, F4P_SECTION_LAUNCH_RECORDS);
    struct f4p_record header = {.type = (uint16_t)type, .flags = (uint16_t)flags, .bytes = (uint32_t)bytes, .id = id};
    size_t whole = (sizeof(header) + bytes + 7) / 8 * 8;

    if (trace->state.records + whole > section->bytes)
        return;
    header.check = (uint32_t)f4p_hash(trace->record + sizeof(header), bytes, f4p_hash(&header, 12, 0));
    memcpy(trace->record, &header, sizeof(header));
    memset(trace->record + sizeof(header) + bytes, 0, whole - sizeof(header) - bytes);
    put(trace, section->offset + trace->state.records, trace->record, whole);
    trace->state.records += whole;
}

static uint8_t *payload(struct f4p_launch_trace *trace)
{
    return trace->record + sizeof(struct f4p_record);
}

/* Longest payload: one record shall not fill a small area. */
static size_t payload_limit(const struct f4p_launch_trace *trace)
{
    uint64_t quarter = f4p_layout_find(&trace->header, F4P_SECTION_LAUNCH_RECORDS)->bytes / 4;
    return quarter < F4P_LAUNCH_PAYLOAD ? (size_t)quarter : F4P_LAUNCH_PAYLOAD;
}

void f4p_launch_trace_fact_u64(struct f4p_launch_trace *trace, enum f4p_fact fact, uint64_t value)
{
    if (trace->fd < 0)
        return;
    memcpy(payload(trace), &value, sizeof(value));
    append(trace, F4P_RECORD_FACT, F4P_FACT_U64, fact, sizeof(value));
}

void f4p_launch_trace_fact_text(struct f4p_launch_trace *trace, enum f4p_fact fact, const char *text)
{
    if (trace->fd < 0)
        return;
    size_t bytes = strnlen(text, payload_limit(trace));
    memcpy(payload(trace), text, bytes);
    append(trace, F4P_RECORD_FACT, F4P_FACT_TEXT, fact, bytes);
}

void f4p_launch_trace_fact_list(struct f4p_launch_trace *trace, enum f4p_fact fact, char *const *list)
{
    size_t used = 0;

    if (trace->fd < 0)
        return;
    size_t limit = payload_limit(trace);
    for (; *list && used + 1 < limit; list++) {
        size_t bytes = strnlen(*list, limit - used - 1);
        memcpy(payload(trace) + used, *list, bytes);
        used += bytes;
        payload(trace)[used++] = 0;
    }
    append(trace, F4P_RECORD_FACT, F4P_FACT_LIST, fact, used);
}

void f4p_launch_trace_fact_command(struct f4p_launch_trace *trace, char *const *command)
{
    static char list[F4P_LAUNCH_PAYLOAD];
    size_t used = 0;

    if (trace->fd < 0)
        return;
    for (; *command && used < sizeof(list); command++) {
        size_t bytes = strnlen(*command, sizeof(list) - 1 - used);
        memcpy(list + used, *command, bytes);
        used += bytes;
        list[used++] = 0;
    }
    size_t bytes = f4p_redact((char *)payload(trace), payload_limit(trace), list, used, trace->redact);
    append(trace, F4P_RECORD_FACT, F4P_FACT_LIST, F4P_FACT_ID_COMMAND, bytes);
}

void f4p_launch_trace_add(struct f4p_launch_trace *trace, enum f4p_record_type type, const void *head,
                          size_t head_bytes, const char *text)
{
    if (trace->fd < 0)
        return;
    size_t bytes = strnlen(text, payload_limit(trace) - head_bytes);
    uint64_t before = trace->state.records;
    if (head_bytes)
        memcpy(payload(trace), head, head_bytes);
    memcpy(payload(trace) + head_bytes, text, bytes);
    append(trace, type, 0, trace->next_id[type], head_bytes + bytes);
    if (trace->state.records != before)
        trace->next_id[type]++;
}

/* ---- state, facts, timeline ---- */

void f4p_launch_trace_commit(struct f4p_launch_trace *trace)
{
    struct f4p_launch_state *state = &trace->state;

    if (trace->fd < 0)
        return;
    state->seq++;
    state->t_ns = f4p_launch_trace_now(trace);
    state->check = f4p_hash(state, offsetof(struct f4p_launch_state, check), 0);
    put_launch(trace, offsetof(struct f4p_launch, state) + (state->seq & 1) * sizeof(*state), state, sizeof(*state));
}

void f4p_launch_trace_vitals(struct f4p_launch_trace *trace, enum f4p_launch_moment moment, struct f4p_vitals *facts)
{
    if (trace->fd < 0)
        return;
    facts->seq = ++trace->vitals_seq;
    facts->t_ns = f4p_launch_trace_now(trace);
    facts->check = f4p_hash(facts, offsetof(struct f4p_vitals, check), 0);
    size_t member = moment == F4P_LAUNCH_FIRST  ? offsetof(struct f4p_launch, first)
                    : moment == F4P_LAUNCH_LAST ? offsetof(struct f4p_launch, last) + (facts->seq & 1) * sizeof(*facts)
                                                : offsetof(struct f4p_launch, end);
    put_launch(trace, member, facts, sizeof(*facts));
}

static uint64_t bucket_offset(const struct f4p_launch_trace *trace, unsigned half, uint64_t index)
{
    return section_offset(trace, F4P_SECTION_LAUNCH_TIMELINE) +
           (half * (uint64_t)F4P_BUCKETS + index) * sizeof(struct f4p_bucket);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Two buckets into one, into the other half, which the commit makes the valid one. */
static void fold(struct f4p_launch_trace *trace)
{
    unsigned half = trace->state.timeline_half;
    const struct f4p_bucket *from = trace->timeline[half];
    struct f4p_bucket *to = trace->timeline[!half];

    memset(to, 0, sizeof(trace->timeline[0]));
    for (unsigned i = 0; i < F4P_BUCKETS; i++) {
        to[i / 2].rss_max = larger(to[i / 2].rss_max, from[i].rss_max);
        to[i / 2].cgroup_max = larger(to[i / 2].cgroup_max, from[i].cgroup_max);
    }
    put(trace, bucket_offset(trace, !half, 0), to, sizeof(trace->timeline[0]));
    trace->state.timeline_half = !half;
    trace->state.timeline_shift++;
    f4p_launch_trace_commit(trace);
}

void f4p_launch_trace_bucket(struct f4p_launch_trace *trace, uint64_t t_ns, uint64_t rss, uint64_t cgroup)
{
    if (trace->fd < 0)
        return;
    while (t_ns >> trace->state.timeline_shift >= F4P_BUCKETS)
        fold(trace);
    uint64_t index = t_ns >> trace->state.timeline_shift;
    unsigned half = trace->state.timeline_half;
    struct f4p_bucket *bucket = &trace->timeline[half][index];
    bucket->rss_max = larger(bucket->rss_max, rss);
    bucket->cgroup_max = larger(bucket->cgroup_max, cgroup);
    put(trace, bucket_offset(trace, half, index), bucket, sizeof(*bucket));
}

bool f4p_launch_trace_attached(const struct f4p_launch_trace *trace)
{
    struct f4p_state states[2];

    if (trace->fd < 0 || pread(trace->fd, states, sizeof(states),
                               (off_t)(section_offset(trace, F4P_SECTION_CONTROL) +
                                       offsetof(struct f4p_control, state))) != (ssize_t)sizeof(states))
        return false;
    return states[0].status != F4P_STATUS_EMPTY || states[1].status != F4P_STATUS_EMPTY;
}

/* What a recorder states when it starts is among its first records; nothing here is trusted but to be bytes. */
bool f4p_launch_trace_stated(const struct f4p_launch_trace *trace, enum f4p_fact fact, char *text, size_t room)
{
    static uint8_t first[16384];
    struct f4p_record head;
    ssize_t got = -1;

    if (trace->fd >= 0)
        got = pread(trace->fd, first, sizeof(first), (off_t)section_offset(trace, F4P_SECTION_RECORDS));
    for (size_t at = 0, end = got > 0 ? (size_t)got : 0; at + sizeof(head) <= end;) {
        memcpy(&head, first + at, sizeof(head));
        at += sizeof(head);
        if (!head.type || head.bytes > end - at)
            break;
        if (head.type == F4P_RECORD_FACT && head.flags == F4P_FACT_TEXT && head.id == (uint32_t)fact && room) {
            size_t bytes = head.bytes < room ? head.bytes : room - 1;
            memcpy(text, first + at, bytes);
            text[bytes] = 0;
            return true;
        }
        at += ((size_t)head.bytes + 7) & ~(size_t)7;
    }
    return false;
}
