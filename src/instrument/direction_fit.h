/* direction_fit -- directions that tell two sets of vectors apart, and how well one does: numbers only, no model.
 *
 *     mean        theta = mean of the positive - mean of the negative rows
 *     mass_mean   pinv(S) theta, S the pooled within-class covariance (divided by n); eigenvalues below `atol` count as
 *                 zero (Marks and Tegmark 2023).  For two Gaussian classes with one covariance it is the LDA direction
 *     pca         the first right singular vector of the differences d_i = positive i - negative i, not centred: centring
 *                 would take away the mean difference, which is what is looked for
 *     repe        the first principal component of the same differences with every second one turned round, centred
 *                 (Zou et al. 2023)
 *
 * x is [n, d]; y[i] says that row i is positive; the i-th positive row and the i-th negative one are a pair.  Vectors of
 * pca and repe have length 1 and point to the positive rows. */
#ifndef MICROTOME_INSTRUMENT_DIRECTION_FIT_H
#define MICROTOME_INSTRUMENT_DIRECTION_FIT_H
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum fit_how { FIT_MEAN, FIT_MASS_MEAN, FIT_PCA, FIT_REPE, FIT_COUNT } fit_how;
extern const char *const fit_name[FIT_COUNT];

/* What else is known of a fit: shares of the first two components (pca, repe; else NaN), and how many of the d
 * dimensions were kept (mass_mean; else d). */
typedef struct fit_facts {
    double share[2];
    int64_t n_kept;
} fit_facts;

/* Fit; v [d].  Needs a row of each kind.
 *
 * [err: NOMEM, RANGE (one kind only, not finite), as linalg_symmetric | owns: nothing | thread: any | cost: n d; n d^2 + 6 d^3 for mass_mean; n^2 d + 6 min(n, d)^3 for pca and repe] */
status fit_direction(double *v, fit_how how, const double *x, const bool *y, int64_t n, int64_t d,
                     double atol, fit_facts *facts, error *err);

/* The same for a control with other labels, cheaply: mass_mean by `total`, the inverse of the covariance of all rows (the
 * direction is the same: the two covariances differ by a multiple of theta theta'); pca and repe by the power method.
 * fit_total makes that inverse.
 *
 * [err: as fit_direction | owns: nothing | thread: any | cost: n d, d^2, or some hundred times n d] */
status fit_control(double *v, fit_how how, const double *x, const bool *y, int64_t n, int64_t d,
                   const double *total, error *err);
status fit_total(double *total, const double *x, int64_t n, int64_t d, double atol, error *err);

/* Rows on v, into score [n]; the middle between the two means of `score`, which is where rows are told apart; the share of
 * pairs (one of each kind) that are in the right order, ties a half; the share of rows on the right side of `middle`.
 *
 * [err: NaN where a kind is missing | owns: nothing | thread: any | cost: n d; n; n^2; n] */
void fit_project(double *score, const double *v, const double *x, int64_t n, int64_t d);
double fit_middle(const double *score, const bool *y, int64_t n);
double fit_auroc(const double *score, const bool *y, int64_t n);
double fit_accuracy(const double *score, const bool *y, int64_t n, double middle);

#endif
/* SPDX-License-Identifier: MIT */
