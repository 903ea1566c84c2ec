/* arch: gpt_neox -- GPT-NeoX, Pythia: attention and MLP beside each other or one after the other.
 *
 *     parallel     x' = x + attn(ln_1(x)) + mlp(ln_2(x))
 *     sequential   x' = x_mid + mlp(ln_2(x_mid)),  x_mid = x + attn(ln_1(x))
 *
 *     attn(n)  = sum_h softmax(rot(q_h) rot(k_h)' / sqrt(d_head)) v_h W_O[h] + b_O
 *     mlp(m)   = act(m W_1 + b_1) W_2 + b_2
 *     logits   = ln_f(x) W_U'
 *
 * Weights are [out, in]; query_key_value's rows are [head, (q, k, v), d_head].  The first rotary_pct of a head's
 * dimensions turn, in halves.
 */
#include "model/decoder.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "attention_bias", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "layer_norm_eps", KEY_READ, NULL },
    { "partial_rotary_factor", KEY_READ, NULL },
    { "use_parallel_residual", KEY_READ, NULL },
    { "rotary_pct", KEY_ALIAS, "partial_rotary_factor" },
    { "rotary_emb_base", KEY_ALIAS, "rope_theta" },
    { "hidden_dropout", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "gpt_neox", NULL };
/* Masks and tables that old checkpoints carry. */
static const char *const IGNORED[] = { "gpt_neox.layers.*.attention.bias",
                                       "gpt_neox.layers.*.attention.masked_bias",
                                       "gpt_neox.layers.*.attention.rotary_emb.inv_freq", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 44,
                                        .d_model = 6144,
                                        .n_head = 64,
                                        .d_mlp = 24576,
                                        .n_vocab = 50432,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "gelu",
                                        .eps_key = "layer_norm_eps",
                                        .act_key = "hidden_act" };
    bool bias;
    b->c->norm = "layernorm", b->layers = "gpt_neox.layers";
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = json_flag(b->json, "attention_bias", true, &bias, err);
    if (st == E_OK) st = json_flag(b->json, "use_parallel_residual", true, &b->c->parallel, err);
    return st;
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    const model_config *c = b->c;
    bool bias = !json_is_false(json_object_get(b->json, "attention_bias"));
    attention a = { .layout = OUT_IN, .scale = c->score_scale, .inv_freq = inv_freq };
    a.rotary_factor = c->rope_factor;
    decoder_by_head(b, x, "attention.query_key_value", bias, &a);
    a.w_out = decoder_weight(b, c->d_model, (int64_t)c->n_head * c->d_head, "attention.dense");
    if (bias) a.b_out = decoder_bias(b, c->d_model, "attention.dense");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h", true);
    return build_mlp(b, x, &p);
}

static node *block(builder *b, node *x, node *inv_freq)
{
    node *y = attend(b, decoder_norm(b, x, "ln1", "input_layernorm", true), inv_freq);
    node *mid = b->c->parallel ? op_add(b->g, x, y) : build_add(b, x, y, "resid_mid");
    node *m = decoder_norm(b, b->c->parallel ? x : mid, "ln2", "post_attention_layernorm", true);
    return build_add(b, mid, feed_forward(b, m), "resid_post");
}

static void build(builder *b)
{
    node *inv_freq = decoder_frequencies(b, "rotary.inv_freq", NULL, 10000, 0.25);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "gpt_neox.embed_in.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        x = block(b, x, inv_freq);
    }
    x = decoder_final_norm(b, x, "gpt_neox.final_layer_norm");
    node *w_u = build_unembed(b, w_e, "gpt_neox.embed_in.weight", "embed_out.weight");
    build_logits(b, x, w_u, NULL, false);
}

const arch_def arch_gpt_neox_def = {
    .name = "gpt_neox",
    .says = "GPT-NeoX, Pythia: LayerNorm, partly rotary, q k v fused by head, parallel or not",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "gpt_neox.",
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
