/* op: headsum(r, b?)     y = ((r[0] + r[1]) + r[2]) ... + b: the attention output from its heads.
 *
 * From the first head's value, not from zero: 0 + -0 is +0, and would make a one-head sum differ from its
 * only part.  b is a row of its own (broadcast.c), a writer beside the heads. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *r = n->in[0];
    shape_like(n, r);
    n->n_part = 1, n->part_axis = "";
    if (n->n_in < 2) return NULL;
    return n->in[1]->width != r->width || n->in[1]->n_part != 1 || n->in[1]->extent != r->extent
               ? "b is not as long as y"
               : NULL;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t m = b->n->width, n_head = b->in[0]->n_part;
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *r = op_same_line(b, 0, i),
                   *bias = b->n->n_in > 1 ? op_same_line(b, 1, i) : NULL;
        real *restrict y = b->y[i];
        for (int32_t c = 0; c < m; c++) y[c] = r[c];
        for (int32_t h = 1; h < n_head; h++)
            for (int32_t c = 0; c < m; c++) y[c] = y[c] + r[(int64_t)h * m + c];
        for (int32_t c = 0; bias && c < m; c++) y[c] = y[c] + bias[c];
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[0]->n_part;
}

static node *sample(graph *g, int i)
{
    if (i >= 3) return NULL;
    node *bias = i % 2 ? graph_input(g, ROW, 1, 3 + 7 * i) : NULL;
    return graph_push(g, &op_headsum_def,
                      (node *[MAX_IN]){ graph_input(g, ROW, 1 + 2 * i, 3 + 7 * i), bias },
                      (double[MAX_ATTR]){ 0 });
}

const op_def op_headsum_def = { .name = "headsum",
                                .n_in = 2,
                                .n_optional = 1,
                                .shape = shape,
                                .reach = reach_rows,
                                .need = need_rows,
                                .kernel = { .run = run },
                                .cost = cost,
                                .sample = sample };
/* SPDX-License-Identifier: MIT */
