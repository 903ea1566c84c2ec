/* api -- include/microtome.h over the rooms: thin. */
#include "base/cpu.h"
#include "base/file.h"
#include "include/microtome.h"
#include "instrument/instrument.h"
#include "render/render.h"
#include <math.h>
#include <string.h>

struct mt_report {
    report *r;
    bool failed;
};

static mt_status pass(mt_error *err, status st, const error *why)
{
    if (err && st != E_OK) {
        err->code = st;
        memcpy(err->message, why->msg, sizeof err->message);
        memcpy(err->hint, why->hint, sizeof err->hint);
    }
    return st;
}

const char *mt_status_name(mt_status code) { return status_name((status)code); }

/* A string the caller frees: its length lies before it. */
enum { HEAD = 16 };

static char *text_out(const str *s)
{
    if (s->failed) return NULL;
    size_t bytes = HEAD + s->n + 1;
    char *p = mem_resize(NULL, 0, bytes);
    if (!p) return NULL;
    memcpy(p, &bytes, sizeof bytes);
    if (s->n) memcpy(p + HEAD, s->p, s->n);
    p[HEAD + s->n] = 0;
    return p + HEAD;
}

void mt_text_free(char *text)
{
    size_t bytes;
    if (!text) return;
    memcpy(&bytes, text - HEAD, sizeof bytes);
    mem_free(text - HEAD, bytes);
}

static json_t *word_list(const char *words)
{
    json_t *list = json_array();
    size_t n;
    for (const char *word; (word = str_word(&words, &n));)
        json_array_append_new(list, json_stringn(word, n));
    return list;
}

static json_t *describe_param(const param *p)
{
    static const char *const types[] = { "text", "int", "real", "flag", "list" };
    const param_kind *k = p->kind;
    json_t *out = json_pack("{s:s,s:s,s:s?,s:s}", "name", p->name, "kind", types[k->type],
                            "default", p->otherwise, "says", p->says);
    if (k->bounded) json_object_set_new(out, "least", json_real(k->least));
    if (k->bounded && k->most < HUGE_VAL) json_object_set_new(out, "most", json_real(k->most));
    if (k->words) json_object_set_new(out, k->several ? "some_of" : "one_of", word_list(k->words));
    return out;
}

static json_t *describe(const instrument_def *d)
{
    json_t *params = json_array();
    const param *p;
    for (int i = 0; (p = instrument_param(d, i)); i++)
        json_array_append_new(params, describe_param(p));
    return json_pack("{s:s,s:s,s:s?,s:s,s:o}", "name", d->name, "says", d->says, "subject",
                     d->subject, "positional", d->positional ? d->positional : "model", "params",
                     params);
}

char *mt_describe(void)
{
    str s = { 0 };
    json_t *all = json_array();
    for (int i = 0; instrument_all[i]; i++) json_array_append_new(all, describe(instrument_all[i]));
    if (all) json_write(&s, all, 0);
    char *text = all ? text_out(&s) : NULL;
    str_release(&s);
    json_decref(all);
    return text;
}

mt_status mt_run(mt_report **out, const char *instrument, const char *request, mt_tell *tell,
                 void *user, mt_error *err)
{
    error why = { 0 };
    json_t *json = NULL;
    mt_report *m = mem_zero(sizeof *m);
    status st = m ? json_parse(&json, request, strlen(request), "request", &why)
                  : error_set(&why, E_NOMEM, "out of memory");
    unsigned mode = fp_enter();
    if (st == E_OK) st = instrument_run(&m->r, &m->failed, instrument, json, tell, user, &why);
    fp_leave(mode);
    json_decref(json);
    if (st == E_OK || (st == E_INTERRUPTED && m->r)) *out = m;
    else mt_report_free(m);
    return pass(err, st, &why);
}

void mt_report_free(mt_report *r)
{
    if (!r) return;
    report_free(r->r);
    mem_free(r, sizeof *r);
}

bool mt_report_failed(const mt_report *r) { return r->failed; }
const char *mt_report_hash(const mt_report *r) { return r->r->cert.hash; }

char *mt_report_render(const mt_report *r, const char *form, int width, bool colour, mt_error *err)
{
    error why = { 0 };
    str s = { 0 };
    status st;
    if (!strcmp(form, "text"))
        st = render_text(
            r->r, &s, &(text_options){ .width = width, .colour = colour, .unicode = true }, &why);
    else if (!strcmp(form, "json")) st = render_json(r->r, &s, &why);
    else if (!strcmp(form, "csv")) st = render_csv(r->r, NULL, &s, &why);
    else if (!strcmp(form, "html")) st = render_html(r->r, &s, &why);
    else st = error_set(&why, E_USAGE, "there is no form '%.40s'; text, json, csv, html", form);
    char *text = st == E_OK ? text_out(&s) : NULL;
    if (st == E_OK && !text) st = error_set(&why, E_NOMEM, "out of memory");
    str_release(&s);
    pass(err, st, &why);
    return text;
}

