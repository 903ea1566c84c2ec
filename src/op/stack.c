/* op: stack(before, x)     y[pos] = [before[pos - 1], x[pos]]: two positions' vectors as one line, zeros before the first. */
#include "op/op.h"

static const char *shape(node *n)
{
    const node *before = n->in[0], *x = n->in[1];
    shape_like(n, x);
    n->n_part = before->n_part + x->n_part;
    return before->extent != ROW || x->extent != ROW ? "its inputs are not one line a position"
           : before->width != x->width               ? "its inputs are not as wide"
                                                     : NULL;
}

static int32_t at_most(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t at_least(int32_t a, int32_t b) { return a > b ? a : b; }

static box reach(const node *n, int k, box b, const lane *l)
{
    int32_t first = n->in[0]->n_part;
    if (k == 1) return (box){ b.r0, b.r1, first + b.a0, first + b.a1 };
    return b.r0 + 1 >= node_rows(n, l)
               ? (box){ 0 }
               : (box){ b.r0 + 1, at_most(b.r1 + 1, node_rows(n, l)), b.a0, b.a1 };
}

static box need(const node *n, int k, box b, const lane *l)
{
    int32_t first = n->in[0]->n_part;
    (void)l;
    if (k == 1)
        return b.a1 <= first ? (box){ 0 }
                             : (box){ b.r0, b.r1, at_least(b.a0 - first, 0), b.a1 - first };
    return b.a0 >= first || b.r1 < 2
               ? (box){ 0 }
               : (box){ at_least(b.r0 - 1, 0), b.r1 - 1, b.a0, at_most(b.a1, first) };
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    size_t d = (size_t)b->n->width;
    int32_t split = b->in[0]->n_part, left = at_least(at_most(b->a1, split) - b->a0, 0),
            right = b->a1 - b->a0 - left;
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        real *y = b->y[i];
        if (left && b->pos[i])
            memcpy(y, op_line(b, 0, i, b->pos[i] - 1), (size_t)left * d * sizeof *y);
        else if (left) memset(y, 0, (size_t)left * d * sizeof *y);
        if (right)
            memcpy(y + (size_t)left * d, op_same_line(b, 1, i), (size_t)right * d * sizeof *y);
    }
}

static node *sample(graph *g, int i)
{
    if (i >= 4) return NULL;
    return graph_push(
        g, &op_stack_def,
        (node *[MAX_IN]){ graph_input(g, ROW, 1 + i / 2, 5), graph_input(g, ROW, 1 + i % 2, 5) },
        (double[MAX_ATTR]){ 0 });
}

const op_def op_stack_def = { .name = "stack",
                              .n_in = 2,
                              .shape = shape,
                              .reach = reach,
                              .need = need,
                              .kernel = { .run = run },
                              .cost = cost_numbers,
                              .sample = sample };
/* SPDX-License-Identifier: MIT */
