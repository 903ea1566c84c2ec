/* edit -- adding edits to lanes, finding those that act on a node, and applying them.
 *
 * A lane's edits are its ancestors', then its own, in the order given; but what an edge puts in
 * place of a reader's value is part of computing it and comes before them all.  A *twin* of a node
 * (its copy in a mirror, its adjoint) follows the node's edits; they are looked up, never
 * copied, so it does not matter whether the overlay or the edit came first.
 *
 * Arithmetic is done in double and rounded once: for sums and products of floats that is
 * what float arithmetic gives, and a value that is no float is not rounded twice.
 *
 * Most edits act on one part of one row.  Two *couple* what they touch: a projection on
 * single numbers (neurons) needs all parts of the row, a callback needs everything. */
#include "graph/cell.h"
#include <string.h>

/* ---- adding ---- */

static const char *node_label(const lane *l, const node *n)
{
    const char *name = graph_name(&l->s->g, n);
    return name ? name : "node";
}

static status check_where(const lane *l, const edit *e, error *err)
{
    box all = node_all(e->n, l), w = edit_where(e, l);
    int32_t wide = e->n->extent == PAIR ? l->len : e->n->width;
    bool fits = !box_empty(w) && e->where.r0 >= 0 && e->where.a0 >= 0 && e->where.a1 <= all.a1 &&
                (e->where.r1 == ROW_OPEN || e->where.r1 <= all.r1);
    if (!fits)
        return error_set(
            err, E_RANGE,
            "%s: edit of rows %d:%d, parts %d:%d, expected within rows 0:%d, parts 0:%d",
            node_label(l, e->n), e->where.r0, e->where.r1, e->where.a0, e->where.a1, all.r1,
            all.a1);
    int32_t first_key = e->n->extent == PAIR ? node_first_key(e->n, w.r0) : 0,
            end_key = e->n->both_ways ? l->len : w.r1;
    if (e->n->extent == PAIR && e->w0 < e->w1 && (e->w0 >= end_key || e->w1 <= first_key))
        return error_set(err, E_RANGE, "%s: edit of keys %d:%d, its queries see keys %d:%d",
                         node_label(l, e->n), e->w0, e->w1 < wide ? e->w1 : wide, first_key,
                         end_key);
    if (e->w0 < 0 || e->w0 >= e->w1 || (e->n->extent != PAIR && e->w1 > wide))
        return error_set(err, E_RANGE, "%s: edit of %d:%d of the last axis, expected within 0:%d",
                         node_label(l, e->n), e->w0, e->w1, wide);
    return E_OK;
}

static status check_take(const lane *l, const edit *e, error *err)
{
    const lane *from = e->from ? e->from : l;
    const node *a = e->from_n, *n = e->n;
    box all = node_all(a, from), w = edit_where(e, l);
    if (n->extent == WEIGHT || a->extent == WEIGHT)
        return error_set(err, E_UNSUPPORTED, "%s: a weight is not taken from a lane",
                         node_label(l, n));
    if (from->serial > l->serial)
        return error_set(err, E_CYCLE, "%s: lane %d is younger than lane %d that takes from it",
                         node_label(l, n), from->serial, l->serial);
    if (a->extent != n->extent || a->window != n->window || a->both_ways != n->both_ways)
        return error_set(err, E_SHAPE, "%s: %s is of another kind", node_label(l, n),
                         node_label(l, a));
    if (e->from_part < 0 || e->from_part + (w.a1 - w.a0) > a->n_part)
        return error_set(err, E_SHAPE, "%s: takes parts %d:%d, %s has 0:%d", node_label(l, n),
                         e->from_part, e->from_part + w.a1 - w.a0, node_label(l, a), a->n_part);
    if (n->extent == PAIR && (e->from_row != e->where.r0 || e->from_w0 != e->w0))
        return error_set(err, E_SHAPE, "%s: another row sees other keys, and keys are not moved",
                         node_label(l, n));
    if (n->both_ways && from->len != l->len)
        return error_set(err, E_SHAPE, "%s: the source has %d keys a query, this lane %d",
                         node_label(l, n), from->len, l->len);
    if (n->extent != PAIR && (e->from_w0 < 0 || e->from_w0 + (e->w1 - e->w0) > a->width))
        return error_set(err, E_SHAPE, "%s: takes numbers %d:%d, %s has 0:%d", node_label(l, n),
                         e->from_w0, e->from_w0 + e->w1 - e->w0, node_label(l, a), a->width);
    if (!e->from && (e->from_row < 0 || e->from_row > e->where.r0))
        return error_set(err, E_SHAPE, "%s: row %d takes from row %d of the lane itself",
                         node_label(l, n), e->where.r0, e->from_row);
    if (e->from && (e->from_row < 0 || e->from_row > all.r1 - (w.r1 - w.r0)))
        return error_set(err, E_SHAPE, "%s: takes %d rows from row %d on, the source has %d",
                         node_label(l, n), w.r1 - w.r0, e->from_row, all.r1);
    return E_OK;
}

