/* eigenvalues -- of a general matrix: balancing by powers of two (Parlett and Reinsch), Hessenberg form by
 * reflections, then Francis' double-shift QR on the active block (EISPACK hqr; exceptional shifts as LAPACK's
 * dlahqr takes them). */
#include "linalg/dense.h"

enum { STEPS = 60 };

typedef struct hessenberg {
    int64_t n;
    double *h;       /* [n, n] */
    double *re, *im; /* [n] as they are found, last first */
    double norm;     /* of h: what a subdiagonal entry is compared with between zeros */
} hessenberg;

/* Off-diagonal sums of row and column i. */
static void off_sums(const double *h, int64_t n, int64_t i, double *row, double *column)
{
    *row = *column = 0;
    for (int64_t j = 0; j < n; j++) {
        if (j == i) continue;
        *row += fabs(h[i * n + j]);
        *column += fabs(h[j * n + i]);
    }
}

/* Scale row and column i by a power of two until their sums are alike; false when they were. */
static bool balance_one(double *h, int64_t n, int64_t i)
{
    double row, column, f = 1;
    off_sums(h, n, i, &row, &column);
    if (row == 0 || column == 0) return false;
    double sum = row + column, c = column;
    for (; c < row / 2 && f < 0x1p500; c *= 4) f *= 2;
    for (; c >= row * 2 && f > 0x1p-500; c /= 4) f /= 2;
    if ((c + row) / f >= 0.95 * sum) return false;
    for (int64_t j = 0; j < n; j++) h[i * n + j] /= f;
    for (int64_t j = 0; j < n; j++) h[j * n + i] *= f;
    return true;
}

static void balance(double *h, int64_t n)
{
    bool changed = true;
    for (int round = 0; changed && round < 100; round++) {
        changed = false;
        for (int64_t i = 0; i < n; i++)
            if (balance_one(h, n, i)) changed = true;
    }
}

/* h = H h H for the reflection that clears column k below its subdiagonal. */
static void clear_column(double *h, int64_t n, int64_t k, double *v, double *sum)
{
    double tau;
    int64_t rest = n - k - 1;
    for (int64_t i = 0; i < rest; i++) v[i] = h[(k + 1 + i) * n + k];
    double alpha = dense_reflection(v, rest, &tau);
    if (tau == 0) return;
    for (int64_t j = 0; j < n; j++) sum[j] = 0;
    for (int64_t i = 0; i < rest; i++) dense_add(sum + k, v[i], h + (k + 1 + i) * n + k, n - k);
    for (int64_t i = 0; i < rest; i++)
        dense_add(h + (k + 1 + i) * n + k, -tau * v[i], sum + k, n - k);
    for (int64_t i = 0; i < n; i++) dense_mirror(h + i * n + k + 1, v, tau, rest);
    h[(k + 1) * n + k] = alpha;
    for (int64_t i = 1; i < rest; i++) h[(k + 1 + i) * n + k] = 0;
}

/* Where the active block that ends at `hi` starts; the entry before it is made an exact zero. */
static int64_t block_start(hessenberg *f, int64_t hi)
{
    int64_t l = hi, n = f->n;
    for (; l > 0; l--) {
        double s = fabs(f->h[(l - 1) * n + l - 1]) + fabs(f->h[l * n + l]);
        if (s == 0) s = f->norm;
        if (fabs(f->h[l * n + l - 1]) > DBL_EPSILON * s) continue;
        f->h[l * n + l - 1] = 0;
        break;
    }
    return l;
}

/* The eigenvalues of the last 2 x 2 block, rows i and i + 1. */
static void take_two(hessenberg *f, int64_t i)
{
    const double *h = f->h + i * f->n + i;
    double a = h[0], bc = h[1] * h[f->n], d = h[f->n + 1], p = (a - d) / 2, q = p * p + bc;
    if (q < 0) {
        f->re[i] = f->re[i + 1] = d + p;
        f->im[i] = sqrt(-q);
        f->im[i + 1] = -f->im[i];
        return;
    }
    double z = p < 0 ? p - sqrt(q) : p + sqrt(q);
    f->re[i] = d + z;
    f->re[i + 1] = z != 0 ? d - bc / z : d;
    f->im[i] = f->im[i + 1] = 0;
}

/* The first column of (h - s1)(h - s2) at row m, up to a factor; x and y are the shifts' diagonal, w the product of
 * their off-diagonals. */
static void first_column(const hessenberg *f, int64_t m, double x, double y, double w, double v[3])
{
    const double *h = f->h + m * f->n + m;
    int64_t n = f->n;
    double z = h[0], r = x - z, s = y - z;
    v[0] = (r * s - w) / h[n] + h[1];
    v[1] = h[n + 1] - z - r - s;
    v[2] = h[2 * n + 1];
    double size = fabs(v[0]) + fabs(v[1]) + fabs(v[2]);
    for (int i = 0; size > 0 && i < 3; i++) v[i] /= size;
}

/* Are two small subdiagonals in a row before m small enough to start there? */
static bool may_start(const hessenberg *f, int64_t m, const double v[3])
{
    const double *h = f->h + m * f->n + m;
    double before = fabs(*(h - 1)) * (fabs(v[1]) + fabs(v[2]));
    double beside = fabs(*(h - f->n - 1)) + fabs(h[0]) + fabs(h[f->n + 1]);
    return before <= DBL_EPSILON * fabs(v[0]) * beside;
}

