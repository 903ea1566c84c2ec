/* instrument: ablate -- components taken out one by one, and what of the effect goes straight to the logits.
 *
 *     effect(c)    metric with c ablated at all positions - metric of the clean run
 *     direct(c)    the same where only the logits see the ablated c (the edge c -> logits), final norm computed anew
 *     frozen(c)    the same with the final norm's scale held at the clean run's
 *     self-repair  effect - frozen: above 0, where ablating hurts, the model makes up for what is missing
 *                  = (effect - direct, by later components) + (direct - frozen, by the norm)
 *
 * (McGrath et al. 2023; Rushing and Nanda 2024.)  Ablated to zero; to the mean over reference prompts, of all positions or
 * position by position; or resampled: to what the corrupted prompt, or another clean prompt of the same length, has there.
 * An effect that only one kind of ablation shows is no property of the component: they stand beside each other. */
#include "graph/mirror.h"
#include "instrument/ablate_pairs.h"
#include "instrument/duel.h"
#include "instrument/rank.h"
#include "report/interval.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "what", PARAM_SOME_OF("head attn mlp layer neuron"), "head,mlp", "what is ablated",
      ROLE_WHAT },
    { "how", PARAM_SOME_OF("zero mean mean_by_pos resample"), NULL,
      "how, the first is looked at; what there are prompts for", ROLE_WHAT },
    { "layer", PARAM_TEXT, "all", "of which layers: all, or with commas and ranges: 3 or 0,4:8",
      ROLE_WHAT },
    { "prompt", PARAM_LIST, NULL,
      "prompts instead of pairs: the answer is what the model finds likeliest", ROLE_WHAT },
    { "reference", PARAM_TEXT, NULL,
      "prompts that means are over: lines, or JSON; else the pairs file's, else the clean prompts",
      ROLE_FILE },
    { "donor", PARAM_ONE_OF("corrupt other"), NULL,
      "resample from: corrupt (the pair's other prompt), other (another clean prompt as long)",
      ROLE_WHAT },
    { "top", PARAM_INT_IN(1, 100000), "12", "how many components a table shows", ROLE_WHAT },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { ZERO, MEAN, MEAN_BY_POS, RESAMPLE, N_HOW };
enum { HEAD, ATTN, MLP, LAYER, NEURON, N_KIND };
enum { TOTAL, DIRECT, FROZEN, N_PATH };
static const char *const HOWS[N_HOW] = { "zero", "mean", "mean_by_pos", "resample" };
static const char *const KINDS[N_KIND] = { "head", "attn", "mlp", "layer", "neuron" };
static const char *const PATHS[N_PATH] = { "ablate", "direct", "direct_frozen" };

/* A node by layer, and its means over the reference prompts. */
typedef struct part {
    node **n;      /* [n_layer] */
    double **mean; /* [n_layer] of all rows; NULL until wanted */
    double **by_pos;
} part;

typedef struct ablation ablation;

/* What one plan is about. */
typedef struct about {
    const ablation *a;
    int kind, how, path;
} about;

struct ablation {
    work *w;
    duel d;
    int n_layer;
    int *layer; /* [n_layer] those asked for */
    part z, result, mlp, post;
    node *scale; /* of the final norm; NULL: there is none */
    bool kind[N_KIND], direct, donors;
    int how[N_HOW], n_how; /* the first is the one that is looked at */
    duel_plan plan[N_KIND * N_HOW * N_PATH];
    about about[N_KIND * N_HOW * N_PATH];
    int n_plan;
};

/* ---- what is asked for ---- */

static void settle_kinds(ablation *a)
{
    for (int k = 0; k < N_KIND; k++) a->kind[k] = str_listed(work_text(a->w, "what"), KINDS[k]);
}

static status settle_hows(ablation *a, const pairs *p, error *err)
{
    const char *list = work_text(a->w, "how");
    size_t n;
    if (!list) {
        a->how[a->n_how++] = ZERO;
        if (p->n_reference) a->how[a->n_how++] = MEAN;
        if (a->donors) a->how[a->n_how++] = RESAMPLE;
        return E_OK;
    }
    for (const char *word; (word = str_word(&list, &n));) {
        int k = 0;
        while (!str_is(word, n, HOWS[k])) k++;
        a->how[a->n_how++] = k;
        if ((k == MEAN || k == MEAN_BY_POS) && !p->n_reference) {
            error_set(err, E_USAGE, "ablate: there are no prompts for a mean");
            error_hint(err, "--reference FILE, or several prompts or pairs");
            return E_USAGE;
        }
        if (k != RESAMPLE || a->donors) continue;
        error_set(err, E_USAGE, "ablate: there is nothing to resample from");
        error_hint(err, "pairs with a corrupted prompt, or several prompts of the same length");
        return E_USAGE;
    }
    return E_OK;
}

