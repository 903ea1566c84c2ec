/* ends -- see ends.h. */
#include "instrument/ends.h"
#include "graph/mirror.h"
#include <string.h>

const end end_sender[N_SENDER] = {
    { END_HEAD, "head", "", "attn.result", true, true },
    { END_MLP, "mlp", "mlp.", "mlp.out", true, false },
    { END_EMBED, "embed", "embed.", "embed", false, false },
    { END_POS_EMBED, "pos_embed", "pos_embed.", "pos_embed", false, false },
    { END_BIAS, "bias", "bias.", "attn.bias", true, false },
};
const end end_receiver[N_RECEIVER] = {
    { END_Q, "q", "to_q", "attn.q", true, true },
    { END_K, "k", "to_k", "attn.k", true, true },
    { END_V, "v", "to_v", "attn.v", true, true },
    { END_MLP_IN, "mlp", "to_mlp_in", NULL, true, false },
    { END_LOGITS, "logits", "to_final_resid", NULL, false, false },
};

/* ---- kinds ---- */

static node *node_of(const model *m, const end *e, int layer)
{
    char name[64];
    if (e->kind == END_LOGITS) return m->logits_reader;
    if (e->kind == END_MLP_IN) return m->block[layer].mlp_reader;
    if (e->layers) snprintf(name, sizeof name, "blocks.%d.%s", layer, e->site);
    else snprintf(name, sizeof name, "%s", e->site);
    return graph_find(&m->g, name);
}

node **end_nodes(work *w, const end *e, int *n)
{
    *n = e->layers ? w->m->config.n_layer : 1;
    node **list = arena_array(&w->mem, *n, sizeof *list);
    for (int i = 0; list && i < *n; i++) {
        list[i] = node_of(w->m, e, i);
        if (!list[i]) return NULL;
    }
    return list;
}

void end_text(const end *e, int layer, int part, char *out, size_t bytes)
{
    const char *reader = e->kind == END_MLP_IN ? "mlp" : e->kind == END_LOGITS ? "logits" : e->site;
    int n = e->layers ? snprintf(out, bytes, "blocks.%d.%s", layer, reader)
                      : snprintf(out, bytes, "%s", reader);
    if (e->parts && n > 0 && n < (int)bytes)
        snprintf(out + n, bytes - (size_t)n, "[head=%d]", part);
}

/* ---- one by one ---- */

static void end_name(endpoint *x)
{
    char *out = x->name;
    size_t bytes = sizeof x->name;
    switch (x->kind->kind) {
    case END_HEAD: snprintf(out, bytes, "a%d.h%d", x->layer, x->part); break;
    case END_MLP:
    case END_MLP_IN: snprintf(out, bytes, "m%d", x->layer); break;
    case END_EMBED: snprintf(out, bytes, "input"); break;
    case END_BIAS: snprintf(out, bytes, "a%d.bias", x->layer); break;
    case END_POS_EMBED:
    case END_LOGITS: snprintf(out, bytes, "%s", x->kind->word); break;
    default: snprintf(out, bytes, "a%d.h%d<%s>", x->layer, x->part, x->kind->word); break;
    }
}

/* Where query heads share a key, a query head's own view of it. */
static node *point_node(const model *m, const end *e, int layer)
{
    const model_block *b = e->layers ? &m->block[layer] : NULL;
    if (b && e->kind == END_K && b->k_for) return b->k_for;
    if (b && e->kind == END_V && b->v_for) return b->v_for;
    return node_of(m, e, layer);
}

static void add_points(const model *m, const end *e, int layer, endpoints *out)
{
    node *n = point_node(m, e, layer);
    int n_part = !n ? 0 : e->parts ? n->n_part : 1;
    for (int i = 0; i < n_part; i++) {
        endpoint *x = &out->at[out->n++];
        *x = (endpoint){
            .kind = e, .n = n, .slice = { 0, ROW_OPEN, 0, n->n_part }, .layer = layer, .part = i
        };
        if (e->parts) x->slice.a0 = i, x->slice.a1 = i + 1;
        end_name(x);
    }
}

