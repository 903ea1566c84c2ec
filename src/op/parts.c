/* op: parts(x; first, step, n_part, run)     part i of y = part first + (i / run) step + i % run of x: queries of
 * [head, (q, k, v)] (run 1), of [key head, (its queries, k, v)]. */
#include "op/op.h"

static int32_t source(const node *n, int32_t part)
{
    int32_t group = (int32_t)n->attr[3];
    return (int32_t)n->attr[0] + part / group * (int32_t)n->attr[1] + part % group;
}

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->n_part = (int32_t)n->attr[2];
    if (n->attr[3] < 1 || n->attr[3] > n->attr[1]) return "run is not 1 to step";
    return n->attr[0] < 0 || n->attr[2] < 1               ? "first or n_part is too small"
           : source(n, n->n_part - 1) >= n->in[0]->n_part ? "x has too few parts"
           : n->extent == PAIR                            ? "x has no fixed width"
                                                          : NULL;
}

/* How many parts of y come from parts of x before `end`. */
static int32_t before(const node *n, int32_t end)
{
    int32_t over = end - source(n, 0), step = (int32_t)n->attr[1], group = (int32_t)n->attr[3];
    if (over <= 0) return 0;
    int32_t rest = over % step < group ? over % step : group, count = over / step * group + rest;
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
    int32_t d = b->n->width, from = source(b->n, b->a0);
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        for (int32_t a = 0; a < b->a1 - b->a0; a++)
            memcpy((real *)b->y[i] + (int64_t)a * d,
                   op_same_line(b, 0, i) + (int64_t)(source(b->n, b->a0 + a) - from) * d,
                   (size_t)d * sizeof(real));
}

static node *sample(graph *g, int i)
{
    static const int part[] = { 1, 9, 7, 6, 12, 11 }, first[] = { 0, 1, 2, 2, 0, 1 },
                     step[] = { 1, 3, 2, 1, 4, 5 }, n[] = { 1, 3, 3, 4, 6, 5 },
                     group[] = { 1, 1, 1, 1, 2, 3 };
    if (i >= 6) return NULL;
    return graph_push(g, &op_parts_def, (node *[MAX_IN]){ graph_input(g, ROW, part[i], 1 + 4 * i) },
                      (double[MAX_ATTR]){ first[i], step[i], n[i], group[i] });
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
