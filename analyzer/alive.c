/* Whether the process of a trace runs on this machine now. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "verdict.h"

/* The recorder keeps the file mapped: a process that maps it is the one, whatever happened to pids since. */
static enum f4p_alive maps_file(uint32_t pid, const struct stat *file)
{
    char path[64], line[512];
    enum f4p_alive alive = F4P_ALIVE_NO;
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return errno == ENOENT || errno == ESRCH ? F4P_ALIVE_NO : F4P_ALIVE_UNKNOWN;
    while (alive == F4P_ALIVE_NO && fgets(line, sizeof line, maps)) {
        unsigned high, low;
        unsigned long long inode;
        if (sscanf(line, "%*x-%*x %*4s %*x %x:%x %llu", &high, &low, &inode) != 3)
            continue;
        if (inode == file->st_ino && high == major(file->st_dev) && low == minor(file->st_dev))
            alive = F4P_ALIVE_YES;
    }
    if (ferror(maps)) /* without an error, nothing at all: it has ended and was not waited for yet */
        alive = F4P_ALIVE_UNKNOWN;
    fclose(maps);
    return alive;
}

enum f4p_alive f4p_probe_alive(const struct f4p_trace *trace)
{
    char host[256] = "";
    struct stat file;
    uint32_t pid = trace->state.pid ? trace->state.pid : trace->has_launch ? trace->launch.pid : 0;
    const char *recorded = f4p_trace_fact_text(trace, F4P_FACT_ID_HOST);
    if (trace->has_launch && trace->launch.status == F4P_LAUNCH_ENDED)
        return F4P_ALIVE_NO;
    if (!pid || !*trace->path || stat(trace->path, &file) || gethostname(host, sizeof host - 1))
        return F4P_ALIVE_UNKNOWN;
    if (*recorded && strcmp(host, recorded))
        return F4P_ALIVE_UNKNOWN;
    if (kill((pid_t)pid, 0) && errno == ESRCH)
        return F4P_ALIVE_NO;
    return maps_file(pid, &file);
}
