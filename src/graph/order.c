/* order -- the order of evaluation, how long a value is needed, and where fusions stand.
 *
 * Order: inputs before the nodes that read them, and what an edit may copy from before
 * the node it is copied into (graph_precede), so an overlay node may come before a base
 * node that takes from it.  Nothing is written to the base: turns are the overlay's. */
#include "graph/order.h"
#include <string.h>

enum { UNSEEN = -1, VISITING = -2 };

typedef struct walk {
    graph *g;
    int32_t *first; /* by id of a late node: index + 1 into next[], 0: none */
    int32_t *next;
    error *err;
} walk;

static void visit(walk *w, const node *n)
{
    graph *g = w->g;
    if (g->turn[n->id] == VISITING)
        error_set(w->err, E_CYCLE, "node %d (%s) waits for itself", n->id,
                  n->op ? n->op->name : "input");
    if (g->turn[n->id] != UNSEEN) return;
    g->turn[n->id] = VISITING;
    for (int k = 0; k < n->n_in; k++) visit(w, n->in[k]);
    for (int i = w->first[n->id]; i; i = w->next[i - 1]) visit(w, g->precede[i - 1].early);
    g->turn[n->id] = g->n_sorted;
    g->order[g->n_sorted++] = n;
}

static void use(graph *g, const node *n, int32_t turn)
{
    if (g->last_use[n->id] < turn) g->last_use[n->id] = turn;
}

static void find_last_uses(graph *g)
{
    for (int t = 0; t < g->n_sorted; t++) {
        const node *n = g->order[t];
        const fusion *f = g->fused[n->id];
        use(g, n, t);
        for (int k = 0; k < n->n_in; k++) use(g, n->in[k], t);
        for (int k = 0; f && k < f->n_leaf; k++) use(g, f->leaf[k], t);
    }
}

/* ---- fusions ---- */

/* Match pattern text at *p against node n; advances *p past what it matched. */
static bool match(const char **p, const node *n, fusion *f)
{
    if (**p == '*') {
        ++*p;
        if (f->n_leaf == MAX_LEAF) return false;
        f->leaf[f->n_leaf++] = n;
        return true;
    }
    size_t len = strcspn(*p, "(");
    if (!n->op || strncmp(n->op->name, *p, len) || n->op->name[len]) return false;
    if (n != f->root) {
        if (f->n_inner == MAX_INNER) return false;
        f->inner[f->n_inner++] = n;
    }
    *p += len + 1;
    for (int k = 0; k < n->n_in; k++) {
        if (k) *p += strspn(*p, ", ");
        if (**p == ')' || !match(p, n->in[k], f)) return false;
    }
    if (**p != ')') return false;
    ++*p;
    return true;
}

static bool fusion_at(const fuse_def *def, const node *n, fusion *out)
{
    for (int i = 0; i < MAX_PATTERN && def->pattern[i]; i++) {
        const char *p = def->pattern[i];
        fusion f = { .def = def, .root = n };
        if (!match(&p, n, &f) || *p || (def->fits && !def->fits(n, f.leaf))) continue;
        *out = f;
        return true;
    }
    return false;
}

static bool find_fusions(graph *g)
{
    fusion f;
    for (int i = 0; i < graph_nodes(g); i++)
        for (int j = 0; g->fuse && g->fuse[j]; j++) {
            const node *n = graph_node(g, i);
            if (g->fused[i] || !n->op || !fusion_at(g->fuse[j], n, &f)) continue;
            g->fused[i] = arena_copy(&g->mem, &f, sizeof f);
            if (!g->fused[i]) return false;
        }
    return true;
}

/* ---- all of it ---- */

