/* arch: gptj -- GPT-J: attention and MLP beside each other, one norm for both, neighbours turn.
 *
 *     x'      = x + sum_h softmax(rot(q_h) rot(k_h)' / sqrt(d_head)) v_h W_O[h] + act(n W_1 + b_1) W_2 + b_2
 *                                                           q, k, v = n W_q ...;  n = ln_1(x)
 *     logits  = ln_f(x) W_U' + b_U
 *
 * The first rotary_dim of a head's dimensions turn (null: all), as pairs (2i, 2i + 1).  Weights are [out, in].
 */
#include "model/decoder.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    DECODER_SIZES,
    { "n_embd", KEY_ALIAS, "hidden_size" },
    { "n_inner", KEY_ALIAS, "intermediate_size" },
    { "n_positions", KEY_ALIAS, "max_position_embeddings" },
    { "n_head", KEY_ALIAS, "num_attention_heads" },
    { "n_layer", KEY_ALIAS, "num_hidden_layers" },
    { "activation_function", KEY_READ, NULL },
    { "layer_norm_epsilon", KEY_READ, NULL },
    { "rotary_dim", KEY_READ, NULL },
    { "attn_pdrop", KEY_SAYS, NULL },
    { "embd_pdrop", KEY_SAYS, NULL },
    { "resid_pdrop", KEY_SAYS, NULL },
    { "rotary", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "gptj", NULL };
/* Masks and tables that old checkpoints carry. */
static const char *const IGNORED[] = { "transformer.h.*.attn.bias",
                                       "transformer.h.*.attn.masked_bias",
                                       "transformer.h.*.attn.embed_positions", NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 28,
                                        .d_model = 4096,
                                        .n_head = 16,
                                        .n_vocab = 50400,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "gelu_new",
                                        .eps_key = "layer_norm_epsilon",
                                        .act_key = "activation_function" };
    model_config *c = b->c;
    c->norm = "layernorm", c->parallel = true, b->layers = "transformer.h";
    status st = decoder_configure(b, &d, err);
    const json_t *rot = json_object_get(b->json, "rotary_dim");
    int64_t absent = rot && json_is_null(rot) ? c->d_head : 64;
    if (st == E_OK) st = config_count(b->json, "rotary_dim", absent, 1 << 16, &c->n_rot, err);
    if (st == E_OK && (c->n_rot > c->d_head || c->n_rot % 2))
        return error_set(err, E_SHAPE,
                         "config.json: 'rotary_dim' is %d, expected an even number up to %d",
                         c->n_rot, c->d_head);
    c->rope_theta = 10000, c->rope_factor = 1, c->rope_scaling = "default";
    return st;
}

static node *attend(builder *b, node *x, node *inv_freq)
{
    static const char *const name[] = { "attn.q_proj", "attn.k_proj", "attn.v_proj",
                                        "attn.out_proj" };
    attention a = decoder_attention_of(b, x, name, false, false);
    a.inv_freq = inv_freq, a.rotary_style = 1;
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "mlp.fc_in", "mlp.fc_out", true);
    return build_mlp(b, build_view(b, x), &p);
}

static node *frequencies(builder *b)
{
    double *f = build_memory(b, b->c->n_rot, sizeof *f);
    if (!f) return NULL;
    config_frequencies(b->c->rope_theta, b->c->n_rot, f);
    return build_constant(b, "rotary.inv_freq", f, 2, b->c->n_rot / 2);
}

static void build(builder *b)
{
    node *inv_freq = frequencies(b);
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "transformer.wte.weight");
    node *x = build_embed(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        node *n = decoder_norm(b, x, "ln1", "ln_1", true);
        x = op_add(b->g, x, attend(b, n, inv_freq));
        x = build_add(b, x, feed_forward(b, n), "resid_post");
    }
    x = decoder_final_norm(b, x, "transformer.ln_f");
    node *w_u = build_unembed(b, w_e, "transformer.wte.weight", "lm_head.weight");
    build_logits(b, x, w_u, build_weight(b, 1, b->c->n_vocab, "lm_head.bias"), false);
}

const arch_def arch_gptj_def = {
    .name = "gptj",
    .says = "GPT-J: parallel attention and MLP on one LayerNorm, neighbours rotated",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "transformer.",
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
