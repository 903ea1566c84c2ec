/* arch: qwen3 -- Qwen3: Llama's block with a norm of each head's queries and keys.
 *
 *     x_mid   = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head)) v_g W_O[h] + b_O
 *                        q = rms(n W_q) w_q, k = rms(n W_k) w_k, v = n W_v;  n = rms(x) w_1
 *     x'      = x_mid + (act(m W_gate) * (m W_up)) W_down      m = rms(x_mid) w_2
 *     logits  = rms(x) w_f W_U'                              W_U = W_E when tied
 *
 * With use_sliding_window, the layers that layer_types names (in older files those from max_window_layers
 * on) see the last `sliding_window` keys.  attention_bias: q, k, v and o have biases.  Weights are [out, in]. */
#include "model/decoder.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "layer_types", KEY_READ, NULL },
    { "max_window_layers", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "sliding_window", KEY_READ, NULL },
    { "use_sliding_window", KEY_READ, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "qwen3", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4096,
                                        .n_head = 32,
                                        .n_kv_head = 32,
                                        .d_head = 128,
                                        .d_mlp = 22016,
                                        .n_vocab = 151936,
                                        .n_ctx = 32768,
                                        .eps = 1e-6,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act",
                                        .act = "silu" };
    b->c->norm = "rmsnorm", b->c->gated = true;
    bool unused;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = decoder_late_windows(b, err);
    return st == E_OK ? json_flag(b->json, "attention_bias", false, &unused, err) : st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    bool bias = json_is_true(json_object_get(b->json, "attention_bias"));
    attention a = decoder_attention(b, x, bias, bias);
    a.q_gain = decoder_weight(b, 1, b->c->d_head, "self_attn.q_norm");
    a.k_gain = decoder_weight(b, 1, b->c->d_head, "self_attn.k_norm");
    a.inv_freq = *inv_freq, a.window = decoder_late_window(b);
    return build_attention(b, &a);
}

static const decoder_parts PARTS = { .attend = attend };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_qwen3_def = {
    .name = "qwen3",
    .says = "Qwen3: Llama's block with a norm of each head's queries and keys",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
