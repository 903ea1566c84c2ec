/* lowrank -- see lowrank.h.  Sums stand side by side in a tile, so that rows of `right` are read as they lie. */
#include "tensor/lowrank.h"
#include <math.h>

enum { TILE = 256 };

void lowrank_add(const lowrank *x, int64_t row, int64_t first, int64_t n, float *y)
{
    float sum[TILE];
    const float *left = x->left + row * x->rank;
    for (int64_t at = 0; at < n; at += TILE) {
        int64_t wide = n - at < TILE ? n - at : TILE;
        for (int64_t j = 0; j < wide; j++) sum[j] = 0;
        for (int64_t r = 0; r < x->rank; r++) {
            const float *right = x->right + r * x->n_col + first + at;
            for (int64_t j = 0; j < wide; j++) sum[j] = fmaf(left[r], right[j], sum[j]);
        }
        for (int64_t j = 0; j < wide; j++) y[at + j] = fmaf(x->scale, sum[j], y[at + j]);
    }
}
/* SPDX-License-Identifier: MIT */
