/* builder -- what the files in arch/ build graphs with.
 *
 * Calls nest and cannot half-fail: after the first error all return NULL and the reason is in
 * b->g->err (graph.h).  Every build_* below adds nodes, gives them their names and axes, and marks
 * the writers to and readers of the residual stream (the ends of edges).  `b->layer` is the block
 * that is being built. */
#ifndef MICROTOME_MODEL_BUILDER_H
#define MICROTOME_MODEL_BUILDER_H
#include "base/json.h"
#include "model/arch_def.h"
#include "model/weights.h"

struct builder {
    model *m;
    graph *g;        /* &m->g */
    model_config *c; /* &m->config */
    const arch_def *arch;
    const json_t *json; /* config.json, or what stands for it */
    const char *layers; /* what decoder.h puts before a block's number; NULL: "model.layers" */
    const model_options *options;
    weight_set weights;
    int32_t layer;
};

/* A sentence for model.warning.
 *
 * [err: b->g->err: NOMEM | owns: the model | thread: b's own | cost: O(warnings)] */
void build_warn(builder *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Storage that lives as long as the model; cleared.
 *
 * [err: NULL and b->g->err | owns: the model | thread: b's own | cost: O(bytes)] */
void *build_memory(builder *b, int64_t n, size_t size);

/* The weight of that checkpoint name, which must be [n_row, n_col] (a vector: [n_col], n_row 1).
 * It becomes a node and a site of its own, so that it can be edited.
 *
 * [err: b->g->err: SHAPE when missing or of another shape | owns: the model | thread: b's own | cost: O(log weights)] */
node *build_weight(builder *b, int64_t n_row, int64_t n_col, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The same of a weight that the checkpoint has in another shape or order: axes of `dim` numbers, taken in the order
 * `axis`, are [n_row, n_col].  Numbers are copied where the order changes, and never rounded.
 *
 * [err: b->g->err: SHAPE, NOMEM | owns: the model | thread: b's own | cost: O(numbers) where the order changes] */
typedef struct weight_order {
    int32_t n_dim;
    int64_t dim[4];
    int32_t axis[4];
} weight_order;
node *build_weight_turned(builder *b, const weight_order *o, int64_t n_row, int64_t n_col,
                          const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* A computed weight, kept in float64 (f32 builds round it first).
 *
 * [err: b->g->err: NOMEM | owns: the model | thread: b's own | cost: O(n)] */
node *build_constant(builder *b, const char *name, const double *v, int n_row, int n);

/* Name n "blocks.LAYER.thing"; give it axes; mark it.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(sites)] */
node *build_site(builder *b, node *n, const char *thing);
node *build_writer(node *n);
node *build_reader(node *n);

/* embed, type_embed and pos_embed, writers [pos, d_model]; position 0 reads row `first` of its table.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_embed(builder *b, node *w);
node *build_type_embed(builder *b, node *w); /* makes b->m->type, the input it reads */
node *build_pos_embed(builder *b, node *w, int32_t first);

/* NAME.scale, NAME.normalized, NAME.out = gain * normalized + bias (bias NULL: none), the gain one more
 * than stored where c->gain_from_one; gain NULL: out is normalized; LayerNorm, or RMSNorm, as c->norm says; x itself when that is "none".
 * name is "blocks.3.ln1" or "ln_final".  x may be heads: each has its own norm, and all have one gain.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_norm(builder *b, node *x, node *gain, node *bias, const char *name);

/* y = x W + bias, as n_part parts of `width` numbers, columns `first` on.  IN_OUT: W is [in, out], as
 * GPT-2 stores it; OUT_IN: [out, in].
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
enum { IN_OUT = 0, OUT_IN = 1 };
node *build_linear(builder *b, node *x, node *w, node *bias, int layout, int64_t first,
                   int64_t n_part, int64_t width);

/* Attention from q, k, v on: attn.q_raw k_raw (q_gain not NULL: a norm of queries and of keys), q k v, rot_q
 * rot_k (inv_freq not NULL), scores, pattern, z, result, bias, out, contribution (post_gain not NULL: after
 * the norm ln1_post).  Returns what is added to the stream.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
typedef struct attention {
    node *q, *k, *v;       /* after bias, before rotary; [head, d_head], [kv head, d_head] */
    node *q_gain, *k_gain; /* of each head's norm; NULL: none */
    bool whole_norm;       /* one norm over all heads, its gain as long */
    node *inv_freq;        /* NULL: not rotated; two rows, a number for each pair that turns */
    int rotary_style; /* 0: halves, as Hugging Face stores Llama; 1: neighbours, as llama2.c does */
    double rotary_factor; /* of cos and sin (yarn); 0: none */
    node *slope;          /* ALiBi: [1, n_head], added times key times slope_factor; NULL: none */
    double slope_factor;
    bool slope_half; /* slope times key is rounded to bfloat16 */
    double clip;     /* q and k no further from 0 than this; 0: as they are */
    double scale;
    double cap;     /* scores are cap tanh(score / cap); 0: as they are */
    int32_t window; /* a query sees as many keys, itself included; 0: all */
    bool both_ways; /* a query sees the keys after it too */
    double ones;    /* the pattern is (1 - ones) softmax + ones: 0, the softmax; else both_ways */
    node *w_out, *b_out; /* b_out NULL: none */
    int layout;          /* of w_out */
    node *post_gain;     /* NULL: no norm between attention and the stream */
} attention;
node *build_attention(builder *b, const attention *a);

/* mlp.pre = in(x), mlp.post = act(pre), mlp.out = out(post); gated: mlp.gate, mlp.up, post =
 * act(gate) * up.  x is the MLP's view of the stream and becomes its reader, unless `x_is_stream`
 * (no norm): then the projections are.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
typedef struct mlp {
    node *w_in, *b_in, *w_up, *b_up; /* w_in is the gate's where gated; w_up NULL: not gated */
    node *w_out, *b_out;
    int layout;
    int64_t up_first; /* the first column of w_up that is up's, where gate and up share a weight */
    bool x_is_stream;
    node *post_gain; /* NULL: no norm (ln2_post) between the MLP and the stream */
} mlp;
node *build_mlp(builder *b, node *x, const mlp *p);

/* logits = x W_U, cap tanh(. / cap) where c->logit_cap: the last node.  x is the logits' view of the stream and becomes their reader,
 * unless x_is_stream.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_logits(builder *b, node *x, node *w, node *bias, bool x_is_stream);

/* The same, the unembedding as `layout` says (build_logits: OUT_IN).
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_logits_as(builder *b, node *x, node *w, node *bias, int layout, bool x_is_stream);

/* The unembedding, [n_vocab, as wide as the embedding]: the embedding w_e where tied (a copy of it may be in the file, and a
 * warning says when it differs), else the weight of that name.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1); a comparison where there is a copy] */
node *build_unembed(builder *b, node *w_e, const char *e_name, const char *u_name);

/* Embedded models: hand over the tokenizer and the configuration (both taken).
 *
 * [err: none | owns: the model | thread: b's own | cost: O(1)] */
void model_give_tokenizer(model *m, tokenizer *own_t);
void model_give_config(model *m, json_t *own_json);

/* c->activation of x.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_activation(builder *b, node *x);

/* The MLP's own view of x, mlp.in, where others read x too: the end of the edges into it.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
node *build_view(builder *b, node *x);

/* Start and end one block: names resid_pre, and resid_mid or resid_post = x + y.
 *
 * [err: b->g->err | owns: the model | thread: b's own | cost: O(1)] */
void build_block(builder *b, int32_t layer, node *x);
node *build_add(builder *b, node *x, node *y, const char *thing);

#endif
/* SPDX-License-Identifier: MIT */
