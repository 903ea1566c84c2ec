/* op: top_k(x; k)     y[j] = the part of x with the j-th largest number, the largest first; of equal ones the earlier. */
#include "op/op.h"

static const char *shape(node *n)
{
    shape_like(n, n->in[0]);
    n->n_part = (int32_t)n->attr[0], n->part_axis = "k";
    if (n->extent == PAIR || n->width != 1) return "x is not one number a part";
    return n->n_part < 1 || n->n_part > n->in[0]->n_part ? "k is not between 1 and the parts of x"
                                                         : NULL;
}

/* Is part a before part b?  NaN comes last. */
static bool better(const real *x, int32_t a, int32_t b)
{
    if (x[a] > x[b]) return true;
    if (x[a] == x[b] || (x[a] != x[a] && x[b] != x[b])) return a < b;
    return x[a] == x[a] && x[b] != x[b];
}

/* How many come before a part is its place. */
static int32_t place(const real *x, int32_t n, int32_t a)
{
    int32_t before = 0;
    for (int32_t b = 0; b < n; b++) before += b != a && better(x, b, a);
    return before;
}

static void run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    int32_t n = b->in[0]->n_part;
    (void)scratch;
    for (int64_t i = first; i < end; i++) {
        const real *x = op_same_line(b, 0, i);
        real *y = b->y[i];
        for (int32_t a = 0; a < n; a++) {
            int32_t j = place(x, n, a);
            if (j >= b->a0 && j < b->a1) y[j - b->a0] = (real)a;
        }
    }
}

static int64_t cost(const node *n, box b, const lane *l)
{
    return node_numbers(n, b, l) * n->in[0]->n_part * n->in[0]->n_part;
}

static node *sample(graph *g, int i)
{
    static const int part[] = { 1, 5, 8 }, k[] = { 1, 2, 8 };
    if (i >= 3) return NULL;
    return graph_push(g, &op_top_k_def, (node *[MAX_IN]){ graph_input(g, ROW, part[i], 1) },
                      (double[MAX_ATTR]){ k[i] });
}

const op_def op_top_k_def = { .name = "top_k",
                              .n_in = 1,
                              .shape = shape,
                              .reach = reach_rows,
                              .need = need_rows,
                              .kernel = { .run = run },
                              .cost = cost,
                              .sample = sample };
/* SPDX-License-Identifier: MIT */
