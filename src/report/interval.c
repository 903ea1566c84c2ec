/* interval -- see interval.h. */
#include "report/interval.h"
#include "base/mem.h"
#include "base/rand.h"
#include <math.h>
#include <stdlib.h>

double sample_mean(const double *x, int64_t n)
{
    if (n < 1) return NAN;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

double sample_sd(const double *x, int64_t n, double mean)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : 0;
}

double sample_quantile(const double *ascending, int64_t n, double q)
{
    if (n < 1) return NAN;
    double at = q * (double)(n - 1);
    if (!(at > 0)) return ascending[0];
    int64_t below = (int64_t)at;
    if (below >= n - 1) return ascending[n - 1];
    double part = at - (double)below;
    return ascending[below] + part * (ascending[below + 1] - ascending[below]);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static status check_sample(const double *x, int64_t n, double level, error *err)
{
    if (n < 2) {
        error_set(err, E_RANGE, "interval: %lld samples, expected at least 2", (long long)n);
        error_hint(err, "give more prompts or pairs; one sample says nothing of its spread");
        return E_RANGE;
    }
    if (!(level > 0 && level < 1))
        return error_set(err, E_RANGE, "interval: level %g is not between 0 and 1", level);
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return error_set(err, E_RANGE, "interval: sample %lld is %g", (long long)i, x[i]);
    return E_OK;
}

static void resample_means(double *mean, const double *x, int64_t n, uint64_t seed, uint32_t stream)
{
    for (int64_t b = 0; b < INTERVAL_RESAMPLES; b++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += x[rand_below(seed, stream, (uint64_t)b * (uint64_t)n + (uint64_t)i, n)];
        mean[b] = sum / (double)n;
    }
}

static void resample_ratios(double *ratio, const double *x, const double *per, int64_t n,
                            uint64_t seed, uint32_t stream)
{
    double whole = sample_mean(x, n) / sample_mean(per, n);
    for (int64_t b = 0; b < INTERVAL_RESAMPLES; b++) {
        double sum = 0, all = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t k = rand_below(seed, stream, (uint64_t)b * (uint64_t)n + (uint64_t)i, n);
            sum += x[k], all += per[k];
        }
        ratio[b] = all > 0 ? sum / all : whole; /* units of nothing only */
    }
}

/* From the drawn estimates, which are sorted. */
static void fill_interval(interval *out, double *drawn, double estimate, int64_t n, double level,
                          uint64_t seed, const char *stream, const char *method)
{
    qsort(drawn, INTERVAL_RESAMPLES, sizeof *drawn, by_value);
    *out = (interval){
        .estimate = estimate,
        .low = sample_quantile(drawn, INTERVAL_RESAMPLES, (1 - level) / 2),
        .high = sample_quantile(drawn, INTERVAL_RESAMPLES, (1 + level) / 2),
        .level = level,
        .n = n,
        .n_resample = INTERVAL_RESAMPLES,
        .seed = seed,
        .stream = stream,
        .method = method,
    };
}

status interval_bootstrap(interval *out, const double *x, int64_t n, double level, uint64_t seed,
                          const char *stream, error *err)
{
    status st = check_sample(x, n, level, err);
    if (st != E_OK) return st;
    size_t bytes = INTERVAL_RESAMPLES * sizeof(double);
    double *mean = mem_resize(NULL, 0, bytes);
    if (!mean) return error_set(err, E_NOMEM, "interval: out of memory");
    resample_means(mean, x, n, seed, rand_stream(stream));
    fill_interval(out, mean, sample_mean(x, n), n, level, seed, stream,
                  "percentile bootstrap of the mean");
    mem_free(mean, bytes);
    return E_OK;
}

static status check_ratio(const double *per, int64_t n, error *err)
{
    bool any = false;
    for (int64_t i = 0; i < n; i++) {
        if (!(per[i] >= 0 && isfinite(per[i])))
            return error_set(err, E_RANGE, "interval: sample %lld counts %g times", (long long)i,
                             per[i]);
        any |= per[i] > 0;
    }
    return any ? E_OK : error_set(err, E_RANGE, "interval: no sample counts");
}

status interval_ratio(interval *out, const double *x, const double *per, int64_t n, double level,
                      uint64_t seed, const char *stream, error *err)
{
    status st = check_sample(x, n, level, err);
    if (st == E_OK) st = check_ratio(per, n, err);
    if (st != E_OK) return st;
    size_t bytes = INTERVAL_RESAMPLES * sizeof(double);
    double *ratio = mem_resize(NULL, 0, bytes);
    if (!ratio) return error_set(err, E_NOMEM, "interval: out of memory");
    resample_ratios(ratio, x, per, n, seed, rand_stream(stream));
    fill_interval(out, ratio, sample_mean(x, n) / sample_mean(per, n), n, level, seed, stream,
                  "percentile bootstrap of a ratio of sums");
    mem_free(ratio, bytes);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
