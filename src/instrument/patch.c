/* instrument: patch -- activation patching, every cell exactly: a value of one prompt is put into the run of the
 * other, and the metric is looked at.  (Vig et al. 2020; Meng et al. 2022; names as TransformerLens has them.)
 *
 * Ablations beside it: a head's z or an MLP's output set to zero, to its mean over a reference set, or to its mean
 * position by position; on the clean prompts. */
#include "base/rand.h"
#include "instrument/duel.h"
#include "tensor/draw.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "what", PARAM_TEXT, "resid_pre",
      "with commas: resid_pre resid_mid resid_post attn_out mlp_out head_out_all_pos "
      "head_out_by_pos "
      "q|k|v|pattern_all_pos|_by_pos ablate",
      false },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, false },
};

/* What is patched: the site of each block, and how it is cut. */
typedef enum cut { CUT_POS, CUT_HEAD, CUT_POS_HEAD, CUT_HEAD_QUERY } cut;

typedef struct kind {
    const char *name, *site;
    cut cut;
    bool extra; /* not among TransformerLens' */
} kind;

static const kind kinds[] = {
    { "resid_pre", "resid_pre", CUT_POS, false },
    { "resid_mid", "resid_mid", CUT_POS, false },
    { "resid_post", "resid_post", CUT_POS, true },
    { "attn_out", "attn.contribution", CUT_POS, false },
    { "mlp_out", "mlp.contribution", CUT_POS, false },
    { "head_out_all_pos", "attn.z", CUT_HEAD, false },
    { "head_out_by_pos", "attn.z", CUT_POS_HEAD, false },
    { "q_all_pos", "attn.q", CUT_HEAD, false },
    { "q_by_pos", "attn.q", CUT_POS_HEAD, false },
    { "k_all_pos", "attn.k", CUT_HEAD, false },
    { "k_by_pos", "attn.k", CUT_POS_HEAD, false },
    { "v_all_pos", "attn.v", CUT_HEAD, false },
    { "v_by_pos", "attn.v", CUT_POS_HEAD, false },
    { "pattern_all_pos", "attn.pattern", CUT_HEAD, false },
    { "pattern_by_pos", "attn.pattern", CUT_HEAD_QUERY, false },
};
enum { N_KIND = sizeof kinds / sizeof *kinds };

/* The tensor of one kind: its nodes, axes, lengths. */
typedef struct plan {
    const kind *k;
    node **n; /* [n_layer] */
    int n_layer, n_part, n_pos, n_dim;
    const char *axes;
    int64_t dim[3];
} plan;

static bool wanted(const work *w, const char *name)
{
    const char *list = work_text(w, "what");
    size_t n = strlen(name);
    if (work_flag(w, "all")) return true;
    for (const char *p = list; (p = strstr(p, name)); p += n)
        if ((p == list || p[-1] == ',' || p[-1] == ' ') && (!p[n] || p[n] == ',' || p[n] == ' '))
            return true;
    return false;
}

static status check_what(const work *w, error *err)
{
    char word[64];
    for (const char *p = work_text(w, "what"); *p;) {
        size_t n = strcspn(p, ", ");
        bool known = n == 6 && !strncmp(p, "ablate", 6);
        for (int i = 0; i < N_KIND; i++)
            known |= strlen(kinds[i].name) == n && !strncmp(p, kinds[i].name, n);
        if (!known && n) {
            snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), p);
            error_set(err, E_USAGE, "patch: '%s' is nothing that is patched", word);
            error_hint(err, "what is one of resid_pre resid_mid resid_post attn_out mlp_out "
                            "head_out_all_pos head_out_by_pos "
                            "q_all_pos q_by_pos (k, v too) pattern_all_pos pattern_by_pos ablate");
            return E_USAGE;
        }
        p += n + strspn(p + n, ", ");
    }
    return E_OK;
}

static int longest(const pairs *p)
{
    int n = 0;
    for (int i = 0; i < p->n; i++) n = p->clean[i]->n > n ? p->clean[i]->n : n;
    return n;
}

