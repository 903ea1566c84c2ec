/* circuits_svd -- the singular directions of OV and QK, as the tokens that they read and write.
 *
 * With W_V = Q_V r_V and W_O' = Q_O r_O, OV = Q_V (r_V r_O') Q_O': the small matrix in the middle has OV's singular values,
 * and its singular vectors times Q_V and Q_O are OV's.  A direction u of OV is read (tokens with large W_E u) and written as v
 * (tokens with large v W_U); of QK, u is the query's side and v the key's, both by W_E.  A pair's sign is free: (u, v) and
 * (-u, -v) are one direction, and both ends are shown. */
#include "instrument/circuits.h"
#include <string.h>

enum { TOKENS = 2048, WORDS = 3 };

typedef struct directions {
    circuits *c;
    bool qk;
    int32_t k, n;       /* singular values; directions shown of each head */
    double *s;          /* [head][k], the report's tensor */
    double *u, *v;      /* [head][n][d_model] */
    best *read, *write; /* [head][n][2 ends] */
    status *st;
    error *err;
} directions;

static status svd_head(directions *f, int64_t at, error *err)
{
    const circuits *c = f->c;
    int32_t d = c->x.d_model, n = f->qk ? c->x.d_head : c->x.d_value, core = n < d ? n : d;
    arena mem = { 0 };
    double *m = arena_array(&mem, 2 * (int64_t)n * d, sizeof *m), *q[2], *r[2];
    for (int i = 0; i < 2; i++) {
        q[i] = arena_array(&mem, (int64_t)d * core, sizeof(double));
        r[i] = arena_array(&mem, (int64_t)core * n, sizeof(double));
    }
    double *mid = arena_array(&mem, (int64_t)core * core, sizeof *mid),
           *left = arena_array(&mem, (int64_t)core * core, sizeof *left),
           *right = arena_array(&mem, (int64_t)core * core, sizeof *right),
           *all = arena_array(&mem, (int64_t)core * d, sizeof *all);
    status st = mem.failed ? work_nomem(c->w, err) : E_OK;
    if (st == E_OK) st = circuits_factor(c, at, f->qk ? HEAD_Q : HEAD_V, m, q[0], r[0], err);
    if (st == E_OK) st = circuits_factor(c, at, f->qk ? HEAD_K : HEAD_O, m, q[1], r[1], err);
    if (st == E_OK) st = linalg_product(mid, r[0], r[1], core, n, core, LINALG_ABT, err);
    if (st == E_OK) st = linalg_svd(left, f->s + at * f->k, right, mid, core, core, err);
    for (int side = 0; side < 2 && st == E_OK; side++) {
        /* rows of u': left' q0'; rows of v': right q1' */
        double *out = (side ? f->v : f->u) + at * f->n * d;
        if (!side) {
            for (int32_t i = 0; i < core; i++)
                for (int32_t j = 0; j < core; j++) mid[j * core + i] = left[i * core + j];
        }
        st = linalg_product(all, side ? right : mid, q[side], core, core, d, LINALG_ABT, err);
        if (st == E_OK) memcpy(out, all, (size_t)f->n * d * sizeof *out);
    }
    arena_release(&mem);
    return st;
}

static void svd_heads(void *user, int64_t first, int64_t end)
{
    directions *f = user;
    for (int64_t at = first; at < end; at++) f->st[at] = svd_head(f, at, &f->err[at]);
}

/* ---- tokens ---- */

static void offer(best *ends, int32_t id, double x)
{
    best_offer(&ends[0], id, x), best_offer(&ends[1], id, -x);
}

/* Which tokens W_E has most along each of `n_dir` directions. */
static status by_embedding(directions *f, const double *dir, int64_t n_dir, best *out, error *err)
{
    circuits *c = f->c;
    int32_t d = c->x.d_model;
    arena *mem = &c->w->mem;
    arena_mark here = arena_here(mem);
    double *e = arena_array(mem, (int64_t)TOKENS * d, sizeof *e),
           *y = arena_array(mem, TOKENS * n_dir, sizeof *y);
    int64_t id[TOKENS];
    status st = e && y ? E_OK : work_nomem(c->w, err);
    for (int32_t first = 0; first < c->x.n_vocab && st == E_OK; first += TOKENS) {
        int32_t n = c->x.n_vocab - first < TOKENS ? c->x.n_vocab - first : TOKENS;
        for (int32_t i = 0; i < n; i++) id[i] = first + i;
        st = head_weights_embed(&c->x, id, n, e, err);
        if (st == E_OK)
            st = linalg_product_on(c->w->e->pool, y, e, dir, n, d, n_dir, LINALG_ABT, err);
        for (int32_t i = 0; i < n && st == E_OK; i++)
            for (int64_t k = 0; k < n_dir; k++) offer(out + 2 * k, first + i, y[i * n_dir + k]);
    }
    arena_rewind(mem, here);
    return st;
}

