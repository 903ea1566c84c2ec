/* op: embed(token, w)     y[pos] = w[token[pos]]. */
#include "op/op.h"

static const char *shape(node *n)
{
    n->width = n->in[1]->n_part;
    return n->in[1]->extent != WEIGHT ? "w is no weight"
           : n->in[0]->width != 1     ? "token is not one number"
                                      : NULL;
}

/* Which row of the table a position reads is known, but a fork that edits the table is rare: all of it
 * is needed, all rows are reached, and equal values end it there. */
static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_all_of(n, l);
}

static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_all_of(n->in[1], l);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        op_weight(&b->w[1], (int64_t)*op_same_line(b, 0, i), 0, b->n->width, b->y[i]);
}

static node *sample(graph *g, int i)
{
    if (i >= 4) return NULL;
    return graph_push(
        g, &op_embed_def,
        (node *[MAX_IN]){ graph_input(g, ROW, 1, 1), sample_weight(g, i, 3, 7 + i, 0) },
        (double[MAX_ATTR]){ 0 });
}

const op_def op_embed_def = { .name = "embed",
                              .n_in = 2,
                              .shape = shape,
                              .reach = reach,
                              .need = need,
                              .kernel = { .run = run },
                              .cost = cost_numbers,
                              .sample = sample };
/* SPDX-License-Identifier: MIT */
