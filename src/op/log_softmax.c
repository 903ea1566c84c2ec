/* op: log_softmax(x)     y = (x - max) - log(sum of exp(x - max)), over all parts (the vocabulary).
 *
 * The sum is sum16 over the parts. */
#include "op/softmax.h"

static const char *shape(node *n)
{
    return n->in[0]->width != 1 || n->in[0]->extent == PAIR ? "x is not one number a part"
                                                            : shape_like(n, n->in[0]);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t n = b->in[0]->n_part;
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i);
        real *restrict y = b->y[i], max = x[0];
        for (int32_t j = 1; j < n; j++) max = x[j] > max ? x[j] : max;
        const real rest = softmax_log_sum(x, n, max);
        for (int32_t j = b->a0; j < b->a1; j++) y[j - b->a0] = (x[j] - max) - rest;
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return 12 * node_numbers(n, (box){ b.r0, b.r1, 0, n->n_part }, l);
}

static node *sample(graph *g, int i)
{
    static const int parts[] = { 1, 5, 37, 130 };
    if (i >= 4) return NULL;
    return graph_push(g, &op_log_softmax_def, (node *[MAX_IN]){ graph_input(g, ROW, parts[i], 1) },
                      (double[MAX_ATTR]){ 0 });
}

const op_def op_log_softmax_def = { .name = "log_softmax",
                                    .n_in = 1,
                                    .shape = shape,
                                    .reach = reach_rows,
                                    .need = need_rows,
                                    .kernel = { .run = run },
                                    .cost = cost,
                                    .sample = sample };
/* SPDX-License-Identifier: MIT */
