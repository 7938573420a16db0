/*
 * A job for the gallery of deaths: does what its arguments say, one after the other.
 *
 *   grow:N   takes and touches N MiB in blocks of 256 KiB      eat      the same without end
 *   ask:N    asks for N MiB; refused: exits with status 2      cope:N   the same, goes on
 *   use:N    asks for N MiB and writes to what it got          read:F   reads the file F
 *   rest:N   sleeps for N ms                                   up:F     makes the file F, to say that it got here
 *   join:F   writes itself into F, the cgroup.procs of a cgroup
 *   wait     sleeps until a signal ends it                     on:N     from now on SIGTERM means exit status N
 *   segv     abort     exit:N   leave:N  by _exit            quick:N  by quick_exit
 *   storm:N  allocates without end until a timer's handler leaves by _exit(N)
 *   threads:N starts N threads that allocate without end      vfork:N  has N vforked children, which leave by _exit(9)
 *   last:N   its last destructor leaves by _exit(N), last:segv by a signal; handler:N has a handler of exit end it by
 * exit(N) forbid   from now on a system call other than to end kills it
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define BLOCK ((size_t)256 << 10)

static volatile sig_atomic_t asked, term_status;

static void on_term(int signal)
{
    (void)signal;
    asked = 1;
}

static void grow(size_t blocks)
{
    for (size_t i = 0; i < blocks; i++) {
        char *block = malloc(BLOCK);
        if (!block)
            exit(2);
        memset(block, 1, BLOCK);
        struct timespec pause = {0, 500000};
        nanosleep(&pause, NULL);
    }
}

/* Through a volatile, so that the compiler does not drop the request. */
static char *volatile kept;

static void ask(const char *word, size_t bytes)
{
    kept = malloc(bytes);
    if (*word == 'u')
        memset(kept, 1, 4096);
    if (*word == 'a' && !kept)
        exit(2);
}

static void read_file(const char *path)
{
    static char buffer[65536];
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && read(fd, buffer, sizeof buffer) > 0)
        ;
    close(fd);
}

static void join(const char *path)
{
    int fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, "0", 1) != 1)
        exit(3);
    close(fd);
}

static void wait_for_signal(void)
{
    sigset_t term, before;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, &before);
    while (!asked)
        sigsuspend(&before);
    exit(term_status);
}

static void rest(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static const char *last; /* what the destructor does */
static int handler_status;

__attribute__((destructor(101))) static void at_last(void)
{
    if (last && !strcmp(last, "segv"))
        raise(SIGSEGV);
    else if (last)
        _exit((int)strtol(last, NULL, 10));
}

static void on_end(void)
{
    exit(handler_status);
}

static int storm_status;

static void on_timer(int signal)
{
    (void)signal;
    _exit(storm_status);
}

static void *churn(void *unused)
{
    for (size_t size = 1; size; size = size % 5000 + 7) {
        char *volatile block = malloc(size);
        free(block);
    }
    return unused;
}

static void storm(int status)
{
    struct itimerval soon = {.it_value = {0, 20000 + getpid() % 977}};
    storm_status = status;
    signal(SIGALRM, on_timer);
    setitimer(ITIMER_REAL, &soon, NULL);
    churn(NULL);
}

static void start_threads(long count)
{
    pthread_t thread;
    while (count-- > 0)
        pthread_create(&thread, NULL, churn, NULL);
}

static void have_child(void)
{
    int status;
    pid_t child = vfork();
    if (child == 0)
        _exit(9);
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 9)
        exit(3);
}

static void have_children(long count)
{
    while (count-- > 0)
        have_child();
}

static void forbid(void)
{
    struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                                 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                                 BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
        exit(3);
}

static void act(const char *word)
{
    const char *colon = strchr(word, ':'), *value = colon ? colon + 1 : "";
    long number = strtol(value, NULL, 10);
    if (!strncmp(word, "grow:", 5))
        grow((size_t)number * (MIB / BLOCK));
    else if (!strcmp(word, "eat"))
        grow(SIZE_MAX);
    else if (!strncmp(word, "ask:", 4) || !strncmp(word, "cope:", 5) || !strncmp(word, "use:", 4))
        ask(word, (size_t)number * MIB);
    else if (!strncmp(word, "read:", 5))
        read_file(value);
    else if (!strncmp(word, "join:", 5))
        join(value);
    else if (!strncmp(word, "rest:", 5))
        rest(number);
    else if (!strncmp(word, "up:", 3))
        close(open(value, O_WRONLY | O_CREAT, 0644));
    else if (!strcmp(word, "wait"))
        wait_for_signal();
    else if (!strncmp(word, "on:", 3)) {
        term_status = (sig_atomic_t)number;
        signal(SIGTERM, on_term);
    } else if (!strcmp(word, "segv"))
        raise(SIGSEGV);
    else if (!strcmp(word, "abort"))
        abort();
    else if (!strncmp(word, "exit:", 5))
        exit((int)number);
    else if (!strncmp(word, "leave:", 6))
        _exit((int)number);
    else if (!strncmp(word, "quick:", 6))
        quick_exit((int)number);
    else if (!strncmp(word, "last:", 5))
        last = value;
    else if (!strncmp(word, "handler:", 8)) {
        handler_status = (int)number;
        atexit(on_end);
    } else if (!strncmp(word, "storm:", 6))
        storm((int)number);
    else if (!strncmp(word, "threads:", 8))
        start_threads(number);
    else if (!strncmp(word, "vfork:", 6))
        have_children(number);
    else if (!strcmp(word, "forbid"))
        forbid();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        act(argv[i]);
    return 0;
}
