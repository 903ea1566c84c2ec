/* decoder -- see decoder.h. */
#include "model/decoder.h"
#include "ops.gen.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *const decoder_ignored[] = { "model.layers.*.self_attn.rotary_emb.inv_freq", NULL };

static status sizes(builder *b, const decoder_defaults *d, error *err)
{
    model_config *c = b->c;
    const json_t *j = b->json;
    status st = config_count(j, "num_hidden_layers", d->n_layer, 4096, &c->n_layer, err);
    if (st == E_OK) st = config_count(j, "hidden_size", d->d_model, 1 << 20, &c->d_model, err);
    if (st == E_OK)
        st = config_count(j, "num_attention_heads", d->n_head, 1 << 16, &c->n_head, err);
    if (st == E_OK)
        st = config_count(j, "num_key_value_heads", d->n_kv_head ? d->n_kv_head : c->n_head,
                          1 << 16, &c->n_kv_head, err);
    if (st == E_OK)
        st = config_count(j, "intermediate_size", d->d_mlp ? d->d_mlp : 4 * (int64_t)c->d_model,
                          1 << 24, &c->d_mlp, err);
    if (st == E_OK) st = config_count(j, "vocab_size", d->n_vocab, 1 << 24, &c->n_vocab, err);
    if (st == E_OK)
        st = config_count(j, "max_position_embeddings", d->n_ctx, 1 << 24, &c->n_ctx, err);
    if (st == E_OK)
        st = config_count(j, "head_dim", d->d_head ? d->d_head : c->d_model / c->n_head, 1 << 16,
                          &c->d_head, err);
    if (st != E_OK) return st;
    const json_t *given = json_object_get(j, "head_dim");
    if (!d->d_head && (!given || json_is_null(given)) && c->d_model % c->n_head)
        return error_set(err, E_SHAPE,
                         "config.json: 'hidden_size' %d is no multiple of 'num_attention_heads' "
                         "%d, and there is no 'head_dim'",
                         c->d_model, c->n_head);
    return E_OK;
}

status decoder_configure(builder *b, const decoder_defaults *d, error *err)
{
    model_config *c = b->c;
    c->position = "rotary";
    status st = sizes(b, d, err);
    if (st == E_OK) st = config_positive(b->json, d->eps_key, d->eps, &c->norm_eps, err);
    if (st == E_OK) st = config_activation(b->json, d->act_key, d->act, &c->activation, err);
    if (st == E_OK) st = json_flag(b->json, "tie_word_embeddings", d->tied, &c->tied, err);
    if (st == E_OK) c->score_scale = 1 / sqrt(c->d_head);
    return st;
}

/* ---- layers that slide ---- */

static status check_types(const builder *b, const json_t *types, error *err)
{
    if (!json_is_array(types) || json_array_size(types) != (size_t)b->c->n_layer)
        return error_set(err, E_FORMAT,
                         "config.json: 'layer_types' is %s of %zu, expected a list of %d",
                         json_kind(types), json_array_size(types), b->c->n_layer);
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *s = json_string_value(json_array_get(types, i));
        if (!s || (strcmp(s, "full_attention") && strcmp(s, "sliding_attention")))
            return error_set(err, E_UNSUPPORTED,
                             "config.json: 'layer_types' has \"%.40s\", expected full_attention or "
                             "sliding_attention",
                             s ? s : json_kind(json_array_get(types, i)));
    }
    return E_OK;
}

status decoder_windows(builder *b, error *err)
{
    int32_t unused;
    const json_t *types = json_object_get(b->json, "layer_types");
    status st = types && !json_is_null(types) ? check_types(b, types, err) : E_OK;
    return st == E_OK ? config_count(b->json, "sliding_window", 1, 1 << 30, &unused, err) : st;
}

int32_t decoder_window(const builder *b, int32_t layer, bool (*otherwise)(const builder *, int32_t),
                       int32_t absent)
{
    const json_t *types = json_object_get(b->json, "layer_types"),
                 *given = json_object_get(b->json, "sliding_window");
    int32_t window = given ? (int32_t)json_integer_value(given) : absent; /* null: 0 */
    if (!window) return 0;
    bool slides = !otherwise || otherwise(b, layer);
    if (types && !json_is_null(types))
        slides =
            !strcmp(json_string_value(json_array_get(types, (size_t)layer)), "sliding_attention");
    return slides ? window : 0;
}

