/* arch: olmoe -- OLMoE: a mixture of gated MLPs; a norm over all of q and of k.
 *
 *     x_mid   = x + attn(n);  q = clip(rms(n W_q) w_q), k = clip(rms(n W_k) w_k), v = clip(n W_v);  n = rms(x) w_1
 *     x'      = x_mid + sum over the k chosen experts e of p_e (act(m W_gate,e) * (m W_up,e)) W_down,e    m = rms(x_mid) w_2
 *     p       = softmax(m W_r) at the chosen; norm_topk_prob: divided by their sum
 *     logits  = rms(x) w_f W_U'
 *
 * The norms of q and k are over all heads at once; clip_qkv null does not clip.  Weights are [out, in].
 */
#include "model/decoder.h"
#include "model/experts.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "clip_qkv", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "norm_topk_prob", KEY_READ, NULL },
    { "num_experts", KEY_READ, NULL },
    { "num_experts_per_tok", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "output_router_logits", KEY_SAYS, NULL },
    { "router_aux_loss_coef", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "olmoe", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 16,
                                        .d_model = 2048,
                                        .n_head = 16,
                                        .d_mlp = 2048,
                                        .n_vocab = 50304,
                                        .n_ctx = 4096,
                                        .eps = 1e-5,
                                        .act = "silu",
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act" };
    bool unused;
    double clip;
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = experts_configure(b, "num_experts", 64, 8, err);
    if (st == E_OK) st = json_flag(b->json, "attention_bias", false, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "norm_topk_prob", false, &unused, err);
    if (st == E_OK) st = config_positive(b->json, "clip_qkv", 1, &clip, err);
    return st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    const model_config *c = b->c;
    bool bias = json_is_true(json_object_get(b->json, "attention_bias"));
    attention a = decoder_attention(b, x, bias, bias);
    a.inv_freq = *inv_freq, a.whole_norm = true;
    a.q_gain = decoder_weight(b, 1, (int64_t)c->n_head * c->d_head, "self_attn.q_norm");
    a.k_gain = decoder_weight(b, 1, (int64_t)c->n_kv_head * c->d_head, "self_attn.k_norm");
    a.clip = json_number_value(json_object_get(b->json, "clip_qkv"));
    if (a.clip > 0) a.v = op_clip(b->g, a.v, a.clip);
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    experts e = { .d_expert = b->c->d_mlp,
                  .router = "mlp.gate",
                  .expert = "mlp.experts",
                  .name = { "gate_proj", "up_proj", "down_proj" } };
    e.norm = json_is_true(json_object_get(b->json, "norm_topk_prob"));
    return build_experts_out(b, x, build_experts(b, x, &e));
}

static const decoder_parts PARTS = { .attend = attend, .feed_forward = feed_forward };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_olmoe_def = {
    .name = "olmoe",
    .says = "OLMoE: a mixture of experts, a norm over all of the queries and keys",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
