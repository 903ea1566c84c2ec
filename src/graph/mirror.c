/* mirror -- see mirror.h. */
#include "graph/mirror.h"
#include "graph/cell.h"
#include <string.h>

/* ---- building ---- */

typedef struct reflection {
    graph *g;
    mirror *m;
} reflection;

/* The copy of n inside a cone; n itself when no writer lies below it. */
static node *reflect(reflection *x, node *n);

/* n on the copies of its inputs: NULL when they are its inputs themselves. */
static node *reflect_on(reflection *x, node *n)
{
    node *in[MAX_IN] = { 0 };
    bool same = true;
    for (int k = 0; n->op && k < n->n_in; k++) {
        in[k] = reflect(x, n->in[k]);
        same &= in[k] == n->in[k];
    }
    return same || x->g->err.code ? NULL : graph_copy(x->g, n, in);
}

static node *reflect(reflection *x, node *n)
{
    node **of = &x->m->of[n->id];
    if (*of) return *of;
    if (n->writer) return *of = graph_alias(x->g, n);
    node *copy = reflect_on(x, n);
    if (copy) copy->original = n;
    return *of = copy ? copy : n;
}

/* Every top copy of a reader comes before the reader, and before its twins in any mirror: a take
 * acts on those as well. */
static void tops_first(graph *g, const mirror *m)
{
    for (int32_t i = 0; i < m->n; i++) {
        if (!m->top[i]) continue;
        graph_precede(g, m->top[i], graph_node(g, i));
        for (int32_t j = 0; j <= g->n_mirror; j++) {
            const mirror *other = j < g->n_mirror ? g->mirror[j] : m;
            if (i < other->n && other->of[i]) graph_precede(g, m->top[i], other->of[i]);
            if (other != m && i < other->n && other->top[i] && m->of[i])
                graph_precede(g, other->top[i], m->of[i]);
        }
    }
}

static bool mirror_fill(reflection *x)
{
    mirror *m = x->m;
    for (int32_t i = 0; i < m->n && !x->g->err.code; i++) {
        node *n = graph_node(x->g, i);
        if (n->reader && !n->original) m->top[i] = reflect_on(x, n);
    }
    for (int32_t i = 0; i < m->n; i++) /* what is its own reflection has no copy */
        if (m->of[i] == graph_node(x->g, i)) m->of[i] = NULL;
    if (!x->g->err.code) tops_first(x->g, m);
    return !x->g->err.code && !x->g->mem.failed;
}

static status mirror_make(graph *g, error *err)
{
    graph before = *g;
    mirror *m = arena_zero(&g->mem, sizeof *m);
    mirror **wider = arena_array(&g->mem, g->n_mirror + 1, sizeof *wider);
    if (m) m->n = graph_nodes(g);
    if (m) m->of = arena_array(&g->mem, m->n, sizeof *m->of);
    if (m) m->top = arena_array(&g->mem, m->n, sizeof *m->top);
    if (m && wider && m->of && m->top && mirror_fill(&(reflection){ g, m })) {
        if (g->n_mirror) memcpy(wider, g->mirror, (size_t)g->n_mirror * sizeof *wider);
        g->mirror = wider;
        g->mirror[g->n_mirror++] = m;
        return E_OK;
    }
    error why = g->err; /* the arena only grows: everything else goes back to what it was */
    before.mem = g->mem;
    *g = before;
    g->mem.failed = false;
    return error_set(err, why.code ? why.code : E_NOMEM, "%s",
                     why.code ? why.msg : "edges: out of memory");
}

status mirror_get(const mirror **out, graph *g, int32_t index, error *err)
{
    if (index > g->n_mirror) return error_set(err, E_RANGE, "mirror %d of %d", index, g->n_mirror);
    status st = index == g->n_mirror ? mirror_make(g, err) : E_OK;
    if (st == E_OK) *out = g->mirror[index];
    return st;
}

/* ---- edges ---- */

/* Does the copy n read alias u?  Below a writer lies the base graph, whose paths nobody wants to
 * count; and each node is looked at once. */
static bool reads(const node *n, const node *u, bool *seen, int32_t first)
{
    if (n == u) return true;
    if (n->id < first || seen[n->id - first]) return false; /* mirrors are in the overlay */
    seen[n->id - first] = true;
    for (int k = 0; n->op && n->op != &graph_alias_def && k < n->n_in; k++)
        if (reads(n->in[k], u, seen, first)) return true;
    return false;
}

status mirror_edge(bool *out, graph *g, const node *writer, const node *reader, error *err)
{
    const mirror *m = NULL;
    status st = mirror_get(&m, g, 0, err);
    if (st != E_OK) return st;
    bool known = writer->id < m->n && reader->id < m->n && m->of[writer->id] && m->top[reader->id];
    if (!known || !writer->writer || !reader->reader) {
        *out = false;
        return E_OK;
    }
    bool *seen = mem_zero((size_t)g->n_own);
    if (!seen) return error_set(err, E_NOMEM, "edges: out of memory");
    *out = reads(m->top[reader->id], m->of[writer->id], seen, g->n_base);
    mem_free(seen, (size_t)g->n_own);
    return E_OK;
}

