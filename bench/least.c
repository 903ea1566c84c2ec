/* least -- see least.h. */
#include "least.h"

const least_shape least_gpt2_small = { 12, 12, 768, 15 };

static int is_last(const least_shape *s, int layer) { return layer == s->n_layer - 1; }

/* Of rows [r0, r1), how many are wanted after this block's attention? */
static int wanted(const least_shape *s, int layer, int r0, int r1)
{
    return is_last(s, layer) ? r1 == s->len : r1 - r0;
}

/* Row i has a part of its attention, its output and its MLP anew: `width` of d_model numbers attend. */
static double row_after(const least_shape *s, int i, int n_score, double width)
{
    double d = s->d_model;
    return ((double)n_score + i + 1) * width + width * d + 8 * d * d;
}

/* Whole blocks from `layer` on, rows [a0, a1) changed before it; after it all that see them. */
static double blocks(const least_shape *s, int layer, int a0, int a1)
{
    double d = s->d_model, sum = 2 * d;
    for (int l = layer; l < s->n_layer; l++, a1 = s->len) {
        sum += 2 * d * d * (a1 - a0) + d * d * wanted(s, l, a0, a1);
        for (int i = is_last(s, l) ? s->len - 1 : a0; i < s->len; i++)
            sum += row_after(s, i, i < a1 ? i + 1 : a1 - a0, d);
    }
    return sum;
}

double least_resid(const least_shape *s, int layer, int row)
{
    return blocks(s, layer, row, row + 1);
}

double least_head(const least_shape *s, int layer, int r0, int r1)
{
    double d = s->d_model, head = d / s->n_head;
    int n = wanted(s, layer, r0, r1);
    return n ? n * (head * d + 8 * d * d) + blocks(s, layer + 1, r0, r1) : 0;
}

double least_edge(const least_shape *s, int layer, int reader, int r0)
{
    double d = s->d_model, head = d / s->n_head;
    if (reader == 'o') return 2 * d;
    if (reader != 'm' && reader != 'v' && !r0)
        r0 = 1; /* one key has all the attention, whatever its score */
    int n = wanted(s, layer, r0, s->len);
    double sum = blocks(s, layer + 1, r0, s->len);
    if (reader == 'm') return sum + n * 8 * d * d;
    sum += (reader == 'q' ? n : s->len - r0) * d * head;
    for (int i = is_last(s, layer) ? s->len - 1 : r0; i < s->len; i++)
        sum += row_after(s, i, reader == 'q' ? i + 1 : reader == 'k' ? i + 1 - r0 : 0, head);
    return sum;
}
/* SPDX-License-Identifier: MIT */
