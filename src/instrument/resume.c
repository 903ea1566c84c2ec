/* resume -- see resume.h. */
#include "instrument/resume.h"
#include "base/json.h"

/* The request as it stands in the certificate, with where its files are: for those who finish it later. */
static status request_text(const work *w, str *out, error *err)
{
    json_t *v = json_deep_copy(w->r->cert.request);
    if (v) json_object_update(v, w->r->cert.where), json_canonical(out, v);
    json_decref(v);
    return out->p && !out->failed ? E_OK
                                  : error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
}

status resume_hash(work *w, char out[JOURNAL_HASH], error *err)
{
    json_t *asked = w->r->cert.request, *swept = json_copy(asked);
    if (!swept) return work_nomem(w, err);
    json_object_del(swept, "plan");
    w->r->cert.request = swept;
    status st = report_asked(w->r, out, err);
    w->r->cert.request = asked;
    json_decref(swept);
    return st;
}

static void say(work *w, const char *path, const journal *j, const char *what)
{
    if (journal_torn(j))
        report_note(w->r, "%lld bytes of a wave that was not finished were cut from %s.",
                    (long long)journal_torn(j), path);
    if (journal_count(j))
        report_note(w->r, "%lld %s were in the journal.", (long long)journal_count(j), what);
}

status resume_open(journal **out, work *w, const char *path, journal_of of, const char *what,
                   error *err)
{
    str request = { 0 };
    status st = request_text(w, &request, err);
    if (st == E_OK) st = resume_hash(w, of.hash, err);
    of.request = request.p;
    if (st == E_OK) st = journal_open(out, path, &of, err);
    str_release(&request);
    if (st == E_OK) say(w, path, *out, what);
    return st;
}
/* SPDX-License-Identifier: MIT */