/* The mirror that serves this reader slice in this lane: its index is how many slices were
 * served before. */
static const edge_use *edge_find(const lane *l, const node *reader, box slice, int32_t *n_used)
{
    *n_used = 0;
    for (; l; l = l->parent)
        for (const edge_use *u = l->edge; u; u = u->next, ++*n_used)
            if (u->reader == reader && !memcmp(&u->slice, &slice, sizeof slice)) return u;
    return NULL;
}

/* Does the cone of reader a pass through reader b (k[for=h] through k)? */
static status passes(bool *out, const graph *g, const mirror *m, const node *a, const node *b,
                     error *err)
{
    bool *seen = mem_zero((size_t)g->n_own);
    if (!seen) return error_set(err, E_NOMEM, "edges: out of memory");
    *out = m->of[b->id] && reads(m->top[a->id], m->of[b->id], seen, g->n_base);
    mem_free(seen, (size_t)g->n_own);
    return E_OK;
}

/* Where two slices overlap, the take of one would undo what an edge into the other did. */
static status edge_alone(const lane *l, const mirror *m, const node *reader, box slice, error *err)
{
    const graph *g = &l->s->g;
    for (; l; l = l->parent)
        for (const edge_use *u = l->edge; u; u = u->next) {
            bool clash = u->reader == reader && box_meets(u->slice, slice);
            status st = E_OK;
            if (!clash && u->reader != reader) st = passes(&clash, g, m, reader, u->reader, err);
            if (st == E_OK && !clash && u->reader != reader)
                st = passes(&clash, g, m, u->reader, reader, err);
            if (st != E_OK) return st;
            if (!clash) continue;
            const char *a = graph_name(g, u->reader), *b = graph_name(g, reader);
            error_set(
                err, E_UNSUPPORTED,
                "edges into slices of %s and %s that overlap, or of which one reads the other",
                a ? a : "a node", b ? b : "a node");
            error_hint(err, "give both edges the same slice, or slices that share nothing: each "
                            "head on its own, and query heads (for=) or key heads, not both");
            return E_UNSUPPORTED;
        }
    return E_OK;
}

static status edge_open(lane *l, const node *reader, box slice, const mirror *m, int32_t index,
                        error *err)
{
    edge_use *use = arena_get(&l->mem, sizeof *use);
    if (!use) {
        l->mem.failed = false;
        return error_set(err, E_NOMEM, "edge: out of memory");
    }
    edit take = { .n = (node *)reader,
                  .where = slice,
                  .w1 = reader->width,
                  .kind = EDIT_TAKE,
                  .from_n = m->top[reader->id],
                  .from_row = slice.r0,
                  .from_part = slice.a0,
                  .edge = true };
    status st = lane_edit(l, &take, err);
    if (st != E_OK) return st;
    *use = (edge_use){ reader, slice, index, l->edge };
    l->edge = use;
    return E_OK;
}

static status edge_check(lane *l, const node *writer, const node *reader, error *err)
{
    graph *g = &l->s->g;
    const char *from = graph_name(g, writer), *to = graph_name(g, reader);
    bool there = false;
    if (!writer->writer)
        return error_set(err, E_NOSITE, "%s: not a writer of the residual stream",
                         from ? from : "node");
    if (!reader->reader)
        return error_set(err, E_NOSITE, "%s: not a reader of the residual stream",
                         to ? to : "node");
    status st = mirror_edge(&there, g, writer, reader, err);
    if (st != E_OK || there) return st;
    return error_set(err, E_NOSITE, "no edge from %s to %s: the reader comes first",
                     from ? from : "node", to ? to : "node");
}

status lane_edit_edge(lane *l, const edit *e, node *reader, box slice, error *err)
{
    const mirror *m = NULL;
    int32_t n_used;
    status st = edge_check(l, e->n, reader, err);
    if (st != E_OK) return st;
    const edge_use *use = edge_find(l, reader, slice, &n_used);
    st = mirror_get(&m, &l->s->g, use ? use->index : n_used, err);
    if (st != E_OK) return st;
    edit alias = *e;
    alias.edge = false;
    alias.n = m->of[e->n->id];
    if (!use) st = edge_alone(l, m, reader, slice, err);
    if (st == E_OK && !use) st = edge_open(l, reader, slice, m, n_used, err);
    if (st != E_OK) return st;
    st = lane_edit(l, &alias, err);
    if (st != E_OK && !use) {
        lane_edit_undo(l);
        l->edge = l->edge->next;
    }
    return st;
}
/* SPDX-License-Identifier: MIT */
