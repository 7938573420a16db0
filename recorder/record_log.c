#include "recorder/record_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_RECORDS 20000 /* looked at: more than the kernel keeps */
#define MAX_LINES 8       /* taken over */

static int log_fd = -1;

void f4p_launch_log_start(void)
{
    log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (log_fd >= 0)
        lseek(log_fd, 0, SEEK_END);
}

/* The message of a record "priority,number,time,flags;message\n key=value\n..."; NULL: none */
static char *message(char *record)
{
    char *text = strchr(record, ';');

    if (text)
        text[strcspn(text, "\n")] = 0;
    return text ? text + 1 : NULL;
}

/* "... Killed process 4711 (python3) ..." or "oom-kill:constraint=...,task=python3,pid=4711,uid=0" */
static bool names(const char *text, pid_t pid)
{
    const char *at = strstr(text, "Killed process ");
    if (at)
        return atol(at + 15) == pid;
    at = strstr(text, ",pid=");
    return at && strstr(text, "oom-kill:") && atol(at + 5) == pid;
}

bool f4p_launch_log_end(struct f4p_launch_trace *trace, pid_t pid)
{
    static char record[8192];
    unsigned lines = 0;
    bool named = false;

    for (int i = 0; log_fd >= 0 && i < MAX_RECORDS; i++) {
        ssize_t got = read(log_fd, record, sizeof(record) - 1);
        if (got < 0 && (errno == EPIPE || errno == EINTR || errno == EINVAL))
            continue; /* overwritten before it was read, or too long */
        if (got <= 0)
            break;
        record[got] = 0;
        const char *text = message(record);
        if (!text || !(strstr(text, "oom-kill:") || strstr(text, "Killed process ")))
            continue;
        bool ours = names(text, pid);
        named |= ours;
        if (lines < MAX_LINES || (ours && lines < 2 * MAX_LINES)) {
            f4p_launch_trace_add(trace, F4P_RECORD_LOG, NULL, 0, text);
            lines++;
        }
    }
    if (log_fd >= 0)
        close(log_fd);
    log_fd = -1;
    return named;
}
