/* op: expert_weights(logits, index; norm)     y[j] = softmax(logits)[index[j]]; norm: divided by their sum.
 *
 * exp(x - max) over all experts, their sum as sum16.  The expert is the whole part of index; an index that is no expert's
 * gives 0: that is how an edit takes a route away. */
#include "op/op.h"

static const char *shape(node *n)
{
    shape_like(n, n->in[1]);
    if (n->in[0]->extent != n->extent || n->extent == PAIR) return "the two are not lines of a row";
    return n->in[0]->width != 1 || n->width != 1 ? "the two are not one number a part" : NULL;
}

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)b->in[0]->n_part * real_bytes;
}

/* softmax of x [n] into p. */
static void share(const real *x, real *p, int32_t n)
{
    real most = x[0];
    for (int32_t j = 1; j < n; j++) most = x[j] > most ? x[j] : most;
    for (int32_t j = 0; j < n; j++) p[j] = real_exp(x[j] - most);
    real sum = op_sum16(p, n);
    for (int32_t j = 0; j < n; j++) p[j] = p[j] / sum;
}

static real chosen(const real *p, int32_t n, real index)
{
    return index >= 0 && index < (real)n ? p[(int32_t)index] : 0;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t n = b->in[0]->n_part, k = b->n->n_part;
    real *p = scratch;
    for (int64_t i = first; i < end; i++) {
        const real *index = op_same_line(b, 1, i);
        real *y = b->y[i], sum = 0;
        share(op_same_line(b, 0, i), p, n);
        for (int32_t j = 0; j < k; j++) sum = sum + chosen(p, n, index[j]);
        for (int32_t j = b->a0; j < b->a1; j++) {
            real w = chosen(p, n, index[j]);
            y[j - b->a0] = b->n->attr[0] != 0 && sum > 0 ? w / sum : w;
        }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    (void)l;
    return (b.r1 - b.r0) * (int64_t)n->in[0]->n_part * 12;
}

static node *sample(graph *g, int i)
{
    static const int part[] = { 1, 5, 20 }, k[] = { 1, 2, 4 };
    if (i >= 3) return NULL;
    return graph_push(
        g, &op_expert_weights_def,
        (node *[MAX_IN]){ graph_input(g, ROW, part[i], 1), graph_input(g, ROW, k[i], 1) },
        (double[MAX_ATTR]){ i % 2 });
}

const op_def op_expert_weights_def = { .name = "expert_weights",
                                       .n_in = 2,
                                       .shape = shape,
                                       .reach = reach_rows,
                                       .need = need_rows,
                                       .kernel = { .scratch = scratch_bytes, .run = run },
                                       .cost = cost,
                                       .sample = sample };
/* SPDX-License-Identifier: MIT */
