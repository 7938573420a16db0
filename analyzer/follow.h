/* --follow where there is no terminal, or a face was asked for: the same report again and again, until the job is over.
 */
#ifndef FIL4PROD_FOLLOW_H
#define FIL4PROD_FOLLOW_H

#include "report.h"

/* What a look does, as without --follow. Each returns 0 or an exit status, having said why. */
struct f4p_follow_steps {
    int (*open)(const struct f4p_options *options, struct f4p_job *job, size_t *base_from);
    int (*show)(const struct f4p_options *options, struct f4p_job *job, size_t base_from, struct f4p_report *report);
};

/**
 * Shows `report` of `job`, and then, every options->follow_s seconds, what has become of them: both are replaced and
 * stay the caller's. Returns when the job is over, its last report shown, or the reader has gone: 0, or the exit status
 * of a step that failed.
 */
int f4p_follow(const struct f4p_options *options, struct f4p_job *job, size_t base_from, struct f4p_report *report,
               const struct f4p_follow_steps *steps);

#endif
