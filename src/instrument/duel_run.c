/* duel_run -- see duel.h: sweeps of all plans over all pairs, their effects, and what is largest. */
#include "graph/sweep.h"
#include "instrument/duel.h"
#include "report/interval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

/* "denoise.resid_pre", "path.denoise.to_q", "ablate.zero.head". */
void duel_tensor_name(const duel_plan *p, const char *before, char *out, size_t bytes)
{
    bool path = !strncmp(p->name, "path.", 5);
    snprintf(out, bytes, "%s%s%s%s%s", before, path ? "path." : "",
             p->direction == ABLATE ? "" : duel_direction(p->direction),
             p->direction == ABLATE ? "" : ".", p->name + (path ? 5 : 0));
}

void duel_tensor_get(duel *d, duel_tensor *out, const duel_plan *p)
{
    char all[100];
    int64_t full[TENSOR_DIMS];
    *out = (duel_tensor){ .n_cell = 1 };
    duel_tensor_name(p, "", out->name, sizeof out->name);
    for (int i = 0; i < p->n_dim; i++) full[i] = p->dim[i], out->n_cell *= p->dim[i];
    full[p->n_dim] = d->p->n;
    snprintf(all, sizeof all, "%s%spair", p->axes, *p->axes ? " " : "");
    const report_array *there = report_find_tensor(d->w->r, out->name);
    if (there) {
        out->v = (double *)there->t.data, out->mark = there->mark;
        return;
    }
    out->v = report_tensor(d->w->r, out->name, DTYPE_F64, all, full);
    out->mark = report_marks(d->w->r, out->name);
    report_unit(d->w->r, out->name, d->def->unit);
    for (int64_t i = 0; out->v && out->mark && i < out->n_cell * d->p->n; i++)
        out->v[i] = (double)NAN, out->mark[i] = MARK_ABSENT;
}

/* ---- sweeping ---- */

static status apply(lane *l, const edit *e, node *reader, box slice, error *err)
{
    return reader ? lane_edit_edge(l, e, reader, slice, err) : lane_edit(l, e, err);
}

static status cell_make(void *user, int64_t i, lane **out, error *err)
{
    duel *d = user;
    const duel_cell *c = &d->cell[i];
    lane *l;
    status st = lane_fork(&l, d->base, err);
    if (st != E_OK) return st;
    lane_sweep(l);
    st = apply(l, &c->e, c->reader, c->slice, err);
    for (int k = 0; k < c->n_more && st == E_OK; k++)
        st = apply(l, &c->more[k].e, c->more[k].reader, c->more[k].slice, err);
    if (st == E_OK) st = lane_ask(l, d->metric.value, (box){ 0, 1, 0, 1 }, err);
    if (st == E_OK) *out = l;
    else lane_drop(l);
    return st;
}

static status cell_take(void *user, int64_t i, lane *l, error *err)
{
    static const uint8_t marks[] = {
        [EFFECT_CHANGED] = MARK_NONE, [EFFECT_EQUAL] = MARK_EQUAL, [EFFECT_NONE] = MARK_UNREACHED
    };
    duel *d = user;
    int64_t at = d->cell[i].at * d->p->n + d->pair;
    d->w->n_fork++;
    d->n_done++;
    if (!d->out->v || !d->out->mark) return error_set(err, E_NOMEM, "sweep: out of memory");
    d->out->mark[at] = marks[lane_effect(l)];
    return lane_read(l, d->metric.value, (box){ 0, 1, 0, 1 }, &d->out->v[at], err);
}

static bool sweep_told(void *user, int64_t n_done, int64_t n)
{
    duel *d = user;
    (void)n_done, (void)n;
    return work_tell(d->w, d->out->name, (double)d->n_done / (double)d->n_planned, NULL) == E_OK;
}

status duel_sweep(duel *d, lane *base, const duel_cell *cell, int64_t n, duel_tensor *out,
                  error *err)
{
    int64_t done = 0;
    d->cell = cell, d->out = out, d->base = base;
    session_on_progress(d->w->s, NULL, NULL);
    sweep s = {
        .s = d->w->s, .n = n, .user = d, .make = cell_make, .take = cell_take, .tell = sweep_told
    };
    return sweep_run(&s, &done, err);
}

