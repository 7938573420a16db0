#include "recorder/record_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/layout.h"
#include "recorder/clock.h"

#define SECOND_NS 1000000000ull

static bool has_stacks(const struct f4p_launch_trace *trace)
{
    const struct f4p_section *control = f4p_layout_find(&trace->header, F4P_SECTION_CONTROL);
    struct f4p_state state;
    for (int i = 0; i < 2; i++) {
        off_t at = (off_t)(control->offset + offsetof(struct f4p_control, state) + (size_t)i * sizeof(state));
        if (pread(trace->fd, &state, sizeof(state), at) == (ssize_t)sizeof(state) && state.commit && state.nodes)
            return true;
    }
    return false;
}

static bool find_analyzer(char to[PATH_MAX])
{
    ssize_t bytes = readlink("/proc/self/exe", to, PATH_MAX - 32);
    if (bytes <= 0)
        return false;
    to[bytes] = 0;
    strcpy(strrchr(to, '/') + 1, "fil4prod-analyze");
    return access(to, X_OK) == 0;
}

/* Nothing of the command's environment: a preloaded library, a path for libraries. Where memory is short this process
 * is the one to go. */
static void run_analyzer(const char *analyzer, const char *file)
{
    char option[PATH_MAX + 8];
    char *const arguments[] = {(char *)"fil4prod-analyze", (char *)"-q", option, (char *)file, NULL};
    char *const environment[] = {(char *)"LC_ALL=C", NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDWR), score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    int streams[3] = {null, null, null}, ends[2];
    snprintf(option, sizeof(option), "--pack=%s", file);
    if (score >= 0 && write(score, "1000", 4) < 0)
        close(score);
    if (null < 0 && pipe(ends) == 0) { /* a root without devices; what it says fits into a pipe */
        streams[0] = ends[0];
        streams[1] = streams[2] = ends[1];
    }
    for (int i = 0; i < 3; i++)
        if (streams[i] < 0 || dup2(streams[i], i) < 0)
            _exit(127);
    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(analyzer, arguments, environment);
    _exit(127);
}

/* false: it still runs when `budget_ns` is over, or somebody wants an end. */
static bool wait_for(pid_t child, uint64_t budget_ns)
{
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    uint64_t due = f4p_clock_ns(CLOCK_MONOTONIC) + budget_ns;
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        sigaddset(&set, signals[i]);
    for (;;) {
        pid_t ended = waitpid(child, NULL, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return true;
        uint64_t now = f4p_clock_ns(CLOCK_MONOTONIC), left = due > now ? due - now : 0;
        struct timespec timeout = {(time_t)(left / SECOND_NS), (long)(left % SECOND_NS)};
        int signal = left ? sigtimedwait(&set, NULL, &timeout) : -1;
        if (!left || (signal > 0 && signal != SIGCHLD))
            return false;
    }
}

static uint64_t budget(uint64_t asked_ns)
{
    if (!asked_ns)
        return F4P_PACK_SECONDS * SECOND_NS;
    return f4p_clock_ns(CLOCK_MONOTONIC) - asked_ns < F4P_PACK_PATIENCE_SECONDS * SECOND_NS
               ? F4P_PACK_ASKED_SECONDS * SECOND_NS
               : 0;
}

void f4p_launch_pack(const struct f4p_launch_trace *trace, uint64_t asked_ns, bool quiet)
{
    static char analyzer[PATH_MAX];
    uint64_t budget_ns = budget(asked_ns);
    if (trace->fd < 0 || !has_stacks(trace) || access(trace->file, W_OK) != 0 || !find_analyzer(analyzer))
        return;
    pid_t child = budget_ns ? fork() : -1;
    if (child == 0)
        run_analyzer(analyzer, trace->file);
    if (child < 0 && budget_ns)
        return;
    if (child > 0) {
        setpgid(child, child); /* whichever is first */
        if (wait_for(child, budget_ns))
            return;
        kill(-child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (!quiet)
        fprintf(stderr,
                "fil4prod: %s: no time to put names of native frames into it: fil4prod-analyze --pack does, on this "
                "machine\n",
                trace->file);
}
