/* direction_fit -- see direction_fit.h. */
#include "instrument/direction_fit.h"
#include "base/mem.h"
#include "linalg/linalg.h"
#include <math.h>
#include <string.h>

const char *const fit_name[FIT_COUNT] = { "mean", "mass_mean", "pca", "repe" };

static status nomem(error *err) { return error_set(err, E_NOMEM, "direction: out of memory"); }

/* ---- means and covariances ---- */

/* The mean of one kind's rows; how many they are. */
static int64_t kind_mean(double *mean, const double *x, const bool *y, bool kind, int64_t n,
                         int64_t d)
{
    int64_t count = 0;
    memset(mean, 0, (size_t)d * sizeof *mean);
    for (int64_t i = 0; i < n; i++) {
        if (y && y[i] != kind) continue;
        count++;
        for (int64_t j = 0; j < d; j++) mean[j] += x[i * d + j];
    }
    for (int64_t j = 0; j < d; j++) mean[j] /= (double)count;
    return count;
}

static status check_kinds(const bool *y, int64_t n, error *err)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += y[i];
    if (count && count < n) return E_OK;
    return error_set(err, E_RANGE, "direction: %lld of %lld rows are positive, expected both kinds",
                     (long long)count, (long long)n);
}

static status fit_mean(double *v, const double *x, const bool *y, int64_t n, int64_t d, error *err)
{
    arena mem = { 0 };
    double *other = arena_array(&mem, d, sizeof *other);
    if (!other) return nomem(err);
    kind_mean(v, x, y, true, n, d), kind_mean(other, x, y, false, n, d);
    for (int64_t j = 0; j < d; j++) v[j] -= other[j];
    arena_release(&mem);
    return E_OK;
}

/* Rows less the mean of their kind, or of all where y is NULL; and their covariance, divided by n. */
static status covariance(double *s, const double *x, const bool *y, int64_t n, int64_t d,
                         error *err)
{
    arena mem = { 0 };
    double *mean = arena_array(&mem, 2 * d, sizeof *mean),
           *rest = arena_array(&mem, n * d, sizeof *rest);
    status st = mean && rest ? E_OK : nomem(err);
    if (st == E_OK) {
        kind_mean(mean, x, y, false, n, d);
        if (y) kind_mean(mean + d, x, y, true, n, d);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                rest[i * d + j] = x[i * d + j] - mean[(y && y[i] ? d : 0) + j];
        st = linalg_product(s, rest, rest, d, n, d, LINALG_ATB, err);
        for (int64_t k = 0; k < d * d; k++) s[k] /= (double)n;
    }
    arena_release(&mem);
    return st;
}

/* inverse = sum over eigenvalues above atol of 1/value vector vector'. */
static status invert(double *inverse, const double *s, int64_t d, double atol, int64_t *n_kept,
                     error *err)
{
    arena mem = { 0 };
    double *value = arena_array(&mem, d, sizeof *value),
           *vector = arena_array(&mem, d * d, sizeof *vector),
           *scaled = arena_array(&mem, d * d, sizeof *scaled);
    status st = value && vector && scaled ? linalg_symmetric(value, vector, s, d, err) : nomem(err);
    int64_t kept = 0;
    while (st == E_OK && kept < d && value[kept] > atol) kept++;
    for (int64_t i = 0; st == E_OK && i < kept; i++)
        for (int64_t j = 0; j < d; j++) scaled[i * d + j] = vector[i * d + j] / value[i];
    if (st == E_OK) st = linalg_product(inverse, scaled, vector, d, kept, d, LINALG_ATB, err);
    arena_release(&mem);
    *n_kept = kept;
    return st;
}

