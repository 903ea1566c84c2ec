/* plan -- which cells must be computed: wanted and changed, and nothing else.
 *
 * Pass 1, forward, once per lane: `calc`, where inputs may differ from the parent's (reach),
 *   and `may`, that and where the lane's own edits act.  No value is looked at but inputs and
 *   those that an edit of a sweep's lane meets (idle.c).
 * Pass 2, backward, once per run: `want`, what must be resolved.  A wanted cell that may
 *   differ wants its inputs (need); and every wanted cell is wanted of the parent too, which
 *   is where it comes from if it turns out equal, and what it is compared with.  A set hides
 *   both: the search ends there.
 * Pass 3 is wave.c, where equal values shrink what pass 1 allowed for.
 *
 * Pass 2 visits nodes last to first and lanes youngest first, pass 3 the other way round:
 * parents and sources are always elder than those who read them. */
#include "graph/cell.h"
#include "graph/order.h"
#include <string.h>

/* ---- reach and need, of a node or of a fusion ---- */

/* Pieces of b that need() can answer with one box each. */
static int piece_count(const node *n, box b) { return n->op->scattered ? b.a1 - b.a0 : 1; }

static box piece_at(const node *n, box b, int i)
{
    return n->op->scattered ? (box){ b.r0, b.r1, b.a0 + i, b.a0 + i + 1 } : b;
}

box plan_need(const node *n, const fusion *f, int k, box b, const lane *l)
{
    return f ? fusion_need(f, k, b, l) : n->op->need(n, k, b, l);
}

int64_t plan_cost(const node *n, const fusion *f, box b, const lane *l)
{
    return f ? fusion_cost(f, b, l) : n->op->cost(n, b, l);
}

static box reach_of(const node *n, const fusion *f, int k, box changed, const lane *l)
{
    return f ? fusion_reach(f, k, changed, l) : n->op->reach(n, k, changed, l);
}

/* An op may look at the lane's length (a last row, a window), so beside a parent of another
 * length both lanes' views of the change count. */
void plan_reach(arena *mem, region *out, const node *n, const fusion *f, int k, box changed,
                const lane *l)
{
    box all = node_all(n, l);
    if (!n->op->scattered) {
        region_add(mem, out, box_cut(reach_of(n, f, k, changed, l), all));
        if (l->parent && l->parent->len != l->len)
            region_add(mem, out, box_cut(reach_of(n, f, k, changed, l->parent), all));
        return;
    }
    for (int i = 0; i < piece_count(n, all); i++) {
        box piece = piece_at(n, all, i);
        if (box_meets(n->op->need(n, k, piece, l), changed)) region_add(mem, out, piece);
    }
}

/* Beside a parent of another length two things change that no value shows: the rows the parent
 * has and l lacks, to ops that look ahead; and where the end is, to ops that put a LANE value
 * into rows (even if that value is equal). */
void plan_reach_length(arena *mem, region *out, const node *n, const fusion *f, const lane *l)
{
    if (!l->parent || l->parent->len == l->len || n->op->scattered) return;
    for (int k = 0; k < plan_inputs(n, f); k++) {
        const node *in = plan_input(n, f, k);
        box lost = { l->len, l->parent->len, 0, in->n_part }; /* empty when l is longer */
        if (in->extent == LANE) lost = node_all(in, l);
        if (in->extent != WEIGHT && !box_empty(lost)) plan_reach(mem, out, n, f, k, lost, l);
    }
}

/* Does the edit couple other rows here than in the parent?  (A callback sees the whole lane.) */
static bool couples_anew(const edit *e, const lane *l)
{
    if (!edit_couples(e) || e->owner == l || !l->parent) return false;
    box here = edit_where(e, l), there = edit_where(e, l->parent);
    return e->kind == EDIT_CALL && !box_empty(here) && memcmp(&here, &there, sizeof here);
}

/* What is computed anew gets the inherited edits anew: where one of them couples cells, all of
 * those are computed.  Edits may chain, hence the loop. */
