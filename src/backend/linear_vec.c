/* linear_vec -- y = x W + b over vecs, with the bits of op/linear.c.
 *
 * Reads b->in[0] for the length of x and attributes layout and first as op/linear.c states them. */
#include "backend/grid.h"
#include "backend/kernels.h"
#include "backend/panel.h"

static grid grid_here(const batch *b)
{
    return grid_of(b->n_line, (int64_t)(b->a1 - b->a0) * b->n->width,
                   b->n->attr[0] != 0.0 ? 3 * VEC : PANEL);
}

static int64_t linear_units(const batch *b)
{
    grid g = grid_here(b);
    return grid_units(&g);
}

static product product_of(const batch *b, const grid_part *part)
{
    const node *n = b->n;
    return (product){ .x = (const float *const *)b->x[0] + part->row,
                      .y = (float *const *)b->y + part->row,
                      .n_row = part->n_row,
                      .n_k = (int64_t)b->in[0]->n_part * b->in[0]->width,
                      .n_col = part->n_col,
                      .y0 = part->col,
                      .w = b->w[1],
                      .col0 = (int64_t)n->attr[1] + (int64_t)b->a0 * n->width + part->col,
                      .by_out = n->attr[0] != 0.0 };
}

static size_t linear_scratch(const batch *b, size_t real_bytes)
{
    grid g = grid_here(b);
    product p = product_of(b, &(grid_part){ .n_row = grid_rows(&g), .n_col = g.n_col });
    (void)real_bytes;
    return product_scratch(&p);
}

static void add_bias(const product *p, const weight_view *bias)
{
    for (int64_t c = 0; c < p->n_col; c += VEC) {
        int64_t n = p->n_col - c < VEC ? p->n_col - c : VEC;
        vec b = panel_weights(bias->base, p->col0 + c, n, bias->dtype);
        for (int64_t r = 0; r < p->n_row; r++) {
            float *y = p->y[r] + p->y0 + c;
            vec_store_part(y, vec_add(vec_load_part(y, (int)n), b), (int)n);
        }
    }
}

static void linear_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    grid g = grid_here(b);
    grid_part part;
    for (int64_t u = first; u < end; u += grid_stretch(&g, u, end, &part)) {
        grid_stretch(&g, u, end, &part);
        product p = product_of(b, &part);
        product_run(&p, scratch);
        if (b->w[2].base) add_bias(&p, &b->w[2]);
    }
}

const kernel VEC_NAME(linear) = { linear_units, linear_scratch, linear_run };
/* SPDX-License-Identifier: MIT */
