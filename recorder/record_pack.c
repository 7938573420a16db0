#include "recorder/record_pack.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format/layout.h"

#define LOOK_NS 2000000

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
    int null = open("/dev/null", O_RDWR), score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    snprintf(option, sizeof(option), "--pack=%s", file);
    if (score >= 0 && write(score, "1000", 4) < 0)
        close(score);
    for (int i = 0; i < 3; i++)
        if (null < 0 || dup2(null, i) < 0)
            _exit(127);
    setpgid(0, 0);
    execve(analyzer, arguments, environment);
    _exit(127);
}

void f4p_launch_pack(const struct f4p_launch_trace *trace)
{
    static char analyzer[PATH_MAX];
    struct timespec pause = {0, LOOK_NS};
    if (trace->fd < 0 || !has_stacks(trace) || access(trace->file, W_OK) != 0 || !find_analyzer(analyzer))
        return;
    pid_t child = fork();
    if (child == 0)
        run_analyzer(analyzer, trace->file);
    for (uint64_t waited = 0; child > 0 && waitpid(child, NULL, WNOHANG) == 0; waited += LOOK_NS) {
        if (waited > F4P_PACK_SECONDS * 1000000000ull) {
            kill(-child, SIGKILL);
            waitpid(child, NULL, 0);
            return;
        }
        nanosleep(&pause, NULL);
    }
}
