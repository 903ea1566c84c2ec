/* instrument: patch -- activation patching, every cell exactly: a value of one prompt is put into the run of the
 * other, and the metric is looked at.  (Vig et al. 2020; Meng et al. 2022; names as TransformerLens has them.)
 *
 * Ablations beside it: a head's z or an MLP's output set to zero, to its mean over a reference set, or to its mean
 * position by position; on the clean prompts. */
#include "instrument/duel.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "what",
      PARAM_SOME_OF("resid_pre resid_mid resid_post attn_out mlp_out head_out_all_pos "
                    "head_out_by_pos q_all_pos q_by_pos k_all_pos k_by_pos v_all_pos v_by_pos "
                    "pattern_all_pos pattern_by_pos ablate"),
      "resid_pre", "what is patched", ROLE_WHAT },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* What is patched: the site of each block, and how it is cut. */
typedef enum cut { CUT_POS, CUT_HEAD, CUT_POS_HEAD, CUT_HEAD_QUERY } cut;

typedef struct kind {
    const char *name, *site;
    cut cut;
} kind;

static const kind kinds[] = {
    { "resid_pre", "resid_pre", CUT_POS },
    { "resid_mid", "resid_mid", CUT_POS },
    { "resid_post", "resid_post", CUT_POS },
    { "attn_out", "attn.contribution", CUT_POS },
    { "mlp_out", "mlp.contribution", CUT_POS },
    { "head_out_all_pos", "attn.z", CUT_HEAD },
    { "head_out_by_pos", "attn.z", CUT_POS_HEAD },
    { "q_all_pos", "attn.q", CUT_HEAD },
    { "q_by_pos", "attn.q", CUT_POS_HEAD },
    { "k_all_pos", "attn.k", CUT_HEAD },
    { "k_by_pos", "attn.k", CUT_POS_HEAD },
    { "v_all_pos", "attn.v", CUT_HEAD },
    { "v_by_pos", "attn.v", CUT_POS_HEAD },
    { "pattern_all_pos", "attn.pattern", CUT_HEAD },
    { "pattern_by_pos", "attn.pattern", CUT_HEAD_QUERY },
};
enum { N_KIND = sizeof kinds / sizeof *kinds };

/* What a plan is about: the nodes, by layer. */
typedef struct about {
    const kind *k;
    node **n; /* [n_layer] */
    int n_part;
} about;

static bool wanted(const work *w, const char *name)
{
    return work_flag(w, "all") || str_listed(work_text(w, "what"), name);
}

/* Cell i of a plan for a prompt of len tokens; false where it is past the end. */
static bool cell_at(const duel_plan *p, int64_t i, int32_t len, duel_cell *c)
{
    const about *x = p->user;
    int64_t a = p->n_dim == 2 ? i : i / p->dim[2], b = p->n_dim == 2 ? 0 : i % p->dim[2];
    int32_t l = (int32_t)(a / p->dim[1]), second = (int32_t)(a % p->dim[1]), third = (int32_t)b;
    node *n = x->n[l];
    *c = (duel_cell){ .e = { .n = n,
                             .where = { 0, len, 0, n->n_part },
                             .w1 = n->extent == PAIR ? len : n->width },
                      .at = i };
    int32_t pos = x->k->cut == CUT_HEAD ? -1 : x->k->cut == CUT_HEAD_QUERY ? third : second;
    int32_t head = x->k->cut == CUT_POS ? -1 : x->k->cut == CUT_POS_HEAD ? third : second;
    if (pos >= len) return false;
    if (pos >= 0) c->e.where.r0 = pos, c->e.where.r1 = pos + 1;
    if (head >= 0) c->e.where.a0 = head, c->e.where.a1 = head + 1;
    return true;
}

static int64_t kind_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    int64_t n_cell = p->dim[0] * p->dim[1] * (p->n_dim == 3 ? p->dim[2] : 1), n = 0;
    for (int64_t i = 0; i < n_cell; i++) n += cell_at(p, i, d->p->clean[d->pair]->n, &cell[n]);
    return n;
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const about *x = p->user;
    int64_t a = p->n_dim == 2 ? i : i / p->dim[2], b = p->n_dim == 2 ? 0 : i % p->dim[2];
    const char *second = strchr(p->axes, ' ') + 1, *third = strchr(second, ' ');
    int n = (int)(third ? third - second : (ptrdiff_t)strlen(second));
    int k = snprintf(out, bytes, "blocks.%lld.%s[%.*s=%lld", (long long)(a / p->dim[1]), x->k->site,
                     n, second, (long long)(a % p->dim[1]));
    if (third && k > 0 && k < (int)bytes)
        k += snprintf(out + k, bytes - (size_t)k, ", %s=%lld", third + 1, (long long)b);
    if (k > 0 && k < (int)bytes) snprintf(out + k, bytes - (size_t)k, "]");
}

