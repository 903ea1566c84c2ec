/* arch: bloom -- BLOOM: positions as slopes on the scores, a norm after the embedding.
 *
 *     x_0     = ln_e(W_E[token])
 *     x_mid   = x + sum_h softmax(q_h k_h' / sqrt(d_head) + slope_h key) v_h W_O[h] + b_O    q, k, v of n = ln_1(x)
 *     x'      = x_mid + gelu(ln_2(x_mid) W_1 + b_1) W_2 + b_2
 *     logits  = ln_f(x) W_E'
 *
 * gelu is the tanh form.  Weights are [out, in]; query_key_value's rows are [head, (q, k, v), d_head].  No table of positions
 * ends the prompt: n_ctx is what the models were trained on (seq_length, else 2048).
 */
#include "model/decoder.h"
#include <math.h>

static const config_key KEYS[] = {
    { "hidden_size", KEY_READ, NULL },
    { "layer_norm_epsilon", KEY_READ, NULL },
    { "num_attention_heads", KEY_READ, NULL },
    { "num_hidden_layers", KEY_READ, NULL },
    { "max_position_embeddings", KEY_READ, NULL },
    { "n_embed", KEY_ALIAS, "hidden_size" },
    { "n_head", KEY_ALIAS, "num_attention_heads" },
    { "n_layer", KEY_ALIAS, "num_hidden_layers" },
    { "seq_length", KEY_ALIAS, "max_position_embeddings" },
    { "apply_residual_connection_post_layernorm", KEY_MUST, "false" },
    { "attention_dropout", KEY_SAYS, NULL },
    { "attention_softmax_in_fp32", KEY_SAYS, NULL },
    { "bias_dropout_fusion", KEY_SAYS, NULL },
    { "hidden_dropout", KEY_SAYS, NULL },
    { "masked_softmax_fusion", KEY_SAYS, NULL },
    { "offset_alibi", KEY_SAYS, NULL },
    { "pretraining_tp", KEY_SAYS, NULL },
    { "skip_bias_add", KEY_SAYS, NULL },
    { "skip_bias_add_qkv", KEY_SAYS, NULL },
    { "slow_but_exact", KEY_SAYS, NULL },
    { "unk_token_id", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "bloom", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 2,
                                        .d_model = 64,
                                        .n_head = 8,
                                        .n_vocab = 250880,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "gelu_new",
                                        .tied = true,
                                        .eps_key = "layer_norm_epsilon",
                                        .act_key = "hidden_act" };
    b->c->norm = "layernorm", b->layers = "transformer.h";
    status st = decoder_configure(b, &d, err);
    b->c->position = "alibi";
    return st;
}

/* 2^(-8 i / n), i = 1 .. n, for n a power of two; for others those of the power below, then every other one of
 * the power above (Press et al. 2022, as their code has it). */
static node *slopes(builder *b)
{
    int32_t n = b->c->n_head, below = 1;
    double *f = build_memory(b, n, sizeof *f);
    while (2 * below <= n) below *= 2;
    for (int32_t i = 0; f && i < n; i++)
        f[i] =
            i < below ? exp2(-8.0 * (i + 1) / below) : exp2(-4.0 * (2 * (i - below) + 1) / below);
    return f ? build_constant(b, "alibi.slope", f, 1, n) : NULL;
}

static node *attend(builder *b, node *x, node *slope)
{
    const model_config *c = b->c;
    attention a = { .layout = OUT_IN, .scale = c->score_scale };
    a.slope = slope, a.slope_factor = 1;
    decoder_by_head(b, x, "self_attention.query_key_value", true, &a);
    a.w_out = decoder_weight(b, c->d_model, (int64_t)c->n_head * c->d_head, "self_attention.dense");
    a.b_out = decoder_bias(b, c->d_model, "self_attention.dense");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h", true);
    return build_mlp(b, x, &p);
}

static node *embed_norm(builder *b, node *x)
{
    node *gain = build_weight(b, 1, b->c->d_model, "transformer.word_embeddings_layernorm.weight");
    node *bias = build_weight(b, 1, b->c->d_model, "transformer.word_embeddings_layernorm.bias");
    return build_norm(b, x, gain, bias, "embed_ln");
}

static void build(builder *b)
{
    node *slope = slopes(b);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "transformer.word_embeddings.weight");
    node *x = embed_norm(b, build_embed(b, w_e));
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        node *n = decoder_norm(b, x, "ln1", "input_layernorm", true);
        x = build_add(b, x, attend(b, n, slope), "resid_mid");
        n = decoder_norm(b, x, "ln2", "post_attention_layernorm", true);
        x = build_add(b, x, feed_forward(b, n), "resid_post");
    }
    node *w_u = build_unembed(b, w_e, "transformer.word_embeddings.weight", "lm_head.weight");
    build_logits(b, decoder_final_norm(b, x, "transformer.ln_f"), w_u, NULL, false);
}

const arch_def arch_bloom_def = {
    .name = "bloom",
    .says = "BLOOM: ALiBi, a norm after the embedding, q k v fused by head",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "transformer.",
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
