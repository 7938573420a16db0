/*
 * Makes a trace file. A page of a shared mapping that the file system cannot back is a SIGBUS in the job, so the file
 * is really allocated first, and only on file systems where that allocation is a promise. Everything is a plain system
 * call: this runs inside somebody's malloc.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "layout.h"

#define MAX_SUFFIX 9999u

/* Not here, and refused: btrfs, ZFS and bcachefs copy on write, so that allocated blocks promise nothing; NFS, SMB, 9p,
 * Ceph and FUSE can keep the job waiting for a server for ever. */
#define EXT_MAGIC 0xEF53u /* ext2, ext3, ext4 */
#define XFS_MAGIC 0x58465342u
#define TMPFS_MAGIC 0x01021994u
#define RAMFS_MAGIC 0x858458F6u
#define OVERLAYFS_MAGIC 0x794C7630u

static bool known_file_system(uint32_t magic)
{
    return magic == EXT_MAGIC || magic == XFS_MAGIC || magic == TMPFS_MAGIC || magic == RAMFS_MAGIC ||
           magic == OVERLAYFS_MAGIC;
}

static long call(long result)
{
    return result < 0 ? -errno : result;
}

/* Looks at the directory before anything is made in it. */
static int inspect(int directory, const char **warning)
{
    struct statfs fs;
    struct stat st;

    if (fstatfs(directory, &fs) < 0 || syscall(SYS_fstat, directory, &st) < 0) /* fstat(3) asks for glibc 2.33 */
        return -errno;
    uint32_t magic = (uint32_t)fs.f_type;
    if (!known_file_system(magic))
        return -EOPNOTSUPP;
    if (magic == TMPFS_MAGIC || magic == RAMFS_MAGIC)
        *warning = "the trace lies in memory (tmpfs): it is charged to the job's memory limit and a reboot loses it";
    else if (magic == OVERLAYFS_MAGIC)
        *warning = "the trace lies in the container's own layer (overlayfs) and is lost with the container";
    else if (st.st_mode & S_IWOTH && !(st.st_mode & S_ISVTX))
        *warning = "the directory of the trace is writable by everybody: others can replace the file";
    return 0;
}

/* SIGXFSZ is never raised where the limit is respected beforehand. */
static bool limit_allows(uint64_t bytes)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

static int write_zeroes(int fd, uint64_t bytes)
{
    static const char zeroes[F4P_PAGE];
    struct iovec parts[32];
    uint64_t done = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        parts[i] = (struct iovec){(void *)zeroes, sizeof(zeroes)};
    while (done < bytes) {
        uint64_t left = bytes - done;
        int count = (int)(sizeof(parts) / sizeof(parts[0]));
        if (left < (uint64_t)count * F4P_PAGE) /* both are multiples of a page, unless a write was cut short */
            count = (int)(left / F4P_PAGE);
        parts[0].iov_len = count ? F4P_PAGE : left;
        long got = call(syscall(SYS_pwritev, fd, parts, count ? count : 1, (long)done, 0L));
        if (got == -EINTR)
            continue;
        if (got <= 0)
            return got ? (int)got : -ENOSPC;
        done += (uint64_t)got;
    }
    return 0;
}

static int allocate(int fd, uint64_t bytes)
{
    long result;

    do
        result = call(syscall(SYS_fallocate, fd, 0, 0L, (long)bytes));
    while (result == -EINTR);
    return result == -EOPNOTSUPP ? write_zeroes(fd, bytes) : (int)result;
}

/* A job that was started with its standard streams closed must not find its trace there. */
static int above_standard_streams(int fd)
{
    if (fd > 2)
        return fd;
    int higher = (int)call(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3));
    syscall(SYS_close, fd);
    return higher;
}

static unsigned append_number(char *to, unsigned number)
{
    char digits[4];
    unsigned count = 0;

    *to++ = '.';
    for (; number; number /= 10)
        digits[count++] = (char)('0' + number % 10);
    for (unsigned i = 0; i < count; i++)
        to[i] = digits[count - 1 - i];
    to[count] = 0;
    return count + 1;
}

