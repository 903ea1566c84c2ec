/* op: mix(p, v)     z[query, head] = sum over visible keys, ascending, of p[query, head, key] v[key, head]. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *p = n->in[0], *v = n->in[1];
    shape_like(n, v);
    if (p->extent != PAIR || v->extent != ROW) return "p is no pattern or v no line a position";
    return p->n_part != v->n_part ? "p and v have not the same heads" : NULL;
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_keys_reach(n->in[0], b, l);
}

static box need(const node *n, int k, box b, const lane *l)
{
    return k == 0 ? b : op_keys_need(n->in[0], b, l);
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->n->width;
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        int32_t w = batch_width(b, b->in[0], i), key0 = node_first_key(b->in[0], b->pos[i]);
        for (int32_t a = 0; a < b->a1 - b->a0; a++) {
            const real *p = op_same_line(b, 0, i) + (int64_t)a * w;
            real *restrict y = (real *)b->y[i] + (int64_t)a * d;
            for (int32_t j = 0; j < d; j++) y[j] = 0;
            for (int32_t s = 0; s < w; s++) {
                const real *v = op_line(b, 1, i, key0 + s) + (int64_t)a * d;
                for (int32_t j = 0; j < d; j++) y[j] = real_fma(p[s], v[j], y[j]);
            }
        }
    }
}

/* Of every row its keys, times the head's width. */
static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n->in[0], b, l) * n->width;
}

static node *sample(graph *g, int i)
{
    static const int head[] = { 1, 3, 2, 2 }, width[] = { 1, 5, 17, 4 }, window[] = { 0, 2, 5, 0 };
    if (i >= 4) return NULL;
    node *p = graph_input(g, PAIR, head[i], 1);
    if (p) p->window = window[i], p->both_ways = i == 3;
    return graph_push(g, &op_mix_def, (node *[MAX_IN]){ p, graph_input(g, ROW, head[i], width[i]) },
                      (double[MAX_ATTR]){ 0 });
}

const op_def op_mix_def = { .name = "mix",
                            .n_in = 2,
                            .shape = shape,
                            .reach = reach,
                            .need = need,
                            .kernel = { .run = run },
                            .cost = cost,
                            .sample = sample };
/* SPDX-License-Identifier: MIT */
