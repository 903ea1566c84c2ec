/* head_weights -- see head_weights.h. */
#include "instrument/head_weights.h"
#include "instrument/unembed.h"
#include "tensor/draw.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 256 };
static const int64_t NUMBERS_MAX = (int64_t)1 << 29; /* 4 GiB of float64 */

/* ---- finding the nodes ---- */

static node *site(const work *w, int layer, const char *thing)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", layer, thing);
    return graph_find(&w->m->g, name);
}

/* The named value of d_model numbers that n is made of; where gains are folded, what the norm's gain is put on. */
static const node *read_by(const head_weights *x, const node *n)
{
    const graph *g = &x->w->m->g;
    do n = n->n_in ? n->in[0] : NULL;
    while (n &&
           !(n->n_part == 1 && n->width == x->d_model && n->extent == ROW && graph_name(g, n)));
    if (!n || !x->gain || !n->n_in) return n;
    const char *before = graph_name(g, n->in[0]);
    return before && str_ends(before, ".normalized") ? n->in[0] : n;
}

/* ---- maps ---- */

/* Unit rows through a cone: out [from's numbers][parts * width].  Heads of z get the same unit row each. */
static status map_units(cone *c, const node *to, int32_t n, int32_t repeat, double *out, error *err)
{
    work *w = c->w;
    status st = E_OK;
    int64_t wide = (int64_t)to->n_part * to->width;
    double *unit = arena_array(&w->mem, (int64_t)ROWS * n * repeat, sizeof *unit);
    if (!unit) return work_nomem(w, err);
    for (int32_t first = 0; first < n && st == E_OK; first += ROWS) {
        int32_t rows = n - first < ROWS ? n - first : ROWS;
        memset(unit, 0, (size_t)rows * n * repeat * sizeof *unit);
        for (int32_t i = 0; i < rows; i++)
            for (int32_t k = 0; k < repeat; k++)
                unit[((int64_t)i * repeat + k) * n + first + i] = 1;
        cone_end end = { .n = to, .out = out + first * wide };
        st = cone_rows(c, unit, rows, &end, 1, err);
    }
    return st;
}

/* Is what the unit rows said true of a small random row? */
static status check_linear(cone *c, const node *to, int32_t n, const double *m, const char *what,
                           error *err)
{
    work *w = c->w;
    int64_t wide = (int64_t)to->n_part * to->width;
    double *x = arena_array(&w->mem, n, sizeof *x), *y = arena_array(&w->mem, wide, sizeof *y);
    if (!x || !y) return work_nomem(w, err);
    for (int32_t i = 0; i < n; i++)
        x[i] = 0.01 * (double)draw_normal(0, rand_stream("linear"), (uint64_t)i);
    cone_end end = { .n = to, .out = y };
    status st = cone_rows(c, x, 1, &end, 1, err);
    double size = 0, off = 0;
    for (int64_t j = 0; j < wide && st == E_OK; j++) {
        double sum = 0;
        for (int32_t i = 0; i < n; i++) sum += x[i] * m[i * wide + j];
        size = fmax(size, fabs(sum)), off = fmax(off, number_gap(y[j], sum));
    }
    if (st != E_OK || off <= 1e-3 * size) return st;
    return error_set(err, E_UNSUPPORTED,
                     "%s: %s is no linear function of what attention reads: no matrix says it",
                     w->def->name, what);
}

static status map_in(head_weights *x, const char *thing, node *to, double **out, error *err)
{
    const node *from = read_by(x, to);
    cone c;
    node *copy;
    int64_t n = (int64_t)x->d_model * to->n_part * to->width;
    if (!from)
        return error_set(err, E_UNSUPPORTED, "%s: no site of d_model numbers is read by %s",
                         x->w->def->name, thing);
    *out = arena_array(&x->w->mem, n, sizeof **out);
    if (!*out) return work_nomem(x->w, err);
    status st = cone_open(&c, x->w, from, true, err);
    arena_mark here = arena_here(&x->w->mem);
    if (st == E_OK) st = cone_to(&c, to, &copy, err);
    if (st == E_OK) st = map_units(&c, copy, x->d_model, 1, *out, err);
    if (st == E_OK) st = check_linear(&c, copy, x->d_model, *out, thing, err);
    arena_rewind(&x->w->mem, here);
    return st;
}

