/*
 * Runs a command as if the kernel were older than Linux 6.7: PAGEMAP_SCAN, an ioctl, is not known to it.
 *
 *   prog_old_kernel COMMAND...         it fails with ENOTTY, as an unknown ioctl does
 *   prog_old_kernel kill COMMAND...    who asks is killed: the control
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct scan {
    uint64_t words[12];
};
#define SCAN _IOWR('f', 16, struct scan)

int main(int argc, char **argv)
{
    int kills = argc > 1 && !strcmp(argv[1], "kill");
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)SCAN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, kills ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | ENOTTY),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (argc < 2 + kills || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0)) {
        perror("prog_old_kernel");
        return 3;
    }
    execvp(argv[1 + kills], argv + 1 + kills);
    perror(argv[1 + kills]);
    return 127;
}
