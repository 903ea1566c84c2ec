/* arch: hooked -- TransformerLens' HookedTransformer, and the models of "Progress measures for grokking".
 *
 *     x       = W_E[token] + W_pos                     shortformer: x = W_E[token], and q and k read n + W_pos
 *     x_mid   = x + sum_h softmax(q_h k_h' s) v_h W_O[h] + b_O         q, k, v = n W + b,  n = ln_1(x)
 *     x'      = x_mid + act(ln_2(x_mid) W_in + b_in) W_out + b_out
 *     logits  = ln_final(x) W_U + b_U                                  the first d_vocab_out tokens
 *
 * s = 1/sqrt(d_head).  Norms: LN, LNPre (no gain, no bias), RMS, RMSPre, or none.  Biases are there when the file has
 * them.  Two layouts of weights, told by model_type:
 *
 *     hooked_transformer   W_E [vocab, d_model]  W_Q [head, d_model, d_head]  W_O [head, d_head, d_model]
 *                          W_in [d_model, d_mlp]  W_out [d_mlp, d_model]  W_U [d_model, vocab]
 *     progress_measures    W_E [d_model, vocab]  W_Q [head, d_head, d_model]  W_O [d_model, head d_head]
 *                          W_in [d_mlp, d_model]  W_out [d_model, d_mlp]  W_U [d_model, vocab]
 *
 * "The clock and the pizza" has progress_measures' names; with attn_coeff = c its queries see both ways, and its pattern is
 *
 *     c softmax_h(q_h k_h' s) + (1 - c)                                rows do not sum to 1 but where c = 1
 *
 * A bare state dict of two or three positions could be either's: attn_coeff must be said (null: causal, no mixture).
 *
 * A state dict says its sizes itself.  What it cannot say (the activation; whether norms without weights are there)
 * must be said, but for progress_measures, whose code has one answer: ReLU, no norms. */
#include "model/builder.h"
#include "model/config.h"
#include "ops.gen.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const config_key KEYS[] = {
    { "act_fn", KEY_READ, NULL },
    { "attn_coeff", KEY_READ, NULL },
    { "attn_only", KEY_READ, NULL },
    { "d_head", KEY_READ, NULL },
    { "d_mlp", KEY_READ, NULL },
    { "d_model", KEY_READ, NULL },
    { "d_vocab", KEY_READ, NULL },
    { "d_vocab_out", KEY_READ, NULL },
    { "eps", KEY_READ, NULL },
    { "n_ctx", KEY_READ, NULL },
    { "n_heads", KEY_READ, NULL },
    { "n_layers", KEY_READ, NULL },
    { "normalization_type", KEY_READ, NULL },
    { "positional_embedding_type", KEY_READ, NULL },
    { "scale_attn_by_inverse_layer_idx", KEY_READ, NULL },
    { "use_attn_scale", KEY_READ, NULL },
    { "act_type", KEY_ALIAS, "act_fn" },
    { "d_hidden", KEY_ALIAS, "d_mlp" },
    { "num_heads", KEY_ALIAS, "n_heads" },
    { "num_layers", KEY_ALIAS, "n_layers" },
    { "attention_dir", KEY_MUST, "causal" },
    { "attn_scale", KEY_MUST, "-1" }, /* TransformerLens writes -1 for 1/sqrt(d_head) */
    { "attn_scores_soft_cap", KEY_MUST, "-1" },
    { "final_rms", KEY_MUST, "false" },
    { "gated_mlp", KEY_MUST, "false" },
    { "n_key_value_heads", KEY_MUST, "none" },
    { "num_experts", KEY_MUST, "none" },
    { "output_logits_soft_cap", KEY_MUST, "-1" },
    { "parallel_attn_mlp", KEY_MUST, "false" },
    { "post_embedding_ln", KEY_MUST, "false" },
    { "use_local_attn", KEY_MUST, "false" },
    { "use_normalization_before_and_after", KEY_MUST, "false" },
    { "use_qk_norm", KEY_MUST, "false" },
    { "checkpoint_index", KEY_SAYS, NULL },
    { "checkpoint_label_type", KEY_SAYS, NULL },
    { "checkpoint_value", KEY_SAYS, NULL },
    { "decoder_start_token_id", KEY_SAYS, NULL },
    { "default_prepend_bos", KEY_SAYS, NULL },
    { "device", KEY_SAYS, NULL },
    { "dtype", KEY_SAYS, NULL },
    { "experts_per_token", KEY_SAYS, NULL },
    { "from_checkpoint", KEY_SAYS, NULL },
    { "init_mode", KEY_SAYS, NULL },
    { "init_weights", KEY_SAYS, NULL },
    { "initializer_range", KEY_SAYS, NULL },
    { "load_in_4bit", KEY_SAYS, NULL },
    { "model_name", KEY_SAYS, NULL },
    { "n_devices", KEY_SAYS, NULL },
    { "n_params", KEY_SAYS, NULL },
    { "original_architecture", KEY_SAYS, NULL },
    { "rotary_adjacent_pairs", KEY_SAYS, NULL }, /* rotary positions are refused */
    { "rotary_base", KEY_SAYS, NULL },
    { "rotary_dim", KEY_SAYS, NULL },
    { "seed", KEY_SAYS, NULL },
    { "tokenizer_name", KEY_SAYS, NULL },
    { "tokenizer_prepends_bos", KEY_SAYS, NULL },
    { "trust_remote_code", KEY_SAYS, NULL },
    { "ungroup_grouped_query_attention", KEY_SAYS, NULL },
    { "use_attn_in", KEY_SAYS, NULL },
    { "use_attn_result", KEY_SAYS, NULL },
    { "use_hook_mlp_in", KEY_SAYS, NULL },
    { "use_hook_tokens", KEY_SAYS, NULL },
    { "use_split_qkv_input", KEY_SAYS, NULL },
    { "window_size", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "hooked_transformer", "progress_measures", NULL };

