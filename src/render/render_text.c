/* render_text -- see render.h.  The document: head, sections, certificate; tables and figures are
 * drawn by text_table.c and text_figure.c. */
#include "render/render.h"
#include "render/text_view.h"
#include <string.h>

enum { LABEL = 14 };

static void wrap_text(view *v, const char *text, int used, int indent)
{
    view_wrap(v, text, strlen(text), used, indent);
}

static void head(view *v, const report *r)
{
    view_ink(v, INK_BOLD);
    wrap_text(v, r->title ? r->title : "", 0, 0);
    view_ink(v, INK_WARN);
    if (!r->cert.complete)
        wrap_text(v, "INCOMPLETE: stopped before the end; what is missing is marked", 0, 0);
    for (const cert_warning *w = r->cert.warning; w; w = w->next) {
        str_puts(v->s, "warning: ");
        wrap_text(v, w->text, 9, 9);
    }
    view_ink(v, INK_PLAIN);
}

/* ---- tensors ---- */

/* "resid_pre  F64 [pair 2, layer 12, pos 15]  0.1 to 0.5" */
static void tensor_line(view *v, const report_array *a)
{
    str text = { 0 };
    str_printf(&text, "tensor %s: %s [", a->t.name, dtype_name(a->t.dtype));
    for (int i = 0; i < a->t.n_dim; i++)
        str_printf(&text, "%s%s %lld", i ? ", " : "", a->axis[i], (long long)a->t.dim[i]);
    str_puts(&text, "]");
    if (a->unit) str_printf(&text, " [%s]", a->unit);
    double low = 0, high = 0;
    bool any = false;
    for (int64_t i = 0; i < a->n_element; i++) {
        double x = array_value(a, i);
        if (x != x) continue;
        if (!any || x < low) low = x;
        if (!any || x > high) high = x;
        any = true;
    }
    if (any) {
        str_puts(&text, ", from ");
        show_real(&text, low, 4);
        str_puts(&text, " to ");
        show_real(&text, high, 4);
    }
    v->s->failed |= text.failed;
    if (!text.failed) view_wrap(v, text.p, text.n, 0, 2);
    str_release(&text);
}

static void section(view *v, const report_section *s)
{
    str_puts(v->s, "\n");
    switch (s->kind) {
    case SECTION_TABLE: text_table(v, s->table); return;
    case SECTION_FIGURE: text_figure(v, s->figure); return;
    case SECTION_NOTE: wrap_text(v, s->note, 0, 0); return;
    case SECTION_TENSOR: tensor_line(v, s->array); return;
    }
}

/* ---- the certificate ---- */

/* "  name          text", the text wrapped under itself; `text` is taken and released. */
static void fact(view *v, const char *name, str *text)
{
    v->s->failed |= text->failed;
    str_puts(v->s, "  ");
    show_text(view_scratch(v), name, strlen(name));
    view_put(v, LABEL - 1, false);
    str_puts(v->s, " ");
    if (!text->failed) view_wrap(v, text->p ? text->p : "", text->n, LABEL + 2, LABEL + 2);
    str_release(text);
}

static void fact_text(view *v, const char *name, const char *text, const char *more)
{
    str s = { 0 };
    if (!text && !more) return;
    if (text) str_puts(&s, text);
    if (text && more) str_puts(&s, " ");
    if (more) str_puts(&s, more);
    fact(v, name, &s);
}

static void lanes(view *v, const certificate *c)
{
    for (const cert_lane *l = c->lane; l; l = l->next) {
        str s = { 0 };
        if (l->text) {
            str_puts(&s, "\"");
            show_text(&s, l->text, strlen(l->text));
            str_puts(&s, "\"\n");
        }
        str_puts(&s, "ids");
        for (int64_t i = 0; i < l->n; i++)
            str_printf(&s, "%s %lld", i ? "," : "", (long long)l->id[i]);
        fact(v, l->name, &s);
    }
}