static bool plan_kind(duel *d, const kind *k, plan *out)
{
    const model *m = d->w->m;
    char name[64];
    *out = (plan){ .k = k, .n_layer = m->config.n_layer, .n_pos = longest(d->p) };
    out->n = arena_array(&d->w->mem, out->n_layer, sizeof *out->n);
    for (int l = 0; out->n && l < out->n_layer; l++) {
        snprintf(name, sizeof name, "blocks.%d.%s", l, k->site);
        out->n[l] = graph_find(&m->g, name);
        if (!out->n[l]) return false; /* an attention-only model has no resid_mid */
    }
    if (!out->n) return false;
    out->n_part = out->n[0]->n_part;
    static const char *const axes[] = { "layer pos", "layer head", "layer pos head",
                                        "layer head query" };
    out->axes = axes[k->cut], out->n_dim = k->cut == CUT_POS || k->cut == CUT_HEAD ? 2 : 3;
    int64_t second = k->cut == CUT_HEAD || k->cut == CUT_HEAD_QUERY ? out->n_part : out->n_pos;
    out->dim[0] = out->n_layer, out->dim[1] = second;
    out->dim[2] = k->cut == CUT_POS_HEAD ? out->n_part : out->n_pos;
    return true;
}

/* Cell i of a plan for a prompt of len tokens; false where it is past the end. */
static bool cell_at(const plan *p, int64_t i, int32_t len, duel_cell *c)
{
    int64_t a = p->n_dim == 2 ? i : i / p->dim[2], b = p->n_dim == 2 ? 0 : i % p->dim[2];
    int32_t l = (int32_t)(a / p->dim[1]), second = (int32_t)(a % p->dim[1]), third = (int32_t)b;
    node *n = p->n[l];
    *c = (duel_cell){ .e = { .n = n,
                             .where = { 0, len, 0, n->n_part },
                             .w1 = n->extent == PAIR ? len : n->width },
                      .at = i };
    int32_t pos = p->k->cut == CUT_HEAD ? -1 : p->k->cut == CUT_HEAD_QUERY ? third : second;
    int32_t head = p->k->cut == CUT_POS ? -1 : p->k->cut == CUT_POS_HEAD ? third : second;
    if (pos >= len) return false;
    if (pos >= 0) c->e.where.r0 = pos, c->e.where.r1 = pos + 1;
    if (head >= 0) c->e.where.a0 = head, c->e.where.a1 = head + 1;
    return true;
}

static void label(const void *user, int64_t i, char *out, size_t bytes)
{
    const plan *p = user;
    int64_t a = p->n_dim == 2 ? i : i / p->dim[2], b = p->n_dim == 2 ? 0 : i % p->dim[2];
    const char *second = strchr(p->axes, ' ') + 1, *third = strchr(second, ' ');
    int n = (int)(third ? third - second : (ptrdiff_t)strlen(second));
    int k = snprintf(out, bytes, "blocks.%lld.%s[%.*s=%lld", (long long)(a / p->dim[1]), p->k->site,
                     n, second, (long long)(a % p->dim[1]));
    if (third && k > 0 && k < (int)bytes)
        k += snprintf(out + k, bytes - (size_t)k, ", %s=%lld", third + 1, (long long)b);
    if (k > 0 && k < (int)bytes) snprintf(out + k, bytes - (size_t)k, "]");
}

static status sweep_kind(duel *d, const plan *p, int direction, error *err)
{
    duel_tensor t;
    int64_t n = 0;
    int32_t len = d->p->clean[d->pair]->n;
    duel_tensor_get(d, &t, direction, p->k->name, p->axes, p->dim, p->n_dim);
    duel_cell *cell = arena_array(&d->w->mem, t.n_cell + 1, sizeof *cell);
    if (!cell) return error_set(err, E_NOMEM, "patch: out of memory");
    for (int64_t i = 0; i < t.n_cell; i++) {
        if (!cell_at(p, i, len, &cell[n])) continue;
        cell[n].e = edit_take(cell[n].e, duel_source(d, direction)), n++;
    }
    return duel_sweep(d, duel_base(d, direction), cell, n, &t, err);
}

/* ---- ablations ---- */

/* Mean of a node over the reference prompts: over positions too, or one row a position. */
static status reference_mean(duel *d, node *n, bool by_pos, int32_t len, double **out, error *err)
{
    int64_t per = (int64_t)n->n_part * n->width, count = 0;
    double *sum = arena_array(&d->w->mem, per * len, sizeof *sum);
    status st = sum ? E_OK : error_set(err, E_NOMEM, "ablate: out of memory");
    for (int i = 0; i < d->p->n_reference && st == E_OK; i++) {
        const prompt *p = d->p->reference[i];
        lane *l = NULL;
        double *v = arena_array(&d->w->mem, per * p->n, sizeof *v);
        if (by_pos && p->n < len)
            return error_set(
                err, E_SHAPE,
                "ablate: reference prompt %d has %d tokens, fewer than the %d it is a mean for", i,
                p->n, len);
        st = v ? work_lane(d->w, &l, NULL, p, NULL, err)
               : error_set(err, E_NOMEM, "ablate: out of memory");
        if (st == E_OK) st = lane_ask(l, n, node_all(n, l), err);
        if (st == E_OK) st = session_run(d->w->s, NULL, err);
        if (st == E_OK) st = lane_read(l, n, node_all(n, l), v, err);
        for (int32_t r = 0; st == E_OK && r < p->n; r++, count++)
            for (int64_t k = 0; k < per && (!by_pos || r < len); k++)
                sum[(by_pos ? r * per : 0) + k] += v[r * per + k];
        if (l) lane_drop(l);
    }
    for (int64_t k = 0; st == E_OK && k < per * len; k++)
        sum[k] /= by_pos ? d->p->n_reference : (double)count;
    *out = sum;
    return st;
}

