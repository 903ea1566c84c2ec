/* instrument: demo -- the whole way on a model whose mechanism is known: demo:induction says what came after the word
 * before; sweeps find the heads that do it and the edge between them.
 *
 * Nothing here knows where the heads are: what is printed is what was found. */
#include "instrument/duel.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "model", PARAM_TEXT, "demo:induction", "an attention-only model with its words", ROLE_FILE },
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

static const char PAIRS[] =
    "{\"clean\":[\"the cat sat on the mat and the cat\",\"Mary took a red book and then Mary\","
    "\"the old horse ran near the river while the old\",\"Tom saw a bird under the tree again "
    "Tom\"],"
    "\"corrupt\":[\"the dog sat on the mat and the cat\",\"John took a red book and then Mary\","
    "\"the young horse ran near the river while the old\",\"Anna saw a bird under the tree again "
    "Tom\"],"
    "\"correct\":[\"sat\",\"took\",\"horse\",\"saw\"],\"wrong\":[\"ran\",\"gave\",\"mouse\","
    "\"ate\"]}";

/* ---- sweeps ---- */

typedef struct heads {
    const model *m;
    int n_layer, n_head;
} heads;

static node *site(const model *m, int layer, const char *thing)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", layer, thing);
    return graph_find(&m->g, name);
}

/* What a plan is about: the node of every layer (edges: what is sent, what receives). */
typedef struct about {
    heads h;
    node **from, **to;
} about;

static void head_label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const heads *h = &((const about *)p->user)->h;
    snprintf(out, bytes, "head %lld.%lld", (long long)(i / h->n_head), (long long)(i % h->n_head));
}

static void edge_label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const heads *h = &((const about *)p->user)->h;
    int64_t n = h->n_layer * h->n_head, a = i / n, b = i % n;
    snprintf(out, bytes, "head %lld.%lld -> head %lld.%lld", (long long)(a / h->n_head),
             (long long)(a % h->n_head), (long long)(b / h->n_head), (long long)(b % h->n_head));
}

static int64_t head_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    int n = x->h.n_layer * x->h.n_head;
    for (int i = 0; i < n; i++) {
        node *z = x->from[i / x->h.n_head];
        int32_t a = i % x->h.n_head;
        cell[i] = (duel_cell){
            .at = i,
            .e = { .n = z, .where = { 0, d->p->clean[d->pair]->n, a, a + 1 }, .w1 = z->width }
        };
    }
    return n;
}

/* From every head into one kind of input (q, k, v) of every later head. */
static int64_t edge_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    int n_head = x->h.n_head, n_all = x->h.n_layer * n_head;
    int64_t n = 0;
    (void)d;
    for (int i = 0; i < n_all * n_all; i++) {
        int from = i / n_all, to = i % n_all, a = from % n_head, b = to % n_head;
        node *u = x->from[from / n_head];
        if (to / n_head <= from / n_head) continue;
        cell[n++] =
            (duel_cell){ .at = i,
                         .reader = x->to[to / n_head],
                         .slice = { 0, ROW_OPEN, b, b + 1 },
                         .e = { .n = u, .where = { 0, ROW_OPEN, a, a + 1 }, .w1 = u->width } };
    }
    return n;
}

static node **sites(work *w, const heads *h, const char *thing)
{
    node **n = arena_array(&w->mem, h->n_layer, sizeof *n);
    for (int l = 0; n && l < h->n_layer; l++) n[l] = site(h->m, l, thing);
    return n;
}

enum { N_PLAN = 4 };

static status plan_all(work *w, const heads *h, duel_plan *out, error *err)
{
    static const char *const name[N_PLAN] = { "head_out_all_pos", "path.to_q", "path.to_k",
                                              "path.to_v" };
    static const char *const thing[N_PLAN] = { "attn.z", "attn.q", "attn.k", "attn.v" };
    for (int i = 0; i < N_PLAN; i++) {
        about *x = arena_zero(&w->mem, sizeof *x);
        if (!x) return work_nomem(w, err);
        *x = (about){ *h, sites(w, h, i ? "attn.result" : "attn.z"), sites(w, h, thing[i]) };
        if (!x->from || !x->to) return work_nomem(w, err);
        out[i] = (duel_plan){ .dim = { h->n_layer, h->n_head, h->n_layer, h->n_head },
                              .n_dim = i ? 4 : 2,
                              .cells = i ? edge_cells : head_cells,
                              .label = i ? edge_label : head_label,
                              .user = x,
                              .directed = true };
        snprintf(out[i].name, sizeof out->name, "%s", name[i]);
        snprintf(out[i].axes, sizeof out->axes, "%s",
                 i ? "src_layer src_head dst_layer dst_head" : "layer head");
    }
    return E_OK;
}

/* ---- where heads look ---- */

typedef struct looks {
    double previous, induction;
    int n_previous, n_induction;
} looks;

/* Mean attention to the position before; and, where the token was there before, to what followed it. */
static status look(duel *d, int layer, int head, looks *out, error *err)
{
    const prompt *p = d->p->clean[d->pair];
    node *n = site(d->w->m, layer, "attn.pattern");
    double *v = arena_array(&d->w->mem, p->n, sizeof *v);
    status st = v ? E_OK : work_nomem(d->w, err);
    for (int q = 1; q < p->n && st == E_OK; q++) {
        st = lane_read(d->clean, n, (box){ q, q + 1, head, head + 1 }, v, err);
        if (st == E_OK) out->previous += v[q - 1], out->n_previous++;
        bool before = false;
        for (int k = q - 1; k > 0 && st == E_OK; k--)
            if (p->id[k] == p->id[q]) out->induction += v[k + 1], before = true;
        out->n_induction += before;
    }
    return st;
}

