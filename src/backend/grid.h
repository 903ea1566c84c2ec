/* grid -- rows times columns cut into units of work.
 *
 * Blocks of columns are small, so that a call can be shared among many threads; units that lie side by
 * side are done as one, so that what a kernel prepares for its rows is prepared once. */
#ifndef MICROTOME_BACKEND_GRID_H
#define MICROTOME_BACKEND_GRID_H
#include <stdint.h>

typedef struct grid {
    int64_t n_row, n_col, step; /* a unit is one block of rows by `step` columns */
    int64_t n_row_block, n_col_block;
} grid;

/* A stretch of units: rows [row, row + n_row) by columns [col, col + n_col). */
typedef struct grid_part {
    int64_t row, n_row, col, n_col;
} grid_part;

enum { GRID_ROWS = 512 };

/* Blocks of at most GRID_ROWS rows, as equal as can be.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline grid grid_of(int64_t n_row, int64_t n_col, int64_t step)
{
    return (grid){ n_row, n_col, step, (n_row + GRID_ROWS - 1) / GRID_ROWS,
                   (n_col + step - 1) / step };
}

static inline int64_t grid_units(const grid *g) { return g->n_row_block * g->n_col_block; }

/* Rows of the largest block.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline int64_t grid_rows(const grid *g)
{
    return (g->n_row + g->n_row_block - 1) / g->n_row_block;
}

/* The units from `first` on, up to `end` or the end of their rows; how many they are.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline int64_t grid_stretch(const grid *g, int64_t first, int64_t end, grid_part *out)
{
    int64_t block = first / g->n_col_block, c0 = first % g->n_col_block;
    int64_t n = g->n_col_block - c0 < end - first ? g->n_col_block - c0 : end - first;
    int64_t row = block * g->n_row / g->n_row_block, next = (block + 1) * g->n_row / g->n_row_block;
    int64_t col = c0 * g->step, stop = (c0 + n) * g->step;
    *out = (grid_part){ row, next - row, col, (stop < g->n_col ? stop : g->n_col) - col };
    return n;
}

#endif
/* SPDX-License-Identifier: MIT */