void plan_couple(arena *mem, region *calc, const edit *e, int n_e, const lane *l)
{
    for (int i = 0; i < n_e; i++)
        if (couples_anew(&e[i], l)) region_add(mem, calc, edit_where(&e[i], l));
    for (int64_t before = -1; n_e && before != region_cells(calc);) {
        before = region_cells(calc);
        for (int i = 0; i < n_e; i++)
            for (int j = 0; edit_couples(&e[i]) && e[i].owner != l && j < calc->n; j++)
                region_add(mem, calc, edit_widen(&e[i], *region_box(calc, j), l));
    }
}

/* ---- pass 1 ---- */

/* An inherited edit that copies from the lane's own nodes is one more input; an edge of the lane's
 * own replaces the computation. */
static void calc_self_takes(lane *l, const edit *e, int n_e, region *calc)
{
    for (int i = 0; i < n_e; i++) {
        if (e[i].edge && e[i].owner == l) region_add(&l->mem, calc, edit_where(&e[i], l));
        bool inherited = e[i].owner != l && e[i].kind == EDIT_TAKE && !e[i].from;
        const cell *src = inherited ? cell_get(l, e[i].from_n) : NULL;
        for (int j = 0; src && j < src->may.n; j++)
            region_add(&l->mem, calc, take_in(&e[i], *region_box(&src->may, j), l));
    }
}

static void calc_inputs(lane *l, const node *n, region *calc)
{
    region_add(&l->mem, calc, lane_news(l, n));
    plan_reach_length(&l->mem, calc, n, NULL, l);
    for (int k = 0; k < n->n_in; k++) {
        const cell *in = cell_get(l, n->in[k]);
        for (int i = 0; in && i < in->may.n; i++)
            plan_reach(&l->mem, calc, n, NULL, k, *region_box(&in->may, i), l);
    }
}

static status plan_node(lane *l, const node *n, error *err)
{
    edit e[MAX_EDITS];
    region calc = { 0 }, may;
    if (!n->op && n->extent != WEIGHT) return E_OK; /* lane_give has been here */
    if (n->op) calc_inputs(l, n, &calc);
    int n_e = lane_edits(l, n, e), n_own = 0;
    if (n_e > MAX_EDITS)
        return error_set(err, E_LIMIT, "lane %d: %d edits act on one node, at most %d can",
                         l->serial, n_e, MAX_EDITS);
    if (n->op && n_e) {
        calc_self_takes(l, e, n_e, &calc);
        plan_couple(&l->mem, &calc, e, n_e, l);
    }
    for (int i = 0; i < n_e; i++) n_own += e[i].owner == l;
    may = n_own ? region_copy(&l->mem, &calc) : calc; /* a shared copy: neither changes again */
    for (int i = 0; i < n_e; i++)
        if (e[i].owner == l && n_own == 1 && !calc.n) edit_may(l, &e[i], &may);
        else if (e[i].owner == l) region_add(&l->mem, &may, edit_where(&e[i], l));
    cell *c = may.n ? cell_need(l, n) : cell_get(l, n);
    if (c) c->calc = calc, c->may = may;
    return E_OK;
}

/* A lane runs after those it takes later nodes from; parents are in its own wave. */
static int32_t lane_generation(const lane *l)
{
    const int32_t *turn = l->s->g.turn;
    int32_t gen = l->parent ? l->parent->generation : 0;
    for (const edit *e = l->edit; e; e = e->next) {
        if (e->kind != EDIT_TAKE || !e->from) continue;
        int32_t after = e->from->generation + (turn[e->from_n->id] > turn[e->n->id]);
        if (after > gen) gen = after;
    }
    return gen;
}

/* A lane can take from itself only what comes before (graph_precede). */
static status check_self_takes(const lane *l, error *err)
{
    const graph *g = &l->s->g;
    for (const edit *e = l->edit; e; e = e->next) {
        if (e->kind != EDIT_TAKE || e->from || g->turn[e->from_n->id] < g->turn[e->n->id]) continue;
        const char *name = graph_name(g, e->n);
        return error_set(err, E_CYCLE, "lane %d: %s takes from a node that is computed later",
                         l->serial, name ? name : "a node");
    }
    return E_OK;
}

