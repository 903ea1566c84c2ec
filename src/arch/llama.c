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
#include "model/decoder.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "mlp_bias", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "rope_interleaved", KEY_READ, NULL }, /* of llama2.c files; Hugging Face has no such key */
    { "pretraining_tp", KEY_SAYS, NULL },   /* the same sums, in pieces */
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "llama", NULL };

/* Recomputed from the configuration; old checkpoints store them. */

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4096,
                                        .n_head = 32,
                                        .d_mlp = 11008,
                                        .n_vocab = 32000,
                                        .n_ctx = 2048,
                                        .eps = 1e-6,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act",
                                        .act = "silu" };
    bool unused;
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK && b->c->d_head % 2)
        st =
            error_set(err, E_SHAPE,
                      "config.json: heads of %d numbers cannot be rotated, expected an even number",
                      b->c->d_head);
    if (st == E_OK) st = json_flag(b->json, "attention_bias", false, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "mlp_bias", false, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "rope_interleaved", false, &unused, err);
    return st;
}

static bool flag(const builder *b, const char *key)
{
    return json_is_true(json_object_get(b->json, key)); /* configure() has seen that it is a flag */
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    bool bias = flag(b, "attention_bias");
    attention a = decoder_attention(b, x, bias, bias);
    a.inv_freq = *inv_freq, a.rotary_style = flag(b, "rope_interleaved") ? 1 : 0;
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_mlp(b, flag(b, "mlp_bias"));
    return build_mlp(b, x, &p);
}

static const decoder_parts PARTS = { .attend = attend, .feed_forward = feed_forward };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_llama_def = {
    .name = "llama",
    .says = "Llama: RMSNorm, rotary positions, gated MLP, grouped queries, weights [out, in]",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