typedef enum filling { FILL_ZERO, FILL_MEAN, FILL_MEAN_BY_POS } filling;

/* The cells of one layer: each head's z, or the MLP's output. */
static status ablate_layer(duel *d, int layer, bool mlp, filling how, duel_cell *cell, int64_t *n,
                           error *err)
{
    char name[64];
    double *mean = NULL;
    int32_t len = d->p->clean[d->pair]->n;
    snprintf(name, sizeof name, "blocks.%d.%s", layer, mlp ? "mlp.contribution" : "attn.z");
    node *x = graph_find(&d->w->m->g, name);
    if (!x) return E_OK;
    status st = how ? reference_mean(d, x, how == FILL_MEAN_BY_POS, len, &mean, err) : E_OK;
    for (int32_t a = 0; st == E_OK && a < (mlp ? 1 : x->n_part); a++) {
        duel_cell *c = &cell[(*n)++];
        *c = (duel_cell){
            .e = { .n = x, .where = { 0, len, a, a + 1 }, .w1 = x->width, .kind = EDIT_SET },
            .at = mlp ? layer : (int64_t)layer * x->n_part + a
        };
        if (!mean) continue;
        c->e.v = mean + (int64_t)a * x->width;
        c->e.row_step = how == FILL_MEAN_BY_POS ? (int64_t)x->n_part * x->width : 0;
    }
    return st;
}

static status ablate(duel *d, bool mlp, filling how, error *err)
{
    static const char *const names[] = { "zero", "mean", "mean_by_pos" };
    const model_config *c = &d->w->m->config;
    char name[64];
    duel_tensor t;
    int64_t n = 0;
    if (mlp && !c->d_mlp) return E_OK;
    snprintf(name, sizeof name, "ablate.%s.%s", names[how], mlp ? "mlp" : "head");
    duel_tensor_get(d, &t, -1, name, mlp ? "layer" : "layer head",
                    (int64_t[]){ c->n_layer, c->n_head }, mlp ? 1 : 2);
    duel_cell *cell = arena_array(&d->w->mem, t.n_cell + 1, sizeof *cell);
    status st = cell ? E_OK : error_set(err, E_NOMEM, "ablate: out of memory");
    for (int l = 0; l < c->n_layer && st == E_OK; l++)
        st = ablate_layer(d, l, mlp, how, cell, &n, err);
    return st == E_OK ? duel_sweep(d, d->clean, cell, n, &t, err) : st;
}

static status ablations(duel *d, error *err)
{
    status st = E_OK;
    filling last = d->p->n_reference ? FILL_MEAN_BY_POS : FILL_ZERO;
    for (int how = FILL_ZERO; how <= (int)last && st == E_OK; how++)
        for (int mlp = 0; mlp < 2 && st == E_OK; mlp++) st = ablate(d, mlp, (filling)how, err);
    return st;
}

/* ---- controls: what patching something else there would do ---- */

enum { N_DRAW = 8 };

/* The strongest cell of a kind that is cut by position. */
static int64_t strongest(duel *d, const plan *p, int direction)
{
    duel_tensor t;
    int64_t best = -1;
    double size = 0;
    bool raw;
    duel_tensor_get(d, &t, direction, p->k->name, p->axes, p->dim, p->n_dim);
    for (int64_t i = 0; t.v && i < t.n_cell; i++) {
        double e = fabs(duel_effect(d, direction, d->pair, t.v[i * d->p->n + d->pair], &raw));
        if (e > size) size = e, best = i;
    }
    return best;
}

