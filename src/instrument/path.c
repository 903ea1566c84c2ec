/* instrument: path -- path patching, every edge exactly: what one reader sees of one writer of the residual stream is
 * replaced by what the other prompt wrote; every other reader sees what it saw.  (Wang et al. 2022; Goldowsky-Dill et
 * al. 2023.)  The reader's private input is added up again from the writers, and its norm recomputed.
 *
 * Tensors are named after the reader and, unless it is a head, the sender: path.D.to_q [src_layer src_head dst_layer
 * dst_head pair], path.D.mlp.to_q, path.D.embed.to_q ...  NaN where there is no such edge. */
#include "graph/mirror.h"
#include "instrument/duel.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "senders", PARAM_TEXT, "head", "with commas: head mlp embed pos_embed bias; --all: each",
      false },
    { "receivers", PARAM_TEXT, "q,k,v,mlp,logits", "with commas: q k v mlp logits", false },
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, false },
};

typedef enum end_kind {
    END_HEAD,
    END_MLP,
    END_EMBED,
    END_POS_EMBED,
    END_BIAS,
    END_Q,
    END_K,
    END_V,
    END_MLP_IN,
    END_LOGITS
} end_kind;

/* One end of edges: a node per layer (or one), and its parts. */
typedef struct end {
    end_kind kind;
    const char *word, *name; /* in --senders; in the tensor's name */
    const char *site;        /* of a block, or of the model; NULL: model_block knows */
    bool layers, parts;
} end;

static const end senders[] = {
    { END_HEAD, "head", "", "attn.result", true, true },
    { END_MLP, "mlp", "mlp.", "mlp.out", true, false },
    { END_EMBED, "embed", "embed.", "embed", false, false },
    { END_POS_EMBED, "pos_embed", "pos_embed.", "pos_embed", false, false },
    { END_BIAS, "bias", "bias.", "attn.bias", true, false },
};
static const end receivers[] = {
    { END_Q, "q", "to_q", "attn.q", true, true },
    { END_K, "k", "to_k", "attn.k", true, true },
    { END_V, "v", "to_v", "attn.v", true, true },
    { END_MLP_IN, "mlp", "to_mlp_in", NULL, true, false },
    { END_LOGITS, "logits", "to_final_resid", NULL, false, false },
};

static node *end_node(const model *m, const end *e, int layer)
{
    char name[64];
    if (e->kind == END_LOGITS) return m->logits_reader;
    if (e->kind == END_MLP_IN) return m->block[layer].mlp_reader;
    if (e->layers) snprintf(name, sizeof name, "blocks.%d.%s", layer, e->site);
    else snprintf(name, sizeof name, "%s", e->site);
    return graph_find(&m->g, name);
}

static bool listed(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n)
        if ((p == list || p[-1] == ',' || p[-1] == ' ') && (!p[n] || p[n] == ',' || p[n] == ' '))
            return true;
    return false;
}

/* ---- one tensor: a kind of sender to a kind of receiver ---- */

typedef struct sweep_plan {
    const end *from, *to;
    node **src, **dst; /* by layer */
    int n_src, n_dst, src_part, dst_part;
    char name[64], axes[80];
    int64_t dim[4];
    int n_dim;
} sweep_plan;

static void add_dim(sweep_plan *p, const char *axis, int64_t n)
{
    snprintf(p->axes + strlen(p->axes), sizeof p->axes - strlen(p->axes), "%s%s",
             p->n_dim ? " " : "", axis);
    p->dim[p->n_dim++] = n;
}

static node **nodes_of(work *w, const end *e, int *n)
{
    *n = e->layers ? w->m->config.n_layer : 1;
    node **list = arena_array(&w->mem, *n, sizeof *list);
    for (int i = 0; list && i < *n; i++) {
        list[i] = end_node(w->m, e, i);
        if (!list[i]) return NULL; /* no MLPs, no biases, no learned positions */
    }
    return list;
}

