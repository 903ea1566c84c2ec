/* circuit -- see circuit.h. */
#include "instrument/circuit.h"
#include <string.h>

bool circuit_has(const endpoint *u)
{
    return u->kind->kind != END_POS_EMBED && u->kind->kind != END_BIAS;
}

/* A node is called as its readers are, up to '<'. */
static bool add_nodes(json_t *nodes, const endpoints *x)
{
    bool fine = true;
    for (int i = 0; i < x->n; i++) {
        char name[END_NAME];
        if (!circuit_has(&x->at[i])) continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(x->at[i].name, "<"), x->at[i].name);
        fine &= !json_object_set_new(nodes, name, json_pack("{s:b}", "in_graph", 1));
    }
    return fine;
}

static bool add_edge(json_t *edges, const endpoint *u, const endpoint *v, double score,
                     double delta)
{
    char name[2 * END_NAME + 4];
    snprintf(name, sizeof name, "%s->%s", u->name, v->name);
    return !json_object_set_new(
        edges, name, json_pack("{s:f,s:b,s:f}", "score", score, "in_graph", 1, "change", delta));
}

json_t *circuit_json(const model *m, const endpoints *from, const endpoints *to, const bool *there,
                     const double *score, const double *delta, json_t *own_more)
{
    const model_config *c = &m->config;
    json_t *nodes = json_object(), *theirs = json_object(), *ours = json_object();
    bool fine = add_nodes(nodes, from) && add_nodes(nodes, to);
    for (int64_t i = 0; i < (int64_t)from->n * to->n && fine; i++) {
        const endpoint *u = &from->at[i / to->n];
        if (there[i])
            fine =
                add_edge(circuit_has(u) ? theirs : ours, u, &to->at[i % to->n], score[i], delta[i]);
    }
    json_t *cfg = json_pack("{s:i,s:i,s:b,s:i}", "n_layers", c->n_layer, "n_heads", c->n_head,
                            "parallel_attn_mlp", c->parallel, "d_model", c->d_model);
    fine &= !json_object_set_new(own_more, "edges", ours);
    json_t *all = json_pack("{s:o,s:o,s:o,s:o}", "cfg", cfg, "nodes", nodes, "edges", theirs,
                            "microtome", own_more);
    if (fine) return all;
    json_decref(all);
    return NULL;
}
/* SPDX-License-Identifier: MIT */
