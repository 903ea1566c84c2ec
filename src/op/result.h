/* result -- a tile of one head's product with W_O, for the op and for the fusion that hides it. */
#ifndef MICROTOME_OP_RESULT_H
#define MICROTOME_OP_RESULT_H
#include "op/op.h"

enum { RESULT_TILE = 64 }; /* columns at once: how many, never in what order */

static inline bool result_by_out(const node *result) { return result->attr[0] != 0; }

/* Rows [k0, k0 + d) and columns [c0, c0 + n_c) of W_O as tile[d][RESULT_TILE]; what is beyond n_c is 0.
 * tile has room for d more numbers. */
static inline void result_tile(const weight_view *w, bool by_out, int32_t k0, int32_t d, int32_t c0,
                               int n_c, real *tile)
{
    real *line = tile + (int64_t)d * RESULT_TILE;
    memset(tile, 0, (size_t)d * RESULT_TILE * sizeof *tile);
    for (int32_t k = 0; k < d && !by_out; k++)
        op_weight(w, k0 + k, c0, n_c, tile + (int64_t)k * RESULT_TILE);
    for (int c = 0; c < n_c && by_out; c++) {
        op_weight(w, c0 + c, k0, d, line);
        for (int32_t k = 0; k < d; k++) tile[(int64_t)k * RESULT_TILE + c] = line[k];
    }
}

/* acc[c] = sum over k ascending of z[k] tile[k][c], fma, from zero. */
static inline void result_line(const real *z, const real *tile, int32_t d, real acc[RESULT_TILE])
{
    for (int c = 0; c < RESULT_TILE; c++) acc[c] = 0;
    for (int32_t k = 0; k < d; k++)
        for (int c = 0; c < RESULT_TILE; c++)
            acc[c] = real_fma(z[k], tile[(int64_t)k * RESULT_TILE + c], acc[c]);
}

#endif
/* SPDX-License-Identifier: MIT */
