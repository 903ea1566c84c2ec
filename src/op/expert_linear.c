/* op: expert_linear(x, w, index; expert, first, n_part, width)     y = x W, of rows that chose the expert; else 0.
 *
 * W is [out, in], y its rows `first` on; k ascending, fma, from zero, as linear.  A row that did not choose the expert costs nothing.
 * The expert is the whole part of an index. */
#include "op/op.h"

static int32_t inputs(const node *n) { return n->in[0]->n_part * n->in[0]->width; }

static const char *shape(node *n)
{
    const node *w = n->in[1], *index = n->in[2];
    n->n_part = (int32_t)n->attr[2], n->width = (int32_t)n->attr[3];
    if (w->extent != WEIGHT || w->n_part != inputs(n)) return "x is not as long as w has inputs";
    if (index->extent != n->in[0]->extent || index->width != 1)
        return "index is not one number a part";
    return w->n_row < n->attr[1] + n->attr[2] * n->attr[3] ? "w has too few outputs" : NULL;
}

static box reach(const node *n, int k, box b, const lane *l)
{
    return k == 1 ? op_all_of(n, l) : reach_rows(n, k, b, l);
}

static box need(const node *n, int k, box b, const lane *l)
{
    return k == 1 ? op_all_of(n->in[1], l) : need_rows(n, k, b, l);
}

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)inputs(b->n) * real_bytes;
}

static bool chose(const batch *b, int64_t i)
{
    const real *index = op_same_line(b, 2, i), expert = (real)b->n->attr[0];
    for (int32_t j = 0; j < b->in[2]->n_part; j++)
        if (index[j] >= expert && index[j] < expert + 1) return true;
    return false;
}

static int64_t units(const batch *b) { return (int64_t)(b->a1 - b->a0) * b->n->width; }

/* A unit is one output, for all lines. */
static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t n_k = inputs(b->n);
    int64_t row0 = (int64_t)b->n->attr[1] + (int64_t)b->a0 * b->n->width;
    real *w = scratch;
    for (int64_t c = first; c < end; c++) {
        op_weight(&b->w[1], row0 + c, 0, n_k, w);
        for (int64_t i = 0; i < b->n_line; i++) {
            const real *x = op_same_line(b, 0, i);
            real acc = 0;
            for (int32_t k = 0, n = chose(b, i) ? n_k : 0; k < n; k++)
                acc = real_fma(x[k], w[k], acc);
            ((real *)b->y[i])[c] = acc;
        }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * inputs(n);
}

static node *sample(graph *g, int i)
{
    static const int in[] = { 1, 5, 17, 8 }, part[] = { 1, 7, 3, 20 }, width[] = { 1, 1, 4, 1 };
    if (i >= 4) return NULL;
    node *x = graph_input(g, ROW, 1, in[i]), *index = graph_input(g, ROW, 1 + i % 2, 1);
    node *w = sample_weight(g, i, i + part[i] * width[i], in[i], 0);
    return graph_push(g, &op_expert_linear_def, (node *[MAX_IN]){ x, w, index },
                      (double[MAX_ATTR]){ 0, i, part[i], width[i] });
}

const op_def op_expert_linear_def = {
    .name = "expert_linear",
    .n_in = 3,
    .shape = shape,
    .reach = reach,
    .need = need,
    .kernel = { .units = units, .scratch = scratch_bytes, .run = run },
    .cost = cost,
    .sample = sample
};
/* SPDX-License-Identifier: MIT */
