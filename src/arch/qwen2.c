/* arch: qwen2 -- Qwen2 and 2.5: Llama's block with biases on q, k and v.
 *
 *     x_mid   = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head)) v_g W_O[h]
 *                                                           q, k, v = n W_q + b_q ...;  n = rms(x) w_1
 *     x'      = x_mid + (act(m W_gate) * (m W_up)) W_down      m = rms(x_mid) w_2
 *     logits  = rms(x) w_f W_U'                              W_U = W_E when tied
 *
 * With use_sliding_window, the layers that layer_types names (in older files those from max_window_layers
 * on) see the last `sliding_window` keys.  Weights are [out, in]. */
#include "model/decoder.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "layer_types", KEY_READ, NULL },
    { "max_window_layers", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "sliding_window", KEY_READ, NULL },
    { "use_sliding_window", KEY_READ, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "qwen2", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4096,
                                        .n_head = 32,
                                        .n_kv_head = 32,
                                        .d_mlp = 22016,
                                        .n_vocab = 151936,
                                        .n_ctx = 32768,
                                        .eps = 1e-6,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act",
                                        .act = "silu" };
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    return st == E_OK ? decoder_late_windows(b, err) : st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    attention a = decoder_attention(b, x, true, false);
    a.inv_freq = *inv_freq, a.window = decoder_late_window(b);
    return build_attention(b, &a);
}

static const decoder_parts PARTS = { .attend = attend };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_qwen2_def = {
    .name = "qwen2",
    .says = "Qwen2, Qwen2.5: Llama's block with biases on queries, keys and values",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