static bool does(const ablation *a, int how)
{
    for (int i = 0; i < a->n_how; i++)
        if (a->how[i] == how) return true;
    return false;
}

/* ---- nodes ---- */

static status settle_layers(ablation *a, error *err)
{
    int n_layer = a->w->m->config.n_layer;
    bool *on = arena_array(&a->w->mem, n_layer, sizeof *on);
    a->layer = arena_array(&a->w->mem, n_layer, sizeof *a->layer);
    if (!on || !a->layer) return work_nomem(a->w, err);
    status st = work_layers(a->w, "layer", on, err);
    for (int l = 0; l < n_layer && st == E_OK; l++)
        if (on[l]) a->layer[a->n_layer++] = l;
    return st;
}

/* n stays NULL where a layer has no such site. */
static status find_nodes(ablation *a, part *p, const char *site, error *err)
{
    char name[64];
    p->n = arena_array(&a->w->mem, a->n_layer, sizeof *p->n);
    if (!p->n) return work_nomem(a->w, err);
    for (int i = 0; i < a->n_layer; i++) {
        snprintf(name, sizeof name, "blocks.%d.%s", a->layer[i], site);
        p->n[i] = graph_find(&a->w->m->g, name);
        if (!p->n[i] || p->n[i]->n_part != p->n[0]->n_part) {
            p->n = NULL;
            return E_OK;
        }
    }
    return E_OK;
}

/* Kinds the model has not are refused where they were asked for, else left out. */
static status check_kind(ablation *a, int kind, const part *p, const char *site, error *err)
{
    if (!a->kind[kind] || p->n) return E_OK;
    a->kind[kind] = false;
    if (!json_object_get(a->w->request, "what")) return E_OK;
    error_set(err, E_NOSITE,
              "ablate: not every layer of %s has a %s of one size, so there is no %s",
              a->w->m->name, site, KINDS[kind]);
    error_hint(err, "--what head, or fewer layers with --layer");
    return E_NOSITE;
}

/* Is there an edge from these to the logits? */
static status check_direct(ablation *a, const part *p, error *err)
{
    for (int i = 0; p->n && i < a->n_layer && a->direct; i++) {
        status st =
            mirror_edge(&a->direct, session_graph(a->w->s), p->n[i], a->w->m->logits_reader, err);
        if (st != E_OK) return st;
    }
    return E_OK;
}

static status settle_nodes(ablation *a, error *err)
{
    status st = settle_layers(a, err);
    if (st == E_OK) st = find_nodes(a, &a->z, "attn.z", err);
    if (st == E_OK) st = find_nodes(a, &a->result, "attn.result", err);
    if (st == E_OK) st = find_nodes(a, &a->mlp, "mlp.out", err);
    if (st == E_OK) st = find_nodes(a, &a->post, "mlp.post", err);
    if (st == E_OK) st = check_kind(a, HEAD, &a->z, "attn.z", err);
    if (st == E_OK) st = check_kind(a, ATTN, &a->z, "attn.z", err);
    if (st == E_OK) st = check_kind(a, MLP, &a->mlp, "mlp.out", err);
    if (st == E_OK) st = check_kind(a, LAYER, a->z.n ? &a->mlp : &a->z, "mlp.out", err);
    if (st == E_OK) st = check_kind(a, NEURON, &a->post, "mlp.post", err);
    a->scale = graph_find(&a->w->m->g, "ln_final.scale");
    a->direct = a->result.n || a->mlp.n;
    if (st == E_OK) st = check_direct(a, &a->result, err);
    if (st == E_OK) st = check_direct(a, &a->mlp, err);
    return st;
}

/* Of all nodes at once: each call runs every reference prompt. */
static status find_means(ablation *a, part *const *p, int n_part, bool by_pos, error *err)
{
    node **n = arena_array(&a->w->mem, (int64_t)n_part * a->n_layer, sizeof *n);
    double **all;
    if (!n) return work_nomem(a->w, err);
    for (int k = 0; k < n_part; k++)
        memcpy(n + k * a->n_layer, p[k]->n, (size_t)a->n_layer * sizeof *n);
    status st = duel_means(&a->d, n, n_part * a->n_layer, by_pos, &all, err);
    for (int k = 0; st == E_OK && k < n_part; k++)
        *(by_pos ? &p[k]->by_pos : &p[k]->mean) = all + k * a->n_layer;
    return st;
}

