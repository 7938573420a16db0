#include "recorder/record_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/clock.h"

/* What the launcher was given, for the command. */
struct inherited {
    sigset_t mask;
    struct sigaction child;
};

void f4p_launch_run_guard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDWR | O_CLOEXEC); /* gets the lowest free number: fd */
}

/* ---- starting ---- */

static void restore_signals(const struct inherited *inherited)
{
    sigaction(SIGCHLD, &inherited->child, NULL);
    sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}

static void child(const struct f4p_launch_run *run, const struct inherited *inherited, int report)
{
    if (run->prepare)
        run->prepare(run->context);
    restore_signals(inherited);
    execvp(run->command[0], run->command);
    int error = errno;
    while (write(report, &error, sizeof(error)) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* 0 once the command's program has taken the child over, else its errno. */
static int read_report(int fd)
{
    int error = 0;
    ssize_t got;

    do
        got = read(fd, &error, sizeof(error));
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof(error) ? error : 0;
}

static int start(struct f4p_launch_run *run, const struct inherited *inherited)
{
    int report[2];

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    run->pid = fork();
    if (run->pid < 0) {
        int result = -errno;
        close(report[0]);
        close(report[1]);
        return result;
    }
    if (run->pid == 0) {
        close(report[0]);
        child(run, inherited, report[1]);
    }
    close(report[1]);
    if (run->started)
        run->started(run->context);
    run->exec_errno = read_report(report[0]);
    close(report[0]);
    return 0;
}

/* ---- living with it ---- */

#define STOP_WINDOW_NS 2000000000u

/* Stops the launcher with the command, so that the shell that waits for it notices: once the command has stopped and
 * the launcher has been told to, in either order. A command that somebody stops alone goes on alone: the launcher
 * would miss its SIGCONT. */
static void stop_likewise(struct f4p_launch_run *run)
{
    struct sigaction standard = {.sa_handler = SIG_DFL}, given;
    int signal = run->stop_signal;
    sigset_t only;

    if (!run->stopped || !signal || f4p_clock_ns(CLOCK_MONOTONIC) - run->stop_ns > STOP_WINDOW_NS)
        return;
    run->stop_signal = run->stopped = 0;
    sigemptyset(&only);
    sigaddset(&only, signal);
    sigaction(signal, &standard, &given);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &only, NULL); /* stops here; the SIGCONT that ends it is passed on like any other */
    sigprocmask(SIG_BLOCK, &only, NULL);
    sigaction(signal, &given, NULL);
}

/* What the kernel sends for the terminal, the whole foreground process group gets; and a command that signals its own
 * group has been reached already. Passing those on would deliver them twice. */
static bool reached_command(const struct f4p_launch_run *run, const siginfo_t *info)
{
    if (info->si_code == SI_KERNEL)
        return info->si_signo != SIGALRM && info->si_signo != SIGVTALRM && info->si_signo != SIGPROF;
    return info->si_code <= 0 && info->si_pid != 0 && (info->si_pid == run->pid || info->si_pid == getpid());
}

static bool asks_to_end(int signal)
{
    return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

static void pass_on(struct f4p_launch_run *run, const siginfo_t *info)
{
    if (info->si_signo == SIGCHLD)
        return;
    if (asks_to_end(info->si_signo) && info->si_pid != run->pid && !run->asked_ns)
        run->asked_ns = f4p_clock_ns(CLOCK_MONOTONIC);
    if (info->si_signo == SIGINT && info->si_code == SI_KERNEL)
        run->interrupted = 1;
    if (info->si_signo == SIGTSTP || info->si_signo == SIGTTIN || info->si_signo == SIGTTOU) {
        run->stop_signal = info->si_signo;
        run->stop_ns = f4p_clock_ns(CLOCK_MONOTONIC);
    }
    if (reached_command(run, info))
        return;
    if (info->si_code == SI_QUEUE)
        sigqueue(run->pid, info->si_signo, info->si_value);
    else
        kill(run->pid, info->si_signo);
}

/* Collects what ended or stopped; also orphans, which come to process 1 of a container. true: the command has ended. */
static bool reap(struct f4p_launch_run *run)
{
    struct rusage usage;
    bool ended = false;
    pid_t pid;
    int status;

    while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED, &usage)) > 0) {
        if (pid != run->pid)
            continue;
        if (WIFSTOPPED(status) || WIFCONTINUED(status)) {
            run->stopped = WIFSTOPPED(status);
            continue;
        }
        run->wait_status = status;
        run->usage = usage;
        ended = true;
    }
    return ended;
}

/* Waits for a signal, until `due`; without anything to look at, for ever. */
static int wait_signal(const struct f4p_launch_run *run, const sigset_t *all, siginfo_t *info, uint64_t due)
{
    if (!run->look)
        return sigwaitinfo(all, info);
    uint64_t now = f4p_clock_ns(CLOCK_MONOTONIC), left = due > now ? due - now : 0;
    struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    return sigtimedwait(all, info, &timeout);
}

/* An interrupt that came while the launcher was busy, and that the command may have died of. */
static void collect_interrupt(struct f4p_launch_run *run)
{
    struct timespec now = {0, 0};
    sigset_t only;
    siginfo_t info;

    sigemptyset(&only);
    sigaddset(&only, SIGINT);
    if (sigtimedwait(&only, &info, &now) == SIGINT && info.si_code == SI_KERNEL)
        run->interrupted = 1;
}

static void live(struct f4p_launch_run *run, const sigset_t *all)
{
    uint64_t due = f4p_clock_ns(CLOCK_MONOTONIC);
    siginfo_t info;

    while (!reap(run)) {
        stop_likewise(run);
        if (run->look && f4p_clock_ns(CLOCK_MONOTONIC) >= due)
            due = f4p_clock_ns(CLOCK_MONOTONIC) + run->look(run->context);
        if (wait_signal(run, all, &info, due) > 0)
            pass_on(run, &info);
    }
    collect_interrupt(run);
}

int f4p_launch_run(struct f4p_launch_run *run)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    struct inherited inherited;
    sigset_t all;

    /* Blocked signals wait for sigtimedwait, even those whose disposition is to be ignored, and even for process 1. */
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &inherited.mask);
    sigaction(SIGCHLD, &standard, &inherited.child);
    int result = start(run, &inherited);
    if (result == 0 && run->exec_errno == 0)
        live(run, &all);
    else if (result == 0)
        while (waitpid(run->pid, &run->wait_status, 0) < 0 && errno == EINTR)
            ;
    return result;
}