/* A random direction as long as the difference that patching makes there. */
static status random_direction(duel *d, const edit *like, int direction, int draw, edit *e,
                               error *err)
{
    int64_t n = (int64_t)(like->where.a1 - like->where.a0) * like->n->width;
    double *x = arena_array(&d->w->mem, n, sizeof *x), *y = arena_array(&d->w->mem, n, sizeof *y),
           gap = 0, norm = 0;
    if (!x || !y) return error_set(err, E_NOMEM, "patch: out of memory");
    status st = lane_read(duel_base(d, direction), like->n, like->where, x, err);
    if (st == E_OK) st = lane_read(duel_source(d, direction), like->n, like->where, y, err);
    for (int64_t i = 0; i < n; i++) {
        gap += (y[i] - x[i]) * (y[i] - x[i]);
        x[i] = (double)draw_normal(d->w->seed, rand_stream("patch.direction"),
                                   (uint64_t)draw * (uint64_t)n + (uint64_t)i);
        norm += x[i] * x[i];
    }
    for (int64_t i = 0; i < n; i++) x[i] *= sqrt(gap / norm);
    *e = (edit){ .n = like->n,
                 .where = like->where,
                 .w1 = like->w1,
                 .kind = EDIT_ADD,
                 .v = x,
                 .part_step = like->n->width };
    return st;
}

static status control_sweep(duel *d, const plan *p, int direction, error *err)
{
    int64_t best = strongest(d, p, direction);
    duel_cell like, cell[2 * N_DRAW];
    int32_t len = d->p->clean[d->pair]->n;
    char name[64];
    duel_tensor t;
    status st = E_OK;
    if (best < 0 || len < 2 || !cell_at(p, best, len, &like)) return E_OK;
    for (int i = 0; i < N_DRAW && st == E_OK; i++) {
        int32_t pos = (int32_t)rand_below(d->w->seed, rand_stream("patch.position"),
                                          (uint64_t)(d->pair * N_DRAW + i), len - 1);
        cell[i] = like, cell[i].at = i, cell[N_DRAW + i].at = N_DRAW + i,
        cell[N_DRAW + i].reader = NULL;
        cell[i].e = edit_take(like.e, duel_source(d, direction));
        cell[i].e.from_row = pos + (pos >= like.e.where.r0);
        st =
            random_direction(d, &like.e, direction, d->pair * N_DRAW + i, &cell[N_DRAW + i].e, err);
    }
    if (st != E_OK) return st;
    snprintf(name, sizeof name, "control.%s", p->k->name);
    duel_tensor_get(d, &t, direction, name, "draw", (int64_t[]){ 2 * N_DRAW }, 1);
    return duel_sweep(d, duel_base(d, direction), cell, 2 * N_DRAW, &t, err);
}

static void show_controls(duel *d, const plan *p, int direction)
{
    duel_tensor t;
    char name[64];
    double sum[2] = { 0 };
    int n[2] = { 0 };
    snprintf(name, sizeof name, "control.%s", p->k->name);
    duel_tensor_get(d, &t, direction, name, "draw", (int64_t[]){ 2 * N_DRAW }, 1);
    for (int i = 0; t.v && i < 2 * N_DRAW * d->p->n; i++) {
        bool raw;
        double e = duel_effect(d, direction, i % d->p->n, t.v[i], &raw);
        int which = i / d->p->n >= N_DRAW;
        if (!isnan(e) && !raw) sum[which] += fabs(e), n[which]++;
    }
    report_seed(d->w->r, "patch.position", d->w->seed),
        report_seed(d->w->r, "patch.direction", d->w->seed);
    for (int k = 0; k < 2; k++) {
        snprintf(name, sizeof name, "%s.%s %s", duel_direction(direction), p->k->name,
                 k ? "random direction" : "random position");
        if (n[k])
            report_control(d->w->r, name, sum[k] / n[k],
                           "mean size of effect, %d draws at the strongest cell of each pair",
                           n[k]);
        else report_control_text(d->w->r, name, "no pair could be normalised");
    }
}

/* ---- pictures ---- */

