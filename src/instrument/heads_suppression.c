/* heads_suppression -- copy suppression (McDougall et al. 2023, "Copy Suppression: Comprehensively Understanding an
 * Attention Head"): a token is predicted before the head, it stands earlier in the text, and the head looks there and lowers
 * it.  Their three steps, measured in random tokens said twice, where what is predicted is the repetition:
 *
 *     predicted   at each position of the second half, the token t of the text so far with the largest logit in the logit
 *                 lens of what the head's layer reads (the stream before it)
 *     attention   what the head pays to t, wherever it stands
 *     effect      what the head adds directly to the logit of t less that of another token of the text, drawn at random:
 *                 norms' scales as they were in the run (flow.h).  Negative: the head lowers what was predicted, by more than
 *                 it lowers others
 *
 * A head that does not care what is predicted has effect 0: the other token could as well have been the one.  That is also
 * measured, with two tokens drawn at random. */
#include "base/rand.h"
#include "instrument/flow.h"
#include "instrument/heads.h"
#include "instrument/rank.h"
#include "instrument/unembed.h"
#include "report/interval.h"
#include <math.h>
#include <string.h>

typedef enum measure { EFFECT, ATTENTION, OTHERS, BY_CHANCE, N_MEASURE } measure;

typedef struct suppression {
    work *w;
    const patterns *x;
    const repeats *s;
    flow f;
    unembed u;
    int *head_of;   /* [part] layer's index * n_head + head; -1: no head, or of another layer */
    node **before;  /* [layer] the stream that it reads */
    int64_t n_head; /* in all layers */
    int32_t n_row;  /* positions of the second half */
    int32_t *token; /* [n_token] those of the text, each once */
    int n_token;
    double *stream, *logit; /* [layer][row][d_model]; [token][layer][row] */
    double *pattern, *share;
    double *sum[N_MEASURE];     /* [head][sequence] means over positions */
    int64_t *predicted, *other; /* [sequence][layer][row] the two tokens */
} suppression;

static status nomem(error *err) { return error_set(err, E_NOMEM, "heads: out of memory"); }

/* ---- what is needed ---- */

static status find_streams(suppression *c, error *err)
{
    char name[64];
    c->before = arena_array(&c->w->mem, c->x->n_layer, sizeof *c->before);
    if (!c->before) return nomem(err);
    for (int i = 0; i < c->x->n_layer; i++) {
        snprintf(name, sizeof name, "blocks.%d.resid_pre", c->x->layer[i]);
        c->before[i] = graph_find(&c->w->m->g, name);
        if (!c->before[i])
            return error_set(err, E_UNSUPPORTED, "heads: %s has no %s", c->w->m->name, name);
    }
    return E_OK;
}

/* Which head of the layers looked at a part of the logit is. */
static status find_heads(suppression *c, error *err)
{
    int n = 0;
    c->head_of = arena_array(&c->w->mem, c->f.n_part, sizeof *c->head_of);
    if (!c->head_of) return nomem(err);
    for (int p = 0; p < c->f.n_part; p++) {
        c->head_of[p] = -1;
        for (int i = 0; i < c->x->n_layer && c->f.part[p].kind == FLOW_HEAD; i++)
            if (c->x->layer[i] == c->f.part[p].layer)
                c->head_of[p] = i * c->x->n_head + c->f.part[p].part, n++;
    }
    if (n == c->n_head) return E_OK;
    return error_set(err, E_UNSUPPORTED,
                     "heads: %d of the %lld heads of %s add to its logits one by one", n,
                     (long long)c->n_head, c->w->m->name);
}

static status check_room(const suppression *c, error *err)
{
    int64_t bytes = flow_numbers(&c->f) * c->n_row * c->w->e->real_bytes;
    if (bytes <= session_room(c->w->s)) return E_OK;
    error_set(err, E_LIMIT, "heads: what all heads write at %d positions is %lld MB", c->n_row,
              (long long)(bytes >> 20));
    error_hint(err, "a smaller --length");
    return E_LIMIT;
}

