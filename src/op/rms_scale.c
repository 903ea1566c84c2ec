/* op: rms_scale(x; eps)     y = sqrt(mean of x^2 + eps), part by part. */
#include "op/op.h"

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->width = 1, n->width_axis = "";
    return n->extent == PAIR ? "x has no fixed width" : NULL;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->in[0]->width;
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        for (int32_t a = 0; a < b->a1 - b->a0; a++) {
            const real *x = op_same_line(b, 0, i) + (int64_t)a * d;
            real mean = 0;
            ((real *)b->y[i])[a] =
                real_sqrt(op_squares16(x, d, mean) / (real)d + (real)b->n->attr[0]);
        }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return 2 * node_numbers(n->in[0], b, l);
}

static node *sample(graph *g, int i)
{
    node *x = sample_input(g, i);
    return x ? graph_push(g, &op_rms_scale_def, (node *[MAX_IN]){ x }, (double[MAX_ATTR]){ 1e-5 })
             : NULL;
}

const op_def op_rms_scale_def = { .name = "rms_scale",
                                  .n_in = 1,
                                  .shape = shape,
                                  .reach = need_same,
                                  .need = need_same,
                                  .kernel = { .run = run },
                                  .cost = cost,
                                  .sample = sample };
/* SPDX-License-Identifier: MIT */