static void draw(duel *d, const plan *p, int direction)
{
    char name[90], title[120];
    bool raw;
    snprintf(name, sizeof name, "effect.%s.%s", duel_direction(direction), p->k->name);
    const report_array *a = report_find_tensor(d->w->r, name);
    if (!a) return;
    report_axis_numbers(d->w->r, name, "layer", "L");
    if (p->k->cut != CUT_POS) report_axis_numbers(d->w->r, name, "head", "H");
    const char *pos = p->k->cut == CUT_HEAD_QUERY ? "query" : "pos";
    if (p->k->cut != CUT_HEAD && d->p->n == 1)
        work_label_tokens(d->w, name, pos, direction == NOISE ? d->p->clean[0] : d->p->corrupt[0]);
    duel_effect(d, direction, 0, 0, &raw);
    snprintf(title, sizeof title, "%s: %s (0: the %s run, 1: the %s run)",
             duel_direction(direction), p->k->name, direction == NOISE ? "clean" : "corrupted",
             direction == NOISE ? "corrupted" : "clean");
    figure_options o = { .value = "effect" };
    int64_t at[3] = { 0 };
    if (p->n_dim == 3) { /* the layer with the largest entry */
        double best = -1;
        for (int64_t i = 0; i < a->n_element; i++)
            if (fabs(array_value(a, i)) > best)
                best = fabs(array_value(a, i)), at[0] = i / (p->dim[1] * p->dim[2]);
        snprintf(title + strlen(title), sizeof title - strlen(title), ", layer %lld",
                 (long long)at[0]);
        o.at = at;
    }
    const char *cols = p->n_dim == 2 ? (p->k->cut == CUT_POS ? "pos" : "head") : pos;
    report_heatmap(d->w->r, title, name, p->n_dim == 2 ? "layer" : "head", cols, &o);
}

/* ---- all of it ---- */

static status one_pair(duel *d, const plan *list, int n, error *err)
{
    status st = E_OK;
    for (int direction = DENOISE; direction <= NOISE && st == E_OK; direction++)
        for (int i = 0; duel_wants(d, direction) && i < n && st == E_OK; i++) {
            st = sweep_kind(d, &list[i], direction, err);
            if (st == E_OK && (list[i].k->cut == CUT_POS || list[i].k->cut == CUT_POS_HEAD))
                st = control_sweep(d, &list[i], direction, err);
        }
    if (st == E_OK && wanted(d->w, "ablate")) st = ablations(d, err);
    return st;
}

static void keep_logits(duel *d, int pair, bool clean)
{
    const char *name = clean ? "logits_clean" : "logits_corrupt";
    int32_t vocab = d->w->m->config.n_vocab, len = longest(d->p);
    lane *l = clean ? d->clean : d->corrupt;
    const report_array *there = report_find_tensor(d->w->r, name);
    double *v = there ? (double *)there->t.data
                      : report_tensor(d->w->r, name, DTYPE_F64, "pair pos vocab",
                                      (int64_t[]){ d->p->n, len, vocab });
    if (v && lane_len(l) == len)
        (void)lane_read(l, d->w->m->logits, node_all(d->w->m->logits, l),
                        v + (int64_t)pair * len * vocab, NULL);
}

static status ask_logits(duel *d, error *err)
{
    status st = lane_ask(d->clean, d->w->m->logits, node_all(d->w->m->logits, d->clean), err);
    if (st == E_OK)
        st = lane_ask(d->corrupt, d->w->m->logits, node_all(d->w->m->logits, d->corrupt), err);
    return st == E_OK ? work_run(d->w, err) : st;
}

static status run(work *w, error *err)
{
    duel d;
    plan list[N_KIND];
    int n = 0;
    status st = check_what(w, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    for (int i = 0; i < N_KIND; i++)
        if (wanted(w, kinds[i].name) && plan_kind(&d, &kinds[i], &list[n])) n++;
    for (int i = 0; i < d.p->n && st == E_OK; i++) {
        w->part_done = (double)i / d.p->n, w->part = 1.0 / d.p->n;
        st = duel_begin(&d, i, err);
        if (st == E_OK && work_flag(w, "all")) st = ask_logits(&d, err);
        if (st == E_OK && work_flag(w, "all")) keep_logits(&d, i, true), keep_logits(&d, i, false);
        if (st == E_OK) st = one_pair(&d, list, n, err);
        duel_end(&d);
    }
    for (int direction = DENOISE; direction <= NOISE && (st == E_OK || st == E_INTERRUPTED);
         direction++)
        for (int i = 0; duel_wants(&d, direction) && i < n; i++) {
            duel_tensor t;
            duel_tensor_get(&d, &t, direction, list[i].k->name, list[i].axes, list[i].dim,
                            list[i].n_dim);
            duel_effects(&d, &t, direction, list[i].axes, list[i].dim, list[i].n_dim, label,
                         &list[i]);
            draw(&d, &list[i], direction);
            if (list[i].k->cut == CUT_POS || list[i].k->cut == CUT_POS_HEAD)
                show_controls(&d, &list[i], direction);
        }
    duel_close(&d);
    return st;
}

const instrument_def instrument_patch_def = { .name = "patch",
                                              .says = "Activation patching, every cell exactly",
                                              .subject = "MODEL",
                                              .needs = NEEDS_MODEL,
                                              .param = params,
                                              .run = run };
/* SPDX-License-Identifier: MIT */