/* Reflect rows and columns k .. k + size - 1 within the block lo..hi; column k - 1 becomes (alpha, 0, 0). */
static void chase(hessenberg *f, int64_t k, int64_t lo, int64_t hi, double v[3], int64_t size,
                  bool first, bool split)
{
    int64_t n = f->n, last = k + 3 < hi ? k + 3 : hi;
    double tau, *h = f->h;
    double alpha = dense_reflection(v, size, &tau);
    if (!first) {
        h[k * n + k - 1] = alpha;
        for (int64_t i = 1; i < size; i++) h[(k + i) * n + k - 1] = 0;
    } else if (split) h[k * n + k - 1] *= 1 - tau; /* H takes (x, ~0, ~0) to x (1 - tau) first */
    if (tau == 0) return;
    for (int64_t j = k; j <= hi; j++) {
        double sum = 0;
        for (int64_t i = 0; i < size; i++) sum += v[i] * h[(k + i) * n + j];
        for (int64_t i = 0; i < size; i++) h[(k + i) * n + j] -= tau * v[i] * sum;
    }
    for (int64_t i = lo; i <= last; i++) dense_mirror(h + i * n + k, v, tau, size);
}

static void francis(hessenberg *f, int64_t lo, int64_t hi, bool exceptional)
{
    int64_t n = f->n, m = hi - 2;
    double *h = f->h, v[3];
    double x = h[hi * n + hi], y = h[(hi - 1) * n + hi - 1];
    double w = h[hi * n + hi - 1] * h[(hi - 1) * n + hi];
    if (exceptional) {
        double s = fabs(h[hi * n + hi - 1]) + fabs(h[(hi - 1) * n + hi - 2]);
        x = y = 0.75 * s + h[hi * n + hi];
        w = -0.4375 * s * s;
    }
    for (;; m--) {
        first_column(f, m, x, y, w, v);
        if (m == lo || may_start(f, m, v)) break;
    }
    for (int64_t k = m; k < hi; k++) {
        int64_t size = hi - k + 1 < 3 ? 2 : 3;
        for (int64_t i = 0; k > m && i < size; i++) v[i] = h[(k + i) * n + k - 1];
        chase(f, k, lo, hi, v, size, k == m, m > lo);
    }
}

static status reduce(hessenberg *f, error *err)
{
    int64_t hi = f->n - 1;
    for (int step = 0; hi >= 0; step++) {
        int64_t lo = block_start(f, hi);
        if (step == STEPS)
            return error_set(err, E_LIMIT, "eigenvalues: number %lld not found in %d steps",
                             (long long)hi, STEPS);
        if (lo == hi) f->re[hi] = f->h[hi * f->n + hi], f->im[hi] = 0;
        else if (lo == hi - 1) take_two(f, lo);
        else {
            francis(f, lo, hi, step % 10 == 9);
            continue;
        }
        hi = lo - 1, step = -1;
    }
    return E_OK;
}

/* By magnitude, real part, imaginary part; largest first. */
static bool after(const hessenberg *f, const double *size, int64_t a, int64_t b)
{
    if (size[a] != size[b]) return size[a] < size[b];
    if (f->re[a] != f->re[b]) return f->re[a] < f->re[b];
    return f->im[a] < f->im[b];
}

static void put_sorted(const hessenberg *f, double *re, double *im, double *size, int64_t *order,
                       double scale)
{
    for (int64_t i = 0; i < f->n; i++) {
        int64_t at = i;
        size[i] = dense_hypot(f->re[i], f->im[i]);
        for (; at && after(f, size, order[at - 1], i); at--) order[at] = order[at - 1];
        order[at] = i;
    }
    for (int64_t i = 0; i < f->n; i++) {
        re[i] = f->re[order[i]] / scale;
        im[i] = f->im[order[i]] / scale;
    }
}

status linalg_eigenvalues(double *re, double *im, const double *a, int64_t n, error *err)
{
    double scale;
    arena mem = { 0 };
    hessenberg f = { .n = n };
    status st = dense_scale(&scale, a, n, n, "eigenvalues", err);
    if (st != E_OK) return st;
    f.h = arena_array(&mem, n * n, sizeof *f.h);
    f.re = arena_array(&mem, n, sizeof *f.re);
    f.im = arena_array(&mem, n, sizeof *f.im);
    double *v = arena_array(&mem, n, sizeof *v), *sum = arena_array(&mem, n, sizeof *sum);
    int64_t *order = arena_array(&mem, n, sizeof *order);
    if (mem.failed) {
        st = error_set(err, E_NOMEM, "eigenvalues: out of memory");
        goto out;
    }
    for (int64_t i = 0; i < n * n; i++) f.h[i] = scale * a[i];
    balance(f.h, n);
    for (int64_t k = 0; k + 2 < n; k++) clear_column(f.h, n, k, v, sum);
    f.norm = linalg_norm(f.h, n * n);
    if ((st = reduce(&f, err)) == E_OK) put_sorted(&f, re, im, sum, order, scale);
out:
    arena_release(&mem);
    return st;
}
/* SPDX-License-Identifier: MIT */
