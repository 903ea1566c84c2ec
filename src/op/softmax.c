/* op: softmax(x)     y = exp(x - max) / sum of exp(x - max), over the keys of a query.
 *
 * The sum is sum16 over absolute keys, so that a window's edge does not move the order. */
#include "op/softmax.h"

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->absent = 0;
    return n->extent != PAIR ? "x is not one line a query and key" : NULL;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        int32_t w = batch_width(b, b->n, i), key0 = node_first_key(b->n, b->pos[i]);
        for (int32_t a = 0; a < b->a1 - b->a0; a++)
            softmax_line(op_same_line(b, 0, i) + (int64_t)a * w, (real *)b->y[i] + (int64_t)a * w,
                         w, key0);
    }
}

static int64_t cost(const node *n, box b, const lane *l) { return 12 * node_numbers(n, b, l); }

static node *sample(graph *g, int i)
{
    static const int head[] = { 1, 3, 2, 2 }, window[] = { 0, 2, 5, 0 };
    if (i >= 4) return NULL;
    node *x = graph_input(g, PAIR, head[i], 1);
    if (x) x->window = window[i], x->both_ways = i == 3;
    return graph_push(g, &op_softmax_def, (node *[MAX_IN]){ x }, (double[MAX_ATTR]){ 0 });
}

const op_def op_softmax_def = { .name = "softmax",
                                .n_in = 1,
                                .shape = shape,
                                .reach = need_same,
                                .need = need_same,
                                .kernel = { .run = run },
                                .cost = cost,
                                .sample = sample };
/* SPDX-License-Identifier: MIT */
