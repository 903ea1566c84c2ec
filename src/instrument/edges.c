/* instrument: edges -- every edge of the model, exactly, ranked: for every writer of the residual stream and every reader
 * that comes after it, what the reader alone sees of the writer is replaced, at all positions, and the metric is looked
 * at.  By the other prompt's value (Goldowsky-Dill et al. 2023, ACDC, the 'exact' of EAP-IG: --direction noise), by zeros
 * or by means over reference prompts.
 *
 * D.edges [src dst pair] has rows and columns as EAP-IG's score matrices have, NaN where there is no such edge;
 * layers.D.edges the largest effect between whole layers.  --graph FILE writes nodes, edges and scores as EAP-IG and MIB
 * read them.  path has the same numbers, kind by kind. */
#include "base/file.h"
#include "instrument/circuit.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "senders", PARAM_SENDERS, "head,mlp,embed,pos_embed,bias", "what writes", ROLE_WHAT },
    { "receivers", PARAM_RECEIVERS, "q,k,v,mlp,logits", "what reads", ROLE_WHAT },
    { "what", PARAM_SOME_OF("patch zero mean mean_by_pos"), "patch", "what is done to an edge",
      ROLE_WHAT },
    { "top", PARAM_INT_IN(1, 100000), "20", "how many of the strongest edges are listed",
      ROLE_WHAT },
    { "graph", PARAM_TEXT, NULL, "write nodes, edges and scores to this JSON file (EAP-IG's form)",
      ROLE_RUN },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

enum { FILL_PATCH, FILL_ZERO, FILL_MEAN, FILL_MEAN_BY_POS, N_FILL };
static const char *const FILLS[N_FILL] = { "patch", "zero", "mean", "mean_by_pos" };

/* What a plan is about: all ends, and what writers are set to. */
typedef struct about {
    endpoints from, to;
    bool *there;         /* [from][to] */
    const double **mean; /* [from] their own part's means; NULL: patched, or zeros */
    int fill;
} about;

/* ---- what is asked for ---- */

static bool wanted(const work *w, int fill)
{
    return str_listed(work_text(w, "what"), FILLS[fill]);
}

static int fills(const work *w)
{
    int n = 0;
    for (int i = 0; i < N_FILL; i++) n += wanted(w, i);
    return n;
}

static status check_request(const work *w, error *err)
{
    const char *direction = work_text(w, "direction");
    bool both = direction ? !strcmp(direction, "both") : work_flag(w, "all");
    if (!work_text(w, "graph")) return E_OK;
    if (fills(w) + (both && wanted(w, FILL_PATCH)) == 1) return E_OK;
    error_set(err, E_USAGE,
              "edges: a graph has one score an edge, and several sweeps are asked for");
    error_hint(err, "--graph with one --what, and one --direction");
    return E_USAGE;
}

static status find_ends(work *w, about *x, error *err)
{
    status st = end_list(w, true, work_text(w, "senders"), &x->from, err);
    if (st == E_OK) st = end_list(w, false, work_text(w, "receivers"), &x->to, err);
    if (st == E_OK) st = end_edges(&x->there, w, &x->from, &x->to, err);
    bool any = false;
    for (int64_t i = 0; st == E_OK && i < (int64_t)x->from.n * x->to.n; i++) any |= x->there[i];
    if (st != E_OK || any) return st;
    error_set(err, E_NOSITE, "edges: %s has no edge from %s to %s", w->m->name,
              work_text(w, "senders"), work_text(w, "receivers"));
    error_hint(err, "senders: head mlp embed pos_embed bias; receivers: q k v mlp logits");
    return E_NOSITE;
}

