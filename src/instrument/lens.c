/* instrument: lens -- the logit lens (nostalgebraist 2020): the residual stream after every layer, read as if it were the
 * last one.
 *
 *     lens(x) = logits of x: the final norm with its statistics computed anew for x, then the unembedding (and softcap)
 *
 * By the model's own kernels (unembed.h), so that the last layer's lens is the model's output bit for bit: the first
 * control.  The others say what numbers mean: the lens of random directions, and of the stream against what the model says
 * one position earlier.
 *
 *     kl(site, pos) = sum p_final (log p_final - log p_lens), in nats, of one position */
#include "instrument/next.h"
#include "instrument/scene.h"
#include "instrument/unembed.h"
#include "report/interval.h"
#include "tensor/draw.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_NOISE = 8, MAX_TOP = 50, N_STAT = 8, MAX_KEPT = 1 << 24 };

static const param params[] = {
    { "what", PARAM_SOME_OF("pre mid post"), "pre,post", "which places of every layer", ROLE_WHAT },
    { "layer", PARAM_TEXT, "all",
      "which layers: all, or 3 or 0,4:8; the last one's output is always there", ROLE_WHAT },
    { "top", PARAM_INT_IN(1, MAX_TOP), "3", "how many tokens to keep of each place", ROLE_WHAT },
    { "pos", PARAM_INT, "-1", "the position that the table is about; from the end if negative",
      ROLE_WHAT },
    { "target", PARAM_TEXT, NULL, "a token to follow (\" Mary\", or #17)", ROLE_WHAT },
    SCENE_PARAMS,
    { "logits", PARAM_FLAG, NULL, "keep all logits as well, a tensor logit_lens", ROLE_WHAT },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { KL, ENTROPY, P_FINAL, CE_NEXT, P_TARGET, RANK_FINAL, RANK_TARGET, KL_BEFORE };

static const struct {
    const char *name, *unit;
} stats[N_STAT] = {
    { "kl", "nat" },      { "entropy", "nat" }, { "prob_final", NULL },  { "ce_next", "nat" },
    { "prob_target", 0 }, { "rank_final", 0 },  { "rank_target", NULL }, { "kl_before", "nat" },
};

typedef struct place {
    node *n;
    char label[24];
} place;

/* One row as the lens shows it, borrowed from the block's buffers. */
typedef struct view {
    const double *logits, *logp, *p;
} view;

typedef struct lens {
    work *w;
    unembed u;
    place *place;
    int n_place, top, n_prompt;
    bool with_logits;
    double *logits, *logp, *p;                   /* of a block, [position][place][vocab] */
    double *x;                                   /* what goes in, [position][place][d_model] */
    double *noise_logp, *noise_p, *noise_logits; /* [N_NOISE][vocab] */
    double *last_logp, *last_p;                  /* the model's, one position earlier */
    double noise_kl, noise_rank, n_noise;        /* sums */
    double *mean[N_STAT];                        /* [place][prompt] over positions */
    double *agree;    /* the same: how often the top token is the model's */
    double worst_gap; /* of the last place against the logits */
    int64_t n_compared, n_done, n_all;
} lens;

/* One prompt's tensors. */
typedef struct seen {
    const prompt *p;
    lane *l;
    int which;
    int32_t target, pos; /* target -1: none; pos: of the table */
    double *stat[N_STAT], *top_p;
    int64_t *top_id;
    void *all; /* logit_lens, or NULL */
    uint8_t *mark;
} seen;

/* ---- what is looked at ---- */

/* A layer's output is the next one's input: each node once, under its first name. */
static void add_place(lens *x, int layer, const char *what, node *n)
{
    for (int i = 0; i < x->n_place; i++)
        if (x->place[i].n == n) return;
    place *p = &x->place[x->n_place++];
    p->n = n;
    snprintf(p->label, sizeof p->label, "L%d %s", layer, what);
}

static status find_places(lens *x, error *err)
{
    static const char *const what[] = { "pre", "mid", "post" };
    work *w = x->w;
    int n_layer = w->m->config.n_layer, n_mid = 0;
    const char *list = work_text(w, "what");
    char name[64];
    bool *on = arena_array(&w->mem, n_layer, sizeof *on);
    x->place = arena_array(&w->mem, 3 * (int64_t)n_layer + 1, sizeof *x->place);
    if (!on || !x->place) return work_nomem(w, err);
    status st = work_layers(w, "layer", on, err);
    for (int l = 0; l < n_layer && st == E_OK; l++)
        for (int k = 0; k < 3; k++) {
            if (!on[l] || !str_listed(list, what[k])) continue;
            snprintf(name, sizeof name, "blocks.%d.resid_%s", l, what[k]);
            node *n = graph_find(&w->m->g, name);
            if (n) add_place(x, l, what[k], n);
            n_mid += k == 1 && n;
        }
    if (st == E_OK && str_listed(list, "mid") && !n_mid) {
        error_set(err, E_NOSITE, "lens: %s has no resid_mid in these layers", w->m->name);
        error_hint(err, "its blocks are parallel: attention and MLP read the same stream");
        st = E_NOSITE;
    }
    add_place(x, n_layer - 1, "post", x->u.stream);
    return st;
}

/* ---- memory ---- */

static status open_buffers(lens *x, const seen *s, error *err)
{
    arena *mem = &x->w->mem;
    int64_t v = x->u.n_vocab, d = x->u.d_model, rows = unembed_most(&x->u), longest = 1;
    for (int i = 0; i < x->n_prompt; i++) longest = s[i].p->n > longest ? s[i].p->n : longest;
    if (rows > longest * x->n_place) rows = longest * x->n_place;
    if (rows < x->n_place) rows = x->n_place; /* at least one position */
    if (rows < N_NOISE) rows = N_NOISE;
    x->logits = arena_array(mem, rows * v, sizeof *x->logits);
    x->logp = arena_array(mem, rows * v, sizeof *x->logp);
    x->p = arena_array(mem, rows * v, sizeof *x->p);
    x->x = arena_array(mem, rows * d, sizeof *x->x);
    x->noise_logits = arena_array(mem, N_NOISE * v, sizeof *x->noise_logits);
    x->noise_logp = arena_array(mem, N_NOISE * v, sizeof *x->noise_logp);
    x->noise_p = arena_array(mem, N_NOISE * v, sizeof *x->noise_p);
    x->last_logp = arena_array(mem, v, sizeof *x->last_logp);
    x->last_p = arena_array(mem, v, sizeof *x->last_p);
    x->agree = arena_array(mem, (int64_t)x->n_place * x->n_prompt, sizeof *x->agree);
    for (int k = 0; k < N_STAT; k++)
        x->mean[k] = arena_array(mem, (int64_t)x->n_place * x->n_prompt, sizeof *x->mean[k]);
    return mem->failed ? work_nomem(x->w, err) : E_OK;
}

static void label(lens *x, const seen *s, const char *name)
{
    const char *list[3 * 1024];
    if (x->n_place > 3 * 1024) return;
    for (int i = 0; i < x->n_place; i++) list[i] = x->place[i].label;
    report_axis_labels(x->w->r, name, "site", x->n_place, list);
    work_label_tokens(x->w, name, "pos", s->p);
}

static void *tensor(lens *x, const seen *s, const char *what, dtype type, const char *axes,
                    const int64_t *dim)
{
    char name[40];
    snprintf(name, sizeof name, "lane%d/%s", s->which, what);
    void *v = report_tensor(x->w->r, name, type, axes, dim);
    if (v) label(x, s, name);
    return v;
}

/* Everything is missing until it is there. */
static status open_tensors(lens *x, seen *s, error *err)
{
    char name[40];
    int64_t len = s->p->n, dim[3] = { x->n_place, len, x->top };
    for (int k = 0; k < N_STAT; k++) {
        bool about_target = k == P_TARGET || k == RANK_TARGET;
        if (about_target && s->target < 0) continue;
        s->stat[k] = tensor(x, s, stats[k].name, DTYPE_F64, "site pos", dim);
        for (int64_t i = 0; s->stat[k] && i < dim[0] * len; i++) s->stat[k][i] = (double)NAN;
        snprintf(name, sizeof name, "lane%d/%s", s->which, stats[k].name);
        report_unit(x->w->r, name, stats[k].unit);
        if (!s->stat[k]) break;
    }
    s->top_id = tensor(x, s, "top_id", DTYPE_I64, "site pos rank", dim);
    s->top_p = tensor(x, s, "top_prob", DTYPE_F64, "site pos rank", dim);
    snprintf(name, sizeof name, "lane%d/top_prob", s->which);
    s->mark = report_marks(x->w->r, name);
    work_label_ranks(x->w, name, x->top);
    for (int64_t i = 0; s->top_p && i < dim[0] * len * x->top; i++) s->top_p[i] = (double)NAN;
    for (int64_t i = 0; s->top_id && i < dim[0] * len * x->top; i++) s->top_id[i] = -1;
    if (s->mark) memset(s->mark, MARK_INCOMPLETE, (size_t)(dim[0] * len * x->top));
    return x->w->r->failed ? error_set(err, x->w->r->first.code, "%s", x->w->r->first.msg) : E_OK;
}

static void put_logit(const lens *x, void *all, int64_t at, double v)
{
    if (x->w->e->real_bytes == 8) ((double *)all)[at] = v;
    else ((float *)all)[at] = (float)v;
}

/* The logits of every prompt in one tensor, where the prompts are equally long. */
static status open_logits(lens *x, seen *s, error *err)
{
    work *w = x->w;
    int64_t dim[4] = { x->n_place, x->n_prompt, s[0].p->n, x->u.n_vocab }, n = 1;
    if (!x->with_logits) return E_OK;
    for (int i = 0; i < x->n_prompt; i++)
        if (s[i].p->n != dim[2])
            return error_set(
                err, E_SHAPE,
                "lens: --logits needs prompts of one length: prompt 0 has %lld tokens, "
                "prompt %d has %d",
                (long long)dim[2], i, s[i].p->n);
    for (int k = 0; k < 4; k++) n *= dim[k];
    if (n > MAX_KEPT) {
        error_set(err, E_LIMIT, "lens: --logits would keep %lld numbers, the limit is %d",
                  (long long)n, MAX_KEPT);
        error_hint(err, "ask for fewer layers, a shorter prompt or fewer prompts");
        return E_LIMIT;
    }
    bool f64 = w->e->real_bytes == 8;
    void *all = report_tensor(w->r, "logit_lens", f64 ? DTYPE_F64 : DTYPE_F32,
                              "site prompt pos vocab", dim);
    for (int64_t i = 0; all && i < n; i++) put_logit(x, all, i, (double)NAN);
    report_unit(w->r, "logit_lens", "logit");
    for (int i = 0; i < x->n_prompt; i++) s[i].all = all;
    return E_OK;
}

/* ---- controls ---- */

/* Standard normal numbers, as long as the stream is on average: a lens does not see length, but a model without a final
 * norm does. */
static status see_noise(lens *x, double rms, error *err)
{
    int64_t n = (int64_t)N_NOISE * x->u.d_model;
    uint32_t stream = rand_stream("lens.noise");
    for (int64_t i = 0; i < n; i++)
        x->x[i] = (double)(float)(rms * (double)draw_normal(x->w->seed, stream, (uint64_t)i));
    report_seed(x->w->r, "lens.noise", x->w->seed);
    return unembed_rows(&x->u, x->x, N_NOISE,
                        (unembed_out){ x->noise_logits, x->noise_logp, x->noise_p }, err);
}

static void against_noise(lens *x, const view *final, int32_t best)
{
    int32_t v = x->u.n_vocab;
    for (int k = 0; k < N_NOISE; k++, x->n_noise++) {
        int64_t at = (int64_t)k * v;
        x->noise_kl += unembed_kl(final->logp, final->p, x->noise_logp + at, x->noise_p + at, v);
        x->noise_rank += unembed_rank(x->noise_logits + at, v, best);
    }
}

/* Mean square root of the last place's values. */
static status stream_rms(lens *x, const seen *s, double *out, error *err)
{
    int64_t n = (int64_t)s->p->n * x->u.d_model;
    arena_mark here = arena_here(&x->w->mem);
    double *v = arena_array(&x->w->mem, n, sizeof *v), sum = 0;
    if (!v) return work_nomem(x->w, err);
    status st = lane_read(s->l, x->u.stream, node_all(x->u.stream, s->l), v, err);
    for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
    *out = sqrt(sum / (double)n);
    arena_rewind(&x->w->mem, here);
    return st;
}

/* The model's own logits of the positions that were asked for, against the lens of the last place. */
static status against_model(lens *x, const seen *s, int32_t pos, const view *final, error *err)
{
    box b = { pos, pos + 1, 0, x->u.n_vocab };
    arena_mark here = arena_here(&x->w->mem);
    double *v = arena_array(&x->w->mem, x->u.n_vocab, sizeof *v);
    if (!v) return work_nomem(x->w, err);
    status st = lane_read(s->l, x->w->m->logits, b, v, err);
    for (int32_t i = 0; st == E_OK && i < x->u.n_vocab; i++) {
        double gap = number_gap(v[i], final->logits[i]);
        if (gap > x->worst_gap) x->worst_gap = gap;
    }
    x->n_compared += st == E_OK;
    arena_rewind(&x->w->mem, here);
    return st;
}

static int32_t first_compared(const lens *x, const seen *s)
{
    int32_t most = MAX_KEPT / x->u.n_vocab / x->n_prompt;
    most = most < 1 ? 1 : most;
    return s->p->n > most ? s->p->n - most : 0;
}

/* ---- one row ---- */

static void keep_top(lens *x, seen *s, int64_t at, const view *v, error *err, status *st)
{
    arena_mark here = arena_here(&x->w->mem);
    int32_t n = x->u.n_vocab;
    double *left = arena_copy(&x->w->mem, v->logits, (size_t)n * sizeof *left);
    if (!left) *st = work_nomem(x->w, err);
    for (int k = 0; left && k < x->top; k++) {
        int32_t id = next_largest(left, n);
        s->top_id[at * x->top + k] = id;
        if (id >= 0) s->top_p[at * x->top + k] = v->p[id];
        if (s->mark) s->mark[at * x->top + k] = MARK_NONE;
    }
    arena_rewind(&x->w->mem, here);
}

static void keep_logits(const lens *x, const seen *s, int site, int32_t pos, const view *v)
{
    int64_t at = (((int64_t)site * x->n_prompt + s->which) * s->p->n + pos) * x->u.n_vocab;
    for (int32_t i = 0; s->all && i < x->u.n_vocab; i++) put_logit(x, s->all, at + i, v->logits[i]);
}

/* Is there such a number at this position, whatever the logits are?  Means are over those where there is. */
static bool is_defined(const seen *s, int stat, int32_t pos)
{
    if (stat == CE_NEXT) return pos + 1 < s->p->n;
    if (stat == KL_BEFORE) return pos > 0;
    return s->target >= 0 || (stat != P_TARGET && stat != RANK_TARGET);
}

static void keep_stats(lens *x, seen *s, int site, int32_t pos, const view *v, const view *final,
                       int32_t best)
{
    int32_t n = x->u.n_vocab;
    double value[N_STAT];
    for (int k = 0; k < N_STAT; k++) value[k] = (double)NAN;
    value[KL] = unembed_kl(final->logp, final->p, v->logp, v->p, n);
    value[ENTROPY] = unembed_entropy(v->logp, v->p, n);
    if (best >= 0) value[P_FINAL] = v->p[best];
    value[RANK_FINAL] = unembed_rank(v->logits, n, best);
    if (is_defined(s, CE_NEXT, pos)) value[CE_NEXT] = -v->logp[s->p->id[pos + 1]];
    if (s->target >= 0) value[P_TARGET] = v->p[s->target];
    value[RANK_TARGET] = unembed_rank(v->logits, n, s->target);
    if (pos) value[KL_BEFORE] = unembed_kl(x->last_logp, x->last_p, v->logp, v->p, n);
    int64_t at = (int64_t)site * s->p->n + pos, mean = (int64_t)site * x->n_prompt + s->which;
    for (int k = 0; k < N_STAT; k++) {
        if (s->stat[k]) s->stat[k][at] = value[k];
        if (is_defined(s, k, pos)) x->mean[k][mean] += value[k];
    }
    x->agree[mean] += best < 0 ? (double)NAN : unembed_best(v->logits, n) == best;
}

/* ---- one prompt ---- */

static view view_of(const lens *x, int32_t row)
{
    int64_t at = (int64_t)row * x->u.n_vocab;
    return (view){ x->logits + at, x->logp + at, x->p + at };
}

static status one_position(lens *x, seen *s, int32_t pos, int32_t row, error *err)
{
    status st = E_OK;
    view final = view_of(x, row + x->n_place - 1);
    int32_t best = unembed_best(final.logits, x->u.n_vocab);
    for (int i = 0; i < x->n_place && st == E_OK; i++) {
        view v = view_of(x, row + i);
        keep_stats(x, s, i, pos, &v, &final, best);
        keep_top(x, s, (int64_t)i * s->p->n + pos, &v, err, &st);
        keep_logits(x, s, i, pos, &v);
    }
    against_noise(x, &final, best);
    if (st == E_OK && pos >= first_compared(x, s)) st = against_model(x, s, pos, &final, err);
    memcpy(x->last_logp, final.logp, (size_t)x->u.n_vocab * sizeof *x->last_logp);
    memcpy(x->last_p, final.p, (size_t)x->u.n_vocab * sizeof *x->last_p);
    return st;
}

/* Every place at positions [from, to): one run. */
static status one_block(lens *x, seen *s, int32_t from, int32_t to, error *err)
{
    status st = E_OK;
    int32_t n = (to - from) * x->n_place;
    for (int32_t pos = from; pos < to; pos++)
        for (int i = 0; i < x->n_place && st == E_OK; i++) {
            int64_t row = (int64_t)(pos - from) * x->n_place + i;
            st = lane_read(s->l, x->place[i].n, (box){ pos, pos + 1, 0, 1 },
                           x->x + row * x->u.d_model, err);
        }
    x->w->part_done = (double)x->n_done / (double)x->n_all;
    x->w->part = (double)(to - from) / (double)x->n_all;
    if (st == E_OK)
        st = unembed_rows(&x->u, x->x, n, (unembed_out){ x->logits, x->logp, x->p }, err);
    for (int32_t pos = from; pos < to && st == E_OK; pos++)
        st = one_position(x, s, pos, (pos - from) * x->n_place, err);
    x->n_done += to - from;
    return st;
}

static status one_prompt(lens *x, seen *s, error *err)
{
    int32_t most = unembed_most(&x->u) / x->n_place;
    status st = E_OK;
    if (most < 1) most = 1;
    for (int32_t at = 0; at < s->p->n && st == E_OK; at += most)
        st = one_block(x, s, at, at + most < s->p->n ? at + most : s->p->n, err);
    for (int k = 0; k < N_STAT; k++)
        for (int i = 0; i < x->n_place; i++) {
            bool one_less = k == CE_NEXT || k == KL_BEFORE;
            x->mean[k][(int64_t)i * x->n_prompt + s->which] /= s->p->n - one_less;
        }
    for (int i = 0; i < x->n_place; i++) x->agree[(int64_t)i * x->n_prompt + s->which] /= s->p->n;
    return st;
}

static status ask(lens *x, seen *s, error *err)
{
    status st = E_OK;
    for (int i = 0; i < x->n_place && st == E_OK; i++)
        st = lane_ask(s->l, x->place[i].n, node_all(x->place[i].n, s->l), err);
    if (st != E_OK) return st;
    return lane_ask(s->l, x->w->m->logits, (box){ first_compared(x, s), s->p->n, 0, x->u.n_vocab },
                    err);
}

/* ---- what is shown ---- */

static void row_rank(table *t, double rank)
{
    if (isnan(rank)) row_none(t);
    else row_int(t, (int64_t)rank);
}

/* The table of one position. */
static void show_position(lens *x, const seen *s)
{
    char name[80], token[60];
    column c[MAX_TOP + 8] = { { "site", NULL, CELL_TEXT, 0, false } };
    static const char *const nth[] = { "1st", "2nd", "3rd" };
    int n = 1, shown = x->top < 3 ? x->top : 3;
    for (int k = 0; k < shown; k++) {
        c[n++] = (column){ nth[k], NULL, CELL_TOKEN, 0, false };
        c[n++] = (column){ "prob", NULL, CELL_REAL, 3, false };
    }
    c[n++] = (column){ "KL to final", "nat", CELL_REAL, 0, false };
    c[n++] = (column){ "entropy", "nat", CELL_REAL, 0, false };
    c[n++] = (column){ "rank of final", NULL, CELL_INT, 0, false };
    if (s->target >= 0) c[n++] = (column){ "rank of target", NULL, CELL_INT, 0, false };
    if (s->target >= 0) c[n++] = (column){ "p(target)", NULL, CELL_REAL, 3, false };
    prompt_label(s->p, s->pos, token, sizeof token);
    snprintf(name, sizeof name, "lane %d, position %d", s->which, s->pos);
    table *t = report_table(x->w->r, name, n, c);
    for (int i = 0; i < x->n_place; i++) {
        int64_t at = (int64_t)i * s->p->n + s->pos;
        table_row(t), row_text(t, "%s", x->place[i].label);
        for (int k = 0; k < shown; k++) {
            int32_t id = (int32_t)s->top_id[at * x->top + k];
            if (id < 0) row_none(t);
            else work_row_token(x->w, t, id);
            row_number(t, s->top_p[at * x->top + k]);
        }
        row_number(t, s->stat[KL][at]), row_number(t, s->stat[ENTROPY][at]);
        row_rank(t, s->stat[RANK_FINAL][at]);
        if (s->target >= 0) row_rank(t, s->stat[RANK_TARGET][at]);
        if (s->target >= 0) row_number(t, s->stat[P_TARGET][at]);
    }
    report_note(x->w->r, "What comes after \"%s\", as each layer has it.", token);
}

static void draw(lens *x, const seen *s)
{
    report *r = x->w->r;
    char name[40], title[120];
    snprintf(name, sizeof name, "lane%d/top_prob", s->which);
    for (int64_t i = 0; i < (int64_t)x->n_place * s->p->n; i++) {
        size_t n = 0;
        char label[24];
        int32_t id = (int32_t)s->top_id[i * x->top];
        if (id < 0) continue; /* no logit is a number */
        const char *p = x->w->m->tokens ? tokenizer_text(x->w->m->tokens, id, &n) : NULL;
        snprintf(label, sizeof label, "#%d", id);
        report_cell_token(r, name, i * x->top, p ? p : label, p ? n : strlen(label));
    }
    snprintf(title, sizeof title, "lane %d: the likeliest next token, as each layer has it",
             s->which);
    report_heatmap(r, title, name, "site", "pos",
                   &(figure_options){ .value = "its probability", .span = 1 });
    snprintf(name, sizeof name, "lane%d/kl", s->which);
    snprintf(title, sizeof title, "lane %d: how far from the model's output", s->which);
    report_heatmap(r, title, name, "site", "pos", &(figure_options){ .value = "KL to final" });
}

static double over_prompts(const lens *x, const double *v, int site)
{
    return sample_mean(v + (int64_t)site * x->n_prompt, x->n_prompt);
}

static void show_layers(lens *x)
{
    char name[60];
    bool many = x->n_prompt > 1;
    table *t = report_table(x->w->r, "by layer", many ? 10 : 8,
                            (column[]){ { "site", NULL, CELL_TEXT, 0, false },
                                        { "KL to final", "nat", CELL_REAL, 0, false },
                                        { "KL before", "nat", CELL_REAL, 0, false },
                                        { "entropy", "nat", CELL_REAL, 0, false },
                                        { "loss of next", "nat", CELL_REAL, 0, false },
                                        { "rank of final", NULL, CELL_REAL, 0, false },
                                        { "p(final)", NULL, CELL_REAL, 3, false },
                                        { "same top token", NULL, CELL_REAL, 3, false },
                                        { "KL low", "nat", CELL_REAL, 0, false },
                                        { "KL high", "nat", CELL_REAL, 0, false } });
    static const int order[] = { KL, KL_BEFORE, ENTROPY, CE_NEXT, RANK_FINAL, P_FINAL };
    for (int i = 0; i < x->n_place; i++) {
        table_row(t), row_text(t, "%s", x->place[i].label);
        for (size_t k = 0; k < sizeof order / sizeof *order; k++)
            row_number(t, over_prompts(x, x->mean[order[k]], i));
        row_number(t, over_prompts(x, x->agree, i));
        if (!many) continue;
        const double *sample = x->mean[KL] + (int64_t)i * x->n_prompt;
        snprintf(name, sizeof name, "KL, %s", x->place[i].label);
        interval v = work_interval(x->w, sample, x->n_prompt, "lens.interval", name);
        row_number(t, v.low), row_number(t, v.high);
    }
    report_note(x->w->r,
                "Means over all positions%s. KL before: of the output one position earlier, "
                "which the stream has not yet left where it is the smaller one.",
                many ? " of a prompt, then over prompts; the interval (95%, bootstrap) is over "
                       "prompts"
                     : " of one prompt: no sample, so no interval");
}

static void say(lens *x, bool edited)
{
    report *r = x->w->r;
    report_note(r,
                "Logit lens (nostalgebraist 2020): logits of x are the final norm of x, its "
                "statistics computed anew for x, times the unembedding. KL is sum p_final (log "
                "p_final - log p_lens); final is the model's own output%s. Ranks begin at 1.",
                edited ? ", with the edits" : "");
    report_control(r, "last layer against the model's logits", x->worst_gap,
                   "largest difference at %lld positions: 0 is the same bits",
                   (long long)x->n_compared);
    if (x->worst_gap != 0 && edited)
        report_warn(r, "an edit acts behind the last layer: the lens does not have it, and final "
                       "is the lens of the last layer, not the model's output");
    else if (x->worst_gap != 0) x->w->failed = true;
    if (x->n_noise == 0) return;
    report_control(
        r, "KL of random directions", x->noise_kl / x->n_noise,
        "nats, mean of %d random streams as long as the last layer's, at every position: "
        "a lens of nothing",
        N_NOISE);
    report_control(r, "rank of final in random directions", x->noise_rank / x->n_noise,
                   "mean; by chance %.6g", (x->u.n_vocab + 1) / 2.0);
}

/* ---- the whole ---- */

static status find_scenes(lens *x, seen **out, bool *edited, error *err)
{
    scene *list = NULL;
    status st = scenes_find(&list, &x->n_prompt, x->w, "target", NULL, err);
    if (st == E_OK) st = scenes_lanes(list, x->n_prompt, x->w, edited, err);
    if (st != E_OK) return st;
    seen *s = arena_array(&x->w->mem, x->n_prompt, sizeof *s);
    if (!s) return work_nomem(x->w, err);
    for (int i = 0; i < x->n_prompt && st == E_OK; i++) {
        s[i] = (seen){ .p = list[i].p, .l = list[i].l, .which = i, .target = list[i].answer };
        st = scene_position(&s[i].pos, x->w, &list[i], i, work_int(x->w, "pos"), err);
    }
    *out = s;
    return st;
}

static void show(lens *x, const seen *s, bool edited)
{
    for (int i = 0; i < x->n_prompt; i++) show_position(x, &s[i]), draw(x, &s[i]);
    show_layers(x), say(x, edited);
}

static status run(work *w, error *err)
{
    lens x = { .w = w, .top = (int)work_int(w, "top"), .with_logits = work_flag(w, "logits") };
    seen *s = NULL;
    bool edited = false;
    double rms = 0;
    status st = unembed_open(&x.u, w, err);
    if (st == E_OK) st = find_scenes(&x, &s, &edited, err);
    if (st == E_OK) st = find_places(&x, err);
    if (x.top > x.u.n_vocab) x.top = x.u.n_vocab;
    if (st == E_OK) st = open_buffers(&x, s, err);
    if (st == E_OK) st = open_logits(&x, s, err);
    for (int i = 0; i < x.n_prompt && st == E_OK; x.n_all += s[i++].p->n) {
        st = ask(&x, &s[i], err);
        if (st == E_OK) st = open_tensors(&x, &s[i], err);
    }
    if (st == E_OK) st = work_run(w, err);
    if (st == E_OK) st = stream_rms(&x, &s[0], &rms, err);
    if (st == E_OK) st = see_noise(&x, rms, err);
    for (int i = 0; i < x.n_prompt && st == E_OK; i++) st = one_prompt(&x, &s[i], err);
    if (st == E_OK) show(&x, s, edited);
    return st;
}

const instrument_def instrument_lens_def = { .name = "lens",
                                             .says = "Logit lens: what each layer would say next",
                                             .subject = "MODEL",
                                             .needs = NEEDS_MODEL,
                                             .prompts = true,
                                             .param = params,
                                             .run = run };
/* SPDX-License-Identifier: MIT */
