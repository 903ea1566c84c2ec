/* op: weighted_sum(x, w)     y = sum of w[j] x[j], by fma in ascending j from zero; where w[j] is 0 nothing is read.
 *
 * w is given a lane, so how many of x count differs by lane: what a metric over a set of answers is made of. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *x = n->in[0], *w = n->in[1];
    shape_like(n, x);
    n->n_part = 1, n->part_axis = "";
    if (x->extent != LANE || x->width != 1) return "x is not one number a part and lane";
    return w->extent != LANE || w->width != 1 || w->op ? "w is not given lane by lane"
           : w->n_part != x->n_part                    ? "there are not as many w as x"
                                                       : NULL;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i), *w = op_same_line(b, 1, i);
        real y = 0;
        for (int32_t j = 0; j < b->in[0]->n_part; j++)
            if (w[j] != 0) y = real_fma(w[j], x[j], y);
        *(real *)b->y[i] = y;
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[0]->n_part;
}

static node *sample(graph *g, int i)
{
    static const int part[] = { 1, 4, 37 };
    if (i >= 3) return NULL;
    return graph_push(
        g, &op_weighted_sum_def,
        (node *[MAX_IN]){ graph_input(g, LANE, part[i], 1), graph_input(g, LANE, part[i], 1) },
        (double[MAX_ATTR]){ 0 });
}

const op_def op_weighted_sum_def = { .name = "weighted_sum",
                                     .n_in = 2,
                                     .shape = shape,
                                     .reach = reach_rows,
                                     .need = need_rows,
                                     .kernel = { .run = run },
                                     .cost = cost,
                                     .sample = sample };
/* SPDX-License-Identifier: MIT */