static bool tables_new(graph *g, walk *w, arena *tmp)
{
    int32_t n = graph_nodes(g);
    g->order = arena_array(&g->mem, n + 1, sizeof *g->order);
    g->turn = arena_array(&g->mem, n + 1, sizeof *g->turn);
    g->last_use = arena_array(&g->mem, n + 1, sizeof *g->last_use);
    g->fused = arena_array(&g->mem, n + 1, sizeof *g->fused);
    w->first = arena_array(tmp, n + 1, sizeof *w->first);
    w->next = arena_array(tmp, g->n_precede + 1, sizeof *w->next);
    if (g->mem.failed || tmp->failed) return false;
    for (int i = 0; i < n; i++) g->turn[i] = UNSEEN, g->last_use[i] = 0;
    for (int i = 0; i < g->n_precede; i++) {
        w->next[i] = w->first[g->precede[i].late->id];
        w->first[g->precede[i].late->id] = i + 1;
    }
    return true;
}

status graph_sort(graph *g, error *err)
{
    arena tmp = { 0 };
    error local = { 0 };
    if (g->err.code) {
        error_set(err, g->err.code, "%s", g->err.msg);
        return g->err.code;
    }
    if (g->n_sorted && g->n_sorted == graph_nodes(g)) return E_OK;
    walk w = { .g = g, .err = &local };
    g->n_sorted = 0;
    if (!tables_new(g, &w, &tmp)) goto nomem;
    for (int i = 0; i < graph_nodes(g); i++) visit(&w, graph_node(g, i));
    if (!find_fusions(g)) goto nomem;
    find_last_uses(g);
    arena_release(&tmp);
    if (local.code) {
        g->n_sorted = 0;
        return error_set(err, local.code, "%s", local.msg);
    }
    return E_OK;
nomem:
    arena_release(&tmp);
    g->mem.failed = false;
    g->n_sorted = 0;
    return error_set(err, E_NOMEM, "graph: out of memory while ordering %d nodes", graph_nodes(g));
}

/* ---- what a fusion needs and reaches, through its inner nodes ---- */

static bool is_leaf(const fusion *f, const node *n)
{
    for (int i = 0; i < f->n_inner; i++)
        if (f->inner[i] == n) return false;
    return n != f->root;
}

/* Find leaf k below n, counting leaves left to right; compose need() on the way. */
static bool need_below(const fusion *f, const node *n, int *at, int k, box b, const lane *l,
                       box *out)
{
    if (is_leaf(f, n)) {
        *out = b;
        return (*at)++ == k;
    }
    for (int i = 0; i < n->n_in; i++)
        if (need_below(f, n->in[i], at, k, n->op->need(n, i, b, l), l, out)) return true;
    return false;
}

box fusion_need(const fusion *f, int k, box b, const lane *l)
{
    int at = 0;
    box out = { 0 };
    if (!need_below(f, f->root, &at, k, b, l, &out)) return (box){ 0 };
    return out;
}

static bool reach_above(const fusion *f, const node *n, int *at, int k, box b, const lane *l,
                        box *out)
{
    if (is_leaf(f, n)) {
        *out = b;
        return (*at)++ == k;
    }
    for (int i = 0; i < n->n_in; i++)
        if (reach_above(f, n->in[i], at, k, b, l, out)) {
            *out = box_cut(n->op->reach(n, i, *out, l), node_all(n, l));
            return true;
        }
    return false;
}

box fusion_reach(const fusion *f, int k, box b, const lane *l)
{
    int at = 0;
    box out = { 0 };
    if (!reach_above(f, f->root, &at, k, b, l, &out)) return (box){ 0 };
    return out;
}

static int64_t cost_below(const fusion *f, const node *n, box b, const lane *l)
{
    if (is_leaf(f, n) || box_empty(b)) return 0;
    int64_t cost = n->op->cost(n, b, l);
    for (int i = 0; i < n->n_in; i++) cost += cost_below(f, n->in[i], n->op->need(n, i, b, l), l);
    return cost;
}

int64_t fusion_cost(const fusion *f, box b, const lane *l) { return cost_below(f, f->root, b, l); }
/* SPDX-License-Identifier: MIT */
