/* instrument: replay -- run what a report asked for again: the same hash, or not. */
#include "base/file.h"
#include "instrument/work.h"
#include "report/report_read.h"
#include <string.h>

static const param params[] = {
    { "report", PARAM_TEXT, NULL, "a report: what --json or --html wrote", ROLE_FILE },
    { "model", PARAM_TEXT, NULL, "where the model is now; by default where it was", ROLE_FILE },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { MAX_REPORT = 1 << 30 };

/* The request, with the paths of the machine it came from. */
static json_t *rebuild(const work *w, const report_source *src)
{
    const char *key, *moved = work_text(w, "model");
    json_t *v, *request = json_deep_copy(src->request);
    json_object_foreach((json_t *)src->where, key, v) json_object_set(request, key, v);
    if (moved) json_object_set_new(request, "model", json_string(moved));
    json_object_del(request, "instrument");
    return request;
}

static status compare(work *w, const report_source *src, error *err)
{
    report *again = NULL;
    bool failed;
    if (!strcmp(src->instrument, "replay")) {
        error_set(err, E_USAGE, "the report is of a replay, which is not replayed again");
        error_hint(err, "replay the report that it is about");
        return E_USAGE;
    }
    json_t *request = rebuild(w, src);
    status st =
        request ? instrument_run(&again, &failed, src->instrument, request, w->tell, w->user, err)
                : work_nomem(w, err);
    json_decref(request);
    if (st != E_OK) {
        report_free(again);
        return st;
    }
    bool same = !strcmp(src->hash, again->cert.hash);
    table *t = report_table(w->r, "replay", 3,
                            (column[]){ { "instrument", NULL, CELL_TEXT, 0, false },
                                        { "same hash", NULL, CELL_BOOL, 0, false },
                                        { "hash", NULL, CELL_TEXT, 0, false } });
    table_row(t), row_text(t, "%s", src->instrument), row_bool(t, same),
        row_text(t, "%s", again->cert.hash);
    if (!same) report_note(w->r, "The report says %s.", src->hash);
    if (!same && !src->complete)
        report_note(w->r, "The report was stopped before its end, and this is the whole: their "
                          "hashes cannot be the same.");
    if (src->model_hash && again->cert.model_hash &&
        strcmp(src->model_hash, again->cert.model_hash))
        report_note(w->r, "The model is another: %s, the report was of %s.", again->cert.model_hash,
                    src->model_hash);
    w->failed = !same;
    report_free(again);
    return E_OK;
}

static status run(work *w, error *err)
{
    const char *path = work_text(w, "report");
    str s = { 0 };
    report_source src = { 0 };
    if (!path) return error_set(err, E_USAGE, "replay needs a report: what --json or --html wrote");
    status st = file_read(&s, path, MAX_REPORT, err);
    if (st == E_OK) st = report_read_request(&src, s.p ? s.p : "", s.n, path, err);
    if (st == E_OK) st = compare(w, &src, err);
    report_source_release(&src);
    str_release(&s);
    return st;
}

const instrument_def instrument_replay_def = { .name = "replay",
                                               .says = "Run a report again: the same hash, or not",
                                               .subject = "REPORT",
                                               .positional = "report",
                                               .needs = NEEDS_NOTHING,
                                               .param = params,
                                               .run = run };
/* SPDX-License-Identifier: MIT */
