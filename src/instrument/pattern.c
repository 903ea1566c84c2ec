/* pattern -- see pattern.h. */
#include "instrument/pattern.h"
#include <stdio.h>
#include <string.h>

static status add_layer(work *w, patterns *x, int layer, error *err)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.attn.pattern", layer);
    node *n = graph_find(&w->m->g, name);
    if (!n)
        return error_set(err, E_NOSITE, "%s: %s has no %s: no attention there", w->def->name,
                         w->m->name, name);
    if (x->n_layer && n->n_part != x->n_head)
        return error_set(
            err, E_UNSUPPORTED,
            "%s: layer %d has %d heads, layer %d has %d: name layers that have as many "
            "with --layer",
            w->def->name, x->layer[0], x->n_head, layer, n->n_part);
    x->n_head = n->n_part;
    x->layer[x->n_layer] = layer;
    x->n[x->n_layer++] = n;
    return E_OK;
}

status pattern_layers(work *w, const char *name, patterns *out, error *err)
{
    int n_layer = w->m->config.n_layer;
    bool *on = arena_array(&w->mem, n_layer, sizeof *on);
    *out = (patterns){ .layer = arena_array(&w->mem, n_layer, sizeof *out->layer),
                       .n = arena_array(&w->mem, n_layer, sizeof *out->n) };
    if (!on || !out->layer || !out->n)
        return error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
    status st = work_layers(w, name, on, err);
    for (int l = 0; l < n_layer && st == E_OK; l++)
        if (on[l]) st = add_layer(w, out, l, err);
    return st;
}

status pattern_ask(const patterns *x, lane *l, error *err)
{
    status st = E_OK;
    for (int i = 0; i < x->n_layer && st == E_OK; i++)
        st = lane_ask(l, x->n[i], node_all(x->n[i], l), err);
    return st;
}

/* v: [query][head][keys it sees], into out [head][query][key]. */
static void spread(const node *n, const lane *l, const double *v, double *out)
{
    int32_t len = lane_len(l);
    for (int32_t q = 0; q < len; q++) {
        int32_t width = node_width(n, q, l), first = node_first_key(n, q);
        for (int32_t h = 0; h < n->n_part; h++, v += width)
            memcpy(out + ((int64_t)h * len + q) * len + first, v, (size_t)width * sizeof *v);
    }
}

status pattern_read(work *w, const patterns *x, lane *l, double *out, error *err)
{
    int32_t len = lane_len(l);
    int64_t one = (int64_t)x->n_head * len * len;
    memset(out, 0, (size_t)(one * x->n_layer) * sizeof *out);
    for (int i = 0; i < x->n_layer; i++) {
        arena_mark here = arena_here(&w->mem);
        box b = node_all(x->n[i], l);
        double *v = arena_array(&w->mem, node_numbers(x->n[i], b, l), sizeof *v);
        status st = v ? lane_read(l, x->n[i], b, v, err)
                      : error_set(err, E_NOMEM, "%s: out of memory", w->def->name);
        if (st == E_OK) spread(x->n[i], l, v, out + one * i);
        arena_rewind(&w->mem, here);
        if (st != E_OK) return st;
    }
    return E_OK;
}

int32_t pattern_keys(const patterns *x, int i, const lane *l, int32_t query, int32_t *first)
{
    *first = node_first_key(x->n[i], query);
    return node_width(x->n[i], query, l);
}

void pattern_label(work *w, const patterns *x, const char *tensor)
{
    work_label_layers(w, tensor, "layer", x->layer, x->n_layer);
    report_axis_numbers(w->r, tensor, "head", "H");
}
/* SPDX-License-Identifier: MIT */
