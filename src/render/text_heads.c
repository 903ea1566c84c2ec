/* text_heads -- attention patterns for a terminal: each head a few signs, the darkest of what they stand for.
 *
 * Queries run down, keys to the right.  What is to be read is in the report's tables; this shows kinds of heads at a
 * glance (a diagonal, a column).  Many heads would be a wall: then only a line says where they are to be seen. */
#include "render/text_view.h"
#include <math.h>
#include <string.h>

enum { WIDE = 10, HIGH = 5, HEADS_MAX = 96 };

/* The largest value of head (a, b) within place (i, j) of a grid of high x wide places. */
static double darkest(const figure *f, int64_t head, int64_t i, int64_t j, int64_t high,
                      int64_t wide)
{
    double most = 0;
    int64_t q0 = i * f->n_row / high, q1 = (i + 1) * f->n_row / high;
    int64_t k0 = j * f->n_col / wide, k1 = (j + 1) * f->n_col / wide;
    for (int64_t q = q0; q < q1; q++)
        for (int64_t k = k0; k < k1; k++) {
            double x = array_value(f->array, (head * f->n_row + q) * f->n_col + k);
            if (x > most) most = x;
        }
    return most;
}

static void sign(view *v, double x)
{
    static const char *const block[] = { " ", "\u2591", "\u2592", "\u2593", "\u2588" };
    static const char *const plain[] = { " ", ".", "+", "*", "#" };
    int step = x < 0.1 ? 0 : x < 0.3 ? 1 : x < 0.5 ? 2 : x < 0.8 ? 3 : 4;
    str_puts(v->s, (v->unicode ? block : plain)[step]);
}

static str *label(view *v, const figure *f, int axis, int64_t i)
{
    char number[24];
    str *s = view_scratch(v);
    show_label(s, figure_label(f, axis, i, number), v->unicode);
    return s;
}

/* Heads from .. to - 1 of one layer, side by side. */
static void band(view *v, const figure *f, int64_t layer, int64_t from, int64_t to)
{
    int64_t n_head = f->array->t.dim[1];
    int64_t wide = f->n_col < WIDE ? f->n_col : WIDE, high = f->n_row < HIGH ? f->n_row : HIGH;
    for (int64_t i = 0; i < high && !v->s->failed; i++) {
        if (i == 0) label(v, f, 0, layer);
        else view_scratch(v);
        view_put(v, 4, false);
        for (int64_t h = from; h < to; h++) {
            str_puts(v->s, v->unicode ? "\u2502" : "|");
            for (int64_t j = 0; j < wide; j++)
                sign(v, darkest(f, layer * n_head + h, i, j, high, wide) / f->span);
        }
        str_puts(v->s, v->unicode ? "\u2502\n" : "|\n");
    }
}

static void names(view *v, const figure *f, int64_t from, int64_t to)
{
    int64_t wide = f->n_col < WIDE ? f->n_col : WIDE;
    view_spaces(v, 4);
    view_ink(v, INK_DIM);
    for (int64_t h = from; h < to; h++) {
        str_puts(v->s, " ");
        label(v, f, 1, h);
        view_put(v, (int)wide, false);
    }
    view_ink(v, INK_PLAIN);
    str_puts(v->s, "\n");
}

static void dim(view *v, const char *text)
{
    view_ink(v, INK_DIM);
    view_wrap(v, text, strlen(text), 0, 0);
    view_ink(v, INK_PLAIN);
}

void text_heads(view *v, const figure *f)
{
    int64_t n_layer = f->array->t.dim[0], n_head = f->array->t.dim[1];
    int64_t fit = (v->width - 5) / (WIDE + 1);
    view_ink(v, INK_BOLD);
    view_wrap(v, f->title, strlen(f->title), 0, 0);
    view_ink(v, INK_PLAIN);
    if (f->n_row < 1 || f->n_col < 1 || n_layer < 1 || n_head < 1) {
        str_puts(v->s, "no cells\n");
        return;
    }
    if (n_layer > HEADS_MAX / n_head) {
        str_printf(view_scratch(v), "%lld x %lld patterns: --html FILE draws them to be moved over",
                   (long long)n_layer, (long long)n_head);
        view_put(v, v->width, false);
        str_puts(v->s, "\n");
        return;
    }
    for (int64_t l = 0; l < n_layer; l++)
        for (int64_t from = 0; from < n_head; from += fit) {
            int64_t to = from + fit < n_head ? from + fit : n_head;
            if (l == 0 || n_head > fit) names(v, f, from, to);
            band(v, f, l, from, to);
            if (l + 1 < n_layer || to < n_head) str_puts(v->s, "\n");
        }
    dim(v, "queries down, keys to the right; each sign the largest weight of its part: blank below "
           "0.1, then below 0.3, 0.5, 0.8");
}
/* SPDX-License-Identifier: MIT */