status end_list(work *w, bool sends, const char *words, endpoints *out, error *err)
{
    static const end_kind order[2][5] = { { END_Q, END_K, END_V, END_MLP_IN, END_LOGITS },
                                          { END_EMBED, END_POS_EMBED, END_HEAD, END_BIAS,
                                            END_MLP } };
    const end *kind = sends ? end_sender : end_receiver;
    const model_config *c = &w->m->config;
    *out = (endpoints){ .at = arena_array(&w->mem, (int64_t)c->n_layer * (3 * c->n_head + 2) + 2,
                                          sizeof *out->at) };
    if (!out->at) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    for (int layer = -1; layer <= c->n_layer; layer++) /* before all layers, in them, behind */
        for (int i = 0; i < 5; i++) {
            const end *e = kind;
            while (e->kind != order[sends][i]) e++;
            int where = e->layers ? layer : e->kind == END_LOGITS ? c->n_layer : -1;
            bool here = layer == where && !(e->layers && (layer < 0 || layer == c->n_layer));
            if (here && str_listed(words, e->word)) add_points(w->m, e, layer, out);
        }
    return E_OK;
}

static bool named(const endpoint *x, const char *text)
{
    size_t n = strcspn(x->name, "<");
    return !strcmp(x->name, text) || (strlen(text) == n && !strncmp(x->name, text, n));
}

/* a9.h1, m7: written as a name, and not there. */
static bool is_short(const char *text)
{
    return (*text == 'a' || *text == 'm') && text[1] >= '0' && text[1] <= '9';
}

static status not_there(const work *w, bool sends, const char *text, error *err)
{
    const model_config *c = &w->m->config;
    return error_set(
        err, E_NOSITE, "%s: %s has no %s '%.60s': its layers are 0 to %d, its heads 0 to %d",
        w->def->name, w->m->name, sends ? "writer" : "reader", text, c->n_layer - 1, c->n_head - 1);
}

status end_find(work *w, bool sends, const endpoints *x, const char *text, bool *on, error *err)
{
    bool any = false;
    address *a;
    int n = 0;
    for (int i = 0; i < x->n; i++) any |= on[i] = named(&x->at[i], text);
    if (any) return E_OK;
    if (is_short(text)) return not_there(w, sends, text, err);
    status st = sends ? site_find_writers(&a, &n, &w->mem, w->m, NULL, text, err)
                      : site_find_readers(&a, &n, &w->mem, w->m, NULL, text, err);
    if (st != E_OK) return st;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < x->n; i++) {
            const endpoint *e = &x->at[i];
            bool here = e->n == a[k].n && !a[k].has_rows && !a[k].has_width &&
                        e->slice.a0 >= a[k].where.a0 && e->slice.a1 <= a[k].where.a1;
            on[i] |= here, any |= here;
        }
    if (any) return E_OK;
    error_set(err, E_NOSITE, "%s: '%.60s' is no whole %s at all positions", w->def->name, text,
              sends ? "writer" : "reader");
    error_hint(err, sends ? "input, pos_embed, a3.h7, a3.bias, m3, or blocks.3.attn.result[head=7]"
                          : "a3.h7<q>, m3, logits, or blocks.3.attn.q[head=7]; where heads share a "
                            "key, blocks.3.attn.k[for=7]");
    return E_NOSITE;
}

status end_edges(bool **there, work *w, const endpoints *from, const endpoints *to, error *err)
{
    status st = E_OK;
    bool *b = arena_array(&w->mem, (int64_t)from->n * to->n + 1, sizeof *b);
    if (!b) return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    for (int64_t i = 0; i < from->n; i++)
        for (int64_t j = 0; j < to->n && st == E_OK; j++) { /* heads of a node are alike */
            bool *here = &b[i * to->n + j];
            if (i && from->at[i - 1].n == from->at[i].n) *here = here[-to->n];
            else if (j && to->at[j - 1].n == to->at[j].n) *here = here[-1];
            else st = mirror_edge(here, session_graph(w->s), from->at[i].n, to->at[j].n, err);
        }
    *there = b;
    return st;
}

duel_cell end_cell(const endpoint *from, const endpoint *to, int64_t at)
{
    return (duel_cell){ .e = { .n = from->n, .where = from->slice, .w1 = from->n->width },
                        .reader = to->n,
                        .slice = to->slice,
                        .at = at };
}
/* SPDX-License-Identifier: MIT */
