/* shard -- see shard.h. */
#include "instrument/shard.h"
#include "instrument/resume.h"
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_SHARDS = 1 << 20 };

static const char *asked(const work *w, const char *name)
{
    return json_string_value(json_object_get(w->request, name));
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
static status shard_of_rank(sharing *s, error *err)
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
        s->shard = r + 1, s->n_shard = n;
        return E_OK;
    }
    error_set(err, E_USAGE, "shard mpi: no rank is given to this process");
    error_hint(err, "start it with mpirun -n 4 microtome ..., or give --shard 1/4 by hand");
    return E_USAGE;
}

status shard_find(sharing *s, const work *w, error *err)
{
    const char *text = asked(w, "shard"), *slash = text ? strchr(text, '/') : NULL;
    *s = (sharing){ 1, 1, text != NULL };
    if (!text) return E_OK;
    if (!asked(w, "resume") && !work_flag(w, "plan")) {
        error_set(err, E_USAGE, "a shard needs a journal for its cells");
        error_hint(err, "--resume FILE, the same for all; this one writes FILE.1-of-4, say");
        return E_USAGE;
    }
    if (!strcmp(text, "mpi")) return shard_of_rank(s, err);
    if (slash && whole_number(text, '/', &s->shard) && whole_number(slash + 1, 0, &s->n_shard) &&
        s->shard >= 1 && s->shard <= s->n_shard)
        return E_OK;
    return error_set(err, E_USAGE,
                     "shard is '%.40s', expected i/n with i from 1 to n, as 2/4, or mpi; n is at "
                     "most %d",
                     text, MOST_SHARDS);
}

bool shard_has(const sharing *s, int64_t cell) { return cell % s->n_shard == s->shard - 1; }

int64_t shard_cells(const sharing *s, int64_t n_cell)
{
    return (n_cell - s->shard + s->n_shard) / s->n_shard;
}

void shard_left(char out[SHARD_LEFT], const sharing *s, bool known)
{
    snprintf(out, SHARD_LEFT, "left");
    if (s->part)
        snprintf(out, SHARD_LEFT, "%sshard %d/%d", known ? "left of " : "", s->shard, s->n_shard);
}

/* ---- journals of shards ---- */

status shard_each(const char *path, shard_fn *fn, void *user, error *err)
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

int64_t shard_lacks(const journal *j, int64_t n_cell, int shard, int n_shard)
{
    int64_t n = 0;
    for (int64_t i = shard - 1; i < n_cell; i += n_shard) n += !journal_has(j, i, NULL, NULL);
    return n;
}

static void tell_shards(work *w, const joining *x, int64_t n_cell)
{
    for (int i = 1; i <= x->n_shard; i++) {
        int64_t all = shard_cells(&(sharing){ i, x->n_shard, true }, n_cell),
                lacks = shard_lacks(x->j, n_cell, i, x->n_shard);
        if (lacks)
            report_note(w->r,
                        "Shard %d/%d stopped after %lld of %lld cells; the rest were run here.", i,
                        x->n_shard, (long long)(all - lacks), (long long)all);
    }
}

/* The file of one shard, or the one that all are joined to. */
static void own_path(char out[PATH_MAX], const char *path, const sharing *s)
{
    if (s->part) snprintf(out, PATH_MAX, "%s.%d-of-%d", path, s->shard, s->n_shard);
    else snprintf(out, PATH_MAX, "%s", path);
}

status shard_known(journal **out, work *w, const sharing *s, journal_of of, error *err)
{
    char own[PATH_MAX];
    const char *path = asked(w, "resume");
    journal *j = NULL;
    if (!path) return E_OK;
    own_path(own, path, s);
    status st = resume_hash(w, of.hash, err);
    if (st == E_OK) st = journal_open(&j, NULL, &of, err);
    if (st != E_OK) return st;
    joining x = { .j = j };
    if (!access(own, F_OK) && !journal_is_bare(own)) st = journal_join(j, own, err);
    if (st == E_OK && !s->part) st = shard_each(path, join, &x, err);
    if (st == E_OK) *out = j;
    else journal_close(j);
    return st;
}

status shard_journal(journal **out, work *w, const sharing *s, journal_of of, const char *what,
                     error *err)
{
    char own[PATH_MAX];
    const char *path = asked(w, "resume");
    if (!path) return E_OK;
    of.shard = s->shard, of.n_shard = s->n_shard;
    own_path(own, path, s);
    status st = resume_open(out, w, own, of, what, err);
    if (st != E_OK) return st;
    joining x = { .j = *out };
    if (!s->part) st = shard_each(path, join, &x, err);
    if (st == E_OK) tell_shards(w, &x, of.n_cell);
    if (!s->part) return st;
    report_cut(w->r);
    report_note(w->r,
                "Shard %d/%d: %lld of %lld cells, in %s. When all shards are there: "
                "microtome merge %s",
                s->shard, s->n_shard, (long long)shard_cells(s, of.n_cell), (long long)of.n_cell,
                own, path);
    return st;
}
/* SPDX-License-Identifier: MIT */
