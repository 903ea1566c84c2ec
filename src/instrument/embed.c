/* instrument: embed -- which tokens a vector is near: of the embedding or the unembedding; sums of tokens (analogies),
 * directions from files, rows of weights.
 *
 *     embed     rows of the embedding, as stored
 *     unembed   rows of the unembedding, as stored
 *     logits    the same through the final norm's gain (and centring): what a step along the vector in the last layer's
 *               stream does to each logit, for a norm whose scale is 1
 *
 * One pass over the table for all vectors together; sums in f64, ascending.
 *
 * Controls: how near random vectors come; for a sum of tokens, sums of random tokens with the same factors; and where the
 * first term alone would put each token, since what is near to a sum is often just near to a term. */
#include "base/file.h"
#include "base/rand.h"
#include "instrument/flow.h"
#include "instrument/rank.h"
#include "instrument/terms.h"
#include "instrument/unembed.h"
#include "linalg/linalg.h"
#include "report/interval.h"
#include "tensor/draw.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_NOISE = 64, N_OTHER = 32, ROWS = 256, MAX_TOP = 1000, MAX_FOLD = 16, MAX_EXPR = 32 };
enum { MAX_OWN = 64, MAX_FILE = 64 << 20, BATCH = 128, N_METHOD = 3, MAX_KEPT = 1 << 22 };

