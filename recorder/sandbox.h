/*
 * A job that restricts its own system calls (seccomp): ours may kill it from then on. Recording ends just before, with
 * a word about it in the trace; what was recorded stays. A restriction the process was born with (a container's, a
 * service's) ends nothing. Unseen: one made without the C library.
 */
#ifndef FIL4PROD_SANDBOX_H
#define FIL4PROD_SANDBOX_H

#include "attributes.h"

/** What prctl does. */
int f4p_sandbox_prctl(int operation, long a, long b, long c, long d);

/** syscall() of the C library, NULL until f4p_sandbox_look() has been called once. */
extern HIDDEN long (*f4p_sandbox_syscall)(long number, ...);

/** What is to be done before syscall(number, a, b, c, ...). */
HIDDEN void f4p_sandbox_look(long number, long a, long b, long c);

#endif
