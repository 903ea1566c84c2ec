/* instrument: interact -- which ablations interact: every two components ablated together, exactly, beside each alone.
 *
 *     interaction(a, b) = effect(both) - effect(a) - effect(b)        effect: metric - clean
 *
 * Zero: the two act independently on the metric.  Where ablating hurts, less than zero says that each makes up for the
 * other (self-repair, backups: Wang et al. 2022, McGrath et al. 2023), more than zero that they work in series, so that
 * after one there is less left to spoil.
 *
 * ablate.FILL.pair [first second pair] has the metric of both, on the diagonal of one alone; the half below it is empty.
 * interaction.FILL [first second] is the mean over pairs, both halves alike. */
#include "instrument/duel.h"
#include "report/interval.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const param params[] = {
    { "components", PARAM_SOME_OF("head mlp"), "head,mlp", "what is ablated", ROLE_WHAT },
    { "layer", PARAM_TEXT, "all", "of which layers: all, or with commas and ranges: 3 or 0,4:8",
      ROLE_WHAT },
    { "fill", PARAM_ONE_OF("zero mean"), "zero",
      "ablated to: zero, or mean (over the reference prompts)", ROLE_WHAT },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* One component: a part of z, or an MLP's contribution. */
typedef struct component {
    node *n;
    int32_t a0, a1;
    const double *mean; /* NULL: zeros */
    int layer;
    bool mlp;
    char label[32]; /* "3.7", "m3" */
} component;

typedef struct components {
    int n;
    component *c;
} components;

/* ---- what there is ---- */

static status add_node(duel *d, components *x, int layer, bool mlp, error *err)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", layer, mlp ? "mlp.contribution" : "attn.z");
    node *n = graph_find(&d->w->m->g, name);
    if (!n) {
        error_set(err, E_NOSITE, "interact: %s has no %s", d->w->m->name, name);
        error_hint(err, "an attention-only model: --components head");
        return E_NOSITE;
    }
    for (int32_t a = 0; a < (mlp ? 1 : n->n_part); a++) {
        component *c = &x->c[x->n++];
        *c = (component){
            .n = n, .a0 = a, .a1 = mlp ? n->n_part : a + 1, .layer = layer, .mlp = mlp
        };
        if (mlp) snprintf(c->label, sizeof c->label, "m%d", layer);
        else snprintf(c->label, sizeof c->label, "%d.%d", layer, a);
    }
    return E_OK;
}

/* Of all nodes at once: each call runs every reference prompt. */
static status find_means(duel *d, components *x, error *err)
{
    node **n = arena_array(&d->w->mem, x->n, sizeof *n);
    double **mean;
    int n_node = 0;
    if (!n) return work_nomem(d->w, err);
    for (int i = 0; i < x->n; i++)
        if (!n_node || n[n_node - 1] != x->c[i].n) n[n_node++] = x->c[i].n;
    status st = duel_means(d, n, n_node, false, &mean, err);
    for (int i = 0, k = 0; st == E_OK && i < x->n; i++) {
        component *c = &x->c[i];
        if (n[k] != c->n) k++;
        c->mean = mean[k] + (int64_t)c->a0 * c->n->width;
    }
    return st;
}

static status find_components(duel *d, components *x, error *err)
{
    const model_config *c = &d->w->m->config;
    const char *list = work_text(d->w, "components");
    bool *on = arena_array(&d->w->mem, c->n_layer, sizeof *on);
    x->c = arena_array(&d->w->mem, (int64_t)c->n_layer * (c->n_head + 1), sizeof *x->c);
    if (!on || !x->c) return work_nomem(d->w, err);
    status st = work_layers(d->w, "layer", on, err);
    for (int l = 0; l < c->n_layer && st == E_OK; l++) {
        if (on[l] && str_listed(list, "head")) st = add_node(d, x, l, false, err);
        if (st == E_OK && on[l] && str_listed(list, "mlp")) st = add_node(d, x, l, true, err);
    }
    if (st == E_OK && x->n < 2)
        st = error_set(err, E_USAGE, "interact: one component only, there is nothing to interact");
    return st == E_OK && !strcmp(work_text(d->w, "fill"), "mean") ? find_means(d, x, err) : st;
}