/* What a cell names is taken from the other run; of further edits those that say no more than "take". */
static void cell_takes(duel_cell *c, lane *from)
{
    c->e = edit_take(c->e, from);
    for (int k = 0; k < c->n_more; k++)
        if (c->more[k].e.kind == EDIT_TAKE && !c->more[k].e.from_n)
            c->more[k].e = edit_take(c->more[k].e, from);
}

status duel_cells(duel *d, const duel_plan *p, duel_tensor *t, duel_cell **out, int64_t *n,
                  error *err)
{
    duel_tensor_get(d, t, p);
    *out = arena_array(&d->w->mem, t->n_cell + 1, sizeof **out);
    if (!t->v || !t->mark || !*out)
        return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    *n = p->cells(d, p, *out);
    for (int64_t i = 0; i < *n && p->direction != ABLATE; i++)
        cell_takes(&(*out)[i], duel_source(d, p->direction));
    return E_OK;
}

static status run_plan(duel *d, const duel_plan *p, error *err)
{
    duel_tensor t;
    duel_cell *cell;
    int64_t n = 0;
    arena_mark here = arena_here(&d->w->mem);
    status st = duel_cells(d, p, &t, &cell, &n, err);
    lane *base = p->direction == ABLATE ? d->clean : duel_base(d, p->direction);
    if (st == E_OK) st = duel_sweep(d, base, cell, n, &t, err);
    if (st == E_OK) st = duel_controls(d, p, err);
    arena_rewind(&d->w->mem, here);
    return st;
}

/* What will be run: marked incomplete until it is, and counted. */
static status expect(duel *d, const duel_plan *p, error *err)
{
    duel_tensor t;
    duel_plan control;
    duel_cell *cell;
    int64_t n = 0;
    arena_mark here = arena_here(&d->w->mem);
    status st = duel_cells(d, p, &t, &cell, &n, err);
    for (int64_t i = 0; st == E_OK && i < n; i++)
        t.mark[cell[i].at * d->p->n + d->pair] = MARK_INCOMPLETE;
    arena_rewind(&d->w->mem, here);
    if (st != E_OK) return st;
    int64_t n_control = duel_control_count(d, p);
    d->n_planned += n + n_control;
    if (!n_control) return E_OK;
    duel_control_plan(p, &control);
    duel_tensor_get(d, &t, &control);
    for (int64_t i = 0; t.mark && i < t.n_cell; i++)
        t.mark[i * d->p->n + d->pair] = MARK_INCOMPLETE;
    return E_OK;
}

/* ---- effects ---- */

/* The mean over the pairs that have the cell; none until all of them are there.  Pairs whose gap is too small are left
 * out, unless all are such: then differences are averaged. */
static double mean_effect(const duel *d, const duel_tensor *t, int direction, int64_t at, bool raw,
                          uint8_t *mark)
{
    int n = 0, n_there = 0;
    double sum = 0;
    bool alike = true;
    *mark = MARK_ABSENT;
    for (int i = 0; i < d->p->n; i++) {
        bool small;
        uint8_t m = t->mark[at * d->p->n + i];
        if (m == MARK_ABSENT) continue;
        if (m == MARK_INCOMPLETE) {
            *mark = MARK_INCOMPLETE;
            return (double)NAN;
        }
        alike &= !n_there++ || m == *mark;
        *mark = m;
        double e = duel_effect(d, direction, i, t->v[at * d->p->n + i], &small);
        if ((small && !raw) || isnan(e)) continue;
        sum += e, n++;
    }
    if (!alike) *mark = MARK_NONE;
    return n ? sum / n : (double)NAN;
}

typedef struct rank {
    double e;
    int64_t at;
} rank;

static int by_size(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    double p = fabs(x->e), q = fabs(y->e);
    return p > q ? -1 : p < q ? 1 : x->at < y->at ? -1 : x->at > y->at;
}

