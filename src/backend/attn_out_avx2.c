/* attn_out_avx2 -- each head's product with its rows of W_O, and the sum of the heads, as one.
 *
 * A head's product is finished, from zero, before it is added to the heads before it: that is the
 * order in which result and headsum do it, and why their parts add up to the whole. */
#include "backend/kernels.h"
#include "backend/panel.h"

enum { UNIT_ROWS = 120, UNIT_COLS = 128 };

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }

/* Rows from `row` on of head h of z times its rows of w, columns from col on; y is the caller's. */
static product head_product(const batch *b, const node *result, int64_t row, int32_t h, int64_t col)
{
    int32_t d_head = b->in[0]->width;
    return (product){ .x = (const float *const *)b->x[0] + row,
                      .n_row = at_most(b->n_line - row, UNIT_ROWS),
                      .n_k = d_head,
                      .n_col = at_most(result->width - col, UNIT_COLS),
                      .x0 = (int64_t)(h - b->job[0].xb[0].a0) * d_head,
                      .w = b->w[1],
                      .k0 = (int64_t)h * d_head,
                      .col0 = col,
                      .by_out = result->attr[0] != 0.0 };
}

/* ---- result: the heads apart ---- */

static int64_t result_units(const batch *b)
{
    return ceil_div(b->n_line, UNIT_ROWS) * ceil_div(b->n->width, UNIT_COLS) * (b->a1 - b->a0);
}

static size_t result_scratch(const batch *b, size_t real_bytes)
{
    (void)b, (void)real_bytes;
    return product_scratch();
}

static void result_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int64_t n_col = ceil_div(b->n->width, UNIT_COLS), n_head = b->a1 - b->a0;
    for (int64_t u = first; u < end; u++) {
        int64_t row = u / n_col / n_head * UNIT_ROWS, col = u % n_col * UNIT_COLS;
        int32_t h = (int32_t)(u / n_col % n_head);
        product p = head_product(b, b->n, row, b->a0 + h, col);
        p.y = (float *const *)b->y + row;
        p.y0 = (int64_t)h * b->n->width + col;
        product_run(&p, scratch);
    }
}

/* ---- attn_out: their sum ---- */

static const node *result_node(const batch *b)
{
    for (int i = 0; i < b->fusion->n_inner; i++)
        if (!strcmp(b->fusion->inner[i]->op->name, "result")) return b->fusion->inner[i];
    return NULL;
}

static int64_t attn_out_units(const batch *b)
{
    return ceil_div(b->n_line, UNIT_ROWS) * ceil_div(b->n->width, UNIT_COLS);
}

/* A packed weight, then one head's products of a unit. */
static size_t attn_out_scratch(const batch *b, size_t real_bytes)
{
    (void)b, (void)real_bytes;
    return product_scratch() + UNIT_ROWS * UNIT_COLS * sizeof(float);
}

/* y = y + x, n numbers. */
static void add_line(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = y[i] + x[i];
}

static void attn_out_unit(const batch *b, int64_t row, int64_t col, float *scratch)
{
    const node *result = result_node(b);
    float *tile = scratch + product_scratch() / sizeof(float), *into[UNIT_ROWS];
    for (int64_t r = 0; r < UNIT_ROWS; r++) into[r] = tile + r * UNIT_COLS;
    float *const *y = (float *const *)b->y + row;
    int64_t n_row = at_most(b->n_line - row, UNIT_ROWS);
    int64_t n_col = at_most(b->n->width - col, UNIT_COLS);
    for (int32_t h = 0; h < b->in[0]->n_part; h++) {
        product p = head_product(b, result, row, h, col);
        p.y = h ? into : y;
        p.y0 = h ? 0 : col;
        product_run(&p, scratch);
        for (int64_t r = 0; h && r < n_row; r++) add_line(y[r] + col, into[r], n_col);
    }
    if (b->fusion->n_leaf < 3) return;
    for (int64_t r = 0; r < n_row; r++)
        add_line(y[r] + col, (const float *)b->x[2][row + r] + col, n_col);
}

static void attn_out_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int64_t n_col = ceil_div(b->n->width, UNIT_COLS);
    for (int64_t u = first; u < end; u++)
        attn_out_unit(b, u / n_col * UNIT_ROWS, u % n_col * UNIT_COLS, scratch);
}

const kernel result_avx2 = { result_units, result_scratch, result_run };
const kernel attn_out_avx2 = { attn_out_units, attn_out_scratch, attn_out_run };
/* SPDX-License-Identifier: MIT */
