/* What every face shows: the model with its instants, verdict, limit, losses and gates, found once. */
#ifndef FIL4PROD_REPORT_H
#define FIL4PROD_REPORT_H

#include "ledger.h"
#include "model.h"
#include "options.h"
#include "shape.h"
#include "verdict.h"

struct f4p_gate {
    const struct f4p_gate_option *option;
    char name[320];
    double limit;  /* bytes, or bytes per hour */
    double actual; /* the estimate */
    double sigma;  /* its standard error */
    bool known;    /* there was something to compare */
    bool ok;       /* known, and actual - 2 sigma <= limit */
};

struct f4p_instant_report {
    const char *name; /* as asked for */
    bool known;
    struct f4p_heap heap;
};

struct f4p_report {
    const struct f4p_options *options;
    const struct f4p_job *job;
    struct f4p_model *model;
    const struct f4p_trace *trace; /* the target: the first */
    struct f4p_verdict verdict;
    struct f4p_heap peak, end;
    struct f4p_heap refused; /* when the last request failed, if that ended it; else sums is NULL */
    struct f4p_instant_report at[F4P_MAX_INSTANTS];
    struct f4p_heap before, after; /* of --diff or --base */
    bool compared;
    char before_name[64], after_name[64];
    struct f4p_rss_ledger rss, rss_peak; /* of the target's process: last look, the one with the largest RSS */
    uint64_t limit;                      /* of the cgroup, bytes; 0: none known */
    uint64_t interval;                   /* bytes */
    struct f4p_point *timeline;
    size_t timeline_count;
    struct f4p_shape shape;
    struct f4p_heap shape_start; /* where the climb began; sums is NULL if not known */
    struct f4p_gate gates[F4P_MAX_GATES];
    uint64_t lost; /* samples and records that were lost or damaged */
    bool whole;    /* nothing damaged, nothing torn */
    bool damaged;  /* beyond a torn tail */
};

/** Finds all of it; `base_from`: index of the first trace of the run compared with. 0, or an exit status with one line
 * in `error`. f4p_report_free() in any case. */
int f4p_report_make(struct f4p_report *report, const struct f4p_options *options, const struct f4p_job *job,
                    size_t base_from, char *error, size_t error_bytes);
void f4p_report_free(struct f4p_report *report);

/** Whether two heaps are the same but for what sampling cannot tell. */
bool f4p_report_same(const struct f4p_heap *a, const struct f4p_heap *b);

/* The whole of a comparison. */
struct f4p_change {
    double bytes, error; /* error: 95 % half-width */
    double seconds;      /* between two instants of one run, else 0 */
};

/** Of the groups of r->after against r->before. */
struct f4p_change f4p_report_change(const struct f4p_report *report, const struct f4p_group *groups, size_t count);

/** Why the first trace's recording ended before its process did; NULL: it did not. */
const char *f4p_report_passive(const struct f4p_report *report);

/** Text of a loss, and how often it happened over all traces. */
const char *f4p_loss_text(enum f4p_loss loss);
uint64_t f4p_report_lost(const struct f4p_report *report, enum f4p_loss loss);

#endif
