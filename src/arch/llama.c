/* arch: llama -- Llama 1 to 3, with grouped queries.
 *
 *     x_0     = W_E[token]
 *     x_mid   = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head)) v_g W_O[h] + b_O
 *                                       q, k, v = n W_q + b_q ...;  n = rms(x) w_1;  g = h / (n_head / n_kv_head)
 *     x'      = x_mid + (act(m W_gate + b) * (m W_up + b)) W_down + b            m = rms(x_mid) w_2
 *     logits  = rms(x) w_f W_U'                                                W_U = W_E when tied
 *
 * Weights are [out, in].  Biases are there where attention_bias and mlp_bias say so.  Hugging Face
 * stores q and k so that rotation pairs the halves of a head; llama2.c files pair neighbours. */
#include "model/builder.h"
#include "model/config.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const config_key KEYS[] = {
    { "attention_bias", KEY_READ, NULL },
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "hidden_size", KEY_READ, NULL },
    { "intermediate_size", KEY_READ, NULL },
    { "max_position_embeddings", KEY_READ, NULL },
    { "mlp_bias", KEY_READ, NULL },
    { "num_attention_heads", KEY_READ, NULL },
    { "num_hidden_layers", KEY_READ, NULL },
    { "num_key_value_heads", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "rope_interleaved", KEY_READ, NULL }, /* of llama2.c files; Hugging Face has no such key */
    { "rope_parameters", KEY_READ, NULL },
    { "rope_scaling", KEY_READ, NULL },
    { "rope_theta", KEY_READ, NULL },
    { "attention_dropout", KEY_SAYS, NULL },
    { "pretraining_tp", KEY_SAYS, NULL }, /* the same sums, in pieces */
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "llama", NULL };

/* Recomputed from the configuration; old checkpoints store them. */
static const char *const IGNORED[] = { "model.layers.*.self_attn.rotary_emb.inv_freq", NULL };

static status configure_sizes(builder *b, error *err)
{
    model_config *c = b->c;
    const json_t *j = b->json;
    status st = config_count(j, "num_hidden_layers", 32, 4096, &c->n_layer, err);
    if (st == E_OK) st = config_count(j, "hidden_size", 4096, 1 << 20, &c->d_model, err);
    if (st == E_OK) st = config_count(j, "num_attention_heads", 32, 1 << 16, &c->n_head, err);
    if (st == E_OK)
        st = config_count(j, "num_key_value_heads", c->n_head, 1 << 16, &c->n_kv_head, err);
    if (st == E_OK) st = config_count(j, "intermediate_size", 11008, 1 << 24, &c->d_mlp, err);
    if (st == E_OK) st = config_count(j, "vocab_size", 32000, 1 << 24, &c->n_vocab, err);
    if (st == E_OK) st = config_count(j, "max_position_embeddings", 2048, 1 << 24, &c->n_ctx, err);
    if (st == E_OK)
        st = config_count(j, "head_dim", c->d_model / c->n_head, 1 << 16, &c->d_head, err);
    if (st != E_OK) return st;
    const json_t *given = json_object_get(j, "head_dim");
    if ((!given || json_is_null(given)) && c->d_model % c->n_head)
        return error_set(err, E_SHAPE,
                         "config.json: 'hidden_size' %d is no multiple of 'num_attention_heads' "
                         "%d, and there is no 'head_dim'",
                         c->d_model, c->n_head);
    if (c->d_head % 2)
        return error_set(
            err, E_SHAPE,
            "config.json: heads of %d numbers cannot be rotated, expected an even number",
            c->d_head);
    return E_OK;
}

static status configure(builder *b, error *err)
{
    model_config *c = b->c;
    bool unused;
    c->norm = "rmsnorm", c->position = "rotary", c->gated = true;
    status st = configure_sizes(b, err);
    if (st == E_OK) st = config_positive(b->json, "rms_norm_eps", 1e-6, &c->norm_eps, err);
    if (st == E_OK) st = config_activation(b->json, "hidden_act", "silu", &c->activation, err);
    if (st == E_OK) st = json_flag(b->json, "tie_word_embeddings", false, &c->tied, err);
    if (st == E_OK) st = json_flag(b->json, "attention_bias", false, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "mlp_bias", false, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "rope_interleaved", false, &unused, err);
    if (st == E_OK) c->score_scale = 1 / sqrt(c->d_head);
    return st;
}

