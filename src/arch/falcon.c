/* arch: falcon -- Falcon 7B, RW, 40B, 180B, 11B: one key head, groups, or as many as query heads; rotary or slopes.
 *
 *     parallel_attn    x' = x + attn(n) + mlp(n),  n = ln_1(x)
 *     else             x' = x_mid + mlp(ln_2(x_mid)),  x_mid = x + attn(ln_1(x))
 *     new decoder      x' = x + attn(ln_1(x)) + mlp(ln_2(x))       40B, 180B: ln_attn, ln_mlp
 *                      x' = x + attn(n) + mlp(n)                    11B: num_ln_in_parallel_attn is 1
 *
 *     attn(n)  = sum_h softmax(rot(q_h) rot(k)' / sqrt(d_head)) v W_O[h] + b_O
 *     alibi    = sum_h softmax((q_h k_h' + half(slope_h key)) / sqrt(d_head)) v_h W_O[h] + b_O
 *     mlp(m)   = act(m W_1 + b_1) W_2 + b_2
 *     logits   = ln_f(x) W_U'                               W_U = W_E when tied
 *
 * Weights are [out, in].  query_key_value's rows are [q heads, k, v] with multi_query, else [head, (q, k, v), d_head]; of the
 * new decoder [key head, (its queries, k, v), d_head], num_kv_heads of them, whatever multi_query says.  Slopes, and slopes
 * times keys, are rounded to bfloat16: that is the model.
 */
#include "model/decoder.h"
#include "ops.gen.h"
#include <math.h>

static const config_key KEYS[] = {
    DECODER_KEYS,
    { "activation", KEY_READ, NULL },
    { "alibi", KEY_READ, NULL },
    { "bias", KEY_READ, NULL },
    { "layer_norm_epsilon", KEY_READ, NULL },
    { "multi_query", KEY_READ, NULL },
    { "parallel_attn", KEY_READ, NULL },
    { "ffn_hidden_size", KEY_ALIAS, "intermediate_size" },
    { "n_head", KEY_ALIAS, "num_attention_heads" },
    { "n_layer", KEY_ALIAS, "num_hidden_layers" },
    { "new_decoder_architecture", KEY_READ, NULL },
    { "num_kv_heads", KEY_READ, NULL }, /* of the new decoder; else multi_query says it */
    { "num_ln_in_parallel_attn", KEY_READ, NULL },
    { "apply_residual_connection_post_layernorm", KEY_SAYS, NULL },
    { "ff_factor", KEY_SAYS, NULL }, /* ffn_hidden_size says it */
    { "hidden_dropout", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "falcon", NULL };
/* Masks and tables that old checkpoints carry. */
static const char *const IGNORED[] = { "transformer.h.*.self_attention.rotary_emb.inv_freq", NULL };

static bool is_new(const builder *b)
{
    return json_is_true(json_object_get(b->json, "new_decoder_architecture"));
}

/* Norms on the stream before a parallel block: two of the new decoder, unless it says one. */
static status configure_norms(builder *b, error *err)
{
    int32_t n;
    status st = config_count(b->json, "num_ln_in_parallel_attn", is_new(b) ? 2 : 1, 2, &n, err);
    if (st == E_OK && n == 2 && !is_new(b))
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'num_ln_in_parallel_attn' is 2 without "
                         "'new_decoder_architecture', which is not built");
    return st;
}

static status configure_heads(builder *b, error *err)
{
    model_config *c = b->c;
    bool one = true;
    if (is_new(b) && !c->parallel)
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'parallel_attn' is false with 'new_decoder_architecture', "
                         "which is not built");
    status st = json_flag(b->json, "multi_query", true, &one, err);
    c->n_kv_head = one ? 1 : c->n_head;
    if (st == E_OK && is_new(b))
        st = config_count(b->json, "num_kv_heads", c->n_head, c->n_head, &c->n_kv_head, err);
    return st;
}

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 32,
                                        .d_model = 4544,
                                        .n_head = 71,
                                        .n_vocab = 65024,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "gelu",
                                        .tied = true,
                                        .eps_key = "layer_norm_epsilon",
                                        .act_key = "activation" };
    model_config *c = b->c;
    bool bias, alibi = false;
    c->norm = "layernorm", b->layers = "transformer.h";
    status st = decoder_configure(b, &d, err);
    if (st == E_OK) st = json_flag(b->json, "bias", false, &bias, err);
    if (st == E_OK) st = json_flag(b->json, "alibi", false, &alibi, err);
    if (st == E_OK) st = json_flag(b->json, "parallel_attn", true, &c->parallel, err);
    if (st == E_OK) st = configure_heads(b, err);
    if (st == E_OK) st = configure_norms(b, err);
    if (alibi) c->position = "alibi";
    return st;
}

