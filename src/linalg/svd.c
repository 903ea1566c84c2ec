/* svd -- one-sided Jacobi (Hestenes) on the triangle of a QR with column pivoting (Drmac and Veselic, 2008).
 *
 * With m >= n (else the transpose is taken):  a P = Q r,  and rotations J of r's rows make them orthogonal:
 *
 *     J r = diag(s) W      so      a = (Q J') diag(s) (W P')
 *
 * Rows of r, J and W are runs of memory.  Pivoting makes r's rows graded, which is why few sweeps are
 * needed and why small singular values keep their digits: a row is only ever compared with its own length. */
#include "linalg/dense.h"
#include <string.h>

enum { SWEEPS = 60 };

typedef struct svd {
    int64_t m, n;
    double *t;   /* [n, m] columns of a; then the reflections */
    double *tau; /* [n] */
    double *r;   /* [n, n] */
    double *j;   /* [n, n] */
    double
        *sq; /* [n] squared lengths of r's rows; in the factorisation, lengths of columns' rests */
    double *s;              /* [n] */
    double *line;           /* [m] */
    int64_t *pivot, *order; /* [n] */
} svd;

static void swap_columns(svd *f, int64_t a, int64_t b)
{
    if (a == b) return;
    int64_t p = f->pivot[a];
    f->pivot[a] = f->pivot[b], f->pivot[b] = p;
    memcpy(f->line, f->t + a * f->m, (size_t)f->m * sizeof *f->t);
    memcpy(f->t + a * f->m, f->t + b * f->m, (size_t)f->m * sizeof *f->t);
    memcpy(f->t + b * f->m, f->line, (size_t)f->m * sizeof *f->t);
}

/* The rests' lengths are measured afresh at each step: downdating them is where pivoting goes wrong. */
static void factor_pivoted(svd *f)
{
    for (int64_t c = 0; c < f->n; c++) f->pivot[c] = c;
    for (int64_t k = 0; k < f->n; k++) {
        int64_t best = k;
        for (int64_t c = k; c < f->n; c++) {
            f->sq[c] = linalg_norm(f->t + c * f->m + k, f->m - k);
            if (f->sq[c] > f->sq[best]) best = c;
        }
        swap_columns(f, k, best);
        double *v = f->t + k * f->m + k;
        double alpha = dense_reflection(v, f->m - k, &f->tau[k]);
        for (int64_t c = k + 1; c < f->n; c++)
            dense_mirror(f->t + c * f->m + k, v, f->tau[k], f->m - k);
        f->r[k * f->n + k] = alpha;
    }
    for (int64_t k = 0; k < f->n; k++) /* only now: a swap moves whole columns */
        for (int64_t c = k + 1; c < f->n; c++) f->r[k * f->n + c] = f->t[c * f->m + k];
}

/* Make rows a and b of r orthogonal; false when they are. */
static bool turn(svd *f, int64_t a, int64_t b, double tolerance)
{
    double *x = f->r + a * f->n, *y = f->r + b * f->n;
    double xy = dense_dot(x, y, f->n);
    if (!(fabs(xy) > tolerance * sqrt(f->sq[a]) * sqrt(f->sq[b]))) return false;
    double zeta = (f->sq[b] - f->sq[a]) / (2 * xy), z = fabs(zeta);
    double t = z > 1e8 ? 0.5 / z : 1 / (z + sqrt(1 + z * z));
    if (zeta < 0) t = -t;
    double c = 1 / sqrt(1 + t * t), s = c * t;
    dense_rotate(x, y, c, s, f->n);
    dense_rotate(f->j + a * f->n, f->j + b * f->n, c, s, f->n);
    f->sq[a] = dense_dot(x, x, f->n);
    f->sq[b] = dense_dot(y, y, f->n);
    return true;
}

static status sweep_rows(svd *f, error *err)
{
    double tolerance = 4 * DBL_EPSILON * sqrt((double)f->n);
    bool turned = true;
    for (int64_t i = 0; i < f->n; i++) {
        f->j[i * f->n + i] = 1;
        f->sq[i] = dense_dot(f->r + i * f->n, f->r + i * f->n, f->n);
    }
    for (int k = 0; turned; k++) {
        if (k == SWEEPS)
            return error_set(err, E_LIMIT, "svd: rows are not orthogonal after %d sweeps", SWEEPS);
        turned = false;
        for (int64_t a = 0; a < f->n; a++)
            for (int64_t b = a + 1; b < f->n; b++)
                if (turn(f, a, b, tolerance)) turned = true;
    }
    return E_OK;
}

/* Where a singular value is zero its row of W is free: the unit vector that the rows before it cover least, made
 * orthogonal to them (twice is enough). */