static status allocate(suppression *c, error *err)
{
    arena *mem = &c->w->mem;
    int64_t n = c->s->p[0]->n, rows = (int64_t)c->x->n_layer * c->n_row;
    c->token = arena_array(mem, c->s->period, sizeof *c->token);
    c->stream = arena_array(mem, rows * c->f.d_model, sizeof(double));
    c->logit = arena_array(mem, rows * c->s->period, sizeof(double));
    c->pattern = arena_array(mem, c->n_head * n * n, sizeof(double));
    c->share = arena_array(mem, c->f.n_part, sizeof(double));
    for (int k = 0; k < N_MEASURE; k++)
        c->sum[k] = arena_array(mem, c->n_head * c->s->n, sizeof(double));
    c->predicted = arena_array(mem, c->s->n * rows, sizeof *c->predicted);
    c->other = arena_array(mem, c->s->n * rows, sizeof *c->other);
    if (mem->failed) return nomem(err);
    return E_OK;
}

/* ---- one sequence ---- */

static void find_tokens(suppression *c, const prompt *p)
{
    c->n_token = 0;
    for (int32_t i = c->s->bos; i < c->s->bos + c->s->period; i++) {
        bool before = false;
        for (int k = 0; k < c->n_token; k++) before |= c->token[k] == p->id[i];
        if (!before) c->token[c->n_token++] = p->id[i];
    }
}

static status ask(suppression *c, lane *l, error *err)
{
    int32_t n = lane_len(l), from = n - c->n_row;
    status st = flow_ask(&c->f, l, from, n, err);
    for (int i = 0; i < c->x->n_layer && st == E_OK; i++)
        st = lane_ask(l, c->before[i], (box){ from, n, 0, 1 }, err);
    return st == E_OK ? pattern_ask(c->x, l, err) : st;
}

/* Logits of the text's tokens in the lens of every layer's stream. */
static status see_through(suppression *c, lane *l, error *err)
{
    int32_t n = lane_len(l);
    int64_t rows = (int64_t)c->x->n_layer * c->n_row;
    status st = E_OK;
    for (int i = 0; i < c->x->n_layer && st == E_OK; i++)
        st = lane_read(l, c->before[i], (box){ n - c->n_row, n, 0, 1 },
                       c->stream + (int64_t)i * c->n_row * c->f.d_model, err);
    for (int k = 0; k < c->n_token && st == E_OK; k++)
        st = unembed_tokens(&c->u, c->stream, (int32_t)rows, c->token[k], -1, c->logit + k * rows,
                            err);
    return st;
}

/* Which of the text's tokens has the largest logit; the lower id among equals. */
static int predicted(const suppression *c, int layer, int32_t row)
{
    int64_t rows = (int64_t)c->x->n_layer * c->n_row, at = (int64_t)layer * c->n_row + row;
    int best = 0;
    for (int k = 1; k < c->n_token; k++) {
        double v = c->logit[k * rows + at], most = c->logit[best * rows + at];
        if (v > most || (v == most && c->token[k] < c->token[best])) best = k;
    }
    return best;
}

/* One of the tokens but `not` (-1: any), drawn as number `draw`. */
static int another(const suppression *c, int not, int64_t draw)
{
    int64_t k = rand_below(c->w->seed, rand_stream("heads.suppression"), (uint64_t)draw,
                           c->n_token - (not >= 0));
    return (int)(not < 0 || k < not ? k : k + 1);
}

static double attention(const suppression *c, const prompt *p, int64_t head, int32_t q, int32_t id)
{
    const double *a = c->pattern + (head * p->n + q) * p->n;
    double sum = 0;
    for (int32_t k = 0; k <= q; k++) sum += p->id[k] == id ? a[k] : 0;
    return sum;
}

/* Shares of a less b, of the heads of one layer (-1: of all), into a measure. */
static status add_shares(suppression *c, lane *l, int32_t q, int a, int b, int layer, measure to,
                         int which, error *err)
{
    status st = flow_direct(&c->f, l, q, c->token[a], c->token[b], c->share, err);
    for (int p = 0; p < c->f.n_part && st == E_OK; p++) {
        int h = c->head_of[p];
        if (h < 0 || (layer >= 0 && h / c->x->n_head != layer)) continue;
        c->sum[to][(int64_t)h * c->s->n + which] += c->share[p] / c->n_row;
    }
    return st;
}

