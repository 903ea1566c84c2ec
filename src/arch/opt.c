/* arch: opt -- OPT: GPT-2 with separate q, k, v, positions from row 2 on, ReLU.
 *
 *     x_0     = W_E[token] + W_pos[position + 2]
 *     x_mid   = x + sum_h softmax(q_h k_h' / sqrt(d_head)) v_h W_O[h] + b_O    q, k, v = n W_q + b_q ...;  n = ln_1(x)
 *     x'      = x_mid + act(ln_2(x_mid) W_1 + b_1) W_2 + b_2
 *     logits  = ln_f(x) W_U'                                W_U = W_E when tied
 *
 * Without do_layer_norm_before (OPT-350m) the norms stand behind, on the stream, and there is no ln_f:
 *
 *     x_mid   = ln_1(x + attn(x))
 *     x'      = ln_2(x_mid + mlp(x_mid))
 *
 * Where word_embed_proj_dim differs from d_model, W_E is as wide as that: x_0 = W_E[token] W_in + W_pos[..], and
 * logits = (x W_out) W_U'.  Hugging Face scales q instead of the product; attn.q is before that.  Weights are [out, in].
 */
#include "model/decoder.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    DECODER_SIZES,
    { "ffn_dim", KEY_ALIAS, "intermediate_size" },
    { "activation_function", KEY_READ, NULL },
    { "do_layer_norm_before", KEY_READ, NULL },
    { "enable_bias", KEY_MUST, "true" },
    { "layer_norm_elementwise_affine", KEY_MUST, "true" },
    { "_remove_final_layer_norm", KEY_READ, NULL },
    { "word_embed_proj_dim", KEY_READ, NULL },
    { "activation_dropout", KEY_SAYS, NULL },
    { "dropout", KEY_SAYS, NULL },
    { "init_std", KEY_SAYS, NULL },
    { "layerdrop", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "opt", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 12,
                                        .d_model = 768,
                                        .n_head = 12,
                                        .d_mlp = 3072,
                                        .n_vocab = 50272,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "relu",
                                        .tied = true,
                                        .eps_key = "layer_norm_eps",
                                        .act_key = "activation_function" };
    int32_t given;
    bool before = true;
    b->c->norm = "layernorm", b->layers = "model.decoder.layers";
    status st = decoder_configure(b, &d, err);
    b->c->position = "learned";
    if (st == E_OK)
        st = config_count(b->json, "word_embed_proj_dim", b->c->d_model, 1 << 20, &given, err);
    bool unused;
    if (st == E_OK) st = json_flag(b->json, "_remove_final_layer_norm", false, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "do_layer_norm_before", true, &before, err);
    b->c->post_norm = !before;
    return st;
}

/* Of the embedding. */
static int64_t wide(const builder *b)
{
    const json_t *v = json_object_get(b->json, "word_embed_proj_dim");
    return json_is_integer(v) ? json_integer_value(v) : b->c->d_model;
}

static node *attend(builder *b, node *x)
{
    static const char *const name[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                        "self_attn.out_proj" };
    attention a = decoder_attention_of(b, x, name, true, true);
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "fc1", "fc2", true);
    return build_mlp(b, x, &p);
}

static node *block_before(builder *b, node *x)
{
    node *n = decoder_norm(b, x, "ln1", "self_attn_layer_norm", true);
    x = build_add(b, x, attend(b, n), "resid_mid");
    n = decoder_norm(b, x, "ln2", "final_layer_norm", true);
    return build_add(b, x, feed_forward(b, n), "resid_post");
}

static node *block_after(builder *b, node *x)
{
    x = decoder_add_norm(b, x, attend(b, x), "resid_mid", "ln1", "self_attn_layer_norm");
    node *m = feed_forward(b, build_view(b, x));
    return decoder_add_norm(b, x, m, "resid_post", "ln2", "final_layer_norm");
}

static node *projected(builder *b, node *x, int64_t n_out, const char *weight, const char *site)
{
    node *w = build_weight(b, n_out, x ? x->width : 0, "model.decoder.%s.weight", weight);
    node *y = build_linear(b, x, w, NULL, OUT_IN, 0, 1, n_out);
    return graph_site(b->g, graph_axes(y, "", "d_model"), "%s", site);
}

/* What the token adds to the stream. */
static node *embedded(builder *b, node *w_e)
{
    node *e = build_embed(b, w_e);
    if (!e || wide(b) == b->c->d_model) return e;
    e->writer = false; /* its projection is */
    return build_writer(projected(b, e, b->c->d_model, "project_in", "embed_projected"));
}

static node *finished(builder *b, node *x)
{
    bool removed = json_is_true(json_object_get(b->json, "_remove_final_layer_norm"));
    if (!b->c->post_norm && !removed)
        x = decoder_final_norm(b, x, "model.decoder.final_layer_norm");
    if (wide(b) == b->c->d_model) return x;
    return projected(b, x, wide(b), "project_out", "final_projected");
}

static void build(builder *b)
{
    const model_config *c = b->c;
    node *w_e = build_weight(b, c->n_vocab, wide(b), "model.decoder.embed_tokens.weight");
    node *w_p = build_weight(b, c->n_ctx + 2, c->d_model, "model.decoder.embed_positions.weight");
    node *e = embedded(b, w_e), *p = build_pos_embed(b, w_p, 2);
    node *x = graph_axes(op_add(b->g, e, p), "", "d_model");
    for (int32_t i = 0; i < c->n_layer; i++) {
        build_block(b, i, x);
        x = c->post_norm ? block_after(b, x) : block_before(b, x);
    }
    node *w_u = build_unembed(b, w_e, "model.decoder.embed_tokens.weight", "lm_head.weight");
    node *y = finished(b, x);
    build_logits(b, y, w_u, NULL, y == x);
}

const arch_def arch_opt_def = {
    .name = "opt",
    .says = "OPT: learned positions, LayerNorm before or after, ReLU, embeddings projected or not",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
