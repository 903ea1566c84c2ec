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

status duel_items_cost(duel *d, const sweep *s, error *err)
{
    enum {
        MOST = 4096,
        ALL_OVER_PLANNING = 3
    }; /* planning a fork takes a tenth of a millisecond or more */
    run_info here;
    bool exact;
    double part = 1, start = clock_seconds();
    duel_cost *c = d->cost;
    status st = sweep_plan(s, MOST, &here, &exact, err);
    double passed = clock_seconds() - start;
    int64_t n_try = st == E_OK && s->n ? worth_trying(d, s, here.n_op) : 0;
    int64_t before = session_totals(d->w->s)->n_op;
    if (n_try) st = sweep_try(s, n_try, &part, err);
    if (st != E_OK) return st;
    c->tried_op += session_totals(d->w->s)->n_op - before;
    c->n_cell += s->n, c->exact &= exact, c->n_tried += (int)(n_try < s->n ? n_try : s->n);
    c->n_op += part * (double)here.n_op;
    c->seconds += ALL_OVER_PLANNING * passed * (exact ? 1 : (double)s->n / MOST);
    c->sum.n_cell += here.n_cell, c->sum.n_op += here.n_op, c->sum.n_naive_op += here.n_naive_op;
    if (here.value_bytes > c->sum.value_bytes) c->sum.value_bytes = here.value_bytes;
    return E_OK;
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

static void row_both(table *t, const char *what, double ours, double naive)
{
    table_row(t), row_text(t, "%s", what), row_int(t, whole(ours)), row_int(t, whole(naive));
}

static void row_ours(table *t, const char *what, double ours)
{
    table_row(t), row_text(t, "%s", what), row_int(t, whole(ours)), row_none(t);
}

static void show_seconds(report *r, double ours, double naive)
{
    table *t = report_table(r, "seconds, about", 2,
                            (column[]){ { "sweep", "s", CELL_REAL, 0, true },
                                        { "a whole run a cell", "s", CELL_REAL, 0, true } });
    table_row(t), row_real(t, ours), row_real(t, naive);
}

status duel_show_cost(duel *d, error *err)
{
    const duel_cost *c = d->cost;
    double speed, n = (double)d->n_planned, n_cell = (double)c->n_cell;
    double base = (double)(session_totals(d->w->s)->n_op - c->tried_op);
    double times = n_cell > 0 ? n / n_cell : 0;
    double most = base + (double)c->sum.n_op * times, ours = base + c->n_op * times;
    double naive = base + (double)c->sum.n_naive_op * times;
    status st = measure(d, &speed, err);
    if (st != E_OK) return st;
    table *t = report_table(d->w->r, "plan", 3,
                            (column[]){ { "what", NULL, CELL_TEXT, 0, false },
                                        { "sweep", NULL, CELL_INT, 0, true },
                                        { "a whole run a cell", NULL, CELL_INT, 0, true } });
    row_both(t, "forks", n, n);
    row_both(t, "of them controls", n - n_cell, n - n_cell);
    row_ours(t, "(row, part) cells", (double)c->sum.n_cell * times);
    row_both(t, "multiply-adds, at most", most, naive);
    row_ours(t, "less what turns out equal, about", ours);
    row_ours(t, "bytes of the largest wave", (double)c->sum.value_bytes);
    show_seconds(d->w->r, ours / speed + c->seconds * times, naive / speed);
    report_note(d->w->r,
                "%s; base runs (%.3g multiply-adds) are in both. This machine does %.3g "
                "multiply-adds a second in whole runs. Nothing was swept; %d cells were run to see "
                "what equal values save.",
                c->exact ? "Every cell was planned" : "Estimated from cells evenly spaced", base,
                speed, c->n_tried);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