static status check_lowrank(const lane *l, const edit *e, error *err)
{
    const lowrank *x = e->low;
    if (e->n->extent != WEIGHT)
        return error_set(err, E_UNSUPPORTED, "%s: a product of matrices is added to weights only",
                         node_label(l, e->n));
    if (!x) return error_set(err, E_USAGE, "edit: no product of matrices");
    if (x->n_row == e->n->n_row && x->n_col == e->n->n_part) return E_OK;
    return error_set(err, E_SHAPE, "%s is [%d, %d], what is added to it [%lld, %lld]",
                     node_label(l, e->n), e->n->n_row, e->n->n_part, (long long)x->n_row,
                     (long long)x->n_col);
}

static status check_kind(const lane *l, const edit *e, error *err)
{
    bool pair = e->n->extent == PAIR;
    if (e->kind == EDIT_TAKE) return check_take(l, e, err);
    if (e->kind == EDIT_LOWRANK) return check_lowrank(l, e, err);
    if ((e->kind == EDIT_CALL || e->kind == EDIT_PROJECT) && pair)
        return error_set(err, E_UNSUPPORTED, "%s: no %s on a value per query and key",
                         node_label(l, e->n), e->kind == EDIT_CALL ? "callback" : "projection");
    if (e->kind == EDIT_CALL && !e->call) return error_set(err, E_USAGE, "edit: no callback");
    if (e->kind == EDIT_PROJECT && !e->v) return error_set(err, E_USAGE, "edit: no direction");
    if (e->v && pair && e->w1 > l->len)
        return error_set(err, E_RANGE, "%s: values for every key, and no last key",
                         node_label(l, e->n));
    if (e->v && e->row_step && e->where.r1 == ROW_OPEN)
        return error_set(err, E_RANGE, "%s: values for every row, and no last row",
                         node_label(l, e->n));
    return E_OK;
}

static status edit_check(const lane *l, const edit *e, error *err)
{
    status st = lane_open(l, "edits", err);
    if (st != E_OK) return st;
    if (e->n->extent != WEIGHT && !e->n->op)
        return error_set(err, E_RANGE, "%s: an input is given, not edited", node_label(l, e->n));
    if (lane_edits(l, e->n, NULL) >= MAX_EDITS)
        return error_set(err, E_RANGE, "%s: more than %d edits", node_label(l, e->n), MAX_EDITS);
    st = check_where(l, e, err);
    return st == E_OK ? check_kind(l, e, err) : st;
}

/* How many numbers of v the strides can reach; l is the lane e was made for. */
static int64_t values_reached(const lane *l, const edit *e)
{
    box w = edit_where(e, l);
    return (w.r1 - w.r0 - 1) * e->row_step + (w.a1 - w.a0 - 1) * e->part_step + (e->w1 - e->w0);
}

static status values_copy(lane *l, edit *own, const lane *made_for, error *err)
{
    if (!own->v) return E_OK;
    int64_t n = values_reached(made_for, own);
    bool zero = true;
    for (int64_t i = 0; i < n; i++) zero &= own->v[i] == 0;
    if (own->kind == EDIT_PROJECT && zero)
        return error_set(err, E_RANGE, "%s: the direction to project out is zero",
                         node_label(l, own->n));
    own->v = arena_copy(&l->mem, own->v, (size_t)n * sizeof *own->v);
    return own->v ? E_OK : error_set(err, E_NOMEM, "edit: out of memory");
}

/* The counts that let most nodes skip the search. */
static bool count_room(session *s)
{
    int32_t n = graph_nodes(&s->g);
    if (s->cap_edit >= n) return true;
    int32_t *wider =
        mem_resize(s->n_edit, (size_t)s->cap_edit * sizeof *wider, (size_t)n * sizeof *wider);
    if (!wider) return false;
    memset(wider + s->cap_edit, 0, (size_t)(n - s->cap_edit) * sizeof *wider);
    s->n_edit = wider, s->cap_edit = n;
    return true;
}

