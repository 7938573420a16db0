/* Source lines for the text: the copy in the trace first, then the file on this machine. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text_private.h"

#define MAX_SOURCE (16l << 20)
#define MAX_LINE 400u

static bool from_trace(const struct f4p_trace *trace, const char *file, uint32_t line, char *out, size_t bytes)
{
    for (size_t i = 0; i < trace->source_count; i++) {
        const struct f4p_source_view *source = &trace->sources[i];
        if (strcmp(source->file, file) || line < source->first_line)
            continue;
        const char *at = source->text;
        for (uint32_t n = source->first_line; n < line && at; n++)
            at = (at = strchr(at, '\n')) ? at + 1 : NULL;
        if (!at || !*at)
            continue;
        snprintf(out, bytes, "%.*s", (int)strcspn(at, "\n"), at);
        return true;
    }
    return false;
}

bool f4p_page_looks_like_source(const char *file)
{
    static const char *const endings[] = {".py",  ".pyx", ".c",  ".h",  ".cc", ".cpp",
                                          ".cxx", ".hpp", ".rs", ".go", ".f90"};
    const char *dot = strrchr(file, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (!strcmp(dot, endings[i]))
            return true;
    return false;
}

static bool from_disk(const char *path, uint32_t line, char *out, size_t bytes, time_t *modified)
{
    struct stat st;
    char text[MAX_LINE + 2];
    uint32_t at = 1;
    bool found = false, begin = true;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    FILE *file = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= MAX_SOURCE ? fdopen(fd, "r") : NULL;
    if (!file) {
        close(fd);
        return false;
    }
    while (!found && fgets(text, sizeof text, file)) {
        size_t length = strcspn(text, "\n");
        if (begin && at == line) {
            snprintf(out, bytes, "%.*s", (int)length, text);
            found = true;
        }
        begin = text[length] == '\n';
        at += begin;
    }
    *modified = st.st_mtime;
    fclose(file);
    return found;
}

bool f4p_page_source(const struct f4p_page *page, const struct f4p_frame *frame, char *out, size_t bytes, bool *changed)
{
    const struct f4p_report *r = page->r;
    const char *file = f4p_model_string(r->model, frame->file);
    const char *cwd = f4p_trace_fact_text(r->trace, F4P_FACT_ID_CWD);
    char path[PATH_MAX];
    time_t modified = 0;
    *changed = false;
    if (r->options->no_source || !frame->line)
        return false;
    for (size_t i = 0; i < r->job->count; i++)
        if (from_trace(r->job->traces[i], file, frame->line, out, bytes))
            return true;
    int used = *file == '/' ? snprintf(path, sizeof path, "%s", file) : snprintf(path, sizeof path, "%s/%s", cwd, file);
    if (used < 0 || used >= (int)sizeof path || *path != '/' || !f4p_page_looks_like_source(path) ||
        !from_disk(path, frame->line, out, bytes, &modified))
        return false;
    *changed = modified > (time_t)(r->model->start_realtime_ns / 1000000000) + 1;
    return true;
}
