/* op: result(z, w; layout)     y[head] = z[head] W_O[head's rows]: what each head writes, from zero.
 *
 * The parts of attn.out, which is nothing but their sum (headsum.c).  layout as in linear. */
#include "op/result.h"

static const char *shape(node *n)
{
    const node *z = n->in[0], *w = n->in[1];
    shape_like(n, z);
    n->width = result_by_out(n) ? w->n_row : w->n_part, n->width_axis = "d_model";
    if (w->extent != WEIGHT) return "w is no weight";
    return (result_by_out(n) ? w->n_part : w->n_row) != z->n_part * z->width
               ? "w has not one input per number of z"
               : NULL;
}

/* A call sees its weights once: which of w it reads may depend on the heads, not on the rows. */
static box reach(const node *n, int k, box b, const lane *l)
{
    int32_t d = n->in[0]->width;
    if (k == 0) return b;
    if (result_by_out(n)) return (box){ 0, node_rows(n, l), b.a0 / d, (b.a1 + d - 1) / d };
    return (box){ 0, node_rows(n, l), b.r0 / d, (b.r1 + d - 1) / d };
}

static box need(const node *n, int k, box b, const lane *l)
{
    int32_t d = n->in[0]->width;
    (void)l;
    if (k == 0) return b;
    if (result_by_out(n)) return (box){ 0, n->in[1]->n_row, b.a0 * d, b.a1 * d };
    return (box){ b.a0 * d, b.a1 * d, 0, n->in[1]->n_part };
}

/* A unit is one head's tile of columns, for all lines. */
static int64_t tiles(const batch *b) { return (b->n->width + RESULT_TILE - 1) / RESULT_TILE; }
static int64_t units(const batch *b) { return (b->a1 - b->a0) * tiles(b); }

static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    return (size_t)(b->in[0]->width * (RESULT_TILE + 1)) * real_bytes;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->in[0]->width, m = b->n->width;
    real acc[RESULT_TILE];
    for (int64_t u = first; u < end; u++) {
        int32_t a = (int32_t)(u / tiles(b)), c0 = (int32_t)(u % tiles(b)) * RESULT_TILE;
        int n_c = m - c0 < RESULT_TILE ? m - c0 : RESULT_TILE;
        result_tile(&b->w[1], result_by_out(b->n), (b->a0 + a) * d, d, c0, n_c, scratch);
        for (int64_t i = 0; i < b->n_line; i++) {
            result_line(op_same_line(b, 0, i) + (int64_t)a * d, scratch, d, acc);
            memcpy((real *)b->y[i] + (int64_t)a * m + c0, acc, (size_t)n_c * sizeof *acc);
        }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[0]->width;
}

static node *sample(graph *g, int i)
{
    static const int head[] = { 1, 3, 2, 4 }, width[] = { 1, 5, 8, 3 }, out[] = { 1, 9, 70, 64 };
    if (i >= 4) return NULL;
    int in = head[i] * width[i];
    node *w = i % 2 ? sample_weight(g, i, out[i], in, 0) : sample_weight(g, i, in, out[i], 0);
    return graph_push(g, &op_result_def,
                      (node *[MAX_IN]){ graph_input(g, ROW, head[i], width[i]), w },
                      (double[MAX_ATTR]){ i % 2 });
}

const op_def op_result_def = { .name = "result",
                               .n_in = 2,
                               .shape = shape,
                               .reach = reach,
                               .need = need,
                               .kernel = { .units = units, .scratch = scratch_bytes, .run = run },
                               .cost = cost,
                               .sample = sample };
/* SPDX-License-Identifier: MIT */
