/* duel_journal -- a sweep that goes on where it stood (--resume FILE), perhaps as one of several shards (shard.h).  Controls
 * depend on which cell is the strongest, so no shard runs them. */
#include "instrument/duel.h"

bool duel_is_mine(const duel *d, int64_t item)
{
    return d->share.n_shard <= 1 || (item < d->n_cell && shard_has(&d->share, item));
}

static journal_of journal_for(const duel *d, int64_t n_item)
{
    return (journal_of){ .n_item = n_item, .n_cell = d->n_cell, .n_value = d->n_metric };
}

status duel_journal_known(duel *d, int64_t n_item, error *err)
{
    return shard_known(&d->journal, d->w, &d->share, journal_for(d, n_item), err);
}

status duel_journal_open(duel *d, int64_t n_item, error *err)
{
    if (d->share.n_shard > 1) d->n_planned = shard_cells(&d->share, d->n_cell);
    return shard_journal(&d->journal, d->w, &d->share, journal_for(d, n_item), "cells and controls",
                         err);
}

bool duel_journal_has(const duel *d, int64_t item, double *value, uint8_t *mark)
{
    return d->journal && journal_has(d->journal, item, value, mark);
}

status duel_journal_add(duel *d, const duel_item *x, int64_t n, error *err)
{
    status st = E_OK;
    for (int64_t i = 0; d->journal && i < n && st == E_OK; i++) {
        double value[MAX_METRIC];
        uint8_t mark;
        duel_item_get(d, &x[i], value, &mark);
        st = journal_add(d->journal, x[i].index, value, mark, err);
    }
    return st == E_OK && d->journal ? journal_flush(d->journal, err) : st;
}
/* SPDX-License-Identifier: MIT */