static const param params[] = {
    { "expr", PARAM_LIST, NULL,
      "a token, a sum (king - man + woman), FILE:KEY or a row of a weight; again for several",
      ROLE_WHAT },
    { "space", PARAM_ONE_OF("embed unembed logits"), NULL,
      "embed, unembed or logits; embed, and logits where vectors are not tokens", ROLE_WHAT },
    { "by", PARAM_ONE_OF("cosine dot"), "cosine", "what is near: cosine or dot", ROLE_WHAT },
    { "unit", PARAM_FLAG, NULL, "terms are made as long as 1 before they are added", ROLE_WHAT },
    { "top", PARAM_INT_IN(1, MAX_TOP), "10", "how many tokens to show", ROLE_WHAT },
    { "analogies", PARAM_TEXT, NULL, "file of lines 'a b c d': is d the nearest to b - a + c?",
      ROLE_FILE },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* A vector that is compared with every token.  Its own tokens do not count as its nearest. */
typedef struct query {
    double norm, best; /* best: of the tokens that are not its own */
    int32_t id;        /* of best */
    int32_t own[MAX_OWN];
    int n_own;
    int32_t target; /* whose rank is asked for; -1: none */
    double bound;
    int64_t above;        /* tokens nearer than the target */
    double *cosine, *dot; /* [vocab], or NULL */
} query;

typedef struct embed {
    work *w;
    lane *l;
    node *table;
    const node *fold[MAX_FOLD];
    int n_fold;
    double *gain[MAX_FOLD]; /* of a fold that has one */
    const char *space;
    bool dot, tied;
    int32_t n, d;
    int top;
} embed;

/* ---- the table ---- */

/* The steps between the last block and the unembedding: gains and centring. */
static status find_fold(embed *x, const node *n, error *err)
{
    const node *stream = unembed_stream(x->w->m);
    for (; n && n != stream; n = n->in[0]) {
        bool gain = flow_made_by(n, "gain") || flow_made_by(n, "gain_from_one"),
             plain = flow_made_by(n, "normalized");
        if (x->n_fold == MAX_FOLD ||
            !(gain || plain || flow_made_by(n, "ln_normalized") || flow_made_by(n, "scale")))
            return error_set(err, E_UNSUPPORTED,
                             "embed: '%s' stands between the last block and the logits of %s: use "
                             "--space unembed",
                             n->op ? n->op->name : "an input", x->w->m->name);
        if (gain) {
            double *w = x->gain[x->n_fold] = arena_array(&x->w->mem, x->d, sizeof *w);
            status st = w ? lane_read(x->l, n->in[1], (box){ 0, 1, 0, x->d }, w, err)
                          : work_nomem(x->w, err);
            if (st != E_OK) return st;
            for (int32_t i = 0; i < x->d; i++) w[i] += flow_made_by(n, "gain") ? 0 : 1;
        }
        x->fold[x->n_fold++] = n;
    }
    return E_OK;
}

static status find_table(embed *x, bool vectors, error *err)
{
    const model *m = x->w->m;
    const node *e = graph_find(&m->g, "embed"), *u = unembed_raw(m);
    const char *space = work_text(x->w, "space");
    x->space = space ? space : vectors ? "logits" : "embed";
    bool first = !strcmp(x->space, "embed"), by_row = flow_made_by(u, "linear") && u->attr[0] != 0;
    if (!e || !flow_made_by(e, "embed"))
        return error_set(err, E_UNSUPPORTED, "embed: %s has no table of tokens", m->name);
    if (!first && !by_row) { /* [d, vocab]: a token is a column */
        error_set(err, E_UNSUPPORTED, "embed: the unembedding of %s is no table of tokens",
                  m->name);
        error_hint(err, "--space embed compares with the embedding");
        return E_UNSUPPORTED;
    }
    x->tied = by_row && e->in[1] == u->in[1];
    x->table = first ? e->in[1] : u->in[1];
    x->n = m->config.n_vocab < x->table->n_row ? m->config.n_vocab : x->table->n_row;
    x->d = x->table->n_part;
    if (!strcmp(x->space, "logits")) return find_fold(x, u->in[0], err);
    return E_OK;
}

static double dot_of(const double *v, const double *w, int32_t n)
{
    double sum = 0;
    for (int32_t i = 0; i < n; i++) sum += v[i] * w[i];
    return sum;
}

static double norm(const double *v, int32_t n) { return sqrt(dot_of(v, v, n)); }

/* Rows [r0, r1) of the table as the space has them. */
static status read_rows(const embed *x, int32_t r0, int32_t r1, double *out, error *err)
{
    status st = lane_read(x->l, x->table, (box){ r0, r1, 0, x->d }, out, err);
    for (int32_t r = 0; st == E_OK && r < r1 - r0; r++)
        for (int k = 0; k < x->n_fold; k++) {
            double *v = out + (int64_t)r * x->d;
            for (int32_t i = 0; x->gain[k] && i < x->d; i++) v[i] *= x->gain[k][i];
            for (int32_t i = 0; flow_made_by(x->fold[k], "scale") && i < x->d; i++)
                v[i] *= x->fold[k]->attr[0];
            if (flow_made_by(x->fold[k], "ln_normalized")) flow_centre(v, x->d);
        }
    return st;
}

/* ---- one pass over the table ---- */

static bool owns(const query *q, int32_t id)
{
    for (int i = 0; i < q->n_own; i++)
        if (q->own[i] == id) return true;
    return false;
}

/* Token `id` and one query. */
static void meet(const embed *x, query *q, int32_t id, double size, double dot)
{
    double cosine = size > 0 && q->norm > 0 ? dot / (size * q->norm) : 0,
           near = x->dot ? dot : cosine;
    if (q->cosine) q->cosine[id] = cosine, q->dot[id] = dot;
    if (owns(q, id)) return;
    if (q->id < 0 || near > q->best) q->best = near, q->id = id;
    if (q->target >= 0 && id != q->target)
        q->above += near > q->bound || (near == q->bound && id < q->target);
}

static void meet_rows(const embed *x, query *q, int n, const double *row, const double *dot,
                      int32_t first, int32_t end)
{
    for (int32_t id = first; id < end; id++, row += x->d, dot += n) {
        double size = norm(row, x->d);
        for (int k = 0; k < n; k++) meet(x, &q[k], id, size, dot[k]);
    }
}

/* v [n][d]: the queries' vectors. */
static status pass(embed *x, query *q, const double *v, int n, const char *what, error *err)
{
    arena_mark here = arena_here(&x->w->mem);
    double *row = arena_array(&x->w->mem, (int64_t)ROWS * x->d, sizeof *row),
           *dot = arena_array(&x->w->mem, (int64_t)ROWS * n, sizeof *dot);
    status st = row && dot ? E_OK : work_nomem(x->w, err);
    for (int32_t r = 0; r < x->n && st == E_OK; r += ROWS) {
        int32_t end = r + ROWS < x->n ? r + ROWS : x->n;
        st = read_rows(x, r, end, row, err);
        if (st == E_OK)
            st = linalg_product_on(x->w->e->pool, dot, row, v, end - r, x->d, n, LINALG_ABT, err);
        if (st == E_OK) meet_rows(x, q, n, row, dot, r, end);
        if (st == E_OK) st = work_tell(x->w, what, (double)end / x->n, err);
    }
    arena_rewind(&x->w->mem, here);
    return st;
}

/* ---- vectors ---- */

/* Add factor times token id (or v) to sum. */
static status add(const embed *x, const term *t, double *sum, error *err)
{
    arena_mark here = arena_here(&x->w->mem);
    double *row = arena_array(&x->w->mem, x->d, sizeof *row), factor = t->factor;
    status st = row ? E_OK : work_nomem(x->w, err);
    if (st == E_OK && t->id >= 0) st = read_rows(x, t->id, t->id + 1, row, err);
    else if (st == E_OK) memcpy(row, t->v, (size_t)x->d * sizeof *row);
    double size = st == E_OK && work_flag(x->w, "unit") ? norm(row, x->d) : 1;
    for (int32_t i = 0; st == E_OK && size > 0 && i < x->d; i++) sum[i] += factor * row[i] / size;
    arena_rewind(&x->w->mem, here);
    return st;
}

/* Query k is `sum`. */
static void put(const embed *x, query *q, double *v, int k, const double *sum)
{
    q[k].norm = norm(sum, x->d), q[k].id = -1;
    memcpy(v + (int64_t)k * x->d, sum, (size_t)x->d * sizeof *v);
}

static status put_terms(const embed *x, query *q, double *v, int k, const term *t, int n_term,
                        error *err)
{
    arena_mark here = arena_here(&x->w->mem);
    double *sum = arena_array(&x->w->mem, x->d, sizeof *sum);
    status st = sum ? E_OK : work_nomem(x->w, err);
    for (int i = 0; i < n_term && st == E_OK; i++) st = add(x, &t[i], sum, err);
    for (int i = 0; i < n_term && st == E_OK; i++)
        if (t[i].id >= 0 && q[k].n_own < MAX_OWN) q[k].own[q[k].n_own++] = t[i].id;
    if (st == E_OK) put(x, q, v, k, sum);
    arena_rewind(&x->w->mem, here);
    return st;
}

/* The same sum of other tokens, drawn at random. */
static status put_other(const embed *x, query *q, double *v, int k, const terms *e, uint64_t draw,
                        error *err)
{
    term other[MAX_OWN];
    uint32_t stream = rand_stream("embed.tokens");
    int m = e->n < MAX_OWN ? e->n : MAX_OWN;
    for (int i = 0; i < m; i++) {
        other[i] = e->term[i];
        if (other[i].id >= 0)
            other[i].id =
                (int32_t)rand_below(x->w->seed, stream, draw * MAX_OWN + (uint64_t)i, x->n);
    }
    return put_terms(x, q, v, k, other, m, err);
}

static status put_noise(const embed *x, query *q, double *v, int k, uint64_t draw, error *err)
{
    arena_mark here = arena_here(&x->w->mem);
    double *sum = arena_array(&x->w->mem, x->d, sizeof *sum), size;
    uint32_t stream = rand_stream("embed.noise");
    if (!sum) return work_nomem(x->w, err);
    for (int32_t i = 0; i < x->d; i++)
        sum[i] = (double)draw_normal(x->w->seed, stream, draw * (uint64_t)x->d + (uint64_t)i);
    size = norm(sum, x->d);
    for (int32_t i = 0; i < x->d; i++) sum[i] /= size;
    put(x, q, v, k, sum);
    arena_rewind(&x->w->mem, here);
    return E_OK;
}

/* ---- expressions ---- */

/* An expression's queries: itself; of a sum also its first term alone, and sums of other tokens. */
enum { SELF, ALONE, OTHER, PER_SUM = OTHER + N_OTHER };

/* All tokens as they stand for an expression, the nearest first. */
typedef struct standing {
    ranked *list; /* [vocab] */
    double mean, deviation;
} standing;

typedef struct looked {
    terms *e;
    standing *all; /* [expression] */
    int n, n_query;
    int at[MAX_EXPR + 1]; /* where an expression's queries begin; [n]: where the noise does */
    query *q;
    double *v;
    const char **label;
} looked;

static query *query_of(const looked *k, int i, int which) { return &k->q[k->at[i] + which]; }

static bool is_sum(const terms *e) { return e->n > 1; }

static status read_expressions(embed *x, looked *k, int32_t d, bool *vectors, error *err)
{
    status st = E_OK;
    while (work_item(x->w, "expr", k->n)) k->n++;
    if (k->n > MAX_EXPR)
        return error_set(err, E_USAGE, "embed: %d expressions, at most %d at a time", k->n,
                         MAX_EXPR);
    if (!k->n && !work_text(x->w, "analogies")) {
        error_set(err, E_USAGE, "embed needs something to look up");
        error_hint(err, "--expr \"king - man + woman\", --expr dir.npz:joy, or --analogies FILE");
        return E_USAGE;
    }
    k->e = arena_array(&x->w->mem, k->n + 1, sizeof *k->e);
    k->all = arena_array(&x->w->mem, k->n + 1, sizeof *k->all);
    k->label = arena_array(&x->w->mem, k->n + 1, sizeof *k->label);
    if (!k->e || !k->all || !k->label) return work_nomem(x->w, err);
    for (int i = 0; i < k->n && st == E_OK; i++) {
        k->label[i] = work_item(x->w, "expr", i);
        st = terms_read(&k->e[i], x->w, x->l, k->label[i], d, err);
        *vectors |= st == E_OK && k->e[i].vectors;
    }
    return st;
}

static status full_arrays(const embed *x, query *q, error *err)
{
    q->cosine = arena_array(&x->w->mem, x->n, sizeof *q->cosine);
    q->dot = arena_array(&x->w->mem, x->n, sizeof *q->dot);
    return q->cosine && q->dot ? E_OK : work_nomem(x->w, err);
}

/* The queries of expression i. */
static status fill_one(embed *x, looked *k, int i, error *err)
{
    int at = k->at[i], kept = is_sum(&k->e[i]) ? OTHER : ALONE;
    const terms *e = &k->e[i];
    status st = E_OK;
    for (int j = 0; j < kept && st == E_OK; j++) st = full_arrays(x, &k->q[at + j], err);
    if (st == E_OK) st = put_terms(x, k->q, k->v, at + SELF, e->term, e->n, err);
    if (st == E_OK && !(k->q[at].norm > 0))
        st = error_set(err, E_RANGE, "embed: '%s' is a vector of zeros", k->label[i]);
    if (!is_sum(e) || st != E_OK) return st;
    st = put_terms(x, k->q, k->v, at + ALONE, e->term, 1, err);
    for (int j = 0; j < N_OTHER && st == E_OK; j++)
        st = put_other(x, k->q, k->v, at + OTHER + j, e, (uint64_t)i * N_OTHER + (uint64_t)j, err);
    return st;
}

/* Draws are numbered as if every expression were a sum: another kind of expression draws no other noise. */
static status fill(embed *x, looked *k, error *err)
{
    status st = E_OK;
    for (int i = 0; i < k->n; i++) k->at[i + 1] = k->at[i] + (is_sum(&k->e[i]) ? PER_SUM : ALONE);
    k->n_query = k->at[k->n] + N_NOISE;
    k->q = arena_array(&x->w->mem, k->n_query, sizeof *k->q);
    k->v = arena_array(&x->w->mem, (int64_t)k->n_query * x->d, sizeof *k->v);
    if (!k->q || !k->v) return work_nomem(x->w, err);
    for (int i = 0; i < k->n_query; i++) k->q[i].target = k->q[i].id = -1;
    for (int i = 0; i < k->n && st == E_OK; i++) st = fill_one(x, k, i, err);
    for (int j = 0; j < N_NOISE && st == E_OK; j++)
        st = put_noise(x, k->q, k->v, k->at[k->n] + j, (uint64_t)(k->n * PER_SUM + j), err);
    return st;
}

/* ---- what is shown ---- */

static double near_of(const embed *x, const query *q, int32_t id)
{
    return x->dot ? q->dot[id] : q->cosine[id];
}

static status stand(embed *x, const query *q, standing *out, error *err)
{
    double sum = 0, square = 0;
    out->list = arena_array(&x->w->mem, x->n, sizeof *out->list);
    if (!out->list) return work_nomem(x->w, err);
    for (int32_t i = 0; i < x->n; i++) sum += near_of(x, q, i);
    out->mean = sum / x->n;
    for (int32_t i = 0; i < x->n; i++) {
        double near = near_of(x, q, i), far = near - out->mean;
        out->list[i] = (ranked){ near, i }, square += far * far;
    }
    out->deviation = sqrt(square / x->n);
    rank_by_value(out->list, x->n);
    return E_OK;
}

/* Where a token stands for another query, those of the expression itself left out. */
static int64_t rank_in(const embed *x, const query *other, const query *self, int32_t id)
{
    double near = near_of(x, other, id);
    int64_t rank = 1;
    for (int32_t i = 0; i < x->n; i++) {
        double here = near_of(x, other, i);
        rank += i != id && !owns(self, i) && (here > near || (here == near && i < id));
    }
    return rank;
}

static void show_one(embed *x, const looked *k, int i)
{
    char name[100];
    const query *q = query_of(k, i, SELF), *alone = query_of(k, i, ALONE);
    const standing *all = &k->all[i];
    column c[9] = { { "rank", NULL, CELL_INT, 0, false },
                    { "nearest", NULL, CELL_TOKEN, 0, false },
                    { "cosine", NULL, CELL_REAL, 0, false },
                    { "dot", NULL, CELL_REAL, 0, false },
                    { "z", NULL, CELL_REAL, 3, false } };
    int n = 5;
    bool sum = is_sum(&k->e[i]);
    if (sum) c[n++] = (column){ "of the sum", NULL, CELL_BOOL, 0, false };
    if (sum) c[n++] = (column){ "rank, 1st term", NULL, CELL_INT, 0, false };
    c[n++] = (column){ "farthest", NULL, CELL_TOKEN, 0, false };
    c[n++] = (column){ x->dot ? "dot" : "cosine", NULL, CELL_REAL, 0, false };
    snprintf(name, sizeof name, "%.90s", k->label[i]);
    table *t = report_table(x->w->r, name, n, c);
    for (int r = 0; r < x->top; r++) {
        int32_t id = (int32_t)all->list[r].at, far = (int32_t)all->list[x->n - 1 - r].at;
        table_row(t), row_int(t, r + 1), work_row_token(x->w, t, id);
        row_real(t, q->cosine[id]), row_real(t, q->dot[id]);
        row_real(t, all->deviation > 0 ? (all->list[r].v - all->mean) / all->deviation : 0);
        if (sum) row_bool(t, owns(q, id));
        if (sum && owns(q, id)) row_none(t); /* left out of that order */
        else if (sum) row_int(t, rank_in(x, alone, q, id));
        work_row_token(x->w, t, far), row_real(t, near_of(x, q, far));
    }
}

/* Of sums of random tokens, how many have as near a token, this one counted. */
static void control_one(embed *x, const looked *k, int i)
{
    char name[120];
    const query *q = query_of(k, i, SELF);
    int as_near = 1;
    snprintf(name, sizeof name, "%.60s: all tokens", k->label[i]);
    report_control(x->w->r, name, k->all[i].mean, "mean %s, standard deviation %.4g: z is from it",
                   x->dot ? "dot product" : "cosine", k->all[i].deviation);
    if (!is_sum(&k->e[i])) return;
    for (int j = 0; j < N_OTHER; j++) as_near += query_of(k, i, OTHER + j)->best >= q->best;
    snprintf(name, sizeof name, "%.60s: random sums as near", k->label[i]);
    report_control(x->w->r, name, (double)as_near / (N_OTHER + 1),
                   "share of %d sums of random tokens, itself counted, whose nearest token is as "
                   "near (%.4g)",
                   N_OTHER, q->best);
}

static void control_noise(embed *x, const looked *k)
{
    double sum = 0, most = 0;
    for (int j = 0; j < N_NOISE; j++) {
        double best = k->q[k->at[k->n] + j].best;
        sum += best / N_NOISE;
        if (best > most) most = best;
    }
    report_control(x->w->r, "nearest to a random direction", sum,
                   "%s, mean of %d of length 1; the largest %.4g",
                   x->dot ? "dot product" : "cosine", N_NOISE, most);
    report_seed(x->w->r, "embed.noise", x->w->seed);
}

static void keep(embed *x, const looked *k)
{
    report *r = x->w->r;
    int64_t dim[] = { k->n, x->top }, all[] = { k->n, x->n }, pair[] = { k->n, k->n };
    int64_t *ids = report_tensor(r, "nearest.id", DTYPE_I64, "expr rank", dim);
    double *near = report_tensor(r, "nearest", DTYPE_F64, "expr rank", dim), *v = NULL, *c = NULL;
    if (k->n * (int64_t)x->n <= MAX_KEPT)
        v = report_tensor(r, "cosine", DTYPE_F64, "expr vocab", all);
    if (k->n > 1) c = report_tensor(r, "between", DTYPE_F64, "expr other", pair);
    for (int i = 0; ids && near && i < k->n; i++) {
        const query *q = query_of(k, i, SELF);
        const ranked *list = k->all[i].list;
        for (int j = 0; j < x->top; j++) {
            size_t n = 0;
            char label[24];
            int32_t id = (int32_t)list[j].at;
            const char *p = x->w->m->tokens ? tokenizer_text(x->w->m->tokens, id, &n) : NULL;
            snprintf(label, sizeof label, "#%d", id);
            ids[i * x->top + j] = id, near[i * x->top + j] = list[j].v;
            report_cell_token(r, "nearest", i * x->top + j, p ? p : label, p ? n : strlen(label));
        }
        if (v) memcpy(v + (int64_t)i * x->n, q->cosine, (size_t)x->n * sizeof *v);
        for (int j = 0; c && j < k->n; j++) {
            double dot =
                dot_of(k->v + (int64_t)k->at[i] * x->d, k->v + (int64_t)k->at[j] * x->d, x->d);
            c[i * k->n + j] = dot / (q->norm * query_of(k, j, SELF)->norm);
        }
    }
    work_label_ranks(x->w, "nearest", x->top);
    report_axis_labels(r, "nearest", "expr", k->n, k->label);
    report_axis_labels(r, "nearest.id", "expr", k->n, k->label);
    if (v) report_axis_labels(r, "cosine", "expr", k->n, k->label);
    report_heatmap(r, "nearest tokens", "nearest", "expr", "rank",
                   &(figure_options){ .value = x->dot ? "dot product" : "cosine" });
    if (!c) return;
    report_axis_labels(r, "between", "expr", k->n, k->label);
    report_axis_labels(r, "between", "other", k->n, k->label);
    report_heatmap(r, "between the expressions", "between", "expr", "other",
                   &(figure_options){ .value = "cosine" });
}

static void say(embed *x)
{
    const char *what = !strcmp(x->space, "embed")     ? "rows of the embedding, as stored"
                       : !strcmp(x->space, "unembed") ? "rows of the unembedding, as stored"
                                                      : "rows of the unembedding through the final "
                                                        "norm's gain and centring: what a step "
                                                        "along the vector in the last layer's "
                                                        "stream does to each logit";
    report_note(x->w->r, "Tokens are %s%s. z: standard deviations from the mean over all tokens.%s",
                what, x->tied ? " (embedding and unembedding are one table)" : "",
                work_flag(x->w, "unit") ? " Terms were made as long as 1 first." : "");
}

static status look(embed *x, looked *k, error *err)
{
    status st = fill(x, k, err);
    if (st == E_OK) st = pass(x, k->q, k->v, k->n_query, "embed", err);
    for (int i = 0; i < k->n && st == E_OK; i++)
        st = stand(x, query_of(k, i, SELF), &k->all[i], err);
    if (st != E_OK) return st;
    for (int i = 0; i < k->n; i++) show_one(x, k, i);
    keep(x, k), say(x), control_noise(x, k);
    for (int i = 0; i < k->n; i++) control_one(x, k, i);
    report_seed(x->w->r, "embed.tokens", x->w->seed);
    return E_OK;
}

/* ---- analogies ---- */

typedef struct analogies {
    int32_t (*id)[4]; /* [n]: a b c d */
    int n, n_skipped;
    double *rank[N_METHOD]; /* [n] of d */
} analogies;

/* One line's four tokens; false: it is no analogy of four single tokens. */
static bool read_line(const embed *x, const char *p, size_t n, int32_t id[4])
{
    int k = 0;
    const char *end = p + n;
    while (p < end) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
        const char *from = p;
        while (p < end && *p != ' ' && *p != '\t' && *p != '\r') p++;
        if (p == from) break;
        if (k == 4 || terms_token(x->w, from, (size_t)(p - from), &id[k], NULL) != E_OK)
            return false;
        if (id[k++] >= x->n) return false;
    }
    return k == 4;
}

