/*
 * The estimates against the truth: the recorder's own gaps and the real writer, simulated jobs with known heaps. Seeds
 * are fixed, so the outcome is too; the bounds are the product's promise.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/layout.h"
#include "format/random.h"
#include "format/weight.h"
#include "format/writer.h"
#include "recorder/gap.h"
#include "tests/support_run.h"

#define RUNS 2000
#define SITES 4

struct job {
    struct f4p_header header;
    void *base, *memory;
    struct f4p_writer w;
    uint64_t random, left;
    uint8_t shift;
    uint64_t next_address, t_ns;
    uint64_t truth[SITES], blocks[SITES];
    uint32_t site[SITES];
};

static void job_begin(struct job *job, uint64_t interval, uint64_t file_bytes, uint64_t seed)
{
    struct f4p_layout layout = {.file_bytes = file_bytes, .base_interval = interval};
    memset(job, 0, sizeof(*job));
    ck_assert_int_eq(f4p_layout_header(&job->header, &layout), 0);
    job->base = calloc(1, job->header.file_bytes);
    job->memory = calloc(1, f4p_writer_memory(&job->header));
    f4p_writer_init(&job->w, job->base, &job->header, job->memory, seed * 7919);
    job->random = seed;
    job->left = f4p_gap_next(&job->random, interval);
    job->next_address = 4096;
    for (uint32_t i = 0; i < SITES; i++)
        job->site[i] = f4p_writer_site(&job->w, f4p_writer_node(&job->w, F4P_NONE, i, 0), 0);
}

static void job_end(struct job *job)
{
    free(job->base);
    free(job->memory);
}

/* What hooks.c and sample.c do, minus the allocator. Returns the address. */
static uint64_t job_alloc(struct job *job, unsigned site, uint64_t size)
{
    uint64_t address = job->next_address += 16;
    job->t_ns += 1000;
    job->truth[site] += size;
    job->blocks[site]++;
    if (size < job->left) {
        job->left -= size;
        return address;
    }
    struct f4p_block_facts block = {address, size, job->site[site], job->shift, F4P_KIND_MALLOC};
    f4p_writer_alloc(&job->w, &block, job->t_ns);
    job->shift = (uint8_t)job->w.state.shift;
    job->left = f4p_gap_next(&job->random, job->w.base_interval << job->shift);
    return address;
}

static void job_free(struct job *job, unsigned site, uint64_t size, uint64_t address)
{
    job->truth[site] -= size;
    job->blocks[site]--;
    uint32_t index = f4p_writer_find(&job->w, address);
    if (index != F4P_NONE)
        f4p_writer_free(&job->w, index, job->t_ns);
}

/* ---- verdict over many runs ---- */

struct tally {
    unsigned runs, covered;
    double error_sum; /* of (estimate - truth) / truth */
    double block_error_sum;
};

static void tally_add(struct tally *tally, double estimate, double half_width, double truth)
{
    tally->runs++;
    tally->covered += fabs(estimate - truth) <= half_width;
    tally->error_sum += (estimate - truth) / truth;
}

static void tally_job(struct tally *tallies, const struct job *job, double bias)
{
    for (unsigned i = 0; i < SITES; i++) {
        const struct f4p_sums *now = &job->w.sites[job->site[i]].now;
        tally_add(&tallies[i], (double)now->bytes / F4P_Q8 * bias, 1.96 * sqrt((double)now->variance * 256),
                  (double)job->truth[i]);
        tallies[i].block_error_sum +=
            ((double)now->blocks / F4P_Q8 * bias - (double)job->blocks[i]) / (double)job->blocks[i];
    }
}

static bool coverage_holds(const struct tally *tally)
{
    double coverage = (double)tally->covered / tally->runs;
    return coverage >= 0.93 && coverage <= 0.97;
}

static bool bias_holds(const struct tally *tally)
{
    return fabs(tally->error_sum / tally->runs) <= 0.005 && fabs(tally->block_error_sum / tally->runs) <= 0.005;
}

/* ---- jobs ---- */

static uint64_t small_size(uint64_t *random)
{
    return 16 + f4p_random_next(random) % 500;
}

/* Four sites: one size, mixed small sizes, sizes around the interval, and one whose blocks are mostly freed again. */
static void run_mixed(struct job *job, uint64_t *random)
{
    uint64_t interval = job->header.base_interval;
    for (unsigned i = 0; i < 6000; i++) {
        job_alloc(job, 0, 64);
        job_alloc(job, 1, small_size(random));
        if (i % 60 == 0)
            job_alloc(job, 2, interval / 4 + f4p_random_next(random) % (2 * interval));
        uint64_t size = small_size(random), address = job_alloc(job, 3, size);
        if (f4p_random_next(random) % 3)
            job_free(job, 3, size, address);
    }
}

static void simulate(struct tally *tallies, double bias)
{
    static struct job job;
    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t random = run + 1;
        job_begin(&job, 4096, 1 << 20, 1000 + run);
        run_mixed(&job, &random);
        ck_assert_uint_eq(job.w.state.thinned, 0);
        tally_job(tallies, &job, bias);
        job_end(&job);
    }
}

START_TEST(test_sampler_interval_and_bias)
{
    struct tally tallies[SITES] = {{0}};
    simulate(tallies, 1);
    for (unsigned i = 0; i < SITES; i++) {
        const struct tally *t = &tallies[i];
        ck_assert_msg(coverage_holds(t), "site %u: covered %u of %u", i, t->covered, t->runs);
        ck_assert_msg(bias_holds(t), "site %u: bias %g, of blocks %g", i, t->error_sum / t->runs,
                      t->block_error_sum / t->runs);
    }
}
END_TEST

