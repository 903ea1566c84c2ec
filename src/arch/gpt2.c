/* arch: gpt2 -- GPT-2, and models of its shape built by hand.
 *
 *     x_0     = W_E[token] + W_pos[position]
 *     x_mid   = x + sum_h softmax(q_h k_h' s) v_h W_O[h] + b_O         q, k, v = ln_1(x) W_QKV + b_QKV
 *     x'      = x_mid + act(ln_2(x_mid) W_fc + b_fc) W_proj + b_proj
 *     logits  = ln_f(x) W_U'                                           W_U = W_E when tied
 *
 * s = 1/sqrt(d_head), times 1/(layer + 1) where config.json says so.  Weights are [in, out]; in minGPT's and
 * makemore's files (model_type "mingpt", "gpt-nano") they are [out, in], and the unembedding is a weight of its own.
 *
 * A model that leaves things out says so in an object of its own in config.json:
 *
 *     "microtome": { "attn_only": true,   no MLPs (and no ln_2)
 *                    "norm": "none",      no norms
 *                    "bias": false,       no biases
 *                    "d_head": 33,        where it is not n_embd / n_head
 *                    "out_in": true }     weights are [out, in], as GGUF files have them */
#include "model/builder.h"
#include "model/config.h"
#include "ops.gen.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const config_key KEYS[] = {
    { "activation_function", KEY_READ, NULL },
    { "layer_norm_epsilon", KEY_READ, NULL },
    { "microtome", KEY_READ, NULL },
    { "n_ctx", KEY_READ, NULL },
    { "n_embd", KEY_READ, NULL },
    { "n_head", KEY_READ, NULL },
    { "n_inner", KEY_READ, NULL },
    { "n_layer", KEY_READ, NULL },
    { "n_positions", KEY_READ, NULL },
    { "scale_attn_by_inverse_layer_idx", KEY_READ, NULL },
    { "scale_attn_weights", KEY_READ, NULL },
    { "block_size", KEY_ALIAS, "n_positions" },
    { "hidden_size", KEY_ALIAS, "n_embd" },
    { "max_position_embeddings", KEY_ALIAS, "n_positions" },
    { "num_attention_heads", KEY_ALIAS, "n_head" },
    { "num_hidden_layers", KEY_ALIAS, "n_layer" },
    { "attn_pdrop", KEY_SAYS, NULL },
    { "embd_pdrop", KEY_SAYS, NULL },
    { "resid_pdrop", KEY_SAYS, NULL },
    { "reorder_and_upcast_attn", KEY_SAYS,
      NULL }, /* how half precision is rounded: nothing here is */
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "gpt2", "mingpt", "gpt-nano", NULL };

/* Causal masks that old checkpoints carry, and the copy of a tied unembedding (compared below). */
static const char *const IGNORED[] = { "transformer.h.*.attn.bias",
                                       "transformer.h.*.attn.masked_bias", NULL };

static bool is_mingpt(const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    return type && strcmp(type, "gpt2");
}

/* minGPT's names are GPT-2's; its weights are turned.  How many heads there are no shape says. */
static json_t *infer(const container *c, const char *path)
{
    (void)path;
    char name[64] = "transformer.h.0.attn.c_attn.weight";
    const tensor_view *e = container_find(c, "transformer.wte.weight"),
                      *p = container_find(c, "transformer.wpe.weight"),
                      *w = container_find(c, name);
    if (!e || !p || !w || e->n_dim != 2 || p->n_dim != 2 || w->n_dim != 2 ||
        w->dim[0] != 3 * w->dim[1])
        return NULL;
    json_int_t n = 0;
    do snprintf(name, sizeof name, "transformer.h.%lld.attn.c_attn.weight", (long long)++n);
    while (container_find(c, name));
    return json_pack("{s:s,s:I,s:I,s:I,s:I}", "model_type", "mingpt", "n_layer", n, "n_embd",
                     (json_int_t)e->dim[1], "vocab_size", (json_int_t)e->dim[0], "n_positions",
                     (json_int_t)p->dim[0]);
}

static bool has_bias(const builder *b)
{
    bool bias;
    return json_flag(json_object_get(b->json, "microtome"), "bias", true, &bias, NULL) == E_OK &&
           bias;
}

static const char *const OWN_KEYS[] = { "attn_only", "norm", "bias", "d_head", "out_in", NULL };

