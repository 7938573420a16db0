/*
 * Runs the command as the launcher's child, in its process group and on its terminal, with the signal mask and
 * dispositions the launcher was given; passes signals on, stops and continues with it, and reaps.
 */
#ifndef FIL4PROD_RECORD_RUN_H
#define FIL4PROD_RECORD_RUN_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct f4p_launch_run {
    /* given; all but command may be NULL */
    char **command;
    void *context;
    void (*prepare)(void *context);  /* in the child, before exec: sets its environment */
    void (*started)(void *context);  /* in the parent, when pid is known; the program may not run yet */
    uint64_t (*look)(void *context); /* now and then; returns ns until the next call */
    /* found */
    pid_t pid;
    int exec_errno;    /* not 0: the command could not be run */
    int wait_status;   /* as of waitpid */
    int interrupted;   /* a SIGINT came from the terminal */
    uint64_t asked_ns; /* CLOCK_MONOTONIC when the command was first told to end from outside; 0: it was not */
    struct rusage usage;
    /* private */
    int stopped;     /* the command is */
    int stop_signal; /* that the launcher got itself, at stop_ns; 0: none */
    uint64_t stop_ns;
};

/** Opens descriptors 0 to 2 where they are closed, so that nothing of ours ends up there; the command still finds them
 * closed. */
void f4p_launch_run_guard_streams(void);

/** Runs run->command until it ends. 0, or -errno if it could not even be tried. All signals stay blocked afterwards:
 * one that comes late must not change the exit status. */
int f4p_launch_run(struct f4p_launch_run *run);

#endif
