/* op: diff(x)     y = (x[0] - x[1]) - x[2] ...: the logit difference, of picked logits. */
#include "op/op.h"

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->n_part = 1, n->part_axis = "";
    return n->in[0]->width != 1 || n->extent == PAIR ? "x is not one number a part" : NULL;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i);
        real y = x[0];
        for (int32_t j = 1; j < b->in[0]->n_part; j++) y = y - x[j];
        *(real *)b->y[i] = y;
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[0]->n_part;
}

static node *sample(graph *g, int i)
{
    if (i >= 2) return NULL;
    return graph_push(g, &op_diff_def,
                      (node *[MAX_IN]){ graph_input(g, i ? LANE : ROW, 1 + 3 * i, 1) },
                      (double[MAX_ATTR]){ 0 });
}

const op_def op_diff_def = { .name = "diff",
                             .n_in = 1,
                             .shape = shape,
                             .reach = reach_rows,
                             .need = need_rows,
                             .kernel = { .run = run },
                             .cost = cost,
                             .sample = sample };
/* SPDX-License-Identifier: MIT */
