/* op: rotary(x, inv_freq; n_rot, style, factor)     pairs (u, v) of each head are turned by inv_freq[j] pos.
 *
 * u' = u cos - v sin, v' = v cos + u sin, three roundings each; the first n_rot dimensions only.
 * style 0: pair j is (j, j + n_rot/2), as Hugging Face stores Llama; 1: (2j, 2j + 1), as llama2.c.
 * cos and sin are multiplied by factor (yarn; else 1).
 * inv_freq is rounded to the precision computed in, then times pos, as Hugging Face does.  Of two rows the second is
 * for float32: frequencies that were worked out in float32, step by step, as float32 programs have them. */
#include "op/op.h"

static const char *shape(node *n)
{
    int32_t n_rot = (int32_t)n->attr[0];
    if (n_rot < 0 || n_rot % 2 || n_rot > n->in[0]->width)
        return "n_rot is odd or more than the head has";
    if (n->in[1]->extent != WEIGHT || n->in[1]->n_part != n_rot / 2 || n->in[1]->n_row > 2)
        return "inv_freq has not one number a pair, in one row or two";
    return shape_like(n, n->in[0]);
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
    return 3 * (size_t)(b->n->width / 2 + 1) * real_bytes;
}

/* Two loops, because gcc 12 makes one that subtracts and adds in turn into fmaddsub where the pairs are
 * neighbours, -ffp-contract=off or not. */
static void turn(const real *x, real *restrict y, int32_t d, int32_t half, bool neighbours,
                 const real *c, const real *s)
{
    int32_t step = neighbours ? 2 : 1, v0 = neighbours ? 1 : half;
    for (int32_t j = 0; j < half; j++) {
        real uc = x[j * step] * c[j], vs = x[j * step + v0] * s[j];
        y[j * step] = uc - vs;
    }
    for (int32_t j = 0; j < half; j++) {
        real vc = x[j * step + v0] * c[j], us = x[j * step] * s[j];
        y[j * step + v0] = vc + us;
    }
    for (int32_t j = 2 * half; j < d; j++) y[j] = x[j];
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->n->width, half = (int32_t)b->n->attr[0] / 2, last = -1;
    real *c = scratch, *s = c + half;
    const real factor = (real)b->n->attr[2];
    weight_view w = b->w[1];
    if (sizeof(real) == sizeof(float) && b->in[1]->n_row == 2) w.base += w.row_bytes;
    const real *freq = op_vector(&w, half, s + half);
    for (int64_t i = first; i < end; i++) {
        for (int32_t j = 0; j < half && b->pos[i] != last; j++) {
            real angle = freq[j] * (real)b->pos[i];
            c[j] = real_cos(angle) * factor, s[j] = real_sin(angle) * factor;
        }
        last = b->pos[i];
        for (int32_t a = 0; a < b->a1 - b->a0; a++)
            turn(op_same_line(b, 0, i) + (int64_t)a * d, (real *)b->y[i] + (int64_t)a * d, d, half,
                 b->n->attr[1] != 0, c, s);
    }
}

static int64_t cost(const node *n, box b, const lane *l) { return 4 * node_numbers(n, b, l); }

static node *sample(graph *g, int i)
{
    static const int part[] = { 1, 3, 2, 5 }, width[] = { 2, 6, 9, 16 }, rot[] = { 2, 6, 4, 16 };
    static const double factor[] = { 1, 1.125, 1, 1.5 };
    if (i >= 4) return NULL;
    return graph_push(g, &op_rotary_def,
                      (node *[MAX_IN]){ graph_input(g, ROW, part[i], width[i]),
                                        sample_weight(g, i, 1, rot[i] / 2, 0) },
                      (double[MAX_ATTR]){ rot[i], i % 2, factor[i] });
}

const op_def op_rotary_def = { .name = "rotary",
                               .n_in = 2,
                               .shape = shape,
                               .reach = reach,
                               .need = need,
                               .kernel = { .scratch = scratch_bytes, .run = run },
                               .cost = cost,
                               .sample = sample };
/* SPDX-License-Identifier: MIT */