static status fit_mass_mean(double *v, const double *x, const bool *y, int64_t n, int64_t d,
                            double atol, fit_facts *facts, error *err)
{
    arena mem = { 0 };
    double *theta = arena_array(&mem, d, sizeof *theta), *s = arena_array(&mem, d * d, sizeof *s),
           *inverse = arena_array(&mem, d * d, sizeof *inverse);
    status st = theta && s && inverse ? fit_mean(theta, x, y, n, d, err) : nomem(err);
    if (st == E_OK) st = covariance(s, x, y, n, d, err);
    if (st == E_OK) st = invert(inverse, s, d, atol, &facts->n_kept, err);
    if (st == E_OK) st = linalg_product(v, inverse, theta, d, d, 1, LINALG_AB, err);
    if (st == E_OK && !facts->n_kept) {
        st = error_set(err, E_RANGE, "direction: no variance within the two kinds is above %g",
                       atol);
        error_hint(err, "a smaller --atol where the values are small, or --method mean,pca");
    }
    arena_release(&mem);
    return st;
}

status fit_total(double *total, const double *x, int64_t n, int64_t d, double atol, error *err)
{
    arena mem = { 0 };
    int64_t kept;
    double *s = arena_array(&mem, d * d, sizeof *s);
    status st = s ? covariance(s, x, NULL, n, d, err) : nomem(err);
    if (st == E_OK) st = invert(total, s, d, atol, &kept, err);
    arena_release(&mem);
    return st;
}

/* ---- differences ---- */

/* Differences of pairs; every second one turned round and all centred, for repe.  How many. */
static int64_t differences(double *out, fit_how how, const double *x, const bool *y, int64_t n,
                           int64_t d)
{
    int64_t a = 0, b = 0, k = 0;
    for (;; a++, b++, k++) {
        while (a < n && !y[a]) a++;
        while (b < n && y[b]) b++;
        if (a >= n || b >= n) break;
        double sign = how == FIT_REPE && k % 2 ? -1 : 1;
        for (int64_t j = 0; j < d; j++) out[k * d + j] = sign * (x[a * d + j] - x[b * d + j]);
    }
    for (int64_t j = 0; how == FIT_REPE && j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < k; i++) mean += out[i * d + j];
        for (int64_t i = 0; i < k; i++) out[i * d + j] -= mean / (double)k;
    }
    return k;
}

/* Length 1, towards the positive rows. */
static void orient(double *v, const double *x, const bool *y, int64_t n, int64_t d)
{
    double norm = linalg_norm(v, d), side = 0;
    int64_t n_positive = 0;
    for (int64_t i = 0; i < n; i++) n_positive += y[i];
    for (int64_t i = 0; i < n; i++) {
        double dot = 0;
        for (int64_t j = 0; j < d; j++) dot += v[j] * x[i * d + j];
        side += y[i] ? dot / (double)n_positive : -dot / (double)(n - n_positive);
    }
    for (int64_t j = 0; norm > 0 && j < d; j++) v[j] *= (side < 0 ? -1 : 1) / norm;
}

/* The first right singular vector of q [k, d] and the shares of the squared singular values, by the eigenvectors of the
 * smaller of q q' and q' q. */
static status first_vector(double *v, const double *q, int64_t k, int64_t d, double share[2],
                           error *err)
{
    arena mem = { 0 };
    int64_t m = k < d ? k : d;
    double *gram = arena_array(&mem, m * m, sizeof *gram),
           *value = arena_array(&mem, m, sizeof *value),
           *vector = arena_array(&mem, m * m, sizeof *vector), sum = 0;
    status st = gram && value && vector ? E_OK : nomem(err);
    if (st == E_OK && k < d) st = linalg_product(gram, q, q, k, d, k, LINALG_ABT, err);
    else if (st == E_OK) st = linalg_product(gram, q, q, d, k, d, LINALG_ATB, err);
    if (st == E_OK) st = linalg_symmetric(value, vector, gram, m, err);
    if (st == E_OK && k < d) st = linalg_product(v, vector, q, 1, k, d, LINALG_AB, err);
    else if (st == E_OK) memcpy(v, vector, (size_t)d * sizeof *v);
    for (int64_t i = 0; st == E_OK && i < m; i++) sum += value[i] > 0 ? value[i] : 0;
    for (int i = 0; st == E_OK && i < 2; i++) share[i] = i < m ? value[i] / sum : 0;
    arena_release(&mem);
    return st;
}