/* ---- cells ---- */

static edit ablation(const component *c, int32_t len)
{
    return (edit){ .n = c->n,
                   .where = { 0, len, c->a0, c->a1 },
                   .w1 = c->n->width,
                   .kind = EDIT_SET,
                   .v = c->mean,
                   .part_step = c->n->width };
}

static int64_t pair_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const components *x = p->user;
    int32_t len = d->p->clean[d->pair]->n;
    int64_t n = 0;
    duel_edit *second = arena_array(&d->w->mem, x->n, sizeof *second);
    if (!second) return 0; /* the arena knows, and the run fails */
    for (int b = 0; b < x->n; b++) second[b].e = ablation(&x->c[b], len);
    for (int a = 0; a < x->n; a++)
        for (int b = a; b < x->n; b++)
            cell[n++] = (duel_cell){ .e = ablation(&x->c[a], len),
                                     .at = (int64_t)a * x->n + b,
                                     .more = &second[b],
                                     .n_more = b > a };
    return n;
}

static void component_text(const component *c, char *out, size_t bytes)
{
    if (c->mlp) snprintf(out, bytes, "blocks.%d.mlp.contribution", c->layer);
    else snprintf(out, bytes, "blocks.%d.attn.z[head=%d]", c->layer, c->a0);
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const components *x = p->user;
    int64_t a = i / x->n, b = i % x->n;
    char one[48], two[48];
    component_text(&x->c[a], one, sizeof one), component_text(&x->c[b], two, sizeof two);
    if (a == b) snprintf(out, bytes, "%s", one);
    else snprintf(out, bytes, "%s & %s", one, two);
}

/* ---- interactions ---- */

/* Of one pair of prompts; NaN where one of the three is not finished.  what[0..2]: each alone, and both. */
static double interaction(const duel *d, const duel_tensor *t, int n, int a, int b, int pair,
                          double what[3])
{
    int64_t at[3] = { (int64_t)a * n + a, (int64_t)b * n + b, (int64_t)a * n + b };
    for (int k = 0; k < 3; k++) what[k] = t->v[at[k] * d->p->n + pair] - d->value[1][pair];
    return what[2] - what[0] - what[1];
}

typedef struct entry {
    double mean, alone[3]; /* each alone, both */
    int a, b;
} entry;

static entry mean_of(const duel *d, const duel_tensor *t, int n, int a, int b)
{
    entry e = { .a = a, .b = b };
    for (int i = 0; i < d->p->n; i++) {
        double what[3];
        e.mean += interaction(d, t, n, a, b, i, what) / d->p->n;
        for (int k = 0; k < 3; k++) e.alone[k] += what[k] / d->p->n;
    }
    return e;
}

static int by_size(const void *p, const void *q)
{
    const entry *x = p, *y = q;
    double a = fabs(x->mean), b = fabs(y->mean);
    return a > b ? -1 : a < b ? 1 : x->a != y->a ? x->a - y->a : x->b - y->b;
}

static void show_entry(duel *d, const duel_plan *p, const duel_tensor *t, table *out,
                       const entry *e, double *x)
{
    const components *c = p->user;
    table_row(out), row_text(out, "%s & %s", c->c[e->a].label, c->c[e->b].label),
        row_real(out, e->alone[0]), row_real(out, e->alone[1]), row_real(out, e->alone[2]),
        row_real(out, e->mean);
    if (d->p->n < 2) return;
    for (int i = 0; i < d->p->n; i++) {
        double what[3];
        x[i] = interaction(d, t, c->n, e->a, e->b, i, what);
    }
    interval ci = work_interval(d->w, x, d->p->n, "interact.pairs", NULL);
    row_number(out, ci.low), row_number(out, ci.high);
}

