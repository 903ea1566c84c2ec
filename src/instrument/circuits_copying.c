/* circuits_copying -- does a head raise the tokens it looks at (OV), and look at tokens like its own (QK)?
 *
 *     copying(OV) = Re sum l / sum |l|,  l the eigenvalues of W_E W_V W_O W_U     in [-1, 1]
 *     matching(QK), the same of W_E W_Q W_K' W_E'
 *
 * (Elhage et al. 2021.)  The eigenvalues that are not 0 are those of the small W_O (W_U W_E) W_V and W_K' (W_E' W_E) W_Q:
 * the V x V matrices are never made.  A positive score does not say that a token raises itself most, so for some tokens the
 * whole row of W_E W_V W_O W_U is made, and it is counted how often the token's own logit is the largest, among the five
 * largest (copying) or among the five smallest (copy suppression; McDougall et al. 2023). */
#include "instrument/circuits.h"
#include "base/rand.h"
#include <math.h>
#include <string.h>

enum { TOKENS = 2048, N_RANDOM = 24, NEAR = 5 };

typedef struct copier {
    circuits *c;
    double *ue, *ee; /* W_U W_E and W_E' W_E, [d_model, d_model] */
    int64_t *id;     /* [n] tokens whose rows are made, all different */
    int32_t n;
    double *e;                  /* [n, d_model] their W_E */
    double *first, *near, *low; /* [head][n]: 0 or 1 */
    double *copying, *matching; /* [head]: the reports' tensors */
} copier;

/* ---- d_model x d_model, summed over the vocabulary ---- */

static status add_tokens(copier *f, const double *unit, int32_t first, int32_t n, double *e,
                         double *u, double *sum, error *err)
{
    circuits *c = f->c;
    int32_t d = c->x.d_model;
    pool *on = c->w->e->pool;
    int64_t id[TOKENS];
    for (int32_t i = 0; i < n; i++) id[i] = first + i;
    status st = head_weights_embed(&c->x, id, n, e, err);
    if (st == E_OK) st = head_weights_unembed(&c->x, unit, d, first, first + n, u, err);
    if (st == E_OK) st = linalg_product_on(on, sum, u, e, d, n, d, LINALG_AB, err);
    for (int64_t i = 0; st == E_OK && i < (int64_t)d * d; i++) f->ue[i] += sum[i];
    if (st == E_OK) st = linalg_product_on(on, sum, e, e, d, n, d, LINALG_ATB, err);
    for (int64_t i = 0; st == E_OK && i < (int64_t)d * d; i++) f->ee[i] += sum[i];
    return st;
}

static status sum_tokens(copier *f, error *err)
{
    circuits *c = f->c;
    int64_t d = c->x.d_model, n = c->x.n_vocab;
    arena *mem = &c->w->mem;
    f->ue = arena_array(mem, d * d, sizeof(double)),
    f->ee = arena_array(mem, d * d, sizeof(double));
    arena_mark here = arena_here(mem);
    double *unit = arena_array(mem, d * d, sizeof *unit),
           *sum = arena_array(mem, d * d, sizeof *sum);
    double *e = arena_array(mem, TOKENS * d, sizeof *e),
           *u = arena_array(mem, TOKENS * d, sizeof *u);
    if (mem->failed) return work_nomem(c->w, err);
    for (int64_t i = 0; i < d; i++) unit[i * d + i] = 1;
    status st = E_OK;
    for (int32_t first = 0; first < n && st == E_OK; first += TOKENS) {
        int32_t some = n - first < TOKENS ? (int32_t)n - first : TOKENS;
        st = work_tell(c->w, "copying", 0.5 * first / (double)n, err);
        if (st == E_OK) st = add_tokens(f, unit, first, some, e, u, sum, err);
    }
    arena_rewind(mem, here);
    return st;
}

/* ---- scores ---- */