static bool late(const builder *b, int32_t layer)
{
    const json_t *first = json_object_get(b->json, "max_window_layers");
    return layer >= (json_is_integer(first) ? json_integer_value(first) : 28);
}

status decoder_late_windows(builder *b, error *err)
{
    bool slides;
    int32_t first;
    status st = decoder_windows(b, err);
    if (st == E_OK) st = json_flag(b->json, "use_sliding_window", false, &slides, err);
    if (st != E_OK || !slides) return st;
    return config_count(b->json, "max_window_layers", 28, 1 << 16, &first, err);
}

int32_t decoder_late_window(const builder *b)
{
    if (!json_is_true(json_object_get(b->json, "use_sliding_window"))) return 0;
    return decoder_window(b, b->layer, late, 4096);
}

status decoder_cap(const builder *b, const char *key, double otherwise, double *out, error *err)
{
    const json_t *v = json_object_get(b->json, key);
    *out = 0;
    if (v ? json_is_null(v) : otherwise == 0) return E_OK;
    return config_positive(b->json, key, otherwise, out, err);
}

/* ---- pieces ---- */

static const char *layers(const builder *b) { return b->layers ? b->layers : "model.layers"; }

node *decoder_weight(builder *b, int64_t n_out, int64_t n_in, const char *name)
{
    return build_weight(b, n_out, n_in, "%s.%d.%s.weight", layers(b), b->layer, name);
}

node *decoder_bias(builder *b, int64_t n, const char *name)
{
    return build_weight(b, 1, n, "%s.%d.%s.bias", layers(b), b->layer, name);
}

node *decoder_norm(builder *b, node *x, const char *ours, const char *theirs, bool has_bias)
{
    char name[64];
    int64_t d = b->c->d_model;
    snprintf(name, sizeof name, "blocks.%d.%s", b->layer, ours);
    node *gain = decoder_weight(b, 1, d, theirs);
    return build_norm(b, x, gain, has_bias ? decoder_bias(b, d, theirs) : NULL, name);
}

node *decoder_add_norm(builder *b, node *x, node *y, const char *thing, const char *ours,
                       const char *theirs)
{
    node *sum = graph_axes(op_add(b->g, x, y), "", "d_model");
    return build_site(b, decoder_norm(b, sum, ours, theirs, true), thing);
}

node *decoder_heads(builder *b, node *x, int64_t n, const char *name, bool has_bias)
{
    int64_t wide = n * b->c->d_head;
    node *w = decoder_weight(b, wide, b->c->d_model, name);
    node *bias = has_bias ? decoder_bias(b, wide, name) : NULL;
    return build_linear(b, x, w, bias, OUT_IN, 0, n, b->c->d_head);
}

attention decoder_attention(builder *b, node *x, bool qkv_bias, bool out_bias)
{
    static const char *const name[] = { "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
                                        "self_attn.o_proj" };
    return decoder_attention_of(b, x, name, qkv_bias, out_bias);
}

attention decoder_attention_of(builder *b, node *x, const char *const name[4], bool qkv_bias,
                               bool out_bias)
{
    const model_config *c = b->c;
    attention a = { .layout = OUT_IN, .scale = c->score_scale };
    a.rotary_factor = c->rope_factor;
    a.q = decoder_heads(b, x, c->n_head, name[0], qkv_bias);
    a.k = decoder_heads(b, x, c->n_kv_head, name[1], qkv_bias);
    a.v = decoder_heads(b, x, c->n_kv_head, name[2], qkv_bias);
    a.w_out = decoder_weight(b, c->d_model, (int64_t)c->n_head * c->d_head, name[3]);
    a.b_out = out_bias ? decoder_bias(b, c->d_model, name[3]) : NULL;
    return a;
}

mlp decoder_mlp(builder *b, bool has_bias)
{
    const model_config *c = b->c;
    mlp p = { .layout = OUT_IN };
    p.w_in = decoder_weight(b, c->d_mlp, c->d_model, "mlp.gate_proj");
    p.w_up = decoder_weight(b, c->d_mlp, c->d_model, "mlp.up_proj");
    p.w_out = decoder_weight(b, c->d_model, c->d_mlp, "mlp.down_proj");
    if (!has_bias) return p;
    p.b_in = decoder_bias(b, c->d_mlp, "mlp.gate_proj");
    p.b_up = decoder_bias(b, c->d_mlp, "mlp.up_proj");
    p.b_out = decoder_bias(b, c->d_model, "mlp.down_proj");
    return p;
}