/* [d_value][head][d_model], as it comes, into [head][d_value][d_model]. */
static status map_out(head_weights *x, node *z, node *result, double **out, error *err)
{
    work *w = x->w;
    cone c;
    int64_t n = (int64_t)x->n_head * x->d_value * x->d_model;
    *out = arena_array(&w->mem, n, sizeof **out);
    status st = *out ? cone_open(&c, w, z, true, err) : work_nomem(w, err);
    if (st != E_OK) return st;
    arena_mark here = arena_here(&w->mem);
    double *v = arena_array(&w->mem, n, sizeof *v);
    node *copy = NULL;
    st = v ? cone_to(&c, result, &copy, err) : work_nomem(w, err);
    if (st == E_OK) st = map_units(&c, copy, x->d_value, x->n_head, v, err);
    for (int32_t i = 0; st == E_OK && i < x->d_value; i++)
        for (int32_t h = 0; h < x->n_head; h++)
            memcpy(*out + ((int64_t)h * x->d_value + i) * x->d_model,
                   v + ((int64_t)i * x->n_head + h) * x->d_model, (size_t)x->d_model * sizeof *v);
    arena_rewind(&w->mem, here);
    return st;
}

/* ---- folding ---- */

/* Columns less their means; rows less theirs. */
static void centre_columns(double *m, int64_t n_row, int64_t n_col)
{
    for (int64_t j = 0; j < n_col; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n_row; i++) sum += m[i * n_col + j];
        for (int64_t i = 0; i < n_row; i++) m[i * n_col + j] -= sum / (double)n_row;
    }
}

static void centre_rows(double *m, int64_t n_row, int64_t n_col)
{
    for (int64_t i = 0; i < n_row; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n_col; j++) sum += m[i * n_col + j];
        for (int64_t j = 0; j < n_col; j++) m[i * n_col + j] -= sum / (double)n_col;
    }
}

static void find_fold(head_weights *x)
{
    const char *fold = work_text(x->w, "fold");
    x->gain = strcmp(fold, "none") != 0;
    x->centre = !strcmp(fold, "all") && !strcmp(x->w->m->config.norm, "layernorm");
}

/* ---- opening ---- */

static status load_layer(head_weights *x, int layer, error *err)
{
    static const char *const names[] = { "attn.q", "attn.k", "attn.v" };
    work *w = x->w;
    node *n[N_HEAD_MATRIX], *z = site(w, layer, "attn.z"), *result = site(w, layer, "attn.result");
    for (int k = 0; k < 3; k++) {
        char raw[16];
        snprintf(raw, sizeof raw, "%s_raw", names[k]);
        n[k] = site(w, layer, raw);
        if (!n[k]) n[k] = site(w, layer, names[k]);
        if (!n[k] || !z || !result)
            return error_set(err, E_NOSITE, "%s: %s has no blocks.%d.%s: no attention there",
                             w->def->name, w->m->name, layer, names[k]);
    }
    if (!x->n_layer)
        x->n_head = n[0]->n_part, x->n_kv = n[1]->n_part, x->d_head = n[0]->width,
        x->d_value = z->width;
    if (n[0]->n_part != x->n_head || n[1]->n_part != x->n_kv || n[0]->width != x->d_head ||
        z->width != x->d_value || n[2]->n_part != x->n_kv || z->n_part != x->n_head)
        return error_set(err, E_UNSUPPORTED,
                         "%s: heads of layer %d have another shape than those of layer %d: name "
                         "layers of one shape with --layer",
                         w->def->name, layer, x->n_layer ? x->layer[0] : layer);
    int i = x->n_layer;
    status st = E_OK;
    for (int k = 0; k < 3 && st == E_OK; k++) {
        st = map_in(x, names[k], n[k], &x->m[k][i], err);
        if (st == E_OK && x->centre)
            centre_columns(x->m[k][i], x->d_model, (int64_t)n[k]->n_part * n[k]->width);
    }
    if (st == E_OK) st = map_out(x, z, result, &x->m[HEAD_O][i], err);
    if (st != E_OK) return st;
    if (x->centre) centre_rows(x->m[HEAD_O][i], (int64_t)x->n_head * x->d_value, x->d_model);
    x->layer[x->n_layer++] = layer;
    return E_OK;
}

/* A token's row as the stream gets it: scaled or projected where the model does that. */
static node *embedding(const head_weights *x)
{
    static const char *const names[] = { "embed_scaled", "embed_projected", "embed" };
    for (int i = 0; i < 3; i++) {
        node *n = graph_find(&x->w->m->g, names[i]);
        if (n && n->width == x->d_model) return n;
    }
    return NULL;
}

static status find_ends(head_weights *x, error *err)
{
    work *w = x->w;
    node *logits = unembed_raw(w->m);
    const node *from = read_by(x, logits);
    x->embed = embedding(x);
    if (!x->embed || !from)
        return error_set(err, E_UNSUPPORTED,
                         "%s: %s has no site embed of d_model numbers, or none that logits read",
                         w->def->name, w->m->name);
    status st = cone_open(&x->behind, w, from, true, err);
    return st == E_OK ? cone_to(&x->behind, logits, &x->logits, err) : st;
}

