/*
 * A process whose rights shrink. usage: limits MODE [ARGUMENT]; allocates before, and much more after.
 *   none, nofile, memlock, address BYTES, data BYTES, fsize, lockall, chroot DIR,
 *   seccomp errno|kill|direct: what an allocator and stdio need stays allowed, all else fails with EPERM or kills;
 *     direct: kills, asked for by syscall()
 *   probe: only asks whether there is seccomp
 *   setuid: prints the real and the effective user
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *kept[1000];

static int allocate(size_t scale)
{
    int good = 0;
    for (size_t i = 0; i < 1000; i++) {
        free(kept[i]);
        kept[i] = malloc(i * scale + 1);
        if (kept[i])
            good += memset(kept[i], 1, i * scale + 1) != NULL;
    }
    return good;
}

static int limit(int resource, rlim_t to)
{
    struct rlimit limits = {to, to};
    return setrlimit(resource, &limits);
}

#define ALLOW(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static int filter(uint32_t otherwise, int direct)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_brk),
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_mremap),
        ALLOW(SYS_mprotect),
        ALLOW(SYS_write),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_exit),
        BPF_STMT(BPF_RET | BPF_K, otherwise),
    };
    struct sock_fprog all = {sizeof(program) / sizeof(program[0]), program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return 1;
    return direct ? (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all)
                  : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all);
}

static int restrict_to(const char *mode, const char *argument)
{
    if (strcmp(mode, "nofile") == 0)
        return limit(RLIMIT_NOFILE, 3);
    if (strcmp(mode, "memlock") == 0)
        return limit(RLIMIT_MEMLOCK, 0);
    if (strcmp(mode, "address") == 0)
        return limit(RLIMIT_AS, strtoull(argument, NULL, 10));
    if (strcmp(mode, "data") == 0)
        return limit(RLIMIT_DATA, strtoull(argument, NULL, 10));
    if (strcmp(mode, "fsize") == 0)
        return limit(RLIMIT_FSIZE, 4096);
    if (strcmp(mode, "lockall") == 0)
        return mlockall(MCL_CURRENT | MCL_FUTURE);
    if (strcmp(mode, "chroot") == 0)
        return chroot(argument) || chdir("/");
    if (strcmp(mode, "seccomp") == 0)
        return filter(strcmp(argument, "errno") == 0 ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS,
                      strcmp(argument, "direct") == 0);
    if (strcmp(mode, "probe") == 0)
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) ||
               syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL);
    if (strcmp(mode, "setuid") == 0)
        printf("users differ: %d, allocates as before\n", getuid() != geteuid());
    return 0;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "none";
    setvbuf(stdout, NULL, _IOFBF, 4096);
    printf("before %d\n", allocate(10));
    fflush(stdout);
    errno = 0;
    int result = restrict_to(mode, argc > 2 ? argv[2] : "");
    printf("%s: %d errno %d\n", mode, result, errno);
    errno = 99;
    int good = allocate(100);
    printf("after %d errno %d\n", good, errno);
    fflush(stdout);
    _exit(0);
}
