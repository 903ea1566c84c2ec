/* fast_plain -- fast_linear.h in plain C: what tests compare with, wherever they run; and the bound. */
#include "backend/fast_linear.h"

const kernel linear_tiles = { fast_units, fast_scratch, fast_run };

/* Every block of 32 k makes six additions to the sum, each after at most 16 + 1 roundings; then the three products
 * that are left out, each at most 2^-27 of the whole (and their parts may be 2^-8 larger than their number). */
double precision_bound(int64_t n_k)
{
    double n = 6.0 * (double)((n_k + TILE_K - 1) / TILE_K) + 18.0, u = 0x1p-24;
    return n * u / (1.0 - n * u) * (1.0 + 0x1p-6) + 3 * 0x1p-27 * (1.0 + 0x1p-6);
}
/* SPDX-License-Identifier: MIT */