static bool flag(const builder *b, const char *key)
{
    return json_is_true(json_object_get(b->json, key)); /* configure() has seen that it is a flag */
}

/* A weight of block b->layer; a bias, which only some models have. */
static node *weight(builder *b, int64_t n_out, int64_t n_in, const char *name)
{
    return build_weight(b, n_out, n_in, "model.layers.%d.%s.weight", b->layer, name);
}

static node *bias(builder *b, const char *key, int64_t n, const char *name)
{
    return flag(b, key) ? build_weight(b, 1, n, "model.layers.%d.%s.bias", b->layer, name) : NULL;
}

static node *norm(builder *b, node *x, const char *ours, const char *theirs)
{
    char name[64];
    snprintf(name, sizeof name, "blocks.%d.%s", b->layer, ours);
    return build_norm(b, x, weight(b, 1, b->c->d_model, theirs), NULL, name);
}

/* y = x W + b as heads. */
static node *heads(builder *b, node *x, int64_t n, const char *name)
{
    int64_t wide = n * b->c->d_head;
    node *w = weight(b, wide, b->c->d_model, name);
    return build_linear(b, x, w, bias(b, "attention_bias", wide, name), OUT_IN, 0, n, b->c->d_head);
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    const model_config *c = b->c;
    attention a = { .layout = OUT_IN, .scale = c->score_scale, .inv_freq = inv_freq };
    a.rotary_factor = c->rope_factor;
    a.rotary_style = flag(b, "rope_interleaved") ? 1 : 0;
    a.q = heads(b, x, c->n_head, "self_attn.q_proj");
    a.k = heads(b, x, c->n_kv_head, "self_attn.k_proj");
    a.v = heads(b, x, c->n_kv_head, "self_attn.v_proj");
    a.w_out = weight(b, c->d_model, (int64_t)c->n_head * c->d_head, "self_attn.o_proj");
    a.b_out = bias(b, "attention_bias", c->d_model, "self_attn.o_proj");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    const model_config *c = b->c;
    mlp p = { .layout = OUT_IN };
    p.w_in = weight(b, c->d_mlp, c->d_model, "mlp.gate_proj");
    p.b_in = bias(b, "mlp_bias", c->d_mlp, "mlp.gate_proj");
    p.w_up = weight(b, c->d_mlp, c->d_model, "mlp.up_proj");
    p.b_up = bias(b, "mlp_bias", c->d_mlp, "mlp.up_proj");
    p.w_out = weight(b, c->d_model, c->d_mlp, "mlp.down_proj");
    p.b_out = bias(b, "mlp_bias", c->d_model, "mlp.down_proj");
    return build_mlp(b, x, &p);
}

static node *frequencies(builder *b)
{
    double *f = build_memory(b, b->c->d_head, sizeof *f);
    if (!f || config_rotary(b->json, b->c, f, &b->g->err) != E_OK) return NULL;
    return build_constant(b, "rotary.inv_freq", f, 2, b->c->d_head / 2);
}

static void build(builder *b)
{
    const model_config *c = b->c;
    node *inv_freq = frequencies(b);
    node *w_e = build_weight(b, c->n_vocab, c->d_model, "model.embed_tokens.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < c->n_layer; i++) {
        build_block(b, i, x);
        x = build_add(b, x, attend(b, norm(b, x, "ln1", "input_layernorm"), inv_freq), "resid_mid");
        x = build_add(b, x, feed_forward(b, norm(b, x, "ln2", "post_attention_layernorm")),
                      "resid_post");
    }
    x = build_norm(b, x, build_weight(b, 1, c->d_model, "model.norm.weight"), NULL, "ln_final");
    node *w_u = build_unembed(b, w_e, "model.embed_tokens.weight", "lm_head.weight");
    build_logits(b, x, w_u, NULL, false);
}

const arch_def arch_llama_def = {
    .name = "llama",
    .says = "Llama: RMSNorm, rotary positions, gated MLP, grouped queries, weights [out, in]",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
