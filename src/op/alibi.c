/* op: alibi(scores, slope; factor, half)     y[query, head, key] = scores + slope[head] key factor.
 *
 * Slope times key as Hugging Face has it: of one query it differs from slope times distance by a constant, which the
 * softmax does not see.  half: the product is rounded to bfloat16 first (Falcon: that is the model). */
#include "op/op.h"

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    if (n->extent != PAIR) return "scores are not one line a query and key";
    if (n->in[1]->extent != WEIGHT || n->in[1]->n_part != n->n_part)
        return "slope is not one number a head";
    return NULL;
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_all_of(n, l);
}
static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_all_of(n->in[k], l);
}

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)b->n->n_part * real_bytes;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    const real *slope = op_vector(&b->w[1], b->n->n_part, scratch);
    const real factor = (real)b->n->attr[0];
    for (int64_t i = first; i < end; i++) {
        int32_t w = batch_width(b, b->n, i), key0 = node_first_key(b->n, b->pos[i]);
        const real *x = op_same_line(b, 0, i);
        real *restrict y = b->y[i];
        for (int32_t a = b->a0; a < b->a1; a++)
            for (int32_t s = 0; s < w; s++, x++, y++) {
                real lean = slope[a] * (real)(key0 + s);
                if (b->n->attr[1] != 0) lean = (real)dtype_bf16(dtype_to_bf16((float)lean));
                lean = lean * factor;
                *y = *x + lean;
            }
    }
}

static int64_t cost(const node *n, box b, const lane *l) { return 2 * node_numbers(n, b, l); }

static node *sample(graph *g, int i)
{
    static const int head[] = { 1, 3, 2, 4, 2 }, window[] = { 0, 2, 5, 0, 0 };
    if (i >= 5) return NULL;
    node *x = graph_input(g, PAIR, head[i], 1);
    if (x) x->window = window[i], x->both_ways = i == 4;
    return graph_push(g, &op_alibi_def, (node *[MAX_IN]){ x, sample_weight(g, i, 1, head[i], 0) },
                      (double[MAX_ATTR]){ i % 2 ? 0.5 : 1, i / 2 % 2 });
}

const op_def op_alibi_def = { .name = "alibi",
                              .n_in = 2,
                              .shape = shape,
                              .reach = reach,
                              .need = need,
                              .kernel = { .scratch = scratch_bytes, .run = run },
                              .cost = cost,
                              .sample = sample };
/* SPDX-License-Identifier: MIT */
