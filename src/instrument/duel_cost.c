/* duel_cost -- what a sweep would cost: --plan.  Operations are counted by planning the forks as they would be run;
 * seconds are these at the speed that this machine shows on a few whole runs; controls, whose cells are not known before
 * the sweep, are taken to cost what the mean cell does. */
#include "base/cpu.h"
#include "instrument/duel.h"

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
    double base = (double)session_totals(d->w->s)->n_op; /* they were run, for the plan too */
    double times = n_cell > 0 ? n / n_cell : 0;
    double ours = base + (double)c->sum.n_op * times;
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
    row_both(t, "multiply-adds", ours, naive);
    row_ours(t, "bytes of the largest wave", (double)c->sum.value_bytes);
    show_seconds(d->w->r, ours / speed, naive / speed);
    report_note(d->w->r,
                "%s; base runs (%.3g multiply-adds) are in both. This machine does %.3g "
                "multiply-adds a second in whole runs. Nothing was swept.",
                c->exact ? "Every cell was planned" : "Estimated from cells evenly spaced", base,
                speed);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
