/* render_html -- see render.h.  The frame of the page; tables and figures are written by html_table.c
 * and html_figure.c, style and script are page_style.c and page_script.c.
 *
 * A Content-Security-Policy forbids the page every connection: what it needs is in it. */
#include "render/html_part.h"
#include "render/render.h"
#include "report/report_read.h"
#include <string.h>

void html_text(str *s, const char *text)
{
    str shown = { 0 };
    show_text(&shown, text, strlen(text));
    s->failed |= shown.failed;
    if (!shown.failed) page_text(s, shown.p, shown.n);
    str_release(&shown);
}

void html_label(str *s, report_label l)
{
    str shown = { 0 };
    show_label(&shown, l, true);
    s->failed |= shown.failed;
    if (!shown.failed) page_text(s, shown.p, shown.n);
    str_release(&shown);
}

void html_real(str *s, double x, int digits) { show_real(s, x, digits); }

static void pieces(str *s, const char *const *piece)
{
    while (*piece) str_puts(s, *piece++);
}

/* ---- head ---- */

static void badge(str *s, const char *class, const char *name, const char *value)
{
    str_printf(s, "<li%s%s%s><b>", class ? " class=\"" : "", class ? class : "", class ? "\"" : "");
    html_text(s, name);
    str_puts(s, "</b>");
    if (value) {
        str_puts(s, " ");
        html_text(s, value);
    }
    str_puts(s, "</li>");
}

static void head(str *s, const report *r)
{
    str_puts(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>");
    html_text(s, r->title ? r->title : "report");
    str_puts(s, " \xe2\x80\x93 microtome</title>\n<style>\n");
    pieces(s, page_style);
    page_colours(s);
    str_puts(s, "</style>\n</head>\n<body>\n");
}

static void edits(str *s, const certificate *c)
{
    const json_t *edit = json_object_get(c->request, "edit"), *x;
    size_t i;
    json_array_foreach(edit, i, x) badge(s, NULL, "edit", json_string_value(x));
}

static void title(str *s, const report *r)
{
    const certificate *c = &r->cert;
    str_puts(s, "<header><div><p class=\"kind\">microtome ");
    html_text(s, r->instrument ? r->instrument : "");
    str_puts(s, "</p><h1>");
    html_text(s, r->title ? r->title : "");
    str_puts(s, "</h1><ul class=\"facts\">");
    if (c->model) badge(s, NULL, "model", c->model);
    edits(s, c);
    if (c->precision) badge(s, NULL, "precision", c->precision);
    if (c->approximation) badge(s, NULL, "approximation", c->approximation);
    if (!c->complete) badge(s, "bad", "incomplete", "stopped before the end");
    str_puts(s, "</ul></div><button type=\"button\" id=\"save\" hidden>Save JSON</button>"
                "<button type=\"button\" id=\"theme\" hidden>Dark</button></header>\n<main>\n");
    for (const cert_warning *w = c->warning; w; w = w->next) {
        str_puts(s, "<p class=\"warning\" role=\"note\">");
        html_text(s, w->text);
        str_puts(s, "</p>\n");
    }
}

/* ---- sections ---- */

/* A note: its lines stay lines. */
static void note(str *s, const char *text)
{
    str_puts(s, "<p class=\"note\">");
    while (*text) {
        size_t n = strcspn(text, "\n");
        str shown = { 0 };
        show_text(&shown, text, n);
        s->failed |= shown.failed;
        if (n && !shown.failed) page_text(s, shown.p, shown.n);
        str_release(&shown);
        text += n;
        if (*text) str_puts(s, "\n"), text++;
    }
    str_puts(s, "</p>\n");
}

static void tensor_part(str *s, const report_array *a)
{
    str_puts(s, "<p class=\"note\">Tensor <code>");
    html_text(s, a->t.name);
    str_printf(s, "</code>: %s [", dtype_name(a->t.dtype));
    for (int i = 0; i < a->t.n_dim; i++) {
        if (i) str_puts(s, ", ");
        html_text(s, a->axis[i]);
        str_printf(s, " %lld", (long long)a->t.dim[i]);
    }
    str_puts(s, a->n_element > RENDER_JSON_MAX
                    ? "]; too large for this page: write it with --out</p>\n"
                    : "]; its numbers are in the JSON</p>\n");
}

static void section(str *s, const report_section *i)
{
    switch (i->kind) {
    case SECTION_TABLE: html_table(s, i->table); return;
    case SECTION_FIGURE: html_figure(s, i->figure); return;
    case SECTION_NOTE: note(s, i->note); return;
    case SECTION_TENSOR: tensor_part(s, i->array); return;
    }
}

static status embed_json(str *s, const report *r, error *err)
{
    str json = { 0 };
    status st = render_json(r, &json, err);
    if (st != E_OK) return st;
    str_puts(s, REPORT_JSON_BEGIN);
    str_add(s, json.p, json.n);
    str_puts(s, REPORT_JSON_END "\n");
    str_release(&json);
    return E_OK;
}

status render_html(const report *r, str *out, error *err)
{
    str s = { 0 };
    head(&s, r);
    title(&s, r);
    for (const report_section *i = r->section; i; i = i->next) section(&s, i);
    html_certificate(&s, &r->cert);
    str_puts(&s, "</main>\n<footer>");
    html_text(&s, r->cert.engine ? r->cert.engine : "microtome");
    str_puts(&s, ". This page is one file and opens no connection. "
                 "<code>microtome replay</code> runs it again.</footer>\n"
                 "<div id=\"tip\" role=\"status\" aria-live=\"polite\"></div>\n");
    status st = embed_json(&s, r, err);
    str_puts(&s, "<script>\n");
    pieces(&s, page_script);
    str_puts(&s, "</script>\n</body>\n</html>\n");
    if (st == E_OK && s.failed) st = error_set(err, E_NOMEM, "report: out of memory");
    if (st != E_OK) {
        str_release(&s);
        return st;
    }
    *out = s;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
