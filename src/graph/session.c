/* session -- see session.h: the lives of sessions and lanes, inputs, asking, reading.
 * Then read edit.c, view.c, plan.c, layout.c, wave.c, run.c. */
#include "base/cpu.h"
#include "graph/cell.h"
#include "graph/mirror.h"
#include <string.h>

status session_new(session **out, const graph *base, const engine *e, error *err)
{
    if (base->err.code) return error_set(err, base->err.code, "%s", base->err.msg);
    session *s = mem_zero(sizeof *s);
    if (!s) return error_set(err, E_NOMEM, "session: out of memory");
    graph_init(&s->g, base);
    s->g.fuse = e->fuse;
    s->e = e;
    *out = s;
    return E_OK;
}

static void lane_unlink(lane *l)
{
    session *s = l->s;
    *(l->prev ? &l->prev->next : &s->first) = l->next;
    *(l->next ? &l->next->prev : &s->last) = l->prev;
    s->n_lane--;
}

static void lane_free(lane *l)
{
    for (value_block *b = l->values, *next; b; b = next) {
        next = b->next;
        mem_free(b, b->bytes);
    }
    weights_free(l);
    arena_release(&l->mem);
    mem_free(l, sizeof *l);
}

void session_free(session *s)
{
    if (!s) return;
    for (lane *l = s->first, *next; l; l = next) {
        next = l->next;
        lane_free(l);
    }
    graph_release(&s->g);
    mem_free(s->slab, (size_t)s->slab_bytes);
    mem_free(s->n_edit, (size_t)s->cap_edit * sizeof *s->n_edit);
    mem_free(s, sizeof *s);
}

graph *session_graph(session *s) { return &s->g; }
const engine *session_engine(const session *s) { return s->e; }
void session_limit(session *s, int64_t bytes) { s->limit_bytes = bytes; }

int64_t session_room(session *s)
{
    static const int64_t unknown = INT64_C(1) << 30;
    if (s->limit_bytes) return s->limit_bytes;
    if (!s->free_bytes) s->free_bytes = mem_available();
    if (!s->free_bytes) s->free_bytes = 4 * unknown;
    return s->free_bytes / 4;
}

void session_on_progress(session *s, session_tell *tell, void *user)
{
    s->tell = tell, s->tell_user = user;
}

const run_info *session_totals(const session *s) { return &s->total; }

void session_test(session *s, bool poison, bool keep_equal)
{
    s->poison = poison, s->keep_equal = keep_equal;
}

/* ---- lanes ---- */

status lane_new(lane **out, session *s, lane *parent, int32_t len, error *err)
{
    if (len < 1) return error_set(err, E_RANGE, "lane: length %d, expected at least 1", len);
    if (parent && parent->s != s)
        return error_set(err, E_RANGE, "lane: the parent belongs to another session");
    lane *l = mem_zero(sizeof *l);
    if (!l) return error_set(err, E_NOMEM, "lane: out of memory");
    *l = (lane){ .s = s, .parent = parent, .len = len, .serial = s->n_serial++, .prev = s->last };
    l->edit_end = &l->edit;
    if (parent) parent->n_user++;
    *(s->last ? &s->last->next : &s->first) = l;
    s->last = l;
    s->n_lane++;
    *out = l;
    return E_OK;
}

status lane_fork(lane **out, lane *parent, error *err)
{
    return lane_new(out, parent->s, parent, parent->len, err);
}

void lane_drop(lane *l)
{
    while (l) {
        lane *parent = l->parent;
        l->dropped = true;
        if (l->n_user) return;
        for (edit *e = l->edit; e; e = e->next) {
            l->s->n_edit[e->n->id]--;
            if (e->from && --e->from->n_user == 0 && e->from->dropped && e->from != parent)
                lane_drop(e->from);
        }
        lane_unlink(l);
        lane_free(l);
        if (!parent || --parent->n_user || !parent->dropped) return;
        l = parent; /* it was waiting for us */
    }
}