/* The means of each writer's own part. */
static status find_means(duel *d, about *x, error *err)
{
    node **n = arena_array(&d->w->mem, x->from.n, sizeof *n);
    double **all;
    int n_node = 0;
    x->mean = arena_array(&d->w->mem, x->from.n, sizeof *x->mean);
    if (!n || !x->mean) return work_nomem(d->w, err);
    for (int i = 0; i < x->from.n; i++)
        if (!n_node || n[n_node - 1] != x->from.at[i].n) n[n_node++] = x->from.at[i].n;
    status st = duel_means(d, n, n_node, x->fill == FILL_MEAN_BY_POS, &all, err);
    for (int i = 0, k = -1; st == E_OK && i < x->from.n; i++) {
        const endpoint *u = &x->from.at[i];
        if (k < 0 || n[k] != u->n) k++;
        x->mean[i] = all[k] + (int64_t)u->slice.a0 * u->n->width;
    }
    return st;
}

/* ---- plans ---- */

static duel_cell edge_cell(const duel *d, const about *x, int i, int j)
{
    const endpoint *u = &x->from.at[i];
    duel_cell c = end_cell(u, &x->to.at[j], (int64_t)i * x->to.n + j);
    if (x->fill == FILL_PATCH) return c;
    c.e.kind = EDIT_SET;
    c.e.where.r1 = d->p->clean[d->pair]->n;
    if (x->mean) c.e.v = x->mean[i], c.e.part_step = u->n->width;
    if (x->fill == FILL_MEAN_BY_POS) c.e.row_step = (int64_t)u->n->n_part * u->n->width;
    return c;
}

static int64_t edge_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    int64_t n = 0;
    for (int i = 0; i < x->from.n; i++)
        for (int j = 0; j < x->to.n; j++)
            if (x->there[(int64_t)i * x->to.n + j]) cell[n++] = edge_cell(d, x, i, j);
    return n;
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const about *x = p->user;
    snprintf(out, bytes, "%s->%s", x->from.at[i / x->to.n].name, x->to.at[i % x->to.n].name);
}

static duel_plan plan_of(const work *w, const about *x, int direction)
{
    duel_plan p = { .direction = direction,
                    .axes = "src dst",
                    .dim = { x->from.n, x->to.n },
                    .n_dim = 2,
                    .cells = edge_cells,
                    .label = label,
                    .user = x,
                    .directed = direction != ABLATE,
                    .n_top = (int)work_int(w, "top") };
    if (direction == ABLATE) snprintf(p.name, sizeof p.name, "ablate.%s.edges", FILLS[x->fill]);
    else snprintf(p.name, sizeof p.name, "edges");
    return p;
}

static status plan_all(duel *d, const about *x, duel_plan *list, int *n, error *err)
{
    for (int k = DENOISE; k <= NOISE; k++)
        if (wanted(d->w, FILL_PATCH) && duel_wants(d, k)) list[(*n)++] = plan_of(d->w, x, k);
    for (int i = FILL_ZERO; i < N_FILL; i++) {
        if (!wanted(d->w, i)) continue;
        about *own = arena_copy(&d->w->mem, x, sizeof *x);
        if (!own) return work_nomem(d->w, err);
        own->fill = i;
        status st = i == FILL_ZERO ? E_OK : find_means(d, own, err);
        if (st != E_OK) return st;
        list[(*n)++] = plan_of(d->w, own, ABLATE);
    }
    return E_OK;
}

/* ---- pictures ---- */

static void label_ends(duel *d, const char *name, const char *axis, const endpoints *x)
{
    const char **text = arena_array(&d->w->mem, x->n, sizeof *text);
    for (int i = 0; text && i < x->n; i++) text[i] = x->at[i].name;
    if (text) report_axis_labels(d->w->r, name, axis, x->n, text);
}

/* All heads of a layer are one group; everything else is one by itself.  of[i]: the group of end i; label[]: their
 * names.  How many. */
static int group_ends(const endpoints *x, int *of, char (*name)[END_NAME])
{
    int n = 0;
    for (int i = 0; i < x->n; i++) {
        const endpoint *e = &x->at[i];
        bool same =
            i && e->kind->parts && e->layer == x->at[i - 1].layer && x->at[i - 1].kind->parts;
        if (!same && e->kind->parts) snprintf(name[n++], END_NAME, "a%d", e->layer);
        else if (!same) memcpy(name[n++], e->name, sizeof e->name);
        of[i] = n - 1;
    }
    return n;
}

