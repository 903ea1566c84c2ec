/* circuits -- see circuits.h: what the parts share. */
#include "instrument/circuits.h"
#include "tensor/draw.h"
#include <string.h>

/* One head's four triangles; by a worker, so with memory of its own. */
typedef struct factoring {
    circuits *c;
    status *st; /* [head] */
    error *err; /* [head] */
} factoring;

int32_t circuits_columns(const circuits *c, head_matrix which)
{
    return which == HEAD_Q || which == HEAD_K ? c->x.d_head : c->x.d_value;
}

int32_t circuits_widest(const circuits *c)
{
    return c->x.d_head > c->x.d_value ? c->x.d_head : c->x.d_value;
}

status circuits_factor(const circuits *c, int64_t at, head_matrix which, double *m, double *q,
                       double *r, error *err)
{
    const head_weights *x = &c->x;
    int32_t n = circuits_columns(c, which), d = x->d_model;
    head_weights_get(x, (int)(at / x->n_head), (int32_t)(at % x->n_head), which, m);
    double *t = m + (int64_t)n * d; /* W_O is taken transposed */
    for (int32_t i = 0; which == HEAD_O && i < n; i++)
        for (int32_t j = 0; j < d; j++) t[(int64_t)j * n + i] = m[(int64_t)i * d + j];
    return linalg_qr(q, r, which == HEAD_O ? t : m, d, n, err);
}

/* Only r is kept, its first rows: of a head wider than the stream it has more columns than rows. */
static status factor(const circuits *c, int64_t at, head_matrix k, double *m, error *err)
{
    int32_t n = circuits_columns(c, k);
    double *r = m + 2 * (int64_t)n * c->x.d_model;
    status st = circuits_factor(c, at, k, m, NULL, r, err);
    if (st == E_OK) memcpy(c->r[k][at], r, (size_t)c->core[k] * n * sizeof *r);
    return st;
}

static void factor_heads(void *user, int64_t first, int64_t end)
{
    factoring *f = user;
    int32_t d = f->c->x.d_model, n = circuits_widest(f->c);
    arena mem = { 0 };
    double *m = arena_array(&mem, (int64_t)n * (2 * (int64_t)d + n) + 1, sizeof *m);
    for (int64_t at = first; at < end; at++) {
        f->st[at] = m ? E_OK : work_nomem(f->c->w, &f->err[at]);
        for (int k = 0; k < N_HEAD_MATRIX && f->st[at] == E_OK; k++)
            f->st[at] = factor(f->c, at, (head_matrix)k, m, &f->err[at]);
    }
    arena_release(&mem);
}

status circuits_open(circuits *c, work *w, error *err)
{
    *c = (circuits){ .w = w };
    status st = head_weights_open(&c->x, w, err);
    if (st != E_OK) return st;
    c->n_head = (int64_t)c->x.n_layer * c->x.n_head;
    factoring f = { c, arena_array(&w->mem, c->n_head, sizeof(status)),
                    arena_array(&w->mem, c->n_head, sizeof(error)) };
    for (int k = 0; k < N_HEAD_MATRIX; k++) {
        int32_t n = circuits_columns(c, (head_matrix)k);
        c->core[k] = n < c->x.d_model ? n : c->x.d_model;
        c->r[k] = arena_array(&w->mem, c->n_head, sizeof(double *));
        for (int64_t i = 0; c->r[k] && i < c->n_head; i++)
            c->r[k][i] = arena_array(&w->mem, (int64_t)c->core[k] * n, sizeof(double));
    }
    if (w->mem.failed) return work_nomem(w, err);
    pool_run(w->e->pool, factor_heads, &f, c->n_head);
    for (int64_t i = 0; i < c->n_head; i++)
        if (f.st[i] != E_OK) {
            error_set(err, f.st[i], "weights: layer %d, head %lld: %s", c->x.layer[i / c->x.n_head],
                      (long long)(i % c->x.n_head), f.err[i].msg);
            return f.st[i];
        }
    return E_OK;
}

