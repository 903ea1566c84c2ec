/* lowrank -- see lowrank.h.  Sums stand side by side, so that rows of `right` are read as they lie; eight at a time where the
 * processor has fma, which is exact and so gives the bits of fmaf. */
#include "tensor/lowrank.h"
#include "base/cpu.h"
#include <math.h>
#if defined __x86_64__
#include <immintrin.h>
#endif

enum { WIDE = 32 };

static void add_plain(const lowrank *x, int64_t row, int64_t first, int64_t n, float *y)
{
    const float *left = x->left + row * x->rank;
    for (int64_t j = 0; j < n; j++) {
        float sum = 0;
        for (int64_t r = 0; r < x->rank; r++)
            sum = fmaf(left[r], x->right[r * x->n_col + first + j], sum);
        y[j] = fmaf(x->scale, sum, y[j]);
    }
}

#if defined __x86_64__
/* WIDE numbers; what is left over is add_plain's. */
__attribute__((target("avx2,fma"))) static void add_wide(const lowrank *x, int64_t row,
                                                         int64_t first, float *y)
{
    const float *left = x->left + row * x->rank, *right = x->right + first;
    __m256 sum[WIDE / 8], scale = _mm256_set1_ps(x->scale);
    for (int i = 0; i < WIDE / 8; i++) sum[i] = _mm256_setzero_ps();
    for (int64_t r = 0; r < x->rank; r++, right += x->n_col) {
        __m256 u = _mm256_set1_ps(left[r]);
        for (int i = 0; i < WIDE / 8; i++)
            sum[i] = _mm256_fmadd_ps(u, _mm256_loadu_ps(right + 8 * i), sum[i]);
    }
    for (int i = 0; i < WIDE / 8; i++)
        _mm256_storeu_ps(y + 8 * i, _mm256_fmadd_ps(scale, sum[i], _mm256_loadu_ps(y + 8 * i)));
}
#endif

void lowrank_add(const lowrank *x, int64_t row, int64_t first, int64_t n, float *y)
{
    int64_t at = 0;
#if defined __x86_64__
    if (cpu_detect() != CPU_PLAIN)
        for (; at + WIDE <= n; at += WIDE) add_wide(x, row, first + at, y + at);
#endif
    add_plain(x, row, first + at, n - at, y + at);
}
/* SPDX-License-Identifier: MIT */
