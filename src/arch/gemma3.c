/* arch: gemma3 -- Gemma 3 (text): Gemma 2's block without caps, norms of queries and keys, two sets of frequencies.
 *
 *     x_0     = W_E[token] sqrt(d_model)
 *     x_mid   = x + rms(sum_h softmax(rot(q_h) rot(k_g)' / sqrt(query_pre_attn_scalar)) v_g W_O[h]) (1 + w_1')
 *                        q = rms(n W_q) (1 + w_q), k = rms(n W_k) (1 + w_k), v = n W_v;  n = rms(x) (1 + w_1)
 *     x'      = x_mid + rms((gelu(m W_gate) * (m W_up)) W_down) (1 + w_2')      m = rms(x_mid) (1 + w_2)
 *     logits  = rms(x) (1 + w_f) W_E'
 *
 * Sliding layers are those that layer_types names; in older files all but every sixth (sliding_window_pattern).
 * They turn by rope_local_base_freq, or rope_parameters.sliding_attention; the others by rope_theta.
 *
 * Weights are [out, in].  The gain of every norm is stored less one. */
#include "model/decoder.h"
#include <math.h>

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "attn_logit_softcapping", KEY_READ, NULL },
    { "final_logit_softcapping", KEY_READ, NULL },
    { "head_dim", KEY_READ, NULL },
    { "hidden_activation", KEY_READ, NULL },
    { "layer_types", KEY_READ, NULL },
    { "query_pre_attn_scalar", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "rope_local_base_freq", KEY_READ, NULL },
    { "sliding_window", KEY_READ, NULL },
    { "sliding_window_pattern", KEY_READ, NULL },
    { "_sliding_window_pattern", KEY_ALIAS, "sliding_window_pattern" },
    { "use_bidirectional_attention", KEY_MUST, "false" },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "gemma3_text", NULL };

static status configure_scores(builder *b, error *err)
{
    double scalar, cap;
    status st = config_positive(b->json, "query_pre_attn_scalar", 256, &scalar, err);
    if (st == E_OK) st = decoder_cap(b, "attn_logit_softcapping", 0, &cap, err);
    if (st == E_OK) st = decoder_cap(b, "final_logit_softcapping", 0, &b->c->logit_cap, err);
    int32_t pattern;
    if (st == E_OK) st = config_count(b->json, "sliding_window_pattern", 6, 4096, &pattern, err);
    if (st == E_OK) b->c->score_scale = 1 / sqrt(scalar);
    return st;
}

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 26,
                                        .d_model = 2304,
                                        .n_head = 8,
                                        .n_kv_head = 4,
                                        .d_head = 256,
                                        .d_mlp = 9216,
                                        .n_vocab = 262208,
                                        .n_ctx = 131072,
                                        .eps = 1e-6,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_activation",
                                        .act = "gelu_pytorch_tanh",
                                        .tied = true };
    bool unused;
    b->c->norm = "rmsnorm", b->c->gated = true, b->c->gain_from_one = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = json_flag(b->json, "attention_bias", false, &unused, err);
    if (st == E_OK) st = decoder_windows(b, err);
    return st == E_OK ? configure_scores(b, err) : st;
}

static bool local(const builder *b, int32_t layer)
{
    const json_t *pattern = json_object_get(b->json, "sliding_window_pattern");
    return (layer + 1) % (json_is_integer(pattern) ? json_integer_value(pattern) : 6) != 0;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    bool bias = json_is_true(json_object_get(b->json, "attention_bias"));
    attention a = decoder_attention(b, x, bias, bias);
    a.window = decoder_window(b, b->layer, local, 4096), a.inv_freq = inv_freq[a.window != 0];
    if (a.window) a.rotary_factor = 1;
    a.q_gain = decoder_weight(b, 1, b->c->d_head, "self_attn.q_norm");
    a.k_gain = decoder_weight(b, 1, b->c->d_head, "self_attn.k_norm");
    decoder_cap(b, "attn_logit_softcapping", 0, &a.cap, NULL); /* configure() has seen it */
    a.post_gain = decoder_weight(b, 1, b->c->d_model, "post_attention_layernorm");
    return build_attention(b, &a);
}

static const decoder_parts PARTS = { .attend = attend,
                                     .mlp_norm = "pre_feedforward_layernorm",
                                     .mlp_post_norm = "post_feedforward_layernorm",
                                     .embed_scaled = true };

static void build(builder *b)
{
    node *inv_freq[2] = {
        decoder_frequencies(b, "rotary.inv_freq", "full_attention", 1e6, 1),
        decoder_frequencies(b, "rotary_local.inv_freq", "sliding_attention", 1e4, 1),
    };
    decoder_build(b, inv_freq, &PARTS);
}

const arch_def arch_gemma3_def = {
    .name = "gemma3",
    .says = "Gemma 3 (text): Gemma 2's block without caps, norms of queries and keys, two sets of "
            "frequencies",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