/* Opens a new file; `name` points into `used`, and what it gets appended, too, fits. */
static int open_new(int directory, char *name)
{
    size_t bytes = strlen(name);

    for (unsigned suffix = 0; suffix <= MAX_SUFFIX; suffix++) {
        if (suffix)
            append_number(name + bytes, suffix);
        int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY;
        long fd = call(syscall(SYS_openat, directory, name, flags, 0600));
        if (fd != -EEXIST)
            return (int)fd;
    }
    return -EEXIST;
}

static int fill(int fd, const struct f4p_header *header)
{
    int result = allocate(fd, header->file_bytes);

    if (result == 0) {
        long got = call(syscall(SYS_pwrite64, fd, header, sizeof(*header), 0L));
        result = got == (long)sizeof(*header) ? 0 : got < 0 ? (int)got : -EIO;
    }
    return result;
}

/* Opens the directory part of `used`, which it puts back as it was; *name: the rest. */
static int open_directory(char *used, char **name)
{
    char *slash = strrchr(used, '/');
    const char *directory = !slash ? "." : slash == used ? "/" : used;

    *name = slash ? slash + 1 : used;
    if (!**name)
        return -EISDIR;
    if (slash && slash != used)
        *slash = 0;
    long fd = call(syscall(SYS_openat, AT_FDCWD, directory, O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (slash)
        *slash = '/';
    return (int)fd;
}

static int create_in(int directory, char *name, const struct f4p_header *header, const char **warning)
{
    int result = inspect(directory, warning);

    if (result < 0)
        return result;
    int fd = open_new(directory, name);
    if (fd < 0)
        return fd;
    fd = above_standard_streams(fd);
    if (fd >= 0) {
        result = fill(fd, header);
        if (result == 0)
            return fd;
        syscall(SYS_close, fd);
    } else {
        result = fd;
    }
    syscall(SYS_unlinkat, directory, name, 0);
    return result;
}

int f4p_layout_create(const char *path, const struct f4p_header *header, char *used, unsigned used_bytes,
                      const char **warning)
{
    int saved = errno, result = -ENAMETOOLONG;
    size_t bytes = strlen(path);
    char *name;

    *warning = NULL;
    if (bytes + sizeof(".9999") > used_bytes)
        goto out;
    memcpy(used, path, bytes + 1);
    result = -EFBIG;
    if (!limit_allows(header->file_bytes))
        goto out;
    int directory = open_directory(used, &name);
    result = directory;
    if (directory < 0)
        goto out;
    result = create_in(directory, name, header, warning);
    syscall(SYS_close, directory);
out:
    errno = saved;
    return result;
}

const char *f4p_layout_error(int error)
{
    switch (error < 0 ? -error : error) {
    case EOPNOTSUPP:
        return "this file system cannot promise room for a mapped file (known good: ext4, xfs, tmpfs, overlayfs); "
               "choose another directory";
    case ENOSPC:
        return "no space left for the whole trace; free some, choose another directory or a smaller size";
    case EDQUOT:
        return "disk quota exceeded; choose another directory or a smaller size";
    case EFBIG:
        return "larger than the limit on file sizes (ulimit -f); raise it or choose a smaller size";
    case EROFS:
        return "read-only file system; choose another directory";
    case EACCES:
    case EPERM:
        return "permission denied; choose a directory that the job may write to";
    case ENOENT:
        return "no such directory; make it or choose another one";
    case ENOTDIR:
        return "part of the path is not a directory";
    case EISDIR:
        return "names a directory; name a file in it";
    case EEXIST:
        return "name taken, and 9999 others like it; remove old traces";
    case ENAMETOOLONG:
        return "name too long";
    case ELOOP:
        return "too many symbolic links in the path";
    case EMFILE:
    case ENFILE:
        return "no file descriptor free";
    case ENOMEM:
        return "out of memory";
    case EINVAL:
        return "size or interval out of range";
    case EIO:
        return "input/output error";
    default:
        return "the file cannot be made there";
    }
}
