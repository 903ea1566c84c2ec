/* instrument: merge -- the journals of a sweep's shards become the report that one process would have made: the same bits,
 * the same hash.  What is missing is named, with how to finish it; --finish runs it here. */
#include "instrument/shard.h"
#include <string.h>

static const param params[] = {
    { "journal", PARAM_TEXT, NULL, "the FILE of --resume; FILE.1-of-4 and so on lie beside it",
      ROLE_FILE },
    { "finish", PARAM_FLAG, NULL, "run here what the shards have not", ROLE_HOW },
    { "model", PARAM_TEXT, NULL, "where the model is now; by default where it was", ROLE_FILE },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

typedef struct merging {
    journal *j; /* of no file: what all of them know */
    journal_of of;
    char first[1100];
    int n_shard;
} merging;

static status join(void *user, const char *path, int shard, int n_shard, error *err)
{
    merging *x = user;
    journal_of is;
    if (x->n_shard && n_shard != x->n_shard)
        return error_set(err, E_MISMATCH, "%s: is one of %d shards, %s of %d", path, n_shard,
                         x->first, x->n_shard);
    status st = journal_describe(&is, path, err);
    if (st != E_OK) return st;
    if (is.shard != shard || is.n_shard != n_shard)
        st = error_set(err, E_MISMATCH, "%s: says it is shard %d/%d", path, is.shard, is.n_shard);
    else if (!x->j) {
        x->of = is, x->n_shard = n_shard;
        snprintf(x->first, sizeof x->first, "%s", path);
        st = journal_open(&x->j, NULL, &is, err);
        is.request = NULL; /* kept */
    }
    journal_text_free(is.request);
    return st == E_OK ? journal_join(x->j, path, err) : st;
}

/* Every cell there, or who lacks how many. */
static status check_whole(const merging *x, const char *path, error *err)
{
    str s = { 0 };
    int n = 0, first = 0;
    for (int i = 1; i <= x->n_shard; i++) {
        int64_t lacks = shard_lacks(x->j, x->of.n_cell, i, x->n_shard);
        int64_t all = shard_cells(&(sharing){ i, x->n_shard, true }, x->of.n_cell);
        if (!lacks) continue;
        if (!first) first = i;
        if (n++ < 6)
            str_printf(&s, "%sshard %d/%d has %lld of %lld cells", n > 1 ? ", " : "", i, x->n_shard,
                       (long long)(all - lacks), (long long)all);
    }
    if (!n) return E_OK;
    error_set(err, E_MISMATCH, "%s: %s%s", path, s.p ? s.p : "shards are missing",
              n > 6 ? " and more" : "");
    error_hint(err, "run the sweep again with --shard %d/%d --resume %s, or merge --finish", first,
               x->n_shard, path);
    str_release(&s);
    return E_MISMATCH;
}

/* The sweep itself, which finds its cells in the journals. */
static status whole(work *w, const merging *x, const char *path, error *err)
{
    report *r = NULL;
    char name[64];
    json_t *request = json_loads(x->of.request, 0, NULL);
    const char *text = json_string_value(json_object_get(request, "instrument")),
               *moved = work_text(w, "model");
    if (!text || !instrument_find(text)) {
        json_decref(request);
        return error_set(err, E_FORMAT, "%s: its request is of no instrument", x->first);
    }
    snprintf(name, sizeof name, "%s", text);
    json_object_set_new(request, "resume", json_string(path));
    if (moved) json_object_set_new(request, "model", json_string(moved));
    status st = instrument_run(&r, &w->failed, name, request, w->tell, w->user, err);
    json_decref(request);
    if (r) report_free(w->r), w->r = r;
    return st;
}

static status none_there(const char *path, error *err)
{
    error_set(err, E_IO, "%s: no shard's journal is there (%s.1-of-2, say)", path, path);
    if (strstr(path, "-of-"))
        error_hint(err, "give FILE as --resume had it, without .1-of-2 behind it");
    return E_IO;
}

static status run(work *w, error *err)
{
    merging x = { 0 };
    const char *path = work_text(w, "journal");
    if (!path) {
        error_set(err, E_USAGE, "merge needs the FILE that was given to --resume");
        error_hint(err, "microtome merge FILE; FILE.1-of-4 and so on lie beside it");
        return E_USAGE;
    }
    status st = shard_each(path, join, &x, err);
    if (st == E_OK && !x.j) st = none_there(path, err);
    if (st == E_OK && !work_flag(w, "finish")) st = check_whole(&x, path, err);
    if (st == E_OK) st = whole(w, &x, path, err);
    journal_close(x.j);
    journal_text_free(x.of.request);
    return st;
}

const instrument_def instrument_merge_def = { .name = "merge",
                                              .says = "Join the shards of a sweep to its report",
                                              .subject = "JOURNAL",
                                              .positional = "journal",
                                              .needs = NEEDS_NOTHING,
                                              .param = params,
                                              .run = run };
/* SPDX-License-Identifier: MIT */
