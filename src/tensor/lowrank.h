/* lowrank -- a product of two thin matrices, added to a matrix row by row: what a LoRA adapter is.
 *
 *     y[i][j] = fma(scale, sum_r left[i][r] right[r][j], y[i][j])      r ascending from zero, fma throughout
 *
 * Float32 in every precision: docs/numerics.md, "Adapters". */
#ifndef MICROTOME_TENSOR_LOWRANK_H
#define MICROTOME_TENSOR_LOWRANK_H
#include <stdint.h>

typedef struct lowrank {
    int64_t n_row, n_col, rank;
    const float *left, *right; /* [n_row, rank], [rank, n_col] */
    float scale;
} lowrank;

/* Add numbers [first, first + n) of a row to y [n].
 *
 * [err: none | owns: nothing | thread: any | cost: O(rank n)] */
void lowrank_add(const lowrank *x, int64_t row, int64_t first, int64_t n, float *y);

#endif
/* SPDX-License-Identifier: MIT */
