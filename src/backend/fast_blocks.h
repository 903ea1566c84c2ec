/* fast_blocks -- products with a weight in blocks as products of integers: `--precision fast` where bytes are multiplied
 * (AVX-512 VNNI); blocks_vnni.c and blocks_fixed.c are it, with the same bits.
 *
 * Rows are fixed point (fast_fixed.h), SIDE outputs are the lanes.  Of each group, ascending:
 *
 *     S_d = sum of q d_d              three sums of integers, exact
 *     T   = fma(S_2, 2^16, S_0 + 2^8 S_1)
 *     y   = fma(scale, T unit, y)                 T unit is exact
 *     y   = fma(offset, sum, y)                   where the type has offsets
 *
 * from zero: nothing of it depends on other rows, or on who computes it.  docs/numerics.md has the bound. */
#ifndef MICROTOME_BACKEND_FAST_BLOCKS_H
#define MICROTOME_BACKEND_FAST_BLOCKS_H
#include "backend/fast.h"
#include "backend/fast_fixed.h"
#include "backend/panel.h"
#include "tensor/blocks.h"

enum {
    SIDE = 16,
    CHUNK = 256, /* columns unpacked at once: they stay in the nearest cache */
    ROWS = 64,   /* rows that meet them: fixed point takes four times a row's bytes, or five */
    MEET = 8,    /* rows at once: their sums stay in registers */
    LEAST = 16,  /* numbers in the smallest group */
    WORDS = CHUNK / 4, /* of four numbers */
    GROUPS = CHUNK / LEAST,
};

/* Columns of SIDE outputs: q + bias, four of an output in a word; scales and offsets by group. */
typedef struct slab {
    _Alignas(64) uint8_t q[WORDS][SIDE][4];
    _Alignas(64) float scale[GROUPS][SIDE], offset[GROUPS][SIDE];
} slab;

/* ---- what the two files have of their own ---- */

/* fixed_make().
 *
 * [err: none | owns: nothing | thread: any | cost: O(group)] */
static void fixed_group(fixed *f, const float *x, int group, int bias);

/* Columns [k, k + n) of SIDE rows of a weight, n <= CHUNK; more is asked for at `next`, where the rows after them lie.
 *
 * [err: none | owns: nothing | thread: any | cost: reading them] */
static void slab_unpack(slab *s, const uint8_t *const *row, const uint8_t *next, int64_t k,
                        int64_t n, dtype t);

/* Those columns times n_row <= MEET rows of fixed point, into sums [n_row][SIDE] that were begun.
 *
 * [err: none | owns: nothing | thread: any | cost: n_row * n * SIDE multiply-adds] */
static void slab_meet(const slab *s, const char *const *x, int64_t n, float (*sum)[SIDE], int n_row,
                      dtype t);

/* All n columns from k on times one row, into sum [SIDE], if there is a faster way than by slabs; false: there is none.
 * Every n_each columns are a sum of their own, added to those before.
 *
 * [err: none | owns: nothing | thread: any | cost: n * SIDE multiply-adds] */
static bool row_meets(float *sum, const uint8_t *const *row, const uint8_t *next, int64_t k,
                      int64_t n, int64_t n_each, const char *x, dtype t);

/* ---- the product ---- */

static size_t row_bytes(const product *p)
{
    int group = block_group(p->w.dtype);
    return (size_t)(p->n_k / group) * fixed_bytes(group);
}

static int64_t rows_at_once(const product *p) { return p->n_row < ROWS ? p->n_row : ROWS; }

size_t product_scratch(const product *p) { return (size_t)rows_at_once(p) * row_bytes(p); }

VEC_INLINE void fix_rows(const product *p, int64_t first, int64_t n_row, char *to, dtype t)
{
    for (int64_t r = 0; r < n_row; r++)
        for (int64_t k = 0; k < p->n_k; k += block_group(t), to += fixed_bytes(block_group(t)))
            fixed_group((fixed *)(void *)to, p->x[first + r] + p->x0 + k, block_group(t),
                        block_bias(t));
}

/* Columns [k, k + n_each) of SIDE outputs, into sums from zero. */
static void one_product(const product *p, const uint8_t *const *row, const uint8_t *next, int64_t k,
                        const char *x, int64_t n_row, float (*sum)[SIDE])
{
    slab s;
    dtype t = p->w.dtype;
    int group = block_group(t);
    memset(sum, 0, (size_t)n_row * sizeof *sum);
    for (int64_t end = k + p->n_each, n; k < end; k += n) {
        n = end - k < CHUNK ? end - k : CHUNK;
        slab_unpack(&s, row, next, p->k0 + k, n, t);
        for (int64_t r = 0; r < n_row; r += MEET) {
            const char *at[MEET];
            int m = n_row - r < MEET ? (int)(n_row - r) : MEET;
            for (int i = 0; i < m; i++)
                at[i] =
                    x + (size_t)(r + i) * row_bytes(p) + (size_t)(k / group) * fixed_bytes(group);
            slab_meet(&s, at, n, sum + r, m, t);
        }
    }
}

/* All columns of SIDE outputs from c on. */
static void outputs(const product *p, int64_t c, const char *x, int64_t n_row, float (*sum)[SIDE])
{
    const uint8_t *row[SIDE], *next;
    float one[ROWS][SIDE];
    for (int64_t j = 0; j < SIDE; j++) { /* beyond the last they are copies of it */
        int64_t at = c + j < p->n_col ? c + j : p->n_col - 1;
        row[j] = (const uint8_t *)weight_at(&p->w, p->col0 + at);
    }
    next = row[0] + SIDE * p->w.row_bytes;
    if (n_row == 1 && row_meets(sum[0], row, next, p->k0, p->n_k, p->n_each, x, p->w.dtype)) return;
    one_product(p, row, next, 0, x, n_row, sum);
    for (int64_t k = p->n_each; k < p->n_k; k += p->n_each) {
        one_product(p, row, next, k, x, n_row, one);
        for (int64_t r = 0; r < n_row; r++)
            for (int j = 0; j < SIDE; j++) sum[r][j] = sum[r][j] + one[r][j];
    }
}

static void outputs_finish(const product *p, int64_t first, int64_t c, int64_t n_row,
                           float (*sum)[SIDE])
{
    int64_t n = p->n_col - c < SIDE ? p->n_col - c : SIDE;
    for (int64_t r = 0; r < n_row; r++) {
        float *y = p->y[first + r] + p->y0 + c;
        memcpy(y, sum[r], (size_t)n * sizeof *y);
    }
}

void product_run(const product *asked, float *scratch)
{
    const product said = product_said(asked), *p = &said;
    float sum[ROWS][SIDE];
    char *x = (char *)scratch;
    for (int64_t r = 0, n; r < p->n_row; r += n) {
        n = p->n_row - r < ROWS ? p->n_row - r : ROWS;
        BY_BLOCK(p->w.dtype, fix_rows, p, r, n, x)
        for (int64_t c = 0; c < p->n_col; c += SIDE) {
            outputs(p, c, x, n, sum);
            outputs_finish(p, r, c, n, sum);
        }
    }
}

/* Biases are of any type (linear_vec.c). */
vec panel_weights(const char *row, int64_t i, int64_t n, dtype t)
{
    float x[VEC] = { 0 };
    dtype_part_f32(t, row, i, n < VEC ? n : VEC, x);
    return vec_load(x);
}

#endif
/* SPDX-License-Identifier: MIT */