static status one_layer(suppression *c, lane *l, int which, int i, int32_t row, error *err)
{
    const prompt *p = c->s->p[which];
    int32_t q = p->n - c->n_row + row;
    int64_t cell = ((int64_t)which * c->x->n_layer + i) * c->n_row + row;
    int t = predicted(c, i, row), other = another(c, t, 3 * cell);
    c->predicted[cell] = c->token[t], c->other[cell] = c->token[other];
    for (int h = 0; h < c->x->n_head; h++) {
        int64_t head = (int64_t)i * c->x->n_head + h, at = head * c->s->n + which;
        c->sum[ATTENTION][at] += attention(c, p, head, q, c->token[t]) / c->n_row;
        c->sum[OTHERS][at] += attention(c, p, head, q, c->token[other]) / c->n_row;
    }
    return add_shares(c, l, q, t, other, i, EFFECT, which, err);
}

static status one_row(suppression *c, lane *l, int which, int32_t row, error *err)
{
    int64_t cell = ((int64_t)which * c->x->n_layer) * c->n_row + row;
    int32_t q = c->s->p[which]->n - c->n_row + row;
    int a = another(c, -1, 3 * cell + 1), b = another(c, a, 3 * cell + 2);
    status st = flow_load(&c->f, l, q, err);
    for (int i = 0; i < c->x->n_layer && st == E_OK; i++) st = one_layer(c, l, which, i, row, err);
    return st == E_OK ? add_shares(c, l, q, a, b, -1, BY_CHANCE, which, err) : st;
}

static status one_sequence(suppression *c, int which, error *err)
{
    const prompt *p = c->s->p[which];
    lane *l = NULL;
    find_tokens(c, p);
    if (c->n_token < 3)
        return error_set(err, E_USAGE, "heads: sequence %d has %d different tokens, expected 3",
                         which, c->n_token);
    status st = work_lane(c->w, &l, NULL, p, NULL, err);
    if (st == E_OK) st = ask(c, l, err);
    if (st == E_OK) st = work_run(c->w, err);
    if (st == E_OK) st = pattern_read(c->w, c->x, l, c->pattern, err);
    if (st == E_OK) st = see_through(c, l, err);
    for (int32_t row = 0; row < c->n_row && st == E_OK; row++) st = one_row(c, l, which, row, err);
    if (l) lane_drop(l);
    return st;
}

/* ---- what is shown ---- */

/* Which tokens they were, so that every number can be asked for again. */
static void keep_tokens(const suppression *c, const char *name, const int64_t *id)
{
    int64_t dim[] = { c->s->n, c->x->n_layer, c->n_row };
    int64_t *out = report_tensor(c->w->r, name, DTYPE_I64, "sequence layer pos", dim);
    if (out) memcpy(out, id, (size_t)(dim[0] * dim[1] * dim[2]) * sizeof *out);
}

static void list_heads(suppression *c, double *m[N_MEASURE][3], const ranked *list)
{
    int64_t n_top = work_int(c->w, "top");
    table *t = report_table(c->w->r, "copy suppression", 8,
                            (column[]){ { "layer", NULL, CELL_INT, 0, false },
                                        { "head", NULL, CELL_INT, 0, false },
                                        { "effect", "logit", CELL_REAL, 3, false },
                                        { "low", NULL, CELL_REAL, 3, false },
                                        { "high", NULL, CELL_REAL, 3, false },
                                        { "by chance", "logit", CELL_REAL, 3, false },
                                        { "attention", NULL, CELL_REAL, 3, false },
                                        { "to another", NULL, CELL_REAL, 3, false } });
    for (int64_t i = c->n_head - 1; i >= 0 && i >= c->n_head - n_top; i--) {
        int64_t at = list[i].at;
        table_row(t), row_int(t, c->x->layer[at / c->x->n_head]), row_int(t, at % c->x->n_head);
        row_real(t, m[EFFECT][0][at]);
        for (int k = 1; k < 3; k++) {
            if (m[EFFECT][k]) row_real(t, m[EFFECT][k][at]);
            else row_none(t);
        }
        row_real(t, m[BY_CHANCE][0][at]), row_real(t, m[ATTENTION][0][at]);
        row_real(t, m[OTHERS][0][at]);
    }
}

