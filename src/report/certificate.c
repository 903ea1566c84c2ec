/* certificate -- see certificate.h and report.h.  The facts, each copied into the report. */
#include "report/certificate.h"
#include "report/build.h"
#include <string.h>

void report_model(report *r, const char *name, const char *hash)
{
    if (!r) return;
    r->cert.model = build_string(r, name);
    r->cert.model_hash = build_string(r, hash);
}

void report_tokenizer(report *r, const char *name, const char *hash)
{
    if (!r) return;
    r->cert.tokenizer = build_string(r, name);
    r->cert.tokenizer_hash = build_string(r, hash);
}

void report_precision(report *r, const char *precision)
{
    if (r) r->cert.precision = build_string(r, precision);
}

void report_approximation(report *r, const char *text)
{
    if (r) r->cert.approximation = build_string(r, text);
}

void report_lane(report *r, const char *name, const char *text, const int64_t *ids, int64_t n)
{
    size_t bytes;
    if (n < 0 || !mul_fits((size_t)n, sizeof *ids, &bytes)) {
        report_fail(r, E_RANGE, "report: lane '%s' has %lld tokens", name ? name : "",
                    (long long)n);
        return;
    }
    cert_lane *l = build_get(r, sizeof *l);
    if (!l) return;
    *l = (cert_lane){ .name = build_string(r, name ? name : ""),
                      .text = build_string(r, text),
                      .n = n };
    l->id = build_copy(r, ids, bytes);
    if (r->failed) return;
    *r->cert.lane_end = l;
    r->cert.lane_end = &l->next;
}

void report_machine(report *r, const char *backend, int n_thread, double seconds)
{
    if (!r) return;
    r->cert.backend = build_string(r, backend);
    r->cert.n_thread = n_thread;
    r->cert.seconds = seconds;
}

void report_counts(report *r, int64_t n_run, int64_t n_fork)
{
    if (!r) return;
    r->cert.n_run = n_run;
    r->cert.n_fork = n_fork;
}

void report_seed(report *r, const char *stream, uint64_t seed)
{
    for (const cert_seed *i = r ? r->cert.seed : NULL; i; i = i->next)
        if (i->seed == seed && !strcmp(i->stream, stream ? stream : "")) return;
    cert_seed *s = build_get(r, sizeof *s);
    if (!s) return;
    *s = (cert_seed){ .stream = build_string(r, stream ? stream : ""), .seed = seed };
    if (r->failed) return;
    *r->cert.seed_end = s;
    r->cert.seed_end = &s->next;
}

void report_file(report *r, const char *path, const char *hash)
{
    cert_file *f = build_get(r, sizeof *f);
    if (!f) return;
    for (const cert_file *i = r->cert.file; i; i = i->next)
        if (!strcmp(i->path, path) && !strcmp(i->hash, hash)) return;
    *f = (cert_file){ .path = build_string(r, path), .hash = build_string(r, hash) };
    if (r->failed) return;
    *r->cert.file_end = f;
    r->cert.file_end = &f->next;
}

void report_cut(report *r)
{
    if (r) r->cert.complete = false;
}

void report_unreplayable(report *r, const char *why)
{
    if (!r) return;
    r->cert.replayable = false;
    r->cert.not_replayable = build_string(r, why ? why : "");
}

static void add_control(report *r, const char *name, const double *value, const char *text)
{
    cert_control *c = build_get(r, sizeof *c);
    if (!c) return;
    *c = (cert_control){ .name = build_string(r, name ? name : ""), .text = text };
    if (value) c->has_value = true, c->value = *value;
    if (r->failed) return;
    *r->cert.control_end = c;
    r->cert.control_end = &c->next;
}

void report_control(report *r, const char *name, double value, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = build_format(r, fmt, ap);
    va_end(ap);
    add_control(r, name, &value, text && *text ? text : NULL);
}

void report_control_text(report *r, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = build_format(r, fmt, ap);
    va_end(ap);
    add_control(r, name, NULL, text);
}

void report_interval(report *r, const char *name, const interval *v)
{
    cert_interval *i = build_get(r, sizeof *i);
    if (!i) return;
    *i = (cert_interval){ .name = build_string(r, name ? name : ""), .v = *v };
    i->v.stream = build_string(r, v->stream);
    i->v.method = build_string(r, v->method);
    if (r->failed) return;
    *r->cert.interval_end = i;
    r->cert.interval_end = &i->next;
}

void report_warn(report *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = build_format(r, fmt, ap);
    va_end(ap);
    for (const cert_warning *w = text ? r->cert.warning : NULL; w; w = w->next)
        if (!strcmp(w->text, text)) return; /* said already */
    cert_warning *w = text ? build_get(r, sizeof *w) : NULL;
    if (!w) return;
    w->text = text;
    *r->cert.warning_end = w;
    r->cert.warning_end = &w->next;
}

void report_request(report *r, json_t *own_request)
{
    if (!own_request) report_fail(r, E_NOMEM, "report: out of memory");
    if (!r || r->failed) {
        json_decref(own_request);
        return;
    }
    json_decref(r->cert.request);
    r->cert.request = own_request;
}

void report_where(report *r, const char *key, json_t *own_value)
{
    if (!r || r->failed) {
        json_decref(own_value);
        return;
    }
    if (!r->cert.where) r->cert.where = json_object();
    if (json_object_set_new_nocheck(r->cert.where, key, own_value))
        report_fail(r, E_NOMEM, "report: out of memory");
}
/* SPDX-License-Identifier: MIT */
