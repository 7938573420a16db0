#include "recorder/record_others.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/record_tree.h"

#define MAX_BYTES 8192   /* of the list of processes: a thousand and more */
#define LARGE (4u << 20) /* bytes of RSS that make one worth a name */
#define MAX_NAMED 16     /* records of a run: they are never taken back */

static unsigned named;
static long last_named;

static void name(struct f4p_launch_trace *trace, long pid)
{
    char command[128];

    if (pid == last_named || named == MAX_NAMED)
        return;
    named++;
    last_named = pid;
    f4p_launch_tree_command((pid_t)pid, trace->redact, command, sizeof(command));
    f4p_launch_trace_fact_text(trace, F4P_FACT_ID_OTHER, command);
}

/* The list of process ids, as a string; "": none. Without stdio: no memory is taken while the command runs short of it.
 */
static const char *read_list(const struct f4p_vitals_source *source)
{
    static char path[F4P_VITALS_PATH + 32], list[MAX_BYTES];
    size_t used = 0;
    ssize_t got;

    snprintf(path, sizeof(path), "%.*s/cgroup.procs", (int)source->own_bytes, source->own);
    int fd = source->own_bytes ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return "";
    while (used < sizeof(list) - 1 && (got = read(fd, list + used, sizeof(list) - 1 - used)) > 0)
        used += (size_t)got;
    close(fd);
    list[used] = 0;
    return list;
}

void f4p_launch_others_look(struct f4p_launch_trace *trace, const struct f4p_vitals_source *source,
                            struct f4p_vitals *facts)
{
    uint64_t largest = 0;
    long who = 0;
    char *end;

    for (const char *at = read_list(source); *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at)
            break;
        if (pid <= 0 || f4p_launch_tree_has((pid_t)pid)) /* 0: of another pid namespace */
            continue;
        uint64_t rss = f4p_launch_tree_rss_of((pid_t)pid);
        if (rss > largest) {
            largest = rss;
            who = pid;
        }
    }
    f4p_vitals_set(facts, F4P_VITAL_other_rss, largest);
    f4p_vitals_set(facts, F4P_VITAL_other_pid, (uint64_t)who);
    if (largest >= LARGE)
        name(trace, who);
}