static status configure_own(const json_t *own, model_config *c, error *err)
{
    const char *name, *norm;
    json_t *v;
    bool attn_only, bias, out_in;
    json_object_foreach((json_t *)own, name, v)
    { /* only read */
        int i = 0;
        while (OWN_KEYS[i] && strcmp(OWN_KEYS[i], name)) i++;
        if (!OWN_KEYS[i])
            return error_set(err, E_UNSUPPORTED, "config.json: 'microtome.%s' is not known", name);
    }
    status st = json_flag(own, "attn_only", false, &attn_only, err);
    if (st == E_OK) st = json_flag(own, "bias", true, &bias, err);
    if (st == E_OK) st = json_flag(own, "out_in", false, &out_in, err);
    if (st == E_OK) st = json_text(own, "norm", "layernorm", &norm, err);
    if (st == E_OK) st = config_count(own, "d_head", c->d_head, 1 << 16, &c->d_head, err);
    if (st != E_OK) return st;
    if (strcmp(norm, "none") && strcmp(norm, "layernorm"))
        return error_set(
            err, E_UNSUPPORTED,
            "config.json: 'microtome.norm' is \"%.40s\", expected \"layernorm\" or \"none\"", norm);
    c->norm = !strcmp(norm, "none") ? "none" : "layernorm";
    if (attn_only) c->d_mlp = 0;
    return E_OK;
}

static status configure_scale(builder *b, error *err)
{
    bool scaled;
    status st = json_flag(b->json, "scale_attn_weights", true, &scaled, err);
    if (st == E_OK) b->c->score_scale = scaled ? 1 / sqrt(b->c->d_head) : 1;
    return st;
}

static status configure_sizes(builder *b, error *err)
{
    model_config *c = b->c;
    const json_t *j = b->json;
    int32_t n_ctx;
    status st = config_count(j, "n_layer", 12, 4096, &c->n_layer, err);
    if (st == E_OK) st = config_count(j, "n_embd", 768, 1 << 20, &c->d_model, err);
    if (st == E_OK)
        st = config_count(j, "n_head", is_mingpt(b->json) ? 0 : 12, 1 << 16, &c->n_head, err);
    if (st != E_OK && is_mingpt(b->json)) error_hint(err, "say it: --config '{\"n_head\": 4}'");
    if (st == E_OK) st = config_count(j, "vocab_size", 50257, 1 << 24, &c->n_vocab, err);
    if (st == E_OK) st = config_count(j, "n_positions", 1024, 1 << 24, &c->n_ctx, err);
    if (st == E_OK) st = config_count(j, "n_ctx", c->n_ctx, 1 << 24, &n_ctx, err);
    if (st == E_OK)
        st = config_count(j, "n_inner", 4 * (int64_t)c->d_model, 1 << 24, &c->d_mlp, err);
    if (st != E_OK) return st;
    if (n_ctx != c->n_ctx)
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'n_ctx' is %d and 'n_positions' %d, expected the same",
                         n_ctx, c->n_ctx);
    c->n_kv_head = c->n_head;
    c->d_head = c->d_model / c->n_head;
    const json_t *own = json_object_get(j, "microtome");
    if (!json_object_get(own, "d_head") && c->d_model % c->n_head)
        return error_set(err, E_SHAPE, "config.json: 'n_embd' %d is no multiple of 'n_head' %d",
                         c->d_model, c->n_head);
    if (!own) return E_OK;
    if (!json_is_object(own))
        return error_set(err, E_FORMAT, "config.json: 'microtome' is %s, expected an object",
                         json_kind(own));
    return configure_own(own, c, err);
}

static status configure(builder *b, error *err)
{
    model_config *c = b->c;
    bool unused;
    c->norm = "layernorm", c->position = "learned";
    status st = configure_sizes(b, err);
    if (st == E_OK) st = config_positive(b->json, "layer_norm_epsilon", 1e-5, &c->norm_eps, err);
    if (st == E_OK)
        st = config_activation(b->json, "activation_function", "gelu_new", &c->activation, err);
    if (st == E_OK)
        st = json_flag(b->json, "tie_word_embeddings", !is_mingpt(b->json), &c->tied, err);
    if (st == E_OK) st = json_flag(b->json, "scale_attn_by_inverse_layer_idx", false, &unused, err);
    return st == E_OK ? configure_scale(b, err) : st;
}

/* A weight of block b->layer; a bias, which may be left out. */
static node *weight(builder *b, int64_t n_row, int64_t n_col, const char *name)
{
    return build_weight(b, n_row, n_col, "transformer.h.%d.%s", b->layer, name);
}

static bool by_out(const json_t *config)
{
    return is_mingpt(config) ||
           json_is_true(json_object_get(json_object_get(config, "microtome"), "out_in"));
}

static bool in_out(const json_t *config, const char *weight, bool *here)
{
    bool conv = str_ends(weight, "c_attn.weight") || str_ends(weight, "c_proj.weight") ||
                str_ends(weight, "c_fc.weight");
    *here = conv && !by_out(config);
    return conv;
}