static status edit_add(lane *l, const edit *e, const lane *made_for, error *err)
{
    session *s = l->s;
    edit *own = count_room(s) ? arena_copy(&l->mem, e, sizeof *e) : NULL;
    status st =
        own ? values_copy(l, own, made_for, err) : error_set(err, E_NOMEM, "edit: out of memory");
    if (st != E_OK) {
        l->mem.failed = false;
        return st;
    }
    own->owner = l, own->next = NULL, own->used = false;
    if (own->kind == EDIT_TAKE && own->from && own->where.r1 == ROW_OPEN) /* as far as it goes */
        own->where.r1 = own->where.r0 + node_rows(own->from_n, own->from) - own->from_row;
    *l->edit_end = own;
    l->edit_end = &own->next;
    s->n_edit[own->n->id]++;
    if (own->from) own->from->n_user++;
    return E_OK;
}

status lane_edit(lane *l, const edit *e, error *err)
{
    status st = edit_check(l, e, err);
    return st == E_OK ? edit_add(l, e, l, err) : st;
}

status lane_edit_again(lane *l, const edit *e, error *err) { return edit_add(l, e, e->owner, err); }

void lane_edit_undo(lane *l)
{
    edit **at = &l->edit;
    while ((*at)->next) at = &(*at)->next;
    l->s->n_edit[(*at)->n->id]--;
    if ((*at)->from) (*at)->from->n_user--;
    *at = NULL;
    l->edit_end = at;
}

/* ---- finding ---- */

/* An edit as the twin n feels it.  An adjoint is edited by the transpose: set and take cut,
 * add passes, scale scales, project projects. */
static bool edit_translate(edit *e, const node *n)
{
    if (e->n != n && e->n != n->original) return false;
    if (e->n != n && n->adjoint) {
        if (e->kind == EDIT_ADD) return false;
        if (e->kind == EDIT_SET || e->kind == EDIT_TAKE)
            e->kind = EDIT_SET, e->v = NULL, e->factor = 0;
    }
    e->n = (node *)n; /* the copy's own field; the node is not written to */
    return true;
}

/* Those of one lane and kind, in order: into out[k...], as far as there is room (out NULL: count). */
static int collect(const lane *l, const node *n, bool edge, edit *out, int k)
{
    for (const edit *e = l->edit; e; e = e->next) {
        edit copy = *e;
        if (e->edge != edge || !edit_translate(&copy, n)) continue;
        if (out && k < MAX_EDITS) out[k] = copy;
        k++;
    }
    return k;
}

/* Ancestors' first, hence from the end: a chain of forks may be longer than the stack is deep. */
static int collect_chain(const lane *l, const node *n, bool edge, edit *out, int k)
{
    int end = k;
    for (const lane *a = l; a; a = a->parent) end = collect(a, n, edge, NULL, end);
    for (int stop = end; out && l; l = l->parent) {
        stop -= collect(l, n, edge, NULL, 0);
        collect(l, n, edge, out, stop);
    }
    return end;
}

int lane_edits(const lane *l, const node *n, edit *out)
{
    if (!l || (!has_edits(l->s, n) && !has_edits(l->s, n->original))) return 0;
    return collect_chain(l, n, false, out, collect_chain(l, n, true, out, 0));
}

/* ---- what an edit touches ---- */

box edit_where(const edit *e, const lane *l) { return box_cut(e->where, node_all(e->n, l)); }

bool edit_covers(const edit *e, const lane *l, box *hidden)
{
    *hidden = e->where;
    if ((e->kind != EDIT_SET && e->kind != EDIT_TAKE) || e->w0 != 0) return false;
    if (!e->n->both_ways) return e->w1 >= (e->n->extent == PAIR ? e->where.r1 : e->n->width);
    return e->w1 >= l->len && (e->kind == EDIT_SET || !e->from || e->from->len >= l->len);
}

bool edit_couples(const edit *e)
{
    if (e->kind == EDIT_CALL) return true;
    return e->kind == EDIT_PROJECT && e->n->width == 1 && e->where.a1 - e->where.a0 > 1;
}

box edit_widen(const edit *e, box b, const lane *l)
{
    box w = edit_where(e, l);
    if (!edit_couples(e) || !box_meets(w, b)) return (box){ 0 };
    if (e->kind == EDIT_CALL) return w;
    b = box_cut(b, w);
    return (box){ b.r0, b.r1, w.a0, w.a1 };
}

