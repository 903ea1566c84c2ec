/* report_read -- see report_read.h. */
#include "report/report_read.h"
#include <string.h>

/* The JSON inside an HTML report; the text itself when it is none. */
static void find_json(const char **text, size_t *n)
{
    const char *begin = memmem(*text, *n, REPORT_JSON_BEGIN, strlen(REPORT_JSON_BEGIN));
    if (!begin) return;
    begin += strlen(REPORT_JSON_BEGIN);
    size_t left = *n - (size_t)(begin - *text);
    const char *end = memmem(begin, left, REPORT_JSON_END, strlen(REPORT_JSON_END));
    *text = begin;
    *n = end ? (size_t)(end - begin) : left;
}

static status check_shape(const json_t *doc, const char *name, error *err)
{
    int64_t version;
    if (!json_is_object(doc) || !json_object_get(doc, REPORT_JSON_KEY)) {
        error_set(err, E_FORMAT,
                  "%s: no report: expected an object with '" REPORT_JSON_KEY "', found %s", name,
                  json_is_object(doc) ? "an object without it" : json_kind(doc));
        error_hint(err, "give a file written with --json or --html");
        return E_FORMAT;
    }
    status st = json_int(doc, REPORT_JSON_KEY, 0, &version, err);
    if (st == E_OK && version != REPORT_JSON_VERSION) {
        st = error_set(err, E_FORMAT, "%s: report of shape %lld, expected %d", name,
                       (long long)version, REPORT_JSON_VERSION);
        error_hint(err, "replay it with the version of microtome that wrote it");
    }
    return st;
}

static status read_parts(report_source *s, const char *name, error *err)
{
    const json_t *cert = json_object_get(s->doc, "certificate");
    const char *why;
    status st = json_text(s->doc, "instrument", NULL, &s->instrument, err);
    if (st == E_OK) st = json_text(s->doc, "hash", NULL, &s->hash, err);
    if (st == E_OK) st = json_flag(s->doc, "complete", true, &s->complete, err);
    if (st == E_OK) st = json_text(cert, "engine", NULL, &s->engine, err);
    if (st == E_OK) st = json_text(cert, "not_replayable", NULL, &why, err);
    if (st == E_OK) st = json_text(json_object_get(cert, "model"), "name", NULL, &s->model, err);
    if (st == E_OK)
        st = json_text(json_object_get(cert, "model"), "hash", NULL, &s->model_hash, err);
    if (st != E_OK) return st;
    if (why)
        return error_set(err, E_UNSUPPORTED, "%s: this report cannot be replayed: %s", name, why);
    s->request = json_object_get(s->doc, "request");
    s->where = json_object_get(s->doc, "where");
    if (!json_is_object(s->where)) s->where = NULL;
    if (!json_is_object(s->request) || !s->hash || !s->instrument)
        return error_set(err, E_FORMAT, "%s: the report has no %s", name,
                         !s->hash         ? "hash"
                         : !s->instrument ? "instrument"
                                          : "request");
    return json_text(s->where, "model", NULL, &s->model_path, err);
}

status report_read_request(report_source *out, const char *text, size_t n, const char *name,
                           error *err)
{
    report_source s = { 0 };
    find_json(&text, &n);
    status st = json_parse(&s.doc, text, n, name, err);
    if (st == E_OK) st = check_shape(s.doc, name, err);
    if (st == E_OK) st = read_parts(&s, name, err);
    if (st != E_OK) {
        report_source_release(&s);
        return st;
    }
    *out = s;
    return E_OK;
}

void report_source_release(report_source *s)
{
    if (!s) return;
    json_decref(s->doc);
    *s = (report_source){ 0 };
}
/* SPDX-License-Identifier: MIT */