/* Eigenvalues of a [k, d] times big [d, d] times b [d, k], and their score. */
static status eigen_score(circuits *c, const double *a, linalg_form form, const double *big,
                          const double *b, int64_t k, double *re, double *im, double *score,
                          error *err)
{
    int64_t d = c->x.d_model;
    arena mem = { 0 };
    double *left = arena_array(&mem, k * d, sizeof *left),
           *core = arena_array(&mem, k * k, sizeof *core);
    pool *on = c->w->e->pool;
    status st = left && core ? linalg_product_on(on, left, a, big, k, d, d, form, err)
                             : work_nomem(c->w, err);
    if (st == E_OK) st = linalg_product_on(on, core, left, b, k, d, k, LINALG_AB, err);
    if (st == E_OK) st = linalg_eigenvalues(re, im, core, k, err);
    double sum = 0, size = 0;
    for (int64_t i = 0; st == E_OK && i < k; i++)
        sum += re[i], size += sqrt(re[i] * re[i] + im[i] * im[i]);
    if (st == E_OK) *score = size > 0 ? sum / size : 0;
    arena_release(&mem);
    return st;
}

typedef struct eigen_tensors {
    double *score, *re, *im;
} eigen_tensors;

static eigen_tensors eigen_out(circuits *c, bool qk)
{
    int64_t n = qk ? c->x.d_head : c->x.d_value;
    const char *of = qk ? "full_QK_eigenvalues" : "full_OV_eigenvalues";
    char re[60], im[60];
    snprintf(re, sizeof re, "%s.re", of), snprintf(im, sizeof im, "%s.im", of);
    return (eigen_tensors){
        circuits_tensor(c, qk ? "matching_score.full_QK" : "copying_score.full_OV", NULL, 0),
        circuits_tensor(c, re, "eigenvalue", n), circuits_tensor(c, im, "eigenvalue", n)
    };
}

static status score_heads(copier *f, error *err)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    int64_t d = x->d_model, n = circuits_widest(c);
    double *a = arena_array(&c->w->mem, d * n, sizeof *a),
           *b = arena_array(&c->w->mem, d * n, sizeof *b);
    if (!a || !b) return work_nomem(c->w, err);
    eigen_tensors ov = eigen_out(c, false), qk = eigen_out(c, true);
    f->copying = ov.score, f->matching = qk.score;
    if (!ov.score || !ov.re || !ov.im || !qk.score || !qk.re || !qk.im) return E_OK;
    status st = E_OK;
    for (int64_t i = 0; i < c->n_head && st == E_OK; i++) {
        int layer = (int)(i / x->n_head);
        int32_t h = (int32_t)(i % x->n_head);
        head_weights_get(x, layer, h, HEAD_O, a), head_weights_get(x, layer, h, HEAD_V, b);
        st = eigen_score(c, a, LINALG_AB, f->ue, b, x->d_value, ov.re + i * x->d_value,
                         ov.im + i * x->d_value, &ov.score[i], err);
        head_weights_get(x, layer, h, HEAD_K, a), head_weights_get(x, layer, h, HEAD_Q, b);
        if (st == E_OK)
            st = eigen_score(c, a, LINALG_ATB, f->ee, b, x->d_head, qk.re + i * x->d_head,
                             qk.im + i * x->d_head, &qk.score[i], err);
    }
    return st;
}

/* Heads of random numbers through the model's own embeddings: where a score without a reason lies. */
static status random_heads(copier *f, bool qk, error *err)
{
    circuits *c = f->c;
    int64_t d = c->x.d_model, k = qk ? c->x.d_head : c->x.d_value;
    arena mem = { 0 };
    const char *stream = qk ? "weights.matching" : "weights.copying";
    double *a = arena_array(&mem, d * k, sizeof *a), *b = arena_array(&mem, d * k, sizeof *b),
           *re = arena_array(&mem, k, sizeof *re), *im = arena_array(&mem, k, sizeof *im);
    double score[N_RANDOM];
    status st = mem.failed ? work_nomem(c->w, err) : E_OK;
    for (int i = 0; i < N_RANDOM && st == E_OK; i++) {
        circuits_random(c, stream, 2 * i * d * k, a, d * k);
        circuits_random(c, stream, (2 * i + 1) * d * k, b, d * k);
        st = eigen_score(c, a, LINALG_AB, qk ? f->ee : f->ue, b, k, re, im, &score[i], err);
    }
    arena_release(&mem);
    if (st != E_OK) return st;
    double mean = sample_mean(score, N_RANDOM);
    report_seed(c->w->r, stream, c->w->seed);
    report_control(c->w->r, qk ? "matching of random heads" : "copying of random heads", mean,
                   "mean of %d heads of normal numbers, sd %.3g", N_RANDOM,
                   sample_sd(score, N_RANDOM, mean));
    return E_OK;
}