static void complete_row(svd *f, int64_t at)
{
    int64_t n = f->n, best = 0;
    double least = INFINITY, *x = f->r + f->order[at] * n;
    for (int64_t c = 0; c < n; c++) {
        double sum = 0;
        for (int64_t i = 0; i < at; i++) {
            double y = f->r[f->order[i] * n + c];
            sum += y * y;
        }
        if (sum < least) least = sum, best = c;
    }
    for (int64_t c = 0; c < n; c++) x[c] = c == best;
    for (int twice = 0; twice < 2; twice++) {
        for (int64_t i = 0; i < at; i++) {
            const double *y = f->r + f->order[i] * n;
            dense_add(x, -dense_dot(x, y, n), y, n);
        }
        double length = linalg_norm(x, n);
        for (int64_t c = 0; c < n; c++) x[c] /= length;
    }
}

/* s, the order, and W in place of r. */
static void take_lengths(svd *f)
{
    for (int64_t i = 0; i < f->n; i++) f->s[i] = linalg_norm(f->r + i * f->n, f->n);
    dense_order(f->order, f->s, f->n);
    for (int64_t k = 0; k < f->n; k++) {
        int64_t i = f->order[k];
        if (f->s[i] < DBL_MIN) { /* zero, or too small to be divided by */
            complete_row(f, k);
            continue;
        }
        for (int64_t c = 0; c < f->n; c++) f->r[i * f->n + c] /= f->s[i];
    }
}

/* Row k of U' (length m), in f->line. */
static void left_vector(svd *f, int64_t k)
{
    memset(f->line, 0, (size_t)f->m * sizeof *f->line);
    memcpy(f->line, f->j + f->order[k] * f->n, (size_t)f->n * sizeof *f->line);
    for (int64_t i = f->n; i--;)
        dense_mirror(f->line + i, f->t + i * f->m + i, f->tau[i], f->m - i);
}

/* Write U [m, n] and W P' [n, n]; `flipped`: the matrix was transposed, so they change places. */
static void put_vectors(svd *f, double *u, double *vt, bool flipped)
{
    int64_t m = f->m, n = f->n;
    for (int64_t k = 0; k < n; k++) {
        const double *w = f->r + f->order[k] * n;
        left_vector(f, k);
        /* The sign is fixed by the caller's u: W P' is its column where flipped; P only moves entries, but
         * which of equal entries is first depends on it, so put it right first. */
        double *right = f->sq; /* free by now */
        for (int64_t c = 0; c < n; c++) right[f->pivot[c]] = w[c];
        double sign = flipped ? dense_sign(right, n, 1) : dense_sign(f->line, m, 1);
        for (int64_t i = 0; i < m; i++) {
            if (!flipped && u) u[i * n + k] = sign * f->line[i];
            if (flipped && vt) vt[k * m + i] = sign * f->line[i];
        }
        for (int64_t c = 0; c < n; c++) {
            if (!flipped && vt) vt[k * n + c] = sign * right[c];
            if (flipped && u) u[c * n + k] = sign * right[c];
        }
    }
}

static status svd_init(svd *f, arena *mem, error *err)
{
    f->t = arena_array(mem, f->m * f->n, sizeof *f->t);
    f->tau = arena_array(mem, f->n, sizeof *f->tau);
    f->r = arena_array(mem, f->n * f->n, sizeof *f->r);
    f->j = arena_array(mem, f->n * f->n, sizeof *f->j);
    f->sq = arena_array(mem, f->n, sizeof *f->sq);
    f->s = arena_array(mem, f->n, sizeof *f->s);
    f->line = arena_array(mem, f->m, sizeof *f->line);
    f->pivot = arena_array(mem, f->n, sizeof *f->pivot);
    f->order = arena_array(mem, f->n, sizeof *f->order);
    return mem->failed ? error_set(err, E_NOMEM, "svd: out of memory") : E_OK;
}

status linalg_svd(double *u, double *s, double *vt, const double *a, int64_t m, int64_t n,
                  error *err)
{
    bool flipped = m < n;
    double scale;
    arena mem = { 0 };
    svd f = { .m = flipped ? n : m, .n = flipped ? m : n };
    status st = dense_scale(&scale, a, m, n, "svd", err);
    if (st != E_OK || !f.n) return st;
    if ((st = svd_init(&f, &mem, err)) != E_OK) goto out;
    if (flipped)
        for (int64_t i = 0; i < m * n; i++) f.t[i] = scale * a[i];
    else dense_transpose(f.t, a, scale, m, n);
    factor_pivoted(&f);
    if ((st = sweep_rows(&f, err)) != E_OK) goto out;
    take_lengths(&f);
    for (int64_t k = 0; k < f.n; k++) s[k] = f.s[f.order[k]] / scale;
    if (u || vt) put_vectors(&f, u, vt, flipped);
out:
    arena_release(&mem);
    return st;
}
/* SPDX-License-Identifier: MIT */
