/* arch: bert -- BERT with its masked language model head: tokens see both ways, norms stand behind.
 *
 *     x_0     = ln_e(W_E[token] + W_type[type] + W_pos[position])
 *     x_mid   = ln_1(x + sum_h softmax(q_h k_h' / sqrt(d_head)) v_h W_O[h] + b_O)       q, k, v = x W_q + b_q ...
 *     x'      = ln_2(x_mid + act(x_mid W_1 + b_1) W_2 + b_2)
 *     logits  = ln_h(act(x W_h + b_h)) W_E' + b                         the head; act is the MLPs', exact gelu
 *
 * logits[p] is over the token at p itself: what stands at a [MASK].  Weights are [out, in].  Old checkpoints call a norm's
 * weight and bias gamma and beta.  The pooled output and the next-sentence head are not built: their weights are left
 * out of account, as they are by the original's masked language model.
 */
#include "model/decoder.h"
#include "ops.gen.h"

static const config_key KEYS[] = {
    { "hidden_size", KEY_READ, NULL },
    { "intermediate_size", KEY_READ, NULL },
    { "max_position_embeddings", KEY_READ, NULL },
    { "num_attention_heads", KEY_READ, NULL },
    { "num_hidden_layers", KEY_READ, NULL },
    { "hidden_act", KEY_READ, NULL },
    { "layer_norm_eps", KEY_READ, NULL },
    { "type_vocab_size", KEY_READ, NULL },
    { "is_decoder", KEY_MUST, "false" },
    { "add_cross_attention", KEY_MUST, "false" },
    { "position_embedding_type", KEY_MUST, "absolute" },
    { "attention_probs_dropout_prob", KEY_SAYS, NULL },
    { "hidden_dropout_prob", KEY_SAYS, NULL },
    { "classifier_dropout", KEY_SAYS, NULL },
    { "gradient_checkpointing", KEY_SAYS, NULL },
    { "directionality", KEY_SAYS, NULL },
    { "pooler_fc_size", KEY_SAYS, NULL }, /* of the pooled output, which is not built */
    { "pooler_num_attention_heads", KEY_SAYS, NULL },
    { "pooler_num_fc_layers", KEY_SAYS, NULL },
    { "pooler_size_per_head", KEY_SAYS, NULL },
    { "pooler_type", KEY_SAYS, NULL },
    { NULL, KEY_SAYS, NULL },
};

static const char *const TYPES[] = { "bert", NULL };

static const char *const IGNORED[] = { "bert.embeddings.position_ids", "bert.pooler.dense.*",
                                       "cls.seq_relationship.*", "cls.predictions.decoder.bias",
                                       NULL };

static status configure(builder *b, error *err)
{
    static const decoder_defaults d = { .n_layer = 12,
                                        .d_model = 768,
                                        .n_head = 12,
                                        .d_mlp = 3072,
                                        .n_vocab = 30522,
                                        .n_ctx = 512,
                                        .eps = 1e-12,
                                        .act = "gelu",
                                        .tied = true,
                                        .eps_key = "layer_norm_eps",
                                        .act_key = "hidden_act" };
    model_config *c = b->c;
    c->norm = "layernorm", c->post_norm = c->both_ways = true, b->layers = "bert.encoder.layer";
    status st = decoder_configure(b, &d, err);
    c->position = "learned";
    return st == E_OK ? config_count(b->json, "type_vocab_size", 2, 1 << 16, &c->n_type, err) : st;
}

static node *attend(builder *b, node *x)
{
    static const char *const name[] = { "attention.self.query", "attention.self.key",
                                        "attention.self.value", "attention.output.dense" };
    attention a = decoder_attention_of(b, x, name, true, true);
    a.both_ways = true;
    return build_attention(b, &a);
}

static node *feed_forward(builder *b, node *x)
{
    mlp p = decoder_plain_mlp(b, "intermediate.dense", "output.dense", true);
    return build_mlp(b, x, &p);
}

/* A norm outside the blocks. */
static node *norm(builder *b, node *x, const char *ours, const char *theirs)
{
    int64_t d = b->c->d_model;
    node *gain = build_weight(b, 1, d, "%s.weight", theirs);
    return build_norm(b, x, gain, build_weight(b, 1, d, "%s.bias", theirs), ours);
}

static node *table(builder *b, int64_t n, const char *name)
{
    return build_weight(b, n, b->c->d_model, "bert.embeddings.%s.weight", name);
}

static node *embedded(builder *b, node *w_e)
{
    node *e = build_embed(b, w_e);
    node *t = build_type_embed(b, table(b, b->c->n_type, "token_type_embeddings"));
    node *p = build_pos_embed(b, table(b, b->c->n_ctx, "position_embeddings"), 0);
    node *sum = graph_axes(op_add(b->g, op_add(b->g, e, t), p), "", "d_model");
    return norm(b, sum, "embed_ln", "bert.embeddings.LayerNorm");
}

static node *head(builder *b, node *x)
{
    static const char name[] = "cls.predictions.transform";
    int64_t d = b->c->d_model;
    node *w = build_weight(b, d, d, "%s.dense.weight", name);
    node *h = build_linear(b, x, w, build_weight(b, 1, d, "%s.dense.bias", name), OUT_IN, 0, 1, d);
    node *y = build_activation(b, graph_site(b->g, graph_axes(h, "", "d_model"), "mlm_head.pre"));
    graph_site(b->g, graph_axes(y, "", "d_model"), "mlm_head.post");
    return norm(b, y, "mlm_head", "cls.predictions.transform.LayerNorm");
}

static void build(builder *b)
{
    node *w_e = table(b, b->c->n_vocab, "word_embeddings"), *x = embedded(b, w_e);
    for (int32_t i = 0; i < b->c->n_layer; i++) {
        build_block(b, i, x);
        x = decoder_add_norm(b, x, attend(b, x), "resid_mid", "ln1", "attention.output.LayerNorm");
        node *m = feed_forward(b, build_view(b, x));
        x = decoder_add_norm(b, x, m, "resid_post", "ln2", "output.LayerNorm");
    }
    node *w_u = build_unembed(b, w_e, "bert.embeddings.word_embeddings.weight",
                              "cls.predictions.decoder.weight");
    node *bias = build_weight(b, 1, b->c->n_vocab, "cls.predictions.bias");
    build_logits(b, head(b, x), w_u, bias, false);
}

const arch_def arch_bert_def = {
    .name = "bert",
    .says = "BERT: both ways, token types, LayerNorm after, masked language model head",
    .model_type = TYPES,
    .key = KEYS,
    .ignored = IGNORED,
    .configure = configure,
    .build = build,
};
/* SPDX-License-Identifier: MIT */
