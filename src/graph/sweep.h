/* sweep -- many forks, a wave at a time, within the session's memory limit.
 *
 * How many forks go into one run is found by trying: the first wave is small, its memory per
 * fork says how many fit; a wave that is refused for memory is halved.  Which forks share a
 * run changes no bit. */
#ifndef MICROTOME_GRAPH_SWEEP_H
#define MICROTOME_GRAPH_SWEEP_H
#include "graph/session.h"

typedef struct sweep {
    session *s;
    int64_t n; /* cells */
    void *user;
    /* Make the lane of cell i: forked, edited, asked.  *out NULL: this cell needs none. */
    status (*make)(void *user, int64_t i, lane **out, error *err);
    /* Read what was asked of it; the lane is dropped afterwards. */
    status (*take)(void *user, int64_t i, lane *l, error *err);
    /* After every wave, cells [first, n_done): what is not E_OK stops the sweep.  May be NULL. */
    status (*tell)(void *user, int64_t first, int64_t n_done, error *err);
} sweep;

/* Run all cells in order.  *n_done counts those taken, also when it stops early.
 *
 * [err: LIMIT when one cell does not fit, what make, take, tell and the run return | owns: nothing | thread: the session's | cost: the cells] */
status sweep_run(const sweep *w, int64_t *n_done, error *err);

/* Plan the cells, running none: what their waves would compute at most, and the memory of the largest wave.  Of more
 * than `most` cells that many, evenly spaced, stand for all; *exact: it was not so.
 *
 * [err: as sweep_run | owns: nothing | thread: the session's | cost: making and planning min(n, most) lanes] */
status sweep_plan(const sweep *w, int64_t most, run_info *sum, bool *exact, error *err);

/* Run `most` cells, evenly spaced, and read none of them: of the multiply-adds that were planned for them, which part was
 * done?  (What turns out equal to the parent's ends a change; no plan knows that.)
 *
 * [err: as sweep_run | owns: nothing | thread: the session's | cost: min(n, most) cells] */
status sweep_try(const sweep *w, int64_t most, double *part, error *err);

#endif
/* SPDX-License-Identifier: MIT */
