/* weights -- vecs of weights of any type, as floats: what panel_vec.c and product_vec.c share.
 *
 * Every type but F32, F16 and BF16 goes by way of dtype_part_f32: one more type is one more line here
 * when it is to be fast. */
#ifndef MICROTOME_BACKEND_WEIGHTS_H
#define MICROTOME_BACKEND_WEIGHTS_H
#include "backend/vec.h"
#include "tensor/dtype.h"
#include <string.h>

#define ALWAYS __attribute__((always_inline)) static inline

ALWAYS int64_t type_bytes(dtype t)
{
    return t == DTYPE_F32 ? 4 : t == DTYPE_F16 || t == DTYPE_BF16 ? 2 : (int64_t)dtype_bytes(t);
}

ALWAYS vec load_whole(const char *p, dtype t)
{
    if (t == DTYPE_F32) return vec_load((const float *)(const void *)p);
    if (t == DTYPE_F16) return vec_load_f16(p);
    if (t == DTYPE_BF16) return vec_load_bf16(p);
    float x[VEC];
    dtype_row_f32(t, p, x, VEC);
    return vec_load(x);
}

/* The end of a row may be the end of the file, so what lies beyond is not touched. */
ALWAYS vec load_weights(const char *row, int64_t i, int64_t n, dtype t)
{
    if (dtype_is_block(t)) {
        float x[VEC] = { 0 };
        dtype_part_f32(t, row, i, n < VEC ? n : VEC, x);
        return vec_load(x);
    }
    const char *p = row + i * type_bytes(t);
    if (n >= VEC) return load_whole(p, t);
    char end[VEC * sizeof(double)] = { 0 };
    if (n > 0) memcpy(end, p, (size_t)(n * type_bytes(t)));
    return load_whole(end, t);
}

/* VEC rows from element i turned into VEC columns.
 * `ahead`: bytes that will be wanted later, in the order of memory, or NULL. */
ALWAYS void load_turned(vec out[VEC], const char *const *row, int64_t i, int64_t n,
                        const char *ahead, dtype t)
{
    for (int r = 0; r < VEC; r++) {
        if (ahead) vec_prefetch(ahead + r * (int)(VEC * type_bytes(t)));
        out[r] = load_weights(row[r], i, n, t);
    }
    vec_transpose(out);
}

#endif
/* SPDX-License-Identifier: MIT */