status plan_lane(lane *l, error *err)
{
    const graph *g = &l->s->g;
    if (l->n_planned == graph_nodes(g)) return E_OK;
    status st = check_self_takes(l, err);
    if (st != E_OK) return st;
    l->generation = lane_generation(l);
    for (int i = 0; i < g->n_sorted && st == E_OK; i++)
        if (g->order[i]->id >= l->n_planned) st = plan_node(l, g->order[i], err);
    if (st != E_OK) return st;
    if (l->mem.failed) {
        l->mem.failed = false;
        return error_set(err, E_NOMEM, "lane %d: out of memory while planning", l->serial);
    }
    l->n_planned = graph_nodes(g);
    return E_OK;
}

/* ---- pass 2 ---- */

static due *due_make(run *r, lane *l, cell *c, const node *n)
{
    due_list *list = run_list(r, l->generation, n);
    due *d = arena_zero(&r->mem, sizeof *d), *after = list->youngest;
    if (!d) return NULL;
    d->l = l, d->c = c, d->n = n;
    due *younger = NULL; /* a new due is nearly always the eldest or the youngest */
    if (list->eldest && list->eldest->l->serial > l->serial) younger = list->eldest, after = NULL;
    while (after && after->l->serial > l->serial) younger = after, after = after->elder;
    d->elder = after, d->younger = younger;
    *(after ? &after->younger : &list->eldest) = d;
    *(younger ? &younger->elder : &list->youngest) = d;
    r->info.n_touched++;
    return c->due = d;
}

static void refuse_input(run *r, const lane *l, const node *n)
{
    const char *name = graph_name(&l->s->g, n);
    if (r->refused.code) return;
    error_set(&r->refused, E_RANGE, "lane %d: input %s was not given for all of its %d rows",
              l->serial, name ? name : "(unnamed)", l->len);
    error_hint(&r->refused, "give the lane its inputs (lane_give) before it runs");
}

/* The nearest lane in which b may differ from its parent is the one to ask. */
static void want_add(run *r, lane *l, const node *n, box b, bool stay)
{
    cell *c = NULL;
    if (n->extent == WEIGHT && !has_edits(r->s, n)) return;
    for (lane *first = l, *below = NULL; l; below = l, l = l->parent) {
        int64_t cells = box_cells(b); /* a shorter parent has fewer rows to give */
        b = box_cut(b, below ? lane_common(below, n) : node_all(n, l));
        if (!n->op && n->extent != WEIGHT && box_cells(b) != cells) refuse_input(r, first, n);
        if (box_empty(b)) return;
        if ((c = cell_get(l, n)) && region_meets(&c->may, b)) break;
        if (!l->parent && !n->op && n->extent != WEIGHT &&
            !(c && c->hold && region_has(&c->hold->done, b)))
            refuse_input(r, first, n);
    }
    if (!l || (c->hold && region_has(&c->hold->done, b))) return;
    due *d = c->due ? c->due : due_make(r, l, c, n);
    if (!d) return;
    region_add(&r->mem, &d->want, b);
    if (stay) region_add(&r->mem, &d->stay, b);
}

static void want_inputs(run *r, lane *l, const node *n, const fusion *f, box b)
{
    for (int i = 0; i < piece_count(n, b); i++)
        for (int k = 0; k < plan_inputs(n, f); k++)
            want_add(r, l, plan_input(n, f, k), plan_need(n, f, k, piece_at(n, b, i), l), false);
}

static void want_sources(run *r, const due *d, const edit *e)
{
    for (int i = 0; i < d->want.n; i++) {
        box here = box_cut(*region_box(&d->want, i), edit_where(e, d->l));
        if (!box_empty(here) && (e->owner == d->l || region_meets(&d->c->calc, here)))
            want_add(r, e->from ? e->from : d->l, e->from_n, take_out(e, here, d->l), false);
    }
}

