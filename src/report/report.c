/* report -- see report.h.  Making the document: sections, failures, tables' frames, finishing. */
#include "report/report.h"
#include "base/hash.h"
#include "report/build.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifndef MICROTOME_VERSION
#define MICROTOME_VERSION "0.1.0"
#endif

void report_fail(report *r, status code, const char *fmt, ...)
{
    if (!r || r->failed) return;
    char text[ERROR_MSG];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_set(&r->first, code, "%s", text);
    r->failed = true;
}

void *build_get(report *r, size_t bytes)
{
    if (!r || r->failed) return NULL;
    void *p = arena_zero(&r->mem, bytes);
    if (!p) report_fail(r, E_NOMEM, "report: out of memory");
    return p;
}

void *build_copy(report *r, const void *bytes, size_t n)
{
    char *p = build_get(r, n + 1); /* always a string, too */
    if (p && n) memcpy(p, bytes, n);
    return p;
}

const char *build_string(report *r, const char *text)
{
    return text ? build_copy(r, text, strlen(text)) : NULL;
}

const char *build_format(report *r, const char *fmt, va_list ap)
{
    if (!r || r->failed) return NULL;
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) return report_fail(r, E_USAGE, "report: a text cannot be formatted"), NULL;
    char *p = build_get(r, (size_t)n + 1);
    if (p) vsnprintf(p, (size_t)n + 1, fmt, ap);
    return p;
}

report *report_new(const char *instrument, const char *title)
{
    report *r = mem_zero(sizeof *r);
    if (!r) return NULL;
    r->section_end = &r->section, r->table_end = &r->table, r->array_end = &r->array;
    certificate *c = &r->cert;
    c->lane_end = &c->lane, c->control_end = &c->control, c->interval_end = &c->interval;
    c->seed_end = &c->seed, c->file_end = &c->file, c->warning_end = &c->warning;
    c->complete = c->replayable = true;
    c->engine = "microtome " MICROTOME_VERSION;
    c->precision = "f32";
    c->approximation = "exact";
    r->instrument = build_string(r, instrument);
    r->title = build_string(r, title);
    if (r->failed) {
        report_free(r);
        return NULL;
    }
    return r;
}

void report_free(report *r)
{
    if (!r) return;
    json_decref(r->cert.request);
    json_decref(r->cert.where);
    arena_release(&r->mem);
    mem_free(r, sizeof *r);
}

report_section *build_section(report *r, section_kind kind)
{
    report_section *s = build_get(r, sizeof *s);
    if (!s) return NULL;
    s->kind = kind;
    *r->section_end = s;
    r->section_end = &s->next;
    return s;
}

void report_note(report *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    const char *text = build_format(r, fmt, ap);
    va_end(ap);
    report_section *s = text ? build_section(r, SECTION_NOTE) : NULL;
    if (s) s->note = text;
}

static void columns_copy(report *r, table *t, const column *columns)
{
    for (int i = 0; i < t->n_column; i++) {
        t->col[i] = columns[i];
        t->col[i].name = build_string(r, columns[i].name ? columns[i].name : "");
        t->col[i].unit = build_string(r, columns[i].unit);
    }
}

table *report_table(report *r, const char *name, int n_column, const column *columns)
{
    if (n_column < 1) report_fail(r, E_USAGE, "report: table '%s' has %d columns", name, n_column);
    for (const table *t = r ? r->table : NULL; t; t = t->next)
        if (!strcmp(t->name, name)) report_fail(r, E_USAGE, "report: two tables '%s'", name);
    table *t = build_get(r, sizeof *t);
    if (!t) return NULL;
    *t = (table){ .owner = r, .n_column = n_column, .end = &t->first };
    t->name = build_string(r, name);
    t->col = build_get(r, (size_t)n_column * sizeof *t->col);
    if (t->col) columns_copy(r, t, columns);
    report_section *s = build_section(r, SECTION_TABLE);
    if (!s) return NULL;
    s->table = t;
    *r->table_end = t;
    r->table_end = &t->next;
    return t;
}

int32_t report_views(const report *r, tensor_view *out)
{
    int32_t n = 0;
    for (const report_array *a = r->array; a; a = a->next, n++)
        if (out) out[n] = a->t;
    return n;
}

static void finish_figures(report *r)
{
    for (report_section *s = r->section; s; s = s->next)
        if (s->kind == SECTION_FIGURE) build_span((figure *)s->figure); /* ours until finished */
}

status report_finish(report *r, error *err)
{
    if (!r) return error_set(err, E_NOMEM, "report: out of memory");
    for (table *t = r->table; t; t = t->next) build_end_row(t);
    if (!r->failed) {
        finish_figures(r);
        build_hashes(r);
    }
    if (r->failed) return error_set(err, r->first.code, "%s", r->first.msg);
    r->finished = true;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
