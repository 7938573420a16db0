#include "output.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *volatile unfinished; /* for the signal handler */

static volatile sig_atomic_t broken;

void f4p_output_broken(void)
{
    broken = 1;
}

bool f4p_output_is_broken(void)
{
    return broken;
}

void f4p_output_abandon(void)
{
    const char *path = unfinished;
    if (path)
        unlink(path);
}

static int fail(struct f4p_output *output, const char *what, char *error, size_t error_bytes)
{
    snprintf(error, error_bytes, "%s: %s: %s", output->path, what, strerror(errno));
    if (output->temporary)
        unlink(output->temporary);
    unfinished = NULL;
    free(output->temporary);
    output->temporary = NULL;
    return -1;
}

int f4p_output_open(struct f4p_output *output, const char *path, bool force, char *error, size_t error_bytes)
{
    struct stat st;
    *output = (struct f4p_output){.path = path, .force = force};
    if (!strcmp(path, "-")) {
        output->stream = stdout;
        return 0;
    }
    /* A device or a pipe cannot be replaced, and is meant to be written to. */
    bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        output->stream = fopen(path, "we");
        return output->stream ? 0 : fail(output, "cannot write", error, error_bytes);
    }
    if (exists && !force) {
        snprintf(error, error_bytes, "%s: exists; --force overwrites it", path);
        return -1;
    }
    if (asprintf(&output->temporary, "%s.XXXXXX", path) < 0) {
        output->temporary = NULL;
        return fail(output, "cannot write", error, error_bytes);
    }
    int fd = mkstemp(output->temporary);
    if (fd < 0) {
        free(output->temporary);
        output->temporary = NULL;
        return fail(output, "cannot write", error, error_bytes);
    }
    unfinished = output->temporary;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    output->stream = fdopen(fd, "w");
    return output->stream ? 0 : fail(output, "cannot write", error, error_bytes);
}

int f4p_output_close(struct f4p_output *output, char *error, size_t error_bytes)
{
    errno = 0;
    bool bad = ferror(output->stream);
    if (fflush(output->stream))
        bad = true;
    int why = errno;
    if (output->stream != stdout && fclose(output->stream) && !bad) {
        bad = true;
        why = errno;
    }
    errno = why ? why : EIO;
    if (bad && !output->temporary && (broken || why == EPIPE))
        return 0;
    if (bad)
        return fail(output, "cannot write", error, error_bytes);
    if (!output->temporary)
        return 0;
    /* Without --force the name must still be free now. */
    int status = output->force ? rename(output->temporary, output->path) : link(output->temporary, output->path);
    if (status)
        return fail(output, "cannot give the report its name", error, error_bytes);
    if (!output->force)
        unlink(output->temporary);
    unfinished = NULL;
    free(output->temporary);
    output->temporary = NULL;
    return 0;
}
