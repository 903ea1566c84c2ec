/* instrument: path -- path patching, every edge exactly: what one reader sees of one writer of the residual stream is
 * replaced by what the other prompt wrote; every other reader sees what it saw.  (Wang et al. 2022; Goldowsky-Dill et
 * al. 2023.)  The reader's private input is added up again from the writers, and its norm recomputed.
 *
 * Tensors are named after the reader and, unless it is a head, the sender: path.D.to_q [src_layer src_head dst_layer
 * dst_head pair], path.D.mlp.to_q, path.D.embed.to_q ...  NaN where there is no such edge.
 *
 * With --from and --to: every path of several edges from one writer to one reader (route.h). */
#include "graph/mirror.h"
#include "instrument/route.h"
#include <math.h>
#include <string.h>

static const param params[] = {
    { "senders", PARAM_SENDERS, "head", "what writes; --all: each", ROLE_WHAT },
    { "receivers", PARAM_RECEIVERS, "q,k,v,mlp,logits", "what reads", ROLE_WHAT },
    ROUTE_PARAMS,
    DUEL_PARAMS,
    { NULL, PARAM_TEXT, NULL, NULL, ROLE_WHAT },
};

/* ---- one tensor: a kind of sender to a kind of receiver ---- */

typedef struct about {
    const end *from, *to;
    node **src, **dst; /* by layer */
    int n_src, n_dst, src_part, dst_part;
    bool *there; /* [n_src][n_dst]: is there an edge */
} about;

static void add_dim(duel_plan *p, const char *axis, int64_t n)
{
    snprintf(p->axes + strlen(p->axes), sizeof p->axes - strlen(p->axes), "%s%s",
             p->n_dim ? " " : "", axis);
    p->dim[p->n_dim++] = n;
}

static bool end_is_there(work *w, const end *e)
{
    int n;
    return end_nodes(w, e, &n) != NULL;
}

/* Indices of element i: src layer and part, dst layer and part. */
static void split(const about *x, int64_t i, int at[4])
{
    at[3] = (int)(i % x->dst_part), i /= x->dst_part;
    at[2] = (int)(i % x->n_dst), i /= x->n_dst;
    at[1] = (int)(i % x->src_part), at[0] = (int)(i / x->src_part);
}

static void label(const duel_plan *p, int64_t i, char *out, size_t bytes)
{
    const about *x = p->user;
    char a[60], b[60];
    int at[4];
    split(x, i, at);
    end_text(x->from, at[0], at[1], a, sizeof a), end_text(x->to, at[2], at[3], b, sizeof b);
    snprintf(out, bytes, "%s -> %s", a, b);
}

static int64_t edge_cells(const duel *d, const duel_plan *p, duel_cell *cell)
{
    const about *x = p->user;
    int64_t n_cell = (int64_t)x->n_src * x->src_part * x->n_dst * x->dst_part, n = 0;
    (void)d;
    for (int64_t i = 0; i < n_cell; i++) {
        int at[4];
        split(x, i, at);
        if (!x->there[at[0] * x->n_dst + at[2]]) continue;
        node *u = x->src[at[0]], *v = x->dst[at[2]];
        duel_cell *c = &cell[n++];
        *c = (duel_cell){ .at = i, .reader = v, .slice = { 0, ROW_OPEN, 0, v->n_part } };
        c->e = (edit){ .n = u, .where = { 0, ROW_OPEN, 0, u->n_part }, .w1 = u->width };
        if (x->from->parts) c->e.where.a0 = at[1], c->e.where.a1 = at[1] + 1;
        if (x->to->parts) c->slice.a0 = at[3], c->slice.a1 = at[3] + 1;
    }
    return n;
}

static status find_edges(work *w, about *x, error *err)
{
    status st = E_OK;
    x->there = arena_array(&w->mem, (int64_t)x->n_src * x->n_dst, sizeof *x->there);
    if (!x->there) return work_nomem(w, err);
    for (int i = 0; i < x->n_src && st == E_OK; i++)
        for (int j = 0; j < x->n_dst && st == E_OK; j++)
            st = mirror_edge(&x->there[i * x->n_dst + j], session_graph(w->s), x->src[i], x->dst[j],
                             err);
    return st;
}