/* not *there: an attention-only model has no resid_mid. */
static status plan_kind(duel *d, const kind *k, int direction, duel_plan *out, bool *there,
                        error *err)
{
    static const char *const axes[] = { "layer pos", "layer head", "layer pos head",
                                        "layer head query" };
    const model *m = d->w->m;
    int n_layer = m->config.n_layer, n_pos = duel_longest(d);
    char name[64];
    about *x = arena_zero(&d->w->mem, sizeof *x);
    if (x) *x = (about){ .k = k, .n = arena_array(&d->w->mem, n_layer, sizeof *x->n) };
    if (!x || !x->n) return work_nomem(d->w, err);
    *there = true;
    for (int l = 0; l < n_layer && *there; l++) {
        snprintf(name, sizeof name, "blocks.%d.%s", l, k->site);
        x->n[l] = graph_find(&m->g, name);
        *there = x->n[l] != NULL;
    }
    if (!*there) return E_OK;
    x->n_part = x->n[0]->n_part;
    *out = (duel_plan){ .direction = direction,
                        .n_dim = k->cut == CUT_POS || k->cut == CUT_HEAD ? 2 : 3,
                        .cells = kind_cells,
                        .label = label,
                        .user = x,
                        .at_position = k->cut == CUT_POS || k->cut == CUT_POS_HEAD,
                        .directed = x->n[0]->extent != PAIR };
    snprintf(out->name, sizeof out->name, "%s", k->name);
    snprintf(out->axes, sizeof out->axes, "%s", axes[k->cut]);
    out->dim[0] = n_layer;
    out->dim[1] = k->cut == CUT_HEAD || k->cut == CUT_HEAD_QUERY ? x->n_part : n_pos;
    out->dim[2] = k->cut == CUT_POS_HEAD ? x->n_part : n_pos;
    return E_OK;
}

/* ---- ablations ---- */

typedef enum filling { FILL_ZERO, FILL_MEAN, FILL_MEAN_BY_POS } filling;

typedef struct ablation {
    bool mlp;
    filling how;
    node **n;      /* by layer: each head's z, or the MLP's output */
    double **mean; /* theirs over the reference prompts; NULL: zeros */
} ablation;

/* not *there: an attention-only model has no MLP. */
static status ablation_nodes(duel *d, ablation *x, bool *there, error *err)
{
    char name[64];
    int n_layer = d->w->m->config.n_layer;
    x->n = arena_array(&d->w->mem, n_layer, sizeof *x->n);
    if (!x->n) return error_set(err, E_NOMEM, "ablate: out of memory");
    *there = true;
    for (int l = 0; l < n_layer && *there; l++) {
        snprintf(name, sizeof name, "blocks.%d.%s", l, x->mlp ? "mlp.contribution" : "attn.z");
        x->n[l] = graph_find(&d->w->m->g, name);
        *there = x->n[l] != NULL;
    }
    return E_OK;
}

static int64_t ablation_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const ablation *x = p->user;
    int32_t len = d->p->clean[d->pair]->n;
    int64_t n = 0;
    for (int l = 0; l < d->w->m->config.n_layer; l++) {
        node *y = x->n[l];
        for (int32_t a = 0; a < (x->mlp ? 1 : y->n_part); a++, n++) {
            cell[n] = (duel_cell){
                .e = { .n = y, .where = { 0, len, a, a + 1 }, .w1 = y->width, .kind = EDIT_SET },
                .at = x->mlp ? l : (int64_t)l * y->n_part + a
            };
            if (!x->mean) continue;
            cell[n].e.v = x->mean[l] + (int64_t)a * y->width;
            if (x->how == FILL_MEAN_BY_POS) cell[n].e.row_step = (int64_t)y->n_part * y->width;
        }
    }
    return n;
}

