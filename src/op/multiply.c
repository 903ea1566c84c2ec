/* op: multiply(a, b)     y = a b: the gate of a gated MLP. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *a = n->in[0], *b = n->in[1];
    if (a->extent != b->extent || a->n_part != b->n_part || a->width != b->width ||
        a->window != b->window)
        return "the two are not of one shape";
    return shape_like(n, a);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *u = op_same_line(b, 0, i), *v = op_same_line(b, 1, i);
        real *restrict y = b->y[i];
        for (int64_t j = 0, n = op_numbers(b, i); j < n; j++) y[j] = u[j] * v[j];
    }
}

static node *sample(graph *g, int i) { return sample_binary(g, i, &op_multiply_def); }

const op_def op_multiply_def = { .name = "multiply",
                                 .n_in = 2,
                                 .shape = shape,
                                 .reach = need_same,
                                 .need = need_same,
                                 .kernel = { .run = run },
                                 .cost = cost_numbers,
                                 .sample = sample };
/* SPDX-License-Identifier: MIT */