status head_weights_open(head_weights *x, work *w, error *err)
{
    int n = w->m->config.n_layer, count = 0;
    *x = (head_weights){ .w = w, .d_model = w->m->config.d_model, .n_vocab = w->m->logits->n_part };
    bool *on = arena_array(&w->mem, n, sizeof *on);
    x->layer = arena_array(&w->mem, n, sizeof *x->layer);
    for (int k = 0; k < N_HEAD_MATRIX; k++) x->m[k] = arena_array(&w->mem, n, sizeof *x->m[k]);
    if (w->mem.failed) return work_nomem(w, err);
    find_fold(x);
    status st = work_layers(w, "layer", on, err);
    for (int l = 0; l < n; l++) count += on[l];
    int64_t each = 4 * (int64_t)x->d_model * w->m->config.n_head * w->m->config.d_head;
    if (st == E_OK && each * count > NUMBERS_MAX) {
        error_set(err, E_LIMIT,
                  "%s: the weights of %d layers' heads are %lld numbers, at most %lld",
                  w->def->name, count, (long long)(each * count), (long long)NUMBERS_MAX);
        error_hint(err, "name some layers with --layer");
        return E_LIMIT;
    }
    for (int l = 0; l < n && st == E_OK; l++) {
        if (!on[l]) continue;
        st = work_tell(w, "weights", (double)l / n, err);
        if (st == E_OK) st = load_layer(x, l, err);
    }
    return st == E_OK ? find_ends(x, err) : st;
}

/* ---- asking ---- */

void head_weights_get(const head_weights *x, int i, int32_t head, head_matrix which, double *out)
{
    const double *m = x->m[which][i];
    if (which == HEAD_O) {
        int64_t n = (int64_t)x->d_value * x->d_model;
        memcpy(out, m + head * n, (size_t)n * sizeof *out);
        return;
    }
    int32_t parts = which == HEAD_Q ? x->n_head : x->n_kv,
            width = which == HEAD_V ? x->d_value : x->d_head;
    int32_t part = which == HEAD_Q ? head : head / (x->n_head / x->n_kv);
    for (int32_t r = 0; r < x->d_model; r++)
        memcpy(out + (int64_t)r * width, m + ((int64_t)r * parts + part) * width,
               (size_t)width * sizeof *out);
}

status head_weights_embed(head_weights *x, const int64_t *id, int32_t n, double *out, error *err)
{
    work *w = x->w;
    lane *l = NULL;
    arena_mark here = arena_here(&w->mem);
    double *v = arena_array(&w->mem, n, sizeof *v);
    box b = { 0, n, 0, 1 };
    for (int32_t i = 0; v && i < n; i++) v[i] = (double)id[i];
    status st = v ? lane_new(&l, w->s, NULL, n, err) : work_nomem(w, err);
    if (st == E_OK) st = ids_give(v, NULL, w->m, l, err);
    if (st == E_OK) st = lane_ask(l, x->embed, b, err);
    if (st == E_OK) st = work_run(w, err);
    if (st == E_OK) st = lane_read(l, x->embed, b, out, err);
    if (l) lane_drop(l);
    arena_rewind(&w->mem, here);
    if (st == E_OK && x->centre) centre_rows(out, n, x->d_model);
    return st;
}

status head_weights_unembed(head_weights *x, const double *rows, int32_t n, int32_t first,
                            int32_t end, double *out, error *err)
{
    work *w = x->w;
    arena_mark here = arena_here(&w->mem);
    int64_t all = (int64_t)n * x->d_model;
    cone_end to = { x->logits, first, end, out };
    if (x->centre) { /* rows less their means times W: rows times W less its means */
        double *v = arena_array(&w->mem, all, sizeof *v);
        if (!v) return work_nomem(w, err);
        memcpy(v, rows, (size_t)all * sizeof *v);
        centre_rows(v, n, x->d_model);
        rows = v;
    }
    status st = cone_rows(&x->behind, rows, n, &to, 1, err);
    arena_rewind(&w->mem, here);
    return st;
}

void head_weights_label(const head_weights *x, const char *tensor, const char *layer_axis,
                        const char *head_axis)
{
    work_label_layers(x->w, tensor, layer_axis, x->layer, x->n_layer);
    report_axis_numbers(x->w->r, tensor, head_axis, "H");
}
/* SPDX-License-Identifier: MIT */
