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
static const char *const IGNORED[] = { "model.layers.*.self_attn.rotary_emb.inv_freq", NULL };

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
    bool slides;
    int32_t first;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = decoder_windows(b, err);
    if (st == E_OK) st = json_flag(b->json, "use_sliding_window", false, &slides, err);
    if (st != E_OK || !slides) return st;
    return config_count(b->json, "max_window_layers", 28, 1 << 16, &first, err);
}

static bool late(const builder *b, int32_t layer)
{
    const json_t *first = json_object_get(b->json, "max_window_layers");
    return layer >= (json_is_integer(first) ? json_integer_value(first) : 28);
}

static int32_t window(const builder *b)
{
    if (!json_is_true(json_object_get(b->json, "use_sliding_window"))) return 0;
    if (!json_object_get(b->json, "sliding_window")) return late(b, b->layer) ? 4096 : 0;
    return decoder_window(b, b->layer, late);
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    attention a = decoder_attention(b, x, true, false);
    a.inv_freq = inv_freq, a.window = window(b);
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_mlp(b, false);
    return build_mlp(b, x, &p);
}

static void build(builder *b)
{
    node *inv_freq = decoder_frequencies(b, "rotary.inv_freq", NULL, 10000, 1);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "model.embed_tokens.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        node *n = decoder_norm(b, x, "ln1", "input_layernorm", false);
        x = build_add(b, x, attend(b, n, inv_freq), "resid_mid");
        n = decoder_norm(b, x, "ln2", "post_attention_layernorm", false);
        x = build_add(b, x, feed_forward(b, n), "resid_post");
    }
    decoder_logits(b, x, w_e);
}

const arch_def arch_qwen2_def = {
    .name = "qwen2",
    .says = "Qwen2, Qwen2.5: Llama's block with biases on queries, keys and values",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