/* Masks, and the copies of the embedding that the group composition models carry. */
static const char *const IGNORED[] = { "blocks.*.attn.mask",
                                       "blocks.*.attn.IGNORE",
                                       "attn_blocks.*.attn.mask",
                                       "x_embed",
                                       "y_embed",
                                       NULL };

/* ---- what a state dict says ---- */

static const tensor_view *block_tensor(const container *c, int32_t i, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blocks.%d.%s", i, name);
    const tensor_view *t = container_find(c, full);
    snprintf(full, sizeof full, "attn_blocks.%d.%s", i, name);
    return t ? t : container_find(c, full);
}

/* "The clock and the pizza" has the paper's names and another attention: config_RUN.json beside model_RUN.pt says so,
 * and which activation it has. */
static void read_sibling(json_t *j, const char *path)
{
    static const char *const key[] = { "attn_coeff", "act_fn" };
    json_t *own = config_sibling(path);
    for (int i = 0; j && i < 2; i++) {
        json_t *said = json_object_get(own, key[i]);
        if (said) json_object_set(j, key[i], said);
    }
    json_decref(own);
}

/* Could it be either's?  The paper's checkpoints keep the state dict under "model", beside the optimiser; the pizza's are
 * bare, take two numbers and perhaps a sign, and answer with any token. */
static bool is_either(const container *c, json_int_t n_ctx, const tensor_view *e,
                      const tensor_view *u)
{
    const char *nest = container_meta(c, "nested");
    return n_ctx <= 3 && e->dim[1] == u->dim[1] && !(nest && !strcmp(nest, "model")) &&
           !container_find(c, "attn_blocks.0.attn.W_Q");
}

static json_t *infer(const container *c, const char *path)
{
    const tensor_view *e = container_find(c, "embed.W_E"),
                      *p = container_find(c, "pos_embed.W_pos"),
                      *u = container_find(c, "unembed.W_U"), *q = block_tensor(c, 0, "attn.W_Q"),
                      *o = block_tensor(c, 0, "attn.W_O"), *in = block_tensor(c, 0, "mlp.W_in");
    if (!e || !p || !u || !q || !o || e->n_dim != 2 || p->n_dim != 2 || u->n_dim != 2 ||
        q->n_dim != 3 || (o->n_dim != 3 && o->n_dim != 2) || (in && in->n_dim != 2))
        return NULL;
    bool old = o->n_dim == 2;
    json_int_t n_layer = 0;
    while (block_tensor(c, (int32_t)n_layer, "attn.W_Q")) n_layer++;
    json_t *j = json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:b}", "model_type", TYPES[old],
                          "n_layers", n_layer, "n_heads", (json_int_t)q->dim[0], "d_model",
                          (json_int_t)p->dim[1], "d_head", (json_int_t)q->dim[old ? 1 : 2], "n_ctx",
                          (json_int_t)p->dim[0], "d_vocab", (json_int_t)e->dim[old], "d_vocab_out",
                          (json_int_t)u->dim[1], "attn_only", !in);
    if (j && in) json_object_set_new(j, "d_mlp", json_integer(in->dim[!old]));
    if (j && old && !is_either(c, p->dim[0], e, u))
        json_object_set_new(j, "attn_coeff", json_null());
    if (j && container_find(c, "blocks.0.ln1.w"))
        json_object_set_new(j, "normalization_type",
                            json_string(container_find(c, "blocks.0.ln1.b") ? "LN" : "RMS"));
    read_sibling(j, path);
    return j;
}