/* Files of other programs as GPT-2's: minGPT's and makemore's have its names, an unembedding of their own, and no BOS. */
static const char *family(json_t *config)
{
    json_t *own = json_object_get(config, "microtome"), *n = json_object_get(config, "block_size");
    if (json_object_size(own) > (size_t)(json_object_get(own, "out_in") != NULL))
        return "it has parts left out (\"microtome\" in its configuration), which GPT-2 cannot say";
    json_object_del(config, "microtome");
    if (!is_mingpt(config)) return NULL;
    json_object_set_new(config, "model_type", json_string("gpt2"));
    if (!json_object_get(config, "tie_word_embeddings"))
        json_object_set_new(config, "tie_word_embeddings", json_false());
    if (n && !json_object_get(config, "n_positions")) json_object_set(config, "n_positions", n);
    json_object_del(config, "block_size");
    json_object_set_new(config, "bos_token_id", json_null());
    json_object_set_new(config, "eos_token_id", json_null());
    return NULL;
}

/* A matrix of it, as it lies. */
static node *matrix(builder *b, int64_t n_in, int64_t n_out, const char *name)
{
    return by_out(b->json) ? weight(b, n_out, n_in, name) : weight(b, n_in, n_out, name);
}

static node *bias(builder *b, int64_t n, const char *name)
{
    return has_bias(b) ? weight(b, 1, n, name) : NULL;
}

static node *norm(builder *b, node *x, const char *ours, const char *theirs)
{
    char name[64], ends[2][64];
    snprintf(name, sizeof name, "blocks.%d.%s", b->layer, ours);
    snprintf(ends[0], sizeof ends[0], "%s.weight", theirs);
    snprintf(ends[1], sizeof ends[1], "%s.bias", theirs);
    if (!strcmp(b->c->norm, "none")) return x;
    node *gain = weight(b, 1, b->c->d_model, ends[0]);
    return build_norm(b, x, gain, bias(b, b->c->d_model, ends[1]), name);
}

static node *attend(builder *b, node *x)
{
    const model_config *c = b->c;
    int64_t h = c->n_head, d = c->d_head, wide = h * d;
    bool by_layer = json_is_true(json_object_get(b->json, "scale_attn_by_inverse_layer_idx"));
    int layout = by_out(b->json) ? OUT_IN : IN_OUT;
    node *w = matrix(b, c->d_model, 3 * wide, "attn.c_attn.weight"); /* q, k, v side by side */
    node *v = bias(b, 3 * wide, "attn.c_attn.bias");
    attention a = { .layout = layout, .scale = c->score_scale / (by_layer ? b->layer + 1 : 1) };
    a.q = build_linear(b, x, w, v, layout, 0, h, d);
    a.k = build_linear(b, x, w, v, layout, wide, h, d);
    a.v = build_linear(b, x, w, v, layout, 2 * wide, h, d);
    a.w_out = matrix(b, wide, c->d_model, "attn.c_proj.weight");
    a.b_out = bias(b, c->d_model, "attn.c_proj.bias");
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    const model_config *c = b->c;
    mlp p = { .layout = by_out(b->json) ? OUT_IN : IN_OUT,
              .x_is_stream = !strcmp(c->norm, "none") };
    p.w_in = matrix(b, c->d_model, c->d_mlp, "mlp.c_fc.weight");
    p.b_in = bias(b, c->d_mlp, "mlp.c_fc.bias");
    p.w_out = matrix(b, c->d_mlp, c->d_model, "mlp.c_proj.weight");
    p.b_out = bias(b, c->d_model, "mlp.c_proj.bias");
    return build_mlp(b, x, &p);
}

static node *final_norm(builder *b, node *x)
{
    int64_t d = b->c->d_model;
    if (!strcmp(b->c->norm, "none")) return x;
    node *gain = build_weight(b, 1, d, "transformer.ln_f.weight");
    return build_norm(b, x, gain,
                      has_bias(b) ? build_weight(b, 1, d, "transformer.ln_f.bias") : NULL,
                      "ln_final");
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
        x = build_add(b, x, attend(b, norm(b, x, "ln1", "ln_1")),
                      c->d_mlp ? "resid_mid" : "resid_post");
        if (!c->d_mlp) continue;
        x = build_add(b, x, feed_forward(b, norm(b, x, "ln2", "ln_2")), "resid_post");
    }
    node *w_u = build_unembed(b, w_e, "transformer.wte.weight", "lm_head.weight");
    build_logits(b, final_norm(b, x), w_u, NULL, !strcmp(c->norm, "none"));
}

const arch_def arch_gpt2_def = {
    .name = "gpt2",
    .says = "GPT-2: learned positions, LayerNorm before, fused q k v, weights [in, out]",
    .model_type = TYPES,
    .key = KEYS,
    .prefix = "transformer.",
    .ignored = IGNORED,
    .infer = infer,
    .in_out = in_out,
    .family = family,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