static status settle_means(ablation *a, error *err)
{
    const bool *k = a->kind, attn = k[HEAD] || k[ATTN] || k[LAYER];
    part *p[4];
    int n = 0;
    if (attn && a->z.n) p[n++] = &a->z;
    if (attn && a->direct && a->result.n) p[n++] = &a->result;
    if ((k[MLP] || k[LAYER]) && a->mlp.n) p[n++] = &a->mlp;
    if (k[NEURON] && a->post.n) p[n++] = &a->post;
    status st = n && does(a, MEAN) ? find_means(a, p, n, false, err) : E_OK;
    return st == E_OK && n && does(a, MEAN_BY_POS) ? find_means(a, p, n, true, err) : st;
}

/* ---- cells ---- */

/* Parts [a0, a1) of layer i's node as they are when ablated. */
static edit ablated(const duel *d, const part *p, int how, int i, int32_t a0, int32_t a1)
{
    node *n = p->n[i];
    edit e = { .n = n,
               .where = { 0, d->p->clean[d->pair]->n, a0, a1 },
               .w1 = n->width,
               .kind = EDIT_SET,
               .part_step = n->width };
    if (how == MEAN) e.v = p->mean[i] + (int64_t)a0 * n->width;
    if (how == MEAN_BY_POS) {
        e.v = p->by_pos[i] + (int64_t)a0 * n->width;
        e.row_step = (int64_t)n->n_part * n->width;
    }
    return how == RESAMPLE ? edit_take(e, d->corrupt) : e;
}

/* The cell that ablates component b of layer i, and up to two further edits of it. */
static duel_cell make_cell(const duel *d, const about *x, int i, int32_t b, duel_edit *more)
{
    const ablation *a = x->a;
    bool direct = x->path != TOTAL;
    const part *heads = direct ? &a->result : &a->z, *p = x->kind == MLP      ? &a->mlp
                                                          : x->kind == NEURON ? &a->post
                                                                              : heads;
    bool single = x->kind == HEAD || x->kind == NEURON;
    node *reader = direct ? a->w->m->logits_reader : NULL;
    const box slice = { 0, ROW_OPEN, 0, reader ? reader->n_part : 0 };
    duel_cell c = { .e = ablated(d, p, x->how, i, single ? b : 0, single ? b + 1 : p->n[i]->n_part),
                    .reader = reader,
                    .slice = slice,
                    .more = more };
    if (x->kind == LAYER)
        more[c.n_more++] =
            (duel_edit){ ablated(d, &a->mlp, x->how, i, 0, a->mlp.n[i]->n_part), reader, slice };
    if (x->path == FROZEN) {
        edit e = { .n = a->scale,
                   .where = { 0, d->p->clean[d->pair]->n, 0, a->scale->n_part },
                   .w1 = a->scale->width };
        more[c.n_more++] = (duel_edit){ .e = edit_take(e, d->clean) };
    }
    return c;
}

static int64_t cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    int64_t n_part = p->n_dim == 2 ? p->dim[1] : 1, n = x->a->n_layer * n_part;
    duel_edit *more = arena_array(&d->w->mem, 2 * n, sizeof *more);
    if (!more) return 0; /* the arena knows, and the run fails */
    for (int64_t k = 0; k < n; k++) {
        cell[k] = make_cell(d, x, (int)(k / n_part), (int32_t)(k % n_part), more + 2 * k);
        cell[k].at = k;
    }
    return n;
}

/* As EAP-IG names them: a3.h7 is head 7 of layer 3, m3 its MLP. */
static void label(const duel_plan *p, int64_t at, char *out, size_t bytes)
{
    const about *x = p->user;
    int64_t n_part = p->n_dim == 2 ? p->dim[1] : 1;
    int layer = x->a->layer[at / n_part];
    long long b = (long long)(at % n_part);
    switch (x->kind) {
    case HEAD: snprintf(out, bytes, "a%d.h%lld", layer, b); break;
    case ATTN: snprintf(out, bytes, "a%d", layer); break;
    case MLP: snprintf(out, bytes, "m%d", layer); break;
    case NEURON: snprintf(out, bytes, "m%d.n%lld", layer, b); break;
    default: snprintf(out, bytes, "a%d and m%d", layer, layer); break;
    }
}