box take_in(const edit *e, box source, const lane *l)
{
    int32_t down = e->where.r0 - e->from_row, along = e->where.a0 - e->from_part;
    return box_cut(
        (box){ source.r0 + down, source.r1 + down, source.a0 + along, source.a1 + along },
        edit_where(e, l));
}

box take_out(const edit *e, box here, const lane *l)
{
    int32_t down = e->from_row - e->where.r0, along = e->from_part - e->where.a0;
    box b = box_cut(here, edit_where(e, l));
    if (box_empty(b)) return (box){ 0 };
    return (box){ b.r0 + down, b.r1 + down, b.a0 + along, b.a1 + along };
}

/* ---- applying ---- */

static double get(const void *p, int64_t i, int32_t bytes)
{
    return bytes == 8 ? ((const double *)p)[i] : (double)((const float *)p)[i];
}

static void put(void *p, int64_t i, double v, int32_t bytes)
{
    if (bytes == 8) ((double *)p)[i] = v;
    else ((float *)p)[i] = (float)v;
}

/* Values for the edited numbers of this part, as if v began at number `first` of the last axis. */
static const double *values_at(const edit *e, int32_t row, int32_t part)
{
    if (!e->v) return NULL;
    return e->v + (row - e->where.r0) * e->row_step + (part - e->where.a0) * e->part_step;
}

/* y -= (y.d / d.d) d, sums ascending. */
static void project_part(void *y, const double *d, int32_t w0, int32_t w1, int32_t bytes)
{
    double dot = 0, norm = 0;
    for (int32_t i = w0; i < w1; i++) {
        dot += get(y, i, bytes) * d[i - w0];
        norm += d[i - w0] * d[i - w0];
    }
    for (int32_t i = w0; norm > 0 && i < w1; i++)
        put(y, i, get(y, i, bytes) - dot / norm * d[i - w0], bytes);
}

/* What a take copies from. */
static const lane *source_of(const edit *e, const lane *l) { return e->from ? e->from : l; }

static void edit_part(const edit *e, const lane *l, void *y, const void *src, int32_t row,
                      int32_t part)
{
    const node *n = e->n;
    int32_t key0 = n->extent == PAIR ? node_first_key(n, row) : 0, width = node_width(n, row, l);
    int32_t bytes = l->s->e->real_bytes;
    int32_t lo = e->w0 > key0 ? e->w0 - key0 : 0, hi = e->w1 - key0 < width ? e->w1 - key0 : width;
    const double *v = values_at(e, row, part);
    int64_t at = key0 - e->w0; /* v[at + i] belongs to y[i] */
    if (e->kind == EDIT_PROJECT) {
        project_part(y, v, lo, hi, bytes);
        return;
    }
    if (e->kind == EDIT_TAKE) {
        int32_t from = lo + (n->extent == PAIR ? 0 : e->from_w0 - e->w0);
        if (n->both_ways && source_of(e, l)->len < hi) hi = source_of(e, l)->len;
        if (hi > lo)
            memcpy((char *)y + (int64_t)lo * bytes, (const char *)src + (int64_t)from * bytes,
                   (size_t)(hi - lo) * (size_t)bytes);
        return;
    }
    for (int32_t i = lo; i < hi; i++) {
        double old = get(y, i, bytes), x = v ? v[at + i] : e->factor;
        put(y, i, e->kind == EDIT_SET ? x : e->kind == EDIT_ADD ? old + x : old * e->factor, bytes);
    }
}

/* Float32 in float64 too: what is added is so defined. */
static void lowrank_row(const edit *e, box b, void *y, int32_t bytes)
{
    float some[256];
    if (bytes == 4) {
        lowrank_add(e->low, b.r0, b.a0, b.a1 - b.a0, y);
        return;
    }
    for (int32_t a = b.a0, n; a < b.a1; a += n) {
        double *at = (double *)y + (a - b.a0);
        n = b.a1 - a < 256 ? b.a1 - a : 256;
        for (int32_t i = 0; i < n; i++) some[i] = (float)at[i];
        lowrank_add(e->low, b.r0, a, n, some);
        for (int32_t i = 0; i < n; i++) at[i] = (double)some[i];
    }
}

void edit_row(const edit *e, const lane *l, box b, char *y, const char *src)
{
    if (e->kind == EDIT_LOWRANK) {
        lowrank_row(e, b, y, l->s->e->real_bytes);
        return;
    }
    int64_t bytes = l->s->e->real_bytes, step = node_width(e->n, b.r0, l) * bytes,
            src_step = src ? node_width(e->from_n, b.r0, source_of(e, l)) * bytes : 0;
    for (int32_t a = b.a0; a < b.a1; a++, y += step) {
        edit_part(e, l, y, src, b.r0, a);
        if (src) src += src_step;
    }
}

