/* duel_run -- see duel.h: sweeps of all plans over all pairs, their effects, and what is largest. */
#include "instrument/duel.h"
#include "instrument/rank.h"
#include "report/interval.h"
#include <math.h>
#include <string.h>

/* ---- tensors ---- */

/* "denoise.resid_pre", "path.denoise.to_q", "ablate.zero.head". */
void duel_tensor_name(const duel *d, const duel_plan *p, const char *before, char *out,
                      size_t bytes)
{
    bool path = !strncmp(p->name, "path.", 5);
    snprintf(out, bytes, "%s%s%s%s%s%s", before, path ? "path." : "",
             p->direction == ABLATE ? "" : duel_direction(p->direction),
             p->direction == ABLATE ? "" : ".", p->name + (path ? 5 : 0), d->suffix);
}

void duel_tensor_get(duel *d, duel_tensor *out, const duel_plan *p)
{
    char all[100];
    int64_t full[TENSOR_DIMS];
    *out = (duel_tensor){ .n_cell = 1 };
    duel_tensor_name(d, p, "", out->name, sizeof out->name);
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

void duel_tensors_get(duel *d, duel_tensor out[MAX_METRIC], const duel_plan *p)
{
    for (int k = 0; k < d->n_metric; k++) {
        duel_metric_at(d, k);
        duel_tensor_get(d, &out[k], p);
    }
    duel_metric_at(d, 0);
}

void duel_mark(const duel *d, const duel_tensor *t, int64_t at, uint8_t mark)
{
    for (int k = 0; k < d->n_metric; k++)
        if (t[k].mark) t[k].mark[at * d->p->n + d->pair] = mark;
}

/* ---- cells ---- */

/* What a cell names is taken from the other run; of further edits those that say no more than "take". */
static void cell_takes(duel_cell *c, lane *from)
{
    if (!c->via) c->e = edit_take(c->e, from);
    for (int k = 0; k < c->n_more; k++)
        if (c->more[k].e.kind == EDIT_TAKE && !c->more[k].e.from_n)
            c->more[k].e = edit_take(c->more[k].e, from);
}

status duel_cells(duel *d, const duel_plan *p, duel_cell **out, int64_t *n, error *err)
{
    int64_t n_cell = 1;
    for (int i = 0; i < p->n_dim; i++) n_cell *= p->dim[i];
    *out = arena_array(&d->w->mem, n_cell + 1, sizeof **out);
    if (!*out) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    *n = p->cells(d, p, *out);
    if (d->w->mem.failed) /* a rewind would forget it */
        return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    for (int64_t i = 0; i < *n && p->direction != ABLATE; i++)
        cell_takes(&(*out)[i], duel_source(d, p->direction));
    return E_OK;
}

/* What will be run: marked incomplete until it is, and counted. */
static status expect(duel *d, const duel_plan *p, int64_t *n, error *err)
{
    duel_tensor t[MAX_METRIC];
    duel_plan control;
    duel_cell *cell;
    arena_mark here = arena_here(&d->w->mem);
    *n = 0;
    duel_tensors_get(d, t, p);
    status st = duel_cells(d, p, &cell, n, err);
    for (int64_t i = 0; st == E_OK && i < *n; i++) duel_mark(d, t, cell[i].at, MARK_INCOMPLETE);
    arena_rewind(&d->w->mem, here);
    if (st != E_OK) return st;
    int64_t n_control = duel_control_count(d, p);
    d->n_planned += *n + n_control;
    if (!n_control) return E_OK;
    duel_control_plan(p, &control);
    duel_tensors_get(d, t, &control);
    for (int64_t i = 0; i < t->n_cell; i++) duel_mark(d, t, i, MARK_INCOMPLETE);
    return E_OK;
}

/* Where each plan of each pair begins among all items. */
typedef struct numbering {
    int64_t *cell, *control; /* [pair][plan] */
    int n_plan;
    int64_t n_item;
} numbering;

static status number_items(duel *d, const duel_plan *plan, numbering *x, error *err)
{
    int64_t n_all = (int64_t)d->p->n * x->n_plan, next = 0;
    x->cell = arena_array(&d->w->mem, n_all + 1, sizeof *x->cell);
    x->control = arena_array(&d->w->mem, n_all + 1, sizeof *x->control);
    if (!x->cell || !x->control)
        return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    for (int64_t i = 0; i < n_all; i++) {
        int64_t n;
        duel_at(d, (int)(i / x->n_plan));
        status st = expect(d, &plan[i % x->n_plan], &n, err);
        if (st != E_OK) return st;
        x->cell[i] = next, next += n;
    }
    x->cell[n_all] = d->n_cell = next;
    for (int64_t i = 0; i < n_all; i++) {
        duel_plan control;
        duel_control_plan(&plan[i % x->n_plan], &control);
        x->control[i] = next, next += control.dim[0];
    }
    x->n_item = next;
    return E_OK;
}

/* ---- pairs that are held together ---- */

/* Hold pairs from `first` on while they and their cells take less than a quarter of the memory for values; *end: the
 * first that is not held. */
static status hold_pairs(duel *d, const numbering *x, int first, int *end,
                         status (*before)(duel *d, error *err), error *err)
{
    int64_t sum = 0, most = session_room(d->w->s) / 4;
    status st = E_OK;
    *end = first;
    while (st == E_OK && *end < d->p->n) {
        int64_t bytes, at = (int64_t)*end * x->n_plan;
        int64_t list = (x->cell[at + x->n_plan] - x->cell[at]) * (int64_t)(2 * sizeof(duel_item));
        st = duel_hold(d, (*end)++, &bytes, err);
        if (st == E_OK && before) st = before(d, err);
        sum += bytes + list;
        if (sum + bytes + list > most) break;
    }
    return st;
}

/* Of an element: 0 on the grid of every 8th index of each axis, 1 of every 4th, 2 of every 2nd, 3 between. */
static int grid_level(const duel_plan *p, int64_t at)
{
    int level = 0;
    for (int i = p->n_dim - 1; i >= 0; i--) {
        int64_t k = at % p->dim[i];
        int own = k % 8 == 0 ? 0 : k % 4 == 0 ? 1 : k % 2 == 0 ? 2 : 3;
        level = own > level ? own : level;
        at /= p->dim[i];
    }
    return level;
}

static status list_plan(duel *d, const duel_plan *p, int64_t first, const duel_tensor *t,
                        duel_item *out, error *err)
{
    duel_cell *cell;
    int64_t n;
    status st = duel_cells(d, p, &cell, &n, err);
    lane *base = p->direction == ABLATE ? d->clean : duel_base(d, p->direction);
    for (int64_t i = 0; st == E_OK && i < n; i++)
        out[i] = (duel_item){ .index = first + i,
                              .pair = d->pair,
                              .level = d->coarse ? grid_level(p, cell[i].at) : 0,
                              .base = base,
                              .out = t,
                              .cell = cell[i] };
    return st;
}

/* All cells of pairs [first, end), whatever the plan and direction, in one list. */
static status run_cells(duel *d, const duel_plan *plan, const numbering *x, int first, int end,
                        error *err)
{
    int64_t at = (int64_t)first * x->n_plan, begin = x->cell[at],
            n = x->cell[(int64_t)end * x->n_plan] - begin;
    duel_item *item = arena_array(&d->w->mem, n + 1, sizeof *item);
    duel_tensor(*t)[MAX_METRIC] = arena_array(&d->w->mem, x->n_plan, sizeof *t);
    status st = item && t ? E_OK
                          : error_set(err, E_NOMEM, "%s: %lld cells: out of memory",
                                      d->w->def->name, (long long)n);
    for (int k = 0; st == E_OK && k < x->n_plan; k++) duel_tensors_get(d, t[k], &plan[k]);
    for (; st == E_OK && at < (int64_t)end * x->n_plan; at++) {
        duel_at(d, (int)(at / x->n_plan));
        st = list_plan(d, &plan[at % x->n_plan], x->cell[at], t[at % x->n_plan],
                       item + x->cell[at] - begin, err);
    }
    return st == E_OK ? duel_items_run(d, item, n, err) : st;
}

/* Those of several plans and pairs in one list; their vectors take memory, so not of too many. */
static status run_controls(duel *d, const duel_plan *plan, const numbering *x, int first, int end,
                           error *err)
{
    enum { MOST = 128 };
    duel_item item[MOST];
    int n = 0;
    status st = E_OK;
    arena_mark here = arena_here(&d->w->mem);
    for (int64_t at = (int64_t)first * x->n_plan, last = (int64_t)end * x->n_plan;
         st == E_OK && at < last; at++) {
        duel_at(d, (int)(at / x->n_plan));
        st = duel_controls(d, &plan[at % x->n_plan], x->control[at], item, &n, err);
        if (st != E_OK || (n <= MOST - MAX_CONTROL && at + 1 < last)) continue;
        st = duel_items_run(d, item, n, err);
        arena_rewind(&d->w->mem, here);
        n = 0;
    }
    return st;
}

static void count_controls(duel *d, const duel_plan *plan, const numbering *x, int first, int end)
{
    for (int64_t at = (int64_t)first * x->n_plan; at < (int64_t)end * x->n_plan; at++) {
        duel_at(d, (int)(at / x->n_plan));
        d->cost->n_control_left += duel_control_left(d, &plan[at % x->n_plan], x->control[at]);
    }
}

static status run_pairs(duel *d, const duel_plan *plan, const numbering *x,
                        status (*before)(duel *d, error *err), error *err)
{
    status st = E_OK;
    for (int first = 0, end = 0; first < d->p->n && st == E_OK; first = end) {
        st = hold_pairs(d, x, first, &end, before, err);
        arena_mark here = arena_here(&d->w->mem);
        if (st == E_OK) st = run_cells(d, plan, x, first, end, err);
        arena_rewind(&d->w->mem, here);
        if (st == E_OK && d->cost) count_controls(d, plan, x, first, end);
        else if (st == E_OK && d->share.n_shard < 2) st = run_controls(d, plan, x, first, end, err);
        for (int i = first; i < end; i++) duel_drop(d, i);
    }
    return st;
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

/* Differences are what is meant of ablations and of draws of noise; elsewhere they stand for effects. */
static bool marked_raw(const duel *d, const duel_plan *p, bool raw)
{
    return raw && p->direction != ABLATE && !d->spoil;
}

/* Largest first, with an interval where there are several pairs. */
static status show_largest(duel *d, const duel_tensor *t, const duel_plan *p, ranked *list,
                           int64_t n, bool raw, error *err)
{
    char name[240], text[120];
    double *e = arena_array(&d->w->mem, d->p->n, sizeof *e);
    if (!e) return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    bool many = d->p->n > 1;
    snprintf(name, sizeof name, "largest %s", t->name);
    rank_by_size(list, n);
    if (!n || list[0].v == 0) {
        report_note(d->w->r,
                    n ? "%s: no cell changes the metric."
                      : "%s: no cell has a number in every pair.",
                    t->name);
        return E_OK;
    }
    table *out = report_table(d->w->r, name, many ? 4 : 2,
                              (column[]){ { "where", NULL, CELL_TEXT, 0, false },
                                          { d->spoil ? "gain"
                                            : raw    ? "change"
                                                     : "effect",
                                            raw ? d->def->unit : NULL, CELL_REAL, 0, false },
                                          { "95 % low", NULL, CELL_REAL, 0, false },
                                          { "high", NULL, CELL_REAL, 0, false } });
    for (int64_t i = 0; i < n && i < (p->n_top ? p->n_top : 10) && list[i].v != 0; i++) {
        int k = 0;
        for (int q = 0; q < d->p->n; q++) {
            bool small;
            double x = duel_effect(d, p->direction, q, t->v[list[i].at * d->p->n + q], &small);
            if (!isnan(x) && (raw || !small)) e[k++] = x;
        }
        p->label(p, list[i].at, text, sizeof text);
        table_row(out), row_text(out, "%s", text), row_real(out, list[i].v);
        if (marked_raw(d, p, raw)) row_mark(out, MARK_RAW);
        if (!many) continue;
        snprintf(name, sizeof name, "%s %s", t->name, text);
        interval v = work_interval(d->w, e, k, "duel.pairs", i ? NULL : name);
        row_number(out, v.low), row_number(out, v.high);
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
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    double *v = report_tensor(d->w->r, name, DTYPE_F64, p->axes, p->dim);
    uint8_t *mark = report_marks(d->w->r, name);
    ranked *list = arena_array(&d->w->mem, t.n_cell + 1, sizeof *list);
    if (!t.v || !t.mark || !v || !mark || !list)
        return error_set(err, E_NOMEM, "%s: out of memory", d->w->def->name);
    for (int64_t i = 0; i < t.n_cell; i++) {
        v[i] = mean_effect(d, &t, p->direction, i, raw, &mark[i]);
        if (marked_raw(d, p, raw) && mark[i] == MARK_NONE) mark[i] = MARK_RAW;
        if (!isnan(v[i])) list[n++] = (ranked){ v[i], i };
    }
    if (raw) report_unit(d->w->r, name, d->def->unit);
    return p->quiet ? E_OK : show_largest(d, &t, p, list, n, raw, err);
}

/* ---- all of it ---- */

/* Count what would be swept; tensors go into a report that nobody sees. */
static status run_cost(duel *d, const duel_plan *plan, int n_plan,
                       status (*before)(duel *d, error *err), error *err)
{
    numbering x = { .n_plan = n_plan };
    duel_cost cost = { .exact = true };
    report *shown = d->w->r, *hidden = report_new("plan", "plan");
    d->w->r = hidden;
    status st = hidden ? number_items(d, plan, &x, err) : work_nomem(d->w, err);
    d->w->r = shown; /* whose certificate says which journal is meant */
    if (st == E_OK) st = duel_journal_known(d, x.n_item, err);
    cost.n_control = d->n_planned - d->n_cell;
    d->w->r = hidden, d->cost = &cost;
    if (st == E_OK) st = run_pairs(d, plan, &x, before, err);
    report_free(hidden);
    d->w->r = shown;
    if (st == E_OK) st = duel_show_cost(d, err);
    d->cost = NULL;
    return st;
}

status duel_run(duel *d, const duel_plan *plan, int n_plan, status (*before)(duel *d, error *err),
                void (*draw)(duel *d, const duel_plan *p), error *err)
{
    numbering x = { .n_plan = n_plan };
    if (work_flag(d->w, "plan")) return run_cost(d, plan, n_plan, before, err);
    status st = number_items(d, plan, &x, err);
    if (st != E_OK) return st;
    st = duel_journal_open(d, x.n_item, err);
    if (st != E_OK) return st;
    st = run_pairs(d, plan, &x, before, err);
    bool fine = st == E_OK || st == E_INTERRUPTED;
    for (int i = 0; i < n_plan * d->n_metric && fine; i++) {
        error why = { 0 };
        const duel_plan *p = &plan[i / d->n_metric];
        duel_metric_at(d, i % d->n_metric);
        status shown = show_effects(d, p, &why);
        if (shown != E_OK) return work_relay(err, &why);
        if (draw) draw(d, p);
        duel_show_controls(d, p);
    }
    duel_metric_at(d, 0);
    return st;
}
/* SPDX-License-Identifier: MIT */