/* A covering edit makes what was there before needless, unless an earlier edit couples it to
 * other cells.  Of edits that are not l's own, only when `all`. */
static void hide(arena *mem, region *out, const edit *e, int n_e, const lane *l, bool all)
{
    box hidden;
    for (int i = 0; i < n_e; i++) {
        bool needed = false;
        if (!edit_covers(&e[i], l, &hidden) || (!all && e[i].owner != l)) continue;
        for (int j = 0; j < i; j++) needed |= edit_couples(&e[j]) && box_meets(e[j].where, hidden);
        if (!needed) region_sub(mem, out, hidden);
    }
}

void plan_kernel(arena *mem, region *out, const region *want, box calc, const edit *e, int n_e,
                 const lane *l)
{
    region_add_cut(mem, out, want, calc);
    hide(mem, out, e, n_e, l, true);
}

/* Coupled edits that will act need all of what they couple. */
static void want_couple(run *r, due *d, const edit *e, int n_e)
{
    for (int64_t before = -1; n_e && before != region_cells(&d->want);) {
        before = region_cells(&d->want);
        for (int i = 0; i < n_e; i++)
            for (int j = 0; edit_couples(&e[i]) && j < d->want.n; j++) {
                box b = edit_widen(&e[i], *region_box(&d->want, j), d->l);
                if (!box_empty(b) && (e[i].owner == d->l || region_meets(&d->c->calc, b)))
                    region_add(&r->mem, &d->want, b);
            }
    }
}

const fusion *plan_fusion(const lane *l, const node *n, bool (*seen)(const cell *c))
{
    const engine *e = l->s->e;
    const fusion *f = l->s->g.fused[n->id];
    if (!f || !e->fused_of || !e->fused_of(e, f->def)) return NULL;
    for (int i = 0; i < f->n_inner; i++) {
        const cell *c = cell_get(l, f->inner[i]);
        if ((c && seen(c)) || lane_edits(l, f->inner[i], NULL)) return NULL;
    }
    return f;
}

static bool is_due(const cell *c) { return c->due != NULL; }

/* What is there already is not wanted again. */
static void due_trim(run *r, due *d)
{
    const hold *h = d->c->hold;
    region want = region_copy(&r->mem, &d->want),
           stay = region_copy(&r->mem, d->l->keep ? &d->want : &d->stay);
    for (int i = 0; h && i < h->done.n; i++) {
        region_sub(&r->mem, &want, *region_box(&h->done, i));
        region_sub(&r->mem, &stay, *region_box(&h->done, i));
    }
    d->want = want, d->stay = stay;
}

static void want_parent(run *r, const due *d, const edit *e, int n_e)
{
    region above = region_copy(&r->mem, &d->want);
    hide(&r->mem, &above, e, n_e, d->l, false);
    for (int i = 0; i < above.n; i++) {
        box b = box_cut(*region_box(&above, i), lane_common(d->l, d->n));
        want_add(r, d->l->parent, d->n, b, false);
        for (int j = 0; j < d->stay.n; j++) {
            box stay = box_cut(*region_box(&d->stay, j), b);
            if (!box_empty(stay)) want_add(r, d->l->parent, d->n, stay, true);
        }
    }
}

static void due_plan(run *r, due *d)
{
    edit e[MAX_EDITS];
    region calc = { 0 };
    int n_e = lane_edits(d->l, d->n, e);
    due_trim(r, d);
    want_couple(r, d, e, n_e); /* what is held may be needed again, as it was before the edit */
    for (int i = 0; i < n_e; i++)
        if (e[i].kind == EDIT_TAKE) want_sources(r, d, &e[i]);
    if (d->l->parent) want_parent(r, d, e, n_e);
    if (!d->n->op) return;
    d->fusion = plan_fusion(d->l, d->n, is_due);
    for (int i = 0; i < d->want.n; i++)
        for (int j = 0; j < d->c->calc.n; j++) {
            box b = box_cut(*region_box(&d->want, i), *region_box(&d->c->calc, j));
            region_add(&r->mem, &calc, b);
        }
    hide(&r->mem, &calc, e, n_e, d->l, true);
    for (int i = 0; i < calc.n; i++) {
        box b = *region_box(&calc, i);
        want_inputs(r, d->l, d->n, d->fusion, b);
        r->plan_op += plan_cost(d->n, d->fusion, b, d->l);
        r->plan_cell += box_cells(b);
    }
}

