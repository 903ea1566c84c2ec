/* graph -- see graph.h: building, names and the geometry of lines.  The order of
 * evaluation is in order.c. */
#include "graph/graph.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void graph_init(graph *g, const graph *base)
{
    *g = (graph){ .base = base, .n_base = base ? base->n_own : 0 };
}

void graph_release(graph *g)
{
    if (!g) return;
    arena_release(&g->mem);
    *g = (graph){ 0 };
}

/* Room for one more item of `size` bytes; the old array stays in the arena. */
static void *grow(graph *g, void *old, int32_t n, int32_t *cap, size_t size)
{
    if (n < *cap) return old;
    int32_t more = *cap ? *cap * 2 : 64;
    void *wider = arena_get(&g->mem, (size_t)more * size);
    if (!wider) {
        error_set(&g->err, E_NOMEM, "graph: out of memory at %d nodes", g->n_own);
        return NULL;
    }
    if (n) memcpy(wider, old, (size_t)n * size);
    *cap = more;
    return wider;
}

static node *node_new(graph *g, const op_def *op)
{
    if (g->err.code) return NULL;
    node **own = grow(g, g->own, g->n_own, &g->cap_own, sizeof *own);
    if (own) g->own = own;
    node *n = own ? arena_get(&g->mem, sizeof *n) : NULL;
    if (!n) {
        error_set(&g->err, E_NOMEM, "graph: out of memory at %d nodes", g->n_own);
        return NULL;
    }
    *n = (node){ .op = op,
                 .id = g->n_base + g->n_own,
                 .n_part = 1,
                 .width = 1,
                 .part_axis = "",
                 .width_axis = "" };
    return g->own[g->n_own++] = n;
}

node *graph_input(graph *g, extent e, int n_part, int width)
{
    node *n = node_new(g, NULL);
    if (n) n->extent = e, n->n_part = n_part, n->width = width;
    return n;
}

node *graph_weight(graph *g, const char *name, weight_view w, int n_row, int n_col)
{
    node *n = graph_input(g, WEIGHT, n_col, 1);
    if (!n) return NULL;
    n->weight = w, n->n_row = n_row, n->part_axis = "col";
    n->weight_name = arena_string(&g->mem, name);
    if (!n->weight_name) error_set(&g->err, E_NOMEM, "graph: out of memory at weight %s", name);
    return n;
}

static const char *inputs_check(const op_def *op, node *const in[MAX_IN], int *n_in)
{
    *n_in = op->n_in;
    while (*n_in > op->n_in - op->n_optional && !in[*n_in - 1]) --*n_in;
    for (int k = 0; k < *n_in; k++)
        if (!in[k]) return "an input is missing";
    return NULL;
}

node *graph_push(graph *g, const op_def *op, node *const in[MAX_IN], const double attr[MAX_ATTR])
{
    int n_in;
    if (g->err.code) return NULL;
    const char *why = inputs_check(op, in, &n_in);
    node *n = why ? NULL : node_new(g, op);
    if (n) {
        memcpy(n->in, in, sizeof n->in);
        memcpy(n->attr, attr, sizeof n->attr);
        n->n_in = n_in, n->extent = in[0]->extent;
        why = op->shape(n);
        if (!why) return n;
        g->n_own--;
    }
    if (why) error_set(&g->err, E_SHAPE, "op %s: %s", op->name, why);
    return NULL;
}

node *graph_copy(graph *g, const node *n, node *const in[MAX_IN])
{
    node *copy = graph_push(g, n->op, in, n->attr);
    if (copy)
        copy->part_axis = n->part_axis, copy->width_axis = n->width_axis, copy->absent = n->absent;
    return copy;
}

node *graph_site(graph *g, node *n, const char *fmt, ...)
{
    char name[128];
    va_list ap;
    if (!n || g->err.code) return NULL;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    if (graph_find(g, name)) {
        error_set(&g->err, E_SHAPE, "site %s: two nodes of that name", name);
        return NULL;
    }
    struct site *site = grow(g, g->site, g->n_site, &g->cap_site, sizeof *site);
    char *copy = arena_string(&g->mem, name);
    if (!site || !copy) {
        error_set(&g->err, E_NOMEM, "graph: out of memory at site %s", name);
        return NULL;
    }
    g->site = site;
    g->site[g->n_site++] = (struct site){ copy, n };
    return n;
}

