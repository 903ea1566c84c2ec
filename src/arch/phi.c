/* arch: phi -- Phi 1 to 2: attention and MLP beside each other, one norm for both, part of each head turns.
 *
 *     x'      = x + sum_h softmax(rot(q_h) rot(k_g)' / sqrt(d_head)) v_g W_O[h] + b_O + act(n W_1 + b_1) W_2 + b_2
 *                                                           q, k, v = n W_q + b_q ...;  n = ln_1(x)
 *     logits  = ln_f(x) W_U' + b_U
 *
 * The first partial_rotary_factor of a head's dimensions turn, in halves.  Weights are [out, in].
 */
#include "model/decoder.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "hidden_act", KEY_READ, NULL },
    { "layer_norm_eps", KEY_READ, NULL },
    { "partial_rotary_factor", KEY_READ, NULL },
    { "embd_pdrop", KEY_SAYS, NULL },
    { "resid_pdrop", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "phi", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 24,
                                        .d_model = 2048,
                                        .n_head = 32,
                                        .d_mlp = 8192,
                                        .n_vocab = 51200,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "gelu_new",
                                        .eps_key = "layer_norm_eps",
                                        .act_key = "hidden_act" };
    b->c->norm = "layernorm", b->c->parallel = true;
    return decoder_configure(b, &d, err);
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    static const char *const name[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                        "self_attn.dense" };
    attention a = decoder_attention_of(b, x, name, true, true);
    a.inv_freq = inv_freq;
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "mlp.fc1", "mlp.fc2", true);
    return build_mlp(b, build_view(b, x), &p);
}

static void build(builder *b)
{
    node *inv_freq = decoder_frequencies(b, "rotary.inv_freq", NULL, 10000, 0.5);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "model.embed_tokens.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        node *n = decoder_norm(b, x, "ln1", "input_layernorm", true);
        x = op_add(b->g, x, attend(b, n, inv_freq));
        x = build_add(b, x, feed_forward(b, n), "resid_post");
    }
    x = decoder_final_norm(b, x, "model.final_layernorm");
    node *w_u = build_unembed(b, w_e, "model.embed_tokens.weight", "lm_head.weight");
    build_logits(b, x, w_u, build_weight(b, 1, b->c->n_vocab, "lm_head.bias"), false);
}

const arch_def arch_phi_def = {
    .name = "phi",
    .says = "Phi: parallel attention and MLP on one LayerNorm, partly rotary",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "model.",
    .ignored = decoder_ignored,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