static void ablation_label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const ablation *x = p->user;
    if (x->mlp) snprintf(out, bytes, "blocks.%lld.mlp.contribution", (long long)i);
    else
        snprintf(out, bytes, "blocks.%lld.attn.z[head=%lld]", (long long)(i / p->dim[1]),
                 (long long)(i % p->dim[1]));
}

/* Means of several ablations' nodes at once: each call runs every reference prompt. */
static status ablation_means(duel *d, ablation *const *x, int n, error *err)
{
    int n_layer = d->w->m->config.n_layer;
    node **all = arena_array(&d->w->mem, (int64_t)n * n_layer, sizeof *all);
    double **mean;
    if (!all) return error_set(err, E_NOMEM, "ablate: out of memory");
    for (int k = 0; k < n; k++) memcpy(all + k * n_layer, x[k]->n, (size_t)n_layer * sizeof *all);
    status st = duel_means(d, all, n * n_layer, x[0]->how == FILL_MEAN_BY_POS, &mean, err);
    for (int k = 0; st == E_OK && k < n; k++) x[k]->mean = mean + k * n_layer;
    return st;
}

/* Heads and MLPs, as far as the model has them, filled in one way. */
static status find_ablations(duel *d, filling how, ablation *x[2], int *n, error *err)
{
    for (int mlp = *n = 0; mlp < 2; mlp++) {
        ablation *one = arena_zero(&d->w->mem, sizeof *one);
        bool there = false;
        if (!one) return error_set(err, E_NOMEM, "ablate: out of memory");
        *one = (ablation){ .mlp = mlp, .how = how };
        status st = ablation_nodes(d, one, &there, err);
        if (st != E_OK) return st;
        if (there) x[(*n)++] = one;
    }
    return how == FILL_ZERO || !*n ? E_OK : ablation_means(d, x, *n, err);
}

static status plan_ablations(duel *d, duel_plan *out, int *n_out, error *err)
{
    static const char *const names[] = { "zero", "mean", "mean_by_pos" };
    const model_config *c = &d->w->m->config;
    int n = 0;
    for (int how = 0; how < (d->p->n_reference ? 3 : 1); how++) {
        ablation *x[2];
        int n_there;
        status st = find_ablations(d, (filling)how, x, &n_there, err);
        if (st != E_OK) return st;
        for (int k = 0; k < n_there; k++, n++) {
            out[n] = (duel_plan){ .direction = ABLATE,
                                  .dim = { c->n_layer, c->n_head },
                                  .n_dim = x[k]->mlp ? 1 : 2,
                                  .cells = ablation_cells,
                                  .label = ablation_label,
                                  .user = x[k] };
            snprintf(out[n].name, sizeof out[n].name, "ablate.%s.%s", names[how],
                     x[k]->mlp ? "mlp" : "head");
            snprintf(out[n].axes, sizeof out->axes, "%s", x[k]->mlp ? "layer" : "layer head");
        }
    }
    *n_out += n;
    return E_OK;
}

/* ---- pictures ---- */

/* The element with the largest entry, as indices. */
static void largest_at(const report_array *a, const duel_plan *p, int64_t at[3])
{
    double best = -1;
    int64_t where = 0;
    for (int64_t i = 0; i < a->n_element; i++)
        if (fabs(array_value(a, i)) > best) best = fabs(array_value(a, i)), where = i;
    for (int i = p->n_dim - 1; i >= 0; i--) at[i] = where % p->dim[i], where /= p->dim[i];
}

static void draw_ablation(duel *d, const duel_plan *p, const char *name)
{
    char title[160];
    figure_options o = { .value = "change" };
    snprintf(title, sizeof title, "%s: change of the clean run's %s", p->name, d->def->name);
    report_axis_numbers(d->w->r, name, "layer", "L");
    if (p->n_dim == 1) {
        report_bars(d->w->r, title, name, "layer", &o);
        return;
    }
    report_axis_numbers(d->w->r, name, "head", "H");
    report_heatmap(d->w->r, title, name, "layer", "head", &o);
}