static bool plan_ends(work *w, const end *from, const end *to, sweep_plan *p)
{
    const model_config *c = &w->m->config;
    bool grouped = c->n_kv_head < c->n_head && (to->kind == END_K || to->kind == END_V);
    *p = (sweep_plan){ .from = from, .to = to };
    p->src = nodes_of(w, from, &p->n_src), p->dst = nodes_of(w, to, &p->n_dst);
    if (!p->src || !p->dst) return false;
    p->src_part = from->parts ? p->src[0]->n_part : 1,
    p->dst_part = to->parts ? p->dst[0]->n_part : 1;
    snprintf(p->name, sizeof p->name, "path.%s%s%s", from->name, to->name,
             grouped ? "_kvhead" : "");
    if (from->layers) add_dim(p, "src_layer", p->n_src);
    if (from->parts) add_dim(p, "src_head", p->src_part);
    if (to->layers) add_dim(p, "dst_layer", p->n_dst);
    if (to->parts) add_dim(p, grouped ? "kv_head" : "dst_head", p->dst_part);
    return true;
}

/* Indices of element i: src layer and part, dst layer and part. */
static void split(const sweep_plan *p, int64_t i, int at[4])
{
    at[3] = (int)(i % p->dst_part), i /= p->dst_part;
    at[2] = (int)(i % p->n_dst), i /= p->n_dst;
    at[1] = (int)(i % p->src_part), at[0] = (int)(i / p->src_part);
}

static void end_text(const end *e, int layer, int part, char *out, size_t bytes)
{
    const char *reader = e->kind == END_MLP_IN ? "mlp" : e->kind == END_LOGITS ? "logits" : e->site;
    int n = e->layers ? snprintf(out, bytes, "blocks.%d.%s", layer, reader)
                      : snprintf(out, bytes, "%s", reader);
    if (e->parts && n > 0 && n < (int)bytes)
        snprintf(out + n, bytes - (size_t)n, "[head=%d]", part);
}

static void label(const void *user, int64_t i, char *out, size_t bytes)
{
    const sweep_plan *p = user;
    char a[60], b[60];
    int at[4];
    split(p, i, at);
    end_text(p->from, at[0], at[1], a, sizeof a), end_text(p->to, at[2], at[3], b, sizeof b);
    snprintf(out, bytes, "%s -> %s", a, b);
}

/* Which nodes have an edge between them; [n_src][n_dst]. */
static status edges(work *w, const sweep_plan *p, bool **out, error *err)
{
    bool *there = arena_array(&w->mem, (int64_t)p->n_src * p->n_dst, sizeof *there);
    status st = there ? E_OK : error_set(err, E_NOMEM, "path: out of memory");
    for (int i = 0; i < p->n_src && st == E_OK; i++)
        for (int j = 0; j < p->n_dst && st == E_OK; j++)
            st = mirror_edge(&there[i * p->n_dst + j], session_graph(w->s), p->src[i], p->dst[j],
                             err);
    *out = there;
    return st;
}

static status sweep_edges(duel *d, const sweep_plan *p, int direction, error *err)
{
    duel_tensor t;
    bool *there;
    int64_t n = 0;
    duel_tensor_get(d, &t, direction, p->name, p->axes, p->dim, p->n_dim);
    duel_cell *cell = arena_array(&d->w->mem, t.n_cell + 1, sizeof *cell);
    if (!cell) return error_set(err, E_NOMEM, "path: out of memory");
    status st = edges(d->w, p, &there, err);
    for (int64_t i = 0; i < t.n_cell && st == E_OK; i++) {
        int at[4];
        split(p, i, at);
        if (!there[at[0] * p->n_dst + at[2]]) continue;
        node *u = p->src[at[0]], *v = p->dst[at[2]];
        duel_cell *c = &cell[n++];
        *c = (duel_cell){ .at = i, .reader = v, .slice = { 0, ROW_OPEN, 0, v->n_part } };
        c->e = (edit){ .n = u, .where = { 0, ROW_OPEN, 0, u->n_part }, .w1 = u->width };
        if (p->from->parts) c->e.where.a0 = at[1], c->e.where.a1 = at[1] + 1;
        c->e = edit_take(c->e, duel_source(d, direction));
        if (p->to->parts) c->slice.a0 = at[3], c->slice.a1 = at[3] + 1;
    }
    return st == E_OK ? duel_sweep(d, duel_base(d, direction), cell, n, &t, err) : st;
}