int32_t lane_len(const lane *l) { return l->len; }
void lane_keep(lane *l) { l->keep = true; }
void lane_sweep(lane *l) { l->sweep = true; }
session *lane_session(const lane *l) { return l->s; }
lane *lane_parent(const lane *l) { return l->parent; }

/* Overlays add nodes after lanes were made, so the table grows on demand. */
cell *cell_need(lane *l, const node *n)
{
    if (n->id >= l->n_cell) {
        int32_t n_cell = graph_nodes(&l->s->g);
        cell **wider = arena_array(&l->mem, n_cell, sizeof *wider);
        if (!wider) return NULL;
        if (l->n_cell) memcpy(wider, l->cell, (size_t)l->n_cell * sizeof *wider);
        l->cell = wider, l->n_cell = n_cell;
    }
    if (!l->cell[n->id]) l->cell[n->id] = arena_zero(&l->mem, sizeof(cell));
    return l->cell[n->id];
}

hold *cell_hold(lane *l, cell *c)
{
    if (!c->hold) c->hold = arena_zero(&l->mem, sizeof *c->hold);
    return c->hold;
}

box lane_common(const lane *l, const node *n)
{
    const lane *p = l->parent;
    if (!p || (n->both_ways && p->len != l->len)) return (box){ 0 };
    return box_cut(node_all(n, l), node_all(n, p));
}

/* Rows beyond the parent's end have nothing to be equal to.  A LANE value may look at the end of
 * its lane, so another length is news for it; and so it is where lines are as wide as the lane is long. */
box lane_news(const lane *l, const node *n)
{
    const lane *p = l->parent;
    if (n->extent == WEIGHT) return (box){ 0 };
    if (n->extent == LANE) return p && p->len == l->len ? (box){ 0 } : node_all(n, l);
    return (box){ p ? lane_common(l, n).r1 : 0, l->len, 0, n->n_part };
}

static status lane_nomem(lane *l, error *err)
{
    l->mem.failed = false;
    return error_set(err, E_NOMEM, "lane %d: out of memory", l->serial);
}

/* ---- inputs ---- */

static void put_numbers(void *to, const double *v, size_t n, int32_t real_bytes)
{
    if (real_bytes == 8) memcpy(to, v, n * sizeof *v);
    else
        for (size_t i = 0; i < n; i++) ((float *)to)[i] = (float)v[i];
}

/* Which of l's numbers differ from the parent's, part by part; all of them where there is none. */
static bool give_rows(lane *l, const node *input, const char *raw, size_t part_bytes, region *may)
{
    arena tmp = { 0 };
    box all = node_all(input, l);
    int32_t known = lane_common(l, input).r1;
    const void **old = arena_array(&tmp, known + 1, sizeof *old);
    bool fine = old && (!known || lane_view(&tmp, l->parent, input,
                                            (box){ 0, known, 0, input->n_part }, old));
    for (int32_t i = 0; fine && i < all.r1; i++)
        for (int32_t a = 0; a < input->n_part; a++, raw += part_bytes) {
            const char *was = i < known ? old[i] : NULL;
            bool same = was && !memcmp(was + (size_t)a * part_bytes, raw, part_bytes);
            if (!same) region_add(&l->mem, may, (box){ i, i + 1, a, a + 1 });
        }
    arena_release(&tmp);
    return fine && !l->mem.failed;
}

status lane_open(const lane *l, const char *what, error *err)
{
    if (!l->ran && !l->n_user) return E_OK;
    error_set(err, E_FROZEN, "lane %d %s: its %s are fixed", l->serial,
              l->ran ? "has run" : "has forks, or lanes that take from it", what);
    error_hint(err, "fork it and change the fork");
    return E_FROZEN;
}