static void draw(duel *d, const duel_plan *p)
{
    char name[110], title[160];
    const about *x = p->user;
    int64_t at[3] = { 0 };
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    const report_array *a = report_find_tensor(d->w->r, name);
    if (!a) return;
    if (p->direction == ABLATE) {
        draw_ablation(d, p, name);
        return;
    }
    bool noise = p->direction == NOISE;
    report_axis_numbers(d->w->r, name, "layer", "L");
    if (x->k->cut != CUT_POS) report_axis_numbers(d->w->r, name, "head", "H");
    const char *pos = x->k->cut == CUT_HEAD_QUERY ? "query" : "pos";
    if (x->k->cut != CUT_HEAD && d->p->n == 1)
        work_label_tokens(d->w, name, pos, noise ? d->p->clean[0] : d->p->corrupt[0]);
    snprintf(title, sizeof title, "%s: %s%s (0: the %s run, 1: the %s run)",
             duel_direction(p->direction), x->k->name, d->suffix, noise ? "clean" : "corrupted",
             noise ? "corrupted" : "clean");
    figure_options o = { .value = "effect" };
    if (p->n_dim == 3) largest_at(a, p, at), o.at = at; /* the layer that has the largest entry */
    const char *cols = p->n_dim == 2 ? (x->k->cut == CUT_POS ? "pos" : "head") : pos;
    report_heatmap(d->w->r, title, name, p->n_dim == 2 ? "layer" : "head", cols, &o);
}

/* ---- all of it ---- */

/* [pair][pos][vocab]: absent where a prompt has ended, incomplete until its pair is run. */
static status keep_logits(duel *d, lane *l, bool clean, error *err)
{
    const char *name = clean ? "logits_clean" : "logits_corrupt";
    int32_t vocab = d->w->m->config.n_vocab_out, len = duel_longest(d);
    int64_t per = (int64_t)len * vocab;
    const report_array *there = report_find_tensor(d->w->r, name);
    double *v = there ? (double *)there->t.data
                      : report_tensor(d->w->r, name, DTYPE_F64, "pair pos vocab",
                                      (int64_t[]){ d->p->n, len, vocab });
    uint8_t *mark = report_marks(d->w->r, name);
    if (!v || !mark) return E_OK; /* the report says why */
    for (int64_t i = 0; !there && i < d->p->n * per; i++) {
        bool ended = i % per / vocab >= d->p->clean[i / per]->n;
        v[i] = (double)NAN, mark[i] = ended ? MARK_ABSENT : MARK_INCOMPLETE;
    }
    memset(mark + d->pair * per, MARK_NONE, (size_t)lane_len(l) * (size_t)vocab);
    return lane_read(l, d->w->m->logits, node_all(d->w->m->logits, l), v + d->pair * per, err);
}

/* With --all: the logits of both runs, which other tools' dumps have too. */
static status both_logits(duel *d, error *err)
{
    node *y = d->w->m->logits;
    if (!work_flag(d->w, "all")) return E_OK;
    status st = lane_ask(d->clean, y, node_all(y, d->clean), err);
    if (st == E_OK) st = lane_ask(d->corrupt, y, node_all(y, d->corrupt), err);
    if (st == E_OK) st = work_run(d->w, err);
    if (st == E_OK) st = keep_logits(d, d->clean, true, err);
    return st == E_OK ? keep_logits(d, d->corrupt, false, err) : st;
}

/* Kinds that were asked for by name and that the model does not have are refused. */
static status plan_all(duel *d, duel_plan *list, int *n, error *err)
{
    *n = 0;
    for (int direction = DENOISE; direction <= NOISE; direction++)
        for (int i = 0; duel_wants(d, direction) && i < N_KIND; i++) {
            if (!wanted(d->w, kinds[i].name)) continue;
            bool there = false;
            status st = plan_kind(d, &kinds[i], direction, &list[*n], &there, err);
            if (st != E_OK) return st;
            *n += there;
            if (!there && !work_flag(d->w, "all"))
                return error_set(err, E_NOSITE, "patch: %s has no %s, so no %s", d->w->m->name,
                                 kinds[i].site, kinds[i].name);
        }
    status st = wanted(d->w, "ablate") ? plan_ablations(d, list + *n, n, err) : E_OK;
    if (*n || st != E_OK) return st;
    error_set(err, E_USAGE, "patch: nothing to patch was named");
    error_hint(err, "--what resid_pre, or --all");
    return E_USAGE;
}

static status run(work *w, error *err)
{
    duel d;
    duel_plan *list = arena_array(&w->mem, 2 * N_KIND + 6, sizeof *list);
    int n = 0;
    status st = list ? E_OK : work_nomem(w, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    st = plan_all(&d, list, &n, err);
    if (st == E_OK) st = duel_run(&d, list, n, both_logits, draw, err);
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