/* ---- whole rows of some tokens ---- */

static status choose_tokens(copier *f, error *err)
{
    circuits *c = f->c;
    int64_t want = work_int(c->w, "samples"), n = c->x.n_vocab;
    f->n = (int32_t)(want < n ? want : n);
    int64_t *all = arena_array(&c->w->mem, n, sizeof *all);
    if (!all) return work_nomem(c->w, err);
    for (int64_t i = 0; i < n; i++) all[i] = i;
    for (int64_t i = 0; i < f->n && f->n < n; i++) {
        int64_t k = i + rand_below(c->w->seed, rand_stream("weights.tokens"), (uint64_t)i, n - i),
                t = all[i];
        all[i] = all[k], all[k] = t;
    }
    if (f->n < n) report_seed(c->w->r, "weights.tokens", c->w->seed);
    f->id = all;
    f->e = arena_array(&c->w->mem, (int64_t)f->n * c->x.d_model, sizeof *f->e);
    int64_t cells = c->n_head * f->n;
    f->first = arena_array(&c->w->mem, cells, sizeof(double));
    f->near = arena_array(&c->w->mem, cells, sizeof(double));
    f->low = arena_array(&c->w->mem, cells, sizeof(double));
    if (c->w->mem.failed) return work_nomem(c->w, err);
    return f->n ? head_weights_embed(&c->x, f->id, f->n, f->e, err) : E_OK;
}

/* Where others are as large, or as small, it is not the one: a row of zeros says nothing of its token. */
static void count_row(copier *f, int64_t cell, const double *row, int64_t own)
{
    int64_t above = -1, below = -1, n = f->c->x.n_vocab; /* less itself */
    for (int64_t o = 0; o < n; o++) above += row[o] >= row[own], below += row[o] <= row[own];
    f->first[cell] = above < 1, f->near[cell] = above < NEAR, f->low[cell] = below < NEAR;
}

static status count_head(copier *f, int64_t at, double *v, double *z, double *y, double *rows,
                         int32_t some, error *err)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    pool *on = c->w->e->pool;
    int layer = (int)(at / x->n_head);
    int32_t h = (int32_t)(at % x->n_head);
    head_weights_get(x, layer, h, HEAD_V, v);
    status st = linalg_product_on(on, z, f->e, v, f->n, x->d_model, x->d_value, LINALG_AB, err);
    head_weights_get(x, layer, h, HEAD_O, v);
    if (st == E_OK)
        st = linalg_product_on(on, y, z, v, f->n, x->d_value, x->d_model, LINALG_AB, err);
    for (int32_t first = 0; first < f->n && st == E_OK; first += some) {
        int32_t n = f->n - first < some ? f->n - first : some;
        st = head_weights_unembed((head_weights *)x, y + (int64_t)first * x->d_model, n, 0,
                                  x->n_vocab, rows, err);
        for (int32_t i = 0; st == E_OK && i < n; i++)
            count_row(f, at * f->n + first + i, rows + (int64_t)i * x->n_vocab, f->id[first + i]);
    }
    return st;
}

static status count_heads(copier *f, error *err)
{
    circuits *c = f->c;
    int64_t d = c->x.d_model, n = c->x.d_value;
    int32_t some = (int32_t)((1 << 22) / (c->x.n_vocab + 1)) + 1;
    arena *mem = &c->w->mem;
    arena_mark here = arena_here(mem);
    double *v = arena_array(mem, d * n, sizeof *v), *z = arena_array(mem, f->n * n, sizeof *z),
           *y = arena_array(mem, f->n * d, sizeof *y),
           *rows = arena_array(mem, (int64_t)some * c->x.n_vocab, sizeof *rows);
    status st = mem->failed ? work_nomem(c->w, err) : E_OK;
    for (int64_t i = 0; i < c->n_head && f->n && st == E_OK; i++) {
        st = work_tell(c->w, "copying", 0.5 + 0.5 * (double)i / (double)c->n_head, err);
        if (st == E_OK) st = count_head(f, i, v, z, y, rows, some, err);
    }
    arena_rewind(mem, here);
    return st;
}

