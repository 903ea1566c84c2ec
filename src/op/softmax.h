/* softmax -- one line of it, and of its logarithm: for the ops, and for the fusion that hides one. */
#ifndef MICROTOME_OP_SOFTMAX_H
#define MICROTOME_OP_SOFTMAX_H
#include "op/op.h"

/* y = softmax(x), n >= 1 numbers of which the first is key `key0`; y may be x. */
static inline void softmax_line(const real *x, real *y, int32_t n, int32_t key0)
{
    real max = x[0], s[16] = { 0 };
    for (int32_t j = 1; j < n; j++) max = x[j] > max ? x[j] : max;
    for (int32_t j = 0; j < n; j++) y[j] = real_exp(x[j] - max);
    for (int32_t j = 0; j < n; j++) s[(key0 + j) % 16] = s[(key0 + j) % 16] + y[j];
    real sum = op_fold16(s);
    for (int32_t j = 0; j < n; j++) y[j] = y[j] / sum;
}

/* log(sum of exp(x - max)) by sum16, n >= 1 numbers. */
static inline real softmax_log_sum(const real *x, int32_t n, real max)
{
    real s[16] = { 0 };
    int32_t j = 0;
    for (; j + 16 <= n; j += 16)
        for (int k = 0; k < 16; k++) s[k] = s[k] + real_exp(x[j + k] - max);
    for (int k = 0; j < n; j++, k++) s[k] = s[k] + real_exp(x[j] - max);
    return real_log(op_fold16(s));
}

#endif
/* SPDX-License-Identifier: MIT */
