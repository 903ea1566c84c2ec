/* qr -- Householder QR.  The matrix is kept as its columns (the rows of t [n, m]), so that a column is one run
 * of memory; column j ends as r's entries above the diagonal and the reflection's v from it on. */
#include "linalg/dense.h"

/* The first k entries of reflected unit vectors: row i of qt [k, m] is column i of q. */
static void make_q(double *q, const double *t, const double *tau, int64_t m, int64_t k,
                   double *line)
{
    for (int64_t i = 0; i < k; i++) {
        for (int64_t r = 0; r < m; r++) line[r] = r == i;
        for (int64_t j = i; j >= 0; j--) /* later reflections leave e_i alone */
            dense_mirror(line + j, t + j * m + j, tau[j], m - j);
        for (int64_t r = 0; r < m; r++) q[r * k + i] = line[r];
    }
}

status linalg_qr(double *q, double *r, const double *a, int64_t m, int64_t n, error *err)
{
    int64_t k = m < n ? m : n;
    double scale;
    arena mem = { 0 };
    status st = dense_scale(&scale, a, m, n, "qr", err);
    if (st != E_OK) return st;
    double *t = arena_array(&mem, m * n, sizeof *t), *tau = arena_array(&mem, k + 1, sizeof *tau);
    double *alpha = arena_array(&mem, k + 1, sizeof *alpha);
    double *line = arena_array(&mem, m + 1, sizeof *line);
    if (mem.failed) {
        arena_release(&mem);
        return error_set(err, E_NOMEM, "qr: out of memory");
    }
    dense_transpose(t, a, scale, m, n);
    for (int64_t j = 0; j < k; j++) {
        alpha[j] = dense_reflection(t + j * m + j, m - j, &tau[j]);
        for (int64_t c = j + 1; c < n; c++)
            dense_mirror(t + c * m + j, t + j * m + j, tau[j], m - j);
    }
    if (q) make_q(q, t, tau, m, k, line);
    for (int64_t i = 0; i < k; i++) {
        double sign = alpha[i] < 0 ? -1 : 1;
        for (int64_t j = 0; j < n; j++)
            r[i * n + j] = j < i ? 0 : sign * (j == i ? alpha[i] : t[j * m + i]) / scale;
        for (int64_t row = 0; q && sign < 0 && row < m; row++) q[row * k + i] = -q[row * k + i];
    }
    arena_release(&mem);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