START_TEST(test_sampler_control_biased_weight)
{
    struct tally tallies[SITES] = {{0}};
    simulate(tallies, 1.03);
    for (unsigned i = 0; i < SITES; i++)
        ck_assert_msg(!bias_holds(&tallies[i]), "site %u: a weight 3 %% too high passes", i);
}
END_TEST

/* A heap that outgrows the live table several times over: what is left after thinning still estimates it. */
static void simulate_thinning(struct tally *tallies, unsigned runs)
{
    static struct job job;
    for (unsigned run = 0; run < runs; run++) {
        uint64_t random = run + 1;
        job_begin(&job, 64, 1 << 20, 5000 + run);
        for (unsigned i = 0; i < 20000; i++) {
            job_alloc(&job, 0, 64);
            job_alloc(&job, 1, small_size(&random));
            if (i % 50 == 0)
                job_alloc(&job, 2, 2000 + f4p_random_next(&random) % 4000);
            uint64_t size = small_size(&random), address = job_alloc(&job, 3, size);
            if (f4p_random_next(&random) % 2)
                job_free(&job, 3, size, address);
        }
        ck_assert_uint_gt(job.w.state.thinned, 0);
        ck_assert_uint_eq(job.w.state.lost[F4P_LOSS_live_full], 0);
        tally_job(tallies, &job, 1);
        job_end(&job);
    }
}

START_TEST(test_sampler_thinning_unbiased)
{
    struct tally tallies[SITES] = {{0}};
    simulate_thinning(tallies, 1000);
    for (unsigned i = 0; i < SITES; i++) {
        const struct tally *t = &tallies[i];
        ck_assert_msg(coverage_holds(t), "site %u: covered %u of %u", i, t->covered, t->runs);
        ck_assert_msg(bias_holds(t), "site %u: bias %g, of blocks %g", i, t->error_sum / t->runs,
                      t->block_error_sum / t->runs);
    }
}
END_TEST

/* Adding noise must not add peaks: a heap that stays as it is while it is thinned has its peak before. */
START_TEST(test_sampler_thinning_fakes_no_peak)
{
    static struct job job;
    for (unsigned run = 0; run < 50; run++) {
        job_begin(&job, 64, 1 << 20, 9000 + run);
        for (unsigned i = 0; i < 3000 && !job.w.thinning; i++)
            job_alloc(&job, 0, 512);
        uint64_t peak_seq = job.w.state.peak.seq, seq = job.w.state.seq;
        /* churn far below the peak drives the thinning on */
        for (unsigned i = 0; i < 4000; i++) {
            uint64_t address = job_alloc(&job, 1, 64);
            job_free(&job, 1, 64, address);
        }
        ck_assert_uint_gt(job.w.state.seq, seq);
        ck_assert_uint_le(job.w.state.peak.seq, peak_seq + 64);
        job_end(&job);
    }
}
END_TEST

START_TEST(test_sampler_exact_mode)
{
    static struct job job;
    uint64_t random = 1;
    job_begin(&job, 1, 8 << 20, 1);
    run_mixed(&job, &random);
    for (unsigned i = 0; i < SITES; i++) {
        const struct f4p_sums *now = &job.w.sites[job.site[i]].now;
        ck_assert_uint_eq(now->bytes, job.truth[i] * F4P_Q8);
        ck_assert_uint_eq(now->blocks, job.blocks[i] * F4P_Q8);
        ck_assert_uint_eq(now->samples, job.blocks[i]);
        ck_assert_uint_eq(now->variance, 0);
    }
    job_end(&job);
}
END_TEST

START_TEST(test_weight_sure_above_sixty_intervals)
{
    struct f4p_sums sums = f4p_sample_weight(1 << 30, 4096);
    ck_assert_uint_eq(sums.bytes, (uint64_t)F4P_Q8 << 30);
    ck_assert_uint_eq(sums.variance, 0);
    ck_assert_uint_eq(sums.blocks, F4P_Q8);
}
END_TEST

START_TEST(test_weight_agrees_with_libm)
{
    uint64_t random = 3;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t size = 1 + f4p_random_next(&random) % (1u << (1 + i % 24));
        uint64_t interval = 2 + f4p_random_next(&random) % (1u << (1 + i / 24 % 24));
        double p = -expm1(-(double)size / (double)interval);
        ck_assert_double_le(fabs(f4p_sample_probability(size, interval) - p), p * 1e-13);
        double u = (double)((f4p_random_next(&random) >> 11) + 1) * 0x1p-53;
        ck_assert_double_le(fabs(f4p_neg_log(u) + log(u)), 1e-13);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sampler");
    TCase *statistics = tcase_create("statistics"), *weights = tcase_create("weights");
    tcase_set_timeout(statistics, 300);
    tcase_add_test(statistics, test_sampler_interval_and_bias);
    tcase_add_test(statistics, test_sampler_control_biased_weight);
    tcase_add_test(statistics, test_sampler_thinning_unbiased);
    tcase_add_test(statistics, test_sampler_thinning_fakes_no_peak);
    tcase_add_test(statistics, test_sampler_exact_mode);
    tcase_add_test(weights, test_weight_sure_above_sixty_intervals);
    tcase_add_test(weights, test_weight_agrees_with_libm);
    suite_add_tcase(suite, statistics);
    suite_add_tcase(suite, weights);
    return support_run(suite);
}