static status read_analogies(embed *x, analogies *a, const char *path, error *err)
{
    str text = { 0 };
    status st = file_read(&text, path, MAX_FILE, err);
    if (st == E_OK) st = work_file(x->w, path, err);
    int64_t most = 1;
    for (size_t i = 0; st == E_OK && i < text.n; i++) most += text.p[i] == '\n';
    a->id = st == E_OK ? arena_array(&x->w->mem, most, sizeof *a->id) : NULL;
    if (st == E_OK && !a->id) st = work_nomem(x->w, err);
    for (size_t at = 0; st == E_OK && at < text.n;) {
        size_t n = strcspn(text.p + at, "\n");
        if (n > text.n - at) n = text.n - at;
        const char *p = text.p + at;
        bool blank = !n || *p == ':' || *p == '#'; /* a heading, a comment */
        if (!blank && read_line(x, p, n, a->id[a->n])) a->n++;
        else a->n_skipped += !blank;
        at += n + 1;
    }
    str_release(&text);
    if (st == E_OK && !a->n) {
        st = error_set(err, E_FORMAT, "%s: no line has four words that are tokens (%d lines read)",
                       path, a->n_skipped);
        error_hint(err, "a b c d on each line: a is to b as c is to d");
    }
    return st;
}

/* b - a + c, and by comparison c and b alone; the rank of d, the other three left out. */
static status put_analogy(const embed *x, query *q, double *v, int k, const int32_t id[4],
                          error *err)
{
    const term sum[N_METHOD][3] = { { { 1, id[1], NULL }, { -1, id[0], NULL }, { 1, id[2], NULL } },
                                    { { 1, id[2], NULL } },
                                    { { 1, id[1], NULL } } };
    arena_mark here = arena_here(&x->w->mem);
    double *row = arena_array(&x->w->mem, x->d, sizeof *row), size;
    status st = row ? read_rows(x, id[3], id[3] + 1, row, err) : work_nomem(x->w, err);
    for (int m = 0; m < N_METHOD && st == E_OK; m++) {
        query *one = &q[k + m];
        *one = (query){ .target = id[3] };
        st = put_terms(x, q, v, k + m, sum[m], m ? 1 : 3, err);
        one->n_own = 0;
        for (int i = 0; i < 3; i++)
            if (id[i] != id[3]) one->own[one->n_own++] = id[i];
        double dot = dot_of(row, v + (int64_t)(k + m) * x->d, x->d);
        size = norm(row, x->d);
        one->bound = x->dot ? dot : size > 0 && one->norm > 0 ? dot / (size * one->norm) : 0;
    }
    arena_rewind(&x->w->mem, here);
    return st;
}

