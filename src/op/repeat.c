/* op: repeat(x; times)     part p of y = part p / times of x: keys and values as each query head sees them. */
#include "op/op.h"

static int32_t times(const node *n) { return (int32_t)n->attr[0]; }

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->n_part *= times(n);
    return times(n) < 1        ? "times is less than one"
           : n->extent == PAIR ? "x has no fixed width"
                               : NULL;
}

static box reach(const node *n, int k, box b, const lane *l)
{
    (void)k, (void)l;
    return (box){ b.r0, b.r1, b.a0 * times(n), b.a1 * times(n) };
}

static box need(const node *n, int k, box b, const lane *l)
{
    (void)k, (void)l;
    return (box){ b.r0, b.r1, b.a0 / times(n), (b.a1 + times(n) - 1) / times(n) };
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->n->width, t = times(b->n);
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        for (int32_t a = b->a0; a < b->a1; a++)
            memcpy((real *)b->y[i] + (int64_t)(a - b->a0) * d,
                   op_same_line(b, 0, i) + (int64_t)(a / t - b->a0 / t) * d,
                   (size_t)d * sizeof(real));
}

static node *sample(graph *g, int i)
{
    if (i >= 3) return NULL;
    return graph_push(g, &op_repeat_def, (node *[MAX_IN]){ graph_input(g, ROW, 1 + i, 4 + i) },
                      (double[MAX_ATTR]){ 1 + i });
}

const op_def op_repeat_def = { .name = "repeat",
                               .n_in = 1,
                               .shape = shape,
                               .reach = reach,
                               .need = need,
                               .kernel = { .run = run },
                               .cost = cost_numbers,
                               .sample = sample };
/* SPDX-License-Identifier: MIT */
