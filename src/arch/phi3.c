/* arch: phi3 -- Phi-3: Mistral's block, with q, k, v in one matrix and gate, up in one.
 *
 *     x_mid   = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head), keys i - w + 1 .. i) v_g W_O[h]
 *                                                           [q heads, k heads, v heads] = n W_qkv;  n = rms(x) w_1
 *     x'      = x_mid + (act(gate) * up) W_down                [gate, up] = m W_gu;  m = rms(x_mid) w_2
 *     logits  = rms(x) w_f W_U'
 *
 * Weights are [out, in].  sliding_window absent or null is none.  partial_rotary_factor: only the first part of a head
 * turns (Phi-4-mini). */
#include "model/decoder.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "hidden_act", KEY_READ, NULL },
    { "partial_rotary_factor", KEY_READ, NULL },
    { "rms_norm_eps", KEY_READ, NULL },
    { "sliding_window", KEY_READ, NULL },
    { "embd_pdrop", KEY_SAYS, NULL },
    { "original_max_position_embeddings", KEY_SAYS, NULL }, /* of longrope, which is not built */
    { "resid_pdrop", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "phi3", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 3072,
                                        .n_head = 32,
                                        .d_mlp = 8192,
                                        .n_vocab = 32064,
                                        .n_ctx = 4096,
                                        .eps = 1e-5,
                                        .eps_key = "rms_norm_eps",
                                        .act_key = "hidden_act",
                                        .act = "silu" };
    b->c->norm = "rmsnorm", b->c->gated = true;
    status st = decoder_configure(b, &d, err);
    return st == E_OK ? decoder_windows(b, err) : st;
}

static node *attend(builder *b, node *x, node *const *inv_freq)
{
    const model_config *c = b->c;
    int64_t d = c->d_head, q = c->n_head * d, kv = c->n_kv_head * d;
    node *w = decoder_weight(b, q + 2 * kv, c->d_model, "self_attn.qkv_proj");
    attention a = { .layout = OUT_IN, .scale = c->score_scale, .inv_freq = *inv_freq };
    a.rotary_factor = c->rope_factor;
    a.window = decoder_window(b, b->layer, NULL, 0);
    a.q = build_linear(b, x, w, NULL, OUT_IN, 0, c->n_head, d);
    a.k = build_linear(b, x, w, NULL, OUT_IN, q, c->n_kv_head, d);
    a.v = build_linear(b, x, w, NULL, OUT_IN, q + kv, c->n_kv_head, d);
    a.w_out = decoder_weight(b, c->d_model, q, "self_attn.o_proj");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = { .layout = OUT_IN, .up_first = b->c->d_mlp };
    p.w_in = p.w_up =
        decoder_weight(b, 2 * (int64_t)b->c->d_mlp, b->c->d_model, "mlp.gate_up_proj");
    p.w_out = decoder_weight(b, b->c->d_model, b->c->d_mlp, "mlp.down_proj");
    return build_mlp(b, x, &p);
}

static const decoder_parts PARTS = { .attend = attend, .feed_forward = feed_forward };

static void build(builder *b) { decoder_build(b, NULL, &PARTS); }

const arch_def arch_phi3_def = {
    .name = "phi3",
    .says = "Phi-3: Llama's block with fused q k v and gate up, and a sliding window",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
