/* op: parts(x; first, step, n_part)     part i of y = part first + i step of x: queries of [head, (q, k, v)]. */
#include "op/op.h"

static int32_t source(const node *n, int32_t part)
{
    return (int32_t)n->attr[0] + part * (int32_t)n->attr[1];
}

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->n_part = (int32_t)n->attr[2];
    return n->attr[0] < 0 || n->attr[1] < 1 || n->attr[2] < 1 ? "first, step or n_part is too small"
           : source(n, n->n_part - 1) >= n->in[0]->n_part     ? "x has too few parts"
           : n->extent == PAIR                                ? "x has no fixed width"
                                                              : NULL;
}

/* How many parts of y come from parts of x before `end`. */
static int32_t before(const node *n, int32_t end)
{
    int32_t first = source(n, 0), step = (int32_t)n->attr[1];
    int32_t count = end <= first ? 0 : (end - first + step - 1) / step;
    return count < n->n_part ? count : n->n_part;
}

static box reach(const node *n, int k, box b, const lane *l)
{
    (void)k, (void)l;
    return (box){ b.r0, b.r1, before(n, b.a0), before(n, b.a1) };
}

static box need(const node *n, int k, box b, const lane *l)
{
    (void)k, (void)l;
    return (box){ b.r0, b.r1, source(n, b.a0), source(n, b.a1 - 1) + 1 };
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t d = b->n->width, step = (int32_t)b->n->attr[1];
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        for (int32_t a = 0; a < b->a1 - b->a0; a++)
            memcpy((real *)b->y[i] + (int64_t)a * d, op_same_line(b, 0, i) + (int64_t)a * step * d,
                   (size_t)d * sizeof(real));
}

static node *sample(graph *g, int i)
{
    static const int part[] = { 1, 9, 7, 6 }, first[] = { 0, 1, 2, 2 }, step[] = { 1, 3, 2, 1 },
                     n[] = { 1, 3, 3, 4 };
    if (i >= 4) return NULL;
    return graph_push(g, &op_parts_def, (node *[MAX_IN]){ graph_input(g, ROW, part[i], 1 + 4 * i) },
                      (double[MAX_ATTR]){ first[i], step[i], n[i] });
}

const op_def op_parts_def = { .name = "parts",
                              .n_in = 1,
                              .shape = shape,
                              .reach = reach,
                              .need = need,
                              .kernel = { .run = run },
                              .cost = cost_numbers,
                              .sample = sample };
/* SPDX-License-Identifier: MIT */