static bool edit_patch(run *r, due *d, const edit *e, const patch *p)
{
    box b = box_cut(edit_where(e, d->l), p->b), out = take_out(e, b, d->l);
    const void **src = NULL;
    if (box_empty(b)) return true;
    if (e->kind == EDIT_TAKE) {
        src = arena_array(&r->wave, b.r1 - b.r0, sizeof *src);
        if (!src || !lane_view(&r->wave, source_of(e, d->l), e->from_n, out, src)) return false;
    }
    for (int32_t row = b.r0; row < b.r1; row++)
        if (!src || src[row - b.r0])
            edit_row(e, d->l, (box){ row, row + 1, b.a0, b.a1 }, patch_at(d->l, d->n, p, row, b.a0),
                     src ? src[row - b.r0] : NULL);
    return true;
}

/* ---- coupled edits: gather what belongs together, act, scatter ---- */

typedef struct table {
    double *x;
    int64_t n_row, n_part, width;
    box b;
} table;

/* Between the table and the patches [first, end); returns how many numbers met. */
static int64_t table_move(const due *d, const edit *e, table *t, int32_t first, int32_t end,
                          bool out)
{
    const session *s = d->l->s;
    int64_t met = 0;
    for (int32_t i = first; i < end; i++) {
        box b = box_cut(d->patch[i].b, t->b);
        for (int32_t row = b.r0; !box_empty(b) && row < b.r1; row++)
            for (int32_t a = b.a0; a < b.a1; a++, met += t->width) {
                void *y = patch_at(d->l, d->n, &d->patch[i], row, a);
                double *x = t->x + ((row - t->b.r0) * t->n_part + (a - t->b.a0)) * t->width;
                for (int32_t j = 0; j < t->width; j++) {
                    if (out) put(y, e->w0 + j, x[j], s->e->real_bytes);
                    else x[j] = get(y, e->w0 + j, s->e->real_bytes);
                }
            }
    }
    return met;
}

static void table_project(const edit *e, const table *t)
{
    for (int64_t row = 0; row < t->n_row; row++) {
        double *x = t->x + row * t->n_part, dot = 0, norm = 0;
        const double *v = e->v + (t->b.r0 + row - e->where.r0) * e->row_step;
        for (int64_t a = 0; a < t->n_part; a++) {
            double y = v[a * e->part_step];
            dot += x[a] * y, norm += y * y;
        }
        for (int64_t a = 0; norm > 0 && a < t->n_part; a++)
            x[a] -= dot / norm * v[a * e->part_step];
    }
}

static bool edit_coupled(run *r, due *d, const edit *e, box b, int32_t first, int32_t end)
{
    table t = { NULL, b.r1 - b.r0, b.a1 - b.a0, e->w1 - e->w0, b };
    int64_t n = t.n_row * t.n_part * t.width;
    t.x = arena_array(&r->wave, n, sizeof *t.x);
    if (!t.x) return false;
    if (table_move(d, e, &t, first, end, false) != n)
        return true; /* none of it is there: not ours to do */
    if (e->kind == EDIT_CALL) e->call(t.x, t.n_row, t.n_part, t.width, e->user);
    else table_project(e, &t);
    table_move(d, e, &t, first, end, true);
    return true;
}

static bool row_there(const due *d, const edit *e, int32_t row, int32_t first, int32_t end)
{
    for (int32_t i = first; i < end; i++)
        if (box_meets(d->patch[i].b, (box){ row, row + 1, e->where.a0, e->where.a1 })) return true;
    return false;
}

bool edit_apply(run *r, due *d, const edit *e, int32_t first, int32_t end)
{
    if (!edit_couples(e)) {
        for (int32_t i = first; i < end; i++)
            if (!edit_patch(r, d, e, &d->patch[i])) return false;
        return true;
    }
    box w = edit_where(e, d->l);
    if (box_empty(w)) return true; /* inherited, and past the end of this lane */
    if (e->kind == EDIT_CALL) return edit_coupled(r, d, e, w, first, end);
    for (int32_t row = w.r0; row < w.r1; row++) /* a projection: row by row */
        if (row_there(d, e, row, first, end) &&
            !edit_coupled(r, d, e, (box){ row, row + 1, w.a0, w.a1 }, first, end))
            return false;
    return true;
}
/* SPDX-License-Identifier: MIT */