/* ---- configuration ---- */

static bool is_old(const builder *b)
{
    const char *type = json_string_value(json_object_get(b->json, "model_type"));
    return type && !strcmp(type, "progress_measures");
}

static status must_say(const char *key, const char *example, error *err)
{
    error_set(err, E_UNSUPPORTED, "config.json: '%s' is not said, and the weights do not tell",
              key);
    error_hint(err, "say it: --config '{\"%s\": %s}'", key, example);
    return E_UNSUPPORTED;
}

static status configure_norm(builder *b, error *err)
{
    static const struct {
        const char *theirs, *ours;
    } known[] = { { "LN", "layernorm" },
                  { "LNPre", "layernorm" },
                  { "RMS", "rmsnorm" },
                  { "RMSPre", "rmsnorm" } };
    const char *name;
    b->c->norm = "none";
    if (!json_object_get(b->json, "normalization_type"))
        return is_old(b) ? E_OK : must_say("normalization_type", "null", err);
    status st = json_text(b->json, "normalization_type", NULL, &name, err);
    if (st != E_OK || !name) return st;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].theirs, name)) {
            b->c->norm = known[i].ours;
            return E_OK;
        }
    error_set(err, E_UNSUPPORTED,
              "config.json: 'normalization_type' is \"%.40s\", which is not built", name);
    error_hint(err, "built: LN, LNPre, RMS, RMSPre, null");
    return E_UNSUPPORTED;
}

static status configure_act(builder *b, error *err)
{
    const char *name;
    status st = json_text(b->json, "act_fn", NULL, &name, err);
    if (st != E_OK) return st;
    if (!name && !is_old(b)) return must_say("act_fn", "\"relu\"", err);
    b->c->activation = !name || !strcmp(name, "ReLU") ? "relu" : "gelu_erf";
    if (!name || !strcmp(name, "ReLU") || !strcmp(name, "GeLU"))
        return E_OK; /* the pizza's names */
    return config_activation(b->json, "act_fn", "relu", &b->c->activation, err);
}

static status configure_sizes(builder *b, error *err)
{
    model_config *c = b->c;
    const json_t *j = b->json;
    bool attn_only;
    status st = config_count(j, "n_layers", 0, 4096, &c->n_layer, err);
    if (st == E_OK) st = config_count(j, "d_model", 0, 1 << 20, &c->d_model, err);
    if (st == E_OK) st = config_count(j, "n_heads", 0, 1 << 16, &c->n_head, err);
    if (st == E_OK) st = config_count(j, "d_head", 0, 1 << 16, &c->d_head, err);
    if (st == E_OK) st = config_count(j, "n_ctx", 0, 1 << 24, &c->n_ctx, err);
    if (st == E_OK) st = config_count(j, "d_vocab", 0, 1 << 24, &c->n_vocab, err);
    if (st == E_OK)
        st = config_count(j, "d_vocab_out", c->n_vocab, c->n_vocab, &c->n_vocab_out, err);
    if (st == E_OK) st = json_flag(j, "attn_only", false, &attn_only, err);
    if (st == E_OK && !attn_only)
        st = config_count(j, "d_mlp", 4 * (int64_t)c->d_model, 1 << 24, &c->d_mlp, err);
    c->n_kv_head = c->n_head;
    return st;
}

