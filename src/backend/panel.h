/* panel -- rows times a block of columns: the product inside linear, result, scores and mix.
 *
 *     y[r][j] = sum over k of x[r][k] * w[k][j]        k ascending, by fma, from zero
 *
 * The innermost piece is up to 6 rows times 16 columns: its twelve vecs of y stay in registers
 * while k runs, which is 12 fma for 2 loads of w and 6 of x.  A sum longer than a block of k is
 * stored to y and carried on by the next call: storing a float changes nothing, so blocks may have
 * any size.
 *
 * w comes in one of two ways: as a *panel*, [k][16] packed without gaps (weights are packed, and
 * turned and widened on the way, so that the innermost loop knows one layout and one type), or as
 * one pointer for each k (values of attention, which lie where their lanes keep them). */
#ifndef MICROTOME_BACKEND_PANEL_H
#define MICROTOME_BACKEND_PANEL_H
#include "backend/vec.h"
#include "graph/graph.h"

enum { PANEL = 16, PANEL_ROWS = 6 };

/* One piece: rows x[r] + x0 and y[r] + y0.  n_col <= 16 columns are read (of rows) and written.
 * w[k][j] is panel[16 k + j], or where panel is NULL row[k][col + j].  carry: go on from y. */
typedef struct piece {
    const float *const *x;
    float *const *y;
    const float *panel;
    const float *const *row;
    int64_t x0, y0, col, n_k;
    int n_col;
    bool carry;
} piece;

/* Rows [0, n_row) of a piece, n_row <= 6.
 *
 * [err: none | owns: nothing | thread: any | cost: n_row * 16 * n_k multiply-adds] */
void panel_multiply(const piece *p, int n_row);

/* Turn n_col <= 16 rows of n_k floats into one panel; columns beyond are copies of others.
 *
 * [err: none | owns: nothing | thread: any | cost: about the reading of the rows] */
void panel_turn(float *panel, const float *const *row, int n_col, int64_t n_k);

/* Eight weights of any type from element i of a row, as floats; n < 8: the first n, then zeros.
 *
 * [err: none | owns: nothing | thread: any | cost: a few instructions] */
vec panel_weights(const char *row, int64_t i, int64_t n, dtype t);

/* A whole product: rows x[r] + x0 [n_k] and y[r] + y0 [n_col], and a weight stored by rows of
 * inputs or (by_out) by rows of outputs, of which k = 0 is k0 and j = 0 is col0. */
typedef struct product {
    const float *const *x;
    float *const *y;
    int64_t n_row, n_k, n_col, x0, y0;
    weight_view w;
    int64_t k0, col0;
    bool by_out;
} product;

/* Compute it; scratch has product_scratch() bytes.  One row is done at the speed of memory, many at
 * the speed of arithmetic.
 *
 * [err: none | owns: nothing | thread: any | cost: n_row * n_k * n_col multiply-adds] */
void product_run(const product *p, float *scratch);
size_t product_scratch(void);

#endif
/* SPDX-License-Identifier: MIT */
