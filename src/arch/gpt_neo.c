/* arch: gpt_neo -- GPT-Neo: scores not scaled, every other layer sees a window.
 *
 *     x_0     = W_E[token] + W_pos[position]
 *     x_mid   = x + sum_h softmax(q_h k_h', local layers: keys i - w + 1 .. i) v_h W_O[h] + b_O
 *                                                           q, k, v = n W_q ...;  n = ln_1(x)
 *     x'      = x_mid + act(ln_2(x_mid) W_1 + b_1) W_2 + b_2
 *     logits  = ln_f(x) W_U'                                W_U = W_E when tied
 *
 * attention_types is run-length coded: [[[kinds], times] ...]; attention_layers is the same written out and is what
 * is used where it is there.  Weights are [out, in].
 */
#include "model/decoder.h"
#include "ops.gen.h"
#include <string.h>

static const config_key KEYS[] = {
    DECODER_SIZES,
    { "num_heads", KEY_ALIAS, "num_attention_heads" },
    { "num_layers", KEY_ALIAS, "num_hidden_layers" },
    { "activation_function", KEY_READ, NULL },
    { "attention_layers", KEY_READ, NULL },
    { "attention_types", KEY_READ, NULL },
    { "layer_norm_epsilon", KEY_READ, NULL },
    { "window_size", KEY_READ, NULL },
    { "embed_dropout", KEY_SAYS, NULL },
    { "resid_dropout", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "gpt_neo", NULL };
/* Masks and tables that old checkpoints carry. */
static const char *const IGNORED[] = { "transformer.h.*.attn.attention.bias",
                                       "transformer.h.*.attn.attention.masked_bias", NULL };

/* What layer i is, from attention_layers or attention_types (absent: global and local in turn); NULL: neither says. */
static const char *kind_of(const builder *b, int64_t layer)
{
    const json_t *list = json_object_get(b->json, "attention_layers"),
                 *runs = json_object_get(b->json, "attention_types");
    if (json_is_array(list)) return json_string_value(json_array_get(list, (size_t)layer));
    if (!json_is_array(runs)) return layer % 2 ? "local" : "global";
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i), *kinds = json_array_get(run, 0);
        int64_t n = (int64_t)json_array_size(kinds),
                times = json_integer_value(json_array_get(run, 1));
        if (n < 1 || times < 1 || times > 4096) return NULL;
        if (layer < n * times) return json_string_value(json_array_get(kinds, (size_t)(layer % n)));
        layer -= n * times;
    }
    return NULL;
}

static status check_kinds(const builder *b, error *err)
{
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        const char *kind = kind_of(b, i);
        if (!kind || (strcmp(kind, "global") && strcmp(kind, "local")))
            return error_set(err, E_FORMAT,
                             "config.json: attention of layer %d is \"%.40s\", expected "
                             "\"global\" or \"local\"",
                             i, kind ? kind : "not given");
    }
    return E_OK;
}

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 24,
                                        .d_model = 2048,
                                        .n_head = 16,
                                        .n_vocab = 50257,
                                        .n_ctx = 2048,
                                        .eps = 1e-5,
                                        .act = "gelu_new",
                                        .tied = true,
                                        .eps_key = "layer_norm_epsilon",
                                        .act_key = "activation_function" };
    int32_t window;
    b->c->norm = "layernorm", b->layers = "transformer.h";
    status st = decoder_configure(b, &d, err);
    b->c->position = "learned", b->c->score_scale = 1;
    if (st == E_OK) st = config_count(b->json, "window_size", 256, 1 << 24, &window, err);
    return st == E_OK ? check_kinds(b, err) : st;
}

static node *attend(builder *b, node *x)
{
    static const char *const name[] = { "attn.attention.q_proj", "attn.attention.k_proj",
                                        "attn.attention.v_proj", "attn.attention.out_proj" };
    attention a = decoder_attention_of(b, x, name, false, true);
    if (!strcmp(kind_of(b, b->layer), "local"))
        config_count(b->json, "window_size", 256, 1 << 24, &a.window, NULL); /* seen above */
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "mlp.c_fc", "mlp.c_proj", true);
    return build_mlp(b, x, &p);
}

static void build(builder *b)
{
    const model_config *c = b->c;
    node *w_e = build_weight(b, c->n_vocab, c->d_model, "transformer.wte.weight");
    node *w_p = build_weight(b, c->n_ctx, c->d_model, "transformer.wpe.weight");
    node *e = build_embed(b, w_e), *p = build_pos_embed(b, w_p, 0);
    node *x = graph_axes(op_add(b->g, e, p), "", "d_model");
    for (int32_t i = 0; i < c->n_layer; i++) {
        build_block(b, i, x);
        x = build_add(b, x, attend(b, decoder_norm(b, x, "ln1", "ln_1", true)), "resid_mid");
        x = build_add(b, x, feed_forward(b, decoder_norm(b, x, "ln2", "ln_2", true)), "resid_post");
    }
    node *w_u = build_unembed(b, w_e, "transformer.wte.weight", "lm_head.weight");
    build_logits(b, decoder_final_norm(b, x, "transformer.ln_f"), w_u, NULL, false);
}

const arch_def arch_gpt_neo_def = {
    .name = "gpt_neo",
    .says = "GPT-Neo: learned positions, unscaled scores, local layers",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "transformer.",
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