void plan_needs(run *r)
{
    const graph *g = &r->s->g;
    for (int32_t gen = r->n_generation - 1; gen >= 0; gen--)
        for (int32_t t = g->n_sorted - 1; t >= 0; t--)
            for (due *d = run_list(r, gen, g->order[t])->youngest; d; d = d->elder) due_plan(r, d);
}

void plan_ask(run *r, lane *l)
{
    for (int32_t i = 0; l->asks && i < l->n_cell; i++) {
        const hold *h = l->cell[i] ? l->cell[i]->hold : NULL;
        for (int j = 0; h && j < h->asked.n; j++)
            want_add(r, l, graph_node(&l->s->g, i), *region_box(&h->asked, j), true);
    }
}

/* ---- edits that can change nothing wanted ---- */

/* Of what e touches on n, is any wanted in l that no later edit of e's lane overwrites?  (A coupled edit
 * in between carries e's value to where it is not overwritten.) */
static bool wanted_here(run *r, const lane *l, const node *n, const edit *e)
{
    const cell *c = cell_get(l, n);
    region left = { 0 };
    box hidden;
    if (!c || !c->due) return false;
    region_add_cut(&r->mem, &left, &c->due->want, edit_where(e, l));
    for (const edit *f = e->next; f && left.n; f = f->next) {
        if (f->n != e->n || f->edge != e->edge) continue;
        if (edit_couples(f) && box_meets(f->where, e->where)) return true;
        if (edit_covers(f, l, &hidden)) region_sub(&r->mem, &left, hidden);
    }
    return left.n > 0;
}

/* At the node or at one of its twins, in l or in an ancestor up to the edit's own lane: what does not
 * change in l is wanted of its parent. */
static bool edit_wanted(run *r, const lane *l, const edit *e)
{
    const graph *g = &l->s->g;
    for (; l; l = l == e->owner ? NULL : l->parent) {
        if (wanted_here(r, l, e->n, e)) return true;
        for (int32_t i = 0; i < g->n_own; i++)
            if (g->own[i]->original == e->n && wanted_here(r, l, g->own[i], e)) return true;
    }
    return false;
}

static void refuse_edit(run *r, const lane *l, const edit *e)
{
    const graph *g = &l->s->g;
    const char *name = graph_name(g, e->n);
    if (!name && e->n->op == &graph_alias_def)
        name = graph_name(g, e->n->in[0]); /* an edge's end */
    error_set(&r->refused, E_NOEFFECT, "lane %d: nothing asked for depends on the edit of %s",
              l->serial, name ? name : "an unnamed node");
    error_hint(&r->refused, "ask for something later in the model or in the text, edit elsewhere, "
                            "or leave out what a later edit overwrites");
}

/* Is some edit of the whole wanted that e is part of? */
static bool whole_wanted(run *r, const lane *l, const lane *a, const edit *e)
{
    for (const edit *f = e->whole ? a->edit : NULL; f; f = f->next)
        if (f != e && f->whole == e->whole && (f->used || edit_wanted(r, l, f))) return true;
    return false;
}

/* The lane's edits, and those of ancestors that have not run: of others this was decided before. */
void plan_effects(run *r, const lane *l)
{
    if (!l->asks || l->sweep) return;
    for (const lane *a = l; a && !r->refused.code && (a == l || !a->ran); a = a->parent)
        for (const edit *e = a->edit; e && !a->sweep; e = e->next) {
            if (e->used || edit_wanted(r, l, e) || whole_wanted(r, l, a, e)) continue;
            refuse_edit(r, a, e);
            return;
        }
}
/* SPDX-License-Identifier: MIT */
