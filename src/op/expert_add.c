/* op: expert_add(y, index, weight, sum?; expert)     sum + y weight[j], of rows whose index[j] is the expert; else sum.
 *
 * Experts are added in ascending order, from zero; the j of one row in ascending order.  Two roundings a term. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *y = n->in[0], *index = n->in[1], *w = n->in[2];
    if (index->n_part != w->n_part || index->width != 1 || w->width != 1)
        return "index and weight are not as many";
    if (n->n_in > 3 && (n->in[3]->width != y->width || n->in[3]->n_part != y->n_part))
        return "sum is not as long as y";
    return shape_like(n, y);
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 || k == 3 ? b : reach_rows(n, k, b, l);
}

static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 || k == 3 ? b : need_rows(n, k, b, l);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    const real expert = (real)b->n->attr[0];
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i), *index = op_same_line(b, 1, i),
                   *w = op_same_line(b, 2, i), *sum = b->n->n_in > 3 ? op_same_line(b, 3, i) : NULL;
        real *restrict y = b->y[i];
        int64_t n = op_numbers(b, i);
        for (int64_t c = 0; c < n; c++) y[c] = sum ? sum[c] : 0;
        for (int32_t j = 0; j < b->in[1]->n_part; j++) {
            if (!(index[j] >= expert && index[j] < expert + 1)) continue;
            for (int64_t c = 0; c < n; c++) {
                real term = x[c] * w[j];
                y[c] = y[c] + term;
            }
        }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[1]->n_part;
}

static node *sample(graph *g, int i)
{
    if (i >= 4) return NULL;
    node *y = graph_input(g, ROW, 1 + i % 3, 3 + i), *index = graph_input(g, ROW, 1 + i, 1);
    node *w = graph_input(g, ROW, 1 + i, 1),
         *sum = i % 2 ? graph_input(g, ROW, 1 + i % 3, 3 + i) : NULL;
    return graph_push(g, &op_expert_add_def, (node *[MAX_IN]){ y, index, w, sum },
                      (double[MAX_ATTR]){ 0 });
}

const op_def op_expert_add_def = { .name = "expert_add",
                                   .n_in = 4,
                                   .n_optional = 1,
                                   .shape = shape,
                                   .reach = reach,
                                   .need = need,
                                   .kernel = { .run = run },
                                   .cost = cost,
                                   .sample = sample };
/* SPDX-License-Identifier: MIT */
