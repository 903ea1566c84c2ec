/* circuits_composition -- how far what an earlier head writes is read by a later one's queries, keys, values.
 *
 *     score(L, R) = |L R| / (|L| |R|)    (Frobenius),    L = OV of the earlier head,
 *     R = QK (Q-composition), QK' (K), OV (V) of the later one
 *
 * (Elhage et al. 2021.)  With M = W_O1 W_Q2 and the triangles of circuits.h, |OV1 QK2| = |r_V1 M r_K2'|.  Two
 * independent random heads of these sizes score about 1 / sqrt(d_model): they are drawn too. */
#include "instrument/circuits.h"
#include <math.h>
#include <string.h>

enum { N_KIND = 3, N_RANDOM = 24, N_TOP = 12 };

/* Which matrix of the later head meets W_O, and which is left. */
static const struct {
    const char *name;
    head_matrix met, left;
} KINDS[N_KIND] = { { "Q", HEAD_Q, HEAD_K }, { "K", HEAD_K, HEAD_Q }, { "V", HEAD_V, HEAD_O } };

typedef struct composer {
    circuits *c;
    double *score[N_KIND];        /* [head][head] of all */
    double *ov, *qk;              /* [head] norms */
    double *m, *lm, *block, *end; /* scratch */
    double mean, sd;              /* of random heads */
} composer;

static status norms(composer *f, error *err)
{
    circuits *c = f->c;
    status st = E_OK;
    for (int64_t i = 0; i < c->n_head && st == E_OK; i++) {
        st = linalg_product(f->end, c->r[HEAD_V][i], c->r[HEAD_O][i], c->core[HEAD_V], c->x.d_value,
                            c->core[HEAD_O], LINALG_ABT, err);
        f->ov[i] = linalg_norm(f->end, (int64_t)c->core[HEAD_V] * c->core[HEAD_O]);
        if (st == E_OK)
            st = linalg_product(f->end, c->r[HEAD_Q][i], c->r[HEAD_K][i], c->core[HEAD_Q],
                                c->x.d_head, c->core[HEAD_K], LINALG_ABT, err);
        f->qk[i] = linalg_norm(f->end, (int64_t)c->core[HEAD_Q] * c->core[HEAD_K]);
    }
    return st;
}

/* All heads of layer i with all of layer j, in one kind: M for all of them is one product. */
static status layer_pair(composer *f, int kind, int i, int j, error *err)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    head_matrix met = KINDS[kind].met, left = KINDS[kind].left;
    int32_t n = circuits_columns(c, met), parts = met == HEAD_Q ? x->n_head : x->n_kv,
            dv = x->d_value;
    int64_t wide = (int64_t)parts * n;
    status st = linalg_product_on(c->w->e->pool, f->m, x->m[HEAD_O][i], x->m[met][j],
                                  (int64_t)x->n_head * dv, x->d_model, wide, LINALG_AB, err);
    for (int32_t h = 0; h < x->n_head && st == E_OK; h++) {
        int64_t from = (int64_t)i * x->n_head + h;
        st = linalg_product(f->lm, c->r[HEAD_V][from], f->m + h * dv * wide, c->core[HEAD_V], dv,
                            wide, LINALG_AB, err);
        for (int32_t g = 0; g < x->n_head && st == E_OK; g++) {
            int64_t to = (int64_t)j * x->n_head + g, part = g / (x->n_head / parts);
            for (int32_t r = 0; r < c->core[HEAD_V]; r++)
                memcpy(f->block + (int64_t)r * n, f->lm + r * wide + part * n,
                       (size_t)n * sizeof *f->block);
            st = linalg_product(f->end, f->block, c->r[left][to], c->core[HEAD_V], n, c->core[left],
                                LINALG_ABT, err);
            double size = f->ov[from] * (kind == 2 ? f->ov[to] : f->qk[to]);
            double got = linalg_norm(f->end, (int64_t)c->core[HEAD_V] * c->core[left]);
            f->score[kind][from * c->n_head + to] = size > 0 ? got / size : 0;
        }
    }
    return st;
}