double *circuits_tensor(circuits *c, const char *name, const char *axis, int64_t n)
{
    char axes[80];
    snprintf(axes, sizeof axes, "layer head%s%s", axis ? " " : "", axis ? axis : "");
    double *out =
        report_tensor(c->w->r, name, DTYPE_F64, axes, (int64_t[]){ c->x.n_layer, c->x.n_head, n });
    if (out) head_weights_label(&c->x, name, "layer", "head");
    return out;
}

void best_offer(best *b, int32_t id, double x)
{
    int32_t k = b->have;
    while (k > 0 && (x > b->x[k - 1] || (x == b->x[k - 1] && id < b->id[k - 1]))) k--;
    if (k >= b->n || x != x) return;
    if (b->have < b->n) b->have++;
    for (int32_t i = b->have - 1; i > k; i--) b->id[i] = b->id[i - 1], b->x[i] = b->x[i - 1];
    b->id[k] = id, b->x[k] = x;
}

best *best_new(arena *mem, int64_t many, int32_t n)
{
    best *list = arena_array(mem, many + 1, sizeof *list);
    int32_t *id = arena_array(mem, many * n + 1, sizeof *id);
    double *x = arena_array(mem, many * n + 1, sizeof *x);
    for (int64_t i = 0; list && id && x && i < many; i++)
        list[i] = (best){ .n = n, .id = id + i * n, .x = x + i * n };
    return id && x ? list : NULL;
}

void circuits_random(const circuits *c, const char *stream, int64_t at, double *out, int64_t m)
{
    uint32_t s = rand_stream(stream);
    for (int64_t i = 0; i < m; i++) out[i] = (double)draw_normal(c->w->seed, s, (uint64_t)(at + i));
}

/* One circuit of one head, a [d, k] times b: b is [d, k] (QK) or [k, d] (OV). */
static status put_matrix(circuits *c, int64_t at, bool qk, double *a, double *b, double *out,
                         error *err)
{
    const head_weights *x = &c->x;
    int i = (int)(at / x->n_head);
    int32_t h = (int32_t)(at % x->n_head);
    head_weights_get(x, i, h, qk ? HEAD_Q : HEAD_V, a);
    head_weights_get(x, i, h, qk ? HEAD_K : HEAD_O, b);
    return linalg_product_on(c->w->e->pool, out, a, b, x->d_model, qk ? x->d_head : x->d_value,
                             x->d_model, qk ? LINALG_ABT : LINALG_AB, err);
}

status circuits_matrices(circuits *c, error *err)
{
    int64_t d = c->x.d_model, n = circuits_widest(c);
    double *a = arena_array(&c->w->mem, d * n, sizeof *a),
           *b = arena_array(&c->w->mem, d * n, sizeof *b);
    if (!a || !b) return work_nomem(c->w, err);
    if (c->n_head * d * d > (int64_t)1 << 27) {
        error_set(err, E_LIMIT, "weights: QK and OV are %lld numbers each, at most %d are written",
                  (long long)(c->n_head * d * d), 1 << 27);
        error_hint(err, "name some layers with --layer; their factors are the model's own weights");
        return E_LIMIT;
    }
    for (int qk = 0; qk < 2; qk++) {
        const char *name = qk ? "QK" : "OV";
        double *out = report_tensor(c->w->r, name, DTYPE_F64, "layer head from to",
                                    (int64_t[]){ c->x.n_layer, c->x.n_head, d, d });
        if (!out) return E_OK; /* the report says why */
        head_weights_label(&c->x, name, "layer", "head");
        for (int64_t i = 0; i < c->n_head; i++) {
            status st = put_matrix(c, i, qk, a, b, out + i * d * d, err);
            if (st != E_OK) return st;
        }
        report_show_tensor(c->w->r, name);
    }
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
