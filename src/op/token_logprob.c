/* op: token_logprob(x, token)     y = (x[token] - max) - log(sum of exp(x - max)), row by row: what a model gives the token
 * that comes next.
 *
 * The bits of log_softmax's part `token`, without the other parts ever being written.  token is given for every row; where
 * it is no part of x, y is NaN. */
#include "op/softmax.h"
#include <math.h>

static const char *shape(node *n)
{
    const node *x = n->in[0], *token = n->in[1];
    shape_like(n, x);
    n->n_part = 1, n->part_axis = "";
    if (x->extent != ROW || x->width != 1) return "x is not one number a part and position";
    return token->extent != ROW || token->n_part != 1 || token->width != 1
               ? "token is not one number a position"
               : NULL;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    const int32_t n = b->in[0]->n_part;
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i), token = *op_same_line(b, 1, i);
        real max = x[0];
        if (!(token >= 0 && token < (real)n)) {
            *(real *)b->y[i] = (real)NAN;
            continue;
        }
        for (int32_t j = 1; j < n; j++) max = x[j] > max ? x[j] : max;
        *(real *)b->y[i] = (x[(int32_t)token] - max) - softmax_log_sum(x, n, max);
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return 12 * node_numbers(n, b, l) * n->in[0]->n_part;
}

static node *sample(graph *g, int i)
{
    static const int parts[] = { 3, 5, 37, 130 };
    if (i >= 4) return NULL;
    return graph_push(
        g, &op_token_logprob_def,
        (node *[MAX_IN]){ graph_input(g, ROW, parts[i], 1), graph_input(g, ROW, 1, 1) },
        (double[MAX_ATTR]){ 0 });
}

const op_def op_token_logprob_def = { .name = "token_logprob",
                                      .n_in = 2,
                                      .shape = shape,
                                      .reach = reach_rows,
                                      .need = need_rows,
                                      .kernel = { .run = run },
                                      .cost = cost,
                                      .sample = sample };
/* SPDX-License-Identifier: MIT */
