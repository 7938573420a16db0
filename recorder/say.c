#include "say.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define BIT(number) (UINT64_C(1) << ((number)-1))
#define RAISED (BIT(SIGPIPE) | BIT(SIGXFSZ)) /* by a write, for the thread that writes */
#define ERRORS 2

static struct {
    bool known;
    dev_t device;
    ino_t inode;
} errors;

/* Plain system calls: those of the C library are cancellation points, and malloc is none. */
static bool look(struct stat *st)
{
    return syscall(SYS_fstat, ERRORS, st) == 0;
}

void f4p_say_start(void)
{
    struct stat st;
    errors.known = look(&st);
    if (errors.known) {
        errors.device = st.st_dev;
        errors.inode = st.st_ino;
    }
}

/* A daemon closes its descriptors, and the number may be that of its data now; a pipe may be full, or nobody reads it.
 */
static bool can_be_written(void)
{
    struct stat st;
    struct pollfd fd = {ERRORS, POLLOUT, 0};
    struct timespec at_once = {0, 0};
    return errors.known && look(&st) && st.st_dev == errors.device && st.st_ino == errors.inode &&
           syscall(SYS_ppoll, &fd, 1L, &at_once, NULL, 8L) == 1 && fd.revents == POLLOUT;
}

void f4p_say_write(const struct iovec *parts, int count)
{
    uint64_t quiet = RAISED | BIT(SIGTTOU), before = 0, pending = 0, raised = 0;
    struct timespec at_once = {0, 0};

    if (!can_be_written() || syscall(SYS_rt_sigprocmask, SIG_BLOCK, &quiet, &before, 8L) != 0 ||
        syscall(SYS_rt_sigpending, &pending, 8L) != 0)
        return;
    syscall(SYS_writev, ERRORS, parts, (long)count);
    raised = RAISED & ~pending;
    while (raised && syscall(SYS_rt_sigtimedwait, &raised, NULL, &at_once, 8L) > 0)
        ;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8L);
}