static void show_largest(duel *d, const duel_plan *p, const duel_tensor *t, entry *list, int64_t n)
{
    const char *unit = d->def->unit;
    double *x = arena_array(&d->w->mem, d->p->n, sizeof *x);
    qsort(list, (size_t)n, sizeof *list, by_size);
    if (!x || !n || list[0].mean == 0) {
        report_note(d->w->r, n ? "No two ablations interact." : "No interaction was finished.");
        return;
    }
    char name[80];
    snprintf(name, sizeof name, "largest interactions%s%s", *d->suffix ? ": " : "",
             *d->suffix ? d->def->name : "");
    table *out = report_table(d->w->r, name, d->p->n > 1 ? 7 : 5,
                              (column[]){ { "components", NULL, CELL_TEXT, 0, false },
                                          { "first alone", NULL, CELL_REAL, 0, false },
                                          { "second alone", NULL, CELL_REAL, 0, false },
                                          { "both", NULL, CELL_REAL, 0, false },
                                          { "interaction", unit, CELL_REAL, 0, false },
                                          { "95 % low", NULL, CELL_REAL, 0, false },
                                          { "high", NULL, CELL_REAL, 0, false } });
    for (int64_t i = 0; i < n && i < 10 && list[i].mean != 0; i++)
        show_entry(d, p, t, out, &list[i], x);
    report_note(d->w->r, "3.7: layer 3, head 7; m3: layer 3's MLP. Where ablating hurts, an "
                         "interaction below 0 says that each makes up for the other "
                         "(self-repair), one above 0 that they work in series.");
}

static void label_both(report *r, const components *x, const char *name)
{
    for (int i = 0; i < x->n; i++) {
        report_axis_token(r, name, "first", i, x->c[i].label, strlen(x->c[i].label));
        report_axis_token(r, name, "second", i, x->c[i].label, strlen(x->c[i].label));
    }
}

static void draw(duel *d, const duel_plan *p)
{
    const components *x = p->user;
    char name[80], title[120];
    duel_tensor t;
    int64_t n = 0;
    duel_tensor_get(d, &t, p);
    snprintf(name, sizeof name, "interaction.%s%s", work_text(d->w, "fill"), d->suffix);
    double *v = report_tensor(d->w->r, name, DTYPE_F64, p->axes, p->dim);
    uint8_t *mark = report_marks(d->w->r, name);
    entry *list = arena_array(&d->w->mem, (int64_t)x->n * x->n, sizeof *list);
    if (!t.v || !v || !mark || !list) return; /* the report or the arena says why */
    report_unit(d->w->r, name, d->def->unit);
    for (int a = 0; a < x->n; a++) {
        v[a * x->n + a] = (double)NAN, mark[a * x->n + a] = MARK_ABSENT;
        for (int b = a + 1; b < x->n; b++) {
            entry e = mean_of(d, &t, x->n, a, b);
            v[a * x->n + b] = v[b * x->n + a] = e.mean;
            if (isnan(e.mean)) mark[a * x->n + b] = mark[b * x->n + a] = MARK_INCOMPLETE;
            else list[n++] = e;
        }
    }
    label_both(d->w->r, x, name);
    show_largest(d, p, &t, list, n);
    snprintf(title, sizeof title, "interaction%s: effect of both ablations minus the two alone",
             d->suffix);
    report_heatmap(d->w->r, title, name, "first", "second",
                   &(figure_options){ .value = "interaction" });
}

static status run(work *w, error *err)
{
    duel d;
    components x = { 0 };
    status st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    st = find_components(&d, &x, err);
    duel_plan p = { .direction = ABLATE,
                    .axes = "first second",
                    .dim = { x.n, x.n },
                    .n_dim = 2,
                    .cells = pair_cells,
                    .label = label,
                    .user = &x };
    snprintf(p.name, sizeof p.name, "ablate.%s.pair", work_text(w, "fill"));
    if (st == E_OK) st = duel_run(&d, &p, 1, NULL, draw, err);
    duel_close(&d);
    return st;
}

const instrument_def instrument_interact_def = { .name = "interact",
                                                 .says = "Which ablations interact (self-repair)",
                                                 .subject = "MODEL",
                                                 .needs = NEEDS_MODEL,
                                                 .param = params,
                                                 .run = run };
/* SPDX-License-Identifier: MIT */
