/* duel_control -- what patching something else there would do: at the strongest cell of every pair, the value of another
 * position, and a random direction as long as the difference that patching makes.  An effect that they have too says
 * nothing of the place. */
#include "base/rand.h"
#include "instrument/duel.h"
#include "tensor/draw.h"
#include <math.h>
#include <string.h>

enum { N_DRAW = MAX_CONTROL / 2 };

int64_t duel_control_count(const duel *d, const duel_plan *p)
{
    bool position = p->at_position && d->p->clean[d->pair]->n > 1;
    return p->direction == ABLATE ? 0 : N_DRAW * ((int)position + (int)p->directed);
}

/* Draws at a position stand first, directions behind them. */
void duel_control_plan(const duel_plan *p, duel_plan *out)
{
    bool path = !strncmp(p->name, "path.", 5);
    *out = (duel_plan){ .direction = p->direction, .n_dim = 1, .axes = "draw" };
    out->dim[0] = N_DRAW * ((int)p->at_position + (int)p->directed);
    snprintf(out->name, sizeof out->name, "%scontrol.%.40s", path ? "path." : "",
             p->name + (path ? 5 : 0));
}

/* The strongest cell of the pair under way; -1: none has any effect. */
static int64_t strongest(duel *d, const duel_plan *p)
{
    duel_tensor t;
    int64_t best = -1;
    double size = 0;
    bool raw;
    duel_tensor_get(d, &t, p);
    for (int64_t i = 0; t.v && i < t.n_cell; i++) {
        double e = fabs(duel_effect(d, p->direction, d->pair, t.v[i * d->p->n + d->pair], &raw));
        if (e > size) size = e, best = i;
    }
    return best;
}

int64_t duel_control_left(duel *d, const duel_plan *p, int64_t first)
{
    duel_tensor t;
    duel_plan control;
    int64_t n = duel_control_count(d, p);
    if (!n || d->share.n_shard > 1) return 0;
    duel_tensor_get(d, &t, p);
    for (int64_t i = 0; t.mark && i < t.n_cell; i++)
        if (t.mark[i * d->p->n + d->pair] == MARK_INCOMPLETE) return n;
    if (strongest(d, p) < 0) return 0;
    duel_control_plan(p, &control);
    for (int64_t i = 0; i < control.dim[0]; i++) n -= duel_journal_has(d, first + i, NULL, NULL);
    return n;
}

/* Row by row as long as the difference between the two runs there; k counts the edits of a cell. */
static status random_direction(duel *d, const duel_plan *p, int draw, int k, edit *e, error *err)
{
    double *x, *y;
    lane *base = duel_base(d, p->direction);
    box rows = box_cut(e->where, node_all(e->n, base));
    int64_t per = (int64_t)(rows.a1 - rows.a0) * e->n->width;
    status st = duel_read(d, base, e, &x, err);
    if (st == E_OK) st = duel_read(d, duel_source(d, p->direction), e, &y, err);
    for (int64_t r = 0; st == E_OK && r < rows.r1 - rows.r0; r++) {
        double gap = 0, norm = 0, *u = x + r * per, *v = y + r * per;
        for (int64_t i = 0; i < per; i++) {
            gap += (v[i] - u[i]) * (v[i] - u[i]);
            u[i] = (double)draw_normal(d->w->seed, rand_stream("patch.direction"),
                                       ((uint64_t)(d->pair * N_DRAW + draw) << 40) +
                                           ((uint64_t)k << 34) + (uint64_t)(r * per + i));
            norm += u[i] * u[i];
        }
        for (int64_t i = 0; i < per; i++) u[i] *= norm > 0 ? sqrt(gap / norm) : 0;
    }
    *e = (edit){ .n = e->n,
                 .where = rows,
                 .w1 = e->w1,
                 .kind = EDIT_ADD,
                 .v = x,
                 .part_step = e->n->width,
                 .row_step = per };
    return st;
}

/* The same slice of another position. */
static void random_position(duel *d, const duel_plan *p, int draw, edit *e)
{
    int64_t n = d->p->clean[d->pair]->n;
    int32_t pos = (int32_t)rand_below(d->w->seed, rand_stream("patch.position"),
                                      (uint64_t)(d->pair * N_DRAW + draw), n - 1);
    *e = edit_take(*e, duel_source(d, p->direction));
    e->from_row = pos + (pos >= e->where.r0);
}

/* A cell of its own, whose takes from the other run can be changed. */
static status cell_copy(duel *d, const duel_cell *like, int64_t at, duel_cell *out, error *err)
{
    *out = *like, out->at = at;
    if (!like->n_more) return E_OK;
    out->more = arena_copy(&d->w->mem, like->more, (size_t)like->n_more * sizeof *like->more);
    return out->more ? E_OK : error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
}

static void cell_elsewhere(duel *d, const duel_plan *p, int draw, duel_cell *c)
{
    random_position(d, p, draw, &c->e);
    for (int k = 0; k < c->n_more; k++)
        if (c->more[k].e.from == duel_source(d, p->direction))
            random_position(d, p, draw, &c->more[k].e);
}

/* A way of its own, whose first edge can be changed: *first. */
static duel_via *via_copy(duel *d, const duel_via *v, duel_via **first)
{
    duel_via *own = arena_copy(&d->w->mem, v, sizeof *v);
    if (own && !v->before) *first = own;
    if (own && v->before && !(own->before = via_copy(d, v->before, first))) return NULL;
    return own;
}

