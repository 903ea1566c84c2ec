/* circuits_skip -- skip-trigrams "source ... destination -> out": what a head of an attention-only model learns to say.
 *
 *     qk(d, s) = q_d (k_s - mean over tokens of k) scale      how much d prefers s to the average token, in scores
 *     ov(s, o) = (W_E W_V W_O W_U)[s, o] - mean over o        what s raises when it is looked at, in logits
 *
 * with q = W_E W_Q, k = W_E W_K (Elhage et al. 2021).  The two factors know nothing of each other, so a source that wants
 * (d1, o1) and (d2, o2) must also say (d1, o2) and (d2, o1): "keep ... in mind" and "keep ... at bay" force "keep ... in bay".
 * Those are the head's bugs, and stand beside what forces them. */
#include "instrument/circuits.h"
#include <string.h>

enum { ALL_MAX = 8192, CHUNK = 128, ENDS = 2, SOURCES = 5 };

typedef struct skip {
    circuits *c;
    int64_t at;           /* the head */
    int32_t n;            /* sources */
    const int64_t *id;    /* [n] */
    double *e;            /* [n_vocab, d_model] W_E */
    double *q, *k, *mean; /* [n_vocab, d_head], mean of k */
    double *v;            /* [n_vocab, d_value] */
    best *d, *o;          /* [n] destinations and outs of each source */
} skip;

/* ---- which sources ---- */

static status named_sources(circuits *c, skip *f, error *err)
{
    int n = 0;
    while (work_item(c->w, "token", n)) n++;
    int64_t *id = arena_array(&c->w->mem, n, sizeof *id);
    if (!id) return work_nomem(c->w, err);
    for (int i = 0; i < n; i++) {
        const char *text = work_item(c->w, "token", i);
        int32_t one;
        status st = token_find(c->w->m, text, strlen(text), &one, err);
        if (st != E_OK) return st;
        id[i] = one;
    }
    f->id = id, f->n = n;
    return E_OK;
}

static status all_sources(circuits *c, skip *f, error *err)
{
    if (c->x.n_vocab > ALL_MAX) {
        error_set(err, E_LIMIT, "weights: skip: %d tokens are too many sources, at most %d",
                  c->x.n_vocab, ALL_MAX);
        error_hint(err, "name some with --token");
        return E_LIMIT;
    }
    int64_t *id = arena_array(&c->w->mem, c->x.n_vocab, sizeof *id);
    if (!id) return work_nomem(c->w, err);
    for (int32_t i = 0; i < c->x.n_vocab; i++) id[i] = i;
    f->id = id, f->n = c->x.n_vocab;
    return E_OK;
}

/* ---- one head ---- */

static status load_embedding(skip *f, error *err)
{
    circuits *c = f->c;
    status st = E_OK;
    int64_t id[CHUNK];
    for (int32_t first = 0; first < c->x.n_vocab && st == E_OK; first += CHUNK) {
        int32_t n = c->x.n_vocab - first < CHUNK ? c->x.n_vocab - first : CHUNK;
        for (int32_t i = 0; i < n; i++) id[i] = first + i;
        st = head_weights_embed(&c->x, id, n, f->e + (int64_t)first * c->x.d_model, err);
    }
    return st;
}

static status load_head(skip *f, double *m, error *err)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    static const head_matrix which[] = { HEAD_Q, HEAD_K, HEAD_V };
    double *out[] = { f->q, f->k, f->v };
    status st = E_OK;
    for (int i = 0; i < 3 && st == E_OK; i++) {
        head_weights_get(x, (int)(f->at / x->n_head), (int32_t)(f->at % x->n_head), which[i], m);
        st = linalg_product_on(c->w->e->pool, out[i], f->e, m, x->n_vocab, x->d_model,
                               which[i] == HEAD_V ? x->d_value : x->d_head, LINALG_AB, err);
    }
    for (int32_t j = 0; j < x->d_head && st == E_OK; j++) {
        f->mean[j] = 0;
        for (int32_t t = 0; t < x->n_vocab; t++) f->mean[j] += f->k[(int64_t)t * x->d_head + j];
        f->mean[j] /= x->n_vocab;
    }
    return st;
}

/* Destinations and outs of sources first .. first + n - 1; scratch: a [CHUNK, d_model], y [CHUNK, n_vocab], m. */
static status look(skip *f, int32_t first, int32_t n, double *a, double *y, double *m, error *err)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    pool *on = c->w->e->pool;
    int32_t dh = x->d_head, dv = x->d_value, n_vocab = x->n_vocab;
    double scale = c->w->m->config.score_scale;
    for (int32_t i = 0; i < n; i++)
        for (int32_t j = 0; j < dh; j++)
            a[i * dh + j] = scale * (f->k[f->id[first + i] * dh + j] - f->mean[j]);
    status st = linalg_product_on(on, y, a, f->q, n, dh, n_vocab, LINALG_ABT, err);
    for (int32_t i = 0; i < n && st == E_OK; i++)
        for (int32_t t = 0; t < n_vocab; t++)
            best_offer(&f->d[first + i], t, y[(int64_t)i * n_vocab + t]);
    for (int32_t i = 0; i < n; i++)
        memcpy(y + (int64_t)i * dv, f->v + f->id[first + i] * dv, (size_t)dv * sizeof *y);
    head_weights_get(x, (int)(f->at / x->n_head), (int32_t)(f->at % x->n_head), HEAD_O, m);
    if (st == E_OK) st = linalg_product_on(on, a, y, m, n, dv, x->d_model, LINALG_AB, err);
    if (st == E_OK) st = head_weights_unembed(&c->x, a, n, 0, n_vocab, y, err);
    for (int32_t i = 0; i < n && st == E_OK; i++) {
        const double *row = y + (int64_t)i * n_vocab;
        double mean = sample_mean(row, n_vocab);
        for (int32_t t = 0; t < n_vocab; t++) best_offer(&f->o[first + i], t, row[t] - mean);
    }
    return st;
}

