/* cholesky -- a = l l', row by row. */
#include "linalg/dense.h"

status linalg_cholesky(double *l, const double *a, int64_t n, error *err)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) l[i * n + j] = 0;
        for (int64_t j = 0; j < i; j++)
            l[i * n + j] = (a[i * n + j] - dense_dot(l + i * n, l + j * n, j)) / l[j * n + j];
        double rest = a[i * n + i] - dense_dot(l + i * n, l + i * n, i);
        if (!(rest > 0) || !isfinite(rest))
            return error_set(
                err, E_RANGE,
                "cholesky: what is left of row %lld's diagonal is %g, expected more than 0 "
                "(not positive definite)",
                (long long)i, rest);
        l[i * n + i] = sqrt(rest);
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
