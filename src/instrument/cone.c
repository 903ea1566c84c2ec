/* cone -- see cone.h. */
#include "instrument/cone.h"

status cone_open(cone *c, work *w, const node *from, bool no_bias, error *err)
{
    graph *g = session_graph(w->s);
    *c = (cone){ .w = w, .g = g, .from = from, .no_bias = no_bias };
    c->in = graph_input(g, from->extent, from->n_part, from->width);
    c->of = arena_array(&w->mem, graph_nodes(&w->m->g) - from->id + 1, sizeof(node *));
    if (!c->of || !c->in) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    return E_OK;
}

/* n with the input instead of `from`; what does not depend on it is itself: ids are a topological order. */
static node *replaced(cone *c, node *n)
{
    if (n == c->from) return c->in;
    if (n->id < c->from->id || !n->op) return n;
    node **of = &c->of[n->id - c->from->id], *in[MAX_IN] = { 0 };
    bool same = true;
    if (*of) return *of;
    for (int k = 0; k < n->n_in; k++) {
        in[k] = replaced(c, n->in[k]);
        same &= in[k] == n->in[k];
    }
    if (c->no_bias && n->op->n_optional && n->n_in == n->op->n_in) in[n->n_in - 1] = NULL;
    *of = same || c->g->err.code ? n : graph_copy(c->g, n, in);
    return *of ? *of : n;
}

status cone_to(cone *c, node *n, node **out, error *err)
{
    char name[64];
    node *copy = replaced(c, n);
    if (c->g->err.code) return error_set(err, c->g->err.code, "%s", c->g->err.msg);
    *out = copy;
    if (copy != n) return E_OK;
    snprintf(name, sizeof name, "%s", graph_name(c->g, c->from));
    return error_set(err, E_UNSUPPORTED, "%s: %s does not depend on %s", c->w->def->name,
                     graph_name(c->g, n), name);
}

/* Ops that take one row a token ask for the tokens' rows, not for which they are: any will do. */
static status give_tokens(const cone *c, lane *l, int32_t n, error *err)
{
    double *zero = arena_array(&c->w->mem, n, sizeof *zero);
    if (!zero) return error_set(err, E_NOMEM, "%s: out of memory", c->w->def->name);
    return lane_give(l, c->w->m->token, zero, err);
}

static box box_of(const cone_end *e, int32_t n)
{
    return (box){ 0, n, e->a0, e->a1 ? e->a1 : e->n->n_part };
}

status cone_rows(const cone *c, const double *x, int32_t n, const cone_end *end, int n_end,
                 error *err)
{
    arena_mark here = arena_here(&c->w->mem);
    lane *l = NULL;
    status st = lane_new(&l, c->w->s, NULL, n, err);
    if (st == E_OK) st = give_tokens(c, l, n, err);
    if (st == E_OK) st = lane_give(l, c->in, x, err);
    for (int k = 0; k < n_end && st == E_OK; k++)
        st = lane_ask(l, end[k].n, box_of(&end[k], n), err);
    if (st == E_OK) st = work_run(c->w, err);
    for (int k = 0; k < n_end && st == E_OK; k++)
        st = lane_read(l, end[k].n, box_of(&end[k], n), end[k].out, err);
    if (l) lane_drop(l);
    arena_rewind(&c->w->mem, here);
    return st;
}
/* SPDX-License-Identifier: MIT */