/* The largest effect, with its sign, between the groups. */
static void layers_fill(const about *x, const report_array *a, const int *row, const int *col,
                        int n_col, double *v, uint8_t *mark)
{
    for (int64_t i = 0; i < a->n_element; i++) {
        int64_t at = (int64_t)row[i / x->to.n] * n_col + col[i % x->to.n];
        double e = array_value(a, i);
        uint8_t m = a->mark[i];
        if (m == MARK_INCOMPLETE || (m != MARK_ABSENT && mark[at] == MARK_ABSENT)) mark[at] = m;
        else if (m != MARK_ABSENT && mark[at] != MARK_INCOMPLETE && mark[at] != m)
            mark[at] = MARK_NONE; /* some have an effect, some have none */
        if (isnan(e) || (!isnan(v[at]) && fabs(v[at]) >= fabs(e))) continue;
        v[at] = e;
    }
}

static void draw_layers(duel *d, const duel_plan *p, const report_array *a)
{
    const about *x = p->user;
    report *r = d->w->r;
    char name[120], title[200];
    int *of = arena_array(&d->w->mem, x->from.n + x->to.n, sizeof *of);
    char(*label_of)[END_NAME] = arena_array(&d->w->mem, x->from.n + x->to.n, sizeof *label_of);
    const char **text = arena_array(&d->w->mem, x->from.n + x->to.n, sizeof *text);
    if (!of || !label_of || !text) return; /* the arena knows, and the run fails */
    int n_row = group_ends(&x->from, of, label_of),
        n_col = group_ends(&x->to, of + x->from.n, label_of + n_row);
    duel_tensor_name(d, p, "layers.", name, sizeof name);
    double *v = report_tensor(r, name, DTYPE_F64, "from to", (int64_t[]){ n_row, n_col });
    uint8_t *mark = report_marks(r, name);
    if (!v || !mark) return;
    for (int64_t i = 0; i < (int64_t)n_row * n_col; i++) v[i] = (double)NAN, mark[i] = MARK_ABSENT;
    layers_fill(x, a, of, of + x->from.n, n_col, v, mark);
    for (int i = 0; i < n_row + n_col; i++) text[i] = label_of[i];
    report_axis_labels(r, name, "from", n_row, text);
    report_axis_labels(r, name, "to", n_col, text + n_row);
    if (a->unit) report_unit(r, name, a->unit);
    snprintf(
        title, sizeof title,
        "%s: the strongest edge from each writer to each reader, the heads of a layer together",
        name + 7);
    report_heatmap(r, title, name, "from", "to",
                   &(figure_options){ .value = p->direction == ABLATE ? "change" : "effect" });
}

static void draw(duel *d, const duel_plan *p)
{
    enum { MOST = 4000 }; /* cells that can still be told apart in a picture */
    const about *x = p->user;
    char name[110], title[160];
    duel_tensor_name(d, p, "", name, sizeof name);
    label_ends(d, name, "src", &x->from), label_ends(d, name, "dst", &x->to);
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    label_ends(d, name, "src", &x->from), label_ends(d, name, "dst", &x->to);
    const report_array *a = report_find_tensor(d->w->r, name);
    if (!a) return;
    draw_layers(d, p, a);
    if (a->n_element > MOST) return;
    snprintf(title, sizeof title, "%s: every edge", name + 7);
    report_heatmap(d->w->r, title, name, "dst", "src",
                   &(figure_options){ .value = p->direction == ABLATE ? "change" : "effect" });
}

/* Writers that EAP-IG's graph has not, with the word for them. */
static void say_names(const duel *d, const about *x)
{
    bool more = false;
    for (int i = 0; i < x->from.n; i++) more |= !circuit_has(&x->from.at[i]);
    report_note(d->w->r,
                "a3.h7 is head 7 of layer 3, m3 its MLP, input the token embedding; a3.h7<q> is "
                "what the head's query reads, <k> and <v> its key and value (of a query head, "
                "where several share one).%s",
                more ? " Beside these, EAP-IG's names: pos_embed, and a3.bias, the attention's "
                       "output bias, which all prompts have alike."
                     : "");
}