/* ---- what is shown ---- */

/* A share, and its interval where tokens were drawn. */
static status put_share(copier *f, table *t, const double *x, const char *name, bool ends,
                        error *err)
{
    interval v;
    row_real(t, sample_mean(x, f->n));
    if (!ends) return E_OK;
    if (f->n >= f->c->x.n_vocab || f->n < 2) {
        row_none(t), row_none(t);
        return E_OK;
    }
    status st = interval_bootstrap(&v, x, f->n, 0.95, f->c->w->seed, name, err);
    if (st == E_OK) row_real(t, v.low), row_real(t, v.high);
    return st;
}

static status show(copier *f, error *err)
{
    circuits *c = f->c;
    double n = c->x.n_vocab;
    table *t = report_table(c->w->r, "copying", 9,
                            (column[]){ { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "copying", NULL, CELL_REAL, 3, false },
                                        { "matching", NULL, CELL_REAL, 3, false },
                                        { "own 1st", NULL, CELL_REAL, 3, false },
                                        { "own in 5", NULL, CELL_REAL, 3, false },
                                        { "low", NULL, CELL_REAL, 3, false },
                                        { "high", NULL, CELL_REAL, 3, false },
                                        { "own in last 5", NULL, CELL_REAL, 3, false } });
    status st = E_OK;
    for (int64_t i = 0; i < c->n_head && f->copying && f->matching && st == E_OK; i++) {
        table_row(t), row_int(t, c->x.layer[i / c->x.n_head]), row_int(t, i % c->x.n_head);
        row_real(t, f->copying[i]), row_real(t, f->matching[i]);
        if (!f->n) {
            for (int k = 0; k < 5; k++) row_none(t);
            continue;
        }
        st = put_share(f, t, f->first + i * f->n, NULL, false, err);
        if (st == E_OK) st = put_share(f, t, f->near + i * f->n, "weights.own", true, err);
        if (st == E_OK) st = put_share(f, t, f->low + i * f->n, NULL, false, err);
    }
    if (st != E_OK) return st;
    report_control(c->w->r, "own 1st by chance", 1 / n,
                   "one in n_vocab; in 5 and in the last 5: %.3g", n > NEAR ? NEAR / n : 1);
    report_note(
        c->w->r,
        "copying: Re sum l / sum |l| of the eigenvalues l of W_E W_V W_O W_U; matching: of W_E W_Q "
        "W_K' W_E'. own 1st, own in 5, own in last 5: of %s%d tokens, the share whose own "
        "logit is the largest, among the 5 largest, among the 5 smallest in its row of W_E W_V W_O "
        "W_U%s.",
        f->n < c->x.n_vocab ? "" : "all ", f->n,
        f->n < c->x.n_vocab
            ? " (drawn; low, high: 95 % bootstrap of own in 5; none of n still allows 3 / n)"
            : "");
    report_heatmap(c->w->r, "Copying (OV)", "copying_score.full_OV", "layer", "head",
                   &(figure_options){ .value = "copying score", .span = 1 });
    report_heatmap(c->w->r, "Matching (QK)", "matching_score.full_QK", "layer", "head",
                   &(figure_options){ .value = "matching score", .span = 1 });
    return E_OK;
}

status circuits_copying(circuits *c, error *err)
{
    copier f = { .c = c };
    status st = sum_tokens(&f, err);
    if (st == E_OK) st = score_heads(&f, err);
    if (st == E_OK) st = random_heads(&f, false, err);
    if (st == E_OK) st = random_heads(&f, true, err);
    if (st == E_OK) st = choose_tokens(&f, err);
    if (st == E_OK) st = count_heads(&f, err);
    return st == E_OK ? show(&f, err) : st;
}
/* SPDX-License-Identifier: MIT */