/* Which tokens' logits each direction raises most. */
static status by_unembedding(directions *f, const double *dir, int64_t n_dir, best *out, error *err)
{
    circuits *c = f->c;
    arena *mem = &c->w->mem;
    arena_mark here = arena_here(mem);
    int32_t some = (int32_t)((1 << 22) / (c->x.n_vocab + 1)) + 1;
    double *y = arena_array(mem, (int64_t)some * c->x.n_vocab, sizeof *y);
    status st = y ? E_OK : work_nomem(c->w, err);
    for (int64_t first = 0; first < n_dir && st == E_OK; first += some) {
        int32_t n = n_dir - first < some ? (int32_t)(n_dir - first) : some;
        st = head_weights_unembed(&c->x, dir + first * c->x.d_model, n, 0, c->x.n_vocab, y, err);
        for (int32_t i = 0; i < n && st == E_OK; i++)
            for (int32_t id = 0; id < c->x.n_vocab; id++)
                offer(out + 2 * (first + i), id, y[(int64_t)i * c->x.n_vocab + id]);
    }
    arena_rewind(mem, here);
    return st;
}

/* ---- what is shown ---- */

static void put_words(const directions *f, table *t, const best *b)
{
    for (int k = 0; k < WORDS; k++) {
        if (k < b->have) work_row_token(f->c->w, t, b->id[k]);
        else row_none(t);
    }
}

static void show(directions *f)
{
    circuits *c = f->c;
    column col[] = { { "layer", NULL, CELL_INT, 0, false },
                     { "head", NULL, CELL_INT, 0, false },
                     { "S", NULL, CELL_REAL, 3, false },
                     { "end", NULL, CELL_TEXT, 0, false },
                     { f->qk ? "query" : "reads", NULL, CELL_TOKEN, 0, false },
                     { f->qk ? "query 2nd" : "reads 2nd", NULL, CELL_TOKEN, 0, false },
                     { f->qk ? "query 3rd" : "reads 3rd", NULL, CELL_TOKEN, 0, false },
                     { f->qk ? "key" : "writes", NULL, CELL_TOKEN, 0, false },
                     { f->qk ? "key 2nd" : "writes 2nd", NULL, CELL_TOKEN, 0, false },
                     { f->qk ? "key 3rd" : "writes 3rd", NULL, CELL_TOKEN, 0, false } };
    table *t = report_table(c->w->r, f->qk ? "QK_directions" : "OV_directions", 10, col);
    for (int64_t at = 0; at < c->n_head; at++)
        for (int32_t k = 0; k < f->n; k++)
            for (int end = 0; end < 2; end++) {
                int64_t i = (at * f->n + k) * 2 + end;
                table_row(t), row_int(t, c->x.layer[at / c->x.n_head]),
                    row_int(t, at % c->x.n_head);
                row_real(t, f->s[at * f->k + k]), row_text(t, end ? "-" : "+");
                put_words(f, t, &f->read[i]), put_words(f, t, &f->write[i]);
            }
}

static status one_circuit(circuits *c, bool qk, error *err)
{
    int32_t n = qk ? c->x.d_head : c->x.d_value, d = c->x.d_model;
    arena *mem = &c->w->mem;
    directions f = { .c = c, .qk = qk, .k = n < d ? n : d };
    f.n = (int32_t)work_int(c->w, "directions");
    f.s = circuits_tensor(c, qk ? "QK_svd.S" : "OV_svd.S", "singular", f.k);
    if (!f.s) return E_OK; /* the report says why */
    f.u = arena_array(mem, c->n_head * f.n * d + 1, sizeof(double));
    f.v = arena_array(mem, c->n_head * f.n * d + 1, sizeof(double));
    f.st = arena_array(mem, c->n_head, sizeof *f.st),
    f.err = arena_array(mem, c->n_head, sizeof *f.err);
    f.read = best_new(mem, 2 * c->n_head * f.n, WORDS);
    f.write = best_new(mem, 2 * c->n_head * f.n, WORDS);
    if (mem->failed) return work_nomem(c->w, err);
    pool_run(c->w->e->pool, svd_heads, &f, c->n_head);
    for (int64_t i = 0; i < c->n_head; i++)
        if (f.st[i] != E_OK) return error_set(err, f.st[i], "weights: %s", f.err[i].msg);
    if (!f.n) return E_OK;
    status st = by_embedding(&f, f.u, c->n_head * f.n, f.read, err);
    if (st == E_OK)
        st = (qk ? by_embedding : by_unembedding)(&f, f.v, c->n_head * f.n, f.write, err);
    if (st == E_OK) show(&f);
    return st;
}

status circuits_svd(circuits *c, error *err)
{
    status st = one_circuit(c, false, err);
    if (st == E_OK) st = one_circuit(c, true, err);
    if (st == E_OK)
        report_note(
            c->w->r,
            "Directions: the largest singular pairs (u, v) of OV, read as W_E u and written as "
            "v W_U, and of QK, the query's side W_E u and the key's W_E v; both ends, since the "
            "sign of "
            "a pair is free. All singular values: tensors OV_svd.S and QK_svd.S.");
    return st;
}
/* SPDX-License-Identifier: MIT */
