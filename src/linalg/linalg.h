/* linalg -- factorisations of dense float64 matrices, in one fixed order of operations.
 *
 * A matrix is row-major and contiguous, a [m, n]; k is min(m, n).  Outputs may not overlap inputs.  Where a
 * factor's sign is free it is fixed here, and what is sorted is sorted with the largest first, so that the
 * same matrix gives the same bits everywhere.  A NaN or an infinity in it is refused (RANGE).  Sizes may be 0.
 *
 * Errors are of the size of rounding times the largest entry (norm-wise).  linalg_svd gives more: singular
 * values of a matrix whose columns, scaled to length 1, are well conditioned are right to nearly all digits
 * each, however small (down to 1e-140 of the largest). */
#ifndef MICROTOME_LINALG_LINALG_H
#define MICROTOME_LINALG_LINALG_H
#include "base/pool.h"
#include <stdint.h>

/* c [m, n] = a b, a b', a' b: a is [m, p], [m, p], [p, m]; b is [p, n], [n, p], [p, n].  Each element over p
 * ascending, from zero.
 *
 * [err: NOMEM | owns: nothing | thread: any | cost: m n p] */
typedef enum linalg_form { LINALG_AB, LINALG_ABT, LINALG_ATB } linalg_form;
status linalg_product(double *c, const double *a, const double *b, int64_t m, int64_t p, int64_t n,
                      linalg_form form, error *err);

/* The same on a pool's threads (NULL: on the caller's), with the same bits.
 *
 * [err: NOMEM | owns: nothing | thread: the pool's caller | cost: m n p] */
status linalg_product_on(pool *threads, double *c, const double *a, const double *b, int64_t m,
                         int64_t p, int64_t n, linalg_form form, error *err);

/* Frobenius norm of n numbers, without overflow or underflow on the way.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
double linalg_norm(const double *a, int64_t n);

/* a = q r by Householder reflections: q [m, k] with orthonormal columns, r [k, n] upper triangular, its
 * diagonal not negative.  q may be NULL.
 *
 * [err: NOMEM RANGE | owns: nothing | thread: any | cost: 2 m n k] */
status linalg_qr(double *q, double *r, const double *a, int64_t m, int64_t n, error *err);

/* a = l l': l [n, n] lower triangular, its diagonal positive.  Only the lower triangle of a is read.
 *
 * [err: RANGE (not positive definite: says at which row) | owns: nothing | thread: any | cost: n^3 / 3] */
status linalg_cholesky(double *l, const double *a, int64_t n, error *err);

/* a = u diag(s) vt: s [k] descending and not negative, u [m, k] with orthonormal columns, vt [k, n] with orthonormal
 * rows (numpy's U, S, Vh, full_matrices=False).  Each column of u has its entry of largest magnitude (the
 * first of equal ones) positive.  u and vt may be NULL.  One-sided Jacobi after QR with column pivoting.
 *
 * [err: NOMEM RANGE; LIMIT when 60 sweeps do not do it | owns: nothing | thread: any | cost: about 40 k^3 + 4 m n k] */
status linalg_svd(double *u, double *s, double *vt, const double *a, int64_t m, int64_t n,
                  error *err);

/* a symmetric (its upper triangle is read): value [n] descending; row i of vector [n, n] is the eigenvector of
 * value[i], of length 1, its entry of largest magnitude (the first of equal ones) positive.  vector may be
 * NULL.  Householder tridiagonalisation, then implicit QL.
 *
 * [err: NOMEM RANGE; LIMIT when 60 steps an eigenvalue do not do it | owns: nothing | thread: any | cost: about 6 n^3] */
status linalg_symmetric(double *value, double *vector, const double *a, int64_t n, error *err);

/* Eigenvalues of any square a, re[i] + im[i] i: by descending magnitude, then real part, then imaginary part; complex
 * ones come in pairs, exactly conjugate.  Balanced, Hessenberg form, double-shift QR.
 *
 * [err: NOMEM RANGE; LIMIT when 60 steps an eigenvalue do not do it | owns: nothing | thread: any | cost: about 10 n^3] */
status linalg_eigenvalues(double *re, double *im, const double *a, int64_t n, error *err);

#endif
/* SPDX-License-Identifier: MIT */