/* Inputs are known before planning, so their change is exact from the start. */
status lane_give(lane *l, const node *input, const double *v, error *err)
{
    status st = lane_open(l, "inputs", err);
    if (st != E_OK) return st;
    box all = node_all(input, l);
    size_t n = (size_t)node_numbers(input, all, l), bytes = (size_t)l->s->e->real_bytes;
    char *raw = arena_get(&l->mem, n * bytes);
    cell *c = cell_need(l, input);
    hold *h = c ? cell_hold(l, c) : NULL;
    if (!raw || !h) return lane_nomem(l, err);
    unsigned mode = fp_enter(); /* the caller's may flush denormals */
    put_numbers(raw, v, n, l->s->e->real_bytes);
    fp_leave(mode);
    region may = { 0 }, done = { 0 };
    region_add(&l->mem, &done, all);
    if (!give_rows(l, input, raw, (size_t)input->width * bytes, &may)) return lane_nomem(l, err);
    patch *p = arena_array(&l->mem, may.n, sizeof *p);
    if (!p) return lane_nomem(l, err);
    for (int i = 0; i < may.n; i++) p[i] = (patch){ *region_box(&may, i), all, raw };
    h->patch = p, h->n_patch = may.n, h->done = done;
    c->may = c->calc = may;
    return E_OK;
}

double lane_input(const lane *l, const node *input, int32_t row, int32_t part)
{
    for (; l; l = l->parent) {
        const cell *c = cell_get(l, input);
        for (int i = 0; c && c->hold && i < c->hold->n_patch; i++) {
            const patch *p = &c->hold->patch[i];
            if (!box_within((box){ row, row + 1, part, part + 1 }, p->b)) continue;
            const void *at = patch_at(l, input, p, row, part);
            return l->s->e->real_bytes == 8 ? *(const double *)at : (double)*(const float *)at;
        }
    }
    return 0;
}

/* ---- asking and reading ---- */

static bool within_node(const node *n, const lane *l, box b)
{
    return !box_empty(b) && box_within(b, node_all(n, l));
}

static status outside(const lane *l, const node *n, box b, error *err)
{
    box all = node_all(n, l);
    const char *name = graph_name(&l->s->g, n);
    return error_set(err, E_RANGE,
                     "%s: rows %d:%d, parts %d:%d, expected within rows 0:%d, parts 0:%d",
                     name ? name : "node", b.r0, b.r1, b.a0, b.a1, all.r1, all.a1);
}

status lane_ask(lane *l, const node *n, box b, error *err)
{
    if (!within_node(n, l, b)) return outside(l, n, b, err);
    if (n->extent == WEIGHT) return E_OK; /* always there */
    cell *c = cell_need(l, n);
    hold *h = c ? cell_hold(l, c) : NULL;
    region asked = h ? region_copy(&l->mem, &h->asked) : (region){ 0 };
    region_add(&l->mem, &asked, b);
    if (!h || l->mem.failed) return lane_nomem(l, err);
    h->asked = asked;
    l->asks |= !region_has(&h->done, b);
    return E_OK;
}

/* ---- what longer lanes need ---- */

/* What is asked for will be computed on its own, as far as is known before a run. */
static bool is_asked(const cell *c) { return c->hold && c->hold->asked.n; }

/* Of input k of n, or of its fusion, the rows that a row after the end would need. */
static status keep_input(lane *l, const node *n, const fusion *f, int k, error *err)
{
    const node *in = plan_input(n, f, k);
    if (in->extent == WEIGHT || !in->op) return E_OK;
    box need = plan_need(n, f, k, (box){ l->len, l->len + 1, 0, n->n_part }, l);
    box old = box_cut(need, node_all(in, l));
    return box_empty(old) ? E_OK : lane_ask(l, in, old, err);
}

