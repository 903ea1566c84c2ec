/* arch: qwen2_moe -- Qwen2-MoE: Qwen2's attention, a mixture of gated MLPs beside a shared one.
 *
 *     x_mid   = x + attn(rms(x) w_1), as Qwen2's
 *     x'      = x_mid + sum over the k chosen experts e of p_e mlp_e(m) + sigmoid(m w_s) mlp_s(m)    m = rms(x_mid) w_2
 *     p       = softmax(m W_r) at the chosen; norm_topk_prob: divided by their sum
 *     mlp(m)  = (act(m W_gate) * (m W_up)) W_down
 *     logits  = rms(x) w_f W_U'
 *
 * Layers that mlp_only_layers names, and those whose number (from 1) decoder_sparse_step does not divide, have one plain gated MLP.
 * Weights are [out, in].
 */
#include "model/decoder.h"
#include "model/experts.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "decoder_sparse_step", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "mlp_only_layers", KEY_READ, NULL },
    { "moe_intermediate_size", KEY_READ, NULL },
    { "norm_topk_prob", KEY_READ, NULL },
    { "num_experts", KEY_READ, NULL },
    { "num_experts_per_tok", KEY_READ, NULL },
    { "qkv_bias", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "shared_expert_intermediate_size", KEY_READ, NULL },
    { "max_window_layers", KEY_SAYS, NULL },
    { "sliding_window", KEY_SAYS, NULL }, /* use_sliding_window must be false */
    { "output_router_logits", KEY_SAYS, NULL },
    { "router_aux_loss_coef", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "qwen2_moe", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 24,
                                        .d_model = 2048,
                                        .n_head = 16,
                                        .n_kv_head = 16,
                                        .d_mlp = 5632,
                                        .n_vocab = 151936,
                                        .n_ctx = 32768,
                                        .eps = 1e-6,
                                        .act = "silu",
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act" };
    bool unused;
    int32_t size;
    const json_t *plain = json_object_get(b->json, "mlp_only_layers");
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = experts_configure(b, "num_experts", 60, 4, err);
    if (st == E_OK) st = json_flag(b->json, "qkv_bias", true, &unused, err);
    if (st == E_OK) st = json_flag(b->json, "norm_topk_prob", false, &unused, err);
    if (st == E_OK) st = config_count(b->json, "moe_intermediate_size", 1408, 1 << 24, &size, err);
    if (st == E_OK)
        st = config_count(b->json, "shared_expert_intermediate_size", 5632, 1 << 24, &size, err);
    if (st == E_OK) st = config_count(b->json, "decoder_sparse_step", 1, 4096, &size, err);
    if (st == E_OK && plain && !json_is_null(plain) && !json_is_array(plain))
        return error_set(err, E_FORMAT, "config.json: 'mlp_only_layers' is %s, expected a list",
                         json_kind(plain));
    return st;
}

static int32_t count(const builder *b, const char *key, int32_t otherwise)
{
    int32_t n = otherwise;
    config_count(b->json, key, otherwise, 1 << 24, &n, NULL); /* seen in configure() */
    return n;
}

static bool flag(const builder *b, const char *key, bool otherwise)
{
    bool v = otherwise;
    json_flag(b->json, key, otherwise, &v, NULL); /* seen in configure() */
    return v;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    attention a = decoder_attention(b, x, flag(b, "qkv_bias", true), false);
    a.inv_freq = *inv_freq;
    return build_attention(b, &a);
}

static bool is_sparse(const builder *b)
{
    const json_t *plain = json_object_get(b->json, "mlp_only_layers");
    for (size_t i = 0; i < json_array_size(plain); i++)
        if (json_integer_value(json_array_get(plain, i)) == b->layer) return false;
    return (b->layer + 1) % count(b, "decoder_sparse_step", 1) == 0;
}

/* The shared expert under its gate. */
static node *shared(builder *b, node *x)
{
    int64_t d = b->c->d_model, n = count(b, "shared_expert_intermediate_size", 5632);
    node *w_gate = decoder_weight(b, n, d, "mlp.shared_expert.gate_proj"),
         *w_up = decoder_weight(b, n, d, "mlp.shared_expert.up_proj"),
         *w_down = decoder_weight(b, d, n, "mlp.shared_expert.down_proj"),
         *w_share = decoder_weight(b, 1, d, "mlp.shared_expert_gate");
    node *gate = build_linear(b, x, w_gate, NULL, OUT_IN, 0, n, 1),
         *up = build_linear(b, x, w_up, NULL, OUT_IN, 0, n, 1);
    build_site(b, graph_axes(gate, "neuron", ""), "mlp.shared_gate");
    build_site(b, graph_axes(up, "neuron", ""), "mlp.shared_up");
    node *post = op_multiply(b->g, build_activation(b, gate), up);
    build_site(b, graph_axes(post, "neuron", ""), "mlp.shared_post");
    node *out = build_linear(b, post, w_down, NULL, OUT_IN, 0, 1, d);
    build_site(b, graph_axes(out, "", "d_model"), "mlp.shared_out");
    node *share = build_linear(b, x, w_share, NULL, OUT_IN, 0, 1, 1);
    build_site(b, graph_axes(share, "", ""), "mlp.shared_gate_logit");
    return op_sigmoid_gate(b->g, out, share);
}

static node *mixture(builder *b, node *x)
{
    experts e = { .d_expert = count(b, "moe_intermediate_size", 1408),
                  .norm = flag(b, "norm_topk_prob", false),
                  .router = "mlp.gate",
                  .expert = "mlp.experts",
                  .name = { "gate_proj", "up_proj", "down_proj" } };
    node *routed = build_experts(b, x, &e);
    node *out = graph_axes(op_add(b->g, routed, shared(b, x)), "", "d_model");
    return build_experts_out(b, x, out);
}

static node *feed_forward(builder *b, node *x)
{
    if (is_sparse(b)) return mixture(b, x);
    mlp p = decoder_mlp(b, false);
    return build_mlp(b, x, &p);
}

static const decoder_parts PARTS = { .attend = attend, .feed_forward = feed_forward };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_qwen2_moe_def = {
    .name = "qwen2_moe",
    .says = "Qwen2-MoE: Qwen2 with a mixture of experts and a shared one",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
