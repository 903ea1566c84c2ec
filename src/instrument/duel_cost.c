/* duel_cost -- what a sweep would cost: --plan.  Operations are counted by planning the forks as they would be run, which
 * knows nothing of values that will turn out equal: what those save is seen by running a few.  Seconds are what is left, at
 * the speed that this machine shows on a few whole runs, and what every fork costs beside that: the planning, and twice
 * as much again for memory, calls and comparing (measured on sweeps of 300 to 6,000 forks that compute little).
 * Controls, whose cells are not known before the sweep, are taken to cost what the mean cell does. */
#include "base/cpu.h"
#include "instrument/duel.h"

/* So many cells are run to see what equal values save, that they cost no more than four times what the base runs did. */
static int64_t worth_trying(const duel *d, const sweep *s, int64_t n_op)
{
    enum { LEAST = 4, MOST = 32 };
    double each = (double)n_op / (double)s->n,
           most = 4 * (double)(session_totals(d->w->s)->n_op - d->cost->tried_op);
    return each * MOST <= most ? MOST : each * LEAST >= most ? LEAST : (int64_t)(most / each);
}

enum {
    MOST_PLANNED = 4096,
    ALL_OVER_PLANNING = 3
}; /* a fork's takes a tenth of a millisecond or more */

/* Plan a list, and add what it costs at most. */
static status add_price(duel_price *to, const sweep *s, run_info *here, bool *exact, error *err)
{
    double start = clock_seconds();
    status st = sweep_plan(s, MOST_PLANNED, here, exact, err);
    if (st != E_OK) return st;
    double passed = clock_seconds() - start;
    to->n_cell += s->n;
    to->seconds += ALL_OVER_PLANNING * passed * (*exact ? 1 : (double)s->n / MOST_PLANNED);
    to->sum.n_cell += here->n_cell, to->sum.n_op += here->n_op;
    to->sum.n_naive_op += here->n_naive_op;
    if (here->value_bytes > to->sum.value_bytes) to->sum.value_bytes = here->value_bytes;
    return E_OK;
}

static bool is_part(const duel *d) { return d->share.part || d->journal; }

/* Those of the list that are this shard's and not in the journal; equal values save as much of them as of all. */
static status add_left(duel *d, const sweep *s, double part, error *err)
{
    duel_price *to = &d->cost->left;
    sweep rest = *s;
    run_info here = { 0 };
    bool exact;
    rest.n = duel_items_left(d, d->item, s->n);
    status st = rest.n ? add_price(to, &rest, &here, &exact, err) : E_OK;
    to->n_op += part * (double)here.n_op;
    return st;
}

status duel_items_cost(duel *d, const sweep *s, error *err)
{
    run_info here;
    bool exact;
    double part = 1;
    duel_cost *c = d->cost;
    status st = add_price(&c->all, s, &here, &exact, err);
    int64_t n_try = st == E_OK && s->n ? worth_trying(d, s, here.n_op) : 0;
    int64_t before = session_totals(d->w->s)->n_op;
    if (n_try) st = sweep_try(s, n_try, &part, err);
    if (st != E_OK) return st;
    c->tried_op += session_totals(d->w->s)->n_op - before;
    c->exact &= exact, c->n_tried += (int)(n_try < s->n ? n_try : s->n);
    c->all.n_op += part * (double)here.n_op;
    return is_part(d) ? add_left(d, s, part, err) : E_OK;
}

/* Multiply-adds a second of runs of several lanes at once, with the weights in memory. */
static status measure(duel *d, double *speed, error *err)
{
    enum { N_LANE = 6 };
    lane *l[N_LANE] = { 0 };
    run_info info = { 0 };
    status st = E_OK;
    for (int i = 0; i < N_LANE && st == E_OK; i++) {
        st = work_lane(d->w, &l[i], NULL, d->p->clean[0], NULL, err);
        if (st == E_OK) st = duel_give(d, l[i], 0, err);
        if (st == E_OK) st = duel_ask(d, l[i], err);
    }
    double start = clock_seconds();
    if (st == E_OK) st = session_run(d->w->s, &info, err);
    double passed = clock_seconds() - start;
    for (int i = 0; i < N_LANE; i++)
        if (l[i]) lane_drop(l[i]);
    *speed = passed > 0 ? (double)info.n_op / passed : 1;
    return st;
}

/* A count that was scaled up, as one: what does not fit is as much as does. */
static int64_t whole(double x) { return x < 9e18 ? (int64_t)(x + 0.5) : INT64_MAX; }

/* ---- what is shown ---- */

