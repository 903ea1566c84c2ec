/* instrument: neurons -- every neuron of the MLPs, one at a time and each exactly: its activation is taken from the other
 * prompt at all positions (patch), or set to zero or to its mean over the reference prompts (ablations of the clean run).
 *
 * Beside the largest: how many neurons have an effect of which size, layer by layer, and each layer's largest in order,
 * which shows whether a few neurons carry an effect or many do. */
#include "instrument/duel.h"
#include "instrument/rank.h"
#include <math.h>

static const param params[] = {
    { "layer", PARAM_TEXT, "all", "which layers: all, or with commas and ranges: 3 or 0,4:8",
      ROLE_WHAT },
    { "what", PARAM_SOME_OF("patch zero mean"), NULL,
      "what is done to neurons; all, the mean where there are reference prompts", ROLE_WHAT },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { N_TOP = 16, N_SIZE = 8 };

/* A plan's layers; means by layer, or NULL: zeros. */
typedef struct about {
    int n_layer;
    int *layer;    /* [n_layer] */
    node **n;      /* [n_layer] */
    double **mean; /* [n_layer][neuron] */
} about;

/* ---- what is asked for ---- */

static status find_layers(work *w, about *x, error *err)
{
    int n_layer = w->m->config.n_layer;
    char name[64];
    bool *on = arena_array(&w->mem, n_layer, sizeof *on);
    x->layer = arena_array(&w->mem, n_layer, sizeof *x->layer);
    x->n = arena_array(&w->mem, n_layer, sizeof *x->n);
    if (!on || !x->layer || !x->n) return work_nomem(w, err);
    status st = work_layers(w, "layer", on, err);
    for (int l = 0; l < n_layer && st == E_OK; l++) {
        if (!on[l]) continue;
        snprintf(name, sizeof name, "blocks.%d.mlp.post", l);
        node *n = graph_find(&w->m->g, name);
        if (!n)
            return error_set(err, E_NOSITE,
                             "neurons: %s has no %s: no MLP there, or experts, whose neurons are "
                             "no site",
                             w->m->name, name);
        if (x->n_layer && n->n_part != x->n[0]->n_part)
            return error_set(err, E_UNSUPPORTED,
                             "neurons: layer %d has %d neurons, layer %d has %d: name layers of "
                             "one size with --layer",
                             l, n->n_part, x->layer[0], x->n[0]->n_part);
        x->layer[x->n_layer] = l, x->n[x->n_layer++] = n;
    }
    return st;
}

static const char *const KINDS[] = { "patch", "zero", "mean" };

static bool wanted(const duel *d, int kind)
{
    const char *list = work_text(d->w, "what");
    return list ? str_listed(list, KINDS[kind]) : kind < 2 || d->p->n_reference;
}

/* ---- plans ---- */

static int64_t neuron_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    int32_t len = d->p->clean[d->pair]->n;
    int64_t n = 0;
    for (int l = 0; l < x->n_layer; l++)
        for (int32_t a = 0; a < x->n[l]->n_part; a++, n++) {
            cell[n] = (duel_cell){ .e = { .n = x->n[l],
                                          .where = { 0, len, a, a + 1 },
                                          .w1 = x->n[l]->width,
                                          .kind = EDIT_SET },
                                   .at = n };
            if (x->mean) cell[n].e.v = x->mean[l] + (int64_t)a * x->n[l]->width;
        }
    return n;
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const about *x = p->user;
    snprintf(out, bytes, "blocks.%d.mlp.post[neuron=%lld]", x->layer[i / p->dim[1]],
             (long long)(i % p->dim[1]));
}

static duel_plan plan_of(const about *x, int direction, const char *name)
{
    duel_plan p = { .direction = direction,
                    .axes = "layer neuron",
                    .dim = { x->n_layer, x->n[0]->n_part },
                    .n_dim = 2,
                    .cells = neuron_cells,
                    .label = label,
                    .user = x,
                    .directed = direction != ABLATE };
    snprintf(p.name, sizeof p.name, "%s", name);
    return p;
}

static status plan_mean(duel *d, about *x, about *mean, error *err)
{
    *mean = *x;
    return duel_means(d, x->n, x->n_layer, false, &mean->mean, err);
}

/* ---- pictures ---- */