/* From heads to one kind of reader of heads: layer.head by layer.head; small models only are readable so. */
static void draw(duel *d, const sweep_plan *p, int direction)
{
    char name[90], title[140];
    int64_t at[4] = { 0 };
    figure_options o = { .value = "effect", .at = at };
    snprintf(name, sizeof name, "effect.path.%s.%s", duel_direction(direction), p->name + 5);
    const report_array *a = report_find_tensor(d->w->r, name);
    if (!a) return;
    for (int i = 0; i < p->n_dim; i++)
        report_axis_numbers(d->w->r, name, a->axis[i], strstr(a->axis[i], "layer") ? "L" : "H");
    snprintf(title, sizeof title, "%s: %s", duel_direction(direction), p->name);
    if (p->n_dim == 1) report_bars(d->w->r, title, name, a->axis[0], &o);
    if (p->n_dim < 2) return;
    int64_t best = 0;
    for (int64_t i = 0; i < a->n_element; i++)
        if (!(fabs(array_value(a, i)) <= fabs(array_value(a, best))))
            best = isnan(array_value(a, i)) ? best : i;
    for (int i = p->n_dim - 1; i >= 0; i--) at[i] = best % p->dim[i], best /= p->dim[i];
    if (p->n_dim > 2) { /* senders, into the strongest receiver */
        int dst = p->from->parts ? 2 : 1;
        snprintf(title + strlen(title), sizeof title - strlen(title), ", into layer %lld",
                 (long long)at[dst]);
        if (p->to->parts)
            snprintf(title + strlen(title), sizeof title - strlen(title), " head %lld",
                     (long long)at[p->n_dim - 1]);
    }
    report_heatmap(d->w->r, title, name, a->axis[0], a->axis[1], &o);
}

static status plan_all(work *w, sweep_plan **out, int *n, error *err)
{
    const char *from = work_text(w, "senders"), *to = work_text(w, "receivers");
    int n_from = sizeof senders / sizeof *senders, n_to = sizeof receivers / sizeof *receivers;
    sweep_plan *list = arena_array(&w->mem, n_from * n_to, sizeof *list);
    if (!list) return error_set(err, E_NOMEM, "path: out of memory");
    *n = 0, *out = list;
    for (int i = 0; i < n_from; i++)
        for (int j = 0; j < n_to; j++)
            if ((work_flag(w, "all") ||
                 (listed(from, senders[i].word) && listed(to, receivers[j].word))) &&
                plan_ends(w, &senders[i], &receivers[j], &list[*n]))
                ++*n;
    if (*n) return E_OK;
    error_set(err, E_USAGE, "path: no edges are asked for");
    error_hint(err, "senders: head mlp embed pos_embed bias; receivers: q k v mlp logits; the "
                    "model has what it has");
    return E_USAGE;
}

static status run(work *w, error *err)
{
    duel d;
    sweep_plan *list = NULL;
    int n = 0;
    status st = plan_all(w, &list, &n, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    for (int i = 0; i < d.p->n && st == E_OK; i++) {
        w->part_done = (double)i / d.p->n, w->part = 1.0 / d.p->n;
        st = duel_begin(&d, i, err);
        for (int direction = DENOISE; direction <= NOISE && st == E_OK; direction++)
            for (int k = 0; duel_wants(&d, direction) && k < n && st == E_OK; k++)
                st = sweep_edges(&d, &list[k], direction, err);
        duel_end(&d);
    }
    for (int direction = DENOISE; direction <= NOISE && (st == E_OK || st == E_INTERRUPTED);
         direction++)
        for (int k = 0; duel_wants(&d, direction) && k < n; k++) {
            duel_tensor t;
            duel_tensor_get(&d, &t, direction, list[k].name, list[k].axes, list[k].dim,
                            list[k].n_dim);
            duel_effects(&d, &t, direction, list[k].axes, list[k].dim, list[k].n_dim, label,
                         &list[k]);
            draw(&d, &list[k], direction);
        }
    duel_close(&d);
    return st;
}

const instrument_def instrument_path_def = { .name = "path",
                                             .says = "Path patching, every edge exactly",
                                             .subject = "MODEL",
                                             .needs = NEEDS_MODEL,
                                             .param = params,
                                             .run = run };
/* SPDX-License-Identifier: MIT */