static status rank_batch(embed *x, analogies *a, int from, int to, error *err)
{
    arena_mark here = arena_here(&x->w->mem);
    int n = N_METHOD * (to - from);
    query *q = arena_array(&x->w->mem, n, sizeof *q);
    double *v = arena_array(&x->w->mem, (int64_t)n * x->d, sizeof *v);
    status st = q && v ? E_OK : work_nomem(x->w, err);
    for (int i = from; i < to && st == E_OK; i++)
        st = put_analogy(x, q, v, N_METHOD * (i - from), a->id[i], err);
    x->w->part_done = (double)from / a->n, x->w->part = (double)(to - from) / a->n;
    if (st == E_OK) st = pass(x, q, v, n, "analogies", err);
    for (int i = from; i < to && st == E_OK; i++)
        for (int m = 0; m < N_METHOD; m++)
            a->rank[m][i] = 1 + (double)q[N_METHOD * (i - from) + m].above;
    arena_rewind(&x->w->mem, here);
    return st;
}

static double share_within(const double *rank, int n, double most)
{
    double count = 0;
    for (int i = 0; i < n; i++) count += rank[i] <= most;
    return count / n;
}

static void show_analogies(embed *x, const analogies *a)
{
    static const char *const method[] = { "b - a + c", "c alone", "b alone" };
    double *hit = arena_array(&x->w->mem, a->n, sizeof *hit), sum = 0;
    table *t = report_table(x->w->r, "analogies", 7,
                            (column[]){ { "nearest to", NULL, CELL_TEXT, 0, false },
                                        { "n", NULL, CELL_INT, 0, false },
                                        { "first is d", NULL, CELL_REAL, 0, false },
                                        { "low", NULL, CELL_REAL, 0, false },
                                        { "high", NULL, CELL_REAL, 0, false },
                                        { "d in 5", NULL, CELL_REAL, 0, false },
                                        { "mean 1/rank", NULL, CELL_REAL, 0, false } });
    for (int m = 0; hit && m < N_METHOD; m++, sum = 0) {
        for (int i = 0; i < a->n; i++) hit[i] = a->rank[m][i] == 1, sum += 1 / a->rank[m][i];
        interval v = work_interval(x->w, hit, a->n, "embed.interval", method[m]);
        table_row(t), row_text(t, "%s", method[m]), row_int(t, a->n);
        row_real(t, share_within(a->rank[m], a->n, 1));
        row_number(t, v.low), row_number(t, v.high);
        row_real(t, share_within(a->rank[m], a->n, 5)), row_real(t, sum / a->n);
    }
    report_note(x->w->r,
                "a is to b as c is to d; a, b and c are no answers. %d line%s left out: not four "
                "single tokens. Alone: what the nearest token of one word gets.",
                a->n_skipped, a->n_skipped == 1 ? " was" : "s were");
}

