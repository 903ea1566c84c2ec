/* arch: olmo2 -- OLMo 2: no norm before a part, one after it; a norm over all of q and of k.
 *
 *     x_mid   = x + rms(sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head)) v_g W_O[h]) w_1
 *                                                           q = rms(x W_q) w_q, k = rms(x W_k) w_k, v = x W_v
 *     x'      = x_mid + rms((act(x_mid W_gate) * (x_mid W_up)) W_down) w_2
 *     logits  = rms(x) w_f W_U'
 *
 * The norms of q and k are over all heads at once.  Weights are [out, in].
 */
#include "model/decoder.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "olmo2", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4096,
                                        .n_head = 32,
                                        .d_mlp = 11008,
                                        .n_vocab = 50304,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "silu",
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act" };
    bool bias;
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = json_flag(b->json, "attention_bias", false, &bias, err);
    return st;
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    const model_config *c = b->c;
    bool bias = json_is_true(json_object_get(b->json, "attention_bias"));
    attention a = decoder_attention(b, x, bias, bias);
    a.inv_freq = inv_freq, a.whole_norm = true;
    a.q_gain = decoder_weight(b, 1, (int64_t)c->n_head * c->d_head, "self_attn.q_norm");
    a.k_gain = decoder_weight(b, 1, (int64_t)c->n_kv_head * c->d_head, "self_attn.k_norm");
    a.post_gain = decoder_weight(b, 1, c->d_model, "post_attention_layernorm");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_mlp(b, false);
    p.post_gain = decoder_weight(b, 1, b->c->d_model, "post_feedforward_layernorm");
    return build_mlp(b, build_view(b, x), &p);
}

static void build(builder *b)
{
    node *inv_freq = decoder_frequencies(b, "rotary.inv_freq", NULL, 10000, 1);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "model.embed_tokens.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        x = build_add(b, x, attend(b, x, inv_freq), "resid_mid");
        x = build_add(b, x, feed_forward(b, x), "resid_post");
    }
    decoder_logits(b, x, w_e);
}

const arch_def arch_olmo2_def = {
    .name = "olmo2",
    .says = "OLMo 2: norms after attention and MLP, and over all of the queries and keys",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
