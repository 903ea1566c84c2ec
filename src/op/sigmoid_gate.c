/* op: sigmoid_gate(x, gate)     y = x sigmoid(gate), gate one number a row: how much of the shared expert. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *g = n->in[1];
    if (g->n_part != 1 || g->width != 1 || g->extent != n->in[0]->extent || g->extent == PAIR)
        return "g is not one number a row";
    return shape_like(n, n->in[0]);
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : reach_rows(n, k, b, l);
}
static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : need_rows(n, k, b, l);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i), gate = real_sigmoid(*op_same_line(b, 1, i));
        real *restrict y = b->y[i];
        for (int64_t j = 0, n = op_numbers(b, i); j < n; j++) y[j] = x[j] * gate;
    }
}

static node *sample(graph *g, int i)
{
    if (i >= 3) return NULL;
    return graph_push(
        g, &op_sigmoid_gate_def,
        (node *[MAX_IN]){ graph_input(g, ROW, 1 + i, 5 + 9 * i), graph_input(g, ROW, 1, 1) },
        (double[MAX_ATTR]){ 0 });
}

const op_def op_sigmoid_gate_def = { .name = "sigmoid_gate",
                                     .n_in = 2,
                                     .shape = shape,
                                     .reach = reach,
                                     .need = need,
                                     .kernel = { .run = run },
                                     .cost = cost_numbers,
                                     .sample = sample };
/* SPDX-License-Identifier: MIT */