/* The score of two heads of independent normal numbers. */
static status random_score(circuits *c, int64_t draw, double *out, error *err)
{
    arena mem = { 0 };
    int64_t d = c->x.d_model, k = c->x.d_value, n = d * k;
    double *w[4], *r[4], *m = arena_array(&mem, k * k, sizeof *m),
                         *t = arena_array(&mem, k * k, sizeof *t);
    status st = E_OK;
    int64_t core = k < d ? k : d;
    for (int i = 0; i < 4; i++) {
        w[i] = arena_array(&mem, n, sizeof *w[i]), r[i] = arena_array(&mem, k * k, sizeof *r[i]);
        if (w[i]) circuits_random(c, "weights.composition", (draw * 4 + i) * n, w[i], n);
    }
    if (mem.failed) st = work_nomem(c->w, err);
    for (int i = 0; i < 4 && st == E_OK; i++) st = linalg_qr(NULL, r[i], w[i], d, k, err);
    /* L = w0 w1', R = w2 w3': |L R| = |r0 (w1' w2) r3'| */
    double size[2];
    for (int i = 0; i < 2 && st == E_OK; i++) {
        st = linalg_product(t, r[2 * i], r[2 * i + 1], core, k, core, LINALG_ABT, err);
        size[i] = linalg_norm(t, core * core);
    }
    if (st == E_OK) st = linalg_product(m, w[1], w[2], k, d, k, LINALG_ATB, err);
    if (st == E_OK) st = linalg_product(t, r[0], m, core, k, k, LINALG_AB, err);
    if (st == E_OK) st = linalg_product(m, t, r[3], core, k, core, LINALG_ABT, err);
    if (st == E_OK) *out = linalg_norm(m, core * core) / (size[0] * size[1]);
    arena_release(&mem);
    return st;
}

static status random_heads(composer *f, error *err)
{
    double x[N_RANDOM];
    interval v;
    status st = E_OK;
    for (int i = 0; i < N_RANDOM && st == E_OK; i++) st = random_score(f->c, i, &x[i], err);
    if (st == E_OK)
        st = interval_bootstrap(&v, x, N_RANDOM, 0.95, f->c->w->seed, "weights.composition", err);
    if (st != E_OK) return st;
    f->mean = sample_mean(x, N_RANDOM);
    f->sd = sample_sd(x, N_RANDOM, f->mean);
    report_seed(f->c->w->r, "weights.composition", f->c->w->seed);
    report_interval(f->c->w->r, "composition of random heads", &v);
    report_control(
        f->c->w->r, "composition of random heads", f->mean,
        "mean of %d pairs of heads of normal numbers, sd %.2g; 1 / sqrt(d_model) is %.4g", N_RANDOM,
        f->sd, 1 / sqrt(f->c->x.d_model));
    return E_OK;
}

/* ---- what is shown ---- */

static void put_tensors(composer *f, int kind)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    char name[40], heads[40], title[80];
    snprintf(name, sizeof name, "composition.%s", KINDS[kind].name);
    snprintf(heads, sizeof heads, "above_random.%s", KINDS[kind].name);
    snprintf(title, sizeof title, "%s-composition, less that of random heads", KINDS[kind].name);
    double *out = report_tensor(c->w->r, name, DTYPE_F64, "layer1 head1 layer2 head2",
                                (int64_t[]){ x->n_layer, x->n_head, x->n_layer, x->n_head });
    double *above =
        report_tensor(c->w->r, heads, DTYPE_F64, "from to", (int64_t[]){ c->n_head, c->n_head });
    uint8_t *mark = above ? report_marks(c->w->r, heads) : NULL;
    if (!out || !above || !mark) return; /* the report says why */
    memcpy(out, f->score[kind], (size_t)(c->n_head * c->n_head) * sizeof *out);
    head_weights_label(x, name, "layer1", "head1"), head_weights_label(x, name, "layer2", "head2");
    for (int64_t i = 0; i < c->n_head * c->n_head; i++) {
        bool later = i % c->n_head / x->n_head > i / c->n_head / x->n_head;
        above[i] = later ? out[i] - f->mean : 0;
        if (!later) mark[i] = MARK_ABSENT;
    }
    for (int64_t i = 0; i < c->n_head; i++) {
        char text[40];
        int n = snprintf(text, sizeof text, "%d.%lld", x->layer[i / x->n_head],
                         (long long)(i % x->n_head));
        report_axis_token(c->w->r, heads, "from", i, text, (size_t)n);
        report_axis_token(c->w->r, heads, "to", i, text, (size_t)n);
    }
    report_heatmap(c->w->r, title, heads, "from", "to",
                   &(figure_options){ .value = "score above random" });
}

