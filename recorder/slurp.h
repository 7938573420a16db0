/* The start of a small file, as those in /proc. */
#ifndef FIL4PROD_SLURP_H
#define FIL4PROD_SLURP_H

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/**
 * At most `room` bytes, as many as one read gives; returns how many, 0 if it cannot be read. By plain system calls:
 * those of the C library are cancellation points, and malloc is none.
 */
static inline size_t f4p_slurp(const char *path, char *to, size_t room)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    long bytes = syscall(SYS_read, fd, to, room);
    syscall(SYS_close, fd);
    return bytes > 0 ? (size_t)bytes : 0;
}

#endif