/* Nodes are looked at from the last to the first: a fusion's root says that what it hides keeps nothing. */
status lane_keep_spans(lane *l, error *err)
{
    graph *g = &l->s->g;
    status st = graph_sort(g, err); /* where fusions stand */
    if (st != E_OK) return st;
    arena tmp = { 0 };
    bool *hidden = arena_array(&tmp, graph_nodes(g), sizeof *hidden);
    if (hidden) memset(hidden, 0, (size_t)graph_nodes(g) * sizeof *hidden);
    else st = lane_nomem(l, err);
    for (lane *a = l; a && !a->keep_weights; a = a->parent) a->keep_weights = true;
    for (int i = graph_nodes(g) - 1; i >= 0 && st == E_OK; i--) {
        const node *n = graph_node(g, i);
        if (!n->op || n->extent == LANE || n->op->scattered || hidden[i]) continue;
        const fusion *f = plan_fusion(l, n, is_asked);
        for (int k = 0; f && k < f->n_inner; k++) hidden[f->inner[k]->id] = true;
        for (int k = 0; k < plan_inputs(n, f) && st == E_OK; k++) st = keep_input(l, n, f, k, err);
    }
    arena_release(&tmp);
    return st;
}

/* Where l may differ from its parent it must have resolved the value itself: the parent's is not its
 * own.  The rest must be the parent's. */
static bool resolved(arena *tmp, const lane *l, const node *n, box b)
{
    region left = { 0 };
    region_add(tmp, &left, b);
    for (; l && left.n; l = l->parent) {
        const cell *c = cell_get(l, n);
        if (n->op && n->id >= l->n_planned) return false;
        for (int i = 0; c && c->hold && i < c->hold->done.n; i++)
            region_sub(tmp, &left, *region_box(&c->hold->done, i));
        for (int i = 0; c && i < left.n; i++)
            if (region_meets(&c->may, *region_box(&left, i))) return false;
    }
    return !left.n;
}

static status not_held(const lane *l, const node *n, box b, error *err)
{
    const char *name = graph_name(&l->s->g, n);
    error_set(err, E_RANGE, "%s: rows %d:%d of lane %d are not held", name ? name : "node", b.r0,
              b.r1, l->serial);
    error_hint(err, "ask for it before the run");
    return E_RANGE;
}

status lane_read_raw(lane *l, const node *n, box b, void *out, error *err)
{
    if (!within_node(n, l, b)) return outside(l, n, b, err);
    arena tmp = { 0 };
    status st = n->extent == WEIGHT || resolved(&tmp, l, n, b) ? E_OK : not_held(l, n, b, err);
    const void **row = arena_array(&tmp, b.r1 - b.r0, sizeof *row);
    if (tmp.failed || !row || !lane_view(&tmp, l, n, b, row))
        st = error_set(err, E_NOMEM, "read: out of memory");
    char *to = out;
    for (int32_t r = b.r0; st == E_OK && r < b.r1; r++) {
        size_t bytes =
            (size_t)(b.a1 - b.a0) * (size_t)node_width(n, r, l) * (size_t)l->s->e->real_bytes;
        if (row[r - b.r0]) memcpy(to, row[r - b.r0], bytes);
        else st = not_held(l, n, (box){ r, r + 1, b.a0, b.a1 }, err);
        to += bytes;
    }
    arena_release(&tmp);
    return st;
}

status lane_read(lane *l, const node *n, box b, double *out, error *err)
{
    status st = lane_read_raw(l, n, b, out, err);
    if (st != E_OK || l->s->e->real_bytes == 8) return st;
    int64_t count = node_numbers(n, b, l);
    unsigned mode = fp_enter();                /* the caller's may flush denormals */
    for (int64_t i = count - 1; i >= 0; i--) { /* widen in place, from the end */
        float x;
        memcpy(&x, (const char *)out + i * (int64_t)sizeof x, sizeof x);
        out[i] = (double)x;
    }
    fp_leave(mode);
    return E_OK;
}

/* Are the bits of b the parent's?  (Lines of many parts are kept whole, and whole when one part changed.)
 * False also where the parent does not hold its own, which a set in l hid, and out of memory. */
