/* arch: stacked -- two numbers, one MLP, no attention: the MLPs of "A toy model of universality" and of "The clock and the
 * pizza" (its linear model D).
 *
 *     e       = [E_1[a], E_2[b]]                       the two embeddings end to end
 *     h       = relu(e W + b)                          b: the pizza's alone
 *     logits  = h W_U
 *
 *     universality   W_x, W_y [vocab, d] are E_1 and E_2    W [2 d, d_mlp]        W_U [d_mlp, vocab]
 *     pizza          embed.weight [vocab, d] is both        l1.weight [d_mlp, 2 d]   unembed.weight [vocab, d_mlp]
 *
 * The prompt is a, b and the answer stands at b: every position stacks the embedding before it on its own.  At a there
 * is none before; zeros stand there, and the original has no such output.
 *
 * Of the pizza's linear models (its train-linear.py) A and X add the embeddings, B and C have a second layer: their shapes
 * are not D's.  B is l1(e_a + e_b), C is l1(e_a) + l1(e_b): one shape, and the bias once or twice, so no weights tell them
 * apart.  A config_RUN.json beside model_RUN.pt that says another model_type is believed, and refused. */
#include "model/builder.h"
#include "model/config.h"
#include "ops.gen.h"
#include <string.h>

/* linear_model: the pizza's model_type. */
static const config_key KEYS[] = {
    { "d_mlp", KEY_READ, NULL },       { "d_model", KEY_READ, NULL }, { "d_vocab", KEY_READ, NULL },
    { "linear_model", KEY_MUST, "D" }, { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "universality_mlp", "pizza_linear", NULL };

static bool is_pizza(const builder *b)
{
    const char *type = json_string_value(json_object_get(b->json, "model_type"));
    return type && !strcmp(type, "pizza_linear");
}

/* ---- what a state dict says ---- */

static const tensor_view *matrix(const container *c, const char *name)
{
    const tensor_view *t = container_find(c, name);
    return t && t->n_dim == 2 ? t : NULL;
}

static json_t *sizes(bool pizza, const tensor_view *e, int64_t d_mlp)
{
    return json_pack("{s:s,s:I,s:I,s:I}", "model_type", TYPES[pizza], "d_vocab",
                     (json_int_t)e->dim[0], "d_model", (json_int_t)e->dim[1], "d_mlp",
                     (json_int_t)d_mlp);
}

static json_t *infer(const container *c, const char *path)
{
    const tensor_view *x = matrix(c, "W_x"), *w = matrix(c, "W"), *e = matrix(c, "embed.weight"),
                      *l = matrix(c, "l1.weight");
    if (container_count(c) != 4) return NULL;
    if (x && w && matrix(c, "W_y") && matrix(c, "W_U")) return sizes(false, x, w->dim[1]);
    if (!e || !l || !matrix(c, "unembed.weight") || l->dim[1] != 2 * e->dim[1]) return NULL;
    json_t *j = sizes(true, e, l->dim[0]), *own = config_sibling(path);
    const json_t *type = json_object_get(own, "model_type");
    if (j && type) json_object_set(j, "linear_model", (json_t *)type);
    json_decref(own);
    return j;
}

/* ---- the graph ---- */

static status configure(builder *b, error *err)
{
    model_config *c = b->c;
    status st = config_count(b->json, "d_model", 0, 1 << 20, &c->d_model, err);
    if (st == E_OK) st = config_count(b->json, "d_mlp", 0, 1 << 24, &c->d_mlp, err);
    if (st == E_OK) st = config_count(b->json, "d_vocab", 0, 1 << 24, &c->n_vocab, err);
    c->n_vocab_out = c->n_vocab, c->n_layer = 1, c->n_ctx = c->n_least = 2;
    c->norm = "none", c->position = "stacked", c->activation = "relu";
    return st;
}

static node *embedded(builder *b)
{
    const model_config *c = b->c;
    if (is_pizza(b)) {
        node *e = build_embed(b, build_weight(b, c->n_vocab, c->d_model, "embed.weight"));
        return op_stack(b->g, e, e);
    }
    node *first = op_embed(b->g, b->m->token, build_weight(b, c->n_vocab, c->d_model, "W_x"));
    graph_site(b->g, build_writer(graph_axes(first, "", "d_model")), "embed_first");
    return op_stack(b->g, first, build_embed(b, build_weight(b, c->n_vocab, c->d_model, "W_y")));
}

/* W, or its transpose where the file has that. */
static node *layer(builder *b, int64_t n_in, int64_t n_out, const char *pizza, const char *other)
{
    return is_pizza(b) ? build_weight(b, n_out, n_in, "%s", pizza)
                       : build_weight(b, n_in, n_out, "%s", other);
}

static void build(builder *b)
{
    const model_config *c = b->c;
    int layout = is_pizza(b) ? OUT_IN : IN_OUT;
    node *x = graph_site(b->g, graph_axes(embedded(b), "number", "d_model"), "embed_stack");
    node *w = layer(b, 2 * (int64_t)c->d_model, c->d_mlp, "l1.weight", "W");
    node *bias = is_pizza(b) ? build_weight(b, 1, c->d_mlp, "l1.bias") : NULL;
    node *pre = graph_axes(build_linear(b, x, w, bias, layout, 0, c->d_mlp, 1), "neuron", "");
    b->layer = 0;
    build_reader(build_site(b, pre, "mlp.pre"));
    node *h = graph_axes(build_activation(b, pre), "neuron", "");
    build_writer(build_site(b, h, "mlp.post"));
    if (b->g->err.code == E_OK) b->m->block[0].mlp_reader = pre;
    build_logits_as(b, h, layer(b, c->d_mlp, c->n_vocab, "unembed.weight", "W_U"), NULL, layout,
                    true);
    build_warn(b, "the answer stands at position 1: at position 0 zeros are in place of the "
                  "embedding before it, and the original has no such output");
}

static const char *family(json_t *config)
{
    (void)config;
    return "two stacked embeddings are of no family of Hugging Face";
}

const arch_def arch_stacked_def = {
    .name = "stacked",
    .says = "two embeddings end to end and one MLP: group composition's and the pizza's",
    .model_type = TYPES,
    .key = KEYS,
    .infer = infer,
    .configure = configure,
    .build = build,
    .family = family,
};
/* SPDX-License-Identifier: MIT */