/* ---- what is shown ---- */

static void put_source(const skip *f, table *t, int32_t i)
{
    const head_weights *x = &f->c->x;
    const best *d = &f->d[i], *o = &f->o[i];
    for (int k = 0; k < ENDS * ENDS; k++) {
        int to = k < 2 ? k : k - 2,
            out = k < 2 ? k : 3 - k; /* 00 11, then what they force: 01 10 */
        if (to >= d->have || out >= o->have) continue;
        table_row(t), row_int(t, x->layer[f->at / x->n_head]), row_int(t, f->at % x->n_head);
        work_row_token(f->c->w, t, (int32_t)f->id[i]);
        work_row_token(f->c->w, t, d->id[to]), work_row_token(f->c->w, t, o->id[out]);
        row_real(t, d->x[to]), row_real(t, o->x[out]), row_text(t, k < 2 ? "" : "forced");
    }
}

static status show_head(skip *f, table *t, error *err)
{
    int32_t id[SOURCES];
    double value[SOURCES];
    best b = { SOURCES, 0, id, value };
    for (int32_t i = 0; i < f->n; i++) {
        double qk = f->d[i].have ? f->d[i].x[0] : 0, ov = f->o[i].have ? f->o[i].x[0] : 0;
        if (qk > 0 && ov > 0) best_offer(&b, i, qk * ov);
    }
    bool named = work_item(f->c->w, "token", 0) != NULL;
    for (int k = 0; k < (named ? f->n : b.have); k++) put_source(f, t, named ? k : id[k]);
    return work_tell(f->c->w, "skip-trigrams", (double)f->at / (double)f->c->n_head, err);
}

static status allocate(skip *f, error *err)
{
    const head_weights *x = &f->c->x;
    arena *mem = &f->c->w->mem;
    int64_t n = x->n_vocab;
    f->e = arena_array(mem, n * x->d_model, sizeof(double));
    f->q = arena_array(mem, n * x->d_head, sizeof(double));
    f->k = arena_array(mem, n * x->d_head, sizeof(double));
    f->v = arena_array(mem, n * x->d_value, sizeof(double));
    f->mean = arena_array(mem, x->d_head, sizeof(double));
    f->d = best_new(mem, f->n, ENDS), f->o = best_new(mem, f->n, ENDS);
    return mem->failed ? work_nomem(f->c->w, err) : E_OK;
}

static status every_head(skip *f, table *t, error *err)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    int64_t big = circuits_widest(c);
    int64_t wide = x->d_model > big ? x->d_model : big;
    double *m = arena_array(&c->w->mem, x->d_model * big, sizeof *m),
           *a = arena_array(&c->w->mem, CHUNK * wide, sizeof *a),
           *y = arena_array(&c->w->mem, CHUNK * (x->n_vocab > big ? x->n_vocab : big), sizeof *y);
    status st = m && a && y ? load_embedding(f, err) : work_nomem(c->w, err);
    for (f->at = 0; f->at < c->n_head && st == E_OK; f->at++) {
        if (c->w->m->config.d_mlp && x->layer[f->at / x->n_head] > 0) break;
        for (int32_t i = 0; i < f->n; i++) f->d[i].have = f->o[i].have = 0;
        st = load_head(f, m, err);
        for (int32_t first = 0; first < f->n && st == E_OK; first += CHUNK)
            st = look(f, first, f->n - first < CHUNK ? f->n - first : CHUNK, a, y, m, err);
        if (st == E_OK) st = show_head(f, t, err);
    }
    return st;
}

status circuits_skip(circuits *c, error *err)
{
    skip f = { .c = c };
    bool mlps = c->w->m->config.d_mlp > 0;
    if (mlps && c->x.layer[0] > 0)
        return error_set(
            err, E_USAGE,
            "weights: skip: in a model with MLPs only heads of layer 0 read tokens as they are");
    status st = work_item(c->w, "token", 0) ? named_sources(c, &f, err) : all_sources(c, &f, err);
    if (st == E_OK) st = allocate(&f, err);
    if (st != E_OK) return st;
    table *t = report_table(c->w->r, "skip_trigrams", 8,
                            (column[]){ { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "source", NULL, CELL_TOKEN, 0, false },
                                        { "destination", NULL, CELL_TOKEN, 0, false },
                                        { "out", NULL, CELL_TOKEN, 0, false },
                                        { "qk", NULL, CELL_REAL, 3, false },
                                        { "ov", "logit", CELL_REAL, 3, false },
                                        { "bug", NULL, CELL_TEXT, 0, false } });
    st = every_head(&f, t, err);
    if (mlps || c->w->m->config.n_layer > 1)
        report_warn(
            c->w->r,
            "skip-trigrams describe models of one layer of attention and no MLP (Elhage et "
            "al. 2021); this one has %d layers%s: these are what a head says straight to the "
            "logits, a part of what it does",
            c->w->m->config.n_layer, mlps ? ", with MLPs" : "");
    report_note(
        c->w->r,
        "Skip-trigrams \"source ... destination -> out\": qk, how much more the destination's "
        "score "
        "for the source is than for the average token; ov, the out's logit above the mean when the "
        "source is looked at. Each head's sources with the largest product, two destinations and "
        "two "
        "outs each; forced: said as well, because the factors do not know of each other. From W_E "
        "alone: "
        "no positions, no norm's scale%s.",
        mlps ? ", no MLP" : "");
    return st;
}
/* SPDX-License-Identifier: MIT */