static void list_kind(composer *f, table *t, int kind)
{
    circuits *c = f->c;
    const head_weights *x = &c->x;
    int32_t id[N_TOP];
    double value[N_TOP];
    best b = { N_TOP, 0, id, value };
    for (int64_t i = 0; i < c->n_head * c->n_head; i++)
        if (i % c->n_head / x->n_head > i / c->n_head / x->n_head)
            best_offer(&b, (int32_t)i, f->score[kind][i]);
    for (int k = 0; k < b.have; k++) {
        int64_t from = id[k] / c->n_head, to = id[k] % c->n_head;
        table_row(t), row_text(t, "%s", KINDS[kind].name);
        row_int(t, x->layer[from / x->n_head]), row_int(t, from % x->n_head);
        row_int(t, x->layer[to / x->n_head]), row_int(t, to % x->n_head);
        row_real(t, value[k]), row_real(t, value[k] - f->mean);
        if (f->sd > 0) row_real(t, (value[k] - f->mean) / f->sd);
        else row_none(t);
    }
}

static void show(composer *f)
{
    report *r = f->c->w->r;
    table *t = report_table(r, "composition", 8,
                            (column[]){ { "kind", NULL, CELL_TEXT, 0, false },
                                        { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "to layer", NULL, CELL_INT, 0, false },
                                        { "to head", NULL, CELL_INT, 0, false },
                                        { "score", NULL, CELL_REAL, 3, false },
                                        { "above random", NULL, CELL_REAL, 3, false },
                                        { "in its sd", NULL, CELL_REAL, 3, false } });
    for (int k = 0; k < N_KIND; k++) list_kind(f, t, k);
    report_note(
        r, "Composition |L R| / (|L| |R|), L = OV of the earlier head, R = QK (Q), QK' (K) or OV "
           "(V) of the later one; above random: less the mean of heads of random numbers.");
    for (int k = 0; k < N_KIND; k++) put_tensors(f, k);
}

static status allocate(composer *f, error *err)
{
    circuits *c = f->c;
    arena *mem = &c->w->mem;
    int64_t n = circuits_widest(c), wide = n * c->x.n_head;
    if (c->n_head > 2048)
        return error_set(err, E_LIMIT,
                         "weights: composition of %lld heads, at most 2048: name some layers with "
                         "--layer",
                         (long long)c->n_head);
    for (int k = 0; k < N_KIND; k++)
        f->score[k] = arena_array(mem, c->n_head * c->n_head, sizeof(double));
    f->ov = arena_array(mem, c->n_head, sizeof(double));
    f->qk = arena_array(mem, c->n_head, sizeof(double));
    f->m = arena_array(mem, wide * wide, sizeof(double));
    f->lm = arena_array(mem, n * wide, sizeof(double));
    f->block = arena_array(mem, n * n, sizeof(double));
    f->end = arena_array(mem, n * n, sizeof(double));
    return mem->failed ? work_nomem(c->w, err) : E_OK;
}

status circuits_composition(circuits *c, error *err)
{
    composer f = { .c = c };
    if (c->x.n_layer < 2) {
        report_note(c->w->r, "No composition: it takes two layers.");
        return E_OK;
    }
    status st = allocate(&f, err);
    if (st == E_OK) st = norms(&f, err);
    if (st == E_OK) st = random_heads(&f, err);
    for (int i = 0; i < c->x.n_layer && st == E_OK; i++) {
        st = work_tell(c->w, "composition", (double)i / c->x.n_layer, err);
        for (int j = i + 1; j < c->x.n_layer && st == E_OK; j++)
            for (int k = 0; k < N_KIND && st == E_OK; k++) st = layer_pair(&f, k, i, j, err);
    }
    if (st == E_OK) show(&f);
    return st;
}
/* SPDX-License-Identifier: MIT */
