/* arch: gemma -- Gemma: Llama's block, tanh gelu, gains stored less one, the embedding scaled.
 *
 *     x_0     = W_E[token] sqrt(d_model)
 *     x_mid   = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head)) v_g W_O[h]
 *                                                           q, k, v = n W_q ...;  n = rms(x) (1 + w_1)
 *     x'      = x_mid + (gelu(m W_gate) * (m W_up)) W_down     m = rms(x_mid) (1 + w_2)
 *     logits  = rms(x) (1 + w_f) W_E'
 *
 * Weights are [out, in].  The gain of every norm is stored less one (in GGUF files whole: "gain_from_zero"). */
#include "model/decoder.h"
#include <string.h>

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "gain_from_zero", KEY_READ, NULL }, /* of GGUF files; Hugging Face has no such key */
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "hidden_activation", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "use_bidirectional_attention", KEY_MUST, "false" },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "gemma", NULL };
static const char *const GAINS[] = { "model.norm.weight", "model.layers.*.*_layernorm.weight",
                                     NULL };

static const char *family(json_t *config)
{
    json_object_del(config, "gain_from_zero"); /* they are written less one */
    return NULL;
}

/* hidden_activation; else hidden_act, of which the first checkpoints say "gelu" and mean its tanh form. */
static status configure_activation(builder *b, error *err)
{
    const json_t *now = json_object_get(b->json, "hidden_activation"),
                 *old = json_object_get(b->json, "hidden_act");
    if ((now && !json_is_null(now)) || !old || json_is_null(old)) return E_OK;
    if (!json_is_string(old) || strcmp(json_string_value(old), "gelu"))
        return config_activation(b->json, "hidden_act", NULL, &b->c->activation, err);
    build_warn(b,
               "config.json says \"gelu\", which in Gemma is gelu's tanh form: that is computed");
    return E_OK;
}

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 28,
                                        .d_model = 3072,
                                        .n_head = 16,
                                        .n_kv_head = 16,
                                        .d_head = 256,
                                        .d_mlp = 24576,
                                        .n_vocab = 256000,
                                        .n_ctx = 8192,
                                        .eps = 1e-6,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_activation",
                                        .act = "gelu_pytorch_tanh",
                                        .tied = true };
    bool unused, whole = false;
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = json_flag(b->json, "gain_from_zero", false, &whole, err);
    b->c->gain_from_one = !whole;
    if (st == E_OK) st = json_flag(b->json, "attention_bias", false, &unused, err);
    return st == E_OK ? configure_activation(b, err) : st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    bool bias = json_is_true(json_object_get(b->json, "attention_bias"));
    attention a = decoder_attention(b, x, bias, bias);
    a.inv_freq = *inv_freq;
    return build_attention(b, &a);
}

static const decoder_parts PARTS = { .attend = attend, .embed_scaled = true };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_gemma_def = {
    .name = "gemma",
    .says = "Gemma: Llama's block, tanh gelu, gains stored less one, the embedding scaled",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .family = family,
    .gain = GAINS,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
