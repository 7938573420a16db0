#include "recorder/record_tree.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/redact.h"

#define MAX_MEMBERS 256
#define MAX_PROCESSES 8192 /* of the machine, that one scan looks at */
#define MAX_LISTED 64      /* recorded */
#define LARGE (16u << 20)  /* bytes of RSS that make a member worth recording */
#define UNKNOWN_STATUS (-1)
#define COMMAND_BYTES 128

struct member {
    pid_t pid, parent;
    uint64_t t_ns, max_rss;
    char command[COMMAND_BYTES]; /* read when it became large */
};

static struct {
    struct member members[MAX_MEMBERS];
    unsigned count, listed;
    pid_t command;
    DIR *proc;
} tree;

static struct {
    pid_t pid, parent;
} processes[MAX_PROCESSES];

static ssize_t read_process(pid_t pid, const char *name, char *to, size_t room)
{
    char path[64];
    ssize_t got = -1;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        got = read(fd, to, room - 1);
        close(fd);
    }
    to[got > 0 ? got : 0] = 0;
    return got;
}

/* "pid (name) state parent ..."; the name may hold anything. */
static pid_t read_parent(pid_t pid)
{
    char text[512];
    const char *close_bracket;
    int parent = 0;

    if (read_process(pid, "stat", text, sizeof(text)) > 0 && (close_bracket = strrchr(text, ')')))
        if (sscanf(close_bracket + 1, " %*c %d", &parent) != 1)
            return 0;
    return parent;
}

static bool is_member(pid_t pid)
{
    for (unsigned i = 0; i < tree.count; i++)
        if (tree.members[i].pid == pid)
            return true;
    return false;
}

static void join(pid_t pid, pid_t parent, uint64_t t_ns)
{
    if (tree.count < MAX_MEMBERS)
        tree.members[tree.count++] = (struct member){.pid = pid, .parent = parent, .t_ns = t_ns};
}

void f4p_launch_tree_start(pid_t pid, uint64_t t_ns)
{
    tree.count = tree.listed = 0;
    tree.command = pid;
    if (!tree.proc)
        tree.proc = opendir("/proc");
    join(pid, getpid(), t_ns);
}

static unsigned list_processes(void)
{
    const struct dirent *entry;
    unsigned count = 0;

    if (!tree.proc)
        return 0;
    rewinddir(tree.proc);
    while (count < MAX_PROCESSES && (entry = readdir(tree.proc))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        processes[count].pid = atoi(entry->d_name);
        processes[count].parent = read_parent(processes[count].pid);
        count++;
    }
    return count;
}

void f4p_launch_tree_scan(uint64_t t_ns)
{
    unsigned count = list_processes(), before;

    do { /* children may come before their parents */
        before = tree.count;
        for (unsigned i = 0; i < count; i++)
            if (is_member(processes[i].parent) && !is_member(processes[i].pid))
                join(processes[i].pid, processes[i].parent, t_ns);
    } while (tree.count > before);
}

bool f4p_launch_tree_has(pid_t pid)
{
    return pid == getpid() || is_member(pid);
}

uint64_t f4p_launch_tree_rss_of(pid_t pid)
{
    char text[128];
    unsigned long pages = 0;

    if (read_process(pid, "statm", text, sizeof(text)) <= 0 || sscanf(text, "%*u %lu", &pages) != 1)
        return 0;
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

void f4p_launch_tree_command(pid_t pid, const char *redact, char *to, size_t room)
{
    char list[COMMAND_BYTES];
    ssize_t got = read_process(pid, "cmdline", list, sizeof(list));

    got = (ssize_t)f4p_redact(to, room, list, got > 0 ? (size_t)got : 0, redact);
    while (got > 0 && !to[got - 1])
        got--;
    if (got <= 0)
        *to = 0;
    for (ssize_t i = 0; i < got; i++)
        if (!to[i])
            to[i] = ' ';
}

static void record(struct f4p_launch_trace *trace, const struct member *member, int wait_status)
{
    struct f4p_process process = {.pid = (uint32_t)member->pid,
                                  .ppid = (uint32_t)member->parent,
                                  .t_ns = member->t_ns,
                                  .max_rss = member->max_rss,
                                  .wait_status = wait_status};

    if (member->max_rss < LARGE || tree.listed >= MAX_LISTED)
        return;
    tree.listed++;
    f4p_launch_trace_add(trace, F4P_RECORD_PROCESS, &process, sizeof(process), member->command);
}

uint64_t f4p_launch_tree_rss(struct f4p_launch_trace *trace)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < tree.count;) {
        struct member *member = &tree.members[i];
        uint64_t rss = f4p_launch_tree_rss_of(member->pid);
        if (rss == 0 && member->pid != tree.command) {
            record(trace, member, UNKNOWN_STATUS);
            *member = tree.members[--tree.count];
            continue;
        }
        if (rss >= LARGE && member->max_rss < LARGE)
            f4p_launch_tree_command(member->pid, trace->redact, member->command, sizeof(member->command));
        if (rss > member->max_rss)
            member->max_rss = rss;
        sum += rss;
        i++;
    }
    return sum;
}

void f4p_launch_tree_end(struct f4p_launch_trace *trace, int wait_status)
{
    for (unsigned i = 0; i < tree.count; i++)
        record(trace, &tree.members[i], tree.members[i].pid == tree.command ? wait_status : UNKNOWN_STATUS);
    if (tree.proc)
        closedir(tree.proc);
    tree.proc = NULL;
    tree.count = 0;
}
