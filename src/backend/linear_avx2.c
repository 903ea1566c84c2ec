/* linear_avx2 -- y = x W + b over vecs, with the bits of op/linear.c.
 *
 * Reads b->in[0] for the length of x and attributes layout and first as op/linear.c states them. */
#include "backend/kernels.h"
#include "backend/panel.h"

enum { UNIT_ROWS = 240, UNIT_COLS = 1024, UNIT_COLS_FEW = 128 };

static int64_t columns(const batch *b) { return (int64_t)(b->a1 - b->a0) * b->n->width; }

/* Units are blocks of rows times blocks of columns, small enough to share a call among threads. */
static int64_t unit_columns(const batch *b)
{
    return columns(b) > 8 * UNIT_COLS ? UNIT_COLS : UNIT_COLS_FEW;
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t linear_units(const batch *b)
{
    return ceil_div(b->n_line, UNIT_ROWS) * ceil_div(columns(b), unit_columns(b));
}

static size_t linear_scratch(const batch *b, size_t real_bytes)
{
    (void)b, (void)real_bytes;
    return product_scratch();
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
    const node *n = b->n;
    int64_t n_block = ceil_div(columns(b), unit_columns(b));
    for (int64_t u = first; u < end; u++) {
        int64_t row = u / n_block * UNIT_ROWS, col = u % n_block * unit_columns(b);
        int64_t rows = b->n_line - row, cols = columns(b) - col;
        product p = { .x = (const float *const *)b->x[0] + row,
                      .y = (float *const *)b->y + row,
                      .n_row = rows < UNIT_ROWS ? rows : UNIT_ROWS,
                      .n_k = (int64_t)b->in[0]->n_part * b->in[0]->width,
                      .n_col = cols < unit_columns(b) ? cols : unit_columns(b),
                      .y0 = col,
                      .w = b->w[1],
                      .col0 = (int64_t)n->attr[1] + (int64_t)b->a0 * n->width + col,
                      .by_out = n->attr[0] != 0.0 };
        product_run(&p, scratch);
        if (b->w[2].base) add_bias(&p, &b->w[2]);
    }
}

const kernel linear_avx2 = { linear_units, linear_scratch, linear_run };
/* SPDX-License-Identifier: MIT */