static status show(suppression *c, error *err)
{
    static const char *const names[N_MEASURE] = { "effect", "attention", "attention_other",
                                                  "by_chance" };
    double *m[N_MEASURE][3], most = 0;
    status st = E_OK;
    for (int k = 0; k < N_MEASURE && st == E_OK; k++) {
        heads_names name;
        snprintf(name.mean, sizeof name.mean, "suppression.%s", names[k]);
        snprintf(name.low, sizeof name.low, "suppression.%s.low", names[k]);
        snprintf(name.high, sizeof name.high, "suppression.%s.high", names[k]);
        st = heads_means(c->w, c->x, &name, c->sum[k], c->s->n, m[k], err);
    }
    ranked *list = arena_array(&c->w->mem, c->n_head, sizeof *list);
    if (st == E_OK && !list) st = nomem(err);
    for (int k = 0; k < N_MEASURE && st == E_OK; k++)
        if (!m[k][0]) return E_OK; /* the report says why */
    if (st != E_OK) return st;
    for (int64_t i = 0; i < c->n_head; i++) {
        list[i] = (ranked){ m[EFFECT][0][i], i };
        most = fmax(most, fabs(m[BY_CHANCE][0][i]));
    }
    rank_by_value(list, c->n_head);
    list_heads(c, m, list);
    report_unit(c->w->r, "suppression.effect", "logit");
    report_control(c->w->r, "suppression, random tokens", most,
                   "the largest effect of any head, by size, on one random token of the text less "
                   "that on another");
    report_heatmap(c->w->r, "effect on the logit of what is predicted", "suppression.effect",
                   "layer", "head", &(figure_options){ .value = "logit" });
    return E_OK;
}

static void explain(const suppression *c)
{
    report_note(
        c->w->r,
        "Copy suppression (after McDougall et al. 2023), in the second halves: t is the token of "
        "the text so far that the logit lens of the stream before the head's layer has as the "
        "likeliest. effect: what the head adds directly to the logit of t less that of another "
        "token of the text drawn at random, norms' scales as they were; below 0 it lowers what "
        "is predicted. attention: what it pays to t wherever it stands; to another: to the other "
        "token. by chance: the effect with two random tokens. low, high: 95 %% bootstrap over "
        "%d sequences. The most negative heads are listed.",
        c->s->n);
    report_seed(c->w->r, "heads.suppression", c->w->seed);
}

status heads_suppression(work *w, const patterns *x, const repeats *s, error *err)
{
    lane *l = NULL;
    suppression c = {
        .w = w, .x = x, .s = s, .n_head = (int64_t)x->n_layer * x->n_head, .n_row = s->period
    };
    status st = work_lane(w, &l, NULL, s->p[0], NULL, err);
    if (st == E_OK) st = flow_open(&c.f, w, l, err);
    if (l) lane_drop(l);
    if (st == E_OK) st = unembed_open(&c.u, w, err);
    if (st == E_OK) st = find_streams(&c, err);
    if (st == E_OK) st = find_heads(&c, err);
    if (st == E_OK) st = check_room(&c, err);
    if (st == E_OK) st = allocate(&c, err);
    for (int i = 0; i < s->n && st == E_OK; i++) {
        st = work_tell(w, "suppression", (double)i / s->n, err);
        if (st == E_OK) st = one_sequence(&c, i, err);
    }
    if (st == E_OK) st = show(&c, err);
    if (st != E_OK) return st;
    keep_tokens(&c, "suppression.predicted_id", c.predicted);
    keep_tokens(&c, "suppression.other_id", c.other);
    explain(&c);
    return E_OK;
}
/* SPDX-License-Identifier: MIT */
