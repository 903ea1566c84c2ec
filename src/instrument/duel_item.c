/* duel_item -- cells of all pairs, plans and directions under way as one list, run in waves: those that change the same
 * depth stand together, so that their rows go through the layers above as one matrix.  See duel.h.
 *
 * Which items share a wave, and in which order they are run, changes no bit. */
#include "instrument/duel.h"
#include <stdlib.h>
#include <string.h>

static status apply(lane *l, const edit *e, node *reader, box slice, error *err)
{
    return reader ? lane_edit_edge(l, e, reader, slice, err) : lane_edit(l, e, err);
}

/* ---- ways: lanes that later ones take from ---- */

static void step_drop(duel_step *s)
{
    if (s->l) lane_drop(s->l); /* it stays while others take from it */
    *s = (duel_step){ 0 };
}

static void steps_drop(duel *d)
{
    for (int i = MAX_VIA - 1; i >= 0; i--) step_drop(&d->step[i]);
}

/* The edge's source: the other run, or what the edge before it came to. */
static edit via_edit(const duel *d, const duel_item *x, const duel_via *v)
{
    if (v->before) return edit_take(v->e, d->step[v->depth - 1].l);
    bool open = v->e.kind == EDIT_TAKE && !v->e.from_n;
    return open ? edit_take(v->e, d->held[x->pair][x->base == d->held[x->pair][0]]) : v->e;
}

/* The lane in which v is edited, in its place in d->step, as are those before it. */
static status via_lane(duel *d, const duel_item *x, const duel_via *v, error *err)
{
    duel_step *s = &d->step[v->depth];
    status st = v->before ? via_lane(d, x, v->before, err) : E_OK;
    if (st != E_OK || (s->via == v && s->base == x->base)) return st;
    for (int i = v->depth; i < MAX_VIA; i++) step_drop(&d->step[i]);
    st = lane_fork(&s->l, x->base, err);
    if (st != E_OK) return st;
    edit e = via_edit(d, x, v);
    lane_sweep(s->l);
    st = lane_edit_edge(s->l, &e, v->reader, v->slice, err);
    if (st == E_OK) st = lane_ask(s->l, v->out, box_cut(v->out_slice, node_all(v->out, s->l)), err);
    if (st == E_OK) s->via = v, s->base = x->base;
    else step_drop(s);
    return st;
}

static status item_make(void *user, int64_t i, lane **out, error *err)
{
    duel *d = user;
    const duel_cell *c = &d->item[i].cell;
    lane *l;
    status st = c->via ? via_lane(d, &d->item[i], c->via, err) : E_OK;
    if (st == E_OK) st = lane_fork(&l, d->item[i].base, err);
    if (st != E_OK) return st;
    lane_sweep(l);
    edit own = c->via ? edit_take(c->e, d->step[c->via->depth].l) : c->e;
    st = apply(l, &own, c->reader, c->slice, err);
    for (int k = 0; k < c->n_more && st == E_OK; k++)
        st = apply(l, &c->more[k].e, c->more[k].reader, c->more[k].slice, err);
    if (st == E_OK) st = duel_ask(d, l, err);
    if (st == E_OK) *out = l;
    else lane_drop(l);
    return st;
}

int64_t duel_item_at(const duel *d, const duel_item *x) { return x->cell.at * d->p->n + x->pair; }

/* A metric whose bits are the base run's is marked equal, though another one may have changed. */
void duel_item_put(const duel *d, const duel_item *x, const double *value, uint8_t mark)
{
    int64_t at = duel_item_at(d, x);
    bool clean = x->base == d->held[x->pair][0];
    for (int k = 0; k < d->n_metric; k++) {
        const double *base = &d->metric[k].value[clean][x->pair];
        bool equal = mark == MARK_NONE && !memcmp(&value[k], base, sizeof *base);
        x->out[k].v[at] = value[k], x->out[k].mark[at] = equal ? MARK_EQUAL : mark;
    }
}

