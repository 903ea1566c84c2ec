/* op: scores(q, k; scale, cap, window, both_ways)     y[query, head, key] = scale q.k, for the keys the query sees.
 *
 * A query at i sees keys max(0, i - window + 1) .. i; window 0: all of them; both_ways: those after it too.  Masked keys are absent: a
 * line is as long as there are keys.  cap > 0: cap tanh(y / cap). */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *q = n->in[0], *k = n->in[1];
    shape_like(n, q);
    n->extent = PAIR, n->window = (int32_t)n->attr[2], n->width_axis = "key", n->absent = -INFINITY;
    n->both_ways = n->attr[3] != 0;
    if (n->both_ways && n->window) return "a window looks back, and these queries see both ways";
    if (q->extent != ROW || k->extent != ROW) return "q and k are not one line a position";
    return k->n_part != q->n_part || k->width != q->width ? "q and k are not of one shape" : NULL;
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_keys_reach(n, b, l);
}

static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_keys_need(n, b, l);
}

static real dot(const real *x, const real *y, int32_t d)
{
    real acc = 0;
    for (int32_t j = 0; j < d; j++) acc = real_fma(x[j], y[j], acc);
    return acc;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->in[0]->width;
    const real scale = (real)b->n->attr[0], cap = (real)b->n->attr[1];
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        int32_t key0 = node_first_key(b->n, b->pos[i]), w = batch_width(b, b->n, i);
        real *y = b->y[i];
        for (int32_t a = 0; a < b->a1 - b->a0; a++)
            for (int32_t s = key0; s < key0 + w; s++, y++) {
                *y = dot(op_same_line(b, 0, i) + (int64_t)a * d,
                         op_line(b, 1, i, s) + (int64_t)a * d, d) *
                     scale;
                if (cap > 0) *y = real_softcap(*y, cap);
            }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[0]->width;
}

static node *sample(graph *g, int i)
{
    static const int head[] = { 1, 3, 2, 2, 2 }, width[] = { 1, 5, 8, 17, 6 },
                     window[] = { 0, 2, 0, 4, 0 };
    if (i >= 5) return NULL;
    return graph_push(g, &op_scores_def,
                      (node *[MAX_IN]){ graph_input(g, ROW, head[i], width[i]),
                                        graph_input(g, ROW, head[i], width[i]) },
                      (double[MAX_ATTR]){ 0.5, i % 2 ? 3 : 0, window[i], i == 4 });
}

const op_def op_scores_def = { .name = "scores",
                               .n_in = 2,
                               .shape = shape,
                               .reach = reach,
                               .need = need,
                               .kernel = { .run = run },
                               .cost = cost,
                               .sample = sample };
/* SPDX-License-Identifier: MIT */
