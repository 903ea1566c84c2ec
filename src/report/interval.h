/* interval -- what a sample says: mean, quantile, and a bootstrap interval of the mean.
 *
 * Every sum is taken in ascending order and every draw is Philox (base/rand.h), so the same
 * sample, seed and stream give the same bits on every machine. */
#ifndef MICROTOME_REPORT_INTERVAL_H
#define MICROTOME_REPORT_INTERVAL_H
#include "base/error.h"
#include <stdint.h>

enum { INTERVAL_RESAMPLES = 2000 };

typedef struct interval {
    double estimate, low, high;
    double level; /* 0.95: covers the mean in 95 of 100 such samples, if they are independent */
    int64_t n;    /* sample size */
    int64_t n_resample; /* 0: not a bootstrap */
    uint64_t seed;
    const char *stream; /* of the random numbers; borrowed */
    const char *method; /* static */
} interval;

/* Sum in ascending order, divided by n; NaN when n is 0.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
double sample_mean(const double *x, int64_t n);

/* The root of the sum of squared distances from `mean` over n - 1, summed in the sample's order; 0 when n is below 2.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
double sample_sd(const double *x, int64_t n, double mean);

/* The q-quantile (0..1) of an ascending sample: linear between the neighbours of q*(n-1)
 * (Hyndman and Fan's definition 7); NaN when n is 0.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
double sample_quantile(const double *ascending, int64_t n, double q);

/* Percentile bootstrap of the mean: INTERVAL_RESAMPLES means of n draws with replacement; draw i of
 * resample b is x[rand_below(seed, stream, b*n + i, n)]; low and high are the (1-level)/2 and
 * (1+level)/2 quantiles of those means.
 *
 *   level   within (0, 1)
 *   stream  names the random numbers; kept by *out                    (borrowed)
 *
 * [err: RANGE (n < 2, a NaN or infinity in x, level), NOMEM | owns: nothing | thread: any | cost: O(2000 n)] */
status interval_bootstrap(interval *out, const double *x, int64_t n, double level, uint64_t seed,
                          const char *stream, error *err);

/* The same of a ratio, sum of x / sum of per: units are drawn whole, so that those with more of `per` (tokens of a
 * window) count more.  estimate: of the sample itself.
 *
 * [err: RANGE (n < 2, a number that is not finite, per < 0 or all 0, level), NOMEM | owns: nothing | thread: any | cost: O(2000 n)] */
status interval_ratio(interval *out, const double *x, const double *per, int64_t n, double level,
                      uint64_t seed, const char *stream, error *err);

#endif
/* SPDX-License-Identifier: MIT */
