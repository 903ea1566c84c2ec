/* render_json -- see render.h and docs/reports.md, which describes every key. */
#include "render/pen.h"
#include "render/render.h"
#include "report/report_read.h"
#include <string.h>

/* ---- tables ---- */

/* A token: its id and its text, or its bytes in hex where they are no text. */
static void token_value(pen *w, const char *p, size_t n, const int64_t *id)
{
    str hex = { 0 };
    pen_begin(w, '{', false);
    if (id) pen_int_at(w, "id", *id);
    if (utf8_check(p, n) == n && !memchr(p, 0, n)) {
        pen_key(w, "text");
        pen_bytes(w, p, n);
    } else {
        for (size_t i = 0; i < n; i++) str_printf(&hex, "%02x", (unsigned)(unsigned char)p[i]);
        w->s->failed |= hex.failed;
        pen_text_at(w, "hex", hex.failed ? "" : hex.p);
    }
    pen_end(w, '}');
    str_release(&hex);
}

static void cell_value(pen *w, const column *c, const table_cell *cell)
{
    if (!cell->given) {
        pen_text(w, NULL);
        return;
    }
    switch (c->kind) {
    case CELL_TEXT: pen_bytes(w, cell->p ? cell->p : "", cell->n); return;
    case CELL_INT: pen_int(w, cell->i); return;
    case CELL_REAL: pen_real(w, cell->x); return;
    case CELL_BOOL: pen_bool(w, cell->i); return;
    case CELL_TOKEN: token_value(w, cell->p ? cell->p : "", cell->n, &cell->i); return;
    }
}

static void table_columns(pen *w, const table *t)
{
    pen_key(w, "columns");
    pen_begin(w, '[', true);
    for (int i = 0; i < t->n_column; i++) {
        pen_begin(w, '{', false);
        pen_text_at(w, "name", t->col[i].name);
        pen_text_at(w, "kind", cell_kind_name(t->col[i].kind));
        pen_text_at(w, "unit", t->col[i].unit);
        pen_bool_at(w, "hashed", !t->col[i].informal && t->col[i].kind != CELL_TEXT);
        pen_end(w, '}');
    }
    pen_end(w, ']');
}

static void table_marks(pen *w, const table *t)
{
    int64_t at = 0;
    pen_key(w, "marks");
    pen_begin(w, '[', true);
    for (const table_line *row = t->first; row; row = row->next, at++) {
        for (int i = 0; i < t->n_column; i++) {
            if (row->cell[i].mark == MARK_NONE) continue;
            pen_begin(w, '{', false);
            pen_int_at(w, "row", at);
            pen_text_at(w, "column", t->col[i].name);
            pen_text_at(w, "mark", cell_mark_text(row->cell[i].mark));
            pen_end(w, '}');
        }
    }
    pen_end(w, ']');
}

static void table_value(pen *w, const table *t)
{
    pen_key(w, t->name);
    pen_begin(w, '{', true);
    table_columns(w, t);
    pen_key(w, "rows");
    pen_begin(w, '[', true);
    for (const table_line *row = t->first; row; row = row->next) {
        pen_begin(w, '[', false);
        for (int i = 0; i < t->n_column; i++) cell_value(w, &t->col[i], &row->cell[i]);
        pen_end(w, ']');
    }
    pen_end(w, ']');
    table_marks(w, t);
    pen_end(w, '}');
}

/* ---- tensors ---- */

/* One label or token, null where there is none. */
static void label_value(pen *w, const report_label *l)
{
    if (l->p && l->token) token_value(w, l->p, l->n, NULL);
    else if (l->p) pen_bytes(w, l->p, l->n);
    else pen_text(w, NULL);
}

static void array_labels(pen *w, const report_array *a)
{
    pen_key(w, "labels");
    pen_begin(w, '{', true);
    for (int i = 0; i < a->t.n_dim; i++) {
        if (!a->label[i]) continue;
        pen_key(w, a->axis[i]);
        pen_begin(w, '[', false);
        for (int64_t k = 0; k < a->t.dim[i]; k++) label_value(w, &a->label[i][k]);
        pen_end(w, ']');
    }
    pen_end(w, '}');
}

/* What is written in cells, where something is. */
static void array_cells(pen *w, const report_array *a)
{
    if (!a->cell || a->n_element > RENDER_JSON_MAX) return;
    pen_key(w, "cells");
    pen_begin(w, '[', false);
    for (int64_t i = 0; i < a->n_element; i++) label_value(w, &a->cell[i]);
    pen_end(w, ']');
}

static void array_data(pen *w, const report_array *a)
{
    if (a->n_element > RENDER_JSON_MAX) {
        pen_int_at(w, "omitted", a->n_element);
        return;
    }
    pen_key(w, "data");
    pen_begin(w, '[', false);
    for (int64_t i = 0; i < a->n_element; i++) pen_element(w, a, i);
    pen_end(w, ']');
}

