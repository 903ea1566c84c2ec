/* attn_out_vec -- each head's product with its rows of W_O, and the sum of the heads, as one.
 *
 * A head's product is finished, from zero, before it is added to the heads before it: that is the
 * order in which result and headsum do it, and why their parts add up to the whole. */
#include "backend/grid.h"
#include "backend/kernels.h"
#include "backend/panel.h"

/* n heads of z, from h on, times their rows of w. */
static product heads_product(const batch *b, const node *result, const grid_part *part, int32_t h,
                             int32_t n)
{
    int32_t d_head = b->in[0]->width;
    return (product){ .x = (const float *const *)b->x[0] + part->row,
                      .y = (float *const *)b->y + part->row,
                      .n_row = part->n_row,
                      .n_k = (int64_t)n * d_head,
                      .n_each = d_head,
                      .n_col = part->n_col,
                      .x0 = (int64_t)(h - b->job[0].xb[0].a0) * d_head,
                      .w = b->w[1],
                      .k0 = (int64_t)h * d_head,
                      .col0 = part->col,
                      .by_out = result->attr[0] != 0.0 };
}

static size_t scratch_of(const batch *b, const node *result, const grid *g, int32_t n)
{
    grid_part part = { .n_row = grid_rows(g), .n_col = result->width };
    product p = heads_product(b, result, &part, b->a0, n);
    return product_scratch(&p);
}

/* ---- result: the heads apart; a unit is a block of rows of one head ---- */

static grid result_grid(const batch *b) { return grid_of(b->n_line, b->a1 - b->a0, 1); }

static int64_t result_units(const batch *b)
{
    grid g = result_grid(b);
    return grid_units(&g);
}

static size_t result_scratch(const batch *b, size_t real_bytes)
{
    grid g = result_grid(b);
    (void)real_bytes;
    return scratch_of(b, b->n, &g, 1);
}

static void result_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    grid g = result_grid(b);
    grid_part part;
    for (int64_t u = first; u < end; u++) {
        grid_stretch(&g, u, u + 1, &part);
        int32_t head = (int32_t)part.col;
        part.col = 0, part.n_col = b->n->width;
        product p = heads_product(b, b->n, &part, b->a0 + head, 1);
        p.y0 = (int64_t)head * b->n->width;
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

static grid attn_out_grid(const batch *b)
{
    const node *result = result_node(b);
    return grid_of(b->n_line, result->width, result->attr[0] != 0.0 ? 3 * VEC : PANEL);
}

static int64_t attn_out_units(const batch *b)
{
    grid g = attn_out_grid(b);
    return grid_units(&g);
}

static size_t attn_out_scratch(const batch *b, size_t real_bytes)
{
    grid g = attn_out_grid(b);
    (void)real_bytes;
    return scratch_of(b, result_node(b), &g, b->in[0]->n_part);
}

/* y = y + x, n numbers. */
static void add_line(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = y[i] + x[i];
}

static void attn_out_part(const batch *b, const grid_part *part, float *scratch)
{
    product p = heads_product(b, result_node(b), part, 0, b->in[0]->n_part);
    p.y0 = part->col;
    product_run(&p, scratch);
    for (int64_t r = part->row; b->fusion->n_leaf > 2 && r < part->row + part->n_row; r++)
        add_line((float *)b->y[r] + part->col, (const float *)b->x[2][r] + part->col, part->n_col);
}

static void attn_out_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    grid g = attn_out_grid(b);
    grid_part part;
    for (int64_t u = first; u < end; u += grid_stretch(&g, u, end, &part)) {
        grid_stretch(&g, u, end, &part);
        attn_out_part(b, &part, scratch);
    }
}

const kernel VEC_NAME(result) = { result_units, result_scratch, result_run };
const kernel VEC_NAME(attn_out) = { attn_out_units, attn_out_scratch, attn_out_run };
/* SPDX-License-Identifier: MIT */