static double half(double x)
{
    float f = (float)x;
    char bits[2];
    double y;
    dtype_row_from_f32(DTYPE_BF16, &f, bits, 1);
    dtype_row_f64(DTYPE_BF16, bits, &y, 1);
    return y;
}

/* 2^(-8 i / n), i = 1 .. n, for n a power of two; for others those of the power below, then every other one of
 * the power above (Press et al. 2022, as their code has it). */
static node *slopes(builder *b)
{
    int32_t n = b->c->n_head, below = 1;
    double *f = build_memory(b, n, sizeof *f);
    while (2 * below <= n) below *= 2;
    for (int32_t i = 0; f && i < n; i++)
        f[i] = i < below ? half(exp2(-8.0 * (i + 1) / below))
                         : half(exp2(-4.0 * (2 * (i - below) + 1) / below));
    return f ? build_constant(b, "alibi.slope", f, 1, n) : NULL;
}

static bool has_bias(const builder *b) { return json_is_true(json_object_get(b->json, "bias")); }

/* [q heads, k, v] */
static void one_key(builder *b, node *x, attention *a)
{
    const model_config *c = b->c;
    static const char name[] = "self_attention.query_key_value";
    int64_t d = c->d_head, q = c->n_head * d;
    node *w = decoder_weight(b, q + 2 * d, c->d_model, name);
    node *bias = has_bias(b) ? decoder_bias(b, q + 2 * d, name) : NULL;
    a->q = build_linear(b, x, w, bias, OUT_IN, 0, c->n_head, d);
    a->k = build_linear(b, x, w, bias, OUT_IN, q, 1, d);
    a->v = build_linear(b, x, w, bias, OUT_IN, q + d, 1, d);
}

static node *attend(builder *b, node *x, node *inv_freq, node *slope)
{
    const model_config *c = b->c;
    attention a = { .layout = OUT_IN, .scale = c->score_scale, .inv_freq = inv_freq };
    a.rotary_factor = c->rope_factor;
    a.slope = slope, a.slope_factor = c->score_scale, a.slope_half = true;
    if (c->n_kv_head == 1 && c->n_head > 1 && !is_new(b)) one_key(b, x, &a);
    else decoder_by_head(b, x, "self_attention.query_key_value", has_bias(b), &a);
    a.w_out = decoder_weight(b, c->d_model, (int64_t)c->n_head * c->d_head, "self_attention.dense");
    if (has_bias(b)) a.b_out = decoder_bias(b, c->d_model, "self_attention.dense");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "mlp.dense_h_to_4h", "mlp.dense_4h_to_h", has_bias(b));
    return build_mlp(b, x, &p);
}

static bool has_two_norms(const builder *b)
{
    const json_t *n = json_object_get(b->json, "num_ln_in_parallel_attn");
    return is_new(b) && (!json_is_integer(n) || json_integer_value(n) == 2);
}

static node *block(builder *b, node *x, node *inv_freq, node *slope)
{
    const bool two = has_two_norms(b), parallel = b->c->parallel;
    node *n = decoder_norm(b, x, "ln1", two ? "ln_attn" : "input_layernorm", true);
    node *y = attend(b, n, inv_freq, slope);
    node *mid = parallel ? op_add(b->g, x, y) : build_add(b, x, y, "resid_mid");
    node *m = two        ? decoder_norm(b, x, "ln2", "ln_mlp", true)
              : parallel ? build_view(b, n)
                         : decoder_norm(b, mid, "ln2", "post_attention_layernorm", true);
    return build_add(b, mid, feed_forward(b, m), "resid_post");
}

static void build(builder *b)
{
    bool alibi = json_is_true(json_object_get(b->json, "alibi"));
    node *slope = alibi ? slopes(b) : NULL;
    node *inv_freq = alibi ? NULL : decoder_frequencies(b, "rotary.inv_freq", NULL, 10000, 1);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "transformer.word_embeddings.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        x = block(b, x, inv_freq, slope);
    }
    node *w_u = build_unembed(b, w_e, "transformer.word_embeddings.weight", "lm_head.weight");
    build_logits(b, decoder_final_norm(b, x, "transformer.ln_f"), w_u, NULL, false);
}

const arch_def arch_falcon_def = {
    .name = "falcon",
    .says = "Falcon: LayerNorm, one key head, groups or all, parallel or not, rotary or ALiBi",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "transformer.",
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
