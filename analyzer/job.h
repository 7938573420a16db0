/* The traces of a run: files and directories as named, and what belongs to them. */
#ifndef FIL4PROD_JOB_H
#define FIL4PROD_JOB_H

#include "format/reader.h"
#include "symbols.h"

#define F4P_MAX_TRACES 64u

struct f4p_job {
    struct f4p_trace *traces[F4P_MAX_TRACES];
    char *paths[F4P_MAX_TRACES];
    struct f4p_symbols *symbols[F4P_MAX_TRACES];
    const struct f4p_symbol_options *symbol_options; /* set before traces are added; NULL: those in the traces only */
    size_t count;
    size_t left_out;                                  /* traces found beyond the limit */
    void (*progress)(size_t count, const char *path); /* before each trace is read, `count` are; NULL: nobody asks */
};

/**
 * Adds `path`: a trace, with the traces NAME.* beside it that carry the same job id (other processes of the job), or a
 * directory, with all traces in it. Of a process that cannot be opened `error` says why: -1 if it was named, or if a
 * directory has no trace.
 */
int f4p_job_add(struct f4p_job *job, const char *path, struct f4p_error *error);
void f4p_job_close(struct f4p_job *job);

#endif
