#include "retain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "format/format.h"
#include "format/hash.h"
#include "format/layout.h"
#include "names.h"
#include "slurp.h"

#define SLACK_NS 1000000000ll /* clocks may differ by this */

struct old {
    char name[NAME_MAX + 1];
    uint64_t device, inode, bytes;
    int64_t modified_ns;
};

/* Static: this runs inside somebody's malloc, on a stack that may be small. */
static struct {
    int directory;
    const char *pattern;
    unsigned looked_at;
    uint64_t count, total; /* traces of the family, and their bytes */
    struct old oldest[F4P_RETAIN_OLDEST];
    unsigned old_count;
    struct f4p_header header;
    struct f4p_control control;
    struct stat st;
    char entries[8192] __attribute__((aligned(8)));
} look;

void f4p_retain_hold(int fd)
{
    int saved = errno;
    syscall(SYS_flock, fd, LOCK_SH | LOCK_NB);
    errno = saved;
}

/* ---- what a file is ---- */

static bool read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
    return syscall(SYS_pread64, fd, to, bytes, offset) == (long)bytes;
}

/* The header is left in look.header. */
static bool is_trace(int fd)
{
    struct f4p_header *header = &look.header;
    return read_at(fd, header, sizeof(*header), 0) && memcmp(header->magic, F4P_MAGIC, sizeof(header->magic)) == 0 &&
           header->check == f4p_hash(header, offsetof(struct f4p_header, check), 0) &&
           header->section_count <= F4P_MAX_SECTIONS;
}

static bool read_control(int fd)
{
    const struct f4p_section *section = f4p_layout_find(&look.header, F4P_SECTION_CONTROL);
    return look.header.version_major == F4P_VERSION_MAJOR && section && section->bytes >= sizeof(look.control) &&
           section->offset <= INT64_MAX && read_at(fd, &look.control, sizeof(look.control), section->offset);
}

static const struct f4p_state *newest_state(void)
{
    const struct f4p_state *newest = NULL;
    for (int i = 0; i < 2; i++) {
        const struct f4p_state *state = &look.control.state[i];
        if (state->commit && state->check == f4p_hash(state, offsetof(struct f4p_state, check), 0) &&
            (!newest || state->commit > newest->commit))
            newest = state;
    }
    return newest;
}

static uint64_t peak_rss(void)
{
    uint64_t peak = 0;
    for (int i = 0; i < 2; i++) {
        const struct f4p_vitals *v = &look.control.last[i];
        if (v->seq && v->valid >> F4P_VITAL_rss_peak & 1 && v->value[F4P_VITAL_rss_peak] > peak &&
            v->check == f4p_hash(v, offsetof(struct f4p_vitals, check), 0))
            peak = v->value[F4P_VITAL_rss_peak];
    }
    return peak;
}

uint64_t f4p_retain_peak(int fd)
{
    if (!is_trace(fd) || !read_control(fd))
        return 0;
    const struct f4p_state *state = newest_state();
    uint64_t heap = state ? state->peak.sums.bytes / F4P_Q8 : 0, rss = peak_rss();
    return heap > rss ? heap : rss;
}

/* ---- whether it is in use ---- */

/* Field 22 of /proc/PID/stat, clock ticks after the machine's start, as Unix time; 0: no such process, or nothing but
 * its exit status is left of it. */
static int64_t process_start_ns(uint32_t pid)
{
    static char text[1024], path[32];
    struct timespec now, up;
    uint64_t ticks = 0;

    strcpy(path, "/proc");
    f4p_names_append(path, sizeof(path), pid);
    path[5] = '/';
    strcat(path, "/stat");
    text[f4p_slurp(path, text, sizeof(text) - 1)] = 0;
    const char *at = strrchr(text, ')'); /* the name before it may hold anything */
    if (!at || strncmp(at, ") Z", 3) == 0 || strncmp(at, ") X", 3) == 0)
        return 0;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return 0;
    for (at++; *at >= '0' && *at <= '9'; at++)
        ticks = ticks * 10 + (uint64_t)(*at - '0');
    clock_gettime(CLOCK_REALTIME, &now);
    clock_gettime(CLOCK_BOOTTIME, &up);
    return (now.tv_sec - up.tv_sec) * 1000000000ll + (now.tv_nsec - up.tv_nsec) +
           (int64_t)(ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK)));
}

/* A process that started after the trace only has the same number. */
static bool process_runs(int fd)
{
    const struct f4p_state *state = read_control(fd) ? newest_state() : NULL;
    if (!state || state->status == F4P_STATUS_EXITED || !state->pid)
        return false;
    int64_t start = process_start_ns(state->pid);
    return start && start <= (int64_t)look.header.start_realtime_ns + SLACK_NS;
}

/* ---- one file ---- */