/* Marked elements by what is said of them: {"incomplete": [3, 4]}, row-major indices. */
static void array_marks(pen *w, const report_array *a)
{
    pen_key(w, "marks");
    pen_begin(w, '{', true);
    for (int m = MARK_NONE + 1; a->mark && m < MARK_COUNT; m++) {
        bool any = false;
        for (int64_t i = 0; i < a->n_element; i++) {
            if (a->mark[i] != m) continue;
            if (!any) {
                pen_key(w, cell_mark_text((cell_mark)m));
                pen_begin(w, '[', false);
                any = true;
            }
            pen_int(w, i);
        }
        if (any) pen_end(w, ']');
    }
    pen_end(w, '}');
}

static void array_shape(pen *w, const report_array *a)
{
    pen_text_at(w, "dtype", dtype_name(a->t.dtype));
    pen_key(w, "axes");
    pen_begin(w, '[', false);
    for (int i = 0; i < a->t.n_dim; i++) pen_text(w, a->axis[i]);
    pen_end(w, ']');
    pen_key(w, "shape");
    pen_begin(w, '[', false);
    for (int i = 0; i < a->t.n_dim; i++) pen_int(w, a->t.dim[i]);
    pen_end(w, ']');
}

static void array_entry(pen *w, const report_array *a)
{
    pen_key(w, a->t.name);
    pen_begin(w, '{', true);
    array_shape(w, a);
    pen_text_at(w, "unit", a->unit);
    pen_bool_at(w, "hashed", !a->informal);
    array_labels(w, a);
    array_data(w, a);
    array_cells(w, a);
    array_marks(w, a);
    pen_end(w, '}');
}

/* ---- sections ---- */

static void figure_entry(pen *w, const figure *f)
{
    const report_array *a = f->array;
    pen_text_at(w, "figure", figure_kind_name(f->kind));
    pen_text_at(w, "title", f->title);
    pen_text_at(w, "tensor", a->t.name);
    if (f->row_axis >= 0) pen_text_at(w, "rows", a->axis[f->row_axis]);
    pen_text_at(w, "columns", a->axis[f->col_axis]);
    pen_key(w, "at");
    pen_begin(w, '{', false);
    for (int i = 0; i < a->t.n_dim; i++)
        if (i != f->row_axis && i != f->col_axis && f->kind != FIGURE_HEADS)
            pen_int_at(w, a->axis[i], f->at[i]);
    pen_end(w, '}');
    pen_text_at(w, "value", f->value);
    pen_real_at(w, "centre", f->centre);
    pen_real_at(w, "span", f->span);
    if (f->low) pen_text_at(w, "low", f->low->t.name);
    if (f->high) pen_text_at(w, "high", f->high->t.name);
}

static void section_entry(pen *w, const report_section *s)
{
    pen_begin(w, '{', false);
    switch (s->kind) {
    case SECTION_TABLE: pen_text_at(w, "table", s->table->name); break;
    case SECTION_NOTE: pen_text_at(w, "note", s->note); break;
    case SECTION_TENSOR: pen_text_at(w, "tensor", s->array->t.name); break;
    case SECTION_FIGURE: figure_entry(w, s->figure); break;
    }
    pen_end(w, '}');
}

/* ---- the certificate ---- */

static void named_hash(pen *w, const char *key, const char *name, const char *hash)
{
    pen_key(w, key);
    if (!name && !hash) {
        pen_text(w, NULL);
        return;
    }
    pen_begin(w, '{', false);
    pen_text_at(w, "name", name);
    pen_text_at(w, "hash", hash);
    pen_end(w, '}');
}

static void cert_lanes(pen *w, const certificate *c)
{
    pen_key(w, "lanes");
    pen_begin(w, '[', true);
    for (const cert_lane *l = c->lane; l; l = l->next) {
        pen_begin(w, '{', false);
        pen_text_at(w, "name", l->name);
        pen_text_at(w, "text", l->text);
        pen_key(w, "ids");
        pen_begin(w, '[', false);
        for (int64_t i = 0; i < l->n; i++) pen_int(w, l->id[i]);
        pen_end(w, ']');
        pen_end(w, '}');
    }
    pen_end(w, ']');
}

static void cert_controls(pen *w, const certificate *c)
{
    pen_key(w, "controls");
    pen_begin(w, '[', true);
    for (const cert_control *i = c->control; i; i = i->next) {
        pen_begin(w, '{', false);
        pen_text_at(w, "name", i->name);
        pen_key(w, "value");
        if (i->has_value) pen_real(w, i->value);
        else pen_text(w, NULL);
        pen_text_at(w, "text", i->text);
        pen_end(w, '}');
    }
    pen_end(w, ']');
}

