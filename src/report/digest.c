/* digest -- the two hashes of a report.  What they are over is said in report.h.
 *
 * Every fact is written as a tag, its length and its bytes, so that no two reports run together
 * into the same stream.  Numbers are little-endian; a double is its bits, with one NaN for all. */
#include "base/hash.h"
#include "report/build.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void add_bytes(hash *h, const char *tag, const void *bytes, size_t n)
{
    unsigned char size[8];
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)n >> 8 * i);
    hash_add(h, tag, strlen(tag) + 1);
    hash_add(h, size, sizeof size);
    hash_add(h, bytes, n);
}

static void add_text(hash *h, const char *tag, const char *text)
{
    add_bytes(h, tag, text ? text : "", text ? strlen(text) : 0);
}

static void add_word(hash *h, const char *tag, uint64_t v)
{
    unsigned char b[8];
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)(v >> 8 * i);
    add_bytes(h, tag, b, sizeof b);
}

static void add_real(hash *h, const char *tag, double x)
{
    uint64_t bits = UINT64_C(0x7ff8000000000000);
    if (!isnan(x)) memcpy(&bits, &x, sizeof bits);
    add_word(h, tag, bits);
}

/* ---- tensors ---- */

/* The bits of `n` numbers in chunks, NaNs made one, bytes in little-endian order. */
static void add_numbers(hash *h, const report_array *a)
{
    unsigned char chunk[4096];
    size_t width = dtype_bytes(a->t.dtype), used = 0;
    add_word(h, "bytes", a->t.bytes);
    for (int64_t i = 0; i < a->n_element; i++) {
        uint64_t bits = 0;
        uint32_t half;
        if (a->t.dtype == DTYPE_F32) {
            memcpy(&half, (const char *)a->t.data + (size_t)i * width, sizeof half);
            bits = (half & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : half;
        } else {
            memcpy(&bits, (const char *)a->t.data + (size_t)i * width, sizeof bits);
            if (a->t.dtype == DTYPE_F64 && isnan(((const double *)a->t.data)[i]))
                bits = UINT64_C(0x7ff8000000000000);
        }
        for (size_t b = 0; b < width; b++) chunk[used++] = (unsigned char)(bits >> 8 * b);
        if (used + width > sizeof chunk) hash_add(h, chunk, used), used = 0;
    }
    hash_add(h, chunk, used);
}

static void add_array(hash *h, const report_array *a)
{
    add_text(h, "tensor", a->t.name);
    add_text(h, "dtype", dtype_name(a->t.dtype));
    for (int i = 0; i < a->t.n_dim; i++) {
        add_text(h, "axis", a->axis[i]);
        add_word(h, "dim", (uint64_t)a->t.dim[i]);
    }
    add_numbers(h, a);
}

/* ---- tables ---- */

static bool formal(const column *c) { return !c->informal && c->kind != CELL_TEXT; }

static void add_cell(hash *h, const column *c, const table_cell *cell)
{
    if (!cell->given) {
        add_bytes(h, "none", NULL, 0);
        return;
    }
    if (c->kind == CELL_REAL) add_real(h, "real", cell->x);
    else add_word(h, cell_kind_name(c->kind), (uint64_t)cell->i);
    if (c->kind == CELL_TOKEN) add_bytes(h, "token bytes", cell->p, cell->n);
}

static void add_table(hash *h, const table *t)
{
    bool any = false;
    for (int i = 0; i < t->n_column; i++) any |= formal(&t->col[i]);
    if (!any) return;
    add_text(h, "table", t->name);
    for (int i = 0; i < t->n_column; i++)
        if (formal(&t->col[i])) add_text(h, "column", t->col[i].name);
    add_word(h, "rows", (uint64_t)t->n_row);
    for (const table_line *row = t->first; row; row = row->next)
        for (int i = 0; i < t->n_column; i++)
            if (formal(&t->col[i])) add_cell(h, &t->col[i], &row->cell[i]);
}

/* ---- the certificate ---- */

static void add_inputs(hash *h, const certificate *c)
{
    add_text(h, "model", c->model_hash);
    for (const cert_lane *l = c->lane; l; l = l->next) {
        add_text(h, "lane", l->name);
        add_word(h, "tokens", (uint64_t)l->n);
        for (int64_t i = 0; i < l->n; i++) add_word(h, "id", (uint64_t)l->id[i]);
    }
}

static void add_files(hash *h, const certificate *c)
{
    for (const cert_file *i = c->file; i; i = i->next) add_text(h, "file", i->hash);
}

static void add_method(hash *h, const certificate *c)
{
    add_text(h, "precision", c->precision);
    add_text(h, "approximation", c->approximation);
    add_word(h, "complete", c->complete);
    for (const cert_control *i = c->control; i; i = i->next) {
        add_text(h, "control", i->name);
        if (i->has_value) add_real(h, "value", i->value);
    }
    for (const cert_interval *i = c->interval; i; i = i->next) {
        add_text(h, "interval", i->name);
        add_text(h, "stream", i->v.stream);
        add_word(h, "seed", i->v.seed);
        add_word(h, "sample", (uint64_t)i->v.n);
        add_word(h, "resamples", (uint64_t)i->v.n_resample);
        const double bound[] = { i->v.level, i->v.estimate, i->v.low, i->v.high };
        for (int k = 0; k < 4; k++) add_real(h, "bound", bound[k]);
    }
}

static status add_request(hash *h, const json_t *request)
{
    str s = { 0 };
    bool failed;
    if (request) json_canonical(&s, request);
    if (!(failed = s.failed)) add_bytes(h, "request", s.p, s.n);
    str_release(&s);
    return failed ? E_NOMEM : E_OK;
}

static void digest(const hash *h, char out[CERT_HASH])
{
    char digits[HASH_TEXT];
    hash_text(h, digits);
    snprintf(out, CERT_HASH, "xxh3-128:%s", digits);
}

status report_asked(const report *r, char out[CERT_HASH], error *err)
{
    hash *h = hash_new();
    if (!h) return error_set(err, E_NOMEM, "report: out of memory");
    add_inputs(h, &r->cert);
    add_files(h, &r->cert);
    status st = add_request(h, r->cert.request);
    add_text(h, "precision", r->cert.precision);
    add_text(h, "engine", r->cert.engine);
    if (st == E_OK) digest(h, out);
    else error_set(err, st, "report: out of memory");
    hash_free(h);
    return st;
}

void build_hashes(report *r)
{
    hash *h = hash_new();
    if (!h) {
        report_fail(r, E_NOMEM, "report: out of memory");
        return;
    }
    char inputs[CERT_HASH], all[CERT_HASH];
    add_inputs(h, &r->cert);
    add_files(h, &r->cert);
    digest(h, inputs);
    if (add_request(h, r->cert.request) != E_OK) report_fail(r, E_NOMEM, "report: out of memory");
    add_method(h, &r->cert);
    for (const report_array *a = r->array; a; a = a->next)
        if (!a->informal) add_array(h, a);
    for (const table *t = r->table; t; t = t->next) add_table(h, t);
    digest(h, all);
    hash_free(h);
    if (r->failed) return;
    memcpy(r->cert.input_hash, inputs, sizeof inputs);
    memcpy(r->cert.hash, all, sizeof all);
}
/* SPDX-License-Identifier: MIT */
