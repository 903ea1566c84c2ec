/* arch: mixtral -- Mixtral: Mistral's attention, a mixture of gated MLPs.
 *
 *     x_mid   = x + attn(rms(x) w_1), as Mistral's
 *     x'      = x_mid + sum over the k chosen experts e of p_e (act(m W_1e) * (m W_3e)) W_2e      m = rms(x_mid) w_2
 *     p       = softmax(m W_r) at the chosen, divided by their sum
 *     logits  = rms(x) w_f W_U'
 *
 * Weights are [out, in].
 */
#include "model/decoder.h"
#include "model/experts.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "head_dim", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "num_experts_per_tok", KEY_READ, NULL },
    { "num_local_experts", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "sliding_window", KEY_READ, NULL },
    { "router_jitter_noise", KEY_SAYS, NULL },
    { "output_router_logits", KEY_SAYS, NULL },
    { "router_aux_loss_coef", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "mixtral", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4096,
                                        .n_head = 32,
                                        .n_kv_head = 8,
                                        .d_mlp = 14336,
                                        .n_vocab = 32000,
                                        .n_ctx = 131072,
                                        .eps = 1e-5,
                                        .act = "silu",
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act" };
    int32_t n, k;
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = config_count(b->json, "num_local_experts", 8, 1 << 12, &n, err);
    if (st == E_OK) st = config_count(b->json, "num_experts_per_tok", 2, 1 << 12, &k, err);
    if (st == E_OK && k > n)
        return error_set(err, E_RANGE, "config.json: %d experts a token of %d, expected no more", k,
                         n);
    b->c->n_expert = n;
    return st == E_OK ? decoder_windows(b, err) : st;
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    attention a = decoder_attention(b, x, false, false);
    a.inv_freq = inv_freq, a.window = decoder_window(b, b->layer, NULL);
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    experts e = { .n = b->c->n_expert,
                  .d_expert = b->c->d_mlp,
                  .norm = true,
                  .prefix = "model.layers",
                  .router = "block_sparse_moe.gate",
                  .expert = "block_sparse_moe.experts",
                  .name = { "w1", "w3", "w2" } };
    config_count(b->json, "num_experts_per_tok", 2, 1 << 12, &e.k, NULL); /* seen in configure() */
    return build_experts_out(b, x, build_experts(b, x, &e));
}

static void build(builder *b)
{
    node *inv_freq = decoder_frequencies(b, "rotary.inv_freq", NULL, 1e6, 1);
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

const arch_def arch_mixtral_def = {
    .name = "mixtral",
    .says = "Mixtral: Mistral with a mixture of experts",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
