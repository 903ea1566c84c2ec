/* op: position(token, w; first)     y[pos] = w[first + pos]: learned positions. */
#include "op/op.h"

static const char *shape(node *n)
{
    n->width = n->in[1]->n_part;
    return n->in[1]->extent != WEIGHT ? "w is no weight" : NULL;
}

/* token says how many rows there are; what it holds does not matter. */
static box reach(const node *n, int k, box b, const lane *l)
{
    (void)b;
    return k == 0 ? (box){ 0 } : op_all_of(n, l);
}

static box need(const node *n, int k, box b, const lane *l)
{
    (void)b;
    return k == 0 ? (box){ 0 } : op_all_of(n->in[1], l);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        op_weight(&b->w[1], (int64_t)b->n->attr[0] + b->pos[i], 0, b->n->width, b->y[i]);
}

static node *sample(graph *g, int i)
{
    if (i >= 4) return NULL;
    return graph_push(
        g, &op_position_def,
        (node *[MAX_IN]){ graph_input(g, ROW, 1, 1), sample_weight(g, i, 512, 7 + i, 0) },
        (double[MAX_ATTR]){ i });
}

const op_def op_position_def = { .name = "position",
                                 .n_in = 2,
                                 .shape = shape,
                                 .reach = reach,
                                 .need = need,
                                 .kernel = { .run = run },
                                 .cost = cost_numbers,
                                 .sample = sample };
/* SPDX-License-Identifier: MIT */