/* Largest first, with an interval where there are several pairs. */
static status show_largest(duel *d, const duel_tensor *t, const duel_plan *p, rank *list, int64_t n,
                           bool raw, error *err)
{
    char name[220], text[120];
    double *e = arena_array(&d->w->mem, d->p->n, sizeof *e);
    if (!e) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    bool many = d->p->n > 1;
    snprintf(name, sizeof name, "largest %s", t->name);
    qsort(list, (size_t)n, sizeof *list, by_size);
    if (!n || list[0].e == 0) {
        report_note(d->w->r,
                    n ? "%s: no cell changes the metric."
                      : "%s: no cell was finished in every pair.",
                    t->name);
        return E_OK;
    }
    table *out = report_table(
        d->w->r, name, many ? 4 : 2,
        (column[]){ { "where", NULL, CELL_TEXT, 0, false },
                    { raw ? "change" : "effect", raw ? d->def->unit : NULL, CELL_REAL, 0, false },
                    { "95 % low", NULL, CELL_REAL, 0, false },
                    { "high", NULL, CELL_REAL, 0, false } });
    for (int64_t i = 0; i < n && i < 10 && list[i].e != 0; i++) {
        interval v;
        int k = 0;
        for (int q = 0; q < d->p->n; q++) {
            bool small;
            double x = duel_effect(d, p->direction, q, t->v[list[i].at * d->p->n + q], &small);
            if (!isnan(x) && (raw || !small)) e[k++] = x;
        }
        p->label(p, list[i].at, text, sizeof text);
        table_row(out), row_text(out, "%s", text), row_real(out, list[i].e);
        if (raw && p->direction != ABLATE) row_mark(out, MARK_RAW);
        if (!many) continue;
        status st = k > 1 ? interval_bootstrap(&v, e, k, 0.95, d->w->seed, "duel.pairs", err)
                          : E_RANGE; /* of one pair there is none */
        if (st == E_NOMEM) return st;
        if (st == E_OK) {
            row_real(out, v.low), row_real(out, v.high);
            snprintf(name, sizeof name, "%s %s", t->name, text);
            if (i == 0) report_interval(d->w->r, name, &v);
        } else row_none(out), row_none(out);
    }
    return E_OK;
}

/* Are all pairs' gaps too small? */
static bool all_raw(const duel *d, int direction)
{
    bool raw = true, small;
    for (int i = 0; i < d->p->n; i++) {
        duel_effect(d, direction, i, 0, &small);
        raw &= small;
    }
    return raw;
}

static status show_effects(duel *d, const duel_plan *p, error *err)
{
    char name[110];
    duel_tensor t;
    int64_t n = 0;
    bool raw = all_raw(d, p->direction);
    duel_tensor_get(d, &t, p);
    duel_tensor_name(p, "effect.", name, sizeof name);
    double *v = report_tensor(d->w->r, name, DTYPE_F64, p->axes, p->dim);
    uint8_t *mark = report_marks(d->w->r, name);
    rank *list = arena_array(&d->w->mem, t.n_cell + 1, sizeof *list);
    if (!t.v || !t.mark || !v || !mark || !list)
        return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    for (int64_t i = 0; i < t.n_cell; i++) {
        v[i] = mean_effect(d, &t, p->direction, i, raw, &mark[i]);
        if (raw && p->direction != ABLATE && mark[i] == MARK_NONE) mark[i] = MARK_RAW;
        if (!isnan(v[i])) list[n++] = (rank){ v[i], i };
    }
    if (raw) report_unit(d->w->r, name, d->def->unit);
    return show_largest(d, &t, p, list, n, raw, err);
}

/* ---- all of it ---- */

status duel_run(duel *d, const duel_plan *plan, int n_plan, status (*before)(duel *d, error *err),
                void (*draw)(duel *d, const duel_plan *p), error *err)
{
    status st = E_OK;
    for (d->pair = 0; d->pair < d->p->n && st == E_OK; d->pair++)
        for (int i = 0; i < n_plan && st == E_OK; i++) st = expect(d, &plan[i], err);
    if (st != E_OK) return st;
    for (int pair = 0; pair < d->p->n && st == E_OK; pair++) {
        st = duel_begin(d, pair, err);
        if (st == E_OK && before) st = before(d, err);
        for (int i = 0; i < n_plan && st == E_OK; i++) st = run_plan(d, &plan[i], err);
        duel_end(d);
    }
    for (int i = 0; i < n_plan && (st == E_OK || st == E_INTERRUPTED); i++) {
        error why = { 0 };
        status shown = show_effects(d, &plan[i], &why);
        if (shown != E_OK) return error_set(err, shown, "%s", why.msg);
        if (draw) draw(d, &plan[i]);
        duel_show_controls(d, &plan[i]);
    }
    return st;
}
/* SPDX-License-Identifier: MIT */