/* *out is left alone where the model lacks one of the two ends. */
static status plan_ends(work *w, const end *from, const end *to, duel_plan *out, bool *there,
                        error *err)
{
    const model_config *c = &w->m->config;
    bool grouped = c->n_kv_head < c->n_head && (to->kind == END_K || to->kind == END_V);
    about *x = arena_zero(&w->mem, sizeof *x);
    if (!x) return work_nomem(w, err);
    *x = (about){ .from = from, .to = to };
    x->src = end_nodes(w, from, &x->n_src), x->dst = end_nodes(w, to, &x->n_dst);
    *there = x->src && x->dst;
    if (!*there) return E_OK;
    x->src_part = from->parts ? x->src[0]->n_part : 1,
    x->dst_part = to->parts ? x->dst[0]->n_part : 1;
    *out = (duel_plan){ .cells = edge_cells, .label = label, .user = x, .directed = true };
    snprintf(out->name, sizeof out->name, "path.%s%s%s", from->name, to->name,
             grouped ? "_kvhead" : "");
    if (from->layers) add_dim(out, "src_layer", x->n_src);
    if (from->parts) add_dim(out, "src_head", x->src_part);
    if (to->layers) add_dim(out, "dst_layer", x->n_dst);
    if (to->parts) add_dim(out, grouped ? "kv_head" : "dst_head", x->dst_part);
    return find_edges(w, x, err);
}

/* Senders into the strongest receiver; a figure shows two axes, and its title says the others. */
static void draw(duel *d, const duel_plan *p)
{
    char name[110], title[160];
    int64_t at[4] = { 0 }, best = 0;
    figure_options o = { .value = "effect", .at = at };
    duel_tensor_name(d, p, "effect.", name, sizeof name);
    const report_array *a = report_find_tensor(d->w->r, name);
    if (!a) return;
    for (int i = 0; i < p->n_dim; i++)
        report_axis_numbers(d->w->r, name, a->axis[i], strstr(a->axis[i], "layer") ? "L" : "H");
    snprintf(title, sizeof title, "%s: %s%s", duel_direction(p->direction), p->name, d->suffix);
    if (p->n_dim == 1) report_bars(d->w->r, title, name, a->axis[0], &o);
    if (p->n_dim < 2) return;
    for (int64_t i = 0; i < a->n_element; i++)
        if (!(fabs(array_value(a, i)) <= fabs(array_value(a, best))))
            best = isnan(array_value(a, i)) ? best : i;
    for (int i = p->n_dim - 1; i >= 0; i--) at[i] = best % p->dim[i], best /= p->dim[i];
    report_heatmap(d->w->r, title, name, a->axis[0], a->axis[1], &o);
}

/* Ends that were asked for by name and that the model does not have are refused; by default, and with --all, they are
 * left out. */
static status plan_edges(work *w, duel_plan *list, int *n, error *err)
{
    const char *from = work_text(w, "senders"), *to = work_text(w, "receivers");
    bool all = work_flag(w, "all"), asked = json_object_get(w->request, "receivers") != NULL;
    status st = E_OK;
    for (int i = 0; i < N_SENDER * N_RECEIVER && st == E_OK; i++) {
        const end *a = &end_sender[i / N_RECEIVER], *b = &end_receiver[i % N_RECEIVER];
        bool there;
        if (!all && !(str_listed(from, a->word) && str_listed(to, b->word))) continue;
        st = plan_ends(w, a, b, &list[*n], &there, err);
        *n += st == E_OK && there;
        if (st != E_OK || there || all || (!asked && end_is_there(w, a))) continue;
        st = error_set(err, E_NOSITE, "path: %s has no edges from %s to %s", w->m->name, a->word,
                       b->word);
    }
    return st;
}

/* Edges are the same in both directions: all in the one, then all in the other.  list has room for both. */
static int plan_directions(const duel *d, duel_plan *list, int n)
{
    int n_all = 0;
    if (d->both) memcpy(list + n, list, (size_t)n * sizeof *list);
    for (int direction = DENOISE; direction <= NOISE; direction++)
        for (int i = 0; i < n && duel_wants(d, direction); i++) list[n_all++].direction = direction;
    return n_all;
}

static status run(work *w, error *err)
{
    duel d;
    int n = 0;
    if (work_text(w, "from") || work_text(w, "to")) return route_run(w, err);
    duel_plan *list = arena_array(&w->mem, 2 * N_SENDER * N_RECEIVER, sizeof *list);
    status st = list ? work_only_beside(w, "from", "hops through top", err) : work_nomem(w, err);
    if (st == E_OK) st = duel_open(&d, w, err);
    if (st != E_OK) return st;
    st = plan_edges(w, list, &n, err);
    if (st == E_OK) n = plan_directions(&d, list, n);
    if (st == E_OK && !n) {
        st = error_set(err, E_USAGE, "path: no edges are asked for");
        error_hint(err, "senders: head mlp embed pos_embed bias; receivers: q k v mlp logits");
    }
    if (st == E_OK) st = duel_run(&d, list, n, NULL, draw, err);
    duel_close(&d);
    return st;
}

const instrument_def instrument_path_def = {
    .name = "path",
    .says = "Path patching, exactly: edges, and paths of several",
    .subject = "MODEL",
    .needs = NEEDS_MODEL,
    .param = params,
    .run = run
};
/* SPDX-License-Identifier: MIT */
