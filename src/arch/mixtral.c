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
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = experts_configure(b, "num_local_experts", 8, 2, err);
    return st == E_OK ? decoder_windows(b, err) : st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    attention a = decoder_attention(b, x, false, false);
    a.inv_freq = *inv_freq, a.window = decoder_window(b, b->layer, NULL, 0);
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    experts e = { .d_expert = b->c->d_mlp,
                  .norm = true,
                  .router = "block_sparse_moe.gate",
                  .expert = "block_sparse_moe.experts",
                  .name = { "w1", "w3", "w2" } };
    return build_experts_out(b, x, build_experts(b, x, &e));
}

static const decoder_parts PARTS = { .attend = attend, .feed_forward = feed_forward, .theta = 1e6 };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

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