/* The same vector by the power method: until it no longer turns, at most 300 steps. */
static void first_by_power(double *v, double *next, const double *q, int64_t k, int64_t d)
{
    kind_mean(v, q, NULL, false, k, d);
    for (int64_t j = 0; j < d; j++) v[j] += 1e-3 * (double)(j % 7 + 1) * (fabs(v[j]) + 1e-9);
    for (int step = 0; step < 300; step++) {
        double turn = 0;
        memset(next, 0, (size_t)d * sizeof *next);
        for (int64_t i = 0; i < k; i++) {
            double dot = 0;
            for (int64_t j = 0; j < d; j++) dot += v[j] * q[i * d + j];
            for (int64_t j = 0; j < d; j++) next[j] += dot * q[i * d + j];
        }
        double norm = linalg_norm(next, d);
        for (int64_t j = 0; norm > 0 && j < d; j++) {
            double to = next[j] / norm;
            turn += fabs(to - v[j]), v[j] = to;
        }
        if (!(norm > 0) || turn < 1e-9) break;
    }
}

static status fit_pca(double *v, fit_how how, const double *x, const bool *y, int64_t n, int64_t d,
                      bool exact, double share[2], error *err)
{
    arena mem = { 0 };
    double *q = arena_array(&mem, (n / 2 + 1) * d, sizeof *q),
           *next = arena_array(&mem, d, sizeof *next);
    if (!q || !next) {
        arena_release(&mem);
        return nomem(err);
    }
    int64_t k = differences(q, how, x, y, n, d);
    status st = E_OK;
    if (exact) st = first_vector(v, q, k, d, share, err);
    else first_by_power(v, next, q, k, d);
    arena_release(&mem);
    if (st == E_OK) orient(v, x, y, n, d);
    return st;
}

/* ---- all of them ---- */

status fit_direction(double *v, fit_how how, const double *x, const bool *y, int64_t n, int64_t d,
                     double atol, fit_facts *facts, error *err)
{
    status st = check_kinds(y, n, err);
    *facts = (fit_facts){ .share = { (double)NAN, (double)NAN }, .n_kept = d };
    if (st != E_OK) return st;
    if (how == FIT_MEAN) return fit_mean(v, x, y, n, d, err);
    if (how == FIT_MASS_MEAN) return fit_mass_mean(v, x, y, n, d, atol, facts, err);
    return fit_pca(v, how, x, y, n, d, true, facts->share, err);
}

status fit_control(double *v, fit_how how, const double *x, const bool *y, int64_t n, int64_t d,
                   const double *total, error *err)
{
    double share[2];
    status st = check_kinds(y, n, err);
    if (st != E_OK) return st;
    if (how >= FIT_PCA) return fit_pca(v, how, x, y, n, d, false, share, err);
    if (how == FIT_MEAN) return fit_mean(v, x, y, n, d, err);
    arena mem = { 0 };
    double *theta = arena_array(&mem, d, sizeof *theta);
    st = theta ? fit_mean(theta, x, y, n, d, err) : nomem(err);
    if (st == E_OK) st = linalg_product(v, total, theta, d, d, 1, LINALG_AB, err);
    arena_release(&mem);
    return st;
}

/* ---- how well it does ---- */

void fit_project(double *score, const double *v, const double *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        score[i] = 0;
        for (int64_t j = 0; j < d; j++) score[i] += v[j] * x[i * d + j];
    }
}

double fit_middle(const double *score, const bool *y, int64_t n)
{
    double sum[2] = { 0 }, count[2] = { 0 };
    for (int64_t i = 0; i < n; i++) sum[y[i]] += score[i], count[y[i]]++;
    return (sum[0] / count[0] + sum[1] / count[1]) / 2;
}

double fit_auroc(const double *score, const bool *y, int64_t n)
{
    double right = 0, all = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            if (!y[i] || y[j]) continue;
            right += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
            all++;
        }
    return right / all;
}

double fit_accuracy(const double *score, const bool *y, int64_t n, double middle)
{
    double right = 0;
    for (int64_t i = 0; i < n; i++) right += y[i] == (score[i] > middle);
    return right / (double)n;
}
/* SPDX-License-Identifier: MIT */