void duel_item_get(const duel *d, const duel_item *x, double value[MAX_METRIC], uint8_t *mark)
{
    int64_t at = duel_item_at(d, x);
    *mark = x->out[0].mark[at];
    for (int k = 0; k < d->n_metric; k++) {
        value[k] = x->out[k].v[at];
        if (x->out[k].mark[at] == MARK_NONE) *mark = MARK_NONE;
    }
}

static bool item_has_room(const duel *d, const duel_item *x)
{
    bool fine = true;
    for (int k = 0; k < d->n_metric; k++) fine &= x->out[k].v && x->out[k].mark;
    return fine;
}

static status item_take(void *user, int64_t i, lane *l, error *err)
{
    static const uint8_t marks[] = {
        [EFFECT_CHANGED] = MARK_NONE, [EFFECT_EQUAL] = MARK_EQUAL, [EFFECT_NONE] = MARK_UNREACHED
    };
    duel *d = user;
    const duel_item *x = &d->item[i];
    double value[MAX_METRIC];
    d->w->n_fork++;
    d->n_done++;
    if (!item_has_room(d, x)) return error_set(err, E_NOMEM, "sweep: out of memory");
    status st = duel_values(d, l, value, err);
    if (st == E_OK) duel_item_put(d, x, value, marks[lane_effect(l)]);
    return st;
}

/* Is this item's result in the journal, by x->index, which is the same in every run of the request?  Then it is put in,
 * with its mark, and the item is not run. */
static bool item_known(duel *d, const duel_item *x)
{
    double value[MAX_METRIC];
    uint8_t mark;
    if (!item_has_room(d, x) || !duel_journal_has(d, x->index, value, &mark)) return false;
    duel_item_put(d, x, value, mark);
    return true;
}

static status item_told(void *user, int64_t first, int64_t n_done, error *err)
{
    duel *d = user;
    status st = duel_journal_add(d, d->item + first, n_done - first, err);
    const char *what = d->item[first].out->name;
    if (st == E_OK) st = work_tell(d->w, what, (double)d->n_done / (double)d->n_planned, err);
    if (st != E_OK || !work_is_over(d->until) || d->n_done == d->n_planned) return st;
    return error_set(err, E_INTERRUPTED, "%s: the time given was over after %lld of %lld cells",
                     d->w->def->name, (long long)d->n_done, (long long)d->n_planned);
}

/* The node that changes first: models are built layer by layer, and ids are given in that order.  Of a way its first
 * edge's: those that begin alike stay together. */
static int32_t item_depth(const duel_item *x)
{
    const duel_via *v = x->cell.via;
    while (v && v->before) v = v->before;
    if (v) return v->reader->id;
    return (x->cell.reader ? x->cell.reader : x->cell.e.n)->id;
}

/* Coarse before fine, where levels were given; then by depth. */
static int by_depth(const void *a, const void *b)
{
    const duel_item *x = a, *y = b;
    if (x->level != y->level) return x->level < y->level ? -1 : 1;
    int32_t p = item_depth(x), q = item_depth(y);
    return p != q ? (p < q ? -1 : 1) : x->index < y->index ? -1 : x->index > y->index;
}

int64_t duel_items_left(duel *d, duel_item *item, int64_t n)
{
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++)
        if (!duel_is_mine(d, item[i].index)) continue;
        else if (item_known(d, &item[i])) d->n_done++;
        else item[left++] = item[i];
    return left;
}

status duel_items_run(duel *d, duel_item *item, int64_t n, error *err)
{
    int64_t done, left = d->cost ? n : duel_items_left(d, item, n);
    qsort(item, (size_t)left, sizeof *item, by_depth);
    d->item = item;
    session_on_progress(d->w->s, NULL, NULL);
    sweep s = {
        .s = d->w->s, .n = left, .user = d, .make = item_make, .take = item_take, .tell = item_told
    };
    status st = d->cost ? duel_items_cost(d, &s, err) : sweep_run(&s, &done, err);
    steps_drop(d);
    return st;
}
/* SPDX-License-Identifier: MIT */