/* Opens `name` if it is a trace that may be removed at all; look.header and look.st are its own. -1: it is not. */
static int open_trace(const char *name)
{
    struct stat *st = &look.st;
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int fd = (int)syscall(SYS_openat, look.directory, name, flags, 0);

    if (fd < 0)
        return -1;
    /* fstat(3) asks for glibc 2.33 */
    if (syscall(SYS_fstat, fd, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1 && st->st_uid == geteuid() &&
        is_trace(fd))
        return fd;
    syscall(SYS_close, fd);
    return -1;
}

/* Whoever puts another file there in between loses only a name he made himself. */
static bool unlink_at(int directory, const char *name, uint64_t device, uint64_t inode)
{
    static struct stat st;
    return syscall(SYS_newfstatat, directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == device &&
           st.st_ino == inode && S_ISREG(st.st_mode) && syscall(SYS_unlinkat, directory, name, 0) == 0;
}

bool f4p_retain_unlink(const char *path, uint64_t device, uint64_t inode)
{
    return unlink_at(AT_FDCWD, path, device, inode);
}

/* The lock is kept until the file is gone: nobody can attach in between without noticing. */
static bool remove_unused(int fd, const char *name)
{
    return syscall(SYS_flock, fd, LOCK_EX | LOCK_NB) == 0 && !process_runs(fd) &&
           unlink_at(look.directory, name, look.st.st_dev, look.st.st_ino);
}

/* ---- one directory ---- */

static bool open_directory(const char *path)
{
    static char directory[PATH_MAX];
    size_t bytes = (size_t)(f4p_names_base(path) - path);

    if (bytes >= sizeof(directory))
        return false;
    memcpy(directory, bytes ? path : ".", bytes ? bytes : 1);
    directory[bytes ? bytes : 1] = 0;
    look.directory = (int)syscall(SYS_openat, AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return look.directory >= 0;
}

static void for_each(const char *pattern, void (*found)(const char *name, void *context), void *context)
{
    long got;

    look.looked_at = 0;
    while (look.looked_at < F4P_RETAIN_NAMES &&
           (got = syscall(SYS_getdents64, look.directory, look.entries, sizeof(look.entries))) > 0)
        for (long at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(look.entries + at);
            if ((entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) && f4p_names_family(pattern, entry->d_name))
                found(entry->d_name, context);
            at += entry->d_reclen;
            look.looked_at++;
        }
}

/* Keeps the oldest, in order. */
static void note_old(const char *name)
{
    int64_t modified = look.st.st_mtim.tv_sec * 1000000000ll + look.st.st_mtim.tv_nsec;
    unsigned at = look.old_count;

    if (at == F4P_RETAIN_OLDEST && look.oldest[at - 1].modified_ns <= modified)
        return;
    if (at == F4P_RETAIN_OLDEST)
        at--;
    else
        look.old_count++;
    for (; at && look.oldest[at - 1].modified_ns > modified; at--)
        look.oldest[at] = look.oldest[at - 1];
    look.oldest[at] = (struct old){
        .device = look.st.st_dev, .inode = look.st.st_ino, .bytes = (uint64_t)look.st.st_size, .modified_ns = modified};
    strcpy(look.oldest[at].name, name);
}

static void count_one(const char *name, void *context)
{
    (void)context;
    int fd = open_trace(name);
    if (fd < 0)
        return;
    look.count++;
    look.total += (uint64_t)look.st.st_size;
    note_old(name);
    syscall(SYS_close, fd);
}

unsigned f4p_retain_make_room(const char *path, const char *pattern, uint64_t bytes, uint64_t max_traces,
                              uint64_t max_total)
{
    int saved = errno;
    unsigned removed = 0;

    if ((!max_traces && !max_total) || !open_directory(path))
        return 0;
    look.count = look.total = look.old_count = 0;
    for_each(pattern, count_one, NULL);
    for (unsigned i = 0; i < look.old_count; i++) {
        const struct old *old = &look.oldest[i];
        if ((!max_traces || look.count < max_traces) && (!max_total || look.total + bytes <= max_total))
            break;
        int fd = open_trace(old->name);
        if (fd < 0)
            continue;
        if (look.st.st_ino == old->inode && look.st.st_dev == old->device && remove_unused(fd, old->name)) {
            look.count--;
            look.total -= old->bytes;
            removed++;
        }
        syscall(SYS_close, fd);
    }
    syscall(SYS_close, look.directory);
    errno = saved;
    return removed;
}

/* ---- one job ---- */

struct job {
    const uint8_t *id;
    uint64_t over;
    unsigned removed;
};

static void end_one(const char *name, void *context)
{
    struct job *job = context;
    int fd = open_trace(name);
    if (fd < 0)
        return;
    if (memcmp(look.header.job_id, job->id, sizeof(look.header.job_id)) == 0 && f4p_retain_peak(fd) <= job->over &&
        remove_unused(fd, name))
        job->removed++;
    syscall(SYS_close, fd);
}

unsigned f4p_retain_end_job(const char *path, const char *pattern, const uint8_t job_id[16], uint64_t over)
{
    struct job job = {job_id, over, 0};
    int saved = errno;

    if (open_directory(path)) {
        for_each(pattern, end_one, &job);
        syscall(SYS_close, look.directory);
    }
    errno = saved;
    return job.removed;
}