/* The pizza's coefficient.  Its weights look like the paper's own. */
static status configure_coeff(builder *b, error *err)
{
    const json_t *said = json_object_get(b->json, "attn_coeff");
    double c;
    if (!said && is_old(b)) return must_say("attn_coeff", "1", err);
    b->c->both_ways = said && !json_is_null(said);
    status st = b->c->both_ways ? json_number(b->json, "attn_coeff", 1, &c, err) : E_OK;
    if (st == E_OK && b->c->both_ways && !(c >= 0 && c <= 1))
        return error_set(err, E_RANGE, "config.json: 'attn_coeff' is %g, expected 0 to 1", c);
    return st;
}

static bool is_short(const builder *b)
{
    const char *type = json_string_value(json_object_get(b->json, "positional_embedding_type"));
    return type && !strcmp(type, "shortformer");
}

static status configure(builder *b, error *err)
{
    model_config *c = b->c;
    const char *position;
    bool scaled, unused;
    status st = configure_sizes(b, err);
    if (st == E_OK) st = configure_norm(b, err);
    if (st == E_OK && c->d_mlp) st = configure_act(b, err);
    if (st == E_OK) st = configure_coeff(b, err);
    if (st == E_OK) st = config_positive(b->json, "eps", 1e-5, &c->norm_eps, err);
    if (st == E_OK) st = json_flag(b->json, "use_attn_scale", true, &scaled, err);
    if (st == E_OK) st = json_flag(b->json, "scale_attn_by_inverse_layer_idx", false, &unused, err);
    if (st == E_OK)
        st = json_text(b->json, "positional_embedding_type", "standard", &position, err);
    if (st != E_OK) return st;
    if (strcmp(position, "standard") && strcmp(position, "shortformer"))
        return error_set(err, E_UNSUPPORTED,
                         "config.json: 'positional_embedding_type' is \"%.40s\", standard and "
                         "shortformer are built",
                         position);
    c->position = "learned", c->score_scale = scaled ? 1 / sqrt(c->d_head) : 1;
    return E_OK;
}

/* ---- the graph ---- */

/* Where a block's weights are named: attention-only models of the paper have attn_blocks. */
static const char *block_name(const builder *b)
{
    return weights_find(&b->weights, "attn_blocks.0.attn.W_Q") ? "attn_blocks" : "blocks";
}

/* A vector of a block, [n] or, by head, [head, n / head]; NULL where the file has none. */
static node *vector(builder *b, const char *name, int64_t n_head, int64_t n)
{
    char full[80];
    weight_order o = { .n_dim = n_head ? 2 : 1, .dim = { n_head, n }, .axis = { 0, 1 } };
    if (!n_head) o.dim[0] = n;
    snprintf(full, sizeof full, "%s.%d.%s", block_name(b), b->layer, name);
    if (!weights_find(&b->weights, full)) return NULL;
    return build_weight_turned(b, &o, 1, n_head ? n_head * n : n, "%s", full);
}

/* W_Q, W_K, W_V as linear() reads them: [d_model, head d_head], or its transpose. */
static node *head_weight(builder *b, const char *name)
{
    const model_config *c = b->c;
    int64_t h = c->n_head, d = c->d_head, wide = h * d, m = c->d_model;
    weight_order old = { 3, { h, d, m }, { 0, 1, 2 } }, now = { 3, { h, m, d }, { 1, 0, 2 } };
    if (is_old(b))
        return build_weight_turned(b, &old, wide, m, "%s.%d.attn.%s", block_name(b), b->layer,
                                   name);
    return build_weight_turned(b, &now, m, wide, "%s.%d.attn.%s", block_name(b), b->layer, name);
}

static node *out_weight(builder *b)
{
    const model_config *c = b->c;
    int64_t h = c->n_head, d = c->d_head, m = c->d_model;
    weight_order now = { 3, { h, d, m }, { 0, 1, 2 } };
    if (is_old(b)) return build_weight(b, m, h * d, "%s.%d.attn.W_O", block_name(b), b->layer);
    return build_weight_turned(b, &now, h * d, m, "%s.%d.attn.W_O", block_name(b), b->layer);
}

static node *norm(builder *b, node *x, const char *name)
{
    char gain[80], bias[80];
    snprintf(gain, sizeof gain, "%s.w", name), snprintf(bias, sizeof bias, "%s.b", name);
    if (!strcmp(b->c->norm, "none")) return x;
    node *w =
        weights_find(&b->weights, gain) ? build_weight(b, 1, b->c->d_model, "%s", gain) : NULL;
    node *v =
        weights_find(&b->weights, bias) ? build_weight(b, 1, b->c->d_model, "%s", bias) : NULL;
    return build_norm(b, x, w, v, name);
}