/* ---- the graph as a file ---- */

static status graph_of(duel *d, const duel_plan *p, const report_array *score, json_t **out,
                       error *err)
{
    const about *x = p->user;
    duel_tensor t;
    duel_tensor_get(d, &t, p);
    double *delta = arena_array(&d->w->mem, t.n_cell, sizeof *delta);
    if (!t.v || !delta) return work_nomem(d->w, err);
    for (int64_t i = 0; i < t.n_cell; i++)
        for (int k = 0; k < d->p->n; k++)
            delta[i] += (t.v[i * d->p->n + k] - d->value[p->direction != DENOISE][k]) / d->p->n;
    bool raw = score->unit != NULL || p->direction == ABLATE;
    json_t *more = json_pack(
        "{s:s,s:s,s:s,s:i,s:s}", "model", d->w->m->name, "sweep", t.name, "metric", d->def->name,
        "pairs", d->p->n, "score",
        raw ? "mean over pairs of metric - base, as 'change'; EAP-IG's 'exact' has this sign"
            : "mean over pairs of (metric - base) / (other - base); 'change': of metric - base, "
              "as EAP-IG's 'exact' has it");
    *out = circuit_json(d->w->m, &x->from, &x->to, x->there, (const double *)score->t.data, delta,
                        more);
    return *out ? E_OK : work_nomem(d->w, err);
}

/* A graph with holes would be read as one whose missing edges have no effect. */
static bool is_whole(const report_array *a)
{
    for (int64_t i = 0; i < a->n_element; i++)
        if (a->mark[i] == MARK_INCOMPLETE || isinf(array_value(a, i)) ||
            (a->mark[i] != MARK_ABSENT && isnan(array_value(a, i))))
            return false;
    return true;
}

static status write_graph(duel *d, const duel_plan *p, file_out *out, error *err)
{
    char name[110];
    str text = { 0 };
    json_t *v = NULL;
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    const report_array *score = report_find_tensor(d->w->r, name);
    bool whole = score && is_whole(score);
    status st = whole ? graph_of(d, p, score, &v, err) : E_OK;
    if (!whole)
        report_warn(d->w->r, "%s was not written: not every edge is done, or has a number",
                    out->path);
    if (v) json_write(&text, v, 1), str_puts(&text, "\n");
    json_decref(v);
    if (text.failed) st = work_nomem(d->w, err);
    bool fine = whole && st == E_OK;
    if (fine) fwrite(text.p, 1, text.n, out->f); /* the commit says what went wrong */
    str_release(&text);
    if (fine) return file_out_commit(out, err);
    file_out_abandon(out);
    return st;
}

/* ---- all of it ---- */

static status sweep_edges(duel *d, const about *x, error *err)
{
    duel_plan list[2 + N_FILL];
    int n = 0;
    file_out out = { 0 };
    const char *file = work_text(d->w, "graph");
    status st = plan_all(d, x, list, &n, err);
    if (st == E_OK && file) st = file_out_open(&out, file, err); /* before hours of work */
    if (st != E_OK) return st;
    st = duel_run(d, list, n, NULL, draw, err);
    bool swept = (st == E_OK || st == E_INTERRUPTED) && !work_flag(d->w, "plan");
    if (swept) say_names(d, x);
    error why = { 0 };
    status written = file && swept ? write_graph(d, &list[0], &out, &why) : E_OK;
    if (file && !swept) file_out_abandon(&out);
    return written == E_OK ? st : work_relay(err, &why);
}

static status run(work *w, error *err)
{
    duel d;
    about x = { 0 };
    status st = check_request(w, err);
    if (st == E_OK) st = find_ends(w, &x, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    st = sweep_edges(&d, &x, err);
    duel_close(&d);
    return st;
}

const instrument_def instrument_edges_def = { .name = "edges",
                                              .says = "Every edge exactly, ranked, as a graph",
                                              .subject = "MODEL",
                                              .needs = NEEDS_MODEL,
                                              .param = params,
                                              .run = run };
/* SPDX-License-Identifier: MIT */