/* A seed has 64 bits, more than readers of JSON keep of a number: it is a string. */
static void seed_at(pen *w, uint64_t seed)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
    pen_text_at(w, "seed", text);
}

static void cert_intervals(pen *w, const certificate *c)
{
    pen_key(w, "intervals");
    pen_begin(w, '[', true);
    for (const cert_interval *i = c->interval; i; i = i->next) {
        pen_begin(w, '{', false);
        pen_text_at(w, "name", i->name);
        pen_real_at(w, "estimate", i->v.estimate);
        pen_real_at(w, "low", i->v.low);
        pen_real_at(w, "high", i->v.high);
        pen_real_at(w, "level", i->v.level);
        pen_int_at(w, "n", i->v.n);
        pen_int_at(w, "resamples", i->v.n_resample);
        seed_at(w, i->v.seed);
        pen_text_at(w, "stream", i->v.stream);
        pen_text_at(w, "method", i->v.method);
        pen_end(w, '}');
    }
    pen_end(w, ']');
}

static void cert_seeds_and_warnings(pen *w, const certificate *c)
{
    pen_key(w, "seeds");
    pen_begin(w, '[', true);
    for (const cert_seed *i = c->seed; i; i = i->next) {
        pen_begin(w, '{', false);
        pen_text_at(w, "stream", i->stream);
        seed_at(w, i->seed);
        pen_end(w, '}');
    }
    pen_end(w, ']');
    pen_key(w, "warnings");
    pen_begin(w, '[', true);
    for (const cert_warning *i = c->warning; i; i = i->next) pen_text(w, i->text);
    pen_end(w, ']');
}

static void cert_files(pen *w, const certificate *c)
{
    pen_key(w, "files");
    pen_begin(w, '[', true);
    for (const cert_file *i = c->file; i; i = i->next) {
        pen_begin(w, '{', false);
        pen_text_at(w, "path", i->path);
        pen_text_at(w, "hash", i->hash);
        pen_end(w, '}');
    }
    pen_end(w, ']');
}

static void cert_machine(pen *w, const certificate *c)
{
    pen_key(w, "machine");
    pen_begin(w, '{', false);
    pen_text_at(w, "backend", c->backend);
    pen_int_at(w, "threads", c->n_thread);
    pen_real_at(w, "seconds", c->seconds);
    pen_int_at(w, "runs", c->n_run);
    pen_int_at(w, "forks", c->n_fork);
    pen_end(w, '}');
}

static void cert_entry(pen *w, const certificate *c)
{
    pen_key(w, "certificate");
    pen_begin(w, '{', true);
    named_hash(w, "model", c->model, c->model_hash);
    named_hash(w, "tokenizer", c->tokenizer, c->tokenizer_hash);
    pen_text_at(w, "input_hash", c->input_hash);
    pen_text_at(w, "engine", c->engine);
    pen_text_at(w, "precision", c->precision);
    pen_text_at(w, "approximation", c->approximation);
    cert_lanes(w, c);
    cert_files(w, c);
    cert_controls(w, c);
    cert_intervals(w, c);
    cert_seeds_and_warnings(w, c);
    pen_text_at(w, "not_replayable", c->replayable ? NULL : c->not_replayable);
    cert_machine(w, c);
    pen_end(w, '}');
}

/* ---- the document ---- */

static void head(pen *w, const report *r)
{
    pen_int_at(w, REPORT_JSON_KEY, REPORT_JSON_VERSION);
    pen_text_at(w, "instrument", r->instrument);
    pen_text_at(w, "title", r->title);
    pen_text_at(w, "hash", r->cert.hash);
    pen_bool_at(w, "complete", r->cert.complete);
    pen_key(w, "request");
    pen_json(w, r->cert.request);
    pen_key(w, "where");
    pen_json(w, r->cert.where);
}

status render_json(const report *r, str *out, error *err)
{
    str s = { 0 };
    pen w = { .s = &s };
    pen_begin(&w, '{', true);
    head(&w, r);
    pen_key(&w, "sections");
    pen_begin(&w, '[', true);
    for (const report_section *i = r->section; i; i = i->next) section_entry(&w, i);
    pen_end(&w, ']');
    pen_key(&w, "tables");
    pen_begin(&w, '{', true);
    for (const table *t = r->table; t; t = t->next) table_value(&w, t);
    pen_end(&w, '}');
    pen_key(&w, "tensors");
    pen_begin(&w, '{', true);
    for (const report_array *a = r->array; a; a = a->next) array_entry(&w, a);
    pen_end(&w, '}');
    cert_entry(&w, &r->cert);
    pen_end(&w, '}');
    str_puts(&s, "\n");
    if (s.failed) {
        str_release(&s);
        return error_set(err, E_NOMEM, "report: out of memory");
    }
    *out = s;
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