static bool equals_parent(const lane *l, const node *n, box b)
{
    const lane *p = l->parent;
    arena tmp = { 0 };
    const void **mine = arena_array(&tmp, b.r1 - b.r0, sizeof *mine),
               **theirs = arena_array(&tmp, b.r1 - b.r0, sizeof *theirs);
    bool equal = p && mine && theirs && box_within(b, lane_common(l, n)) &&
                 resolved(&tmp, p, n, b) && lane_view(&tmp, l, n, b, mine) &&
                 lane_view(&tmp, p, n, b, theirs) && !tmp.failed;
    for (int32_t r = b.r0; equal && r < b.r1; r++) {
        size_t bytes =
            (size_t)(b.a1 - b.a0) * (size_t)node_width(n, r, l) * (size_t)l->s->e->real_bytes;
        const void *x = mine[r - b.r0], *y = theirs[r - b.r0];
        equal = x && y && !memcmp(x, y, bytes);
    }
    arena_release(&tmp);
    return equal;
}

effect lane_effect(const lane *l)
{
    effect best = EFFECT_NONE;
    for (int i = 0; i < l->n_cell; i++) {
        const hold *h = l->cell[i] ? l->cell[i]->hold : NULL;
        for (int j = 0; h && j < h->asked.n; j++) {
            box b = *region_box(&h->asked, j);
            if (region_meets(&l->cell[i]->may, b) && best == EFFECT_NONE) best = EFFECT_EQUAL;
            for (int k = 0; k < h->n_patch; k++)
                if (box_meets(h->patch[k].b, b) &&
                    !equals_parent(l, graph_node(&l->s->g, i), box_cut(h->patch[k].b, b)))
                    return EFFECT_CHANGED;
        }
    }
    return best == EFFECT_NONE && l->idle ? EFFECT_EQUAL : best;
}

/* ---- a fresh lane like this one ---- */

static status give_again(lane *fresh, lane *l, const node *input, error *err)
{
    box all = node_all(input, l);
    size_t bytes = (size_t)node_numbers(input, all, l) * sizeof(double);
    double *v = mem_resize(NULL, 0, bytes);
    if (!v) return error_set(err, E_NOMEM, "lane: out of memory");
    error why = { 0 };
    status st = lane_read(l, input, all, v, &why);
    if (st == E_OK) st = lane_give(fresh, input, v, err);
    else st = st == E_RANGE ? E_OK : error_set(err, st, "%s", why.msg);
    mem_free(v, bytes);
    return st;
}

static status edit_again(lane *fresh, const lane *l, error *err)
{
    if (!l) return E_OK;
    status st = edit_again(fresh, l->parent, err);
    for (const edit *e = l->edit; e && st == E_OK; e = e->next) st = lane_edit_again(fresh, e, err);
    for (const edge_use *u = l->edge; u && st == E_OK; u = u->next) { /* the next edge's mirror */
        edge_use *copy = arena_copy(&fresh->mem, u, sizeof *u);
        if (!copy) return error_set(err, E_NOMEM, "lane: out of memory");
        copy->next = fresh->edge;
        fresh->edge = copy;
    }
    return st;
}

status lane_fresh(lane **out, lane *l, error *err)
{
    const graph *g = &l->s->g;
    lane *fresh;
    status st = lane_new(&fresh, l->s, NULL, l->len, err);
    if (st != E_OK) return st;
    for (int i = 0; i < graph_nodes(g) && st == E_OK; i++) {
        const node *n = graph_node(g, i);
        if (!n->op && n->extent != WEIGHT) st = give_again(fresh, l, n, err);
    }
    if (st == E_OK) st = edit_again(fresh, l, err);
    if (st == E_OK) *out = fresh;
    else lane_drop(fresh);
    return st;
}
/* SPDX-License-Identifier: MIT */