/* What was edited, as it was written: without it nobody could say what the numbers are of. */
static void edits(view *v, const certificate *c)
{
    const json_t *edit = json_object_get(c->request, "edit"), *x;
    size_t i;
    json_array_foreach(edit, i, x)
    {
        str s = { 0 };
        show_text(&s, json_string_value(x), json_string_length(x));
        fact(v, "edit", &s);
    }
}

static void controls(view *v, const certificate *c)
{
    for (const cert_control *i = c->control; i; i = i->next) {
        str s = { 0 };
        show_text(&s, i->name, strlen(i->name));
        if (i->has_value) {
            str_puts(&s, " ");
            show_real(&s, i->value, 4);
        }
        if (i->text) str_printf(&s, "%s%s", i->has_value ? ", " : ": ", i->text);
        fact(v, "control", &s);
    }
}

static void intervals(view *v, const certificate *c)
{
    for (const cert_interval *i = c->interval; i; i = i->next) {
        str s = { 0 };
        show_text(&s, i->name, strlen(i->name));
        str_puts(&s, " ");
        show_real(&s, i->v.estimate, 4);
        str_puts(&s, " [");
        show_real(&s, i->v.low, 4);
        str_puts(&s, ", ");
        show_real(&s, i->v.high, 4);
        str_printf(&s, "], %g %%, n %lld, %s", 100 * i->v.level, (long long)i->v.n,
                   i->v.method ? i->v.method : "method not stated");
        if (i->v.n_resample)
            str_printf(&s, ", %lld resamples, seed %llu, stream \"%s\"", (long long)i->v.n_resample,
                       (unsigned long long)i->v.seed, i->v.stream ? i->v.stream : "");
        fact(v, "interval", &s);
    }
}

static void seeds(view *v, const certificate *c)
{
    for (const cert_seed *i = c->seed; i; i = i->next) {
        str s = { 0 };
        str_printf(&s, "%llu, stream \"%s\"", (unsigned long long)i->seed, i->stream);
        fact(v, "seed", &s);
    }
}

static void files(view *v, const certificate *c)
{
    for (const cert_file *i = c->file; i; i = i->next) fact_text(v, "file", i->path, i->hash);
}

static void machine(view *v, const certificate *c)
{
    str s = { 0 };
    str_printf(&s, "%lld runs, %lld forks", (long long)c->n_run, (long long)c->n_fork);
    if (c->backend) str_printf(&s, ", backend %s", c->backend);
    if (c->n_thread) str_printf(&s, ", %d thread%s", c->n_thread, c->n_thread == 1 ? "" : "s");
    if (c->seconds > 0) str_printf(&s, ", %.3g s", c->seconds);
    fact(v, "work", &s);
}

static void certificate_part(view *v, const certificate *c)
{
    str_puts(v->s, "\n");
    view_ink(v, INK_BOLD);
    str_puts(v->s, "certificate\n");
    view_ink(v, INK_PLAIN);
    fact_text(v, "hash", c->hash, NULL);
    fact_text(v, "model", c->model, c->model_hash);
    fact_text(v, "tokenizer", c->tokenizer ? c->tokenizer : "none", c->tokenizer_hash);
    fact_text(v, "inputs", c->input_hash, NULL);
    lanes(v, c);
    edits(v, c);
    files(v, c);
    fact_text(v, "precision", c->precision, NULL);
    fact_text(v, "approximation", c->approximation, NULL);
    controls(v, c);
    intervals(v, c);
    seeds(v, c);
    if (!c->replayable) fact_text(v, "replay", "not possible:", c->not_replayable);
    machine(v, c);
    fact_text(v, "engine", c->engine, NULL);
}

status render_text(const report *r, str *out, const text_options *options, error *err)
{
    str s = { 0 };
    view v = { .s = &s, .width = 80, .unicode = true };
    if (options) {
        v.colour = options->colour, v.unicode = options->unicode;
        v.width = options->width ? options->width : 80;
        if (v.width < 40) v.width = 40;
    }
    head(&v, r);
    for (const report_section *i = r->section; i; i = i->next) section(&v, i);
    certificate_part(&v, &r->cert);
    str_release(&v.scratch);
    if (s.failed) {
        str_release(&s);
        return error_set(err, E_NOMEM, "report: out of memory");
    }
    *out = s;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