static status run_analogies(embed *x, const char *path, error *err)
{
    analogies a = { 0 };
    status st = read_analogies(x, &a, path, err);
    for (int m = 0; m < N_METHOD && st == E_OK; m++) {
        a.rank[m] = arena_array(&x->w->mem, a.n, sizeof *a.rank[m]);
        if (!a.rank[m]) st = work_nomem(x->w, err);
    }
    for (int i = 0; i < a.n && st == E_OK; i += BATCH)
        st = rank_batch(x, &a, i, i + BATCH < a.n ? i + BATCH : a.n, err);
    if (st != E_OK) return st;
    show_analogies(x, &a);
    double *v = report_tensor(x->w->r, "analogy.rank", DTYPE_F64, "analogy method",
                              (int64_t[]){ a.n, N_METHOD });
    for (int i = 0; v && i < a.n; i++)
        for (int m = 0; m < N_METHOD; m++) v[i * N_METHOD + m] = a.rank[m][i];
    return E_OK;
}

/* ---- the whole ---- */

static status check(embed *x, error *err)
{
    const char *by = work_text(x->w, "by");
    x->dot = !strcmp(by, "dot");
    x->top = (int)work_int(x->w, "top");
    return lane_new(&x->l, x->w->s, NULL, 1, err); /* to read weights by */
}

static status run(work *w, error *err)
{
    embed x = { .w = w };
    looked k = { 0 };
    bool vectors = false;
    const char *file = work_text(w, "analogies");
    status st = check(&x, err);
    if (st == E_OK) st = read_expressions(&x, &k, w->m->config.d_model, &vectors, err);
    if (st == E_OK) st = find_table(&x, vectors, err);
    if (x.top > x.n && st == E_OK) x.top = x.n;
    if (st == E_OK && k.n) st = look(&x, &k, err);
    if (st == E_OK && file) st = run_analogies(&x, file, err);
    if (st == E_OK && !k.n) say(&x);
    return st;
}

const instrument_def instrument_embed_def = {
    .name = "embed",
    .says = "Which tokens a token, a sum of tokens or a direction is near",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