mt_status mt_write_file(const char *path, const char *text, mt_error *err)
{
    error why = { 0 };
    return pass(err, file_write(path, text, strlen(text), &why), &why);
}

/* ---- tensors ---- */

static int32_t collect(const report *r, arena *mem, tensor_view **out)
{
    int32_t n = 0;
    for (const report_array *a = r->array; a; a = a->next) n++;
    *out = arena_array(mem, n + 1, sizeof **out);
    n = 0;
    for (const report_array *a = r->array; *out && a; a = a->next) (*out)[n++] = a->t;
    return n;
}

mt_status mt_report_write_tensors(const mt_report *r, const char *path, mt_error *err)
{
    error why = { 0 };
    arena mem = { 0 };
    tensor_view *t;
    const char *meta[] = { "format", "pt", "microtome.hash", r->r->cert.hash };
    int32_t n = collect(r->r, &mem, &t);
    status st =
        !t ? error_set(&why, E_NOMEM, "out of memory") : tensors_write(path, t, n, meta, 2, &why);
    if (st == E_OK && !n) st = error_set(&why, E_USAGE, "%s: this report has no tensors", path);
    arena_release(&mem);
    return pass(err, st, &why);
}

/* The worst element, NaN against NaN being right. */
static double worst(const tensor_view *a, const tensor_view *b, double *largest, int64_t *at)
{
    double gap = 0;
    int64_t n = tensor_count(a);
    *largest = 0, *at = 0;
    for (int64_t i = 0; i < n; i++) {
        double x, y;
        tensor_values(a, i, 1, &x);
        tensor_values(b, i, 1, &y);
        if (fabs(y) > *largest && !isinf(y)) *largest = fabs(y);
        double d = number_gap(x, y);
        if (d > gap) gap = d, *at = i;
    }
    return gap;
}

static void place_text(const tensor_view *t, int64_t at, str *s)
{
    int64_t index[TENSOR_DIMS];
    for (int i = t->n_dim - 1; i >= 0; i--)
        index[i] = at % (t->dim[i] ? t->dim[i] : 1), at /= t->dim[i] ? t->dim[i] : 1;
    str_puts(s, "[");
    for (int i = 0; i < t->n_dim; i++) str_printf(s, i ? ", %lld" : "%lld", (long long)index[i]);
    str_puts(s, "]");
}

static bool same_shape(const tensor_view *a, const tensor_view *b)
{
    return a->n_dim == b->n_dim && !memcmp(a->dim, b->dim, (size_t)a->n_dim * sizeof *a->dim);
}

static bool against_one(const tensor_view *ours, const tensor_view *theirs, double tol, str *s)
{
    double largest;
    int64_t at;
    if (!same_shape(ours, theirs)) {
        str_printf(s, "%-40s  shapes differ\n", ours->name);
        return false;
    }
    double gap = worst(ours, theirs, &largest, &at);
    bool fine = gap <= tol * (largest > 0 ? largest : 1);
    str_printf(s, "%-40s  worst %.3g at ", ours->name, gap);
    place_text(ours, at, s);
    str_printf(s, "  of largest %.4g  %s\n", largest, fine ? "ok" : "WRONG");
    return fine;
}

char *mt_report_against(const mt_report *r, const char *path, double tol, int *n_wrong,
                        mt_error *err)
{
    error why = { 0 };
    container *c = NULL;
    str s = { 0 };
    int n_same = 0;
    *n_wrong = 0;
    status st = container_open(&c, path, &why);
    for (int32_t i = 0; st == E_OK && i < container_count(c); i++) {
        const tensor_view *theirs = container_at(c, i);
        const report_array *ours = report_find_tensor(r->r, theirs->name);
        if (ours) n_same++, *n_wrong += !against_one(&ours->t, theirs, tol > 0 ? tol : 1e-5, &s);
        else str_printf(&s, "%-40s  not in this report\n", theirs->name);
    }
    if (st == E_OK)
        str_printf(&s, "%d tensors of %d are in both, %d of them wrong%s\n", n_same,
                   container_count(c), *n_wrong, n_same ? "" : ": nothing was compared");
    if (st == E_OK && !n_same) *n_wrong = 1;
    char *text = st == E_OK ? text_out(&s) : NULL;
    if (st == E_OK && !text) st = error_set(&why, E_NOMEM, "out of memory");
    container_free(c);
    str_release(&s);
    pass(err, st, &why);
    return text;
}
/* SPDX-License-Identifier: MIT */