/* What a price comes to with controls, which cost what the mean cell of all does. */
typedef struct sums {
    double n, n_control, n_cell, most, ours, naive, seconds, bytes;
} sums;

static sums sums_of(const duel_cost *c, const duel_price *p, int64_t n_control, double base)
{
    double each = c->all.n_cell > 0 ? (double)n_control / (double)c->all.n_cell : 0;
    const duel_price *all = &c->all;
    double bytes = n_control ? (double)all->sum.value_bytes : (double)p->sum.value_bytes;
    return (sums){ .n = (double)(p->n_cell + n_control),
                   .n_control = (double)n_control,
                   .n_cell = (double)p->sum.n_cell + each * (double)all->sum.n_cell,
                   .most = base + (double)p->sum.n_op + each * (double)all->sum.n_op,
                   .ours = base + p->n_op + each * all->n_op,
                   .naive = base + (double)p->sum.n_naive_op + each * (double)all->sum.n_naive_op,
                   .seconds = p->seconds + each * all->seconds,
                   .bytes = bytes };
}

/* The columns: all of it, what is left where that is less, and whole runs. */
typedef struct shown {
    sums all, left;
    bool part;
    char what[SHARD_LEFT]; /* the middle column */
    double base, speed;
} shown;

static void row_of(table *t, const shown *x, const char *what, double all, double left,
                   double naive)
{
    table_row(t), row_text(t, "%s", what), row_int(t, whole(all));
    if (x->part) row_int(t, whole(left));
    if (naive >= 0) row_int(t, whole(naive));
    else row_none(t);
}

static int columns_of(const shown *x, column *out, const char *unit, cell_kind kind)
{
    int n = 0;
    out[n++] = (column){ "sweep", unit, kind, 0, true };
    if (x->part) out[n++] = (column){ x->what, unit, kind, 0, true };
    out[n++] = (column){ "a whole run a cell", unit, kind, 0, true };
    return n;
}

static void show_plan(report *r, const shown *x)
{
    column col[4] = { { "what", NULL, CELL_TEXT, 0, false } };
    const sums *a = &x->all, *l = &x->left;
    table *t = report_table(r, "plan", 1 + columns_of(x, col + 1, NULL, CELL_INT), col);
    row_of(t, x, "forks", a->n, l->n, a->n);
    row_of(t, x, "of them controls", a->n_control, l->n_control, a->n_control);
    row_of(t, x, "(row, part) cells", a->n_cell, l->n_cell, -1);
    row_of(t, x, "multiply-adds, at most", a->most, l->most, a->naive);
    row_of(t, x, "less what turns out equal, about", a->ours, l->ours, -1);
    row_of(t, x, "bytes of the largest wave", a->bytes, l->bytes, -1);
}

static void show_seconds(report *r, const shown *x)
{
    column col[3];
    table *t = report_table(r, "seconds, about", columns_of(x, col, "s", CELL_REAL), col);
    table_row(t), row_real(t, x->all.ours / x->speed + x->all.seconds);
    if (x->part) row_real(t, x->left.ours / x->speed + x->left.seconds);
    row_real(t, x->all.naive / x->speed);
}

static void say_left(const duel *d, const shown *x)
{
    report *r = d->w->r;
    const sharing *s = &d->share;
    if (s->part)
        report_note(r, "Shard %d/%d has %lld of the %lld cells, and no controls.", s->shard,
                    s->n_shard, (long long)shard_cells(s, d->n_cell), (long long)d->n_cell);
    if (d->journal)
        report_note(r, "%lld cells and controls are in the journal already; %lld are left.",
                    (long long)journal_count(d->journal), (long long)whole(x->left.n));
}

status duel_show_cost(duel *d, error *err)
{
    const duel_cost *c = d->cost;
    shown x = { .part = is_part(d) };
    shard_left(x.what, &d->share, d->journal != NULL);
    x.base = (double)(session_totals(d->w->s)->n_op - c->tried_op);
    status st = measure(d, &x.speed, err);
    if (st != E_OK) return st;
    x.all = sums_of(c, &c->all, c->n_control, x.base);
    x.left = sums_of(c, &c->left, c->n_control_left, x.base);
    show_plan(d->w->r, &x);
    show_seconds(d->w->r, &x);
    if (x.part) say_left(d, &x);
    report_note(d->w->r,
                "%s; base runs (%.3g multiply-adds) are in %s. This machine does %.3g "
                "multiply-adds a second in whole runs. Nothing was swept; %d cells were run to see "
                "what equal values save.",
                c->exact ? "Every cell was planned" : "Estimated from cells evenly spaced", x.base,
                x.part ? "all" : "both", x.speed, c->n_tried);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