static status look_all(duel *d, error *err)
{
    looks *out = d->user;
    const model *m = d->w->m;
    status st = E_OK;
    for (int l = 0; l < m->config.n_layer && st == E_OK; l++)
        st = lane_ask(d->clean, site(m, l, "attn.pattern"),
                      node_all(site(m, l, "attn.pattern"), d->clean), err);
    if (st == E_OK) st = work_run(d->w, err);
    for (int i = 0; i < m->config.n_layer * m->config.n_head && st == E_OK; i++)
        st = look(d, i / m->config.n_head, i % m->config.n_head, &out[i], err);
    return st;
}

/* ---- what was found ---- */

static double effect_at(const work *w, const char *name, int64_t i)
{
    const report_array *a = report_find_tensor(w->r, name);
    return a ? array_value(a, i) : (double)NAN;
}

static void found(duel *d, const heads *h, const looks *look, const duel_plan *edges)
{
    int n_all = h->n_layer * h->n_head;
    table *t = report_table(d->w->r, "the circuit", 4,
                            (column[]){ { "part", NULL, CELL_TEXT, 0, false },
                                        { "effect", NULL, CELL_REAL, 0, false },
                                        { "what it does", NULL, CELL_TEXT, 0, false },
                                        { "score", NULL, CELL_REAL, 0, false } });
    for (int i = 0; i < n_all; i++) {
        double e = effect_at(d->w, "effect.denoise.head_out_all_pos", i);
        double previous = look[i].n_previous ? look[i].previous / look[i].n_previous : 0;
        double induction = look[i].n_induction ? look[i].induction / look[i].n_induction : 0;
        if (!(fabs(e) > 0.5)) continue;
        table_row(t), row_text(t, "head %d.%d", i / h->n_head, i % h->n_head), row_real(t, e);
        row_text(t, previous > 0.5    ? "previous-token head: looks one back"
                    : induction > 0.5 ? "induction head: looks after the last time"
                                      : "not known");
        row_real(t, previous > induction ? previous : induction);
    }
    for (const char *input = "qkv"; *input; input++)
        for (int i = 0; i < n_all * n_all; i++) {
            char name[64], text[64];
            snprintf(name, sizeof name, "effect.path.denoise.to_%c", *input);
            double e = effect_at(d->w, name, i);
            if (!(fabs(e) > 0.5)) continue;
            edge_label(edges, i, text, sizeof text);
            table_row(t), row_text(t, "%s", text), row_real(t, e);
            row_text(t, "%c-composition", *input - 'a' + 'A'), row_none(t);
        }
}

static void draw(duel *d, const heads *h)
{
    static const char *const names[] = { "effect.denoise.head_out_all_pos",
                                         "effect.path.denoise.to_k" };
    report_axis_numbers(d->w->r, names[0], "layer", "L"),
        report_axis_numbers(d->w->r, names[0], "head", "H");
    report_heatmap(d->w->r, "heads, one at a time, from the clean run into the corrupted", names[0],
                   "layer", "head", &(figure_options){ .value = "effect" });
    int64_t at[] = { 0, 0, h->n_layer - 1, 0 };
    report_axis_numbers(d->w->r, names[1], "src_head", "L0H"),
        report_axis_numbers(d->w->r, names[1], "dst_head", "L1H");
    report_heatmap(d->w->r, "edges from heads of layer 0 into keys of layer 1", names[1],
                   "src_head", "dst_head", &(figure_options){ .value = "effect", .at = at });
}

static status run(work *w, error *err)
{
    duel d;
    duel_plan plan[N_PLAN];
    pairs *p = NULL;
    json_t *v = NULL;
    heads h = { w->m, w->m->config.n_layer, w->m->config.n_head };
    looks *look = arena_array(&w->mem, h.n_layer * h.n_head, sizeof *look);
    status st = look ? json_parse(&v, PAIRS, sizeof PAIRS - 1, "demo", err) : work_nomem(w, err);
    if (st == E_OK && h.n_layer * h.n_head > 64)
        st = error_set(err, E_LIMIT, "demo: %d heads; use patch and path", h.n_layer * h.n_head);
    if (st == E_OK) st = pairs_from_json(&p, w->m, v, BOS_AUTO, err);
    json_decref(v);
    if (st == E_OK) st = duel_open_pairs(&d, w, p, err);
    if (st != E_OK) return st;
    d.user = look;
    st = plan_all(w, &h, plan, err);
    if (st == E_OK) st = duel_run(&d, plan, N_PLAN, look_all, NULL, err);
    if (st == E_OK) found(&d, &h, look, &plan[1]), draw(&d, &h);
    report_note(
        w->r, "A head that looks one token back copies that token; a later head finds with it "
              "where the present word was "
              "followed, and says what followed. Heads without an entry change nothing, exactly.");
    duel_close(&d);
    return st;
}

const instrument_def instrument_demo_def = { .name = "demo",
                                             .says = "Find the circuit of a model that is known",
                                             .needs = NEEDS_MODEL,
                                             .param = params,
                                             .run = run };
/* SPDX-License-Identifier: MIT */
