/* op: ln_normalized(x, scale)     y = (x - mean x) / scale, part by part: LayerNorm before gain and bias. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *s = n->in[1];
    if (s->n_part != n->in[0]->n_part || s->width != 1 || s->extent != n->in[0]->extent)
        return "scale is not one number a part";
    return shape_like(n, n->in[0]);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->n->width;
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        for (int32_t a = 0; a < b->a1 - b->a0; a++) {
            const real *x = op_same_line(b, 0, i) + (int64_t)a * d, s = op_same_line(b, 1, i)[a];
            real *restrict y = (real *)b->y[i] + (int64_t)a * d;
            real mean = op_sum16(x, d) / (real)d;
            for (int32_t j = 0; j < d; j++) y[j] = (x[j] - mean) / s;
        }
}

static node *sample(graph *g, int i)
{
    node *x = sample_input(g, i), *s = x ? graph_input(g, ROW, x->n_part, 1) : NULL;
    return x ? graph_push(g, &op_ln_normalized_def, (node *[MAX_IN]){ x, s },
                          (double[MAX_ATTR]){ 0 })
             : NULL;
}

const op_def op_ln_normalized_def = { .name = "ln_normalized",
                                      .n_in = 2,
                                      .shape = shape,
                                      .reach = need_same,
                                      .need = need_same,
                                      .kernel = { .run = run },
                                      .cost = cost_numbers,
                                      .sample = sample };
/* SPDX-License-Identifier: MIT */
