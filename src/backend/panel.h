/* panel -- rows times a block of columns: the product inside linear, result, scores and mix.
 *
 *     y[r][j] = sum over k of x[r][k] * w[k][j]        k ascending, by fma, from zero
 *
 * The innermost piece is up to PANEL_ROWS rows times two vecs of columns: its sums stay in registers
 * while k runs, for each k two loads of w and one number of each row.  A sum longer than a block of k
 * is stored to y and carried on by the next call: storing a float changes nothing, so blocks may have
 * any size.
 *
 * A product has two sides, and either may be the rows of a piece: a weight stored by rows of outputs
 * is never turned, the rows that meet it are. */
#ifndef MICROTOME_BACKEND_PANEL_H
#define MICROTOME_BACKEND_PANEL_H
#include "backend/vec.h"
#include "graph/graph.h"

#define panel_multiply VEC_NAME(panel_multiply)
#define panel_turn VEC_NAME(panel_turn)
#define panel_weights VEC_NAME(panel_weights)
#define product_run VEC_NAME(product_run)
#define product_scratch VEC_NAME(product_scratch)
#define blocks_fit VEC_NAME(blocks_fit)
#define blocks_run VEC_NAME(blocks_run)

/* 24 of 32 registers, 12 of 16, hold sums; the row pointers fit their 16 registers too. */
enum { PANEL = 2 * VEC, PANEL_ROWS = VEC == 16 ? 12 : 6 };

enum { LINE = 64 }; /* bytes of a cache's line: what vec_prefetch asks for */

/* The numbers of rows that kernels have as constants: all that one group of any has. */
#define NUMBERS_OF_ROWS(X)                                                                         \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16)

/* Where a sum begins and ends: y = sum; the sum goes on from y; y = y + sum. */
typedef enum finish { FINISH_SET, FINISH_CARRY, FINISH_ADD } finish;

/* One piece: rows x[r] + x0 and y[r] + y0.  n_col <= PANEL columns are read (of rows) and written.
 * w[k][j] is panel[PANEL k + j], packed without gaps (narrow: panel[VEC k + j]); where there is no panel,
 * row[k][col + j]. */
typedef struct piece {
    const float *const *x;
    float *const *y;
    const float *panel;
    const float *const *row;
    const char *ahead; /* what to ask memory for meanwhile, ahead_step bytes for each k; or NULL */
    int64_t ahead_step;
    int64_t x0, y0, col, n_k;
    int n_col;
    bool narrow;
    finish how;
} piece;

/* Rows [0, n_row) of a piece, n_row <= PANEL_ROWS.
 *
 * [err: none | owns: nothing | thread: any | cost: n_row * PANEL * n_k multiply-adds] */
void panel_multiply(const piece *p, int n_row);

/* Turn n_col rows of n_k floats into one panel; columns beyond are copies of others.  step: floats from k to k + 1, PANEL, or
 * VEC of a narrow one.
 *
 * [err: none | owns: nothing | thread: any | cost: about the reading of the rows] */
void panel_turn(float *panel, int step, const float *const *row, int n_col, int64_t n_k);

/* A vec of weights of any type from element i of a row, as floats; n < VEC: the first n, then zeros.
 *
 * [err: none | owns: nothing | thread: any | cost: a few instructions] */
vec panel_weights(const char *row, int64_t i, int64_t n, dtype t);

/* A whole product: rows x[r] + x0 [n_k] and y[r] + y0 [n_col], and a weight stored by rows of
 * inputs or (by_out) by rows of outputs, of which k = 0 is k0 and j = 0 is col0.  add: y = y + product.
 * It may be several, one behind the other along k (heads), n_each long (0: n_k, it is one): each is finished, from zero,
 * before it is added to those before it. */
typedef struct product {
    const float *const *x;
    float *const *y;
    int64_t n_row, n_k, n_each, n_col, x0, y0;
    weight_view w;
    int64_t k0, col0;
    bool by_out, add;
} product;

/* The same with n_each said, for whoever goes by it; the one that begins at k.
 *
 * [err: none | owns: nothing | thread: any | cost: O(1)] */
static inline product product_said(const product *p)
{
    product said = *p;
    if (!said.n_each) said.n_each = said.n_k;
    return said;
}

static inline product product_at(const product *p, int64_t k)
{
    product one = *p;
    one.x0 += k, one.k0 += k, one.n_k = p->n_each, one.add = p->add || k > 0;
    return one;
}

/* Compute it; scratch has product_scratch() bytes.  Few rows are done at the speed of memory, many at
 * the speed of arithmetic.
 *
 * [err: none | owns: nothing | thread: any | cost: n_row * n_k * n_col multiply-adds] */
void product_run(const product *p, float *scratch);
size_t product_scratch(const product *p);

/* The same for a weight in blocks by rows of outputs (blocks_vec.c), without scratch: does it fit; compute it.
 *
 * [err: none | owns: nothing | thread: any | cost: as the product, and the unpacking once for all rows] */
bool blocks_fit(const product *p);
void blocks_run(const product *p);

#endif
/* SPDX-License-Identifier: MIT */
