/* dense -- lines of float64 numbers, reflections and checks: what the files of this room share; not for others. */
#ifndef MICROTOME_LINALG_DENSE_H
#define MICROTOME_LINALG_DENSE_H
#include "base/mem.h"
#include "linalg/linalg.h"
#include <float.h>
#include <math.h>

/* x . y in eight strided partial sums and one fixed tree (a compiler may keep them in vectors: same bits).
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
double dense_dot(const double *x, const double *y, int64_t n);

/* sqrt(a a + b b) without overflow or underflow; from operations that are the same everywhere (hypot is libm's).
 *
 * [err: none | owns: nothing | thread: any | cost: a square root] */
double dense_hypot(double a, double b);

/* y += f x;  x = c x - s y and y = s x + c y.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
void dense_add(double *y, double f, const double *x, int64_t n);
void dense_rotate(double *x, double *y, double c, double s, int64_t n);

/* The reflection H = I - tau v v' that takes x to (alpha, 0, ..); v, with v[0] = 1, replaces x.  tau 0: H = I.  Returns
 * alpha, whose sign is the opposite of x[0]'s.  dense_mirror: x = H x.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
double dense_reflection(double *x, int64_t n, double *tau);
void dense_mirror(double *x, const double *v, double tau, int64_t n);

/* The power of two that brings the largest magnitude in a into [0.5, 1); 1 where all is zero.
 *
 * [err: RANGE for a NaN or an infinity, saying where | owns: nothing | thread: any | cost: O(m n)] */
status dense_scale(double *scale, const double *a, int64_t m, int64_t n, const char *who,
                   error *err);

/* out [n, m] = a' times f.
 *
 * [err: none | owns: nothing | thread: any | cost: O(m n)] */
void dense_transpose(double *out, const double *a, double f, int64_t m, int64_t n);

/* order[]: the indices of value[n], largest first, equal ones as they came.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n^2) comparisons at worst] */
void dense_order(int64_t *order, const double *value, int64_t n);

/* -1 when the entry of largest magnitude (the first of equal ones) is negative, else 1; entries `step` apart.
 *
 * [err: none | owns: nothing | thread: any | cost: O(n)] */
double dense_sign(const double *x, int64_t n, int64_t step);

#endif
/* SPDX-License-Identifier: MIT */