static node *block_norm(builder *b, node *x, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "blocks.%d.%s", b->layer, name);
    return norm(b, x, full);
}

/* One of q, k, v.  The weight is made first, then the bias: in a call's arguments the compiler would choose. */
static node *projected(builder *b, node *x, const char *weight, const char *bias)
{
    int64_t h = b->c->n_head, d = b->c->d_head;
    node *w = head_weight(b, weight);
    node *v = vector(b, bias, h, d);
    return build_linear(b, x, w, v, is_old(b) ? OUT_IN : IN_OUT, 0, h, d);
}

/* pos: what queries and keys read beside the stream (shortformer); NULL: nothing. */
static node *attend(builder *b, node *x, node *pos)
{
    const model_config *c = b->c;
    int layout = is_old(b) ? OUT_IN : IN_OUT;
    bool by_layer = json_is_true(json_object_get(b->json, "scale_attn_by_inverse_layer_idx"));
    node *qk = pos ? op_add(b->g, x, pos) : x;
    attention a = { .layout = layout, .scale = c->score_scale / (by_layer ? b->layer + 1 : 1) };
    a.q = projected(b, qk, "W_Q", "attn.b_Q");
    a.k = projected(b, qk, "W_K", "attn.b_K");
    a.v = projected(b, x, "W_V", "attn.b_V");
    a.both_ways = c->both_ways;
    if (a.both_ways) a.ones = 1 - json_number_value(json_object_get(b->json, "attn_coeff"));
    a.w_out = out_weight(b);
    a.b_out = vector(b, "attn.b_O", 0, c->d_model);
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    int64_t m = b->c->d_model, n = b->c->d_mlp;
    bool old = is_old(b);
    mlp p = { .layout = old ? OUT_IN : IN_OUT, .x_is_stream = !strcmp(b->c->norm, "none") };
    p.w_in = build_weight(b, old ? n : m, old ? m : n, "blocks.%d.mlp.W_in", b->layer);
    p.b_in = vector(b, "mlp.b_in", 0, n);
    p.w_out = build_weight(b, old ? m : n, old ? n : m, "blocks.%d.mlp.W_out", b->layer);
    p.b_out = vector(b, "mlp.b_out", 0, m);
    return build_mlp(b, x, &p);
}

static node *embedding(builder *b)
{
    int64_t v = b->c->n_vocab, m = b->c->d_model;
    weight_order turned = { 2, { m, v }, { 1, 0 } };
    return is_old(b) ? build_weight_turned(b, &turned, v, m, "embed.W_E")
                     : build_weight(b, v, m, "embed.W_E");
}

static void build(builder *b)
{
    const model_config *c = b->c;
    bool is_none = !strcmp(c->norm, "none");
    node *x = build_embed(b, embedding(b));
    node *p = build_pos_embed(b, build_weight(b, c->n_ctx, c->d_model, "pos_embed.W_pos"), 0);
    if (!is_short(b)) x = graph_axes(op_add(b->g, x, p), "", "d_model");
    for (int32_t i = 0; i < c->n_layer; i++) {
        build_block(b, i, x);
        node *a = attend(b, block_norm(b, x, "ln1"), is_short(b) ? p : NULL);
        x = build_add(b, x, a, c->d_mlp ? "resid_mid" : "resid_post");
        if (c->d_mlp) x = build_add(b, x, feed_forward(b, block_norm(b, x, "ln2")), "resid_post");
    }
    x = norm(b, x, "ln_final");
    node *w_u = build_weight(b, c->d_model, c->n_vocab_out, "unembed.W_U"), *b_u = NULL;
    if (weights_find(&b->weights, "unembed.b_U"))
        b_u = build_weight(b, 1, c->n_vocab_out, "unembed.b_U");
    build_logits_as(b, x, w_u, b_u, IN_OUT, is_none);
}

static const char *family(json_t *config)
{
    (void)config;
    return "TransformerLens' blocks are of no family of Hugging Face";
}

const arch_def arch_hooked_def = {
    .name = "hooked",
    .says = "TransformerLens state dicts, and the models of Progress measures for grokking",
    .model_type = TYPES,
    .key = KEYS,
    .ignored = IGNORED,
    .infer = infer,
    .family = family,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
