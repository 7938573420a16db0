#include "tui_source.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES (16l << 20)
#define MAX_LINES 1000000u

void f4p_source_free(struct f4p_source_text *source)
{
    for (size_t i = 0; i < source->owned_count; i++)
        free(source->owned[i]);
    free(source->owned);
    free(source->lines);
    memset(source, 0, sizeof *source);
}

static int put_line(struct f4p_source_text *source, uint32_t line, char *text)
{
    if (!line || line > MAX_LINES)
        return -1;
    if (line > source->count) {
        char **bigger = realloc(source->lines, line * sizeof *bigger);
        if (!bigger)
            return -1;
        memset(bigger + source->count, 0, (line - source->count) * sizeof *bigger);
        source->lines = bigger;
        source->count = line;
    }
    source->lines[line - 1] = text;
    return 0;
}

/* Takes `text` over and cuts it into lines. */
static void put_text(struct f4p_source_text *source, char *text, uint32_t first)
{
    char **bigger = text ? realloc(source->owned, (source->owned_count + 1) * sizeof *bigger) : NULL;
    if (!bigger) {
        free(text);
        return;
    }
    source->owned = bigger;
    source->owned[source->owned_count++] = text;
    while (text && *text && !put_line(source, first, text)) {
        char *end = strchr(text, '\n');
        if (end)
            *end++ = '\0';
        text = end;
        first++;
    }
}

static char *read_file(const char *path, time_t *modified)
{
    struct stat st;
    char *text = NULL;
    size_t used = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MAX_BYTES)
        text = malloc((size_t)st.st_size + 1);
    for (ssize_t got; text && used < (size_t)st.st_size; used += (size_t)got)
        if ((got = read(fd, text + used, (size_t)st.st_size - used)) <= 0)
            break;
    if (text)
        text[used] = '\0';
    *modified = text ? st.st_mtime : 0;
    close(fd);
    return text;
}

/* Whether the file says what the trace's copy of some lines says. */
static bool agrees(const char *disk, const struct f4p_source_view *copy)
{
    for (uint32_t line = 1; line < copy->first_line; line++) {
        disk = strchr(disk, '\n');
        if (!disk)
            return false;
        disk++;
    }
    size_t bytes = strlen(copy->text);
    while (bytes && copy->text[bytes - 1] == '\n')
        bytes--;
    return !strncmp(disk, copy->text, bytes);
}

/* Copies in the traces; how many, and whether the disk agrees with all. */
static size_t from_traces(struct f4p_source_text *source, const struct f4p_tui *tui, const char *file, const char *disk,
                          bool *same, bool put)
{
    size_t found = 0;
    *same = true;
    for (size_t i = 0; i < tui->job->count; i++)
        for (size_t j = 0; j < tui->job->traces[i]->source_count; j++) {
            const struct f4p_source_view *copy = &tui->job->traces[i]->sources[j];
            if (strcmp(copy->file, file))
                continue;
            found++;
            *same = *same && disk && agrees(disk, copy);
            if (put)
                put_text(source, strdup(copy->text), copy->first_line);
        }
    return found;
}

void f4p_source_load(struct f4p_source_text *source, const struct f4p_tui *tui, const char *file)
{
    const char *cwd = f4p_trace_fact_text(tui->report->trace, F4P_FACT_ID_CWD);
    char path[PATH_MAX];
    time_t modified = 0;
    bool same;
    f4p_source_free(source);
    int used = *file == '/' ? snprintf(path, sizeof path, "%s", file) : snprintf(path, sizeof path, "%s/%s", cwd, file);
    char *disk = tui->options->no_source || used < 0 || used >= (int)sizeof path || *path != '/' ||
                         !f4p_page_looks_like_source(path)
                     ? NULL
                     : read_file(path, &modified);
    size_t copies = from_traces(source, tui, file, disk, &same, false);
    if (copies && !same) {
        from_traces(source, tui, file, NULL, &same, true);
        source->doubtful = disk != NULL;
        snprintf(source->note, sizeof source->note,
                 disk ? "the trace's copy; the file on this machine DIFFERS" : "the trace's copy");
        free(disk);
        return;
    }
    source->doubtful =
        !disk || (!copies && modified > (time_t)(tui->report->model->start_realtime_ns / 1000000000) + 1);
    if (!disk)
        snprintf(source->note, sizeof source->note, "no text: not in the trace, and no such source on this machine");
    else if (source->doubtful)
        snprintf(source->note, sizeof source->note, "this machine's file, NEWER than the run: lines may have moved");
    put_text(source, disk, 1);
}
