/* symmetric -- eigenvalues and vectors of a symmetric matrix: Householder tridiagonal form, then implicit QL with
 * Wilkinson's shift (EISPACK tred2 and tql2; Golub and Van Loan, 8.3).
 *
 * Vectors are kept as rows, so that a rotation of two of them runs through memory. */
#include "linalg/dense.h"
#include <string.h>

enum { STEPS = 60, PATIENT = 15 }; /* for one number; most take two or three */

typedef struct symmetric {
    int64_t n;
    double *a;     /* [n, n] both triangles; row k ends as reflection k's v, from column k + 1 on */
    double *tau;   /* [n] */
    double *d, *e; /* [n] the diagonal, and beside it: e[i] is between i and i + 1 */
    double *p;     /* [n] */
    double *z;     /* [n, n] rows turn into eigenvectors; NULL: not wanted */
} symmetric;

/* a -= v w' + w v' on the rest after k: both triangles, the same bits in each. */
static void tridiagonalise(symmetric *f)
{
    int64_t n = f->n;
    for (int64_t k = 0; k + 1 < n; k++) {
        int64_t rest = n - k - 1;
        double *v = f->a + k * n + k + 1, *w = f->p;
        f->e[k] = dense_reflection(v, rest, &f->tau[k]);
        if (f->tau[k] == 0) continue;
        for (int64_t i = 0; i < rest; i++)
            w[i] = f->tau[k] * dense_dot(f->a + (k + 1 + i) * n + k + 1, v, rest);
        dense_add(w, -0.5 * f->tau[k] * dense_dot(w, v, rest), v, rest);
        for (int64_t i = 0; i < rest; i++) {
            double *row = f->a + (k + 1 + i) * n + k + 1, vi = v[i], wi = w[i];
            for (int64_t j = 0; j < rest; j++) row[j] -= vi * w[j] + wi * v[j];
        }
    }
    for (int64_t i = 0; i < n; i++) f->d[i] = f->a[i * n + i];
}

/* z = the product of the reflections, transposed. */
static void gather(symmetric *f)
{
    int64_t n = f->n;
    for (int64_t i = 0; i < n; i++) {
        memset(f->z + i * n, 0, (size_t)n * sizeof *f->z);
        f->z[i * n + i] = 1;
    }
    for (int64_t k = n - 1; k-- > 0;)
        for (int64_t i = k + 1; i < n; i++) /* rows up to k are still unit vectors before it */
            dense_mirror(f->z + i * n + k + 1, f->a + k * n + k + 1, f->tau[k], n - k - 1);
}

/* The end of the block that starts at l: the first i >= l whose e[i] counts as zero, which `least` always does. */
static int64_t block_end(const symmetric *f, int64_t l, double least)
{
    int64_t i = l;
    for (; i + 1 < f->n; i++)
        if (fabs(f->e[i]) <= DBL_EPSILON * (fabs(f->d[i]) + fabs(f->d[i + 1])) + least) break;
    return i;
}

/* The rounding of what is largest in the block l..m, which every step spreads over all of it. */
static double rounding_of(const symmetric *f, int64_t l, int64_t m)
{
    double most = 0;
    for (int64_t i = l; i <= m; i++) most = fmax(most, fabs(f->d[i]) + (i < m ? fabs(f->e[i]) : 0));
    return DBL_EPSILON * most;
}

/* One implicit QL step on the block l..m. */
static void ql_step(symmetric *f, int64_t l, int64_t m)
{
    double *d = f->d, *e = f->e;
    double g = (d[l + 1] - d[l]) / (2 * e[l]), r = dense_hypot(g, 1), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g < 0 ? g - r : g + r);
    e[m] = 0;
    for (int64_t i = m - 1; i >= l; i--) {
        double h = s * e[i], b = c * e[i];
        r = dense_hypot(h, g);
        if (i + 1 < m) e[i + 1] = r;
        if (r == 0) { /* the block falls apart here */
            d[i + 1] -= p;
            return;
        }
        s = h / r, c = g / r;
        g = d[i + 1] - p;
        r = (d[i] - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        if (f->z) dense_rotate(f->z + i * f->n, f->z + (i + 1) * f->n, c, s, f->n);
    }
    d[l] -= p;
    e[l] = g;
}

/* Beside its neighbours alone, an e[i] may never count as zero: a covariance of few samples is a few large numbers and
 * rounding, which no step makes smaller.  So what has not ended after a while is measured by the whole block. */
static status ql(symmetric *f, error *err)
{
    for (int64_t l = 0; l < f->n; l++) {
        int64_t m;
        double least = DBL_MIN;
        for (int step = 0; (m = block_end(f, l, least)) != l; step++) {
            if (step == STEPS)
                return error_set(err, E_LIMIT,
                                 "symmetric eigenvalues: number %lld not found in %d steps",
                                 (long long)l, STEPS);
            if (step == PATIENT) least += rounding_of(f, l, m);
            ql_step(f, l, m);
        }
    }
    return E_OK;
}

static status begin(symmetric *f, arena *mem, const double *a, double scale, bool vectors,
                    error *err)
{
    int64_t n = f->n;
    f->a = arena_array(mem, n * n, sizeof *f->a);
    f->tau = arena_array(mem, n, sizeof *f->tau);
    f->d = arena_array(mem, n, sizeof *f->d);
    f->e = arena_array(mem, n, sizeof *f->e);
    f->p = arena_array(mem, n, sizeof *f->p);
    if (vectors) f->z = arena_array(mem, n * n, sizeof *f->z);
    if (mem->failed) return error_set(err, E_NOMEM, "symmetric eigenvalues: out of memory");
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) f->a[i * n + j] = f->a[j * n + i] = scale * a[i * n + j];
    return E_OK;
}

status linalg_symmetric(double *value, double *vector, const double *a, int64_t n, error *err)
{
    double scale;
    arena mem = { 0 };
    symmetric f = { .n = n };
    status st = dense_scale(&scale, a, n, n, "symmetric eigenvalues", err);
    if (st != E_OK) return st;
    int64_t *order = arena_array(&mem, n, sizeof *order);
    if ((st = begin(&f, &mem, a, scale, vector != NULL, err)) != E_OK) goto out;
    tridiagonalise(&f);
    if (vector) gather(&f);
    if ((st = ql(&f, err)) != E_OK) goto out;
    dense_order(order, f.d, n);
    for (int64_t k = 0; k < n; k++) {
        value[k] = f.d[order[k]] / scale;
        if (!vector) continue;
        const double *z = f.z + order[k] * n;
        double sign = dense_sign(z, n, 1);
        for (int64_t i = 0; i < n; i++) vector[k * n + i] = sign * z[i];
    }
out:
    arena_release(&mem);
    return st;
}
/* SPDX-License-Identifier: MIT */
