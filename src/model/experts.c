/* experts -- see experts.h. */
#include "model/experts.h"
#include "ops.gen.h"
#include <stdio.h>

status experts_configure(builder *b, const char *key, int32_t n, int32_t used, error *err)
{
    model_config *c = b->c;
    status st = config_count(b->json, key, n, 1 << 12, &c->n_expert, err);
    if (st == E_OK)
        st = config_count(b->json, "num_experts_per_tok", used, 1 << 12, &c->n_expert_used, err);
    if (st == E_OK && c->n_expert_used > c->n_expert)
        return error_set(err, E_RANGE, "config.json: %d experts a token of %d, expected no more",
                         c->n_expert_used, c->n_expert);
    return st;
}

static node *expert_weight(builder *b, const experts *e, int32_t i, int which)
{
    int32_t d = b->c->d_model, out = which == 2 ? d : e->d_expert,
            in = which == 2 ? e->d_expert : d;
    char name[96];
    snprintf(name, sizeof name, "%s.%d.%s", e->expert, i, e->name[which]);
    return decoder_weight(b, out, in, name);
}

static node *expert_site(builder *b, node *n, int32_t i, const char *thing)
{
    char name[64];
    snprintf(name, sizeof name, "mlp.experts.%d.%s", i, thing);
    return build_site(b, n, name);
}

static node *neurons(builder *b, node *x, node *index, const experts *e, int32_t i, int which)
{
    node *n = op_expert_linear(b->g, x, expert_weight(b, e, i, which), index, i, 0, e->d_expert, 1);
    return expert_site(b, graph_axes(n, "neuron", ""), i, which ? "up" : "gate");
}

static node *expert(builder *b, node *x, node *index, const experts *e, int32_t i)
{
    node *gate = neurons(b, x, index, e, i, 0), *up = neurons(b, x, index, e, i, 1);
    node *post = op_multiply(b->g, build_activation(b, gate), up);
    expert_site(b, graph_axes(post, "neuron", ""), i, "post");
    node *out =
        op_expert_linear(b->g, post, expert_weight(b, e, i, 2), index, i, 0, 1, b->c->d_model);
    return expert_site(b, graph_axes(out, "", "d_model"), i, "out");
}

node *build_experts(builder *b, node *x, const experts *e)
{
    int32_t n = b->c->n_expert, used = b->c->n_expert_used;
    node *w = decoder_weight(b, n, b->c->d_model, e->router);
    node *logits = build_linear(b, x, w, NULL, OUT_IN, 0, n, 1), *sum = NULL;
    build_site(b, graph_axes(logits, "expert", ""), "mlp.router_logits");
    node *index =
        build_site(b, graph_axes(op_top_k(b->g, logits, used), "k", ""), "mlp.expert_indices");
    node *share = op_expert_weights(b->g, logits, index, e->norm);
    build_site(b, graph_axes(share, "k", ""), "mlp.expert_weights");
    for (int32_t i = 0; i < n; i++)
        sum = graph_axes(op_expert_add(b->g, expert(b, x, index, e, i), index, share, sum, i), "",
                         "d_model");
    return sum;
}

node *build_experts_out(builder *b, node *x, node *out)
{
    build_writer(build_site(b, out, "mlp.out"));
    b->m->block[b->layer].mlp_reader = build_reader(x);
    return build_site(b, out, "mlp.contribution");
}
/* SPDX-License-Identifier: MIT */
