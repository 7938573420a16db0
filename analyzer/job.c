#include "job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads the header of a regular file that begins like a trace. */
static bool peek(const char *path, struct f4p_header *header)
{
    struct stat st;
    bool found = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && pread(fd, header, sizeof *header, 0) == (ssize_t)sizeof *header)
        found = !memcmp(header->magic, F4P_MAGIC, sizeof header->magic);
    close(fd);
    return found;
}

static bool already(const struct f4p_job *job, const char *path)
{
    struct stat mine, other;
    if (stat(path, &mine))
        return false;
    for (size_t i = 0; i < job->count; i++)
        if (!stat(job->paths[i], &other) && mine.st_ino == other.st_ino && mine.st_dev == other.st_dev)
            return true;
    return false;
}

static int add_file(struct f4p_job *job, const char *path, struct f4p_error *error)
{
    if (already(job, path))
        return 0;
    if (job->count == F4P_MAX_TRACES) {
        job->left_out++;
        return 0;
    }
    char *copy = strdup(path);
    if (!copy) {
        error->code = F4P_READ_MEMORY;
        snprintf(error->text, sizeof error->text, "%s: out of memory", path);
        return -1;
    }
    if (job->progress)
        job->progress(job->count, path);
    if (f4p_trace_open(path, &job->traces[job->count], error)) {
        free(copy);
        return -1;
    }
    if (job->symbol_options) /* without memory for them there are no names */
        f4p_symbols_start(job->traces[job->count], job->symbol_options, &job->symbols[job->count]);
    job->paths[job->count++] = copy;
    while (!job->later && f4p_symbols_take(job->symbols[job->count - 1], -1))
        ;
    return 0;
}

/* Sorted by name, so that the same directory is the same report. */
static int list(const char *directory, struct dirent ***names)
{
    return scandir(*directory ? directory : ".", names, NULL, alphasort);
}

/* Adds what is in `directory`, named PREFIX.* if prefix is not NULL, and, if `job_id` is not NULL, of that job. */
static size_t add_directory(struct f4p_job *job, const char *directory, const char *prefix, const uint8_t *job_id)
{
    struct dirent **names = NULL;
    struct f4p_header header;
    struct f4p_error ignored;
    char path[PATH_MAX];
    size_t added = 0;
    int count = list(directory, &names);
    size_t bytes = prefix ? strlen(prefix) : 0;
    for (int i = 0; i < count; i++) {
        const char *name = names[i]->d_name;
        bool wanted = !prefix || (!strncmp(name, prefix, bytes) && name[bytes] == '.');
        if (wanted && snprintf(path, sizeof path, "%s%s%s", directory, *directory ? "/" : "", name) < PATH_MAX &&
            peek(path, &header) && (!job_id || !memcmp(header.job_id, job_id, sizeof header.job_id)))
            added += add_file(job, path, &ignored) == 0;
        free(names[i]);
    }
    free(names);
    return added;
}

static int add_siblings(struct f4p_job *job, const char *path)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');
    const struct f4p_trace *trace = job->traces[job->count - 1];
    size_t bytes = slash ? (size_t)(slash - path) + (slash == path) : 0;
    if (bytes >= sizeof directory)
        return -1;
    memcpy(directory, path, bytes);
    directory[bytes] = '\0';
    add_directory(job, directory, slash ? slash + 1 : path, trace->header->job_id);
    return 0;
}

int f4p_job_add(struct f4p_job *job, const char *path, struct f4p_error *error)
{
    struct stat st;
    error->code = F4P_READ_OK;
    if (!stat(path, &st) && S_ISDIR(st.st_mode)) {
        if (add_directory(job, path, NULL, NULL))
            return 0;
        error->code = F4P_READ_NOT_TRACE;
        snprintf(error->text, sizeof error->text, "%s: no fil4prod trace in this directory", path);
        return -1;
    }
    size_t before = job->count;
    if (add_file(job, path, error))
        return -1;
    return job->count > before ? add_siblings(job, path) : 0;
}

void f4p_job_close(struct f4p_job *job)
{
    for (size_t i = 0; i < job->count; i++) {
        f4p_trace_close(job->traces[i]);
        f4p_symbols_free(job->symbols[i]);
        job->symbols[i] = NULL;
        free(job->paths[i]);
    }
    job->count = 0;
}

/* ---- names that come later ---- */

/* What first screens show comes first, of all traces. */
static struct f4p_symbols *find_nameless(const struct f4p_job *job)
{
    struct f4p_symbols *found = NULL;
    for (size_t i = 0; i < job->count; i++) {
        struct f4p_symbol_progress progress = {0};
        f4p_symbols_progress(job->symbols[i], &progress);
        if (progress.front)
            return job->symbols[i];
        if (!found && progress.done < progress.all)
            found = job->symbols[i];
    }
    return found;
}

bool f4p_job_name(struct f4p_job *job, int timeout_ms)
{
    return f4p_symbols_take(find_nameless(job), timeout_ms) || find_nameless(job);
}

int f4p_job_names_fd(struct f4p_job *job)
{
    struct f4p_symbols *symbols;
    int fd = -1;
    while (fd < 0 && (symbols = find_nameless(job)))
        fd = f4p_symbols_fd(symbols);
    return fd;
}

struct f4p_symbol_progress f4p_job_progress(const struct f4p_job *job)
{
    struct f4p_symbol_progress progress = {0};
    for (size_t i = 0; i < job->count; i++)
        f4p_symbols_progress(job->symbols[i], &progress);
    return progress;
}

void f4p_job_lend_names(const struct f4p_job *old, struct f4p_job *job)
{
    for (size_t i = 0; i < job->count; i++)
        for (size_t k = 0; k < old->count; k++)
            if (old->symbols[k] && !strcmp(job->paths[i], old->paths[k]) &&
                f4p_symbols_lend(old->symbols[k], job->traces[i]))
                job->symbols[i] = old->symbols[k];
}

void f4p_job_keep_names(struct f4p_job *old, struct f4p_job *job, bool give_back)
{
    for (size_t i = 0; i < job->count; i++) {
        struct f4p_symbols *lent = job->symbols[i];
        if (give_back) {
            job->symbols[i] = NULL;
            continue;
        }
        for (size_t k = 0; lent && k < old->count; k++)
            if (old->symbols[k] == lent)
                old->symbols[k] = NULL;
        if (lent)
            f4p_symbols_move(lent, job->traces[i]);
        else if (job->symbol_options)
            f4p_symbols_start(job->traces[i], job->symbol_options, &job->symbols[i]);
    }
}
