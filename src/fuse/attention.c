/* fuse: attention -- scores, softmax and mix as one: z of a query from its line of scores in scratch.
 *
 * No rescaling on the way: a line of scores is kept whole, so memory grows with the length and the bits
 * are those of the pattern one looks at.  With grouped keys the repeat is not made: query head h reads
 * key head h / times. */
#include "op/softmax.h"

typedef struct view {
    const node *scores;
    int32_t k_times, v_times; /* query heads to a key head, to a value head */
} view;

static view view_of(const batch *b)
{
    view v = { NULL, 1, 1 };
    for (int i = 0; i < b->fusion->n_inner; i++)
        if (!strcmp(b->fusion->inner[i]->op->name, "scores")) v.scores = b->fusion->inner[i];
    v.k_times = v.scores->n_part / b->in[1]->n_part;
    v.v_times = v.scores->n_part / b->in[2]->n_part;
    return v;
}

/* One query row's scores of one head. */
static size_t scratch_bytes(const batch *b, size_t real_bytes)
{
    const node *scores = view_of(b).scores;
    int32_t longest = 0;
    for (int32_t i = 0; i < b->n_line; i++) {
        int32_t w = batch_width(b, scores, i);
        longest = w > longest ? w : longest;
    }
    return (size_t)longest * real_bytes;
}

static void score_line(const batch *b, const view *v, int64_t i, int32_t head, real *y)
{
    int32_t d = b->in[0]->width, key0 = node_first_key(v->scores, b->pos[i]);
    int32_t end = key0 + batch_width(b, v->scores, i);
    const real *q = op_same_line(b, 0, i) + (int64_t)(head - b->a0) * d;
    const real scale = (real)v->scores->attr[0], cap = (real)v->scores->attr[1];
    for (int32_t s = key0; s < end; s++, y++) {
        const real *k = op_line(b, 1, i, s) + (int64_t)(head / v->k_times - b->a0 / v->k_times) * d;
        real acc = 0;
        for (int32_t j = 0; j < d; j++) acc = real_fma(q[j], k[j], acc);
        acc *= scale;
        *y = cap > 0 ? real_softcap(acc, cap) : acc;
    }
}

static void mix_line(const batch *b, const view *v, int64_t i, int32_t head, const real *p,
                     real *restrict y)
{
    int32_t d = b->n->width, key0 = node_first_key(v->scores, b->pos[i]);
    int32_t end = key0 + batch_width(b, v->scores, i);
    for (int32_t j = 0; j < d; j++) y[j] = 0;
    for (int32_t s = key0; s < end; s++, p++) {
        const real *x = op_line(b, 2, i, s) + (int64_t)(head / v->v_times - b->a0 / v->v_times) * d;
        for (int32_t j = 0; j < d; j++) y[j] = real_fma(*p, x[j], y[j]);
    }
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    view v = view_of(b);
    real *line = scratch;
    for (int64_t i = first; i < end; i++) {
        int32_t w = batch_width(b, v.scores, i), key0 = node_first_key(v.scores, b->pos[i]);
        for (int32_t a = b->a0; a < b->a1; a++) {
            score_line(b, &v, i, a, line);
            softmax_line(line, line, w, key0);
            mix_line(b, &v, i, a, line, (real *)b->y[i] + (int64_t)(a - b->a0) * b->n->width);
        }
    }
}

const fuse_def fuse_attention_def = {
    .name = "attention",
    .pattern = { "mix(softmax(scores(*, repeat(*))), repeat(*))", "mix(softmax(scores(*, *)), *)" },
    .kernel = { .scratch = scratch_bytes, .run = run },
};
/* SPDX-License-Identifier: MIT */
