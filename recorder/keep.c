#include "keep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "retain.h"

#pragma weak on_exit /* musl has none: with a symbol missing its programs would not start */

static struct {
    char path[PATH_MAX];
    uint64_t device, inode, over;
    bool on;
    pid_t pid; /* of whom the trace is; a forked child inherits all this */
    bool ended;
} keep;

void f4p_keep_exit(int status)
{
    int saved = errno;

    if (keep.on && status == 0 && keep.ended && keep.pid == (pid_t)syscall(SYS_getpid)) /* a vforked child is another */
        f4p_retain_unlink(keep.path, keep.device, keep.inode);
    errno = saved;
}

/* Runs after all destructors, for the constructor registered it before the C library registered those. */
static void at_exit(int status, void *context)
{
    (void)context;
    f4p_keep_exit(status);
}

void f4p_keep_start(const struct f4p_config *config)
{
    keep.over = config->keep_over;
    keep.on = config->keep_over != F4P_KEEP_ALWAYS && !config->attach_pid && on_exit;
    if (keep.on)
        on_exit(at_exit, NULL);
}

void f4p_keep_made(const char *path, int fd)
{
    static struct stat st;

    keep.pid = 0;
    keep.ended = false;
    if (syscall(SYS_fstat, fd, &st) != 0) /* fstat(3) asks for glibc 2.33 */
        return;
    strcpy(keep.path, path);
    keep.device = st.st_dev;
    keep.inode = st.st_ino;
    keep.pid = getpid();
}

void f4p_keep_ended(uint64_t peak)
{
    keep.ended = peak <= keep.over;
}
