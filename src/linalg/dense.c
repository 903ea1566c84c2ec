/* dense -- see dense.h. */
#include "linalg/dense.h"

double dense_dot(const double *x, const double *y, int64_t n)
{
    double s[8] = { 0 };
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++) s[j] += x[i + j] * y[i + j];
    for (int j = 0; i < n; i++, j++) s[j] += x[i] * y[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

double dense_hypot(double a, double b)
{
    double big = fabs(a), small = fabs(b), t;
    if (big < small) t = big, big = small, small = t;
    if (big == 0) return 0;
    t = small / big;
    return big * sqrt(1 + t * t);
}

double linalg_norm(const double *a, int64_t n)
{
    double sum = dense_dot(a, a, n), big = 0;
    if (sum > 1e-280 && sum < 1e300) return sqrt(sum);
    for (int64_t i = 0; i < n; i++) {
        double x = fabs(a[i]);
        if (!(x <= big)) big = x; /* a NaN too */
    }
    if (big == 0 || !isfinite(big)) return big;
    int e;
    frexp(big, &e);
    sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = ldexp(a[i], -e);
        sum += x * x;
    }
    return ldexp(sqrt(sum), e);
}

void dense_add(double *y, double f, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] += f * x[i];
}

void dense_rotate(double *x, double *y, double c, double s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        double a = x[i], b = y[i];
        x[i] = c * a - s * b;
        y[i] = s * a + c * b;
    }
}

double dense_reflection(double *x, int64_t n, double *tau)
{
    double rest = n > 1 ? linalg_norm(x + 1, n - 1) : 0, x0 = n ? x[0] : 0;
    *tau = 0;
    if (rest == 0) {
        if (n) x[0] = 1;
        return x0;
    }
    double alpha = x0 > 0 ? -dense_hypot(x0, rest) : dense_hypot(x0, rest);
    double head = x0 - alpha; /* no cancellation: the signs differ */
    *tau = -head / alpha;
    for (int64_t i = 1; i < n; i++) x[i] /= head;
    x[0] = 1;
    return alpha;
}

void dense_mirror(double *x, const double *v, double tau, int64_t n)
{
    if (tau != 0) dense_add(x, -tau * dense_dot(v, x, n), v, n);
}

status dense_scale(double *scale, const double *a, int64_t m, int64_t n, const char *who,
                   error *err)
{
    double big = 0;
    int e = 0;
    for (int64_t i = 0; i < m * n; i++) {
        double x = fabs(a[i]);
        if (!isfinite(x))
            return error_set(err, E_RANGE,
                             "%s: row %lld, column %lld is %g, expected finite numbers", who,
                             (long long)(i / n), (long long)(i % n), a[i]);
        if (x > big) big = x;
    }
    if (big > 0) frexp(big, &e);
    *scale =
        ldexp(1, e < -1000 ? 1000 : -e); /* 2^-e is infinite for the smallest; 2^1000 will do */
    return E_OK;
}

void dense_transpose(double *out, const double *a, double f, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) out[j * m + i] = f * a[i * n + j];
}

void dense_order(int64_t *order, const double *value, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i; /* insertion: stable, and what comes in is nearly sorted */
        for (; at && value[order[at - 1]] < value[i]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

double dense_sign(const double *x, int64_t n, int64_t step)
{
    double big = 0;
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i * step]) > fabs(big)) big = x[i * step];
    return big < 0 ? -1 : 1;
}
/* SPDX-License-Identifier: MIT */