node *graph_axes(node *n, const char *part_axis, const char *width_axis)
{
    if (n) n->part_axis = part_axis, n->width_axis = width_axis;
    return n;
}

void graph_precede(graph *g, const node *early, const node *late)
{
    struct precedence *p = grow(g, g->precede, g->n_precede, &g->cap_precede, sizeof *p);
    if (!p) return;
    g->precede = p;
    g->precede[g->n_precede++] = (struct precedence){ early, late };
    g->n_sorted = 0;
}

node *graph_find(const graph *g, const char *name)
{
    for (; g; g = g->base)
        for (int i = 0; i < g->n_site; i++)
            if (!strcmp(g->site[i].name, name)) return g->site[i].n;
    return NULL;
}

const char *graph_name(const graph *g, const node *n)
{
    for (; g; g = g->base)
        for (int i = 0; i < g->n_site; i++)
            if (g->site[i].n == n) return g->site[i].name;
    return n->weight_name;
}

/* ---- geometry ---- */

int32_t node_first_key(const node *n, int32_t q)
{
    return n->window && q >= n->window ? q - n->window + 1 : 0;
}

int32_t node_width(const node *n, int32_t row, const lane *l)
{
    if (n->extent != PAIR) return n->width;
    return (n->both_ways ? lane_len(l) : row + 1) - node_first_key(n, row);
}

int64_t node_offset(const node *n, int32_t row, const lane *l)
{
    if (n->extent != PAIR) return (int64_t)row * n->width;
    if (n->both_ways) return (int64_t)row * lane_len(l);
    int64_t w = n->window && row > n->window ? n->window : row;
    return w * (w + 1) / 2 + (row - w) * w;
}

int32_t node_rows(const node *n, const lane *l)
{
    return n->extent == WEIGHT ? n->n_row : n->extent == LANE ? 1 : lane_len(l);
}

box node_all(const node *n, const lane *l) { return (box){ 0, node_rows(n, l), 0, n->n_part }; }

int64_t node_numbers(const node *n, box b, const lane *l)
{
    if (box_empty(b)) return 0;
    return (node_offset(n, b.r1, l) - node_offset(n, b.r0, l)) * (b.a1 - b.a0);
}

/* ---- common answers ---- */

box need_same(const node *n, int k, box b, const lane *l)
{
    (void)n, (void)k, (void)l;
    return b;
}

box reach_rows(const node *n, int k, box b, const lane *l)
{
    (void)l, (void)k;
    return (box){ b.r0, b.r1, 0, n->n_part };
}

box need_rows(const node *n, int k, box b, const lane *l)
{
    (void)l;
    return (box){ b.r0, b.r1, 0, n->in[k]->n_part };
}

int64_t cost_numbers(const node *n, box b, const lane *l) { return node_numbers(n, b, l); }

const char *shape_like(node *n, const node *x)
{
    n->extent = x->extent, n->n_part = x->n_part, n->width = x->width, n->window = x->window;
    n->part_axis = x->part_axis, n->width_axis = x->width_axis, n->absent = x->absent;
    n->both_ways = x->both_ways;
    return NULL;
}

/* ---- the graph's own op ---- */

static const char *alias_shape(node *n)
{
    if (n->in[0]->extent == WEIGHT) return "a weight has no alias: edit it in the lane";
    return shape_like(n, n->in[0]);
}

static void alias_run(const batch *b, int64_t first, int64_t end, void *scratch)
{
    (void)scratch;
    for (int64_t i = first; i < end; i++)
        memcpy(b->y[i], b->x[0][i],
               (size_t)(b->a1 - b->a0) * (size_t)batch_width(b, b->n, i) * (size_t)b->real_bytes);
}

static int64_t alias_cost(const node *n, box b, const lane *l)
{
    (void)n, (void)b, (void)l;
    return 0;
}

static node *alias_vjp(graph *g, node *n, node *dy, int k)
{
    (void)g, (void)n, (void)k;
    return dy;
}

const op_def graph_alias_def = { .name = "alias",
                                 .n_in = 1,
                                 .shape = alias_shape,
                                 .reach = need_same,
                                 .need = need_same,
                                 .kernel = { .run = alias_run },
                                 .cost = alias_cost,
                                 .vjp = alias_vjp };

node *graph_alias(graph *g, node *x)
{
    return graph_push(g, &graph_alias_def, (node *[MAX_IN]){ x }, (double[MAX_ATTR]){ 0 });
}
/* SPDX-License-Identifier: MIT */