/* ---- plans ---- */

static void add_plan(ablation *a, int kind, int how, int path)
{
    duel_plan *p = &a->plan[a->n_plan];
    about *x = &a->about[a->n_plan++];
    bool wide = kind == HEAD || kind == NEURON;
    *x = (about){ a, kind, how, path };
    *p = (duel_plan){ .direction = ABLATE,
                      .axes = "layer",
                      .dim = { a->n_layer, 1 },
                      .n_dim = wide ? 2 : 1,
                      .cells = cells,
                      .label = label,
                      .user = x,
                      .quiet = true };
    if (wide) {
        snprintf(p->axes, sizeof p->axes, "layer %s", KINDS[kind]);
        p->dim[1] = kind == HEAD ? a->z.n[0]->n_part : a->post.n[0]->n_part;
    }
    snprintf(p->name, sizeof p->name, "%s.%s.%s", PATHS[path], HOWS[how], KINDS[kind]);
}

static void plan_all(ablation *a)
{
    for (int kind = 0; kind < N_KIND; kind++)
        for (int i = 0; a->kind[kind] && i < a->n_how; i++) {
            add_plan(a, kind, a->how[i], TOTAL);
            if (!a->direct || kind == NEURON) continue;
            add_plan(a, kind, a->how[i], DIRECT);
            if (a->scale) add_plan(a, kind, a->how[i], FROZEN);
        }
}

static const duel_plan *plan_of(const ablation *a, int kind, int how, int path)
{
    for (int i = 0; i < a->n_plan; i++)
        if (a->about[i].kind == kind && a->about[i].how == how && a->about[i].path == path)
            return &a->plan[i];
    return NULL;
}

/* ---- what came of it ---- */

/* What a component's table row is made of: by pair, minus the clean run's; NaN where it is not finished. */
typedef struct view {
    duel_tensor total[N_HOW], direct, frozen; /* of the first way; v NULL: not there */
    const duel_plan *plan;
    double *x; /* [pair] */
} view;

static double gap_of(const duel *d, const duel_tensor *t, int64_t at, int pair)
{
    return t->v ? t->v[at * d->p->n + pair] - d->value[1][pair] : (double)NAN;
}

static double mean_gap(const duel *d, const duel_tensor *t, int64_t at)
{
    double sum = 0;
    for (int i = 0; i < d->p->n; i++) sum += gap_of(d, t, at, i);
    return sum / d->p->n;
}

static view view_of(ablation *a, int kind)
{
    view v = { .plan = plan_of(a, kind, a->how[0], TOTAL),
               .x = arena_array(&a->w->mem, a->d.p->n, sizeof(double)) };
    const duel_plan *direct = plan_of(a, kind, a->how[0], DIRECT),
                    *frozen = plan_of(a, kind, a->how[0], FROZEN);
    for (int i = 0; i < a->n_how; i++)
        duel_tensor_get(&a->d, &v.total[a->how[i]], plan_of(a, kind, a->how[i], TOTAL));
    if (direct) duel_tensor_get(&a->d, &v.direct, direct);
    if (frozen) duel_tensor_get(&a->d, &v.frozen, frozen);
    else v.frozen = v.direct; /* without a norm they are one */
    return v;
}

/* The mean of what is in v->x, with its interval. */
static void row_mean(ablation *a, table *t, const view *v, const char *name)
{
    int n = a->d.p->n;
    row_real(t, sample_mean(v->x, n));
    if (n < 2) return;
    interval ci = work_interval(a->w, v->x, n, "ablate.pairs", name);
    row_number(t, ci.low), row_number(t, ci.high);
}

static void show_row(ablation *a, table *t, const view *v, int64_t at, bool first)
{
    duel *d = &a->d;
    char text[96], name[200];
    v->plan->label(v->plan, at, text, sizeof text);
    snprintf(name, sizeof name, "%s, %s", text, HOWS[a->how[0]]);
    table_row(t), row_text(t, "%s", text);
    for (int i = 0; i < d->p->n; i++) v->x[i] = gap_of(d, &v->total[a->how[0]], at, i);
    row_mean(a, t, v, first ? name : NULL);
    if (v->direct.v) {
        row_real(t, mean_gap(d, &v->direct, at));
        if (a->scale) row_real(t, mean_gap(d, &v->frozen, at));
        for (int i = 0; i < d->p->n; i++)
            v->x[i] = gap_of(d, &v->total[a->how[0]], at, i) - gap_of(d, &v->frozen, at, i);
        row_mean(a, t, v, NULL);
    }
    for (int i = 1; i < a->n_how; i++) row_real(t, mean_gap(d, &v->total[a->how[i]], at));
}