static status cell_anywhere(duel *d, const duel_plan *p, int draw, duel_cell *c, error *err)
{
    duel_via *first = NULL;
    if (c->via && !(c->via = via_copy(d, c->via, &first)))
        return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    status st = random_direction(d, p, draw, 0, first ? &first->e : &c->e, err);
    for (int k = 0; k < c->n_more && st == E_OK; k++)
        if (c->more[k].e.from == duel_source(d, p->direction))
            st = random_direction(d, p, draw, k + 1, &c->more[k].e, err);
    return st;
}

static status cell_like(duel *d, const duel_plan *p, int64_t at, duel_cell *out, error *err)
{
    int64_t n = 0;
    duel_cell *cell;
    status st = duel_cells(d, p, &cell, &n, err);
    for (int64_t i = 0; st == E_OK && i < n; i++)
        if (cell[i].at == at) *out = cell[i];
    return st;
}

/* Control `at` of the draws, from item `first` on. */
static duel_item control_item(const duel *d, const duel_plan *p, int64_t first,
                              const duel_tensor *t, const duel_cell *c)
{
    return (duel_item){ .index = first + c->at,
                        .pair = d->pair,
                        .base = duel_base(d, p->direction),
                        .out = t,
                        .cell = *c };
}

status duel_controls(duel *d, const duel_plan *p, int64_t first, duel_item *out, int *n, error *err)
{
    duel_plan control;
    duel_cell like = { 0 }, c;
    duel_tensor *t = arena_array(&d->w->mem, MAX_METRIC, sizeof *t);
    int64_t count = duel_control_count(d, p), best = count ? strongest(d, p) : -1;
    if (!count) return E_OK;
    if (!t) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    duel_control_plan(p, &control);
    duel_tensors_get(d, t, &control);
    if (best < 0) { /* nothing to compare with: there is no such control */
        for (int64_t i = 0; i < t->n_cell; i++) duel_mark(d, t, i, MARK_ABSENT);
        d->n_done += count;
        return E_OK;
    }
    status st = cell_like(d, p, best, &like, err);
    for (int i = 0; i < N_DRAW && p->at_position && st == E_OK; i++) {
        if (d->p->clean[d->pair]->n < 2) { /* there is no other */
            duel_mark(d, t, i, MARK_ABSENT);
            continue;
        }
        st = cell_copy(d, &like, i, &c, err);
        if (st != E_OK) break;
        cell_elsewhere(d, p, i, &c);
        out[(*n)++] = control_item(d, p, first, t, &c);
    }
    for (int i = 0; i < N_DRAW && p->directed && st == E_OK; i++) {
        st = cell_copy(d, &like, (p->at_position ? N_DRAW : 0) + i, &c, err);
        if (st == E_OK) st = cell_anywhere(d, p, i, &c, err);
        if (st == E_OK) out[(*n)++] = control_item(d, p, first, t, &c);
    }
    return st;
}

/* Mean size of the effects of draws [first, first + N_DRAW). */
static void show_one(duel *d, const duel_plan *p, const duel_tensor *t, int first, const char *what)
{
    char name[120];
    double sum = 0;
    int n = 0, n_open = 0;
    bool raw;
    for (int64_t i = (int64_t)first * d->p->n; t->v && i < (int64_t)(first + N_DRAW) * d->p->n;
         i++) {
        double e = duel_effect(d, p->direction, (int)(i % d->p->n), t->v[i], &raw);
        n_open += t->mark && t->mark[i] == MARK_INCOMPLETE;
        if (!isnan(e) && (!raw || d->spoil)) sum += fabs(e), n++;
    }
    snprintf(name, sizeof name, "%s.%s%s %s", duel_direction(p->direction), p->name, d->suffix,
             what);
    if (n_open) report_control_text(d->w->r, name, "not finished");
    else if (n)
        report_control(d->w->r, name, sum / n,
                       "mean size of effect, %d draws at the strongest cell of each pair%s%s",
                       N_DRAW, *d->suffix ? ", by " : "", *d->suffix ? d->metric[0].def->name : "");
    else
        report_control_text(d->w->r, name,
                            "no pair has an effect, or none that could be normalised");
}

void duel_show_controls(duel *d, const duel_plan *p)
{
    duel_plan control;
    duel_tensor t;
    char name[120];
    if (p->direction == ABLATE) return;
    duel_control_plan(p, &control);
    if (control.dim[0]) duel_tensor_get(d, &t, &control);
    snprintf(name, sizeof name, "%s.%s%s random position", duel_direction(p->direction), p->name,
             d->suffix);
    if (p->at_position) show_one(d, p, &t, 0, "random position");
    else report_control_text(d->w->r, name, "none: a cell is all positions at once");
    snprintf(name, sizeof name, "%s.%s%s random direction", duel_direction(p->direction), p->name,
             d->suffix);
    if (p->directed) show_one(d, p, &t, p->at_position ? N_DRAW : 0, "random direction");
    else report_control_text(d->w->r, name, "none: a row of weights has no direction");
    if (p->at_position) report_seed(d->w->r, "patch.position", d->w->seed);
    if (p->directed) report_seed(d->w->r, "patch.direction", d->w->seed);
}
/* SPDX-License-Identifier: MIT */