/* In decades: 0 (equal bits), below 1e-5, below 1e-4 ... below 1, and above. */
static int size_of(double e)
{
    double bound = 1e-5;
    int k = 1;
    if (e == 0) return 0;
    for (; k < N_SIZE - 1 && !(fabs(e) < bound); k++) bound *= 10;
    return k;
}

/* Effects of one layer: counted by size, and its largest in order. */
static void sum_up(const report_array *a, int64_t first, int64_t n, int64_t n_top, ranked *list,
                   int64_t *count, double *top, int64_t *who)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = array_value(a, first + i);
        if (isnan(e)) continue;
        count[size_of(e)]++;
        list[k++] = (ranked){ e, (int32_t)i };
    }
    rank_by_size(list, k);
    for (int64_t i = 0; i < n_top; i++) {
        top[i] = i < k ? list[i].v : (double)NAN;
        who[i] = i < k ? list[i].at : -1;
    }
}

static void draw(duel *d, const duel_plan *p)
{
    static const char *const sizes[N_SIZE] = { "0",     "<1e-5", "<1e-4", "<0.001",
                                               "<0.01", "<0.1",  "<1",    ">=1" };
    char from[110], name[3][130], title[400];
    const about *x = p->user;
    report *r = d->w->r;
    int64_t n = p->dim[1], n_top = n < N_TOP ? n : N_TOP, dims[2] = { p->dim[0], n_top };
    duel_tensor_name(d, p, "effect.", from, sizeof from);
    const report_array *a = report_find_tensor(r, from);
    ranked *list = arena_array(&d->w->mem, n, sizeof *list);
    snprintf(name[0], sizeof name[0], "sizes.%s", from + 7);
    snprintf(name[1], sizeof name[1], "top.%s", from + 7);
    snprintf(name[2], sizeof name[2], "top_neuron.%s", from + 7);
    int64_t *count =
        report_tensor(r, name[0], DTYPE_I64, "layer size", (int64_t[]){ p->dim[0], N_SIZE });
    double *top = report_tensor(r, name[1], DTYPE_F64, "layer rank", dims);
    int64_t *who = report_tensor(r, name[2], DTYPE_I64, "layer rank", dims);
    if (!a || !list || !count || !top || !who) return; /* the report or the arena says why */
    for (int64_t l = 0; l < p->dim[0]; l++)
        sum_up(a, l * n, n, n_top, list, count + l * N_SIZE, top + l * n_top, who + l * n_top);
    for (int k = 0; k < 3; k++) work_label_layers(d->w, name[k], "layer", x->layer, x->n_layer);
    work_label_layers(d->w, from, "layer", x->layer, x->n_layer);
    report_axis_labels(r, name[0], "size", N_SIZE, sizes);
    snprintf(title, sizeof title, "%s: each layer's largest, in order (who: tensor %s)", from + 7,
             name[2]);
    figure_options o = { .value = p->direction == ABLATE ? "change" : "effect" };
    report_heatmap(r, title, name[1], "layer", "rank", &o);
    snprintf(title, sizeof title, "%s: how many neurons have a mean effect of which size",
             from + 7);
    report_heatmap(r, title, name[0], "layer", "size", &(figure_options){ .value = "neurons" });
}

static status run(work *w, error *err)
{
    duel d;
    about x = { 0 }, mean;
    duel_plan list[4];
    int n = 0;
    status st = find_layers(w, &x, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    for (int k = DENOISE; k <= NOISE; k++)
        if (wanted(&d, 0) && duel_wants(&d, k)) list[n++] = plan_of(&x, k, "neuron");
    if (wanted(&d, 1)) list[n++] = plan_of(&x, ABLATE, "ablate.zero.neuron");
    if (wanted(&d, 2)) {
        st = plan_mean(&d, &x, &mean, err);
        list[n++] = plan_of(&mean, ABLATE, "ablate.mean.neuron");
    }
    if (st == E_OK) st = duel_run(&d, list, n, NULL, draw, err);
    duel_close(&d);
    return st;
}

const instrument_def instrument_neurons_def = { .name = "neurons",
                                                .says = "Every neuron patched and ablated, exactly",
                                                .subject = "MODEL",
                                                .needs = NEEDS_MODEL,
                                                .param = params,
                                                .run = run };
/* SPDX-License-Identifier: MIT */
