/* duel_journal -- a sweep that goes on where it stood (--resume FILE), and its cells shared out among processes that know
 * nothing of each other (--shard i/n): shard i runs the cells whose index leaves i - 1 when divided by n and writes them
 * to FILE.i-of-n; who has FILE itself knows what all of those know.  Controls depend on which cell is the strongest, so
 * no shard runs them.  docs/sweeps.md says how it is used. */
#include "instrument/duel.h"
#include "instrument/resume.h"
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 1 << 20 };

static const char *asked(const duel *d, const char *name)
{
    return json_string_value(json_object_get(d->w->request, name));
}

/* ---- which shard ---- */

static bool whole_number(const char *text, char end, int *out)
{
    char *rest;
    long n = strtol(text, &rest, 10);
    if (*text < '0' || *text > '9' || *rest != end || n > MOST_SHARDS) return false;
    *out = (int)n;
    return true;
}

/* What Open MPI, and those that speak PMI (MPICH, Slurm), tell a process of itself: its rank from 0. */
static status shard_of_rank(duel *d, error *err)
{
    static const char *const name[][2] = { { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE" },
                                           { "PMI_RANK", "PMI_SIZE" } };
    for (int i = 0; i < 2; i++) {
        const char *rank = getenv(name[i][0]), *size = getenv(name[i][1]);
        int r, n;
        if (!rank || !size) continue;
        if (!whole_number(rank, 0, &r) || !whole_number(size, 0, &n) || r >= n)
            return error_set(err, E_USAGE, "shard mpi: %s=%.20s, %s=%.20s", name[i][0], rank,
                             name[i][1], size);
        d->shard = r + 1, d->n_shard = n;
        return E_OK;
    }
    error_set(err, E_USAGE, "shard mpi: no rank is given to this process");
    error_hint(err, "start it with mpirun -n 4 microtome ..., or give --shard 1/4 by hand");
    return E_USAGE;
}

status duel_find_shard(duel *d, error *err)
{
    const char *text = asked(d, "shard"), *slash = text ? strchr(text, '/') : NULL;
    d->shard = d->n_shard = 1;
    if (!text) return E_OK;
    if (!asked(d, "resume")) {
        error_set(err, E_USAGE, "a shard needs a journal for its cells");
        error_hint(err, "--resume FILE, the same for all; this one writes FILE.1-of-4, say");
        return E_USAGE;
    }
    if (!strcmp(text, "mpi")) return shard_of_rank(d, err);
    if (slash && whole_number(text, '/', &d->shard) && whole_number(slash + 1, 0, &d->n_shard) &&
        d->shard >= 1 && d->shard <= d->n_shard)
        return E_OK;
    return error_set(err, E_USAGE,
                     "shard is '%.40s', expected i/n with i from 1 to n, as 2/4, or mpi; n is at "
                     "most %d",
                     text, MOST_SHARDS);
}

bool duel_is_mine(const duel *d, int64_t item)
{
    return d->n_shard <= 1 || (item < d->n_cell && item % d->n_shard == d->shard - 1);
}

/* ---- journals of shards ---- */

status duel_each_shard(const char *path, duel_shard *fn, void *user, error *err)
{
    char dir[PATH_MAX], file[PATH_MAX + 300];
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t n = strlen(base);
    snprintf(dir, sizeof dir, "%.*s", (int)(slash ? slash - path + 1 : 1), slash ? path : ".");
    DIR *at = opendir(dir);
    if (!at) return E_OK; /* opening the journal says why */
    status st = E_OK;
    for (const struct dirent *e; st == E_OK && (e = readdir(at));) {
        int shard, n_shard;
        const char *of = strncmp(e->d_name, base, n) ? NULL : strstr(e->d_name + n, "-of-");
        if (!of || e->d_name[n] != '.' || !whole_number(e->d_name + n + 1, '-', &shard) ||
            !whole_number(of + 4, 0, &n_shard))
            continue;
        snprintf(file, sizeof file, "%s%s", slash ? dir : "", e->d_name);
        if (!journal_is_bare(file)) st = fn(user, file, shard, n_shard, err);
    }
    closedir(at);
    return st;
}

typedef struct joining {
    journal *j;
    int n_shard; /* the largest */
} joining;

static status join(void *user, const char *path, int shard, int n_shard, error *err)
{
    joining *x = user;
    (void)shard;
    if (n_shard > x->n_shard) x->n_shard = n_shard;
    return journal_join(x->j, path, err);
}

int64_t duel_shard_lacks(const journal *j, int64_t n_cell, int shard, int n_shard)
{
    int64_t n = 0;
    for (int64_t i = shard - 1; i < n_cell; i += n_shard) n += !journal_has(j, i, NULL, NULL);
    return n;
}

static void tell_shards(duel *d, int n_shard)
{
    for (int i = 1; i <= n_shard; i++) {
        int64_t all = (d->n_cell - i + n_shard) / n_shard,
                lacks = duel_shard_lacks(d->journal, d->n_cell, i, n_shard);
        if (lacks)
            report_note(d->w->r,
                        "Shard %d/%d stopped after %lld of %lld cells; the rest were run here.", i,
                        n_shard, (long long)(all - lacks), (long long)all);
    }
}

/* ---- opening ---- */

status duel_journal_open(duel *d, int64_t n_item, error *err)
{
    char own[PATH_MAX];
    const char *path = asked(d, "resume");
    if (!path) return E_OK;
    bool part = asked(d, "shard") != NULL;
    journal_of of = { .n_item = n_item,
                      .n_cell = d->n_cell,
                      .n_value = d->n_metric,
                      .shard = d->shard,
                      .n_shard = d->n_shard };
    snprintf(own, sizeof own, "%s.%d-of-%d", path, d->shard, d->n_shard);
    status st = resume_open(&d->journal, d->w, part ? own : path, of, "cells and controls", err);
    if (st != E_OK) return st;
    joining x = { .j = d->journal };
    if (!part) st = duel_each_shard(path, join, &x, err);
    if (st == E_OK) tell_shards(d, x.n_shard);
    if (part) {
        if (d->n_shard > 1) d->n_planned = (d->n_cell - d->shard + d->n_shard) / d->n_shard;
        report_cut(d->w->r);
        report_note(d->w->r,
                    "Shard %d/%d: %lld of %lld cells, in %s. When all shards are there: "
                    "microtome merge %s",
                    d->shard, d->n_shard, (long long)d->n_planned, (long long)d->n_cell, own, path);
    }
    return st;
}

bool duel_journal_has(duel *d, int64_t item, double value[MAX_METRIC], uint8_t *mark)
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
