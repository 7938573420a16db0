#include "sandbox.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "real.h"
#include "session.h"

static int first_prctl(int operation, long a, long b, long c, long d);

static int (*real_prctl)(int operation, long a, long b, long c, long d) = first_prctl;
long (*f4p_sandbox_syscall)(long number, ...);

static COLD int first_prctl(int operation, long a, long b, long c, long d)
{
    f4p_symbol_function(&real_prctl, "prctl");
    return real_prctl(operation, a, b, c, d);
}

/* Without a filter, with NULL, programs only ask whether there is seccomp. */
static void look_at_prctl(int operation, long mode, long filter)
{
    if (UNLIKELY(operation == PR_SET_SECCOMP) && (mode == SECCOMP_MODE_STRICT || filter))
        f4p_session_end(F4P_PASSIVE_SANDBOX);
}

int f4p_sandbox_prctl(int operation, long a, long b, long c, long d)
{
    look_at_prctl(operation, a, b);
    return real_prctl(operation, a, b, c, d);
}

static long no_syscall(long number, ...)
{
    (void)number;
    errno = ENOSYS;
    return -1;
}

void f4p_sandbox_look(long number, long a, long b, long c)
{
    if (!f4p_sandbox_syscall) {
        long (*found)(long, ...);
        f4p_symbol_function(&found, "syscall");
        f4p_sandbox_syscall = found ? found : no_syscall;
    }
    if (number == SYS_seccomp && (a == SECCOMP_SET_MODE_STRICT || (a == SECCOMP_SET_MODE_FILTER && c)))
        f4p_session_end(F4P_PASSIVE_SANDBOX);
    else if (number == SYS_prctl)
        look_at_prctl((int)a, b, c);
}

/*
 * Not in C: how many arguments there are is not known, the seventh lies in the caller's frame, and a copy of what lies
 * there may be written back when another thread has changed it. So all of it stays where it is.
 */
#ifdef __x86_64__
_Static_assert(SYS_seccomp == 317 && SYS_prctl == 157, "numbers below");
__asm__(".text\n\t"
        ".globl syscall\n\t"
        ".type syscall, @function\n"
        "syscall:\n\t"
        ".cfi_startproc\n\t"
        "movq f4p_sandbox_syscall(%rip), %rax\n\t"
        "testq %rax, %rax\n\t"
        "je 1f\n\t"
        "cmpq $317, %rdi\n\t"
        "je 1f\n\t"
        "cmpq $157, %rdi\n\t"
        "je 1f\n\t"
        "jmp *%rax\n"
        "1:\n\t"
        "pushq %rdi\n\t"
        "pushq %rsi\n\t"
        "pushq %rdx\n\t"
        "pushq %rcx\n\t"
        "pushq %r8\n\t"
        "pushq %r9\n\t"
        "subq $8, %rsp\n\t"
        ".cfi_adjust_cfa_offset 56\n\t"
        "call f4p_sandbox_look\n\t"
        "addq $8, %rsp\n\t"
        "popq %r9\n\t"
        "popq %r8\n\t"
        "popq %rcx\n\t"
        "popq %rdx\n\t"
        "popq %rsi\n\t"
        "popq %rdi\n\t"
        ".cfi_adjust_cfa_offset -56\n\t"
        "jmp *f4p_sandbox_syscall(%rip)\n\t"
        ".cfi_endproc\n\t"
        ".size syscall, .-syscall\n");
#endif