mlp decoder_plain_mlp(builder *b, const char *in, const char *out, bool has_bias)
{
    const model_config *c = b->c;
    mlp p = { .layout = OUT_IN };
    p.w_in = decoder_weight(b, c->d_mlp, c->d_model, in);
    p.w_out = decoder_weight(b, c->d_model, c->d_mlp, out);
    if (has_bias) p.b_in = decoder_bias(b, c->d_mlp, in);
    if (has_bias) p.b_out = decoder_bias(b, c->d_model, out);
    return p;
}

void decoder_by_head(builder *b, node *x, const char *name, bool has_bias, attention *a)
{
    const model_config *c = b->c;
    int32_t kv = c->n_kv_head, group = c->n_head / kv, step = group + 2;
    int64_t wide = (int64_t)kv * step * c->d_head;
    node *w = decoder_weight(b, wide, c->d_model, name);
    node *bias = has_bias ? decoder_bias(b, wide, name) : NULL;
    node *all = build_linear(b, x, w, bias, OUT_IN, 0, (int64_t)kv * step, c->d_head);
    a->q = op_parts(b->g, all, 0, step, c->n_head, group);
    a->k = op_parts(b->g, all, group, step, kv, 1);
    a->v = op_parts(b->g, all, group + 1, step, kv, 1);
}

node *decoder_final_norm(builder *b, node *x, const char *name)
{
    node *gain = build_weight(b, 1, b->c->d_model, "%s.weight", name);
    return build_norm(b, x, gain, build_weight(b, 1, b->c->d_model, "%s.bias", name), "ln_final");
}

node *decoder_frequencies(builder *b, const char *name, const char *layers, double theta,
                          double share)
{
    double *f = build_memory(b, b->c->d_head, sizeof *f);
    if (!f || config_rotary_of(b->json, layers, theta, share, b->c, f, &b->g->err) != E_OK)
        return NULL;
    return build_constant(b, name, f, 2, b->c->n_rot / 2);
}

void decoder_logits(builder *b, node *x, node *w_e)
{
    x = build_norm(b, x, build_weight(b, 1, b->c->d_model, "model.norm.weight"), NULL, "ln_final");
    node *w_u = build_unembed(b, w_e, "model.embed_tokens.weight", "lm_head.weight");
    build_logits(b, x, w_u, NULL, false);
}

/* ---- the whole ---- */

static node *feed_forward(builder *b, node *x, const decoder_parts *parts)
{
    if (parts->feed_forward) return parts->feed_forward(b, x);
    mlp p = decoder_mlp(b, false);
    if (parts->mlp_post_norm)
        p.post_gain = decoder_weight(b, 1, b->c->d_model, parts->mlp_post_norm);
    return build_mlp(b, x, &p);
}

void decoder_build(builder *b, node *const *inv_freq, const decoder_parts *p)
{
    node *of_all = NULL;
    if (!inv_freq) {
        of_all = decoder_frequencies(b, "rotary.inv_freq", NULL, p->theta > 0 ? p->theta : 1e4, 1);
        inv_freq = &of_all;
    }
    node *w_e = build_weight(b, b->c->n_vocab, b->c->d_model, "model.embed_tokens.weight");
    node *x = build_embed(b, w_e);
    if (p->embed_scaled) {
        x = op_scale(b->g, x, sqrt(b->c->d_model));
        graph_site(b->g, graph_axes(x, "", "d_model"), "embed_scaled");
    }
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        node *n = decoder_norm(b, x, "ln1", "input_layernorm", false);
        x = build_add(b, x, p->attend(b, n, inv_freq), "resid_mid");
        n = decoder_norm(b, x, "ln2", p->mlp_norm ? p->mlp_norm : "post_attention_layernorm",
                         false);
        x = build_add(b, x, feed_forward(b, n, p), "resid_post");
    }
    decoder_logits(b, x, w_e);
}
/* SPDX-License-Identifier: MIT */
