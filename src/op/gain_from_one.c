/* op: gain_from_one(x, w)     y = x (1 + w), part by part: Gemma's norms store the gain less one.  Two roundings. */
#include "op/op.h"

static const char *shape(node *n)
{
    if (n->in[1]->extent != WEIGHT || n->in[1]->n_part != n->in[0]->width)
        return "w is not as long as x";
    return shape_like(n, n->in[0]);
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_all_of(n, l);
}
static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_all_of(n->in[k], l);
}

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)b->n->width * real_bytes;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->n->width;
    const real *w = op_vector(&b->w[1], d, scratch);
    for (int64_t i = first; i < end; i++)
        for (int32_t a = 0; a < b->a1 - b->a0; a++) {
            const real *x = op_same_line(b, 0, i) + (int64_t)a * d;
            real *restrict y = (real *)b->y[i] + (int64_t)a * d;
            for (int32_t j = 0; j < d; j++) {
                real gain = 1 + w[j];
                y[j] = x[j] * gain;
            }
        }
}

static node *sample(graph *g, int i)
{
    node *x = sample_input(g, i), *w = x ? sample_weight(g, i, 1, x->width, 0) : NULL;
    return x ? graph_push(g, &op_gain_from_one_def, (node *[MAX_IN]){ x, w },
                          (double[MAX_ATTR]){ 0 })
             : NULL;
}

const op_def op_gain_from_one_def = { .name = "gain_from_one",
                                      .n_in = 2,
                                      .shape = shape,
                                      .reach = reach,
                                      .need = need,
                                      .kernel = { .scratch = scratch_bytes, .run = run },
                                      .cost = cost_numbers,
                                      .sample = sample };
/* SPDX-License-Identifier: MIT */