static table *component_table(ablation *a, int kind, const view *v)
{
    column c[16];
    int n = 0;
    bool many = a->d.p->n > 1;
    char name[80];
    const char *unit = a->d.def->unit;
    c[n++] = (column){ "component", NULL, CELL_TEXT, 0, false };
    c[n++] = (column){ HOWS[a->how[0]], unit, CELL_REAL, 0, false };
    if (many) c[n++] = (column){ "95 % low", NULL, CELL_REAL, 0, false };
    if (many) c[n++] = (column){ "high", NULL, CELL_REAL, 0, false };
    if (v->direct.v) {
        c[n++] = (column){ "direct", NULL, CELL_REAL, 0, false };
        if (a->scale) c[n++] = (column){ "frozen norm", NULL, CELL_REAL, 0, false };
        c[n++] = (column){ "self-repair", NULL, CELL_REAL, 0, false };
        if (many) c[n++] = (column){ "95 % low", NULL, CELL_REAL, 0, false };
        if (many) c[n++] = (column){ "high", NULL, CELL_REAL, 0, false };
    }
    for (int i = 1; i < a->n_how; i++)
        c[n++] = (column){ HOWS[a->how[i]], NULL, CELL_REAL, 0, false };
    snprintf(name, sizeof name, "%s%s", KINDS[kind], a->d.suffix);
    return report_table(a->w->r, name, n, c);
}

/* Do two ways of ablating agree on which components matter?  Pearson's r over components. */
static double agreement(const duel *d, const view *v, int p, int q, int64_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        mx += mean_gap(d, &v->total[p], i) / (double)n;
        my += mean_gap(d, &v->total[q], i) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = mean_gap(d, &v->total[p], i) - mx, y = mean_gap(d, &v->total[q], i) - my;
        xx += x * x, yy += y * y, xy += x * y;
    }
    return xy / sqrt(xx * yy);
}

static void show_controls(ablation *a, int kind, const view *v, const ranked *list, int64_t n)
{
    char name[120];
    if (!n) return;
    snprintf(name, sizeof name, "%s%s, the middle one", KINDS[kind], a->d.suffix);
    report_control(a->w->r, name, fabs(list[n / 2].v),
                   "%s: size of the effect that as many %ss exceed as not: what any would do",
                   HOWS[a->how[0]], KINDS[kind]);
    for (int i = 1; i < a->n_how; i++) {
        double r = agreement(&a->d, v, a->how[0], a->how[i], v->total[a->how[0]].n_cell);
        snprintf(name, sizeof name, "%s%s, %s and %s", KINDS[kind], a->d.suffix, HOWS[a->how[0]],
                 HOWS[a->how[i]]);
        if (!isnan(r))
            report_control(a->w->r, name, r, "correlation of the two ways' effects over all");
    }
}

static void picture(ablation *a, const duel_plan *p, const char *tensor_name, const char *title,
                    const char *value)
{
    figure_options o = { .value = value };
    const about *x = p->user;
    work_label_layers(a->w, tensor_name, "layer", a->layer, a->n_layer);
    if (p->n_dim == 1) report_bars(a->w->r, title, tensor_name, "layer", &o);
    else {
        if (x->kind == HEAD) report_axis_numbers(a->w->r, tensor_name, "head", "H");
        report_heatmap(a->w->r, title, tensor_name, "layer", KINDS[x->kind], &o);
    }
}

/* self_repair.HOW.KIND: the mean over pairs. */
static void draw_repair(ablation *a, int kind, const view *v)
{
    char name[100], title[200];
    const duel_plan *p = v->plan;
    snprintf(name, sizeof name, "self_repair.%s.%s%s", HOWS[a->how[0]], KINDS[kind], a->d.suffix);
    double *out = report_tensor(a->w->r, name, DTYPE_F64, p->axes, p->dim);
    uint8_t *mark = report_marks(a->w->r, name);
    report_unit(a->w->r, name, a->d.def->unit);
    for (int64_t i = 0; out && mark && i < v->direct.n_cell; i++) {
        out[i] = mean_gap(&a->d, &v->total[a->how[0]], i) - mean_gap(&a->d, &v->frozen, i);
        if (isnan(out[i])) mark[i] = MARK_INCOMPLETE;
    }
    snprintf(title, sizeof title, "self-repair of %ss: effect minus direct effect (%s)",
             KINDS[kind], HOWS[a->how[0]]);
    picture(a, p, name, title, "self-repair");
}

