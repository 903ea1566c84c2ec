/* arch: mistral -- Mistral: Llama's block; a query sees the last `sliding_window` keys.
 *
 *     x_mid   = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head), keys i - w + 1 .. i) v_g W_O[h]
 *                                                           q, k, v = n W_q ...;  n = rms(x) w_1
 *     x'      = x_mid + (act(m W_gate) * (m W_up)) W_down      m = rms(x_mid) w_2
 *     logits  = rms(x) w_f W_U'
 *
 * Weights are [out, in], as Llama's.  sliding_window absent is 4096, null is none. */
#include "model/decoder.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "layer_types", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "sliding_window", KEY_READ, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "mistral", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4096,
                                        .n_head = 32,
                                        .n_kv_head = 8,
                                        .d_mlp = 14336,
                                        .n_vocab = 32000,
                                        .n_ctx = 4096 * 32,
                                        .eps = 1e-6,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act",
                                        .act = "silu" };
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    return st == E_OK ? decoder_windows(b, err) : st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    attention a = decoder_attention(b, x, false, false);
    a.inv_freq = *inv_freq, a.window = decoder_window(b, b->layer, NULL, 4096);
    return build_attention(b, &a);
}

static const decoder_parts PARTS = { .attend = attend };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_mistral_def = {
    .name = "mistral",
    .says = "Mistral: Llama's block with a sliding window",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
