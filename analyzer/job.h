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
    bool later; /* names are looked for when f4p_job_name() is called, not when traces are added */
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

/* ---- names that come later ---- */

/** Adds names found since to the traces; waits `timeout_ms` for some, a second at most. To be called once a second, see
 * f4p_symbols_take(). false: all is done. */
bool f4p_job_name(struct f4p_job *job, int timeout_ms);
/** Becomes readable when there are some; may be another after each f4p_job_name(). -1: all is done. */
int f4p_job_names_fd(struct f4p_job *job);
/** How far it is. */
struct f4p_symbol_progress f4p_job_progress(const struct f4p_job *job);

/** Gives `job`, opened anew without looking for names, those of `old`. f4p_job_keep_names() follows. */
void f4p_job_lend_names(const struct f4p_job *old, struct f4p_job *job);
/** Takes them over from `old`, which has none then, and goes on looking; or `give_back`. */
void f4p_job_keep_names(struct f4p_job *old, struct f4p_job *job, bool give_back);

#endif