static status show_kind(ablation *a, int kind, error *err)
{
    view v = view_of(a, kind);
    int64_t n_cell = v.total[a->how[0]].n_cell, n = 0, top = work_int(a->w, "top");
    ranked *list = arena_array(&a->w->mem, n_cell + 1, sizeof *list);
    if (!v.x || !list) return work_nomem(a->w, err);
    for (int64_t i = 0; i < n_cell; i++) {
        double e = mean_gap(&a->d, &v.total[a->how[0]], i);
        if (!isnan(e)) list[n++] = (ranked){ e, i };
    }
    rank_by_size(list, n);
    table *t = n ? component_table(a, kind, &v) : NULL;
    if (!n) report_note(a->w->r, "%s: none was finished in every pair.", KINDS[kind]);
    for (int64_t i = 0; i < n && i < top; i++) show_row(a, t, &v, list[i].at, i == 0);
    if (v.direct.v) draw_repair(a, kind, &v);
    show_controls(a, kind, &v, list, n);
    return E_OK;
}

/* Whole effects of each way are drawn; direct ones are tensors. */
static void draw(duel *d, const duel_plan *p)
{
    char name[120], title[200];
    const about *x = p->user;
    ablation *a = (ablation *)x->a;
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    if (x->path != TOTAL) return;
    snprintf(title, sizeof title, "%s: change of the clean run's %s", p->name, d->def->name);
    picture(a, p, name, title, "change");
}

static status show(ablation *a, error *err)
{
    status st = E_OK;
    for (int k = 0; k < a->d.n_metric && st == E_OK; k++) {
        duel_metric_at(&a->d, k);
        for (int kind = 0; kind < N_KIND && st == E_OK; kind++)
            if (a->kind[kind]) st = show_kind(a, kind, err);
    }
    duel_metric_at(&a->d, 0);
    if (a->direct)
        report_note(
            a->w->r,
            "Effect: metric when ablated at all positions, minus clean. direct: only the "
            "logits see it%s. self-repair: effect minus %s; above 0, where ablating hurts, "
            "the model makes up for what is missing (Rushing and Nanda 2024; below 0: later "
            "components carry it on). Two components at once: microtome interact.",
            a->scale ? "; frozen norm: with the final norm's scale of the clean run" : "",
            a->scale ? "the direct effect with the norm frozen" : "direct");
    else
        report_note(a->w->r, "Effect: metric when ablated at all positions, minus clean. There is "
                             "no edge from these components to the logits alone in this model, so "
                             "no direct effect. Two components at once: microtome interact.");
    return st;
}

/* ---- all of it ---- */

static status settle(ablation *a, error *err)
{
    pairs *p = NULL;
    settle_kinds(a);
    status st = work_only_among(a->w, "how", "mean,mean_by_pos", "reference", err);
    if (st == E_OK) st = work_only_among(a->w, "how", "resample", "donor", err);
    if (st == E_OK) st = settle_nodes(a, err);
    if (st == E_OK) st = ablate_pairs(a->w, &p, &a->donors, err);
    if (st != E_OK) return st;
    st = settle_hows(a, p, err);
    if (st == E_OK) return duel_open_pairs(&a->d, a->w, p, err);
    pairs_free(p);
    return st;
}

static status run(work *w, error *err)
{
    ablation *a = arena_zero(&w->mem, sizeof *a);
    if (!a) return work_nomem(w, err);
    a->w = w;
    status st = settle(a, err), shown = E_OK;
    if (st != E_OK) return st;
    st = settle_means(a, err);
    if (st == E_OK) {
        plan_all(a);
        st = duel_run(&a->d, a->plan, a->n_plan, NULL, draw, err);
    }
    if ((st == E_OK || st == E_INTERRUPTED) && !work_flag(w, "plan")) shown = show(a, err);
    duel_close(&a->d);
    return shown == E_OK ? st : shown;
}

const instrument_def instrument_ablate_def = {
    .name = "ablate",
    .says = "Components ablated one by one, direct effect beside total",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
