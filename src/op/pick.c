/* op: pick(x, token, at?)     y[i] = x[at, token[i]]: chosen logits of one position, the last when `at` is missing.
 *
 * token and at are given a lane, so which of x is read differs by lane.  Parts are far apart in x: needs are
 * asked part by part (scattered). */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *x = n->in[0], *token = n->in[1];
    n->extent = LANE, n->n_part = token->n_part, n->width = 1, n->part_axis = "choice";
    if (x->extent != ROW || x->width != 1) return "x is not one number a part and position";
    if (token->extent != LANE || token->width != 1 || token->op)
        return "token is not given lane by lane";
    return n->n_in > 2 && (n->in[2]->extent != LANE || n->in[2]->op)
               ? "at is not given lane by lane"
               : NULL;
}

static box need(const node *n, int k, box b, const lane *l)
{
    if (k == 1) return b;
    if (k == 2) return (box){ 0, 1, 0, 1 };
    int32_t row = n->n_in > 2 ? (int32_t)lane_input(l, n->in[2], 0, 0) : lane_len(l) - 1;
    int32_t part = (int32_t)lane_input(l, n->in[1], 0, b.a0);
    return (box){ row, row + 1, part, part + 1 };
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const job *j = &b->job[b->line_job[i]];
        *(real *)b->y[i] = *(const real *)b->x[0][j->x0[0]];
    }
}

static node *sample(graph *g, int i)
{
    if (i >= 2) return NULL;
    node *at = i ? graph_input(g, LANE, 1, 1) : NULL;
    return graph_push(g, &op_pick_def,
                      (node *[MAX_IN]){ graph_input(g, ROW, 3, 1), graph_input(g, LANE, 2, 1), at },
                      (double[MAX_ATTR]){ 0 });
}

const op_def op_pick_def = { .name = "pick",
                             .n_in = 3,
                             .n_optional = 1,
                             .scattered = true,
                             .shape = shape,
                             .need = need,
                             .kernel = { .run = run },
                             .cost = cost_numbers,
                             .sample = sample };
/* SPDX-License-Identifier: MIT */
